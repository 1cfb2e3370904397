"""An RS485 pair in virtual time: a simulated inverter at one end, the sink at the other, nothing between.

Bytes travel at the line's speed. Answers begin as early as their window lets them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.battery.guard import guard as hard_guard
from bridge.model import BankSettings, Decision, Member, PackSample, PackSettings, PackState
from bridge.profiles import Rs485Profile
from bridge.sim.demand import fixed
from bridge.sim.polling import PollingInverter
from bridge.sinks.rs485 import Moment, Rs485Sink

STEP_S = 0.1
LEAST_S = 0.0005
DECIDE_S = 0.5
CELLS = tuple([3.320 + 0.001 * number for number in range(16)])


def member(
    name: str = "left", now: float = 0.0, state: PackState = PackState.ACTIVE, **values: object
) -> Member:
    """A pack that all is well with, at `now`."""
    settings = PackSettings(
        name=name, cells=16, capacity_ah=280, rated_charge_current_a=140, rated_discharge_current_a=140
    )
    usual: dict[str, object] = {
        "voltage_v": 53.12, "current_a": -6.0, "soc": 0.57, "soh": 0.99, "remaining_ah": 160.0,
        "full_ah": 280.0, "cycles": 41, "cell_voltages_v": CELLS, "temperatures_c": (22.0, 25.0),
        "mosfet_temperature_c": 30.0, "charge_fet_on": True, "discharge_fet_on": True,
        "charge_allowed": True, "discharge_allowed": True,
    }  # fmt: skip
    sample = PackSample(time_s=now, **{**usual, **values})  # type: ignore[arg-type]  # names of its fields
    return Member(settings=settings, state=PackState.ACTIVE, sample=sample, age_s=0.0)


def guarded(now: float, *members: Member) -> Moment:
    """What an answer is made of at `now`, with the real guard."""
    bank = BankSettings()
    return Moment(lambda decision: hard_guard(decision, members, bank, now), members)


@dataclass
class Pair:
    """Both ends. decide: what was decided last at a moment, None for nothing any more."""

    profile: Rs485Profile
    decide: Callable[[float], Decision | None]
    moment: Callable[[float], Moment] = lambda now: guarded(now, member("left", now), member("right", now))
    demand_a: float = 40.0
    now: float = 0.0
    said: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sink = Rs485Sink("house", self.profile)
        self.inverter = PollingInverter(self.profile, fixed(self.demand_a))
        self._to_sink: list[tuple[float, bytes]] = []
        self._to_inverter: list[tuple[float, bytes]] = []
        self._decide_at_s = self.now

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end_s = self.now + seconds
        while self.now < end_s:
            if self.now >= self._decide_at_s:
                self._decide_at_s += DECIDE_S
                if (decision := self.decide(self.now)) is not None:
                    self.sink.decided(decision)
            if question := self.inverter.asks(self.now):
                self._to_sink.append((self.now + self.inverter.seconds(len(question)), question))
            for at_s, chunk in self._due(self._to_sink):
                for reply in self.sink.received(chunk, at_s, self.now, self.moment(self.now)):
                    self.said.append(reply.data)
                    self.sink.replied(reply.window.earliest_s - at_s, None)
                    arrives_s = reply.window.earliest_s + self.inverter.seconds(len(reply.data))
                    self._to_inverter.append((arrives_s, reply.data))
            for _, chunk in self._due(self._to_inverter):
                self.inverter.received(chunk, self.now)
            self.sink.wake(self.now)
            self.inverter.step(self.now, 53.12)
            self.now = self._next_s()

    def _next_s(self) -> float:
        """The next moment at which anything happens, STEP_S later at the latest."""
        arrivals = [at_s for at_s, _ in (*self._to_sink, *self._to_inverter)]
        moments = (self.inverter.next_s(), self.sink.next_s(), self._decide_at_s, *arrivals)
        return max(self.now + LEAST_S, min(self.now + STEP_S, *moments))

    def _due(self, waiting: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
        due = [one for one in waiting if one[0] <= self.now]
        waiting[:] = [one for one in waiting if one[0] > self.now]
        return due
