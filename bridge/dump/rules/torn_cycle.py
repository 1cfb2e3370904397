"""The frames of a cycle belong to different moments: limits are new and measurements are old."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View

LEAST = 20  # cycles
SHARE = 0.7


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Identifiers of one cycle that come clearly less often than the most frequent of them."""
    profile, tongue = view.case.profile, view.case.tongue
    if not view.last or profile is None or view.case.polled:
        return
    counts = {
        key: view.carried.keys[key].count
        for key in tongue.vital
        if key in view.carried.keys and view.case.period_s(key) == profile.period_s
    }
    most = max(counts.values(), default=0)
    if most < LEAST:
        return
    for key, count in counts.items():
        if count < SHARE * most:
            name = tongue.battery[key].name
            text = f"{name} came {count} times, other frames of the cycle {most} times"
            yield Hits(about=f"{key & 0x1FFFFFFF:03X}", rows=None, text=text)


RULE = Rule(
    severity=Severity.WARNING,
    finds="one of the frames that the inverter lives on comes much less often than the others",
    why={"": "It is lost, or sent by something slower: the inverter works with values of different times."},
    do="Look for a full send queue, a slow second sender, or a filter in the logger.",
    look=look,
)
