"""The two states of charge of one frame do not agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

APART_PCT = 2.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Whole per cent against hundredths; 0 stands for none."""
    fine = view.series("soc_hires_pct")
    if fine is None:
        return
    coarse_pct = view.latest("soc_pct", fine.frames)
    apart_pct = np.abs(fine.values - coarse_pct)
    yield from where(
        "soc_hires_pct",
        fine.frames,
        (fine.values > 0) & (apart_pct > APART_PCT),
        "{0:g} % and {1:g} % in one frame",
        coarse_pct,
        fine.values,
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="SoC in 1 % and in 0.01 % that differ by more than 2 %",
    why={"": "SMA prefers the fine one, others read the coarse one."},
    do="Send both alike, or zeros for the fine one where nobody reads it.",
    look=look,
)
