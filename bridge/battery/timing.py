"""How time is counted: from what age on a pack is silent, and how much of a pause counts. One place, because
several modules must agree on it.
"""

from __future__ import annotations

from math import inf
from typing import Final

from bridge.model import PackSettings

FRESH_MIN_S: Final = 5.0
FRESH_PERIODS: Final = 3.0


def fresh_s(settings: PackSettings) -> float:
    """The age up to which a pack's data counts as what it is doing at the moment, s."""
    return max(FRESH_PERIODS * settings.period_s, FRESH_MIN_S)


def elapsed_s(before_s: float, now: float, most_s: float = inf) -> float:
    """What counts of the time since before_s: never less than 0, and of a long pause no more than most_s."""
    passed_s = now - before_s
    if not passed_s > 0:
        return 0.0
    return min(most_s, passed_s)
