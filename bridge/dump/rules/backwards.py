"""Times go backwards: the clock was set, or logs were put together in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View

TOLERATED_S = 0.01  # interfaces with several queues swap neighbours


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Each frame against the one before."""
    if not len(view.block):
        return
    step_s = np.diff(view.block.time_s, prepend=memory.get("last_s", np.nan))
    memory["last_s"] = float(view.block.time_s[-1])
    rows = np.flatnonzero(step_s < -TOLERATED_S)
    if len(rows):
        worst = int(np.argmin(step_s[rows]))
        back_s = -step_s[rows[worst]]
        yield Hits(
            about="time", rows=rows, worst=worst, weight=back_s, text=f"the time goes back by {back_s:.3f} s"
        )


RULE = Rule(
    severity=Severity.WARNING,
    finds="times that go backwards",
    why={"": "What is said here of periods and gaps can't be trusted around that place."},
    do="Give the logs in their order; set the logger's clock before, not while it logs.",
    look=look,
)
