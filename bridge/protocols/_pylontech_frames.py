"""Frames that batteries of the 0x35x family send beside the core of the Pylontech dialect.

The core (0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E) is described by the dialect's DBC. What stands here
is read only: the two-bit alarms that SMA and Victron share, and the extremes, counts and names of the
longer Pylontech sets. All little-endian.

One idea: an identifier alone proves nothing, because makers use the same ones for other things (0x370 is
a text at one, millivolts at the next). So each reader checks that what it reads can be what it is for,
and Deye's own identifiers are read only once a Deye pack has named itself.

Sources: Sleeper85/esphome-yambms (vendor documents and field-proven sets), AndreasBoehm/
PytesCANProtocol, ryanpulley/DiscoverAEStoPylontech, vladyspavlov/dbus-deye-battery (captures).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bridge.model import Alarm, Reading
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Raw

Content = tuple[Reading, Mapping[str, Raw]]


class Frame(NamedTuple):
    """How a frame is read: its message's name, the bytes it must have, and the reader of its data."""

    name: str
    least: int
    read: Callable[[bytes], Content]


def read(frame: Frame, data: bytes) -> Content:
    """What the frame says; raises BadFrame if it is too short or cannot be what it is for."""
    if len(data) < frame.least:
        raise BadFrame(Drop.LENGTH, f"{frame.name} of {len(data)} bytes")
    return frame.read(data)


def characters(data: bytes) -> str:
    """Text without its NULs; padding spaces stay, because they are part of a name."""
    return data.split(b"\0")[0].decode("ascii", "backslashreplace")


# 0x35A: pairs of bits. 01 raised, 10 cleared, 00 and 11 say nothing

OVERTEMPERATURE = frozenset({Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE})
UNDERTEMPERATURE = frozenset({Alarm.CHARGE_UNDERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE})
_UNNAMED = frozenset({Alarm.OTHER})

_PAIRS: tuple[tuple[str, frozenset[Alarm]], ...] = (
    ("general", _UNNAMED),
    ("high_voltage", frozenset({Alarm.PACK_OVERVOLTAGE})),
    ("low_voltage", frozenset({Alarm.PACK_UNDERVOLTAGE})),
    ("high_temp", OVERTEMPERATURE),
    ("low_temp", UNDERTEMPERATURE),
    ("high_temp_charge", frozenset({Alarm.CHARGE_OVERTEMPERATURE})),
    ("low_temp_charge", frozenset({Alarm.CHARGE_UNDERTEMPERATURE})),
    ("high_discharge_current", frozenset({Alarm.DISCHARGE_OVERCURRENT})),
    ("high_charge_current", frozenset({Alarm.CHARGE_OVERCURRENT})),
    ("contactor", frozenset({Alarm.BMS_FAULT})),
    ("short_circuit", frozenset({Alarm.SHORT_CIRCUIT})),
    ("bms_internal", frozenset({Alarm.BMS_FAULT})),
    ("cell_imbalance", frozenset({Alarm.CELL_IMBALANCE})),
    ("res14", _UNNAMED),
    ("res15", _UNNAMED),
    ("generator", _UNNAMED),
)


def _pairs(data: bytes) -> Content:
    raised: list[str] = []
    cleared: list[str] = []
    found: dict[str, set[Alarm]] = {"alarm": set(), "warning": set()}
    bits = int.from_bytes(data, "little")
    for index in range(min(len(data), 8) * 4):
        half = "alarm" if index < len(_PAIRS) else "warning"
        name, alarms = _PAIRS[index % len(_PAIRS)]
        state = bits >> 2 * index & 3
        if state == 1:
            raised.append(f"{half}.{name}")
            found[half] |= alarms
        elif state == 2:
            cleared.append(f"{half}.{name}")
    reading = Reading(protections=frozenset(found["alarm"]), warnings=frozenset(found["warning"]))
    return reading, {"raised": raised, "cleared": cleared}


# Extremes, counts, capacities

_CELL_MV = range(1000, 5001)
_CELL_C = range(-60, 151)


def _ordered(low: float, high: float, within: range) -> bool:
    return within[0] <= low <= high <= within[-1]


def _extremes(data: bytes) -> Content:
    warmest, coldest, highest, lowest = struct.unpack_from("<hhHH", data)
    if not _ordered(lowest, highest, _CELL_MV) or not _ordered(coldest / 10, warmest / 10, _CELL_C):
        raise BadFrame(Drop.UNKNOWN, "0x370 is not the extremes here")
    return Reading(), {
        "cell_temp_max_c": warmest / 10,
        "cell_temp_min_c": coldest / 10,
        "cell_v_max_mv": highest,
        "cell_v_min_mv": lowest,
    }


def _extremes_kelvin(data: bytes) -> Content:
    lowest, highest, coldest, warmest = struct.unpack_from("<4H", data)
    if not _ordered(lowest, highest, _CELL_MV) or not _ordered(coldest - 273, warmest - 273, _CELL_C):
        raise BadFrame(Drop.UNKNOWN, "0x373 is not the extremes here")
    return Reading(), {
        "cell_v_min_mv_373": lowest,
        "cell_v_max_mv_373": highest,
        "cell_temp_min_k": coldest,
        "cell_temp_max_k": warmest,
    }


def _modules(data: bytes) -> Content:
    online, no_charge, no_discharge, offline = struct.unpack_from("<4H", data)
    return Reading(), {
        "modules_online": online,
        "modules_blocking_charge": no_charge,
        "modules_blocking_discharge": no_discharge,
        "modules_offline": offline,
    }


def _battery(data: bytes) -> Content:
    kind, version, capacity = struct.unpack_from("<H2sH", data)
    capacity_ah = capacity / 10 if data[6:8] == b"DY" else float(capacity)
    raw: dict[str, Raw] = {
        "battery_type": kind,
        "fw_bytes": tuple(version),
        "capacity_ah": capacity_ah or None,
    }
    return Reading(), raw


def _installed(data: bytes) -> Content:
    installed_ah = int.from_bytes(data[:2], "little")
    return (Reading(design_ah=installed_ah) if installed_ah else Reading()), {"installed_ah": installed_ah}


def _energy(data: bytes) -> Content:
    charged, discharged = struct.unpack_from("<2I", data)
    return Reading(), {"energy_charged_kwh": charged / 10, "energy_discharged_kwh": discharged / 10}


def _text(key: str) -> Callable[[bytes], Content]:
    return lambda data: (Reading(), {key: characters(data)})


def _bytes(data: bytes) -> Content:
    return Reading(), {"data": data.hex()}


INVERTER_ALIVE = 0x305

FRAMES: Mapping[int, Frame] = {
    INVERTER_ALIVE: Frame("inverter_alive", 0, _bytes),  # anybody may send it: it proves nothing
    0x306: Frame("inverter_status", 0, _bytes),
    0x307: Frame("inverter_relays", 0, _bytes),
    0x35A: Frame("alarm_pairs", 4, _pairs),
    0x35B: Frame("events", 1, _bytes),
    0x35F: Frame("battery", 6, _battery),
    0x360: Frame("victron_request", 1, _bytes),
    0x370: Frame("extremes", 8, _extremes),
    0x371: Frame("extreme_ids", 1, _bytes),
    0x372: Frame("modules", 8, _modules),
    0x373: Frame("extremes_kelvin", 8, _extremes_kelvin),
    0x374: Frame("lowest_cell", 1, _text("id_374")),
    0x375: Frame("highest_cell", 1, _text("id_375")),
    0x376: Frame("coldest_cell", 1, _text("id_376")),
    0x377: Frame("warmest_cell", 1, _text("id_377")),
    0x378: Frame("energy", 8, _energy),
    0x379: Frame("installed_capacity", 2, _installed),
    0x380: Frame("serial_first_half", 1, _text("serial_hi")),
    0x381: Frame("serial_second_half", 1, _text("serial_lo")),
    0x382: Frame("product", 1, _text("product")),
}
"""By 11-bit identifier; 0x305 comes from some inverters with a 29-bit one."""


# Deye's own packs, in the mode that bears their name

DEYE = "DY"


def deye_name(data: bytes) -> Mapping[str, Raw] | None:
    """0x35E of a Deye pack: `DY`, three digits of pack number, cell maker, capacity in 0.1 Ah."""
    if data[:2] != DEYE.encode() or len(data) < 8 or not data[2:5].isdigit():
        return None
    capacity = int.from_bytes(data[6:8], "little")
    return {
        "name": characters(data[:5]),
        "brand": DEYE,
        "pack_no": characters(data[2:5]),
        "maker_code": data[5],
        "nominal_ah": capacity / 10,
    }


def _deye_extremes(data: bytes) -> Content:
    highest, lowest, warmest, coldest = struct.unpack_from("<HHhh", data)
    if not _ordered(lowest, highest, _CELL_MV) or not _ordered(coldest / 10, warmest / 10, _CELL_C):
        raise BadFrame(Drop.VALUE, "extremes that no cell can have")
    return Reading(), {
        "cell_v_max_mv": highest,
        "cell_v_min_mv": lowest,
        "cell_temp_max_c": warmest / 10,
        "cell_temp_min_c": coldest / 10,
    }


def _deye_measured(data: bytes) -> Content:
    voltage, current, soc, soh = struct.unpack_from("<Hh2H", data)
    raw = {"voltage_150_v": voltage / 10, "current_150_a": current / 10}
    return Reading(), raw | {"soc_150_pct": soc / 10, "soh_150_pct": soh / 10}


def _deye_versions(data: bytes) -> Content:
    return Reading(), {"sw_word": data[:2].hex().upper(), "hw_word": data[2:4].hex().upper()}


def _deye_modules(data: bytes) -> Content:
    names = ("normal", "block_charge", "block_discharge", "offline", "total")
    return Reading(), {f"modules_{name}": count for name, count in zip(names, data, strict=False)}


def _deye_on_grid(data: bytes) -> Content:
    charge, discharge = struct.unpack_from("<2H", data)
    return Reading(), {"on_grid_ccl_a": charge / 10, "on_grid_dcl_a": discharge / 10}


DEYE_FRAMES: Mapping[int, Frame] = {
    0x150: Frame("deye_measured", 8, _deye_measured),
    0x361: Frame("extremes", 8, _deye_extremes),
    0x363: Frame("deye_versions", 4, _deye_versions),
    0x364: Frame("deye_modules", 5, _deye_modules),
    0x371: Frame("deye_on_grid", 4, _deye_on_grid),
}
"""Read once a Deye pack has named itself. Source: vladyspavlov/dbus-deye-battery, a capture."""


# Discover's capacity frame

DISCOVER = "DISCOVER"


def _discover_capacity(data: bytes) -> Content:
    nominal_ah, remaining_ah = struct.unpack_from("<2H", data)
    raw = {"nominal_ah": nominal_ah}
    return Reading(design_ah=nominal_ah, remaining_ah=remaining_ah), raw


DISCOVER_FRAMES: Mapping[int, Frame] = {0x354: Frame("capacity", 4, _discover_capacity)}
"""Read once a Discover pack has named itself: others send a constant here."""
