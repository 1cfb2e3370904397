"""What circulates between packs in parallel, and what the bank carries, followed picture by picture.

What a pack carries besides its share of the bank's current is what circulates: an emptier pack is charged
by the others. It drifts with the charge of the packs, so it is followed with a lag of seconds, and not
while the load steps. A circuit is one set of packs: when a pack comes or goes, another begins, with the
voltages that the packs were known to have against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, fsum, inf
from typing import Final

from bridge.battery.alignment import Aligner, Point, Snapshot
from bridge.battery.shares import Circuit, Shares
from bridge.model import PackSettings

CIRCULATING_TAU_S: Final = 5.0
# More than this, of the rating too, moves only while the load steps, which is a bad time to see what
# circulates, unless it has been so for this long.
RESTLESS_A: Final = 10.0
RESTLESS_RATIO: Final = 0.05
RESTLESS_S: Final = 15.0


class Flow:
    """What circulates between the packs of one circuit, and what the bank carries.

    circulating_a: one value a pack, their sum is 0. total_a: None until all packs were heard together.
    """

    def __init__(
        self, packs: Sequence[PackSettings], shares: Shares, rest_v: Mapping[str, float], now: float
    ):
        self.names = tuple([own.name for own in packs])
        self.circuit: Circuit = shares.circuit(packs)
        self._aligner = Aligner(len(packs), now)
        self._restless_since_s = inf
        self._time_s: float | None = None
        self.total_a: float | None = None
        siemens = self.circuit.conductance
        known = [(g, rest_v[name]) for name, g in zip(self.names, siemens, strict=True) if name in rest_v]
        self._mean_v = fsum([g * v for g, v in known]) / fsum([g for g, _ in known]) if known else 0.0
        self.circulating_a = [
            g * (self._mean_v - rest_v.get(name, self._mean_v))
            for name, g in zip(self.names, siemens, strict=True)
        ]

    def rest_v(self) -> dict[str, float]:
        """How the packs of this circuit stand against each other with no current, V, by name. What all have
        in common is not known, and stays as it was.
        """
        return {
            name: self._mean_v - amps / g
            for name, amps, g in zip(self.names, self.circulating_a, self.circuit.conductance, strict=True)
        }

    def hold(self, now: float) -> None:
        """Not all packs are heard: nothing changes until they are, and then it begins with new samples."""
        self._aligner = Aligner(len(self.names), now)
        self.circuit.begin_again()
        self._time_s = None

    def take(self, samples: Sequence[Point]) -> bool:
        """The packs' newest samples, in their order; whether anything changed."""
        snapshot = self._aligner.take(samples)
        if snapshot is None:
            return False
        before = self.circuit.share
        if self.circuit.learn(snapshot):
            self._correct(before, snapshot.total_a)
        self._follow(snapshot)
        return True

    def _correct(self, before: Sequence[float], total_a: float) -> None:
        """What a wrong share had put down to circulation is not counted twice."""
        self.circulating_a = [
            amps - (share - old) * total_a
            for amps, share, old in zip(self.circulating_a, self.circuit.share, before, strict=True)
        ]

    def _follow(self, snapshot: Snapshot) -> None:
        if self._is_restless(snapshot):
            return
        seen_a = [
            amps - share * snapshot.total_a
            for amps, share in zip(snapshot.currents_a, self.circuit.share, strict=True)
        ]
        if self._time_s is None:
            self.circulating_a = seen_a
        else:
            follow = 1.0 - exp((self._time_s - snapshot.time_s) / CIRCULATING_TAU_S)
            self.circulating_a = [
                amps + follow * (seen - amps) for amps, seen in zip(self.circulating_a, seen_a, strict=True)
            ]
        self._time_s, self.total_a = snapshot.time_s, snapshot.total_a

    def _is_restless(self, snapshot: Snapshot) -> bool:
        """Whether the load steps at this moment, and has not done so for long."""
        most_a = max(RESTLESS_A, RESTLESS_RATIO * self.circuit.rated_a)
        if self._time_s is None or snapshot.restless_a <= most_a:
            self._restless_since_s = inf
            return False
        self._restless_since_s = min(self._restless_since_s, snapshot.time_s)
        return snapshot.time_s - self._restless_since_s < RESTLESS_S
