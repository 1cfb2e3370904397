"""A frame is late: not long enough for a fault, but longer than genuine packs ever are."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, as_severe, where
from bridge.dump.view import View

LATE = 2.5  # periods
GENUINE_S = 2.05  # genuine low-voltage packs are never 2 s apart; the slowest send 351 each 2 s


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Gaps of some periods in what comes regularly."""
    profile = view.case.profile
    if profile is None or view.case.polled:
        return
    for _, frames in view.battery():
        period_s = view.case.period_s(frames.key)
        if period_s is None:
            continue
        vital = frames.key in view.case.tongue.vital
        least_s = max(LATE * period_s, GENUINE_S)
        upper_s = max(profile.comm_fault_s, 2.5 * period_s) if vital else float("inf")
        hits = where(
            "battery" if vital else "other frames",
            frames,
            (frames.gap_s > least_s) & (frames.gap_s < upper_s),
            "{0:.2f} s without {1}, which should come each {2:g} s",
            frames.gap_s,
            frames.name,
            period_s,
            weights=frames.gap_s,
        )
        yield from as_severe(Severity.WARNING if vital else Severity.NOTE, hits)


RULE = Rule(
    severity=Severity.WARNING,
    finds="a frame comes later than 2.5 periods and 2 s; a note if it is none that the inverter lives on",
    why={
        "": "No inverter's time-out is far above that; one more delay, and it reports a loss of the battery."
    },
    do="Look for load on the sender and for error frames; see how often it happens.",
    look=look,
)
