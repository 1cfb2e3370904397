"""How a bank's current divides over parallel packs, and so what the bank may carry.

Packs in parallel share by conductance, not by what they are allowed: a pack carries s_i = g_i / sum g
of the bank's current whether its limit is high or low. So the bank's limit is min(C_i / s_i) over the
packs that conduct; the sum of their limits over-currents the stiffest pack, and n times the smallest
is not cautious either.

A pack that may or may not be on the bus (silent, or returning) has certainty w < 1. It must be safe
both that it conducts and that it does not, in any combination with the others. The worst case for
pack i is that nobody else helps: only w_j of each other pack j is counted on. That gives

    limit = min over i of  C_i * max(1, total_i / (g_i (1 + m_i))),   total_i = g_i + sum_{j != i} w_j g_j
    and at most  sum of w_i C_i

which is exact over all combinations for w = 0, continuous in w, and never rises when w or C falls.
m_i is the relative uncertainty of the share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Protocol

from bridge.model import Constraint, Limit, Member, PackSettings

PRIOR_MARGIN = 0.37
"""Uncertainty of a share that nobody has measured: 2 % and the whole 35 % that measuring would take off.
Cables, fuses and switches are half of a pack's resistance and do not follow its capacity."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One pack in the parallel circuit, for one direction. causes: its own limits, the binding one
    first; never empty.
    """

    pack: PackSettings
    certainty: float
    causes: tuple[Constraint, ...]
    age_s: float | None


class Sharing(Protocol):
    """Turns what packs may carry into what the bank may carry."""

    def observe(self, members: Sequence[Member], now: float) -> None:
        """A new picture of all packs, to learn from."""
        ...

    def limits(self, branches: Sequence[Branch], limit: Limit) -> Iterator[Constraint]:
        """Constraints on the bank's current in one direction. branches: not empty."""
        ...


class CapacitySharing:
    """Assumes that conductance goes with capacity, with a wide margin because it often does not."""

    def observe(self, members: Sequence[Member], now: float) -> None:
        """Nothing is learned from currents: the capacity is what the settings say."""

    def limits(self, branches: Sequence[Branch], limit: Limit) -> Iterator[Constraint]:
        """See `Sharing`."""
        # fsum: the order of the packs must not change the last digit.
        counted_on = fsum([branch.certainty * branch.pack.capacity_ah for branch in branches])
        for branch in branches:
            own = branch.pack.capacity_ah
            total = own + max(0.0, counted_on - branch.certainty * own)
            factor = max(1.0, total / (own * (1.0 + PRIOR_MARGIN)))
            for cause in branch.causes:
                yield _lifted(branch, cause, factor, own / total)
        yield _sum(branches, limit)


def _lifted(branch: Branch, cause: Constraint, factor: float, share: float) -> Constraint:
    """A pack's own limit as the bank feels it."""
    name = branch.pack.name
    part = "" if share >= 1.0 else f"{100 * share:.0f} % share of the bank, "
    return Constraint(
        limit=cause.limit,
        value=cause.value * factor,
        rule=cause.rule,
        text=f"{name}: {part}{cause.text}",
        pack=cause.pack or name,
        cell=cause.cell,
        age_s=branch.age_s,
    )


def _sum(branches: Sequence[Branch], limit: Limit) -> Constraint:
    """More than all together that may be counted on is never allowed."""
    amps = fsum([branch.certainty * branch.causes[0].value for branch in branches])
    sure = any(branch.certainty > 0 for branch in branches)
    text = "the packs together carry no more" if sure else "no pack can be counted on"
    return Constraint(limit=limit, value=amps, rule="sum", text=text)
