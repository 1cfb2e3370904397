"""Register windows of Daly's Modbus-like dialects become messages, by one table of places a dialect.

One idea: any window of registers is decoded by whatever lies wholly in it, so it does not matter in which
portions a board is read. What needs several registers (cells, the current's sign, faults, whether a reply
is a filler) is done here, for both dialects alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import unpack
from typing import cast

from bridge.model import Reading
from bridge.protocols._daly import (
    CELL_MAX_MV,
    CELLS_MAX,
    CURRENT_ZERO,
    CurrentSign,
    cell_v,
    permit,
    temperature_c,
)
from bridge.protocols._daly_faults import judge
from bridge.protocols._daly_layout import REGISTERS, SETTINGS_2, UNUSED, Layout
from bridge.protocols._daly_modbus import OVERHEAD, Window
from bridge.protocols.contract import Drop, Dropped, Message, Raw

_FILLERS = ({0}, {0xFFFF})  # what a board that just woke has in all registers
_FILLER_MIN = 8
_SHOWN_RAW = frozenset({REGISTERS, SETTINGS_2})  # messages of which little is known
_PLANS_MAX = 64
_READING_KEYS = frozenset(Reading.__annotations__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What windows of one place and size hold, by index in the window; None for what they don't."""

    name: str
    fields: tuple[tuple[int, str, Callable[[int], Raw], bool], ...]
    blocks: tuple[tuple[slice, str, Callable[[bytes], Raw], bool], ...]
    is_telemetry: bool
    voltage: int | None
    current: int | None
    state: int | None
    cell_count: int | None
    probe_count: int | None
    cells: slice | None
    probes: slice | None
    balance: slice | None
    faults: slice | None


class Board:
    """One board: its windows become messages, in the light of those before."""

    def __init__(self, layout: Layout, sign: CurrentSign, address: int | None) -> None:
        self._layout = layout
        self._sign = sign
        self.address = address
        self._cells: int | None = None
        self._probes: int | None = None
        self._current_raw = CURRENT_ZERO
        self._plans: dict[tuple[int, int], _Plan] = {}

    def take(self, window: Window) -> Message | Dropped:
        """The message in a window, or why there is none."""
        count = len(window.data) // 2
        registers = unpack(f">{count}H", window.data)
        plan = self._plan(window.start, count)
        cells_mv = self._cells_mv(plan, registers)
        flaw = _flaw(plan, registers, cells_mv) if plan.is_telemetry else None
        if flaw is not None:
            return Dropped(Drop.VALUE, len(window.data) + OVERHEAD, f"{plan.name}: {flaw}")
        values, raw = _by_plan(plan, registers, window.data)
        self._lists(plan, registers, cells_mv, values)
        self._current(plan, registers, values, raw)
        reading = cast("Reading", values)
        if plan.faults is not None:
            self._faults(registers[plan.faults], reading, raw)
        if plan.name == REGISTERS:
            raw["start"] = window.start
        if plan.name in _SHOWN_RAW:
            raw["registers"] = list(registers)
        return Message(plan.name, reading, raw, self.address)

    def _plan(self, start: int, count: int) -> _Plan:
        plan = self._plans.get((start, count))
        if plan is None:
            if len(self._plans) >= _PLANS_MAX:
                self._plans.clear()
            plan = self._plans[start, count] = _planned(self._layout, start, count)
        return plan

    def _cells_mv(self, plan: _Plan, registers: Sequence[int]) -> Sequence[int]:
        """The cells in a window that has the first one; without a known count up to the last used."""
        if plan.cells is None:
            return ()
        slots = registers[plan.cells]
        count = self._cells if plan.cell_count is None else registers[plan.cell_count]
        if count is None:
            count = max((index + 1 for index, raw in enumerate(slots) if raw), default=0)
        return slots[:count]

    def _lists(
        self, plan: _Plan, registers: Sequence[int], cells_mv: Sequence[int], values: dict[str, object]
    ) -> None:
        if plan.cell_count is not None:
            self._cells = registers[plan.cell_count]
        if plan.probe_count is not None:
            self._probes = min(registers[plan.probe_count], len(self._layout.probes))
        if cells_mv:
            # What lies outside of the table or the window is unreadable, not absent.
            missing = max(0, (self._cells or 0) - len(cells_mv))
            values["cell_voltages_v"] = tuple(map(cell_v, cells_mv)) + (None,) * missing
        if plan.probes is not None:
            probes = list(map(temperature_c, registers[plan.probes][: self._probes]))
            while self._probes is None and probes and probes[-1] is None:
                probes.pop()
            values["temperatures_c"] = tuple(probes)

    def _current(
        self, plan: _Plan, registers: Sequence[int], values: dict[str, object], raw: dict[str, Raw]
    ) -> None:
        """The current; the state in the same window or in the one behind it tells its sign."""
        if plan.current is not None:
            self._current_raw = registers[plan.current]
        if plan.state is not None:
            self._sign.witness(self._current_raw, registers[plan.state])
        if plan.current is not None:
            raw["current_raw"] = self._current_raw
            raw["current_transmitted_a"] = (self._current_raw - CURRENT_ZERO) / 10
            values["current_a"] = self._sign.current_a(self._current_raw)

    def _faults(self, words: Sequence[int], reading: Reading, raw: dict[str, Raw]) -> None:
        """Faults, and with the switches in the same window the permissions; FFFF is a word not in use."""
        if all(word == UNUSED for word in words):
            return
        used = [0 if word == UNUSED else word for word in words]
        names = self._layout.fault_names(used) if any(used) else []
        verdict = judge(names)
        raw["alarms"] = list(names)
        reading["protections"], reading["warnings"] = verdict.protections, verdict.warnings
        permit(reading, verdict)


def _flaw(plan: _Plan, registers: Sequence[int], cells_mv: Sequence[int]) -> str | None:
    """Why the contents of a telemetry window cannot be true."""
    if plan.state is not None and len(registers) >= _FILLER_MIN and set(registers) in _FILLERS:
        return "filler"
    if plan.voltage is not None and registers[plan.voltage] == 0:
        return "0 V"
    if plan.current is not None and registers[plan.current] in {0, UNUSED}:
        return "filler instead of a current"
    if plan.cell_count is not None and not 1 <= registers[plan.cell_count] <= CELLS_MAX:
        return f"{registers[plan.cell_count]} cells"
    if cells_mv and (max(cells_mv) > CELL_MAX_MV or not any(cells_mv)):
        return "cells that cannot be"
    return None


def _planned(layout: Layout, start: int, count: int) -> _Plan:
    window = range(start, start + count)

    def index(register: int) -> int | None:
        return register - start if register in window else None

    def several(registers: range) -> slice | None:
        """A list of which the window has the beginning, whole or not."""
        return slice(registers.start - start, registers.stop - start) if registers.start in window else None

    def whole(registers: range) -> slice | None:
        return several(registers) if registers.stop - 1 in window else None

    fields = [field for field in layout.fields if field.register in window]
    blocks = [block for block in layout.blocks if {block.register, block.last} <= set(window)]
    return _Plan(
        name=layout.names.get((start, count), REGISTERS),
        fields=tuple((f.register - start, f.key, f.read, f.key in _READING_KEYS) for f in fields),
        blocks=tuple(
            (slice(2 * (b.register - start), 2 * (b.last + 1 - start)), b.key, b.read, b.key in _READING_KEYS)
            for b in blocks
        ),
        is_telemetry=start in layout.telemetry,
        voltage=index(layout.voltage),
        current=index(layout.current),
        state=index(layout.state),
        cell_count=index(layout.cell_count),
        probe_count=index(layout.probe_count),
        cells=several(layout.cells),
        probes=several(layout.probes),
        balance=whole(layout.balance_map),
        faults=whole(layout.faults),
    )


def _by_plan(plan: _Plan, registers: Sequence[int], data: bytes) -> tuple[dict[str, object], dict[str, Raw]]:
    values: dict[str, object] = {}
    raw: dict[str, Raw] = {}
    for index, key, read, is_reading in plan.fields:
        if is_reading:
            values[key] = read(registers[index])
        else:
            raw[key] = read(registers[index])
    for part, key, read_bytes, is_reading in plan.blocks:
        if is_reading:
            values[key] = read_bytes(data[part])
        else:
            raw[key] = read_bytes(data[part])
    if plan.balance is not None:
        raw["balancing_cells"] = _bits(registers[plan.balance])
    return values, raw


def _bits(words: Sequence[int]) -> list[Raw]:
    """Numbers of the cells whose bits are set; bit 0 of the first word is cell 1."""
    if not any(words):
        return []
    return [
        16 * n + bit + 1
        for n, word in enumerate(words)
        if word != UNUSED
        for bit in range(16)
        if word >> bit & 1
    ]
