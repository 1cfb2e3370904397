"""A month of one signal in a few thousand points, with every extreme of it still there.

The idea: of each stretch of time the first, the least, the greatest and the last point are kept. Thinned
again with stretches twice as long, the result is the same as if it had been thinned so at once, so points
can be taken in a block at a time and memory stays bounded. What did not change needs only the two ends of
its run.
"""

from __future__ import annotations

import numpy as np

from bridge.dump.block import Floats, Mask

MOST_POINTS = 6000
FIRST_STRETCH_S = 0.01


class Thinned:
    """One signal. A point without a value (NaN) says that from there on nothing is known.

    most: points that are kept, about. In order of arrival, which is that of time.
    """

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._most = most
        self._stretch_s = FIRST_STRETCH_S
        self._time_s: list[Floats] = []
        self._value: list[Floats] = []
        self._count = 0

    def add(self, time_s: Floats, value: Floats) -> None:
        """Take in more of it."""
        keep = _turns(value)
        self._time_s.append(time_s[keep])
        self._value.append(value[keep])
        self._count += int(keep.sum())
        if self._count > 2 * self._most:
            self._thin()

    def points(self) -> tuple[Floats, Floats]:
        """Times and values."""
        if not self._count:
            return np.empty(0), np.empty(0)
        self._thin()
        return self._time_s[0], self._value[0]

    def _thin(self) -> None:
        time_s, value = np.concatenate(self._time_s), np.concatenate(self._value)
        keep = _turns(value)
        time_s, value = time_s[keep], value[keep]
        while len(time_s) > self._most:
            before = len(time_s)
            time_s, value = _without_short_holes(time_s, value, self._stretch_s)
            time_s, value = thinned(time_s, value, self._stretch_s)
            if len(time_s) > self._most or len(time_s) == before:
                self._stretch_s *= 2
        self._time_s, self._value, self._count = [time_s], [value], len(time_s)


def thinned(time_s: Floats, value: Floats, stretch_s: float) -> tuple[Floats, Floats]:
    """First, least, greatest and last of each stretch; where a value is missing, that stays."""
    stretch, missing = np.floor(time_s / stretch_s), np.isnan(value)
    starts_here = np.r_[True, (stretch[1:] != stretch[:-1]) | (missing[1:] != missing[:-1])]
    starts = np.flatnonzero(starts_here)
    ends = np.r_[starts[1:], len(time_s)] - 1
    by_value = np.lexsort((value, np.cumsum(starts_here)))
    keep = np.unique(np.concatenate([starts, ends, by_value[starts], by_value[ends]]))
    return time_s[keep], value[keep]


def _turns(value: Floats) -> Mask:
    """Where a run of equal values begins or ends; all else between says nothing new."""
    missing = np.isnan(value)
    same = (value[1:] == value[:-1]) | (missing[1:] & missing[:-1])
    keep = np.ones(len(value), np.bool_)
    keep[1:-1] = ~(same[:-1] & same[1:])
    return keep


def _without_short_holes(time_s: Floats, value: Floats, stretch_s: float) -> tuple[Floats, Floats]:
    """Times without a value that are shorter than a stretch could not be seen: they are filled."""
    after_s = np.r_[time_s[1:], np.inf]
    keep = ~(np.isnan(value) & (after_s - time_s < stretch_s))
    return time_s[keep], value[keep]


class Spans:
    """Stretches of time in which something was there, in bounded memory.

    join_s: moments that are no further apart belong together. It grows where there would be too many.
    """

    def __init__(self, join_s: float, most: int = 2000) -> None:
        self.join_s = join_s
        self._most = most
        self._starts: Floats = np.empty(0)
        self._ends: Floats = np.empty(0)

    def add(self, time_s: Floats) -> None:
        """Moments at which it was there, in any order."""
        if not len(time_s):
            return
        ordered = np.sort(time_s)
        self._starts = np.r_[self._starts, ordered]
        self._ends = np.r_[self._ends, ordered]
        self._join()
        while len(self._starts) > self._most:
            self.join_s *= 2
            self._join()

    def all(self) -> list[tuple[float, float]]:
        """From when to when, in order."""
        return list(zip(self._starts.tolist(), self._ends.tolist(), strict=True))

    def between(self) -> list[tuple[float, float]]:
        """The times between them, when it was not there."""
        return list(zip(self._ends[:-1].tolist(), self._starts[1:].tolist(), strict=True))

    def _join(self) -> None:
        order = np.argsort(self._starts, kind="stable")
        starts, ends = self._starts[order], np.maximum.accumulate(self._ends[order])
        apart = starts[1:] - ends[:-1] > self.join_s
        self._starts, self._ends = starts[np.r_[True, apart]], ends[np.r_[apart, True]]
