"""What remains in the battery does not agree with its capacity or SoC."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

APART_PCT = 15.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Remaining charge against full charge and SoC."""
    left = view.series("remaining_ah")
    if left is None:
        return
    full_ah = view.latest("full_ah", left.frames)
    soc_pct = view.latest("soc_pct", left.frames)
    known = (full_ah > 0) & (left.values > 0)
    share_pct = np.divide(100 * left.values, full_ah, out=np.full(len(full_ah), np.nan), where=known)
    yield from where(
        "remaining_ah",
        left.frames,
        np.abs(share_pct - soc_pct) > APART_PCT,
        "{0:g} of {1:g} Ah beside SoC {2:g} %",
        left.values,
        full_ah,
        soc_pct,
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="remaining and full charge that do not fit SoC",
    why={"": "The inverter shows times to go that are wrong; one of the two has a wrong scale."},
    do="Look at the scale: 0.01, 0.1 and 1 Ah are all in use.",
    look=look,
)
