"""Frames come regularly, but far more often or more seldom than this inverter is sent them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View

FASTER, SLOWER = 0.4, 2.2
ENOUGH = 8  # gaps
SLOWEST_S = 2.05  # genuine BYD packs send their limits each 2 s, the rest each 10 s


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """The median gap of what the inverter lives on."""
    case = view.case
    if case.profile is None or case.polled:
        return
    periods = [case.period_s(key) for key in case.tongue.vital]
    known = [one for one in periods if one is not None]
    if not known:
        return
    others = [one.period_s for one in case.tongue.profiles] if not case.chosen else []
    low_s, high_s = FASTER * min(known + others), max(SLOWER * max(known + others), SLOWEST_S)
    for key in case.tongue.vital:
        frames = view.frames(key)
        if frames is None or case.period_s(key) is None or len(frames.rows) < ENOUGH:
            continue
        gap_s = float(np.median(frames.gap_s[~np.isnan(frames.gap_s)])) if frames.gap_s[-1] >= 0 else np.nan
        if gap_s < low_s or gap_s > high_s:
            yield Hits(
                about=frames.name,
                rows=frames.rows,
                text=f"{frames.name} comes each {gap_s:.2f} s; usual is {case.period_s(key):g} s",
                worst=1,
            )


RULE = Rule(
    severity=Severity.WARNING,
    finds="limits, SoC or voltage come less than 0.4 or more than 2.2 times as often as usual",
    why={
        "": "Slow is near the inverter's time-out; fast fills its buffers, or is two senders.",
        "sma-si": "Values must not come faster than each 200 ms.",
    },
    do="Set the sender's period; if it is set right, look for a second sender.",
    look=look,
)
