"""The state of charge jumps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

STEP_PCT = 5.0
GAP_S = 30.0  # after a longer silence it may have moved


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """From one frame to the next."""
    series = view.series("soc_pct")
    if series is None:
        return
    step_pct = np.abs(series.values - series.before)
    yield from where(
        "soc_pct",
        series.frames,
        (step_pct > STEP_PCT) & ~(series.frames.gap_s > GAP_S),
        "SoC goes from {0:g} to {1:g} % at once",
        series.before,
        series.values,
        weights=np.nan_to_num(step_pct),
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="SoC that jumps by more than 5 %",
    why={"": "Inverters switch by SoC: to the grid, to the generator, off. A jump to 0 ends the supply."},
    do="Packs that come and go, or a recalibration: let the sender move it slowly.",
    look=look,
)
