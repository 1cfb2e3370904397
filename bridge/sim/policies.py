"""The ways to draw one bank's limits from several packs that a scenario can be run with.

`ours` is the gateway's own engine. `sum` and `nmin` are what others do: add the packs' limits, or take n
times the smallest. `oracle` (its own module) knows every resistance and open-circuit voltage exactly,
and says what could have been delivered. All are driven alike: samples and broken links come in, a
`Said` comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bridge import config as configuration
from bridge.config import Config
from bridge.events import Tick
from bridge.gateway import Gateway
from bridge.model import PackInfo, PackSample, Ratings
from bridge.sim.converter import Command
from bridge.sim.gateway_config import config_text
from bridge.sim.judge import NOTHING, Allowed, asked
from bridge.sim.scenario import Branching, Scenario

NAMES = ("ours", "sum", "nmin")
LOST_S = 30.0  # after so long without a sample, the simple policies leave a pack out
SIMPLE_CHARGE_V = 0.05  # above the charge target per cell: 3.50 V for LFP, where they put CVL


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a policy tells the inverter, and the SoC that it shows (0..1; None while it knows none). stage:
    of the charge, where the policy has stages.
    """

    command: Command
    soc: float | None
    causes: tuple[str, ...] = ()
    stage: str | None = None


class Policy(Protocol):
    """Something that runs a bank. Packs are named as in the scenario. listens: whether it wants samples."""

    listens: bool

    def heard(self, pack: str, sample: PackSample, now: float) -> None:
        """A sample of a pack arrived."""
        ...

    def link(self, pack: str, *, up: bool, now: float) -> None:
        """The way to a pack broke, or is whole again."""
        ...

    def decide(self, now: float) -> Said:
        """What the inverter is to be told."""
        ...


class Ours:
    """The real engine, fed with samples where it would decode bytes: `gateway.Gateway` without sinks."""

    listens = True

    def __init__(self, scenario: Scenario, now: float = 0.0) -> None:
        self._gateway = Gateway(config_of(scenario), {}, now)
        for plan in scenario.packs:
            spec = plan.spec
            ratings = Ratings(
                cell_ovp_v=spec.kind.ovp_v[0],
                cell_uvp_v=spec.kind.uvp_v[0],
                charge_ocp_a=spec.over.factor * spec.rated_charge_a,
                discharge_ocp_a=spec.over.factor * spec.rated_discharge_a,
            )
            self._gateway.aggregator.informed(spec.name, PackInfo(cell_count=spec.cells, ratings=ratings))

    def heard(self, pack: str, sample: PackSample, now: float) -> None:
        """See `Policy`."""
        self._gateway.aggregator.heard(pack, sample, now)

    def link(self, pack: str, *, up: bool, now: float) -> None:
        """See `Policy`."""
        self._gateway.aggregator.link(pack, up, now)

    def decide(self, now: float) -> Said:
        """See `Policy`."""
        self._gateway.handle(Tick(), now)
        decision = self._gateway.decision
        assert decision is not None  # a tick that is due decides
        return Said(
            command=Command(
                charge_voltage_limit_v=decision.charge_voltage_limit_v,
                discharge_voltage_limit_v=decision.discharge_voltage_limit_v,
                charge_current_limit_a=decision.charge_current_limit_a if decision.charge_enabled else 0.0,
                discharge_current_limit_a=(
                    decision.discharge_current_limit_a if decision.discharge_enabled else 0.0
                ),
            ),
            soc=decision.bank.soc,
            stage=decision.stage,
            causes=tuple(
                f"{found[0].rule}: {found[0].text}" for found in decision.constraints.values() if found
            ),
        )


def config_of(scenario: Scenario) -> Config:
    """The gateway's configuration for a scenario. Raises ConfigError if the gateway cannot run it."""
    return configuration.parse(config_text(scenario), f"gateway of {scenario.name}")


Join = Callable[[list[Allowed]], Allowed]


class Simple:
    """Adds, or multiplies, what the packs' last samples allow; a silent pack is left out after a time.

    In series the smallest limit holds; that much everybody does.
    """

    listens = True

    def __init__(self, scenario: Scenario, join: Join) -> None:
        self._scenario = scenario
        self._join = join
        self._specs = {plan.spec.name: plan.spec for plan in scenario.packs}
        self._samples: dict[str, PackSample] = {}
        self._asked: dict[str, Allowed] = {}
        self._cells = scenario.cells
        self._kind = scenario.packs[0].spec.kind

    def heard(self, pack: str, sample: PackSample, now: float) -> None:  # noqa: ARG002  # see Policy
        """See `Policy`."""
        self._samples[pack] = sample
        self._asked[pack] = asked(self._specs[pack], sample)

    def link(self, pack: str, *, up: bool, now: float) -> None:
        """A broken link shows by silence."""

    def decide(self, now: float) -> Said:
        """See `Policy`."""
        fresh = {n: s for n, s in self._samples.items() if now - s.time_s <= LOST_S}
        bank = self._node(self._scenario.topology, {name: self._asked[name] for name in fresh})
        return Said(
            command=Command(
                charge_voltage_limit_v=self._cells * (self._kind.charge_v + SIMPLE_CHARGE_V),
                discharge_voltage_limit_v=self._cells * self._kind.empty_v,
                charge_current_limit_a=bank.charge_a,
                discharge_current_limit_a=bank.discharge_a,
            ),
            soc=self._soc(fresh),
        )

    def _node(self, node: Branching, limits: dict[str, Allowed]) -> Allowed:
        below: list[Allowed | None] = [
            limits.get(child) if isinstance(child, str) else self._node(child, limits)
            for child in node.children
        ]
        known = [one for one in below if one is not None]
        if not node.series:
            return self._join(known) if known else NOTHING
        if len(known) < len(below):
            return NOTHING
        return Allowed(min(one.charge_a for one in known), min(one.discharge_a for one in known))

    def _soc(self, fresh: dict[str, PackSample]) -> float | None:
        known = [(self._specs[n].capacity_ah, s.soc) for n, s in fresh.items() if s.soc is not None]
        total_ah = sum(capacity_ah for capacity_ah, _ in known)
        return sum(capacity_ah * soc for capacity_ah, soc in known) / total_ah if known else None


def add(limits: list[Allowed]) -> Allowed:
    """The sum of the packs' limits."""
    return Allowed(sum(one.charge_a for one in limits), sum(one.discharge_a for one in limits))


def smallest_times_n(limits: list[Allowed]) -> Allowed:
    """As many times the smallest limit as there are packs."""
    return Allowed(
        len(limits) * min(one.charge_a for one in limits),
        len(limits) * min(one.discharge_a for one in limits),
    )
