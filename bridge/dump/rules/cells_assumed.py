"""The charge voltage limit is above what this inverter's fixed number of cells allows: it is ignored."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

CELL_V = 3.60


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """CVL against the profile's cells."""
    profile, limit = view.case.profile, view.series("charge_voltage_limit_v")
    if profile is None or profile.cells_assumed is None or limit is None:
        return
    most_v = profile.cells_assumed * CELL_V
    yield from where(
        "charge_voltage_limit_v",
        limit.frames,
        limit.values > most_v,
        "CVL {0:g} V, but the inverter takes {1} cells for granted",
        limit.values,
        profile.cells_assumed,
        weights=limit.values,
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="a CVL for more cells than the inverter takes for granted (IMEON)",
    why={
        "": "The inverter takes a fixed number of cells for granted and ignores a higher CVL.",
        "imeon": "An IMEON in Pylontech mode has a fixed ceiling of about 53 V: never full.",
    },
    do="Use a battery of that many cells, or another mode of the inverter.",
    look=look,
)
