"""JK's side of the wire, for simulators: a pack's state as status, settings and device information.

The one idea: the tables that decode a field also place it, so a simulated board speaks with exactly the
numbers that captures have proven. Every layout is filled from the same values.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Literal

from bridge.errors import ConfigError
from bridge.model import Alarm, Reading
from bridge.protocols._jk_alarms import JK02
from bridge.protocols._jk_fields import (
    INFO_NUMBERS,
    SETTINGS_32S,
    SETTINGS_COMMON,
    STATUS_32S,
    Field,
    write_fields,
    write_texts,
)
from bridge.protocols._jk_frames import HEADER, INFO, LAYOUT_24S, LAYOUT_32S, SETTINGS, SIZE, STATUS
from bridge.protocols.checksums import sum8
from bridge.protocols.contract import Options, Raw

_ABSENT_TENTHS_C = -2000
_MODELS = {
    "JK02_24S": ("JK-B2A24S15P", "10.XG", "10.07"),
    "JK02_32S": ("JK_PB2A16S20P", "15A", "15.41"),
    "JK04": ("JK-B2A16S", "3.0", "3.3.0"),
}
_SETTINGS: Mapping[str, Raw] = {
    "smart_sleep_v": 3.5, "cell_uvp_v": 2.5, "cell_uvpr_v": 2.8, "cell_ovp_v": 3.65, "cell_ovpr_v": 3.45,
    "balance_trigger_v": 0.005, "soc100_v": 3.445, "soc0_v": 2.6, "request_charge_v": 3.45,
    "request_float_v": 3.35, "power_off_v": 2.45, "max_charge_a": 100.0, "charge_ocp_delay_s": 30,
    "charge_ocp_release_s": 60, "max_discharge_a": 150.0, "discharge_ocp_delay_s": 300,
    "discharge_ocp_release_s": 60, "scp_release_s": 60, "max_balance_a": 2.0, "charge_otp_c": 60.0,
    "charge_otpr_c": 50.0, "discharge_otp_c": 65.0, "discharge_otpr_c": 55.0, "charge_utp_c": 0.0,
    "charge_utpr_c": 5.0, "mos_otp_c": 90.0, "mos_otpr_c": 70.0, "balance_enabled": True,
    "scp_delay_us": 1500, "balance_start_v": 3.3, "precharge_s": 5,
}  # fmt: skip


def _place_24s(field: Field) -> Field:
    """Where the older boards have a status number, which have room for 24 cells and 16 alarms."""
    if field.name == "mosfet_temperature_c":
        return field._replace(place=134)
    if field.name == "alarm_bitmask":
        return field._replace(place=136, kind="H")
    return field._replace(place=field.place - (16 if field.place < 80 else 32))


_STATUS_24S = tuple(_place_24s(field) for field in STATUS_32S if field.place < 256)


class Board:
    """One simulated board. options.extra: "variant" and any setting by its decoded name."""

    def __init__(self, options: Options, variant: str = "JK02_32S") -> None:
        self.variant = str(options.extra.get("variant", variant))
        if self.variant not in _MODELS:
            raise ConfigError(f"unknown JK variant {self.variant!r}; known: {', '.join(_MODELS)}")
        self._options = options
        self._counter = 0

    def status(self, reading: Reading) -> bytes:
        """A status frame."""
        if self.variant == "JK04":
            return self._sealed(STATUS, _status_jk04(reading))
        memory = bytearray(SIZE)
        self.write_status(reading, memory)
        return self._sealed(STATUS, memory)

    def write_status(
        self, reading: Reading, memory: bytearray, first: int = 0, order: Literal["<", ">"] = "<"
    ) -> None:
        """A JK02 status into a memory picture whose first byte has the place `first` in a frame."""
        cells_v = reading.get("cell_voltages_v", ())
        wide = self.variant == LAYOUT_32S.name
        cells_mv = [round((volt or 0.0) * 1000) for volt in cells_v[: 32 if wide else 24]]
        struct.pack_into(f"{order}{len(cells_mv)}H", memory, 6 - first, *cells_mv)
        write_fields(
            STATUS_32S if wide else _STATUS_24S, _status_values(reading, cells_mv), memory, first, order
        )
        if wide and order == "<":
            probes = len(reading.get("temperatures_c", ()))
            memory[287:295] = bytes((0xFE, 0xFF, 0x7F, 0xDC, 0x2F, 0x01, 0x01, 0xB0 if probes > 2 else 0x80))

    def settings(self, reading: Reading) -> bytes:
        """A settings frame."""
        memory = bytearray(SIZE)
        cell_count, values = self.setting_values(reading)
        if self.variant == "JK04":
            struct.pack_into("<f24xB3xf", memory, 6, 1.0, cell_count, values["power_off_v"])
            struct.pack_into(
                "<f4xff", memory, 98, values["balance_start_v"], values["balance_trigger_v"], 2.0
            )
            memory[114] = 1
        elif self.variant == LAYOUT_24S.name:
            write_fields(SETTINGS_COMMON, values, memory)
            struct.pack_into("<I", memory, 6, 600)
        else:
            write_fields(SETTINGS_32S, values, memory)
            memory[287:294] = bytes((0xFE, 0xFF, 0xFF, 0xFF, 0x9F, 0xE9, 0x9D))
        return self._sealed(SETTINGS, memory)

    def setting_values(self, reading: Reading) -> tuple[int, dict[str, Raw]]:
        """The number of cells and every setting by its decoded name."""
        cell_count = len(reading.get("cell_voltages_v", ())) or self._options.cells or 16
        locked = Alarm.FET_LOCKED in reading.get("warnings", ())
        values: dict[str, Raw] = {
            **_SETTINGS,
            "cell_count": cell_count,
            "capacity_ah": reading.get("design_ah") or reading.get("full_ah") or 100.0,
            "charge_enabled": not locked or reading.get("charge_fet_on") is not False,
            "discharge_enabled": not locked or reading.get("discharge_fet_on") is not False,
            "device_address": self._options.address or 0,
        }
        return cell_count, values | {
            name: value for name, value in self._options.extra.items() if name in values
        }

    def info(self) -> bytes:
        """A device information frame."""
        memory = bytearray(SIZE)
        self.write_info(memory)
        return self._sealed(INFO, memory)

    def write_info(self, memory: bytearray, first: int = 0, order: Literal["<", ">"] = "<") -> None:
        """The device information into a memory picture."""
        model, hardware, software = _MODELS[self.variant]
        texts = {"model": model, "hw_version": hardware, "sw_version": software, "device_name": model,
                 "manufacturing_date": "240914", "serial_number": "40119491480"}  # fmt: skip
        write_texts(texts, memory, first)
        write_fields(INFO_NUMBERS, {"uptime_s": 86400, "power_on_count": 3}, memory, first, order)

    def _sealed(self, kind: int, memory: bytearray) -> bytes:
        if kind == STATUS:
            self._counter = (self._counter + 1) & 0xFF
        memory[:6] = HEADER + bytes((kind, self._counter))
        memory[299] = sum8(memory[:299])
        return bytes(memory)


def _status_values(reading: Reading, cells_mv: list[int]) -> dict[str, Raw]:
    fitted = [mv for mv in cells_mv if mv] or [0]
    temperatures = [*reading.get("temperatures_c", ()), None, None, None, None][:4]
    probes = [_ABSENT_TENTHS_C / 10 if celsius is None else celsius for celsius in temperatures]
    mosfet_c = reading.get("mosfet_temperature_c")
    return {
        "cell_mask": (1 << len(cells_mv)) - 1,
        "cell_avg_v": sum(fitted) / len(fitted) / 1000,
        "cell_delta_v": (max(fitted) - min(fitted)) / 1000,
        "mosfet_temperature_c": _ABSENT_TENTHS_C / 10 if mosfet_c is None else mosfet_c,
        "voltage_v": reading.get("voltage_v"),
        "pack_power_w": abs((reading.get("voltage_v") or 0.0) * (reading.get("current_a") or 0.0)),
        "current_a": reading.get("current_a"),
        "probe_1_c": probes[0], "probe_2_c": probes[1], "probe_3_c": probes[2], "probe_4_c": probes[3],
        "alarm_bitmask": JK02.word_of(reading.get("protections", ()), reading.get("warnings", ())),
        "balance_current_a": 1.0 if reading.get("balancing") else 0.0,
        "balance_state": 1 if reading.get("balancing") else 0,
        "soc_pct": reading.get("soc_pct"), "soh_pct": reading.get("soh_pct"),
        "remaining_ah": reading.get("remaining_ah"), "full_ah": reading.get("full_ah"),
        "cycles": reading.get("cycles"), "runtime_s": 86400,
        "charge_fet": reading.get("charge_fet_on"), "discharge_fet": reading.get("discharge_fet_on"),
        "probe_mask": 0xFF,
    }  # fmt: skip


def _status_jk04(reading: Reading) -> bytearray:
    memory = bytearray(SIZE)
    cells_v = [volt or 0.0 for volt in reading.get("cell_voltages_v", ())][:24]
    struct.pack_into(f"<{len(cells_v)}f", memory, 6, *cells_v)
    average_v = sum(cells_v) / len(cells_v) if cells_v else 0.0
    struct.pack_into("<ff", memory, 202, average_v, max(cells_v, default=0.0) - min(cells_v, default=0.0))
    struct.pack_into("<I", memory, 214, (1 << len(cells_v)) - 1)
    memory[220] = 1 if reading.get("balancing") else 0
    struct.pack_into("<f", memory, 222, 1.0 if reading.get("balancing") else 0.0)
    struct.pack_into("<I", memory, 286, 86400)
    return memory
