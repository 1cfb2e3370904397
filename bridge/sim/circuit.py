"""A bank of packs as an inverter sees it, step by step: what it carries, and at what voltage.

Almost every step of almost every bank is packs side by side with all switches closed. That is a
division and a product a pack, done here; everything else goes to `tree`.
"""

from __future__ import annotations

from bridge.sim.tree import Leaf, Node, Parallel, carry, parts


class Circuit:
    """The packs of a tree. Call `look` after they changed, then ask or `carry`; bus_v: since then."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.leaves = tuple(root.leaves())
        self.packs = tuple(leaf.pack for leaf in self.leaves)
        self._is_flat = isinstance(root, Parallel) and all(isinstance(c, Leaf) for c in root.children)
        self._siemens = sum(pack.siemens for pack in self.packs)
        self._feed_a = 0.0
        self._simple = False
        self.bus_v = 0.0
        self.current_a = 0.0
        self.look()

    def look(self) -> None:
        """Take notice of what the packs have become."""
        feed_a, closed = 0.0, self._is_flat
        for pack in self.packs:
            feed_a += pack.emf_v * pack.siemens
            bms = pack.bms
            closed = closed and bms.charge_on and bms.discharge_on
        self._feed_a, self._simple = feed_a, closed

    def current_at(self, voltage_v: float) -> float:
        """The current at which the bus has this voltage, A."""
        if self._simple:
            return voltage_v * self._siemens - self._feed_a
        return self.root.current_at(voltage_v)

    def parts(self) -> list[tuple[float, float]]:
        """For each pack its part of each further ampere, and its current at none."""
        self.look()
        if not self._simple:
            return parts(self.root)
        idle_v = self._feed_a / self._siemens
        return [(p.siemens / self._siemens, (idle_v - p.emf_v) * p.siemens) for p in self.packs]

    def carry(self, demand_a: float) -> float:
        """Send a current through the bank, as far as its switches let it; what really flows, A."""
        if self._simple:
            bus_v = self.bus_v = (demand_a + self._feed_a) / self._siemens
            for leaf, pack in zip(self.leaves, self.packs, strict=True):
                leaf.current_a = (bus_v - pack.emf_v) * pack.siemens
            self.current_a = demand_a
            return demand_a
        self.current_a = carry(self.root, demand_a)
        self.bus_v = self.root.voltage_at(self.current_a)
        return self.current_a
