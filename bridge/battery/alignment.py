"""The currents of all packs at one moment, from samples that were taken at different ones.

Packs are polled one after the other, every 1 to 5 s. While the load steps, currents of unlike age
cannot be compared: two seconds of difference make a step of 200 A look like a share of everything or of
nothing. So each pack's current is followed as a line between its samples, and all lines are read at
the same moment: that of the pack whose last sample is oldest. The moment moves on when it is heard again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf
from typing import Final

SAMPLES_MAX: Final = 30  # a pack polled every 0.2 s beside one polled every 5 s has 25 between two moments
LOOK_BACK_S: Final = 2.0

Point = tuple[float, float]
"""A time, s, and a current, A."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All packs at time_s, in their order. total_a: the sum of currents_a. restless_a: how much it moved
    in the two seconds before, or between the samples that its lines are drawn through; inf if unknown.
    swings_a: of each pack, between its two; 0 where it was heard at that moment.
    """

    time_s: float
    currents_a: tuple[float, ...]
    total_a: float
    restless_a: float
    swings_a: tuple[float, ...]


class Aligner:
    """Follows the packs of one circuit. since_s: what was measured until then is of another circuit."""

    def __init__(self, count: int, since_s: float) -> None:
        self._since_s = since_s
        self._tracks: list[deque[Point]] = [deque(maxlen=SAMPLES_MAX) for _ in range(count)]
        self._last_s = [since_s] * count
        self._time_s = -inf
        self._totals: deque[Point] = deque(maxlen=SAMPLES_MAX)

    def take(self, samples: Sequence[Point]) -> Snapshot | None:
        """The packs' newest samples, in their order; the picture at the newest common moment, if it is a
        new one.
        """
        last_s = self._last_s
        for i, point in enumerate(samples):
            if point[0] > last_s[i]:
                last_s[i] = point[0]
                self._tracks[i].append(point)
        common_s = min(last_s)
        if common_s <= self._since_s or common_s <= self._time_s:
            return None
        return self._at(common_s)

    def _at(self, time_s: float) -> Snapshot | None:
        currents_a = []
        swings_a = []
        for track in self._tracks:
            while len(track) > 1 and track[1][0] <= time_s:
                track.popleft()
            before_s, before_a = track[0]
            if before_s > time_s:
                return None  # its first sample is younger than the common moment
            swing_a = 0.0
            if before_s < time_s:
                after_s, after_a = track[1]
                swing_a = after_a - before_a
                before_a += swing_a * (time_s - before_s) / (after_s - before_s)
            currents_a.append(before_a)
            swings_a.append(abs(swing_a))
        self._time_s = time_s
        total_a = fsum(currents_a)
        restless_a = max(self._moved_a(time_s, total_a), fsum(swings_a))
        self._totals.append((time_s, total_a))
        return Snapshot(time_s, tuple(currents_a), total_a, restless_a, tuple(swings_a))

    def _moved_a(self, time_s: float, total_a: float) -> float:
        """How far the total is from what it was two seconds ago, A."""
        earlier_s, totals = time_s - LOOK_BACK_S, self._totals
        while len(totals) > 1 and totals[1][0] <= earlier_s:
            totals.popleft()
        if not totals or totals[0][0] > earlier_s:
            return inf
        before_s, before_a = totals[0]
        after_s, after_a = totals[1] if len(totals) > 1 else (time_s, total_a)
        then_a = before_a + (after_a - before_a) * (earlier_s - before_s) / (after_s - before_s)
        return abs(total_a - then_a)
