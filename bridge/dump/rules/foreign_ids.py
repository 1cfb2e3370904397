"""Identifiers that neither the battery's dialect nor the inverter has."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.block import id_text
from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import FORMAT, View

SHOWN = 8
# What genuine packs of a dialect send beside it, to each other. Source: vladyspavlov/dbus-deye-battery.
BESIDE = {
    "deye-pcs": frozenset({0x110, 0x150, 0x200, 0x250, 0x400, 0x500, 0x550, 0x600, 0x650, 0x700, 0x750})
}


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """At the end, all of them in one."""
    if not view.last:
        return
    case = view.case
    known = {*case.tongue.battery, *case.tongue.inverter, *BESIDE.get(case.tongue.name, ())}
    presence = case.profile.presence_id if case.profile else False
    foreign = [
        key
        for key in sorted(view.carried.keys)
        if key not in known and key ^ FORMAT not in case.tongue.battery and key != presence
    ]
    if foreign:
        shown = " ".join(id_text(key) for key in foreign[:SHOWN])
        more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
        strict = case.profile is not None and case.profile.name == "sma-sunny-island"
        yield Hits(
            about="identifiers",
            rows=None,
            text=f"not of {case.tongue.shown}: {shown}{more}",
            severity=Severity.WARNING if strict else None,
        )


RULE = Rule(
    severity=Severity.NOTE,
    finds="identifiers that this dialect does not have; a warning on a Sunny Island's bus",
    why={
        "": "Other devices on the bus are harmless while their identifiers mean nothing to the inverter.",
        "sma-sunny-island": "SMA's document: no other identifiers may be on this bus.",
    },
    do="Find out who sends them; give them a bus of their own if in doubt.",
    look=look,
)
