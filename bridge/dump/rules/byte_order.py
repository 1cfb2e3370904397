"""A value that can't be, and would be usual with its two bytes the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bridge.dump.block import Mask
from bridge.dump.evidence import USUAL, explained_by_order, other_order
from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import Series, View

BESIDE = {"charge_voltage_limit_v": "voltage_v", "voltage_v": "charge_voltage_limit_v"}
FAR, NEAR = 2.0, (0.7, 1.3)


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Each value of two whole bytes against what it may be, in both orders."""
    for name in USUAL:
        series = view.series(name)
        if series is None:
            continue
        yield from where(
            name,
            series.frames,
            _swapped_fits(view, series),
            "{} is {:g} {}; with its bytes the other way round {:g}",
            name,
            series.values,
            series.signal.unit,
            _swapped(series),
        )


def _swapped_fits(view: View, series: Series) -> Mask:
    """Where a value can't be and would be usual, or is far from what it stands beside and would be near.

    1024 V may be a battery's, but not beside a limit of 52 V.
    """
    found = explained_by_order(series.signal, series.values, series.frames.data)
    other = BESIDE.get(series.signal.name)
    if other is None or series.signal.length != 16:
        return found
    beside_v = view.latest(other, series.frames)
    swapped_v = other_order(series.signal, series.frames.data)
    far: Mask = (series.values > FAR * beside_v) | (series.values * FAR < beside_v)
    return far & (swapped_v > NEAR[0] * beside_v) & (swapped_v < NEAR[1] * beside_v)


def _swapped(series: Series) -> Callable[[int], object]:
    return lambda row: other_order(series.signal, series.frames.data[row : row + 1])[0]


RULE = Rule(
    severity=Severity.ERROR,
    finds="an impossible value that would be usual with its bytes swapped",
    why={"": "The inverter reads nonsense: limits of thousands of amperes, or a battery of a few volts."},
    do="Pylontech, SMA, Victron and Deye are little endian; Growatt, BYD and Schneider big endian.",
    look=look,
)
