"""No module is counted, though currents are allowed."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, lasting, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """A count of 0 against the limits."""
    series = view.series("module_count")
    if series is None:
        return
    charge_a = view.latest("charge_current_limit_a", series.frames)
    discharge_a = view.latest("discharge_current_limit_a", series.frames)
    yield from where(
        "module_count",
        series.frames,
        lasting((series.values == 0) & ((charge_a > 0.5) | (discharge_a > 0.5)), memory, "modules"),
        "no module, though currents are allowed",
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="a module count of 0 while currents are allowed",
    why={"": "Some inverters work the permitted current out of the number of modules: 0 means none."},
    do="Send at least 1.",
    look=look,
)
