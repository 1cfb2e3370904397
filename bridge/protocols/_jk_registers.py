"""JK's Modbus register blocks, both ways: a run of registers <-> what it says of the pack.

    0x1000 settings · 0x1200 cells and status · 0x1400 device information

The one idea: a block is the picture that the 300-byte frames also show, big-endian and without their
first 6 bytes, and a register address is a byte offset in it. So the frames' tables are used as they are:
the field at place p of a frame is at block + p - 6.

Sources: JK's "BMS RS485 Modbus V1.1" in phinix-org/Multiple-JK-BMS-by-Modbus-RS485 docs, compared with
captured reads there and in ai-republic/bms-to-inverter issue #179.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from bridge.model import Reading
from bridge.protocols._jk_alarms import JK02
from bridge.protocols._jk_device import Board
from bridge.protocols._jk_fields import (
    HEAD_SIZE,
    INFO_NUMBERS,
    SETTINGS_32S,
    STATUS_32S,
    read_fields,
    read_texts,
    write_fields,
)
from bridge.protocols._jk_frames import CAPACITY_MAX_MAH, CELL_MAX_MV, CURRENT_MAX_MA, settings_message
from bridge.protocols.contract import Drop, Dropped, Message, Raw

SETTINGS, STATUS, INFO = 0x1000, 0x1200, 0x1400
BLOCK_SIZE = 0x200
CELLS_END, STATUS_START = 0x1240, 0x128A
SWITCHES = {SETTINGS + field.place - HEAD_SIZE: field.name for field in SETTINGS_32S if field.kind == "?"}
_SIZES = {SETTINGS: 0x11A, STATUS: 0x10E, INFO: 0x106}
_PROBES_C = range(-60, 150)
_TAKEN = ("voltage_v", "current_a", "soc_pct", "soh_pct", "remaining_ah", "full_ah", "cycles")
_MOST = {
    "soc_pct": 100.0, "voltage_v": 32 * CELL_MAX_MV / 1000, "current_a": CURRENT_MAX_MA / 1000,
    "remaining_ah": CAPACITY_MAX_MAH / 1000, "full_ah": CAPACITY_MAX_MAH / 1000,
}  # fmt: skip
_NOT_RAW = frozenset(
    {*_TAKEN, "cell_mask", "charge_fet", "discharge_fet", "mosfet_temperature_c", "probe_mask"}
    | {f"probe_{n}_c" for n in range(1, 5)}
)


def message_of(address: int, start: int, data: bytes) -> Message | Dropped:
    """The registers from `start` on as a message: settings, cells, status or device_info."""
    block = start & -BLOCK_SIZE
    first = start - block + HEAD_SIZE
    raw: dict[str, Raw] = {"start": start, "words": len(data) // 2}
    if block == SETTINGS:
        return settings_message(read_fields(SETTINGS_32S, data, first, ">"), raw, address, len(data))
    if block == INFO:
        raw |= read_texts(data, first) | read_fields(INFO_NUMBERS, data, first, ">")
        return Message("device_info", {}, raw, address)
    if block == STATUS:
        return _status(address, start, data, raw)
    return Dropped(Drop.UNKNOWN, len(data), f"registers from 0x{start:04X}")


def _status(address: int, start: int, data: bytes, raw: dict[str, Raw]) -> Message | Dropped:
    fields = read_fields(STATUS_32S, data, start - STATUS + HEAD_SIZE, ">")
    for name, most in _MOST.items():
        value = _number(fields, name)
        if value is not None and abs(value) > most:
            return Dropped(Drop.VALUE, len(data), f"{name} {value}")
    reading = _measured(fields)
    reading.update(_state(fields))
    alarms = fields.get("alarm_bitmask")
    if isinstance(alarms, int):
        raw["alarms"] = JK02.judge(alarms).names
    if start == STATUS:
        reading.update(_cells(data[: CELLS_END - STATUS], fields.get("cell_mask")))
    raw |= {name: value for name, value in fields.items() if name not in _NOT_RAW}
    return Message("cells" if start < STATUS_START else "status", reading, raw, address)


def _measured(fields: Mapping[str, Raw]) -> Reading:
    reading: Reading = {}
    for name in _TAKEN:
        if name in fields:
            reading[name] = fields[name]  # type: ignore[literal-required]  # the tables give numbers for these
    if "mosfet_temperature_c" in fields:
        reading["mosfet_temperature_c"] = _probe(fields, "mosfet_temperature_c", 0)
    if "probe_1_c" in fields and "probe_2_c" in fields:
        probes = [_probe(fields, f"probe_{n}_c", n) for n in (1, 2)]
        further = [_probe(fields, f"probe_{n}_c", n + 1) for n in (3, 4)]
        if any(further):  # boards with two probes read 0 or -200 here
            probes += further
        reading["temperatures_c"] = tuple(probes)
    return reading


def _probe(fields: Mapping[str, Raw], name: str, bit: int) -> float | None:
    celsius, mask = _number(fields, name), fields.get("probe_mask", 0xFF)
    present = isinstance(mask, int) and mask >> bit & 1
    if celsius is None or not _PROBES_C.start < celsius < _PROBES_C.stop or not (present or celsius):
        return None
    return celsius


def _state(fields: Mapping[str, Raw]) -> Reading:
    reading: Reading = {}
    if "balance_state" in fields:
        reading["balancing"] = fields["balance_state"] != 0
    alarms, charge, discharge = (
        fields.get(name) for name in ("alarm_bitmask", "charge_fet", "discharge_fet")
    )
    if charge is not None and discharge is not None:
        reading["charge_fet_on"], reading["discharge_fet_on"] = charge != 0, discharge != 0
    if isinstance(alarms, int):
        verdict = JK02.judge(alarms)
        reading["protections"], reading["warnings"] = verdict.protections, verdict.warnings
        if charge is not None and discharge is not None:
            reading["charge_allowed"] = charge != 0 and verdict.charge_allowed
            reading["discharge_allowed"] = discharge != 0 and verdict.discharge_allowed
    return reading


def _cells(data: bytes, mask: Raw) -> Reading:
    """Cells as far as they were read. Without the mask, those up to the last that is not 0."""
    cells_mv = struct.unpack(f">{len(data) // 2}H", data[: len(data) & -2])
    if not isinstance(mask, int):
        mask = sum(1 << n for n, mv in enumerate(cells_mv) if mv)
        return {"cell_voltages_v": _volts(cells_mv[: mask.bit_length()], mask)}
    count = mask.bit_length()
    return {"cell_count": count, "cell_voltages_v": _volts(cells_mv[:count], mask)}


def _volts(cells_mv: tuple[int, ...], mask: int) -> tuple[float | None, ...]:
    return tuple(
        [mv / 1000 if mask >> n & 1 and 0 < mv <= CELL_MAX_MV else None for n, mv in enumerate(cells_mv)]
    )


def _number(fields: Mapping[str, Raw], name: str) -> float | None:
    value = fields.get(name)
    return value if isinstance(value, int | float) else None


def registers(board: Board, reading: Reading, start: int, words: int) -> bytes | None:
    """What a simulated board has from `start` on; None where it has no registers."""
    block = start & -BLOCK_SIZE
    size, offset = _SIZES.get(block, 0), start - block
    if not words or offset + 2 * words > size:
        return None
    memory = bytearray(size)
    if block == SETTINGS:
        _, values = board.setting_values(reading)
        write_fields(SETTINGS_32S, values, memory, HEAD_SIZE, ">")
    elif block == INFO:
        board.write_info(memory, HEAD_SIZE, ">")
    else:
        board.write_status(reading, memory, HEAD_SIZE, ">")
    return bytes(memory[offset : offset + 2 * words])
