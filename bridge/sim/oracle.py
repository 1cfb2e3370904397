"""The policy that cannot exist: it reads resistances and open-circuit voltages off the plant.

A pack's current is a * I + b of the bank's current I. With both known exactly, the largest I at which
every pack is within what it may carry, and every cell within its voltages, is a division. The energy
that this delivers is the measure of what was to be had. It has no foresight: when a pack trips, it
learns of it at its next decision like everybody else; so where a scenario asks to survive that, its
limits are those under which the remaining boards stay closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from bridge.model import PackSample
from bridge.sim.circuit import Circuit
from bridge.sim.converter import Command
from bridge.sim.judge import Rights
from bridge.sim.lumped import LumpedPack
from bridge.sim.policies import Said
from bridge.sim.scenario import Scenario
from bridge.sim.tree import Node, Parallel, parts

BELOW_TRIP = 0.97  # of the current at which a board opens: its sensor's error

Bounds = tuple[float, float]
"""The largest charging and discharging current, both positive."""


class Oracle:
    """Reads the plant at each decision."""

    listens = False

    def __init__(self, circuit: Circuit, scenario: Scenario) -> None:
        self._circuit = circuit
        self._rights = [Rights(pack) for pack in circuit.packs]
        self._kind = circuit.packs[0].spec.kind
        self._cells = scenario.cells
        self._inverter = scenario.inverter
        self._remnants = _remnants(circuit.root) if scenario.survive_loss else []

    def heard(self, pack: str, sample: PackSample, now: float) -> None:
        """It needs no samples."""

    def link(self, pack: str, *, up: bool, now: float) -> None:
        """It needs no links."""

    def decide(self, now: float) -> Said:  # noqa: ARG002  # see Policy
        """What could be carried at this moment."""
        charge_a, discharge_a = self._limits()
        packs = self._circuit.packs
        capacity_ah = sum(pack.spec.capacity_ah for pack in packs)
        return Said(
            command=Command(
                charge_voltage_limit_v=self._charge_v(charge_a),
                discharge_voltage_limit_v=0.0,
                charge_current_limit_a=charge_a,
                discharge_current_limit_a=discharge_a,
            ),
            soc=sum(pack.soc * pack.spec.capacity_ah for pack in packs) / capacity_ah,
        )

    def _limits(self) -> Bounds:
        rights = [
            _rights_a(pack, right) for pack, right in zip(self._circuit.packs, self._rights, strict=True)
        ]
        bounds = [_within(self._circuit.packs, self._circuit.parts(), rights)]
        for remnant in self._remnants:
            packs = [leaf.pack for leaf in remnant.leaves()]
            bounds.append(_within(packs, parts(remnant), [_trips_a(pack) for pack in packs]))
        return _limit(min(c for c, _ in bounds)), _limit(min(d for _, d in bounds))

    def _charge_v(self, charge_a: float) -> float:
        """Above all needs, but for an inverter that listens to nothing else, just what the current needs."""
        if not self._inverter.ignores_ccl:
            return self._cells * self._kind.full_v
        return self._circuit.root.voltage_at(charge_a) - self._inverter.voltage_offset_v


def cell_bounds_a(pack: LumpedPack) -> Bounds:
    """The currents that bring the first cell to its upper and to its lower voltage."""
    kind = pack.spec.kind
    charge_a = min((kind.charge_v - g.emf_v) / g.series_ohm for g in pack.groups)
    discharge_a = min((g.emf_v - kind.empty_v) / g.series_ohm for g in pack.groups)
    return max(0.0, charge_a), max(0.0, discharge_a)


def _rights_a(pack: LumpedPack, rights: Rights) -> Bounds:
    by_cells, most = cell_bounds_a(pack), rights.look()
    return min(most.charge_a, by_cells[0]), min(most.discharge_a, by_cells[1])


def _trips_a(pack: LumpedPack) -> Bounds:
    factor = BELOW_TRIP * pack.spec.over.factor
    return factor * pack.spec.rated_charge_a, factor * pack.spec.rated_discharge_a


def _remnants(root: Node) -> list[Node]:
    """What is left of the bank after the loss of each of the units that are in parallel."""
    if not isinstance(root, Parallel):
        return []
    units = root.children
    return [Parallel(*(u for u in units if u is not lost)) for lost in units if len(units) > 1]


def _within(
    packs: Sequence[LumpedPack], shares: Sequence[tuple[float, float]], rights: Sequence[Bounds]
) -> Bounds:
    """The bank currents at which every pack that conducts is within its rights."""
    charge_a = discharge_a = inf
    for pack, (per_a, idle_a), right in zip(packs, shares, rights, strict=True):
        if per_a > 0 and pack.closed:
            charge_a = min(charge_a, (right[0] - idle_a) / per_a)
            discharge_a = min(discharge_a, (right[1] + idle_a) / per_a)
    return charge_a, discharge_a


def _limit(current_a: float) -> float:
    return max(0.0, current_a) if current_a < inf else 0.0
