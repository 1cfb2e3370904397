"""The contents of JBD's two status replies, both ways: basic information (03) and cells (04).

One idea: decoding and encoding stand side by side over the same structures and tables, so that a
captured frame which is decoded and encoded again must give the same bytes.

Basic information, big-endian, offsets in the data:

    0 voltage 10 mV · 2 current 10 mA, charge positive · 4 remaining, 6 design capacity 10 mAh · 8 cycles
    10 production date · 12, 14 balancing cells 1-16, 17-32 (bit 0 = cell 1, 17) · 16 protections
    18 firmware (nibbles) · 19 SoC % · 20 switches · 21 cells · 22 probes N · 23 N temperatures 0.1 K
    then, by firmware, 9 bytes more: humidity %, alarm bits, full and remaining capacity, balance current;
    the newest boards add 7 bytes to those, which are not read

Bit 7 of the switches marks a high-capacity unit, whose current and capacities count ten times as much.

Sources: vendor V4 and V13 (see _jbd_frames); xlfe/bms-tools JBD_REGISTER_MAP.md; ShiShanLing/
JBD-BMS-Manager JbdProtocol.kt (tail, bit 7); syssi/esphome-jbd-bms docs (captures). The 16-byte tail:
a captured frame of a 4S 314 Ah pack (tests/vectors/jbd.json, "4s314_cell_overvoltage").
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from bridge.errors import BridgeBug
from bridge.model import NO_ALARMS, Alarm, Reading
from bridge.protocols.contract import Raw

_HEAD = Struct(">HhHHHHHHHBBBBB")
_TAIL = Struct(">BHHHh")
_WORDS = tuple(Struct(f">{count}H") for count in range(33))
_HEAD_SIZE, TAIL_SIZE = _HEAD.size, _TAIL.size

CHARGE_FET, DISCHARGE_FET, HIGH_CAPACITY = 0x01, 0x02, 0x80
ZERO_C = 2731  # 0.1 K
# beyond -40 .. 120 degC a probe is missing or broken
_PROBE_C = {word: (word - ZERO_C) / 10 for word in range(ZERO_C - 400, ZERO_C + 1201)}

_PROTECTIONS = (
    Alarm.CELL_OVERVOLTAGE, Alarm.CELL_UNDERVOLTAGE, Alarm.PACK_OVERVOLTAGE, Alarm.PACK_UNDERVOLTAGE,
    Alarm.CHARGE_OVERTEMPERATURE, Alarm.CHARGE_UNDERTEMPERATURE,
    Alarm.DISCHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE,
    Alarm.CHARGE_OVERCURRENT, Alarm.DISCHARGE_OVERCURRENT, Alarm.SHORT_CIRCUIT, Alarm.BMS_FAULT,
    Alarm.FET_LOCKED, Alarm.CHARGE_TIMEOUT,
)  # fmt: skip
_RESERVED = 0xC000  # bits 14 and 15
BLOCKS_CHARGE = sum(1 << bit for bit in (0, 2, 4, 5, 8, 10, 11, 13))
BLOCKS_DISCHARGE = sum(1 << bit for bit in (1, 3, 6, 7, 9, 10, 11))


class Meaning(NamedTuple):
    """What a set of protection bits amounts to."""

    charge_allowed: bool
    discharge_allowed: bool
    protections: frozenset[Alarm]
    warnings: frozenset[Alarm]


@lru_cache(maxsize=256)
def meaning(bits: int) -> Meaning:
    """Bit 12 blocks nothing by itself: which way is locked, only the switches can tell."""
    return Meaning(
        not bits & BLOCKS_CHARGE,
        not bits & BLOCKS_DISCHARGE,
        frozenset(alarm for bit, alarm in enumerate(_PROTECTIONS) if bits >> bit & 1),
        frozenset((Alarm.OTHER,)) if bits & _RESERVED else NO_ALARMS,
    )


@lru_cache(maxsize=256)
def date_of(word: int) -> str | None:
    """Year since 2000 (7 bits), month (4), day (5) as ISO text; None if there is no such month or day."""
    year, month, day = 2000 + (word >> 9), word >> 5 & 0x0F, word & 0x1F
    return f"{year}-{month:02}-{day:02}" if 1 <= month <= 12 and day else None


_PERCENT = tuple(min(byte, 100) for byte in range(256))
_VERSIONS = tuple(f"{byte >> 4}.{byte & 0x0F}" for byte in range(256))


def basic_of(data: bytes) -> tuple[Reading, dict[str, Raw]] | None:
    """The reading and raw values of a 03 reply's data; None if the data are too short for it.

    A probe that is missing or broken is None in its place. A full capacity only stands in the tail;
    SoH follows from it where a board has learned one: it differs from the design capacity and is
    50 to 120 % of it.
    """
    if len(data) < _HEAD_SIZE:
        return None
    (centivolts, current, remaining, design, cycles, date, low, high, protections, version, soc, fets, cells,
     probes) = _HEAD.unpack_from(data)  # fmt: skip
    tail = len(data) - _HEAD_SIZE - 2 * probes
    if tail < 0 or probes > 32:
        return None
    steps = 10 if fets & HIGH_CAPACITY else 100  # to the ampere and ampere-hour
    charge_allowed, discharge_allowed, alarms, warnings = meaning(protections)
    charge_on, discharge_on = fets & CHARGE_FET != 0, fets & DISCHARGE_FET != 0
    reading: Reading = {
        "voltage_v": centivolts / 100,
        "current_a": current / steps,
        "soc_pct": _PERCENT[soc],
        "remaining_ah": remaining / steps,
        "design_ah": design / steps,
        "cycles": cycles,
        "cell_count": cells,
        "temperatures_c": tuple(map(_PROBE_C.get, _WORDS[probes].unpack_from(data, _HEAD_SIZE))),
        "charge_fet_on": charge_on,
        "discharge_fet_on": discharge_on,
        "charge_allowed": charge_on and charge_allowed,
        "discharge_allowed": discharge_on and discharge_allowed,
        "balancing": low | high != 0,
        "protections": alarms,
        "warnings": warnings,
    }
    raw: dict[str, Raw] = {
        "command": 3,
        "status": 0,
        "production_date": date_of(date),
        "balance_bits": low | high << 16,
        "protection_bits": protections,
        "firmware_version": _VERSIONS[version],
        "fet_bits": fets,
        "high_capacity_unit": steps == 10,
        "ntc_count": probes,
    }
    if tail >= TAIL_SIZE:
        _add_tail(reading, raw, data, len(data) - tail)
    return reading, raw


def _add_tail(reading: Reading, raw: dict[str, Raw], data: bytes, at: int) -> None:
    """A tail of another size than known is read only if it repeats the remaining capacity in its place."""
    humidity, alarms, full, repeated, balance = _TAIL.unpack_from(data, at)
    steps = 10 if raw["high_capacity_unit"] else 100
    if len(data) - at != TAIL_SIZE and repeated / steps != reading["remaining_ah"]:
        return
    raw["humidity_pct"] = humidity
    raw["alarm_bits"] = alarms
    raw["remaining_capacity_ext_ah"] = repeated / steps
    raw["balance_current_raw"] = balance
    full_ah, design_ah = full / steps, reading["design_ah"]
    reading["full_ah"] = full_ah
    if design_ah and full_ah != design_ah and 0.5 <= full_ah / design_ah <= 1.2:
        reading["soh_pct"] = round(full_ah / design_ah * 100, 1)


def cells_of(data: bytes) -> Reading | None:
    """Cell voltages, V, first cell first, 2 bytes each in mV; None if the data are no 1 to 32 cells.

    0.0 is what the wire says of a broken sense lead, and is left to whoever uses the values.
    """
    count = len(data) >> 1
    if len(data) & 1 or not 1 <= count <= 32:
        return None
    voltages_v = tuple([millivolts / 1000 for millivolts in _WORDS[count].unpack(data)])
    return {"cell_count": count, "cell_voltages_v": voltages_v}


# The other way: what a board with these values would answer


def basic_data(reading: Reading, raw: Mapping[str, Raw] | None = None) -> bytes:
    """The data of a 03 reply. raw: as decoded; what it lacks is taken from the reading, or plain.

    Missing values are sent as boards send them: as 0. A full capacity puts the tail behind. Raises
    BridgeBug if a value does not fit its field.
    """
    raw = raw or {}
    temperatures_c = reading.get("temperatures_c", ())
    count = reading.get("cell_count") or len(reading.get("cell_voltages_v", ()))
    protections = _number(raw, "protection_bits", _protection_bits(reading))
    balance = _number(raw, "balance_bits", _balance_bits(reading))
    fets = _number(raw, "fet_bits", _fet_bits(reading))
    steps = 10 if fets & HIGH_CAPACITY else 100
    soc_pct = min(100.0, max(0.0, reading.get("soc_pct") or 0.0))
    data = _HEAD.pack(
        _steps(reading.get("voltage_v"), 100, "voltage_v"),
        _steps(reading.get("current_a"), steps, "current_a", signed=True),
        _steps(reading.get("remaining_ah"), steps, "remaining_ah"),
        _steps(reading.get("design_ah"), steps, "design_ah"),
        _steps(reading.get("cycles"), 1, "cycles"),
        _word_of_date(raw.get("production_date")),
        balance & 0xFFFF, balance >> 16, protections,
        _byte_of_version(raw.get("firmware_version")), round(soc_pct), fets,
        _byte(count, "cell_count"), _byte(len(temperatures_c), "temperatures_c"),
    )  # fmt: skip
    for temperature_c in temperatures_c:
        word = 0 if temperature_c is None else _steps(temperature_c + ZERO_C / 10, 10, "temperatures_c")
        data += word.to_bytes(2, "big")
    if reading.get("full_ah") is None:
        return data
    return data + _TAIL.pack(
        _number(raw, "humidity_pct", 0),
        _number(raw, "alarm_bits", 0),
        _steps(reading.get("full_ah"), steps, "full_ah"),
        _steps(reading.get("remaining_ah"), steps, "remaining_ah"),
        _number(raw, "balance_current_raw", 0),
    )


def cells_data(reading: Reading) -> bytes:
    """The data of a 04 reply; an unreadable cell is sent as 0. Raises BridgeBug on more than 32 cells."""
    voltages_v = reading.get("cell_voltages_v", ())
    if len(voltages_v) > 32:
        raise BridgeBug(f"cell_voltages_v: {len(voltages_v)} cells do not fit a reply (allowed 32)")
    return _WORDS[len(voltages_v)].pack(*(_steps(volts, 1000, "cell_voltages_v") for volts in voltages_v))


def _steps(value: float | None, per_unit: int, name: str, *, signed: bool = False) -> int:
    steps = round((value or 0.0) * per_unit)
    low, high = (-0x8000, 0x7FFF) if signed else (0, 0xFFFF)
    if not low <= steps <= high:
        raise BridgeBug(
            f"{name}: {value} does not fit 16 bits at 1/{per_unit} (raw {steps}, allowed {low}..{high})"
        )
    return steps


def _byte(value: int, name: str) -> int:
    if not 0 <= value <= 0xFF:
        raise BridgeBug(f"{name}: {value} does not fit a byte")
    return value


def _number(raw: Mapping[str, Raw], key: str, default: int) -> int:
    value = raw.get(key, default)
    return value if isinstance(value, int) else default


def _protection_bits(reading: Reading) -> int:
    alarms = reading.get("protections", NO_ALARMS)
    return sum(1 << bit for bit, alarm in enumerate(_PROTECTIONS) if alarm in alarms)


def _fet_bits(reading: Reading) -> int:
    current_a = abs(reading.get("current_a") or 0.0)
    capacities_ah = (reading.get("remaining_ah"), reading.get("design_ah"), reading.get("full_ah"))
    capacity_ah = max(value or 0.0 for value in capacities_ah)
    charge_on = reading.get("charge_fet_on", reading.get("charge_allowed"))
    discharge_on = reading.get("discharge_fet_on", reading.get("discharge_allowed"))
    bits = CHARGE_FET if charge_on else 0
    bits |= DISCHARGE_FET if discharge_on else 0
    return bits | HIGH_CAPACITY if current_a > 327.67 or capacity_ah > 655.35 else bits


def _balance_bits(reading: Reading) -> int:
    """Boards say which cells they bleed; a reading only says whether: the highest, then."""
    voltages_v = [volts or 0.0 for volts in reading.get("cell_voltages_v", ())]
    if not reading.get("balancing") or not voltages_v:
        return 0
    return 1 << voltages_v.index(max(voltages_v))


def _word_of_date(text: Raw) -> int:
    if not isinstance(text, str):
        return 0
    year, month, day = (int(part) for part in text.split("-"))
    return year - 2000 << 9 | month << 5 | day


def _byte_of_version(text: Raw) -> int:
    if not isinstance(text, str):
        return 0x20
    major, minor = text.split(".")
    return int(major) << 4 | int(minor)
