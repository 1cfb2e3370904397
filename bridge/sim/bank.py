"""Packs in parallel on one bus: divides the demanded current exactly, then lets every pack live with it."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.sim.pack import Pack
from bridge.sim.split import Split, split


class ParallelBank:
    """Packs on one bus. last: how the current divides at the present moment, for the last demand."""

    def __init__(self, packs: Iterable[Pack]) -> None:
        self.packs = tuple(packs)
        self.last = self.solve(0.0)

    def solve(self, demand_a: float) -> Split:
        """How `demand_a` divides at this moment; 0 A shows the circulating currents."""
        return split([pack.branch() for pack in self.packs], demand_a)

    def step(self, demand_a: float, dt_s: float, *, cells_dt_s: float | None = None) -> Split:
        """Carry the demand, as far as switches allow, for `dt_s`; the cells live through cells_dt_s."""
        self.last = self.solve(demand_a)
        for pack, current_a in zip(self.packs, self.last.currents_a, strict=True):
            pack.step(current_a, dt_s, cells_dt_s=cells_dt_s)
        return self.last
