"""A state of health that can't be, or with which no inverter would work."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

LEAST_PCT = 40


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """SoH of 0 and of more than 100."""
    for series in view.all_series("soh_pct"):
        yield from where(
            "soh_pct",
            series.frames,
            (series.values < LEAST_PCT) | (series.values > 100),
            "soh_pct is {:g} %",
            series.values,
        )


RULE = Rule(
    severity=Severity.WARNING,
    finds="SoH below 40 % or above 100 %",
    why={"": "SoH 0 is what a sender says that does not know it; some inverters then refuse the battery."},
    do="Send 100 if it is not known.",
    look=look,
)
