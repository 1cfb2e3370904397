"""A name changes while the log goes on."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, hex_of, where
from bridge.dump.view import View
from bridge.sinks.layout import Kind


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Frames of a single text that are not as before."""
    for message, frames in view.battery():
        if message.selector or not any(
            one.kind is Kind.TEXT and "name" in one.name for one in message.signals
        ):
            continue
        changed = ~frames.same
        if not memory.setdefault(frames.key, 0.0):
            changed[0] = False
            memory[frames.key] = 1.0
        yield from where(
            frames.name,
            frames,
            changed,
            "the name changes to {}",
            hex_of(frames),
        )


RULE = Rule(
    severity=Severity.WARNING,
    finds="a battery's name that changes",
    why={"": "An inverter may take it for another battery and begin anew; mostly there are two senders."},
    do="Find the second sender, or set the name once.",
    look=look,
)
