"""Packs in series, in parallel, and in trees of both: how a current divides, and what voltage it needs.

With every switch closed a tree is linear, so it reduces to one voltage behind one resistance, and the
current divides by hand. With a switch open a parallel node of packs and strings is still solved
exactly, by `split`. Only a string of groups in which a switch is open needs a search: voltages rise
with currents, so halving an interval finds the one that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from bridge.sim.lumped import LumpedPack
from bridge.sim.split import Branch, split

HALVINGS = 60
PROBE_A = 1.0
WIDEST_A, WIDEST_V = 1e5, 1e4  # no bank reaches these


class Line(NamedTuple):
    """A linear circuit seen from outside: voltage_v = emf_v + resistance_ohm * current."""

    emf_v: float
    resistance_ohm: float


class Leaf:
    """One pack."""

    def __init__(self, pack: LumpedPack) -> None:
        self.pack = pack
        self.current_a = 0.0

    def leaves(self) -> Iterator[Leaf]:
        """All packs below, in order."""
        yield self

    def line(self) -> Line | None:
        """The circuit as a line; None while a switch is open."""
        return Line(self.pack.emf_v, self.pack.resistance_ohm) if self.pack.closed else None

    def branch(self) -> Branch | None:
        """The circuit as one branch with switches, if it is one."""
        return self.pack.branch()

    def reach_a(self) -> tuple[float, float]:
        """The lowest and highest current that its switches let through."""
        return _reach(self.pack.branch())

    def current_at(self, voltage_v: float) -> float:
        """The current at this voltage, A."""
        return self.pack.branch().current_a(voltage_v)

    def voltage_at(self, current_a: float) -> float:
        """The voltage at this current, which its switches let through, V."""
        return _voltage(self.pack.branch(), current_a)

    def carry(self, current_a: float) -> None:
        """Take this current."""
        self.current_a = current_a


class Series:
    """Nodes one behind the other: the same current through all."""

    def __init__(self, *children: Node) -> None:
        self.children = children

    def leaves(self) -> Iterator[Leaf]:
        """See `Leaf`."""
        for child in self.children:
            yield from child.leaves()

    def line(self) -> Line | None:
        """See `Leaf`."""
        emf_v = resistance_ohm = 0.0
        for child in self.children:
            line = child.line()
            if line is None:
                return None
            emf_v += line.emf_v
            resistance_ohm += line.resistance_ohm
        return Line(emf_v, resistance_ohm)

    def branch(self) -> Branch | None:
        """See `Leaf`."""
        found = [child.branch() for child in self.children]
        branches = [branch for branch in found if branch is not None]
        if len(branches) < len(found):
            return None
        charge_on = all(branch.charge_on for branch in branches)
        discharge_on = all(branch.discharge_on for branch in branches)
        return Branch(
            emf_v=sum(branch.emf_v for branch in branches),
            resistance_ohm=sum(branch.resistance_ohm for branch in branches),
            charge_on=charge_on,
            discharge_on=discharge_on,
            diode_v=sum(b.diode_v for b in branches if b.charge_on != b.discharge_on),
        )

    def reach_a(self) -> tuple[float, float]:
        """See `Leaf`."""
        ends = [child.reach_a() for child in self.children]
        return max(low for low, _ in ends), min(high for _, high in ends)

    def current_at(self, voltage_v: float) -> float:
        """See `Leaf`."""
        if (branch := self.branch()) is not None:
            return branch.current_a(voltage_v)
        low_a, high_a = self.reach_a()
        return _where(self.voltage_at, voltage_v, max(low_a, -WIDEST_A), min(high_a, WIDEST_A))

    def voltage_at(self, current_a: float) -> float:
        """See `Leaf`."""
        return sum(child.voltage_at(current_a) for child in self.children)

    def carry(self, current_a: float) -> None:
        """See `Leaf`."""
        for child in self.children:
            child.carry(current_a)


class Parallel:
    """Nodes side by side: the same voltage on all."""

    def __init__(self, *children: Node) -> None:
        self.children = children

    def leaves(self) -> Iterator[Leaf]:
        """See `Leaf`."""
        for child in self.children:
            yield from child.leaves()

    def line(self) -> Line | None:
        """See `Leaf`."""
        siemens = feed_a = 0.0
        for child in self.children:
            line = child.line()
            if line is None:
                return None
            siemens += 1.0 / line.resistance_ohm
            feed_a += line.emf_v / line.resistance_ohm
        return Line(feed_a / siemens, 1.0 / siemens)

    def branch(self) -> Branch | None:
        """See `Leaf`."""
        line = self.line()
        if line is not None:
            return Branch(emf_v=line.emf_v, resistance_ohm=line.resistance_ohm)
        return self.children[0].branch() if len(self.children) == 1 else None

    def reach_a(self) -> tuple[float, float]:
        """See `Leaf`."""
        ends = [child.reach_a() for child in self.children]
        return min(low for low, _ in ends), max(high for _, high in ends)

    def current_at(self, voltage_v: float) -> float:
        """See `Leaf`."""
        return sum(child.current_at(voltage_v) for child in self.children)

    def voltage_at(self, current_a: float) -> float:
        """See `Leaf`."""
        line = self.line()
        if line is not None:
            return line.emf_v + line.resistance_ohm * current_a
        if (branches := self._branches()) is not None:
            return split(branches, current_a).bus_v
        return _where(self.current_at, current_a, 0.0, WIDEST_V)

    def carry(self, current_a: float) -> None:
        """See `Leaf`."""
        branches = None if self.line() is not None else self._branches()
        if branches is not None:
            for child, part_a in zip(self.children, split(branches, current_a).currents_a, strict=True):
                child.carry(part_a)
            return
        voltage_v = self.voltage_at(current_a)
        for child in self.children:
            child.carry(child.current_at(voltage_v))

    def _branches(self) -> Sequence[Branch] | None:
        found = [child.branch() for child in self.children]
        branches = [branch for branch in found if branch is not None]
        return branches if len(branches) == len(found) else None


Node = Leaf | Series | Parallel


def carry(node: Node, demand_a: float) -> float:
    """Send `demand_a` through a tree, as far as switches let it; what really flows, A."""
    low_a, high_a = node.reach_a()
    current_a = min(max(demand_a, low_a), high_a)
    node.carry(current_a)
    return current_a


def parts(node: Node) -> list[tuple[float, float]]:
    """For each pack its part of each further ampere, and its current at none; leaves all as it was."""
    leaves = list(node.leaves())
    kept = [leaf.current_a for leaf in leaves]
    carry(node, 0.0)
    idle = [leaf.current_a for leaf in leaves]
    carry(node, PROBE_A)
    probed = [leaf.current_a for leaf in leaves]
    for leaf, current_a in zip(leaves, kept, strict=True):
        leaf.current_a = current_a
    return [((with_a - alone_a) / PROBE_A, alone_a) for with_a, alone_a in zip(probed, idle, strict=True)]


def _reach(branch: Branch) -> tuple[float, float]:
    return (-inf if branch.discharge_on else 0.0), (inf if branch.charge_on else 0.0)


def _voltage(branch: Branch, current_a: float) -> float:
    return branch.kink_v + branch.resistance_ohm * current_a


def _where(rising: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """The argument in low..high at which a rising function is `wanted`, or the nearer end."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if rising(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
