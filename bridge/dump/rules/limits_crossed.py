"""The charge voltage limit is not above the discharge voltage limit."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """CVL against DVL; a DVL of 0 is none."""
    limit = view.series("charge_voltage_limit_v")
    if limit is None:
        return
    low_v = view.latest("discharge_voltage_limit_v", limit.frames)
    yield from where(
        "discharge_voltage_limit_v",
        limit.frames,
        (low_v > 1) & (limit.values > 6) & (low_v >= limit.values),
        "DVL {0:g} V, CVL {1:g} V",
        low_v,
        limit.values,
    )


RULE = Rule(
    severity=Severity.ERROR,
    finds="a DVL that is not below CVL",
    why={"": "There is no voltage at which the inverter could work: it stops, or drops both values."},
    do="Are the two swapped? Bytes 0 and 1 of 351 are CVL, 6 and 7 DVL.",
    look=look,
)
