"""The registers of Daly's P81 dialect, both ways: where what is read, and what a simulated board holds.

    0x00 .. 0x7E  telemetry     0x100 .. 0x177  settings     0x178 .. 0x1C1  versions

One idea: the table is the documentation. The settings' places follow from two captures (16S 314 Ah and
4S 180 Ah), which agree with each other and not with the table in syssi/esphome-daly-bms docs.

Sources: patagonaa/esphome-daly-hkms-bms and its issue 2, docs/pdus/ess-dl-bms-41_260321_0323.txt of
syssi/esphome-daly-bms, patman15/BMS_BLE-HA issue 806.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack

from bridge.model import Reading
from bridge.protocols._daly import CURRENT_ZERO, date, switch, temperature_c, text
from bridge.protocols._daly_device import (
    CELL_LEVELS_V,
    CELL_NOMINAL_V,
    HARDWARE_TEXT,
    SOFTWARE_TEXT,
    current_limits,
    current_raw,
    power_raw,
    remaining_ah,
    state_of,
    temperature_raw,
    u16,
)
from bridge.protocols._daly_faults import names_for
from bridge.protocols._daly_layout import (
    SETTINGS_2,
    Block,
    Field,
    Layout,
    Read,
    count,
    flag,
    limits,
    number,
    per,
    percent,
    small_current_a,
    threshold_c,
)
from bridge.protocols._daly_simulated import text_registers
from bridge.protocols.contract import Raw

CELLS, STATUS = Read(0x00, 64, "cells"), Read(0x41, 62, "status")
SETTINGS, VERSIONS = Read(0x100, 81, "settings"), Read(0x178, 74, "versions")
READS = (CELLS, STATUS, SETTINGS, VERSIONS)
"""Everything that a session ever asks for."""


_BITS: tuple[tuple[str, ...], ...] = (
    ("cell_voltage_high/3", "cell_voltage_low/3", "smart_charger_connected", "smart_charger_fault",
     "cell_diff_high/3", "charge_temp_high/3", "smart_discharger_connected", "smart_discharger_fault"),
    ("charge_temp_low/3", "discharge_temp_high/3", "charge_mos_temp_high", "charge_mos_temp_sensor_fault",
     "discharge_temp_low/3", "temp_diff_high/3",
     "discharge_mos_temp_high", "discharge_mos_temp_sensor_fault"),
    ("pack_voltage_high/3", "pack_voltage_low/3", "short_circuit", "upgrade_sign",
     "charge_overcurrent/3", "discharge_overcurrent/3", "charge_undervoltage", "discharge_overvoltage"),
    ("soc_low/3", "soh_low/3", "parallel_comm", "parallel_comm_fault",
     "mos_temp_high/3", "thermal_runaway/3"),
    (),
    ("/8", "afe_fault", "afe_comm_fault", "afe_sampling_fault", "cell_voltage_sense_fault",
     "cell_sense_lost", "pack_voltage_sensor_fault", "current_sensor_fault", "cell_temp_sensor_fault"),
    ("cell_temp_sensor_lost", "eeprom_fault", "flash_fault", "rtc_fault",
     "charge_mos_fault", "discharge_mos_fault", "precharge_mos_fault", "precharge_failed",
     "charge_mos_off_by_comm", "discharge_mos_off_by_comm",
     "charge_mos_off_by_switch", "discharge_mos_off_by_switch",
     "fan_active", "heater_active", "current_limit_active", "heater_fault"),
)  # fmt: skip
"""Registers 0x6D to 0x73, lowest bit first. name/3: a level of three bits; /8: eight bits not in use."""


def _placed(register: Sequence[str]) -> list[tuple[str, int, int]]:
    """Name, shift and mask of the entries of one register."""
    entries, shift = [], 0
    for entry in register:
        name, _, width = entry.partition("/")
        bits = int(width or 1)
        if name:
            entries.append((name, shift, (1 << bits) - 1))
        shift += bits
    return entries


_PLACES = tuple(_placed(register) for register in _BITS)


def _faults(words: Sequence[int]) -> list[str]:
    names = []
    for word, places in zip(words, _PLACES, strict=True):
        if word:
            for name, shift, mask in places:
                level = word >> shift & mask
                if level:
                    names.append(name if mask == 1 else f"{name}_l{level}")
    return names


def _clock(data: bytes) -> Raw:
    day = date(*data[:3])
    return f"{day}T{data[3]:02}:{data[4]:02}:{data[5]:02}" if day else None


def _thousandth(data: bytes) -> Raw:
    return int.from_bytes(data, "big") / 1000


def _levels(register: int, stem: str, steps: int) -> list[Field]:
    """Voltage thresholds: level 1, level 2, release, delay."""
    names = [f"{stem}_{what}_v" for what in ("l1", "l2", "release")]
    fields = [Field(register + index, name, per(steps)) for index, name in enumerate(names)]
    return [*fields, Field(register + 3, f"{stem}_delay_ms", number)]


def _temperature_levels(register: int, stem: str) -> list[Field]:
    names = [f"{stem}_{what}_c" for what in ("l1", "l2", "release")]
    fields = [Field(register + index, name, threshold_c) for index, name in enumerate(names)]
    return [*fields, Field(register + 3, f"{stem}_delay_ms", number)]


LAYOUT = Layout(
    names={(read.start, read.count): read.name for read in READS}
    | {(0x151, 39): SETTINGS_2, (0xCF, 1): "balancer_switch"},
    telemetry=range(0x80),
    cells=range(0x30),
    probes=range(0x30, 0x38),
    voltage=0x38,
    current=0x39,
    cell_count=0x3C,
    probe_count=0x3D,
    state=0x48,
    balance_map=range(0x4F, 0x52),
    faults=range(0x6D, 0x74),
    fault_names=_faults,
    fields=(
        Field(0x38, "voltage_v", per(10)),
        Field(0x3A, "soc_pct", percent),
        Field(0x3B, "heartbeat", number),
        Field(0x3C, "cell_count", number),
        Field(0x3D, "temp_count", number),
        Field(0x3E, "cell_max_v", per(1000)),
        Field(0x3F, "cell_max_no", number),
        Field(0x40, "cell_min_v", per(1000)),
        Field(0x41, "cell_min_no", number),
        Field(0x42, "cell_delta_v", per(1000)),
        Field(0x43, "temp_max_c", temperature_c),
        Field(0x44, "temp_max_no", number),
        Field(0x45, "temp_min_c", temperature_c),
        Field(0x46, "temp_min_no", number),
        Field(0x47, "temp_delta_c", number),
        Field(0x48, "state", number),
        Field(0x4B, "remaining_ah", per(10)),
        Field(0x4C, "cycles", count),
        Field(0x4D, "balancing", flag),
        Field(0x4D, "balancing_raw", number),
        Field(0x4E, "balance_current_a", small_current_a),
        Field(0x52, "charge_fet_on", switch),
        Field(0x53, "discharge_fet_on", switch),
        Field(0x54, "precharge_fet", switch),
        Field(0x55, "heater_fet", switch),
        Field(0x56, "fan_fet", switch),
        Field(0x57, "cell_avg_v", per(1000)),
        Field(0x58, "power_w", number),
        Field(0x59, "energy_wh", number),
        Field(0x5A, "mosfet_temperature_c", temperature_c),
        Field(0x5B, "board_temp_c", temperature_c),
        Field(0x5C, "heater_temp_c", temperature_c),
        Field(0xCF, "balancer_switch", flag),
        Field(0x100, "board_number", number),
        Field(0x101, "cells_total", number),
        Field(0x102, "boards", number),
        *(Field(0x103 + n, f"cells_board{n + 1}", number) for n in range(3)),
        *(Field(0x106 + n, f"temps_board{n + 1}", number) for n in range(3)),
        Field(0x114, "reference_cell_v", per(1000)),
        Field(0x115, "sleep_raw", number),
        Field(0x116, "soc_setting_pct", percent),
        Field(0x11A, "balance_start_v", per(1000)),
        Field(0x11B, "balance_diff_v", per(1000)),
        Field(0x121, "charge_mos_switch", switch),
        Field(0x122, "discharge_mos_switch", switch),
        *_levels(0x130, "cell_high", 1000),
        *_levels(0x134, "cell_low", 1000),
        *_levels(0x138, "pack_high", 10),
        *_levels(0x13C, "pack_low", 10),
        *limits(0x140, "charge", {"l1": 0, "l2": 1, "l3": 3}),
        *limits(0x145, "discharge", {"l1": 0, "l2": 1, "l3": 3}),
        *_temperature_levels(0x14A, "charge_temp_high"),
        *_temperature_levels(0x14E, "charge_temp_low"),
        *_temperature_levels(0x152, "discharge_temp_high"),
        *_temperature_levels(0x156, "discharge_temp_low"),
    ),
    blocks=(
        Block(0x61, 3, "clock", _clock),
        # Always 0 where 0x6D and its followers report a fault: shown, never used.
        Block(0x66, 4, "legacy_fault_words", lambda data: list(unpack(">4H", data))),
        Block(0x109, 2, "design_ah", lambda data: int.from_bytes(data, "big") / 1000 or None),
        Block(0x10B, 2, "actual_ah", _thousandth),
        Block(0x10D, 2, "cumulative_charge_ah", _thousandth),
        Block(0x10F, 2, "cumulative_discharge_ah", _thousandth),
        Block(0x178, 14, "sw_version", text),
        Block(0x186, 7, "hw_version", text),
        Block(0x18D, 8, "serial", text),
    ),
)


def image(reading: Reading, sign: int, board: int, heartbeat: int) -> dict[int, bytes]:
    """The registers of a board in this state, for simulators. sign: which way it counts current."""
    cells, probes = reading.get("cell_voltages_v", ()), reading.get("temperatures_c", ())
    known_v = [value for value in cells if value is not None] or [0.0]
    image = {
        **{index: u16(1000 * (value or 0.0)) for index, value in enumerate(cells)},
        **{0x30 + index: u16(temperature_raw(value) or 0xFF) for index, value in enumerate(probes)},
        0x38: u16(10 * (reading.get("voltage_v") or 0.0)),
        0x39: u16(current_raw(reading.get("current_a"), sign)),
        0x3A: u16(10 * (reading.get("soc_pct") or 0.0)),
        0x3B: u16(heartbeat),
        0x3C: u16(len(cells)),
        0x3D: u16(len(probes)),
        0x3E: u16(1000 * max(known_v)),
        0x40: u16(1000 * min(known_v)),
        0x42: u16(1000 * (max(known_v) - min(known_v))),
        0x48: u16(state_of(reading.get("current_a"))),
        0x4B: u16(10 * remaining_ah(reading)),
        0x4C: u16(reading.get("cycles") or 0),
        0x4D: u16(bool(reading.get("balancing"))),
        0x4E: u16(CURRENT_ZERO),
        0x52: u16(bool(reading.get("charge_fet_on"))),
        0x53: u16(bool(reading.get("discharge_fet_on"))),
        0x57: u16(1000 * sum(known_v) / len(known_v)),
        0x58: u16(power_raw(reading)),
        0x5A: u16(temperature_raw(reading.get("mosfet_temperature_c")) or 0xFF),
    }
    texts = text_registers(0x178, SOFTWARE_TEXT) | text_registers(0x186, HARDWARE_TEXT)
    return image | _fault_registers(reading) | _settings(reading, board) | texts


def _fault_registers(reading: Reading) -> dict[int, bytes]:
    places = {
        f"{name}_l{level}" if mask > 1 else name: (0x6D + index, level << shift)
        for index, register in enumerate(_PLACES)
        for name, shift, mask in register
        for level in ((1, 2) if mask > 1 else (1,))
    }
    words = dict.fromkeys(range(0x6D, 0x74), 0)
    for name in names_for(reading, places):
        register, bits = places[name]
        words[register] |= bits
    return {register: u16(word) for register, word in words.items()}


def _settings(reading: Reading, board: int) -> dict[int, bytes]:
    cells = len(reading.get("cell_voltages_v", ()))
    rated = round(1000 * (reading.get("design_ah") or reading.get("full_ah") or 0.0)).to_bytes(4, "big")
    high_l1, high_l2, low_l1, low_l2 = CELL_LEVELS_V
    return {
        0x100: u16(board),
        0x101: u16(cells),
        0x102: u16(1),
        0x103: u16(cells),
        0x106: u16(len(reading.get("temperatures_c", ()))),
        **{0x109 + n: rated[2 * n : 2 * n + 2] for n in range(2)},
        **{0x10B + n: rated[2 * n : 2 * n + 2] for n in range(2)},
        0x114: u16(1000 * CELL_NOMINAL_V),
        0x115: u16(360),
        0x116: u16(10 * (reading.get("soc_pct") or 0.0)),
        0x117: u16(1000),
        0x121: u16(bool(reading.get("charge_fet_on"))),
        0x122: u16(bool(reading.get("discharge_fet_on"))),
        **{0x130 + n: u16(1000 * level_v) for n, level_v in enumerate((high_l1, high_l2, high_l1))},
        **{0x134 + n: u16(1000 * level_v) for n, level_v in enumerate((low_l1, low_l2, low_l1))},
        **{0x138 + n: u16(10 * cells * level_v) for n, level_v in enumerate((high_l1, high_l2, high_l1))},
        **{0x13C + n: u16(10 * cells * level_v) for n, level_v in enumerate((low_l1, low_l2, low_l1))},
        **dict(zip((0x140, 0x141, 0x145, 0x146), current_limits(reading), strict=True)),
        **{0x14A + n: u16(40 + level_c) for n, level_c in enumerate((55, 60, 50))},
        **{0x14E + n: u16(40 + level_c) for n, level_c in enumerate((2, 0, 5))},
        **{0x152 + n: u16(40 + level_c) for n, level_c in enumerate((60, 65, 55))},
        **{0x156 + n: u16(40 + level_c) for n, level_c in enumerate((-15, -20, -10))},
    }
