"""The packs as a charge sees them: the highest cell, and whether the bank is full, idle or blocked.

Only packs whose charge switch is, or may be, closed have a highest cell here: what no charge reaches must
not keep the others from theirs. A pack that fell silent keeps its cells as they were; unless the user takes
it to be off the bus, losing it must not raise anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from bridge.battery.charge_stages import Seen
from bridge.battery.context import Pack
from bridge.battery.facts import UNSEEN_CELL_V, Facts
from bridge.battery.full import packs_full

TAIL_C_RATE: Final = 0.02  # less than this flows in: next to nothing


class View:
    """One pass over the packs. highest: the pack of the highest cell, of those that can be charged, which
    are `among` many; of: the names of all with so high a cell; those of them that are not lost are together
    rated for rated_a. heard: at least one speaks.
    """

    __slots__ = ("among", "blocked", "capacity_ah", "current_a", "heard", "highest", "highest_v", "of",
                 "rated_a", "soc", "spread_v")  # fmt: skip

    def __init__(self, packs: Sequence[Pack], *, excludes: bool) -> None:
        self.highest: Facts | None = None
        self.of: tuple[str, ...] = ()
        self.highest_v, self.among, self.rated_a = -inf, 0, 0.0
        self.soc: float | None = None
        self.current_a: float | None = 0.0
        self.spread_v = self.capacity_ah = 0.0
        self.heard, self.blocked = False, True
        for pack in packs:
            facts = pack.facts
            if facts is None or (excludes and not pack.trusted):
                continue
            if facts.sample.charge_fet_on is not False:
                self._compare(facts, trusted=pack.trusted)
                if self.blocked and pack.heard:
                    self.blocked = not _may_charge(pack)
            self.heard = self.heard or pack.heard
            if pack.counts:
                self._count(facts)

    def seen(self, packs: Sequence[Pack]) -> Seen:
        """What the stages turn on."""
        tail_a = TAIL_C_RATE * self.capacity_ah
        return Seen(
            None if self.highest is None else self.highest_v,
            self.spread_v,
            self.soc,
            packs_full(packs),
            self.current_a is not None and self.current_a < tail_a,
            self.current_a is None or self.current_a < -tail_a,
            self.blocked,
        )

    def _compare(self, facts: Facts, *, trusted: bool) -> None:
        own, cell_v = facts.settings, facts.cell_max_v
        if not facts.cells_readable and not facts.cells_derived and facts.voltage_v is not None:
            cell_v = max(cell_v or 0.0, facts.voltage_v / own.cells + UNSEEN_CELL_V)
        if cell_v is None:
            return
        self.among += 1
        self.rated_a += own.charge_carry_a if trusted else 0.0  # it may have left
        if cell_v > self.highest_v:
            self.highest, self.highest_v, self.of = facts, cell_v, (own.name,)
        elif cell_v == self.highest_v:
            self.of += (own.name,)

    def _count(self, facts: Facts) -> None:
        sample = facts.sample
        self.capacity_ah += facts.settings.capacity_ah
        if self.current_a is not None and sample.current_a is not None:
            self.current_a += sample.current_a
        else:
            self.current_a = None
        if sample.soc is not None and (self.soc is None or sample.soc < self.soc):
            self.soc = sample.soc
        if facts.cells_readable and facts.cell_max_v is not None and facts.cell_min_v is not None:
            self.spread_v = max(self.spread_v, facts.cell_max_v - facts.cell_min_v)


def _may_charge(pack: Pack) -> bool:
    """Whether it may, or a high cell keeps it from that, whatever else does too; cells are the loop's."""
    for cause in pack.limits.charge:
        if cause.value > 0:
            break
        if cause.rule == "cell_high":
            return True
    return pack.limits.charge[0].value > 0
