"""What a JBD board is set to: its parameter registers, and the limits that follow from them.

One idea: a register's meaning is a line in a table; a register is read one at a time (commands 10 to
3F and A0 to A2, factory mode only) or many at once (command FA, newer boards), where parameter n is
register 10 + n for n = 2 and 8 to 25. We only ever ask for FA: entering factory mode is a write.

Sources: xlfe/bms-tools JBD_REGISTER_MAP.md; syssi/esphome-jbd-bms docs (captures of 48 registers);
vendor V13 (FA) and ShiShanLing/JBD-BMS-Manager JbdProtocol.kt (which parameter is which register).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from struct import unpack
from typing import NamedTuple

from bridge.model import Ratings
from bridge.protocols._jbd_data import ZERO_C, date_of
from bridge.protocols.contract import Raw

REGISTERS = range(0x10, 0x40)
TEXTS = range(0xA0, 0xA3)
PARAMETER_COUNT = 26  # from 0: everything up to the two over-current limits

_COUNTED = (
    "short_circuit", "charge_overcurrent", "discharge_overcurrent", "cell_overvoltage", "cell_undervoltage",
    "charge_overtemperature", "charge_undertemperature", "discharge_overtemperature",
    "discharge_undertemperature", "pack_overvoltage", "pack_undervoltage", "restart",
)  # fmt: skip

_TEMPERATURE = "C"
_SIGNED = frozenset({0x28, 0x29})
# name, unit, steps to the unit
_VALUES: Mapping[int, tuple[str, str, int]] = {
    0x10: ("design_capacity", "Ah", 100),
    0x11: ("cycle_capacity", "Ah", 100),
    0x12: ("cell_full_voltage", "V", 1000),
    0x13: ("cell_empty_voltage", "V", 1000),
    0x14: ("self_discharge_rate", "%", 10),
    0x16: ("serial_number", "", 1),
    0x17: ("cycle_count", "", 1),
    0x18: ("charge_overtemp", _TEMPERATURE, 10),
    0x19: ("charge_overtemp_release", _TEMPERATURE, 10),
    0x1A: ("charge_undertemp", _TEMPERATURE, 10),
    0x1B: ("charge_undertemp_release", _TEMPERATURE, 10),
    0x1C: ("discharge_overtemp", _TEMPERATURE, 10),
    0x1D: ("discharge_overtemp_release", _TEMPERATURE, 10),
    0x1E: ("discharge_undertemp", _TEMPERATURE, 10),
    0x1F: ("discharge_undertemp_release", _TEMPERATURE, 10),
    0x20: ("pack_overvoltage", "V", 100),
    0x21: ("pack_overvoltage_release", "V", 100),
    0x22: ("pack_undervoltage", "V", 100),
    0x23: ("pack_undervoltage_release", "V", 100),
    0x24: ("cell_overvoltage", "V", 1000),
    0x25: ("cell_overvoltage_release", "V", 1000),
    0x26: ("cell_undervoltage", "V", 1000),
    0x27: ("cell_undervoltage_release", "V", 1000),
    0x28: ("charge_overcurrent", "A", 100),
    0x29: ("discharge_overcurrent", "A", 100),
    0x2A: ("balance_start_voltage", "V", 1000),
    0x2B: ("balance_window", "V", 1000),
    0x2C: ("shunt_resistance", "mOhm", 10),
    0x2F: ("cell_count", "", 1),
    0x30: ("fet_control_time", "s", 1),
    0x31: ("led_time", "s", 1),
    0x32: ("cell_voltage_80pct", "V", 1000),
    0x33: ("cell_voltage_60pct", "V", 1000),
    0x34: ("cell_voltage_40pct", "V", 1000),
    0x35: ("cell_voltage_20pct", "V", 1000),
    0x36: ("hw_cell_overvoltage", "V", 1000),
    0x37: ("hw_cell_undervoltage", "V", 1000),
}
_DELAYS_S: Mapping[int, tuple[str, str]] = {
    0x3A: ("charge_undertemp_release_delay_s", "charge_overtemp_release_delay_s"),
    0x3B: ("discharge_undertemp_release_delay_s", "discharge_overtemp_release_delay_s"),
    0x3C: ("pack_undervoltage_release_delay_s", "pack_overvoltage_release_delay_s"),
    0x3D: ("cell_undervoltage_release_delay_s", "cell_overvoltage_release_delay_s"),
    0x3E: ("charge_overcurrent_delay_s", "charge_overcurrent_release_s"),
    0x3F: ("discharge_overcurrent_delay_s", "discharge_overcurrent_release_s"),
}
_FUNCTIONS = (
    "switch_en", "load_detect_en", "balance_en", "charge_balance_only", "led_en", "led_count_en", "rtc_en",
    "edv_en", "gps_en", "buzzer_en",
)  # fmt: skip


def counters_of(data: bytes) -> dict[str, Raw] | None:
    """How often each protection acted: 11 words, a 12th (restarts) on most boards."""
    if len(data) not in {22, 24}:
        return None
    counts = dict(zip(_COUNTED, unpack(f">{len(data) // 2}H", data), strict=False))
    return {"command": 0xAA, "status": 0, "counts": counts}


def register_of(register: int, data: bytes) -> dict[str, Raw] | None:
    """One register's value with its name and unit; None if the data cannot be this register's."""
    if register in TEXTS:
        return _text(register, data)
    if len(data) != 2:
        return None
    word = int.from_bytes(data, "big")
    found: dict[str, Raw] = {"command": register, "status": 0, "raw": word}
    if register in _VALUES:
        name, unit, _ = _VALUES[register]
        found |= {"name": name, "value": _value(register, word), "unit": unit}
    elif register in _DELAYS_S:
        first, second = _DELAYS_S[register]
        found |= {first: data[0], second: data[1]}
    elif register == 0x15:
        found |= {"name": "manufacture_date", "value": date_of(word)}
    elif register == 0x2D:
        found["name"] = "function_config"
        found |= {name: bool(word >> bit & 1) for bit, name in enumerate(_FUNCTIONS)}
        found["high_capacity_unit"] = bool(word >> 12 & 1)
    elif register == 0x2E:
        found |= {"name": "ntc_config", "enabled": [bit + 1 for bit in range(16) if word >> bit & 1]}
    return found


def _text(register: int, data: bytes) -> dict[str, Raw] | None:
    """A length byte and so many characters; the length is believed no further than the frame goes."""
    if not data:
        return None
    return {"command": register, "status": 0, "text": text_of(data[1 : 1 + data[0]])}


def text_of(data: bytes) -> str:
    """ASCII, padded with NULs or blanks; what is neither shows as a replacement character."""
    return data.decode("ascii", errors="replace").rstrip("\0 ")


def _value(register: int, word: int) -> float:
    _, unit, steps = _VALUES[register]
    if register in _SIGNED and word >= 0x8000:
        word -= 0x10000
    if unit == _TEMPERATURE:
        word -= ZERO_C
    return word if steps == 1 else word / steps


def parameters_of(data: bytes) -> dict[str, Raw] | None:
    """An FA reply: first parameter (2 bytes), how many, then the words."""
    if len(data) < 3 or len(data) != 3 + 2 * data[2]:
        return None
    values = list(unpack(f">{data[2]}H", data[3:]))
    return {"command": 0xFA, "status": 0, "start": data[0] << 8 | data[1], "count": data[2], "values": values}


def parameters_data(start: int, values: Sequence[int]) -> bytes:
    """The data of an FA reply."""
    head = bytes((start >> 8, start & 0xFF, len(values)))
    return head + b"".join(value.to_bytes(2, "big") for value in values)


class Limit(NamedTuple):
    """A rating: the parameter that holds it, and between which values it can be believed."""

    parameter: int
    low: float
    high: float


LIMITS: Mapping[str, Limit] = {
    "cell_ovp_v": Limit(20, 2.0, 4.6),
    "cell_uvp_v": Limit(22, 1.0, 3.8),
    "pack_ovp_v": Limit(16, 6.0, 150.0),
    "pack_uvp_v": Limit(18, 4.0, 130.0),
    "charge_ocp_a": Limit(24, 1.0, 1000.0),
    "discharge_ocp_a": Limit(25, 1.0, 1000.0),
    "charge_otp_c": Limit(8, 30.0, 100.0),
    "charge_utp_c": Limit(10, -40.0, 20.0),
    "discharge_otp_c": Limit(12, 30.0, 100.0),
    "discharge_utp_c": Limit(14, -50.0, 20.0),
}
_RISING = (
    (22, 23, 21, 20),
    (18, 19, 17, 16),
    (10, 11, 9, 8),
    (14, 15, 13, 12),
)


def ratings_of(values: Sequence[int], *, high_capacity: bool) -> Ratings:
    """The limits among parameters 0 to 25; all None if thresholds and releases are not in order, since
    the block is then laid out in another way; one alone that cannot be true is None.

    high_capacity: currents count ten times (vendor V13; unverified on a board). A wrong factor of
    ten would only leave a limit unused, as ratings never raise one.
    """
    if len(values) < PARAMETER_COUNT:
        return Ratings()
    if any(values[low] > values[high] for chain in _RISING for low, high in pairwise(chain)):
        return Ratings()
    found: dict[str, float | None] = {}
    for name, limit in LIMITS.items():
        value = _value(0x10 + limit.parameter, values[limit.parameter])
        if name.endswith("_a"):
            value = abs(value) * (10 if high_capacity else 1)
        found[name] = value if limit.low <= value <= limit.high else None
    return Ratings(**found)


def parameter_words(ratings: Mapping[str, float]) -> list[int]:
    """Parameters 0 to 25 of a board with these limits, each released where it trips; the rest is 0."""
    words = [0] * PARAMETER_COUNT
    for name, value in ratings.items():
        parameter = LIMITS[name].parameter
        _, unit, steps = _VALUES[0x10 + parameter]
        word = round(value * steps) + (ZERO_C if unit == _TEMPERATURE else 0)
        words[parameter] = (-word if name == "discharge_ocp_a" else word) & 0xFFFF
        if not name.endswith("_a"):
            words[parameter + 1] = words[parameter]
    return words
