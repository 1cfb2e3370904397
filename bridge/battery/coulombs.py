"""A counter of our own for each pack's charge, beside the one in its BMS.

It integrates the current that the BMS measures, so it cannot be better than that sensor; but it does
not jump when a board decides that it knows better, and it is set right where the truth is known: at
the full test, and at the low-voltage stop. Between two samples that are too far apart, and over a
restart, the BMS has counted and we have not: there its difference is taken over, not its value.

No correction by voltage: an LFP cell's is too flat between 15 and 95 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.battery.facts import Facts

EFFICIENCY: Final = 0.995  # of charging
GAP_S: Final = 30.0  # samples further apart are not joined by a straight line
CERTAIN_S: Final = 10.0  # full or empty for so long is true
EMPTY_C_RATE: Final = 0.2  # more than this pulls a cell below its stop before it is empty
DRIFT: Final = 0.10


@dataclass(slots=True)
class Counter:
    """One pack's charge, 0..1. `soc` is None until the BMS has said where to begin."""

    soc: float | None = None
    bms_soc: float | None = None  # as said last
    _time_s: float | None = None
    _current_a: float | None = None
    _end: float | None = None  # the end, 0 or 1, at which the pack is said to be ...
    _end_s: float = 0.0  # ... and since when

    @property
    def drifted(self) -> bool:
        """Whether what the BMS says cannot be squared with what has flowed."""
        return self.soc is not None and self.bms_soc is not None and abs(self.soc - self.bms_soc) > DRIFT

    @property
    def contradiction(self) -> str:
        """Both values, for a person."""
        said, counted = 100 * (self.bms_soc or 0.0), 100 * (self.soc or 0.0)
        return f"its BMS says {said:.0f} %, counted are {counted:.0f} %"

    def take(self, facts: Facts, *, full: bool) -> None:
        """A trusted sample. full: whether the pack passes the full test in it."""
        sample = facts.sample
        if self.soc is None:
            self.soc = sample.soc
        else:
            self.soc = min(1.0, max(0.0, self.soc + self._gained(facts)))
        self._time_s, self._current_a = sample.time_s, sample.current_a
        if sample.soc is not None:
            self.bms_soc = sample.soc
        self._reset(1.0 if full else 0.0 if _empty(facts) else None, sample.time_s)

    def _gained(self, facts: Facts) -> float:
        """What has flowed since the last sample, of the capacity."""
        sample = facts.sample
        if self._time_s is None or sample.time_s - self._time_s > GAP_S:
            return 0.0 if sample.soc is None or self.bms_soc is None else sample.soc - self.bms_soc
        if sample.current_a is None or self._current_a is None:
            return 0.0
        mean_a = (sample.current_a + self._current_a) / 2
        if mean_a > 0:
            mean_a *= EFFICIENCY
        return mean_a * max(0.0, sample.time_s - self._time_s) / (3600.0 * facts.settings.capacity_ah)

    def _reset(self, end: float | None, time_s: float) -> None:
        if end != self._end:
            self._end, self._end_s = end, time_s
        if end is not None and self.soc is not None and time_s - self._end_s >= CERTAIN_S:
            self.soc = end


def saved(counters: Mapping[str, Counter]) -> dict[str, dict[str, float | None]]:
    """What is worth keeping over a restart, as JSON can carry it."""
    return {name: {"soc": one.soc, "bms_soc": one.bms_soc} for name, one in counters.items()}


def restored(saved_one: object) -> Counter:
    """The counter that `saved` made this of; a new one if it is not what `saved` makes."""
    if not isinstance(saved_one, Mapping):
        return Counter()
    soc, bms_soc = _ratio(saved_one.get("soc")), _ratio(saved_one.get("bms_soc"))
    return Counter() if soc is None or bms_soc is None else Counter(soc=soc, bms_soc=bms_soc)


def _empty(facts: Facts) -> bool:
    current_a = facts.sample.current_a
    light_a = EMPTY_C_RATE * facts.settings.capacity_ah
    return facts.discharge_stopped and current_a is not None and abs(current_a) <= light_a


def _ratio(value: object) -> float | None:
    is_ratio = isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0
    return float(value) if is_ratio and isinstance(value, int | float) else None
