"""How times are spread, without keeping them: counts in bins of one percent's width, in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bridge.dump.block import Floats, Integers

LOWEST_S = 1e-6
BINS_PER_E = 100  # a bin is 1 % wide
BINS = int(math.log(1e12) * BINS_PER_E) + 2  # to 10 days, and one below and above


@dataclass(slots=True)
class Spread:
    """Times, none negative. A quantile is the mean of its bin, so of equal times it is exact."""

    count: int = 0
    total_s: float = 0.0
    total_s2: float = 0.0
    minimum_s: float = math.inf
    maximum_s: float = 0.0
    _counts: Integers = field(default_factory=lambda: np.zeros(BINS, np.int64))
    _sums: Floats = field(default_factory=lambda: np.zeros(BINS))

    def add(self, times_s: Floats) -> None:
        """More of them."""
        if not len(times_s):
            return
        self.count += len(times_s)
        self.total_s += float(times_s.sum())
        self.total_s2 += float(times_s @ times_s)
        self.minimum_s = min(self.minimum_s, float(times_s.min()))
        self.maximum_s = max(self.maximum_s, float(times_s.max()))
        places = _places(times_s)
        self._counts += np.bincount(places, minlength=BINS)
        self._sums += np.bincount(places, times_s, minlength=BINS)

    def quantile(self, part: float) -> float | None:
        """The time that this part of all is below, to 1 %; None if there are none."""
        if not self.count:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), math.ceil(part * self.count)))
        return float(self._sums[place] / self._counts[place])

    @property
    def deviation_s(self) -> float | None:
        """The standard deviation; None if there are none."""
        if not self.count:
            return None
        mean_s = self.total_s / self.count
        return math.sqrt(max(0.0, self.total_s2 / self.count - mean_s**2))


def _places(times_s: Floats) -> NDArray[np.intp]:
    logs = np.log(np.maximum(times_s, LOWEST_S / 2) / LOWEST_S) * BINS_PER_E + 1
    places: NDArray[np.intp] = np.clip(logs, 0, BINS - 1).astype(np.intp)
    return places
