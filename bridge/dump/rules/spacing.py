"""Frames come at once to an inverter whose document wants pauses between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View

WANTED_S = 0.1
SHARE = 0.2
MOSTLY = 0.5


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """The time from one frame of the battery to the next of another identifier."""
    profile = view.case.profile
    if profile is None or profile.spacing_s < WANTED_S or not len(view.block) or not view.case.chosen:
        return
    battery = [frames.rows for _, frames in view.battery()]
    rows = np.sort(np.concatenate(battery)) if battery else np.empty(0, np.int64)
    if len(rows) < 2 * len(profile.order):
        return
    short = np.flatnonzero(np.diff(view.block.time_s[rows]) < SHARE * profile.spacing_s)
    if len(short) > MOSTLY * len(rows):
        yield Hits(
            about="cycle",
            rows=rows[short + 1],
            text=f"frames follow each other in less than {1000 * SHARE * profile.spacing_s:.0f} ms; "
            f"usual here are {1000 * profile.spacing_s:.0f} ms",
        )


RULE = Rule(
    severity=Severity.NOTE,
    finds="a cycle without pauses, where 100 ms are usual (GoodWe, Solis, and others of that kind)",
    why={"": "Back to back works with most; slow inverters may lose frames of a burst."},
    do="Spread the cycle if values are missing at the inverter.",
    look=look,
)
