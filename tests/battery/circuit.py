"""A parallel circuit with known resistances, as packs that are polled each at its own pace would tell it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from bridge.battery.context import Pack
from bridge.battery.sharing import Branch, LearnedSharing
from bridge.model import Limit, PackSample, PackSettings, PackState
from tests.battery.story import stand, well

Load = Callable[[float], float]


@dataclass
class Circuit:
    """packs: their settings; ohm, emf_v: what they are in truth. period_s: between two polls of each.

    noise_a: standard deviation of each reading. dead_a: readings smaller than this are 0.
    """

    packs: Sequence[PackSettings]
    ohm: Sequence[float]
    emf_v: Sequence[float]
    period_s: Sequence[float] = ()
    noise_a: float = 0.0
    dead_a: float = 0.0
    silent: set[str] = field(default_factory=set)
    off: set[str] = field(default_factory=set)
    sharing: LearnedSharing = field(default_factory=LearnedSharing)
    now: float = 0.0
    step_s: float = 0.5

    def __post_init__(self) -> None:
        self._chance = Random(1)
        periods_s = self.period_s or [1.0] * len(self.packs)
        self._periods_s = periods_s
        self._next_s = [i * p / len(periods_s) for i, p in enumerate(periods_s)]
        self._samples: list[PackSample | None] = [None] * len(self.packs)
        self._stands: dict[str, tuple[PackSample | None, PackState, Pack]] = {}

    def currents_a(self, total_a: float) -> list[float]:
        """What each pack carries in truth when the bank carries total_a."""
        siemens = [0.0 if p.name in self.off else 1 / r for p, r in zip(self.packs, self.ohm, strict=True)]
        feed_a = sum(g * u for g, u in zip(siemens, self.emf_v, strict=True))
        bus_v = (total_a + feed_a) / sum(siemens)
        return [g * (bus_v - u) for g, u in zip(siemens, self.emf_v, strict=True)]

    def run(self, seconds: float, load: Load | float) -> Circuit:
        """Live on with this bank current; samples are taken as each pack's poll is due."""
        for _ in range(round(seconds / self.step_s)):
            self.now += self.step_s
            amps = self.currents_a(load if isinstance(load, float | int) else load(self.now))
            for i, own in enumerate(self.packs):
                if self.now >= self._next_s[i] and own.name not in self.silent:
                    self._next_s[i] = self.now + self._periods_s[i]
                    self._samples[i] = self._read(amps[i])
            self.sharing.observe(self.stands(), self.now)
        return self

    def stands(self) -> list[Pack]:
        """The packs on the bus as the aggregator would hand them on."""
        return [
            self._stand(own, sample)
            for own, sample in zip(self.packs, self._samples, strict=True)
            if own.name not in self.off
        ]

    def _stand(self, own: PackSettings, sample: PackSample | None) -> Pack:
        state = PackState.STALE if own.name in self.silent else PackState.ACTIVE
        state = PackState.UNKNOWN if sample is None else state
        known = self._stands.get(own.name)
        if known is None or known[0] is not sample or known[1] is not state:
            known = self._stands[own.name] = sample, state, stand(own, sample, state)
        return known[2]

    def branches(self, limit: Limit, certainty: float = 1.0) -> list[Branch]:
        """The packs on the bus with their own limits; certainty: of those that are silent."""
        return [
            Branch(
                pack.member.settings,
                certainty if pack.member.name in self.silent else 1.0,
                pack.limits.current(limit),
                pack.member.age_s,
            )
            for pack in self.stands()
        ]

    def limit_a(self, limit: Limit, certainty: float = 0.0) -> float:
        """What the bank may carry."""
        return min(c.value for c in self.sharing.limits(self.branches(limit, certainty), limit))

    def shares(self) -> list[float]:
        """The shares as learned."""
        return [part.share for part in self.sharing.parts(self.branches(Limit.CCL), Limit.CCL)]

    def circulating_a(self) -> list[float]:
        """What circulates, as learned."""
        return [part.circulating_a for part in self.sharing.parts(self.branches(Limit.CCL), Limit.CCL)]

    def margins(self) -> list[float]:
        """The relative uncertainty of the shares."""
        return [part.margin for part in self.sharing.parts(self.branches(Limit.CCL), Limit.CCL)]

    def _read(self, amps: float) -> PackSample:
        amps += self._chance.gauss(0.0, self.noise_a) if self.noise_a else 0.0
        amps = 0.0 if abs(amps) < self.dead_a else amps
        return replace(well(self.now), current_a=amps)


def turns(high_a: float, low_a: float = 0.0, every_s: float = 20.0) -> Load:
    """A load in turns."""
    return lambda now: high_a if now % (2 * every_s) < every_s else low_a
