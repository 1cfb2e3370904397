"""Frames that no battery dialect has: remote requests and CAN FD."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.block import FD, REMOTE
from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Remote and FD frames."""
    if view.block is view.whole:
        return
    for flag, name in ((REMOTE, "remote"), (FD, "CAN FD")):
        rows = np.flatnonzero((view.whole.flags & flag) != 0)
        yield Hits(about=name, rows=rows, text=f"a {name} frame", of_whole=True)


RULE = Rule(
    severity=Severity.WARNING,
    finds="remote frames or CAN FD frames",
    why={"": "All battery dialects are classic data frames; an FD frame destroys the bus of a classic node."},
    do="Make the sender send classic data frames.",
    look=look,
)
