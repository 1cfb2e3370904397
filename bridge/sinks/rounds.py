"""When the frames are due that an inverter is sent more seldom than the cycle. Pure.

Deadlines are absolute and what was missed is not made up for, as in `schedule`. These frames are sent
one by one and not armed, so there is nothing to expire: each round is made of the decision of its moment.
"""

from __future__ import annotations

import math

from bridge.profiles import Profile

RETRY_S = 0.5  # while nothing may be sent; as often as there is a decision


class Rounds:
    """The deadlines of a profile's slow frames; the first round is due at once."""

    def __init__(self, profile: Profile) -> None:
        self._groups = profile.slow
        self._next_s = [-math.inf for _ in profile.slow]

    def next_s(self) -> float:
        """When `due` should be asked again; inf if there are no such frames, or it was not asked yet."""
        return min((when_s for when_s in self._next_s if math.isfinite(when_s)), default=math.inf)

    def due(self, now: float) -> tuple[int, ...]:
        """Identifiers of the frames that are due at `now`, taken as sent."""
        found: list[int] = []
        for number, group in enumerate(self._groups):
            if now >= self._next_s[number]:
                found += group.order
                late_s = now - self._next_s[number]
                begin_s = now if math.isinf(late_s) or late_s >= group.period_s else self._next_s[number]
                self._next_s[number] = begin_s + group.period_s
        return tuple(found)

    def hold(self, now: float) -> None:
        """Nothing may be sent at `now`: a round that is due is tried again soon."""
        self._next_s = [when_s if when_s > now else now + RETRY_S for when_s in self._next_s]
