"""The state of charge rises while the battery is discharged, and falls while it is charged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View

LEAST_AS = 180.0  # less charge says nothing
ENOUGH, MOSTLY = 2, 3.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Charge that flowed between two changes of SoC, against the change's direction."""
    if view.last:
        against, along = memory.get("against", 0.0), memory.get("along", 0.0)
        if against >= ENOUGH and against > MOSTLY * along:
            text = f"SoC moved {against:.0f} times against the current, {along:.0f} times with it"
            yield Hits(about="current_a", rows=None, text=text)
        return
    soc, current = view.series("soc_pct"), view.series("current_a")
    if current is None:
        return
    flowed_as = np.cumsum(np.nan_to_num(current.values * np.clip(current.frames.gap_s, 0, 60)))
    flowed_as += memory.get("flowed", 0.0)
    if soc is not None:
        rows = np.flatnonzero((soc.values != soc.before) & ~np.isnan(soc.before))
        places = np.searchsorted(current.frames.rows, soc.frames.rows[rows]) - 1
        at_as = np.where(places >= 0, flowed_as[places], memory.get("flowed", 0.0))
        moved_as = np.diff(at_as, prepend=memory.get("changed", np.nan))
        agree = np.sign(moved_as) * np.sign(soc.values[rows] - soc.before[rows])
        clear = np.abs(moved_as) >= LEAST_AS
        memory["along"] = memory.get("along", 0.0) + int((agree[clear] > 0).sum())
        memory["against"] = memory.get("against", 0.0) + int((agree[clear] < 0).sum())
        if len(rows):
            memory["changed"] = float(at_as[-1])
    memory["flowed"] = float(flowed_as[-1])


RULE = Rule(
    severity=Severity.WARNING,
    finds="a current with the wrong sign, seen by the course of SoC",
    why={"": "The inverter shows charging as discharging; some regulate with it, the wrong way."},
    do="Positive current charges, in every dialect but SMA's own 305. Turn the sender's sign, or the shunt.",
    look=look,
)
