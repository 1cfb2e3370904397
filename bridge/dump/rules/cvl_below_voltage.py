"""The charge voltage limit is below the battery's present voltage."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, as_severe, lasting, where
from bridge.dump.view import View

BELOW_V, BELOW = 0.3, 0.008  # and that share of the voltage, for high ones
DUMPS = frozenset(
    {"deye-lv", "sunsynk-lv", "deye-pcs", "sma-sunny-island", "solis-lv-aobo", "victron-gx", "byd-lv"}
)


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """CVL against the last voltage, over some cycles."""
    limit, profile = view.series("charge_voltage_limit_v"), view.case.profile
    if limit is None:
        return
    voltage_v = view.latest("voltage_v", limit.frames)
    below_v = voltage_v - limit.values
    severe = profile is not None and profile.name in DUMPS
    found = (below_v > BELOW_V) & (below_v > BELOW * voltage_v) & (limit.values > 0.6 * voltage_v)
    hits = where(
        "charge_voltage_limit_v",
        limit.frames,
        lasting(found, memory, "below"),
        "CVL {0:g} V with the battery at {1:g} V",
        limit.values,
        voltage_v,
        weights=below_v,
    )
    yield from as_severe(Severity.ERROR if severe else Severity.WARNING, hits)


RULE = Rule(
    severity=Severity.WARNING,
    finds="a CVL below the battery's voltage; an error for inverters that discharge then",
    why={
        "": "Many inverters discharge, into the house or the grid, until the battery is at the limit.",
        "deye-lv": "A Deye SUN-12K then discharges to the grid at full current.",
        "sma-si": "A Sunny Island then discharges, and ignores DCL.",
        "victron": "A GX takes it for over-voltage and empties the battery.",
    },
    do="To stop charging send CCL 0 and leave CVL at the battery's voltage; lower CVL by 0.1 V at a time.",
    look=look,
)
