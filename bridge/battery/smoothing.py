"""A pack's cell temperatures, smoothed, so that a probe that dithers does not make a limit dither.

Smoothing may only delay a rise of a limit, never a fall: rules read the smoothed temperatures beside the
measured ones and take the worse of the two. It gives way at once to a jump, which is no noise, and to a
fall through freezing. Time constant and jump as in Sleeper85/esphome-yambms, Auto_temp-based_current.md.
"""

from __future__ import annotations

from math import exp
from typing import Final

TAU_S: Final = 60.0
JUMP_K: Final = 5.0
SETTLED_K: Final = 0.05  # closer than this, the two are one
FREEZING_C: Final = 0.0


class Smoother:
    """The coldest and the hottest cell of one pack."""

    def __init__(self) -> None:
        self._time_s = 0.0
        self._cold_c: float | None = None
        self._hot_c: float | None = None

    def follow(
        self, cold_c: float | None, hot_c: float | None, time_s: float
    ) -> tuple[float | None, float | None]:
        """The smoothed temperatures at `time_s`, after these measured ones."""
        elapsed_s, self._time_s = max(0.0, time_s - self._time_s), time_s
        if cold_c != self._cold_c:
            self._cold_c = _followed(self._cold_c, cold_c, elapsed_s)
        if hot_c != self._hot_c:
            self._hot_c = _followed(self._hot_c, hot_c, elapsed_s)
        return self._cold_c, self._hot_c


def _followed(slow_c: float | None, now_c: float | None, elapsed_s: float) -> float | None:
    if slow_c is None or now_c is None:
        return now_c
    difference_k = now_c - slow_c
    if now_c <= FREEZING_C < slow_c or not SETTLED_K <= abs(difference_k) <= JUMP_K:
        return now_c
    return slow_c + difference_k * (1.0 - exp(-elapsed_s / TAU_S))
