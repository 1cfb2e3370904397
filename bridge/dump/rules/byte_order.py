"""A value that can't be, and would be usual with its two bytes the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bridge.dump.evidence import USUAL, explained_by_order, other_order
from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import Series, View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Each value of two whole bytes against what it may be, in both orders."""
    for name in USUAL:
        series = view.series(name)
        if series is None:
            continue
        yield from where(
            name,
            series.frames,
            explained_by_order(series.signal, series.values, series.frames.data),
            "{} is {:g} {}; with its bytes the other way round {:g}",
            name,
            series.values,
            series.signal.unit,
            _swapped(series),
        )


def _swapped(series: Series) -> Callable[[int], object]:
    return lambda row: other_order(series.signal, series.frames.data[row : row + 1])[0]


RULE = Rule(
    severity=Severity.ERROR,
    finds="an impossible value that would be usual with its bytes swapped",
    why={"": "The inverter reads nonsense: limits of thousands of amperes, or a battery of a few volts."},
    do="Pylontech, SMA, Victron and Deye are little endian; Growatt, BYD and Schneider big endian.",
    look=look,
)
