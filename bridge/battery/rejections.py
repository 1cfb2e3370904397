"""The names of what was not believed, and who counts it."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final


class Rejection(StrEnum):
    """Why something was not believed; the names of the counters."""

    NOT_NEWER = "not_newer"  # a sample with no usable time, or not younger than the one before
    FROZEN = "frozen"  # nothing has moved for too long while current flows
    VOLTAGE_RANGE = "voltage_range"
    CURRENT_RANGE = "current_range"
    SOC_RANGE = "soc_range"
    CELL_COUNT = "cell_count"  # another number of cells than the settings say
    CELL_MISSING = "cell_missing"  # a cell without a reading
    CELL_RANGE = "cell_range"
    CELL_SPIKE = "cell_spike"  # a jump in one sample that no step of the current explains
    CELL_SUM = "cell_sum"  # the cells do not add up to the pack
    TEMPERATURE_RANGE = "temperature_range"
    LIMIT_RANGE = "limit_range"  # a limit of the BMS that cannot be one
    CAPACITY_RANGE = "capacity_range"


DISTRUST: Final = frozenset(
    {
        Rejection.VOLTAGE_RANGE,
        Rejection.CURRENT_RANGE,
        Rejection.CELL_COUNT,
        Rejection.CELL_RANGE,
        Rejection.CELL_SUM,
    }
)
"""What makes a whole sample implausible. A broken probe or a single spike does not."""


class Findings:
    """What was rejected: counted since the start, and named for the sample at hand."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._here: set[Rejection] = set()

    def clear(self) -> None:
        """Begin the next sample."""
        self._here.clear()

    def add(self, rejection: Rejection) -> None:
        """Count one rejection."""
        self.counters[rejection.value] += 1
        self._here.add(rejection)

    @property
    def none(self) -> bool:
        """Whether the sample at hand may be used as it is."""
        return not self._here

    @property
    def plausible(self) -> bool:
        """Whether the sample at hand speaks for the pack being what the settings say."""
        return self._here.isdisjoint(DISTRUST)
