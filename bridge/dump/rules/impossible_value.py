"""A number that no battery has."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.evidence import RANGES, explained_by_order
from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

ELSEWHERE = frozenset(  # these have rules of their own
    {"charge_current_limit_a", "discharge_current_limit_a", "soc_pct", "soh_pct", "module_count",
     "temperature_c", "temperature_max_c", "temperature_min_c", "installed_ah", "charge_voltage_limit_v"}
)  # fmt: skip


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Each quantity against what it may be at all; 0 is left to others."""
    for name, (low, high) in RANGES.items():
        if name in ELSEWHERE:
            continue
        for series in view.all_series(name):
            yield from where(
                name,
                series.frames,
                ((series.values < low) | (series.values > high))
                & (series.values != 0)
                & ~explained_by_order(series.signal, series.values, series.frames.data),
                "{0} is {1:g} {2}",
                series.signal.name,
                series.values,
                series.signal.unit,
            )


RULE = Rule(
    severity=Severity.WARNING,
    finds="a voltage, current, cell or temperature that no battery has",
    why={"": "The inverter shows it, or takes it for a fault of the battery."},
    do="Look at the raw bytes: scale, offset, sign, byte order, or another dialect's meaning.",
    look=look,
)
