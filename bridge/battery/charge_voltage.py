"""The charge voltage, led by the highest cell of the bank.

A charger that holds a voltage follows it late, and cannot see that one cell is far above the others. So
the loop looks ahead: it takes the highest cell to where its slope will have carried it when a change
made at this moment has had its effect, and lowers or raises the bank's voltage by the integral of what
that misses the target by. The gain follows from the delay, and leaves a phase margin of 70 degrees:
with gain times delay above 1.57 a pure integrator in front of a delay swings by itself; this has 0.35.
A step of 0.1 V on the wire is a step of 25 mV for each of 4 cells, so the dead band is more than a step
wide, most of it below the target: a narrower one has no step to rest on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, inf
from typing import Final, NamedTuple

from bridge.battery.timing import elapsed_s

LOOP: Final = 0.35  # gain times delay
SLOPE_TAU_S: Final = 4.5  # the same as a fifth of the difference once a second; so late is the slope itself
ABOVE_V: Final = 0.005  # the cell is led so far above the target, which the step on the wire takes away again
DEAD_V: Final = 0.003
STEP_V: Final = 0.1
RISE_V_PER_S: Final = 0.02
LEAD_MAX_V: Final = 0.06  # a step of the current is no slope: what it adds at once does not go on
CLIP_ABOVE_V: Final = 0.02  # a cell that will be a step and so much above the target: what the bank has now
CLIP_STEEP: Final = 2.5  # and below that by so much for each volt further
LAG_V: Final = 0.2  # so far what is wanted may be ahead of what is published
STEP_MAX_S: Final = 3.0  # a longer pause earns no more rise than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One bank's loop. Voltages of one cell: charge_v is the target, floor_v the lowest charge voltage,
    from taper_v on the current falls to nothing at max_v. delay_s: from a cell to its answer.
    """

    cells: int
    charge_v: float
    floor_v: float
    taper_v: float
    max_v: float
    delay_s: float


class Highest(NamedTuple):
    """The highest cell, V, and the packs that have one as high, of `among` so many."""

    cell_v: float
    of: tuple[str, ...]
    among: int


class Lead(NamedTuple):
    """What the loop asks for: the bank's voltage, V, and the part of the current that it leaves, 0..1.
    predicted_v: where the highest cell is going.
    """

    voltage_v: float
    factor: float
    predicted_v: float


class ChargeVoltage:
    """The loop's memory. voltage_v: what it asked for last."""

    def __init__(self, loop: Loop, voltage_v: float) -> None:
        self.voltage_v = voltage_v
        self._loop = loop
        self._gain_per_s = LOOP * loop.cells / loop.delay_s
        self._dead_below_v = max(DEAD_V, STEP_V / loop.cells)
        self._clip_above_v = CLIP_ABOVE_V + STEP_V / loop.cells
        self._slope_v_per_s = 0.0
        self._highest: Highest | None = None
        self._now = inf

    def step(self, highest: Highest, bus_v: float | None, top_v: float, now: float) -> Lead:
        """Lead the highest cell to its target with no more than top_v at the bank.

        When packs come or go and the highest cell is another pack's, the difference is no slope.
        """
        loop, passed_s = self._loop, elapsed_s(self._now, now)
        self._now = now
        before, predicted_v = self._highest, highest.cell_v
        if passed_s > 0 and before is not None and _is_same(before, highest):
            weight = -expm1(-passed_s / SLOPE_TAU_S)
            slope_v_per_s = (predicted_v - before.cell_v) / passed_s
            self._slope_v_per_s += weight * (slope_v_per_s - self._slope_v_per_s)
        if passed_s > 0 or before is None:
            self._highest = highest
        if self._slope_v_per_s > 0:
            predicted_v += min(LEAD_MAX_V, (loop.delay_s + SLOPE_TAU_S) * self._slope_v_per_s)
        self._integrate(loop.charge_v + ABOVE_V - predicted_v, passed_s)
        above_v = predicted_v - loop.charge_v
        if above_v > self._clip_above_v and bus_v is not None:
            self.voltage_v = min(self.voltage_v, bus_v - CLIP_STEEP * (above_v - self._clip_above_v))
        self.voltage_v = max(loop.cells * loop.floor_v, min(self.voltage_v, top_v))
        left = (loop.max_v - predicted_v) / (loop.max_v - loop.taper_v)
        return Lead(self.voltage_v, 1.0 if left >= 1.0 else max(0.0, left), predicted_v)

    def published(self, voltage_v: float) -> None:
        """Less may have been said than was asked for, for another reason; go on from there."""
        self.voltage_v = min(self.voltage_v, voltage_v + LAG_V)

    def _integrate(self, error_v: float, passed_s: float) -> None:
        if -DEAD_V < error_v < self._dead_below_v:
            return
        step_v = self._gain_per_s * error_v * min(passed_s, self._loop.delay_s)
        self.voltage_v += min(step_v, RISE_V_PER_S * min(passed_s, STEP_MAX_S))


def _is_same(before: Highest, highest: Highest) -> bool:
    """Whether the two can be compared."""
    return before.among == highest.among or not set(before.of).isdisjoint(highest.of)
