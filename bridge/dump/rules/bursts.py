"""One identifier several times without a pause: a stalled sender makes up for what it missed."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, lasting, where
from bridge.dump.view import View

AT_ONCE = 0.05  # of the period
SMA_S = 0.19  # 200 ms, and what a clock may be off


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Three short gaps on end, or one that is too short for a Sunny Island."""
    strict = view.case.tongue.name == "sma-si"
    for key in view.case.tongue.vital:
        frames, period_s = view.frames(key), view.case.period_s(key)
        if frames is None or period_s is None or len(frames.rows) < 4:
            continue
        short = frames.gap_s < (min(SMA_S, 0.4 * period_s) if strict else AT_ONCE * period_s)
        yield from where(
            frames.name,
            frames,
            short if strict else lasting(short, memory, frames.name),
            "{0} again after {1:.0f} ms",
            frames.name,
            1000 * frames.gap_s,
            weights=-frames.gap_s,
        )


RULE = Rule(
    severity=Severity.WARNING,
    finds="the same identifier several times at once, as after a stall; for SMA two within 200 ms",
    why={
        "": "An inverter that gets old cycles in a burst is told of the past; some drop what comes too fast.",
        "sma-si": "Values that come faster than each 200 ms are not taken.",
    },
    do="Let the sender skip what it missed instead of queueing it.",
    look=look,
)
