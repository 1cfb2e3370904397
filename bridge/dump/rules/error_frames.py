"""The controller reported errors: nobody acknowledges, bits are disturbed, or it went off the bus."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.block import ERROR
from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View

# The classes of linux/can/error.h that say something about a bus: bit, name, meaning.
CLASSES = (
    (0x040, "bus-off", "the controller has left the bus"),
    (0x020, "no-acknowledge", "nobody acknowledges: nobody else is there, or at another bit rate"),
    (0x008, "protocol", "disturbed frames: termination, bit rate, cable"),
    (0x010, "transceiver", "the transceiver reports a fault of the lines"),
    (0x004, "controller", "the controller counts errors, or lost frames"),
    (0x080, "bus", "bus errors"),
    (0x001, "time-out", "a frame could not be sent"),
)


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Error frames by what they say; each counts once, for the worst of its classes."""
    if view.block is view.whole:
        return
    left = (view.whole.flags & ERROR) != 0
    for bit, name, meaning in CLASSES:
        there = left & ((view.whole.can_id & bit) != 0)
        left &= ~there
        yield Hits(
            about=name,
            rows=np.flatnonzero(there),
            text=f"error frame: {meaning}",
            severity=Severity.ERROR if name in {"bus-off", "no-acknowledge"} else None,
            of_whole=True,
        )


RULE = Rule(
    severity=Severity.WARNING,
    finds="error frames; an error if nobody acknowledges or the controller left the bus",
    why={
        "": "What the inverter does not get it can't follow; a controller that is off the bus sends nothing."
    },
    do="60 ohm between CAN-H and CAN-L with all off; one bit rate; short stubs; common ground.",
    look=look,
)
