"""From what age on a pack counts as silent. One place, because three modules must agree on it."""

from __future__ import annotations

from bridge.model import PackSettings

FRESH_MIN_S = 5.0
FRESH_PERIODS = 3.0


def fresh_s(settings: PackSettings) -> float:
    """The age up to which a pack's data counts as what it is doing at the moment, s."""
    return max(FRESH_PERIODS * settings.period_s, FRESH_MIN_S)
