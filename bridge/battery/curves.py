"""Derating curves: polylines as data, read by linear interpolation.

A curve is a tuple of (x, y) points in rising x; outside its ends the end value holds. Two points
with the same x make a step, and the step's left value belongs to the point itself: a limit that is
zero "at 0 degC and below" says so exactly.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf

from bridge.model import Curve

CHARGE_C_RATE: Curve = (
    (-20.0, 0.0),
    (0.0, 0.0),
    (0.0, 0.05),
    (5.0, 0.12),
    (10.0, 0.20),
    (15.0, 0.30),
    (20.0, 0.50),
    (45.0, 0.50),
    (50.0, 0.25),
    (55.0, 0.0),
)
"""Charging C-rate over cell temperature, LFP. The cautious side of: Sleeper85/esphome-yambms "Auto
temp-based current" (EVE LF280K), mr-manuel/venus-os_dbus-serialbattery config.default.ini, and the
Alpha APL48-50 rack manual, table 4.3."""

DISCHARGE_C_RATE: Curve = (
    (-20.0, 0.0),
    (-10.0, 0.3),
    (0.0, 0.5),
    (5.0, 0.7),
    (10.0, 1.0),
    (45.0, 1.0),
    (50.0, 0.7),
    (55.0, 0.5),
    (60.0, 0.0),
)
"""Discharging C-rate over cell temperature, LFP; sources as for `CHARGE_C_RATE`."""

DISCHARGE_TAPER: Curve = ((0.0, 0.0), (0.10, 0.1), (0.20, 0.3), (0.30, 1.0))
"""Share of the rated current over V above the discharge stop: 2.80, 2.90, 3.00, 3.10 V for LFP."""

NMC_CHARGE_C_RATE: Curve = (
    (-20.0, 0.0),
    (0.0, 0.0),
    (10.0, 0.20),
    (25.0, 0.50),
    (45.0, 0.50),
    (50.0, 0.25),
    (55.0, 0.0),
)
"""Charging C-rate over cell temperature, NMC. An engineering choice: the hot side is that of LFP."""

LTO_CHARGE_C_RATE: Curve = ((-30.0, 0.0), (-10.0, 0.2), (0.0, 0.5), (10.0, 1.0), (45.0, 1.0), (55.0, 0.0))
"""Charging C-rate over cell temperature, LTO, which may be charged in the cold: no lithium plates on a
titanate electrode. An engineering choice; Toshiba states operation down to -30 degC for its SCiB."""

LTO_DISCHARGE_C_RATE: Curve = DISCHARGE_C_RATE
"""Discharging C-rate over cell temperature, LTO: that of LFP. Titanate cells bear more in the cold, but no
public data sheet was found that says how much; a maker's figures can be written into a curve."""

NMC_DISCHARGE_TAPER: Curve = ((0.0, 0.0), (0.10, 0.1), (0.20, 0.3), (0.30, 1.0))
"""As `DISCHARGE_TAPER`, from 3.40 V down to 3.10 V."""

LTO_DISCHARGE_TAPER: Curve = ((0.0, 0.0), (0.07, 0.1), (0.13, 0.3), (0.20, 1.0))
"""As `DISCHARGE_TAPER`, from 2.05 V down to 1.85 V."""

MOSFET_TAPER: Curve = ((80.0, 1.0), (100.0, 0.0))
"""Share of the rated current over the temperature of the BMS's switches. An engineering choice: makers
trip between 90 and 115 degC."""


def at(curve: Curve, x: float) -> float:
    """The curve's value at x."""
    left_x, left_y = curve[0]
    if x <= left_x:
        return left_y
    for right_x, right_y in curve[1:]:
        if x <= right_x:
            return left_y + (right_y - left_y) * (x - left_x) / (right_x - left_x)
        left_x, left_y = right_x, right_y
    return left_y


def scaled(curve: Curve, factor: float, shift: float = 0.0) -> Curve:
    """The curve with every y times `factor` and every x moved by `shift`."""
    return tuple([(x + shift, y * factor) for x, y in curve])


def plateau(curve: Curve, level: float) -> tuple[float, float]:
    """Between which x the curve is nowhere below `level`, its widest such stretch; (inf, inf) if nowhere.

    A range of which both ends are inside is inside as a whole, because a polyline is straight between points.
    """
    best: tuple[float, float] = (inf, inf)
    run: list[float] = []
    ends = [(-inf, curve[0][1]), *curve, (inf, curve[-1][1])]
    for point in [*ends, (inf, -inf)]:
        if point[1] >= level:
            run.append(point[0])
        elif run:
            if best[0] == inf or run[-1] - run[0] > best[1] - best[0]:
                best = (run[0], run[-1])
            run = []
    return best


def capped(curve: Curve, level: float) -> Curve:
    """The curve, nowhere above `level`."""
    points = [curve[0]]
    for (left_x, left_y), (x, y) in pairwise(curve):
        if (left_y - level) * (y - level) < 0 and left_x < x:
            points.append((left_x + (x - left_x) * (level - left_y) / (y - left_y), level))
        points.append((x, y))
    return tuple([(x, min(y, level)) for x, y in points])


def zero_outside(curve: Curve, low: float, high: float) -> Curve:
    """The curve between `low` and `high`, and 0 at and beyond them."""
    after_low = [y for x, y in curve if x == low][-1:] or [at(curve, low)]
    inner = [(x, y) for x, y in curve if low < x < high]
    return ((low, 0.0), (low, after_low[0]), *inner, (high, at(curve, high)), (high, 0.0))


def highest(curve: Curve, low: float, high: float) -> float:
    """The curve's greatest value for any x from `low` up to and with `high`; see the module for steps."""
    inner = [y for x, y in curve if low <= x < high]
    return max([at(curve, x) for x in (low, high) if abs(x) != inf] + inner + _end(curve, low, high))


def _end(curve: Curve, low: float, high: float) -> list[float]:
    """The end values that hold on an open side."""
    return ([curve[0][1]] if low == -inf else []) + ([curve[-1][1]] if high == inf else [])
