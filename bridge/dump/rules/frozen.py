"""The measured values do not change by a bit while current flows: somebody repeats the past."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

LONG_S = 60.0
FLOWING_A = 2.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """For how long the frame with the current has said the same."""
    current = view.series("current_a")
    if current is None or not len(current.values):
        return
    frames = current.frames
    new_s = np.where(frames.same, np.nan, frames.time_s)
    new_s[0] = memory.get("since_s", frames.time_s[0]) if frames.same[0] else frames.time_s[0]
    since_s = np.fmax.accumulate(new_s)
    memory["since_s"] = float(since_s[-1])
    held_s = frames.time_s - since_s
    yield from where(
        frames.name,
        frames,
        (held_s >= LONG_S) & (np.abs(current.values) >= FLOWING_A),
        "{0} has been the same for {1:.0f} s, with {2:g} A flowing",
        frames.name,
        held_s,
        current.values,
        weights=held_s,
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="voltage and current the same to the bit for a minute while more than 2 A flow",
    why={
        "": "The inverter follows limits and SoC of a moment that has passed; its own time-out never comes."
    },
    do="The sender lost its battery and repeats the last frame: it should fall silent or send no current.",
    look=look,
)
