"""0x305 carries data, as inverters of this dialect never send it: a battery emulator sends it."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.block import key_of
from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

ALIVE = key_of(0x305, extended=False)
SILENT = frozenset({"pylontech-lv", "pylon-lv-v2", "sol-ark", "sol-ark-tenths", "luxpower", "deye-pcs"})


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Data in the inverter's sign of life."""
    frames = view.frames(ALIVE)
    if frames is None or view.case.tongue.name not in SILENT:
        return
    yield from where(
        frames.name, frames, (frames.data != 0).any(axis=1), "305 carries data; inverters send zeros here"
    )


RULE = Rule(
    severity=Severity.NOTE,
    finds="data in 305, which inverters of the Pylontech family send as zeros",
    why={"": "An emulator that sends 305 itself makes a monitor believe that an inverter is there."},
    do="Do not take it for the inverter. Newer Venus firmware may put measurements into it.",
    look=look,
)
