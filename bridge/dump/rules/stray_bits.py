"""Bits are set in other frames where the dialect has none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump import columns
from bridge.dump.rule import Hits, Memory, Rule, Severity, hex_of, where
from bridge.dump.view import View
from bridge.sinks.layout import Kind


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Set bits within the dialect's length that nothing describes."""
    for message, frames in view.battery():
        if not message.signals or any(one.kind is Kind.ALARM for one in message.signals):
            continue
        spare = np.where(np.arange(8) < message.length, columns.undefined(message), 0).astype(np.uint8)
        word = spare.view(np.uint64)[0]
        if not word:
            continue
        yield from where(
            frames.name,
            frames,
            (frames.data.view(np.uint64)[:, 0] & word) != 0,
            "{} sets bits where there is nothing: {}",
            frames.name,
            hex_of(frames),
        )


RULE = Rule(
    severity=Severity.NOTE,
    finds="bits set in other frames that the dialect does not have",
    why={"": "Unused bits should be 0; an inverter with newer firmware may read them."},
    do="Send zeros there, unless this is a newer form of the dialect.",
    look=look,
)
