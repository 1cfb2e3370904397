"""A current limit of exactly 0, to an inverter that ignores zeros."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """CCL and DCL of 0 where the profile has a least value above."""
    profile = view.case.profile
    for name in ("charge_current_limit_a", "discharge_current_limit_a"):
        series = view.series(name)
        least = profile.ranges.get(name) if profile else None
        if series is None or least is None or not least.min:
            continue
        yield from where(
            name,
            series.frames,
            series.values == 0,
            "{0} is 0 A; no current is said as {1:g} A here",
            name,
            least.min,
        )


RULE = Rule(
    severity=Severity.ERROR,
    finds="CCL or DCL of 0 to an inverter that ignores zeros (Sofar)",
    why={"": "The inverter keeps its last limit and goes on: the current does not stop."},
    do="Send 0.1 A for none.",
    look=look,
)
