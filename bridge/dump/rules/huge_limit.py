"""A current limit that no low-voltage battery has: wrapped round, or of another scale."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

HUGE_A = 1500.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """CCL and DCL of more than anything on two cables."""
    for name in ("charge_current_limit_a", "discharge_current_limit_a"):
        for series in view.all_series(name):
            yield from where(
                name,
                series.frames,
                series.values > HUGE_A,
                "{0} is {1:g} A",
                series.signal.name,
                series.values,
                weights=series.values,
            )


RULE = Rule(
    severity=Severity.ERROR,
    finds="CCL or DCL of more than 1500 A",
    why={"": "The inverter takes it for no limit at all."},
    do="Negative numbers wrap to such values; so do wrong scales and byte orders. Clamp before sending.",
    look=look,
)
