"""Bits are set in an alarm frame where the dialect has none: an alarm at the wrong place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bridge.dump import columns
from bridge.dump.block import Bytes
from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View
from bridge.sinks.layout import PAIR_BITS, Kind, Message

# Misreadings that are known: dialect, identifier, byte, bit, what was meant, who does it.
MISREAD = (
    (0x359, 1, 7, "system error (bit 3) or charge over-current (bit 0)"),
    (0x359, 3, 7, "charge high current (bit 0)"),
    (0x359, 2, 0, "high voltage (bit 1)"),
    (0x359, 0, 0, "over-voltage (bit 1)"),
)

SHOWN = 4
LOW_BITS = np.uint8(0x55)  # of pairs: 01 is raised


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Set bits that nothing describes; of pairs only raised ones count."""
    for message, frames in view.battery():
        if all(one.kind is not Kind.ALARM for one in message.signals):
            continue
        spare = np.where(np.arange(8) < message.length, columns.undefined(message), 0).astype(np.uint8)
        stray = frames.data & spare
        if any(one.kind is Kind.ALARM and one.length == PAIR_BITS for one in message.signals):
            stray &= LOW_BITS & ~(stray >> 1)
        yield from where(
            frames.name,
            frames,
            (stray != 0).any(axis=1),
            "{}",
            _said(message, stray),
        )


def _said(message: Message, stray: Bytes) -> Callable[[int], str]:
    def said(row: int) -> str:
        places = [(index, bit) for index in range(8) for bit in range(8) if stray[row, index] >> bit & 1]
        shown = ", ".join(f"byte {index} bit {bit}" for index, bit in places[:SHOWN])
        known = (one[3] for one in MISREAD if one[0] == message.can_id and one[1:3] in places)
        meant = next((f"; meant is perhaps {what}" for what in known), "")
        return f"{shown} of {message.name} has no meaning{meant}"

    return said


RULE = Rule(
    severity=Severity.WARNING,
    finds="bits set in an alarm frame that the dialect does not have",
    why={"": "The inverter reads another alarm than was meant, or none."},
    do="See the document: bytes 0 and 1 of 359 protect, 2 and 3 warn; bits of 35A are pairs.",
    look=look,
)
