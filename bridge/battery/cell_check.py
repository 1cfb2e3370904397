"""Plausibility of cell voltages and pack voltage, which are judged together: the cells add up to it.

Every cell has a memory of its own: the last value that was believed, and when. What is not believed
is that value again while it is young enough, else None in its place; the list keeps its length. A
pack that has once given cells owes them: when the list does not come, it is a list of None, not an
empty one, because "never had cells" may be derived from the pack voltage and "lost them" may not.
"""

from __future__ import annotations

from math import inf
from typing import Final

from bridge.battery.rejections import Findings, Rejection
from bridge.model import PackSettings

# No lithium cell that still works is outside.
CELL_LOW_V: Final = 1.0
CELL_HIGH_V: Final = 4.5
JUMP_V: Final = 0.3  # more than this from one sample to the next is a spike, if no current step explains it
# How far the sum of the cells may be from the pack voltage.
SUM_V: Final = 0.5
SUM_RATIO: Final = 0.02

Cells = tuple[float | None, ...]


class CellCheck:
    """Judges one pack's voltages, sample after sample."""

    def __init__(self, settings: PackSettings, hold_s: float, findings: Findings) -> None:
        self._count = settings.cells
        self._hold_s = hold_s
        self._findings = findings
        self._last_v: list[float | None] = [None] * self._count
        self._last_s = [-inf] * self._count
        self._spiked = [False] * self._count
        self._pack_v: float | None = None
        self._pack_s = -inf
        self._in_doubt = False  # whether the sample before had a voltage that was not believed
        self._oldest_s = -inf

    def check(
        self, voltage_v: float | None, cells_v: Cells, time_s: float, *, stepped: bool
    ) -> tuple[float | None, Cells, float]:
        """Pack voltage and cells that may be used, and the time of the oldest of them.

        stepped: whether the current changed so much since the last sample that cells may jump.
        """
        in_doubt, self._in_doubt = self._in_doubt, False
        self._oldest_s = time_s
        voltage_ok = self._voltage_ok(voltage_v)
        believed = self._believed(cells_v, time_s, stepped=stepped)
        if voltage_ok and self._contradict(voltage_v, cells_v, believed):
            self._reject(Rejection.CELL_SUM)
            if in_doubt:  # a second time: a cell that jumps must not hide behind its own contradiction
                return None, (None,) * self._count, time_s
            voltage_ok, believed = False, [False] * self._count
        if voltage_ok:
            self._pack_v, self._pack_s = voltage_v, time_s
        elif voltage_v is not None:
            voltage_v = self._recall(self._pack_v, self._pack_s, time_s)
        return voltage_v, self._cells(cells_v, believed, time_s), self._oldest_s

    def _voltage_ok(self, voltage_v: float | None) -> bool:
        if voltage_v is None:
            return False
        if CELL_LOW_V * self._count <= voltage_v <= CELL_HIGH_V * self._count:
            return True
        self._reject(Rejection.VOLTAGE_RANGE)
        return False

    def _believed(self, cells_v: Cells, time_s: float, *, stepped: bool) -> list[bool]:
        """Cell by cell, whether the value may be used."""
        if len(cells_v) != self._count:
            if cells_v:
                self._reject(Rejection.CELL_COUNT)
            return [False] * self._count
        return [self._cell_ok(i, v, time_s, stepped=stepped) for i, v in enumerate(cells_v)]

    def _cell_ok(self, index: int, value_v: float | None, time_s: float, *, stepped: bool) -> bool:
        if value_v is None:
            return False
        if not CELL_LOW_V <= value_v <= CELL_HIGH_V:
            self._reject(Rejection.CELL_RANGE)
            return False
        last_v = self._last_v[index]
        if last_v is None or -JUMP_V <= value_v - last_v <= JUMP_V:
            self._spiked[index] = False
            return True
        if stepped or self._spiked[index] or time_s - self._last_s[index] > self._hold_s:
            self._spiked[index] = False
            return True
        self._spiked[index] = True
        self._reject(Rejection.CELL_SPIKE)
        return False

    def _contradict(self, voltage_v: float | None, cells_v: Cells, believed: list[bool]) -> bool:
        if voltage_v is None or False in believed:
            return False
        return abs(sum(v for v in cells_v if v is not None) - voltage_v) > max(SUM_V, SUM_RATIO * voltage_v)

    def _cells(self, cells_v: Cells, believed: list[bool], time_s: float) -> Cells:
        """The values to use; what is believed is remembered."""
        if False not in believed:
            self._last_v = list(cells_v)
            self._last_s = [time_s] * self._count
            return cells_v
        if not cells_v and max(self._last_s) == -inf:
            return ()
        if None in cells_v or not cells_v:
            self._findings.add(Rejection.CELL_MISSING)
        return tuple(self._one(i, cells_v, time_s, ok=ok) for i, ok in enumerate(believed))

    def _one(self, index: int, cells_v: Cells, time_s: float, *, ok: bool) -> float | None:
        if not ok:
            return self._recall(self._last_v[index], self._last_s[index], time_s)
        self._last_v[index], self._last_s[index] = cells_v[index], time_s
        return cells_v[index]

    def _recall(self, value: float | None, at_s: float, time_s: float) -> float | None:
        if value is None or time_s - at_s > self._hold_s:
            return None
        self._oldest_s = min(self._oldest_s, at_s)
        return value

    def _reject(self, rejection: Rejection) -> None:
        self._findings.add(rejection)
        self._in_doubt = True
