"""How a current divides among packs in parallel: solved exactly, not iterated.

A pack is an ideal voltage behind a resistance. One whose switch is open in a direction carries
current only the other way, and through the body diode of the open switch. The sum of all currents
is therefore a rising, piecewise straight function of the bus voltage with one kink per diode: walk
its pieces from low to high voltage and take the first on which the demand lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

DIODE_V = 0.7  # 0.6 to 0.9 V, the drop of a power MOSFET's body diode


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One pack as the bus sees it. emf_v: its voltage at zero current; resistance_ohm > 0: all that
    lies between that and the bus; *_on: the switch that allows current in this direction is closed.
    diode_v: the drop while one of them is open; of a string, of all its open switches.
    """

    emf_v: float
    resistance_ohm: float
    charge_on: bool = True
    discharge_on: bool = True
    diode_v: float = DIODE_V

    @property
    def connected(self) -> bool:
        """Whether any current can flow."""
        return self.charge_on or self.discharge_on

    @property
    def kink_v(self) -> float:
        """The bus voltage at which this branch carries no current and, with one switch open, starts to."""
        if self.charge_on == self.discharge_on:
            return self.emf_v
        return self.emf_v + self.diode_v if self.charge_on else self.emf_v - self.diode_v

    def current_a(self, bus_v: float) -> float:
        """Charging current at this bus voltage, A."""
        current_a = (bus_v - self.kink_v) / self.resistance_ohm
        if not self.discharge_on:
            current_a = max(0.0, current_a)
        if not self.charge_on:
            current_a = min(0.0, current_a)
        return current_a


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The bus voltage and each branch's current, in the order given. total_a: what really flows."""

    bus_v: float
    currents_a: tuple[float, ...]

    @property
    def total_a(self) -> float:
        """The bank's current, A."""
        return sum(self.currents_a)


def split(branches: Sequence[Branch], demand_a: float) -> Split:
    """The common voltage at which the branches together carry `demand_a`, and what each carries.

    A demand that no closed switch lets through is not met: nothing flows in that direction. Where
    a range of voltages would do (nobody conducts), it is the lowest, and 0 V if nobody feeds the bus.
    """
    live = [branch for branch in branches if branch.connected]
    low_a = -inf if any(branch.discharge_on for branch in live) else 0.0
    high_a = inf if any(branch.charge_on for branch in live) else 0.0
    bus_v = _bus_v(live, min(max(demand_a, low_a), high_a))
    return Split(bus_v=bus_v, currents_a=tuple(branch.current_a(bus_v) for branch in branches))


def _bus_v(live: Sequence[Branch], demand_a: float) -> float:
    kinks_v = sorted(branch.kink_v for branch in live if branch.charge_on != branch.discharge_on)
    for low_v, high_v in zip([-inf, *kinks_v], [*kinks_v, inf], strict=True):
        bus_v = _on_piece(live, demand_a, low_v, high_v)
        if bus_v is not None:
            return bus_v
    raise AssertionError("a rising function reaches every demand between its ends")


def _on_piece(live: Sequence[Branch], demand_a: float, low_v: float, high_v: float) -> float | None:
    """Where the sum is `demand_a` for bus voltages from low_v to high_v; None if it is higher up."""
    siemens = feed_a = 0.0
    for branch in live:
        if (branch.charge_on or branch.kink_v >= high_v) and (branch.discharge_on or branch.kink_v <= low_v):
            siemens += 1 / branch.resistance_ohm
            feed_a += branch.kink_v / branch.resistance_ohm
    if siemens == 0:
        idle_v = max(low_v, 0.0)
        return idle_v if demand_a <= 0 else None
    bus_v = max((demand_a + feed_a) / siemens, low_v)
    return bus_v if bus_v <= high_v else None
