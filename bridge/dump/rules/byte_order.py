"""A value that can't be, and would be usual with its two bytes the other way round."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.evidence import RANGES, other_order
from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

USUAL = {  # narrower than what can be: a swapped byte must not be explained by chance
    "charge_voltage_limit_v": (10, 900),
    "discharge_voltage_limit_v": (8, 900),
    "voltage_v": (8, 900),
    "soc_pct": (1, 100),
    "soh_pct": (10, 100),
    "cell_max_v": (1.5, 4.5),
    "cell_min_v": (1.5, 4.5),
    "charge_current_limit_a": (0, 600),
    "discharge_current_limit_a": (0, 600),
}


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Each value of two whole bytes against what it may be, in both orders."""
    for name, (low, high) in USUAL.items():
        series = view.series(name)
        if series is None or series.signal.length != 16 or series.signal.shift % 8:
            continue
        lowest, highest = RANGES[name]
        bad = (series.values < lowest) | (series.values > highest)
        if not bad.any():
            continue
        swapped = other_order(series.signal, series.frames.data)
        yield from where(
            name,
            series.frames,
            bad & (swapped >= low) & (swapped <= high),
            "{0} is {1:g} {2}; with its bytes the other way round {3:g}",
            series.signal.name,
            series.values,
            series.signal.unit,
            swapped,
        )


RULE = Rule(
    severity=Severity.ERROR,
    finds="an impossible value that would be usual with its bytes swapped",
    why={"": "The inverter reads nonsense: limits of thousands of amperes, or a battery of a few volts."},
    do="Pylontech, SMA, Victron and Deye are little endian; Growatt, BYD and Schneider big endian.",
    look=look,
)
