"""Frames are too short for what they carry, longer than any, or now of one length and now of another."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, as_severe, where
from bridge.dump.tongues import VITAL
from bridge.dump.view import View
from bridge.sinks.layout import FRAME_BYTES

ONLY_EIGHT = frozenset({"sol-ark", "sol-ark-tenths"})  # Sol-Ark's document: other frames are not recognised


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """The data bytes of each frame of the battery."""
    strict = view.case.tongue.name in ONLY_EIGHT
    for message, frames in view.battery():
        length, name = frames.length, frames.name
        needed = max((one.needs for one in message.signals if one.name in VITAL), default=0)
        needed = FRAME_BYTES if strict else needed
        first = memory.setdefault(frames.key, float(length[0]))
        short = length < needed
        odd = ~short & (length > message.length) & (length != FRAME_BYTES)
        changed = ~short & ~odd & (length != first)
        for what, found, severity in (
            (f"at least {needed} are needed", short, Severity.ERROR),
            (f"the dialect has {message.length} or {FRAME_BYTES}", odd, Severity.WARNING),
            (f"it had {first:.0f} before", changed, Severity.WARNING),
        ):
            hits = where(name, frames, found, "{0} has {1} data bytes; {2}", name, length, what)
            yield from as_severe(severity, hits)


RULE = Rule(
    severity=Severity.WARNING,
    finds="frames of a wrong length; an error if limits, SoC or voltage do not fit in",
    why={
        "": "An inverter that checks the length drops the frame without a word.",
        "sol-ark": "Sol-Ark's document says that only frames of 8 bytes are recognised.",
    },
    do="Pad every frame to 8 bytes: all that take short ones take those too.",
    look=look,
)
