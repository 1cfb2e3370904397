"""Names, places and scales of what JK boards say of themselves: settings and device information.

The one idea: JK keeps one memory picture and shows it in two ways. The settings frame (type 1) carries
it little-endian from byte 6 on, the Modbus block at 0x1000 big-endian from its first byte on; a field's
register address is 0x1000 + place in the frame - 6. So one table serves both, in both directions.

Places and scales: JK's Modbus V1.1 text (phinix-org/Multiple-JK-BMS-by-Modbus-RS485 docs), compared with
the captures in syssi/esphome-jk-bms docs. Passcodes travel in clear in the device information (62..77,
97..101, 118..133) and are never read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bridge.protocols.contract import Raw

HEAD_SIZE = 6  # header 55 AA EB 90, type, counter


class Field(NamedTuple):
    """One number. place: in the 300-byte frame. kind: a struct letter, or "?" for a 32-bit switch.

    divisor: raw / divisor is the value in the unit that the name says; 1 leaves an integer.
    """

    place: int
    kind: str
    name: str
    divisor: int = 1


SETTINGS_COMMON = (
    Field(10, "I", "cell_uvp_v", 1000),
    Field(14, "I", "cell_uvpr_v", 1000),
    Field(18, "I", "cell_ovp_v", 1000),
    Field(22, "I", "cell_ovpr_v", 1000),
    Field(26, "I", "balance_trigger_v", 1000),
    Field(46, "I", "power_off_v", 1000),
    Field(50, "I", "max_charge_a", 1000),
    Field(54, "I", "charge_ocp_delay_s"),
    Field(58, "I", "charge_ocp_release_s"),
    Field(62, "I", "max_discharge_a", 1000),
    Field(66, "I", "discharge_ocp_delay_s"),
    Field(70, "I", "discharge_ocp_release_s"),
    Field(74, "I", "scp_release_s"),
    Field(78, "I", "max_balance_a", 1000),
    Field(82, "i", "charge_otp_c", 10),
    Field(86, "i", "charge_otpr_c", 10),
    Field(90, "i", "discharge_otp_c", 10),
    Field(94, "i", "discharge_otpr_c", 10),
    Field(98, "i", "charge_utp_c", 10),
    Field(102, "i", "charge_utpr_c", 10),
    Field(106, "i", "mos_otp_c", 10),
    Field(110, "i", "mos_otpr_c", 10),
    Field(114, "I", "cell_count"),
    Field(118, "?", "charge_enabled"),
    Field(122, "?", "discharge_enabled"),
    Field(126, "?", "balance_enabled"),
    Field(130, "I", "capacity_ah", 1000),
    Field(134, "I", "scp_delay_us"),
    Field(138, "I", "balance_start_v", 1000),
)

SETTINGS_32S = (
    Field(6, "I", "smart_sleep_v", 1000),
    *SETTINGS_COMMON,
    Field(30, "I", "soc100_v", 1000),
    Field(34, "I", "soc0_v", 1000),
    Field(38, "I", "request_charge_v", 1000),
    Field(42, "I", "request_float_v", 1000),
    Field(270, "I", "device_address"),
    Field(274, "I", "precharge_s"),
    Field(282, "H", "control_bits"),
)

STATUS_32S = (
    Field(70, "I", "cell_mask"),
    Field(74, "H", "cell_avg_v", 1000),
    Field(76, "H", "cell_delta_v", 1000),
    Field(144, "h", "mosfet_temperature_c", 10),
    Field(150, "I", "voltage_v", 1000),
    Field(154, "I", "pack_power_w", 1000),  # without sign
    Field(158, "i", "current_a", 1000),
    Field(162, "h", "probe_1_c", 10),
    Field(164, "h", "probe_2_c", 10),
    Field(166, "I", "alarm_bitmask"),
    Field(170, "h", "balance_current_a", 1000),
    Field(172, "B", "balance_state"),
    Field(173, "B", "soc_pct"),
    Field(174, "I", "remaining_ah", 1000),
    Field(178, "I", "full_ah", 1000),
    Field(182, "I", "cycles"),
    Field(186, "I", "cycle_ah", 1000),
    Field(190, "B", "soh_pct"),
    Field(194, "I", "runtime_s"),
    Field(198, "B", "charge_fet"),
    Field(199, "B", "discharge_fet"),
    Field(214, "B", "probe_mask"),
    Field(215, "B", "heating"),
    Field(256, "h", "probe_3_c", 10),
    Field(258, "h", "probe_4_c", 10),
)
"""A status frame's single numbers as the 32-cell boards place them; Modbus has them at 0x1200."""

# Only the newest firmware fills these two; elsewhere both are 0.
DISCHARGE_UTP_PLACE, DISCHARGE_UTPR_PLACE = 296, 297

SENSORS_DISABLED = 1 << 1  # control bit: the pack runs without temperature protection


class Text(NamedTuple):
    """One string. place: in the 300-byte frame."""

    place: int
    size: int
    name: str


INFO_TEXTS = (
    Text(6, 16, "model"),
    Text(22, 8, "hw_version"),
    Text(30, 8, "sw_version"),
    Text(46, 16, "device_name"),
    Text(78, 8, "manufacturing_date"),
    Text(86, 11, "serial_number"),
)

INFO_NUMBERS = (
    Field(38, "I", "uptime_s"),
    Field(42, "I", "power_on_count"),
)


def read_fields(fields: Iterable[Field], data: bytes, first: int = 0, order: str = "<") -> dict[str, Raw]:
    """The fields that lie wholly in `data`, whose first byte has the place `first` in the frame.

    order: "<" for frames, ">" for Modbus registers.
    """
    found: dict[str, Raw] = {}
    for place, kind, name, divisor in fields:
        at = place - first
        letter = "I" if kind == "?" else kind
        if at < 0 or at + struct.calcsize(f"<{letter}") > len(data):
            continue
        (number,) = struct.unpack_from(order + letter, data, at)
        found[name] = bool(number) if kind == "?" else number if divisor == 1 else number / divisor
    return found


def write_fields(
    fields: Iterable[Field], values: Mapping[str, Raw], memory: bytearray, first: int = 0, order: str = "<"
) -> None:
    """Puts the numbers of `values` where `read_fields` finds them; names that are missing stay 0."""
    for place, kind, name, divisor in fields:
        value = values.get(name)
        if isinstance(value, int | float):
            letter = "I" if kind == "?" else kind
            struct.pack_into(order + letter, memory, place - first, round(value * divisor))


def read_texts(data: bytes, first: int = 0) -> dict[str, Raw]:
    """The device information's strings that are not empty; garbage behind a NUL is cut off."""
    found: dict[str, Raw] = {}
    for place, size, name in INFO_TEXTS:
        at = place - first
        if at >= 0 and at + size <= len(data):
            text = data[at : at + size].split(b"\0", 1)[0].decode("utf-8", "replace").strip()
            if text:
                found[name] = text
    return found


def write_texts(values: Mapping[str, str], memory: bytearray, first: int = 0) -> None:
    """Puts strings where `read_texts` finds them, cut to their places."""
    for place, size, name in INFO_TEXTS:
        text = values.get(name, "").encode()[:size]
        memory[place - first : place - first + len(text)] = text
