"""One run: a scenario's plant, a policy that runs it, an inverter between them, in virtual time.

Each step: what happens from outside; polls that are due; a decision once a cycle, which takes effect a
frame's delay later; the inverter; the division of its current; the cells. A run depends on its
scenario and its policy alone, to the last bit.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from bridge.errors import ConfigError, did_you_mean
from bridge.model import Reading, sample_of
from bridge.sim.chain import Chain
from bridge.sim.chance import stream
from bridge.sim.circuit import Circuit
from bridge.sim.converter import Command, Converter
from bridge.sim.happenings import Line, Timetable
from bridge.sim.lumped import LumpedPack
from bridge.sim.metrics import Meter, Metrics
from bridge.sim.oracle import Oracle
from bridge.sim.policies import Ours, Policy, Said, Simple, add, config_of, smallest_times_n
from bridge.sim.scenario import Branching, PackPlan, Scenario
from bridge.sim.trace import Trace
from bridge.sim.tree import Leaf, Node, Parallel, Series
from bridge.sim.wanted import wanted

WARM_EVERY_S = 1.0


class World:
    """A scenario under a policy: `ours`, `ours-bytes`, `sum`, `nmin` or `oracle`."""

    def __init__(self, scenario: Scenario, policy: str, trace: Trace | None = None) -> None:
        packs = {
            plan.spec.name: LumpedPack(plan.spec, scenario.dt_s, seed=scenario.seed)
            for plan in scenario.packs
        }
        self.circuit = Circuit(_node(scenario.topology, packs))
        self.meter = Meter(scenario, self.circuit)
        self.said: Said | None = None
        self._scenario = scenario
        self._inverter = Converter(scenario.inverter, scenario.dt_s)
        self._lines = {
            plan.spec.name: Line(packs[plan.spec.name], plan.poll_period_s, _phase_s(plan, scenario))
            for plan in scenario.packs
        }
        self._policy = _policy(
            policy, scenario, self.circuit, {name: line.reading for name, line in self._lines.items()}
        )
        self._timetable = Timetable(scenario.events, self._lines, self._link)
        self._wanted = wanted(scenario)
        self._on_the_way: deque[tuple[float, Command]] = deque()
        self._trace = trace

    def run(self) -> Metrics:
        """Live through the whole scenario."""
        began_s = time.perf_counter()
        scenario, dt_s = self._scenario, self._scenario.dt_s
        decide_s = warm_s = 0.0
        for number in range(round(scenario.duration_s / dt_s)):
            now = number * dt_s
            if self._timetable.next_s <= now:
                self._timetable.run(now)
                self.meter.happened(now)
            if now >= warm_s:
                self._timetable.warm(now)
                warm_s = now + WARM_EVERY_S
            if self._policy.listens:
                self._poll(now)
            if now >= decide_s:
                self._decide(now)
                decide_s += scenario.cycle_s
            self._live(now, dt_s)
        return self.meter.metrics(time.perf_counter() - began_s)

    def _link(self, pack: str, up: bool, now: float) -> None:  # noqa: FBT001  # see happenings.Linker
        self._policy.link(pack, up=up, now=now)

    def _poll(self, now: float) -> None:
        for name, line in self._lines.items():
            if now < line.next_s:
                continue
            line.next_s += line.period_s
            if line.is_up:
                self._policy.heard(name, sample_of(line.reading(), now), now)

    def _decide(self, now: float) -> None:
        said = self.said = self._policy.decide(now)
        self.meter.said(now, said)
        self._on_the_way.append((now + self._scenario.inverter.frame_delay_s, said.command))

    def _live(self, now: float, dt_s: float) -> None:
        while self._on_the_way and self._on_the_way[0][0] <= now:
            self._inverter.hear(self._on_the_way.popleft()[1])
        circuit, wanted_a = self.circuit, self._wanted(now)
        circuit.look()
        circuit.carry(self._inverter.step(wanted_a, circuit.current_at))
        for leaf, pack in zip(circuit.leaves, circuit.packs, strict=True):
            pack.step(leaf.current_a)
        self.meter.step(now, dt_s, wanted_a)
        if self._trace is not None:
            self._trace.take(now, wanted_a, circuit, self.meter, self.said)


def run(scenario: Scenario, policy: str, trace: Trace | None = None) -> Metrics:
    """A scenario's figures under a policy."""
    return World(scenario, policy, trace).run()


Readings = Mapping[str, Callable[[], Reading]]


def _policy(name: str, scenario: Scenario, circuit: Circuit, readings: Readings) -> Policy:
    makers: dict[str, Callable[[], Policy]] = {
        "ours": lambda: Ours(scenario),
        "ours-bytes": lambda: Chain(config_of(scenario), readings),
        "sum": lambda: Simple(scenario, add),
        "nmin": lambda: Simple(scenario, smallest_times_n),
        "oracle": lambda: Oracle(circuit, scenario),
    }
    if name not in makers:
        raise ConfigError(f"unknown policy {name!r}; known: {', '.join(makers)}{did_you_mean(name, makers)}")
    return makers[name]()


def _node(node: Branching | str, packs: Mapping[str, LumpedPack]) -> Node:
    if isinstance(node, str):
        return Leaf(packs[node])
    children = [_node(child, packs) for child in node.children]
    return Series(*children) if node.series else Parallel(*children)


def _phase_s(plan: PackPlan, scenario: Scenario) -> float:
    if plan.poll_phase_s is not None:
        return plan.poll_phase_s
    return stream("phase", scenario.seed, plan.spec.name).uniform(0.0, plan.poll_period_s)
