"""Which mishaps of a bank are its policy's: those that another limit would have prevented.

A limit cannot stop an inverter that listens to none, nor a current that circulates between packs while
the bank itself is idle. Both are left out, for all policies alike, and only after the fact: nothing here
is known to any of them. A SoC step is a policy's own doing only while packs come or go; a counter that
jumps by itself is not.
"""

from __future__ import annotations

from math import inf

from bridge.model import NO_ALARMS, Alarm
from bridge.sim.circuit import Circuit
from bridge.sim.converter import ConverterSpec
from bridge.sim.scenario import Scenario

MEMBERSHIP = frozenset({"link_lost", "pack_off", "frozen", "cell_reads"})
"""Events after which a gateway may count a pack no more, or again."""
MOVING_S = 300.0
"""For so long a membership change may show: until a silent pack is lost, or a returned one is taken in,
and the shown SoC has glided to the new mean."""
RELOOK_S = 1.0


def excused(inverter: ConverterSpec) -> frozenset[Alarm]:
    """The trips that come because this inverter listens to nothing that would have prevented them."""
    found = NO_ALARMS
    if inverter.ignores_ccl and inverter.ignores_cvl:
        found |= {Alarm.CHARGE_OVERCURRENT, Alarm.CELL_OVERVOLTAGE}
    if inverter.ignores_dcl:
        found |= {Alarm.DISCHARGE_OVERCURRENT}  # under-voltage not: the inverter stops at DVL
    return found


def circulates(circuit: Circuit, index: int, current_a: float, bound_a: float) -> bool:
    """Whether a pack would be beyond bound_a (positive) in current_a's direction with the bank idle."""
    idle_a = circuit.parts()[index][1]
    return (idle_a if current_a > 0 else -idle_a) > bound_a


class Comings:
    """Says whether packs have come or gone lately: by an event of the scenario, or by a board's switch."""

    def __init__(self, scenario: Scenario, circuit: Circuit) -> None:
        self._circuit = circuit
        self._known_s = sorted(_known_s(scenario))
        self._until_s = self._looked_s = -inf
        self._switches = self._seen()

    def lately(self, now: float) -> bool:
        """Whether a membership change may show at `now`, which never goes back."""
        while self._known_s and self._known_s[0] <= now:
            self._until_s = self._known_s.pop(0) + MOVING_S
        if now - self._looked_s >= RELOOK_S:
            self._looked_s, before = now, self._switches
            self._switches = self._seen()
            if self._switches != before:
                self._until_s = now + MOVING_S
        return now < self._until_s

    def _seen(self) -> list[bool]:
        return [on for pack in self._circuit.packs for on in (pack.bms.charge_on, pack.bms.discharge_on)]


def _known_s(scenario: Scenario) -> list[float]:
    events = [event for event in scenario.events if event.kind in MEMBERSHIP]
    return [event.at_s for event in events] + [e.at_s + e.for_s for e in events if e.for_s is not None]
