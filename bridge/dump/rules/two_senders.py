"""Two batteries, or a battery and a gateway, send the same identifier."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.block import Mask
from bridge.dump.rule import Hits, Memory, Rule, Severity, hex_of, lasting, where
from bridge.dump.view import Frames, View
from bridge.sinks.layout import TEXTS, Kind

ALTERNATIONS = 5  # on end
HALF = 0.75  # of a period: two senders make the gaps shorter than one would


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Contents that alternate: a, b, a, b; in limits and names, which do not swing by themselves."""
    for message, frames in view.battery():
        steady = frames.key in view.case.tongue.vital or any(
            one.kind in TEXTS or (one.kind is Kind.CONSTANT and one.length >= 16) for one in message.signals
        )
        if not steady or message.selector or len(frames.rows) < ALTERNATIONS + 2:
            continue
        yield from where(
            frames.name,
            frames,
            lasting(_alternates(frames) & _short(view, frames), memory, frames.name, ALTERNATIONS),
            "{0} says {1} and {2} by turns",
            frames.name,
            hex_of(frames, 1),
            hex_of(frames),
        )


def _alternates(frames: Frames) -> Mask:
    words = frames.data.view(np.uint64)[:, 0]
    found = np.zeros(len(words), np.bool_)
    found[2:] = (words[2:] == words[:-2]) & (words[2:] != words[1:-1])
    return found


def _short(view: View, frames: Frames) -> Mask:
    period_s = view.case.period_s(frames.key)
    return np.isnan(frames.gap_s) | (frames.gap_s < HALF * (period_s or np.inf))


RULE = Rule(
    severity=Severity.ERROR,
    finds="limits or names that alternate between two contents, faster than one sender's period",
    why={"": "The inverter follows now the one and now the other: limits of a battery that is not there."},
    do="Take one of them off the bus. Two packs of one make need addresses or a hub.",
    look=look,
)
