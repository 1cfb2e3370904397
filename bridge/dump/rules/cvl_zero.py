"""A charge voltage limit of next to nothing, to mean: stop."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

NOTHING_V = 6.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """CVL near 0. Sofar's own way of saying it is 0.1 V; zeros it ignores."""
    limit, profile = view.series("charge_voltage_limit_v"), view.case.profile
    if limit is None:
        return
    least = profile.ranges.get("charge_voltage_limit_v") if profile else None
    allowed_v = least.min if least is not None and least.min is not None and least.min < NOTHING_V else None
    found = limit.values < (NOTHING_V if allowed_v is None else allowed_v - 1e-6)
    yield from where(
        "charge_voltage_limit_v",
        limit.frames,
        found & limit.frames.data.any(axis=1),
        "CVL {:g} V",
        limit.values,
    )


RULE = Rule(
    severity=Severity.ERROR,
    finds="a CVL of (nearly) 0 V to mean stop",
    why={
        "": "Inverters differ in what they make of it; none is known to stop safely.",
        "deye-lv": "A Deye raises W31 and goes on with the last current.",
        "victron": "A GX takes the battery for overcharged and empties it.",
        "sofar-lv": "A Sofar ignores zeros: stop is said with 0.1.",
    },
    do="Send the battery's present voltage as CVL, and CCL 0.",
    look=look,
)
