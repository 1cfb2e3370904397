"""Boards that switch themselves off when nobody asks: the first request after a pause only wakes them."""

from __future__ import annotations

from math import inf

WAKES_IN_S = 0.05  # what arrives while the board starts is lost


class Sleep:
    """Whether a board hears. It sleeps at first, and again after so long without a request."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._asked_s = -inf
        self._up_s = inf

    def hears(self, now: float) -> bool:
        """A request arrives: whether the board is awake to read it."""
        if not self.awake(now):
            self._up_s = now + WAKES_IN_S
        self._asked_s = now
        return now >= self._up_s

    def awake(self, now: float) -> bool:
        """Whether it was asked something not too long ago."""
        return now - self._asked_s <= self._after_s
