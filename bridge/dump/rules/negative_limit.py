"""A current limit is negative."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """CCL and DCL below 0."""
    for name in ("charge_current_limit_a", "discharge_current_limit_a"):
        for series in view.all_series(name):
            yield from where(
                name,
                series.frames,
                series.values < 0,
                "{0} is {1:g} A",
                series.signal.name,
                series.values,
                weights=-series.values,
            )


RULE = Rule(
    severity=Severity.ERROR,
    finds="CCL or DCL below 0",
    why={
        "": "Limits are positive in both directions. An inverter was seen to keep its old limit.",
        "pylon-hv": "Two forms of this dialect differ in the sign of DCL: see pylon-hv-negative.",
    },
    do="Send DCL positive.",
    look=look,
)
