"""A pair of alarm bits goes from raised to nothing, where SMA wants to be told that it is over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump import columns
from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View
from bridge.sinks.layout import PAIR_BITS, RAISED, Kind


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Raw pairs: 01, and then 00 or 11."""
    if view.case.tongue.name != "sma-si":
        return
    for series in view.signals(Kind.ALARM):
        if series.signal.length != PAIR_BITS:
            continue
        pair = columns.raw(series.signal, series.frames.data)
        name = series.signal.name
        before = np.concatenate(([memory.get(name, 0)], pair[:-1]))
        memory[name] = float(pair[-1])
        yield from where(
            name,
            series.frames,
            (before == RAISED) & columns.said_nothing(series.signal, series.frames.data),
            "{} was raised and is not cleared: 10 should follow",
            name,
        )


RULE = Rule(
    severity=Severity.ERROR,
    finds="an alarm of 35A that goes without being cleared (SMA)",
    why={"": "A Sunny Island ignores 00 and 11: the alarm stays, and with it the standstill."},
    do="Send 10 for everything that is supported and not raised.",
    look=look,
)
