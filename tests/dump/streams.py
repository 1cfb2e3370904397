"""Whole conversations in virtual time: what each profile sends while a simulated bank lives for minutes."""

from __future__ import annotations

from functools import cache

from bridge import profiles
from bridge.dump.block import Block, block_of
from bridge.model import CanFrame, Decision
from bridge.sim.demand import fixed
from bridge.sim.inverter import Inverter
from bridge.sim.policies import Ours, Said
from bridge.sim.world import World
from bridge.sinks.can import CanSink
from bridge.sinks.offline import candump
from tests.sim.scenarios import small
from tests.sinks.helpers import unguarded

MINUTES_S = 180.0
DEMAND = (
    {"kind": "steps", "points": [[0, -60.0], [40, 35.0], [80, -110.0], [120, 80.0], [170, -20.0]]},
    {"kind": "steps", "points": [[0, 1.5], [7, -2.5], [13, 0.5], [21, 3.0]], "repeat_s": 30.0},
)
Stream = list[tuple[float, CanFrame]]


class _Recorder:
    """The real engine, which also keeps what it decided."""

    listens = True

    def __init__(self, engine: Ours) -> None:
        self._engine = engine
        self.decisions: list[Decision] = []
        self.heard, self.link = engine.heard, engine.link

    def decide(self, now: float) -> Said:
        said = self._engine.decide(now)
        decision = self._engine._gateway.decision
        assert decision is not None
        self.decisions.append(decision)
        return said


@cache
def decisions() -> tuple[Decision, ...]:
    """What the engine decides for two packs that are charged and discharged by turns, once a second."""
    scenario = small({"a": {}, "b": {"soc_pct": 55.0}}, demand=list(DEMAND), duration_s=MINUTES_S)
    world = World(scenario, "ours")
    assert isinstance(world._policy, Ours)
    recorder = _Recorder(world._policy)
    world._policy = recorder
    world.run()
    return tuple(recorder.decisions)


@cache
def conversation(name: str) -> tuple[tuple[float, CanFrame], ...]:
    """Every frame on the bus between a profile's sink and a simulated inverter of its kind."""
    profile = profiles.load(name)
    sink, inverter = CanSink("house", profile), Inverter(profile, fixed(0.0))
    bus: Stream = []

    def hear(frames: tuple[CanFrame, ...], now: float) -> None:
        for number, frame in enumerate(frames):
            at_s = now + number * max(profile.spacing_s, 0.0004)
            bus.append((at_s, frame))
            for answer in inverter.received(frame, at_s):
                bus.append((at_s + 0.0003, answer))
                sink.received(answer, at_s + 0.0003, unguarded)

    cycle_s = 0.0
    for decision in decisions():
        now = decision.time_s
        for number, asked in enumerate(inverter.asks(now)):
            at_s = now + 0.2 + number * 0.06
            bus.append((at_s, asked))
            hear(sink.received(asked, at_s, unguarded), at_s + 0.002)
        frames = sink.frames(decision, unguarded)
        while cycle_s <= now + 1 - profile.period_s / 4:
            hear(frames, cycle_s)
            cycle_s += profile.period_s
        hear(sink.due(now + 0.9, unguarded), now + 0.9)
    return tuple(sorted(bus, key=lambda one: one[0]))


def as_block(stream: Stream | tuple[tuple[float, CanFrame], ...], source: str = "") -> Block:
    """The frames as one block, on a clock that counts from the epoch."""
    return block_of([(1_700_000_000 + time_s, frame) for time_s, frame in stream], source=source)


def candump_text(stream: Stream | tuple[tuple[float, CanFrame], ...]) -> str:
    """The frames as `candump -L` writes them."""
    return "".join(f"{candump(1_700_000_000 + time_s, 'can0', frame)}\n" for time_s, frame in stream)
