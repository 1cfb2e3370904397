"""The inverter asks, and the battery does not answer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.block import Integers
from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View
from bridge.profiles import Poll

PATIENCE = 5  # polls
PATIENCE_S = 6.0  # a battery that has just been switched on takes some seconds


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Polls with none of the battery's vital frames between them."""
    polls = _polls(view)
    answers = [frames.rows for key in view.case.tongue.vital if (frames := view.frames(key)) is not None]
    answered = np.sort(np.concatenate(answers)) if answers else np.empty(0, np.int64)
    open_before = int(memory.get("open", 0))
    if view.last or not len(view.block):
        return
    asked = np.concatenate((np.full(open_before, -1), polls))
    if not len(asked):
        return
    heard = np.searchsorted(answered, asked)
    alone = np.zeros(len(asked), np.bool_)
    if len(asked) >= PATIENCE:
        alone[PATIENCE - 1 :] = heard[PATIENCE - 1 :] == heard[: len(asked) - PATIENCE + 1]
    memory["open"] = min(PATIENCE, int((heard == len(answered)).sum()))
    heard_s = np.concatenate(
        ([memory.setdefault("heard_s", view.block.time_s[0])], view.block.time_s[answered])
    )
    memory["heard_s"] = float(heard_s[-1])
    rows, since_s = asked[alone & (asked >= 0)], heard_s[heard[alone & (asked >= 0)]]
    rows = rows[~(view.block.time_s[rows] - since_s < PATIENCE_S)]
    yield Hits(about="polls", rows=rows, text=f"{PATIENCE} polls and more without an answer")


def _polls(view: View) -> Integers:
    """The rows of what is to be answered with frames that the inverter lives on."""
    found = []
    tongue = view.case.tongue
    vital = {tongue.battery[key].can_id - tongue.offset for key in tongue.vital}
    for key, asked in tongue.asked.items():
        frames = view.frames(key)
        wanted = [one for one in asked if isinstance(one, Poll) and not one.seldom and vital & set(one.send)]
        if frames is None or not wanted:
            continue
        fits = np.zeros(len(frames.rows), np.bool_)
        for poll in wanted:
            bytes_ = [(index, int(text, 16)) for index, text in enumerate(poll.data.split()) if text != ".."]
            fits |= np.all([frames.data[:, index] == byte for index, byte in bytes_] or [True], axis=0)
        found.append(frames.rows[fits])
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


RULE = Rule(
    severity=Severity.ERROR,
    finds="5 polls of the inverter on end without an answer",
    why={"": "This inverter asks and waits; without answers it has no battery."},
    do="Is the battery on this bus, awake, and set to this inverter's dialect? Are identifiers 29 bits long?",
    look=look,
)
