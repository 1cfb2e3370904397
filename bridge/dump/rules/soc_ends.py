"""0 % while discharging is allowed, or 100 % while charging is."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, as_severe, lasting, where
from bridge.dump.view import View

NOTHING_A = 0.5


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """SoC at its ends against the limits."""
    series = view.series("soc_pct")
    if series is None:
        return
    charge_a = view.latest("charge_current_limit_a", series.frames)
    discharge_a = view.latest("discharge_current_limit_a", series.frames)
    yield from where(
        "empty",
        series.frames,
        lasting((series.values == 0) & (discharge_a > NOTHING_A), memory, "empty"),
        "SoC 0 % with DCL {:g} A",
        discharge_a,
    )
    full = where(
        "full",
        series.frames,
        lasting((series.values == 100) & (charge_a > NOTHING_A), memory, "full"),
        "SoC 100 % with CCL {:g} A",
        charge_a,
    )
    yield from as_severe(Severity.NOTE, full)


RULE = Rule(
    severity=Severity.WARNING,
    finds="SoC 0 % while DCL is not 0; a note if it is 100 % while CCL is not 0",
    why={
        "": "Most inverters stop at the SoC, whatever the limits say: a battery at 100 % is not charged on.",
        "sma-si": "A Sunny Island shuts down at 0 %, and does not stop charging at 100 %.",
    },
    do="Hold SoC at 1 and 99 % until the limit of that direction is 0.",
    look=look,
)
