"""When the next cycle of frames is due. Pure: `now` in, deadlines out.

Deadlines are absolute, so being late never shifts the later cycles; what was missed is counted and
never made up for, because an inverter that gets two old cycles at once is helped by neither. Each
arming is good for a bounded time: without a fresh one the schedule ends by itself.
"""

from __future__ import annotations

import math
from enum import Enum

MIN_GAP_S = 0.2  # between two whole cycles; changed limits need not wait for one


class Due(Enum):
    """What is to be done."""

    NOTHING = "nothing"
    CYCLE = "cycle"  # send one cycle
    EXPIRED = "expired"  # be silent: nobody armed in time; said once


class Schedule:
    """The deadlines of one cycle of frames.

    min_gap_s: no two cycles follow each other faster than this, or than half the period if that is
    less. missed: slots that passed without a cycle because we were late. interval_error_s: of the
    last cycle, against the period; None unless it and the one before were neighbouring slots.
    """

    def __init__(self, period_s: float, min_gap_s: float = MIN_GAP_S) -> None:
        self.missed = 0
        self.interval_error_s: float | None = None
        self._period_s = period_s
        self._gap_s = min(min_gap_s, period_s / 2)
        self._slot_s: float | None = None  # the next regular cycle; None while silent
        self._urgent_s = math.inf
        self._valid_until_s = -math.inf
        self._cycle_s = -math.inf  # when the last cycle began
        self._regular_s: tuple[float, float] | None = None  # the last regular one: its slot, its begin

    def arm(self, now: float, valid_for_s: float, *, urgent: bool = False) -> None:
        """Go on, or start at once, until now + valid_for_s. urgent: add a cycle as soon as the gap allows."""
        self._valid_until_s = now + valid_for_s
        soonest_s = max(now, self._cycle_s + self._gap_s)
        if self._slot_s is None:
            self._slot_s = soonest_s
        elif urgent:
            self._urgent_s = min(self._urgent_s, soonest_s)

    def disarm(self) -> None:
        """Be silent from now on."""
        self._slot_s = None
        self._urgent_s = math.inf
        self._regular_s = None

    def live(self, now: float) -> bool:
        """Whether what was armed may still be sent."""
        return self._slot_s is not None and now < self._valid_until_s

    def next_s(self) -> float | None:
        """When `due` should be asked again; None while silent."""
        return None if self._slot_s is None else min(self._slot_s, self._urgent_s, self._valid_until_s)

    def due(self, now: float) -> Due:
        """What is due at `now`; a cycle or an expiry is reported once and taken as done."""
        if self._slot_s is None:
            return Due.NOTHING
        if now >= self._valid_until_s:
            self.disarm()
            return Due.EXPIRED
        if now < min(self._slot_s, self._urgent_s):
            return Due.NOTHING
        self.interval_error_s = None
        if now >= self._slot_s:
            self._regular(self._slot_s, now)
        else:
            self._keep_gap(self._slot_s, now)
        self._urgent_s = math.inf
        self._cycle_s = now
        return Due.CYCLE

    def _regular(self, slot_s: float, now: float) -> None:
        behind = math.floor((now - slot_s) / self._period_s)
        current_s = slot_s + behind * self._period_s
        if self._regular_s is not None and abs(current_s - self._regular_s[0] - self._period_s) < self._gap_s:
            self.interval_error_s = now - self._regular_s[1] - self._period_s
        self._regular_s = current_s, now
        next_s = current_s + self._period_s
        if next_s < now + self._gap_s:
            next_s += self._period_s
            behind += 1
        self.missed += behind
        self._slot_s = next_s

    def _keep_gap(self, slot_s: float, now: float) -> None:
        """An urgent cycle takes the place of the slot that would follow it too soon."""
        self._slot_s = slot_s + self._period_s if slot_s < now + self._gap_s else slot_s
