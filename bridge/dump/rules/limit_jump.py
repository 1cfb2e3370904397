"""A current limit jumps up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

JUMP_A, JUMP = 50.0, 0.5  # and that share of where it goes


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """From one frame to the next, upward only; down is always right."""
    for name in ("charge_current_limit_a", "discharge_current_limit_a"):
        series = view.series(name)
        if series is None:
            continue
        rise_a = series.values - series.before
        yield from where(
            name,
            series.frames,
            (rise_a > JUMP_A) & (rise_a > JUMP * series.values) & (series.before >= 0),
            "{0} goes from {1:g} to {2:g} A at once",
            series.signal.name,
            series.before,
            series.values,
            weights=np.nan_to_num(rise_a, nan=-np.inf),
        )


RULE = Rule(
    severity=Severity.NOTE,
    finds="CCL or DCL that jumps up by more than 50 A and half of its value",
    why={
        "": "The inverter follows at once: cells that had just come back from a limit get the full current."
    },
    do="Genuine packs do it when they wake up. A gateway should raise limits slowly.",
    look=look,
)
