"""The inverter asks to close the contactor, and the battery goes on reporting it as open."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.block import key_of
from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

POLL = key_of(0x1871, extended=True)
CLOSE = bytes.fromhex("0200010001000000")
PATIENCE_S = 15.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """SolaX: the time from the command to a contactor that is still open."""
    polls = view.frames(POLL)
    if view.case.tongue.name != "solax-hv":
        return
    if polls is not None:
        close = (polls.data == np.frombuffer(CLOSE, np.uint8)).all(axis=1)
        if close.any():
            memory.setdefault("asked_s", float(polls.time_s[int(np.argmax(close))]))
    series = view.series("contactor_closed")
    if series is None or "asked_s" not in memory:
        return
    since_s = series.frames.time_s - memory["asked_s"]
    if (series.values == 1).any():
        memory["asked_s"] = float("inf")
    yield from where(
        "contactor_closed",
        series.frames,
        (series.values == 0) & (since_s > PATIENCE_S) & np.isfinite(since_s),
        "the contactor is open {:.0f} s after the command to close it",
        since_s,
    )


RULE = Rule(
    severity=Severity.ERROR,
    finds="a contactor that stays open though the inverter asked to close it (SolaX)",
    why={"": "The handshake does not end: the inverter stays in its waiting state."},
    do="Let the battery answer the command with 1801 and report the contactor as closed.",
    look=look,
)
