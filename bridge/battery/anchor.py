"""How much a bank may carry so that one pack stays within its limit.

Written for one direction; currents in it count positive. A pack carries beta + share * I of the bank's
current I, where beta circulates. Its limit, less what sensors may be wrong by, leaves head-room:

    anchored    n = C - beta - share * A            I <= A + n / (share (1 + m))     n < 0: share (1 - m)
    cold        n = C - beta                        I <= n / (share (1 + m))

A is what the bank carries now. Anchored, the uncertainty m touches only the current still to come, so the
limit becomes exact as the bank approaches it, whatever the share; with head-room it is never below
the cold one. It needs the currents of all packs, now. While one is silent the cold one holds.

A pack that may or may not be on the bus has certainty w < 1. It must be safe both that it conducts and
that it does not, in any combination with the others. Without the packs out of a set, the rest carry what
circulated through these too, so the limit of pack i over a set of packs is

    n_i + sum over j of  { n_i g_j / g_i  if j is there,  - beta_j  if it is not }

The worst set takes the smaller of the two for each j by itself, which makes the result exact over all
combinations and the effort that of a sort. With w the smaller one gives way to "it is there": continuous,
and it never rises when w or C falls. What g_j/g_i is divided by for the margin, 1 + m, divides a relief
too: a negative beta_j would come to this pack by its share.

A pack that carried more than it may when all were heard last takes the bank down from there, in any
combination as well: without j, the bank carries what j carried less, and this pack's share is the larger.

    A + n_i / (s_i (1 - m)) - sum over j of max(0, beta_j + s_j A + n_i g_j / (g_i (1 - m)))       n_i < 0
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import fsum, inf
from typing import NamedTuple


class Part(NamedTuple):
    """One pack in one direction. circulating_a: beta. certainty: 0..1."""

    name: str
    conductance: float
    share: float
    margin: float
    circulating_a: float
    certainty: float


def anchored_a(limit_a: float, part: Part, carried_a: float) -> float:
    """The bank's current at which this pack reaches limit_a, from what the bank carries now, A."""
    room_a = limit_a - part.circulating_a - part.share * carried_a
    if room_a >= 0:
        return carried_a + room_a / min(1.0, part.share * (1.0 + part.margin))
    return carried_a + room_a / (part.share * (1.0 - part.margin))


class Cold:
    """The same without knowing what flows now, over every combination of the uncertain packs."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._sure = fsum([part.certainty * part.conductance for part in parts])
        self._unsure = unsure = sorted(
            [part for part in parts if part.certainty < 1.0],
            key=lambda part: (part.circulating_a / part.conductance, part.name),
        )
        self._slopes_v = [part.circulating_a / part.conductance for part in unsure]
        self._conductances = [0.0, *accumulate([(1.0 - p.certainty) * p.conductance for p in unsure])]
        reliefs_a = [(1.0 - part.certainty) * min(0.0, part.circulating_a) for part in unsure]
        self._reliefs_a = [0.0, *accumulate(reliefs_a)]
        self._lost_a = fsum([(1.0 - p.certainty) * max(0.0, p.circulating_a) for p in unsure])

    def limit_a(self, limit_a: float, part: Part) -> float:
        """The bank's current at which this pack would reach limit_a in the worst case, A."""
        room_a = limit_a - part.circulating_a
        if room_a <= 0:
            return 0.0
        lost_a = self._lost_a - (1.0 - part.certainty) * max(0.0, part.circulating_a)
        alone_a = room_a - lost_a  # no pack carries more than all of it
        return max(alone_a, self._shared_a(room_a, part) - lost_a, 0.0)

    def _shared_a(self, room_a: float, part: Part) -> float:
        """As its share goes, but for what may come to it from packs that have left."""
        margin = 1.0 + part.margin
        room_v = room_a / (part.conductance * margin)
        amps = room_v * (part.conductance + self._sure - part.certainty * part.conductance)
        if not self._slopes_v:
            return amps
        there = bisect_right(self._slopes_v, -room_a / part.conductance)
        amps += room_v * self._conductances[there]
        relief_a = self._reliefs_a[-1] - self._reliefs_a[there]
        own = 1.0 - part.certainty
        if own and part.circulating_a / part.conductance <= -room_a / part.conductance:
            amps -= room_v * own * part.conductance
        elif own:
            relief_a -= own * min(0.0, part.circulating_a)
        return amps - relief_a / margin

    def from_a(self, limit_a: float, part: Part, carried_a: float) -> float:
        """The most that is left if the bank carried carried_a when all packs were heard last, A; inf if
        this pack had head-room then.
        """
        room_a = limit_a - part.circulating_a - part.share * carried_a
        if room_a >= 0:
            return inf
        amps = anchored_a(limit_a, part, carried_a)
        less_v = room_a / (part.conductance * (1.0 - part.margin))
        for other in self._unsure:
            if other.name != part.name:
                without_a = other.circulating_a + other.share * carried_a + less_v * other.conductance
                amps -= (1.0 - other.certainty) * max(0.0, without_a)
        return amps
