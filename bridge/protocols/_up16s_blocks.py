"""The blocks of the JBD UP series beside the pack status, and the table that finds a block's reader.

One idea: a reader takes a block's data and gives what it says; a block that nobody documented is still
a message, with its words as they are. Source: syssi/esphome-jbd-bms
docs/pdus/JBD-UP16S020-two-devices.txt (captured), mr-manuel/venus-os_dbus-serialbattery
dbus-serialbattery/bms/lltjbd_up16s.py and its tests (0x2006, 0x2810, the limits of 0x45).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from bridge.model import Ratings, Reading
from bridge.protocols import _up16s_frames as frames
from bridge.protocols import _up16s_status as status
from bridge.protocols._stream import BadFrame
from bridge.protocols._up16s_status import text
from bridge.protocols.contract import Drop, Message, Raw

Content = tuple[Reading, Mapping[str, Raw]]


def decode(whole: bytes) -> Message:
    """The message in a checked frame; raises BadFrame for a request, a write or what cannot be true."""
    address, function, start, end, length = frames.HEADER.unpack_from(whole)
    if function == frames.WRITE:
        raise BadFrame(Drop.UNKNOWN, "a write")
    if length == 0:
        raise BadFrame(Drop.ECHO)
    name, read = _READERS.get((function, start), (f"block_{start:04x}", _words_only))
    try:
        reading, raw = read(whole[frames.HEADER.size : -frames.CRC_SIZE])
    except struct.error as error:
        raise BadFrame(Drop.LENGTH, f"{name} of {length} bytes") from error
    header: dict[str, Raw] = {"address": address, "function": function, "start": start, "end": end}
    return Message(name, reading, header | dict(raw), address)


# 0x45: the directly cabled pack alone

_AFTER_CELLS = struct.Struct(">3H8x5H38x2H")
_FULL_SLOTS = 16
_REST_SIZE = 16  # MOS, ambient and cell temperatures in 0.1 K, which the pack status has too
_SAME_CELL_MV = 20  # the extremes may have been taken a moment before the cells


def _own(data: bytes) -> Content:
    """The directly cabled pack's own figures: its limits are not added up over the rack.

    Whether fewer than 16 cells shorten the block is not known. The fields after the cells are taken only
    where the highest and the lowest cell that stand first among them agree with the cells.
    """
    (count,) = struct.unpack_from(">H", data)
    if not 1 <= count <= status.MOST_CELLS:
        raise BadFrame(Drop.VALUE, f"{count} cells")
    cells_mv = struct.unpack_from(f">{count}H", data, 2)
    fields = _after_cells(data, cells_mv)
    highest_mv, lowest_mv, voltage, capacity, remaining, cycles, soc_pct, soh_pct, charge, discharge = fields
    reading = Reading(
        voltage_v=voltage / 100,
        soc_pct=soc_pct,
        soh_pct=soh_pct,
        remaining_ah=remaining / 100,
        cycles=cycles,
        cell_count=count,
        cell_voltages_v=tuple(mv / 1000 for mv in cells_mv),
        charge_current_limit_a=charge / 10,
        discharge_current_limit_a=discharge / 10,
    )
    # unverified: full or design capacity; one pack where they differ sent its design capacity here
    raw = {"cell_max_v": highest_mv / 1000, "cell_min_v": lowest_mv / 1000, "capacity_ah": capacity / 100}
    return reading, raw


def _after_cells(data: bytes, cells_mv: Sequence[int]) -> tuple[int, ...]:
    for slots in sorted({len(cells_mv), _FULL_SLOTS}, reverse=True):
        at = 2 + 2 * slots
        if slots < len(cells_mv) or at + _AFTER_CELLS.size > len(data):
            continue
        fields = _AFTER_CELLS.unpack_from(data, at)
        off_mv = abs(fields[0] - max(cells_mv)), abs(fields[1] - min(cells_mv))
        if max(off_mv) <= _SAME_CELL_MV:
            return fields
    raise BadFrame(Drop.VALUE, f"no place for the limits of {len(cells_mv)} cells in {len(data)} bytes")


def build_own(head: status.Head, cells_mv: Sequence[int]) -> bytes:
    """The individual status of a pack whose own figures, limits included, are those of `head`."""
    slots = (*cells_mv, *[0] * (_FULL_SLOTS - len(cells_mv)))
    fields = _AFTER_CELLS.pack(
        head.max_cell_mv, head.min_cell_mv, head.voltage, head.design, head.remaining, head.cycles,
        head.soc // 100, head.soh_pct, head.charge_current_limit, head.discharge_current_limit,
    )  # fmt: skip
    return struct.pack(f">H{len(slots)}H", len(cells_mv), *slots) + fields + bytes(_REST_SIZE)


# Identity, clock, charge state


_IDENTITY = struct.Struct(">16x30s6s30s6s")


def _identity(data: bytes) -> Content:
    model, bms_date, serial, pack_date = _IDENTITY.unpack_from(data)
    raw: dict[str, Raw] = {
        "bms_model_and_serial": text(model),
        "bms_date": _date(struct.unpack(">3H", bms_date)),
        "pack_serial": text(serial),
        "pack_date": _date(struct.unpack(">3H", pack_date)),
    }
    return Reading(), raw | ({"device_name": text(data[88:118])} if len(data) >= 118 else {})


def build_identity() -> bytes:
    """The identity of a simulated pack; dates of 2025-01-01."""
    day = struct.pack(">3H", 2025, 1, 1)
    return _IDENTITY.pack(b"UP16S020 simulated", day, b"SIMULATED", day) + b"packbridge".ljust(46, b"\0")


def _date(fields: Sequence[int]) -> str | None:
    try:
        return date(*fields).isoformat()
    except ValueError:
        return None


def _clock(data: bytes) -> Content:
    try:
        moment = datetime(*struct.unpack_from(">6H", data)).isoformat()  # noqa: DTZ001  # the BMS's clock has no zone
    except ValueError:
        moment = None
    return Reading(), {"datetime": moment}


_PRODUCT = struct.Struct(">6H16s16s")


def _product(data: bytes) -> Content:
    model_id, hardware, major, minor, patch, _, model, project = _PRODUCT.unpack_from(data)
    return Reading(), {
        "model_id": model_id,
        "hardware_revision": hardware,
        "firmware": f"{major}.{minor}.{patch}",
        "model": text(model),
        "project": text(project),
    }


def build_product() -> bytes:
    """The product block of a simulated pack: firmware 12.4.0."""
    return _PRODUCT.pack(33, 3, 12, 4, 0, 36, b"UP16S020", b"JBD")


def _capacity(data: bytes) -> Content:
    design, full, remaining = struct.unpack_from(">3H", data)
    reading, raw = _charge_state(data[6:])
    amounts = Reading(remaining_ah=remaining / 100, full_ah=full / 100, design_ah=design / 100)
    return amounts | reading, raw


def _charge_state(data: bytes) -> Content:
    soc, charged, discharged = struct.unpack_from(">H8xII", data)
    soc_pct = soc / 100
    totals = {"total_charge_ah": charged / 10, "total_discharge_ah": discharged / 10}
    return Reading(soc_pct=soc_pct), {"high_res_soc_pct": soc_pct} | totals


def build_words(words: Sequence[int]) -> bytes:
    """A block of nothing but words."""
    return struct.pack(f">{len(words)}H", *words)


def _words_only(data: bytes) -> Content:
    return Reading(), {"words": struct.unpack(f">{len(data) // 2}H", data[: len(data) & ~1])}


_Reader = Callable[[bytes], Content]


def _entry(block: frames.Block, read: _Reader) -> tuple[tuple[int, int], tuple[str, _Reader]]:
    return (block.function, block.start), (block.name, read)


_READERS: dict[tuple[int, int], tuple[str, _Reader]] = dict(
    (
        _entry(frames.STATUS, status.read),
        _entry(frames.OWN, _own),
        _entry(frames.IDENTITY, _identity),
        _entry(frames.PROTECTION, _words_only),
        _entry(frames.CAPACITY, _capacity),
        _entry(frames.CHARGE_STATE, _charge_state),
        _entry(frames.CLOCK, _clock),
        _entry(frames.PRODUCT, _product),
    )
)


# Protection parameters, 0x1800


class _Threshold(NamedTuple):
    """One protection: where its threshold and its release stand, and what a person could have set."""

    word: int
    divisor: int
    zero: int
    lowest: float
    highest: float
    rises: bool


_THRESHOLDS = {
    "cell_ovp_v": _Threshold(3, 1000, 0, 2.0, 4.5, rises=True),
    "cell_uvp_v": _Threshold(9, 1000, 0, 1.0, 3.5, rises=False),
    "pack_ovp_v": _Threshold(15, 100, 0, 5.0, 150.0, rises=True),
    "pack_uvp_v": _Threshold(21, 100, 0, 5.0, 150.0, rises=False),
    "charge_ocp_a": _Threshold(27, 10, 0, 5.0, 1000.0, rises=True),
    "discharge_ocp_a": _Threshold(37, 10, 0, 5.0, 1000.0, rises=True),
    "charge_otp_c": _Threshold(47, 10, 500, 30.0, 100.0, rises=True),
    "charge_utp_c": _Threshold(53, 10, 500, -30.0, 20.0, rises=False),
    "discharge_otp_c": _Threshold(59, 10, 500, 30.0, 100.0, rises=True),
    "discharge_utp_c": _Threshold(65, 10, 500, -40.0, 20.0, rises=False),
}
"""Each protection is a threshold, mostly followed by its release and its delay.

The first six triples are known; the later places are inferred from the defaults of one unit (firmware
12.4), which is why a value must lie in its range and before its release, or else counts as not said.
"""


def ratings(words: Sequence[int]) -> Ratings:
    """What the protection parameters allow; None for what is missing or does not look like its kind."""
    return Ratings(**{name: _threshold(words, entry) for name, entry in _THRESHOLDS.items()})


def _threshold(words: Sequence[int], entry: _Threshold) -> float | None:
    if entry.word + 1 >= len(words):
        return None
    value, release = ((word - entry.zero) / entry.divisor for word in words[entry.word : entry.word + 2])
    is_current = entry.divisor == 10 and not entry.zero  # followed by a delay, not by a release
    ordered = is_current or (release < value if entry.rises else release > value)
    return value if ordered and entry.lowest <= value <= entry.highest else None
