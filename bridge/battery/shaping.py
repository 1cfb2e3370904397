"""From what is allowed to what is published: down at once, up late and slowly, rounded to the safe side.

A limit falls in the decision that says so. It rises only after a higher value has been allowed, and
nothing has got worse, for `rise_after_s` without a break, and then by `rise_pct_per_s` percent of the
bank's rating a second; so one good sample, or a limit that flickers, raises nothing. Only the very
first rise after a start does not wait. Small limits are published as 0 until they are clearly more,
because inverters hunt around zero.
"""

from __future__ import annotations

from math import ceil, floor, inf, isfinite
from typing import Final

from bridge.battery.timing import elapsed_s

QUANTUM: Final = 0.1  # A and V
STEP_MAX_S: Final = 3.0  # a longer pause between two decisions earns no more rise than this
# Of the rating.
ZERO_BELOW: Final = 0.005
NONZERO_ABOVE: Final = 0.015
DROP: Final = 0.005  # of the rating: a target that falls by more is bad news, also above the level
VOLTAGE_RISE_V_PER_S: Final = 0.02
_ROUNDING: Final = 1e-6  # of a quantum: floats that mean a multiple of it stay where they are


def floor_to_quantum(value: float) -> float:
    """The multiple of 0.1 at or below `value`."""
    return floor(value / QUANTUM + _ROUNDING) / 10


def ceil_to_quantum(value: float) -> float:
    """The multiple of 0.1 at or above `value`."""
    return ceil(value / QUANTUM - _ROUNDING) / 10


class CurrentShaper:
    """One current limit's way through time. rated_a: what the bank could carry with nothing in the way."""

    def __init__(self, rated_a: float, rise_after_s: float, rise_pct_per_s: float) -> None:
        self._rated_a = rated_a
        self._rise_after_s = rise_after_s
        self._rise_a_per_s = rated_a * rise_pct_per_s / 100
        self._level_a = 0.0
        self._now = inf
        self._peak_a = 0.0  # the target's highest value since it last fell
        self._not_allowed_s = -inf  # when the target last fell, or was no higher than the level
        self._has_risen = False
        self._is_zero = True

    def shape(self, target_a: float, now: float) -> float:
        """What to publish at `now` if `target_a` is allowed, A; never more than that."""
        target_a = floor_to_quantum(target_a) if isfinite(target_a) and target_a > 0 else 0.0
        passed_s = elapsed_s(self._now, now, STEP_MAX_S)
        self._now = now
        self._peak_a = max(self._peak_a, target_a)
        fell = target_a < self._peak_a - DROP * self._rated_a
        if self._has_risen and (fell or target_a <= self._level_a):
            self._not_allowed_s, self._peak_a = now, target_a
        if target_a <= self._level_a:
            self._level_a = target_a
        elif now - self._not_allowed_s >= self._rise_after_s:
            self._level_a = min(target_a, self._level_a + self._rise_a_per_s * passed_s)
            self._has_risen = True
        return self._published()

    def lowered_to(self, limit_a: float) -> None:
        """A later stage published less: a fall like any other, from which a rise waits and begins."""
        self._level_a = min(self._level_a, limit_a)
        self._not_allowed_s = self._now

    def _published(self) -> float:
        threshold = NONZERO_ABOVE if self._is_zero else ZERO_BELOW
        self._is_zero = self._level_a < threshold * self._rated_a or self._level_a < QUANTUM
        return 0.0 if self._is_zero else floor_to_quantum(self._level_a)


class VoltageShaper:
    """The charge voltage's way through time."""

    def __init__(self) -> None:
        self._level_v = inf
        self._now = inf

    def shape(self, target_v: float, now: float, *, settled: bool) -> float:
        """What to publish at `now`, V. settled: False while the bank starts, with nothing to rise from."""
        target_v = target_v if isfinite(target_v) and target_v > 0 else 0.0
        passed_s = elapsed_s(self._now, now, STEP_MAX_S)
        self._now = now
        if target_v <= self._level_v or not settled:
            self._level_v = target_v
        else:
            self._level_v = min(target_v, self._level_v + VOLTAGE_RISE_V_PER_S * passed_s)
        return floor_to_quantum(self._level_v)
