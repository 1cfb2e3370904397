"""The engine with an inverter that asks over RS485, alone and beside one on CAN."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from bridge import config, profiles
from bridge.control.answers import answer
from bridge.control.requests import Why
from bridge.events import (
    Action,
    Alive,
    Arm,
    Event,
    LineCounted,
    LinkUp,
    Received,
    Replied,
    Report,
    Send,
    Stop,
    Tick,
)
from bridge.gateway import Gateway
from bridge.protocols.contract import Options, load
from bridge.sim.demand import fixed
from bridge.sim.polling import PollingInverter
from bridge.sinks.can import CanSink
from bridge.sinks.rs485 import Rs485Sink
from bridge.status import snapshot
from tests.test_gateway import CELLS, REPLY_S, reading

LINE = "/dev/inverter"
PACKS = """
[bank]
rise_after_s = 1
rise_pct_per_s = 50

[packs.large]
bms = "jbd"
cells = 16
port = "/dev/one"
capacity_ah = 280
rated_current_a = 140
"""
ASKING = f"""
[inverters.house]
profile = "axpert-pyl"
port = "{LINE}"
"""
BESIDE = """
[inverters.barn]
profile = "deye-lv"
interface = "virtual"
channel = "test"
"""


@dataclass
class World:
    """One pack, an inverter that asks, and perhaps one on CAN; stepped through virtual time."""

    text: str
    now: float = 0.0
    actions: list[Action] = field(default_factory=list)
    pack_silent: bool = False

    def __post_init__(self) -> None:
        parsed = config.parse(self.text, "test")
        self.profile = profiles.asking("axpert-pyl")
        self.sink = Rs485Sink("house", self.profile)
        cyclic = {"barn": CanSink("barn", profiles.load("deye-lv"))} if "barn" in self.text else {}
        self.gateway = Gateway(parsed, cyclic, 0.0, {"house": self.sink})
        self.inverter = PollingInverter(self.profile, fixed(20.0))
        self._board = load("jbd").device(Options(cells=CELLS))
        self._due: list[tuple[float, Event | bytes]] = []
        for link in ("/dev/one", LINE, "virtual:test"):
            self.event(LinkUp(link))

    def event(self, event: Event) -> list[Action]:
        actions = self.gateway.handle(event, self.now)
        self.actions += actions
        for action in actions:
            if not isinstance(action, Send) or not isinstance(action.payload, bytes):
                continue
            if action.window is not None:
                travels_s = self.inverter.seconds(len(action.payload))
                self._due.append((action.window.earliest_s + travels_s, action.payload))
                self._due.append((self.now, Replied(LINE, action.window.earliest_s - self.now)))
            elif not self.pack_silent:
                for said in self._board.receive(action.payload, reading()):
                    assert isinstance(said, bytes)
                    self._due.append((self.now + REPLY_S, Received("/dev/one", said)))
        return actions

    def run(self, seconds: float) -> None:
        end_s = self.now + seconds
        while self.now < end_s:
            wakes = (self.gateway.next_wakeup(), self.inverter.next_s(), *(at_s for at_s, _ in self._due))
            self.now = min(end_s, max(self.now + 0.0005, min(wakes)))
            if question := self.inverter.asks(self.now):
                at_s = self.now + self.inverter.seconds(len(question))
                self._due.append((at_s, Received(LINE, question, at_s)))
            due = [one for one in self._due if one[0] <= self.now]
            self._due = [one for one in self._due if one[0] > self.now]
            for _, what in due:
                if isinstance(what, bytes):
                    self.inverter.received(what, self.now)
                else:
                    self.event(what)
            self.event(Tick())
            self.inverter.step(self.now, 52.8)

    def reports(self, event: str) -> list[dict[str, object]]:
        found = [one for one in self.actions if isinstance(one, Report) and one.event == event]
        return [dict(one.fields) for one in found]


def world(text: str = PACKS + ASKING, seconds: float = 20.0) -> World:
    made = World(text)
    made.run(seconds)
    return made


def test_an_inverter_that_asks_is_told_what_was_decided() -> None:
    made = world()
    view = made.inverter.view()
    assert (view["fault"], view["soc_pct"], view["charge_enabled"]) == (False, 60.0, True)
    told = made.gateway.decision
    assert told is not None
    assert 0 < float(str(view["charge_current_limit_a"])) <= told.charge_current_limit_a
    assert made.inverter.current_a == pytest.approx(20.0, abs=0.1)
    assert [one["heard"] for one in made.reports("inverter")] == [True]


def test_its_silent_packs_end_the_current_within_the_same_time_as_on_can() -> None:
    made = world()
    made.pack_silent = True
    made.run(45.0)
    assert made.inverter.view()["charge_current_limit_a"] in {0.0, 0.1, None}
    assert made.inverter.current_a == pytest.approx(0.0, abs=0.1)


def test_each_decision_shows_that_we_live_though_nothing_is_armed() -> None:
    made = world()
    assert sum(isinstance(one, Alive) for one in made.actions) > 20
    assert not any(isinstance(one, Arm) for one in made.actions)


def test_an_inverter_on_can_and_one_that_asks_divide_the_currents() -> None:
    made = world(PACKS + ASKING + "share = 0.25\n" + BESIDE + "share = 0.75\n")
    decision, sent = made.gateway.decision, made.gateway.sent()
    assert decision is not None
    house, barn = sent["house"], sent["barn"]
    assert house is not None
    assert barn is not None
    assert 0 < house.charge_current_limit_a < barn.charge_current_limit_a
    assert (
        house.charge_current_limit_a + barn.charge_current_limit_a <= decision.charge_current_limit_a + 1e-9
    )
    assert any(isinstance(one, Arm) and one.sink == "barn" for one in made.actions)
    assert not any(isinstance(one, Alive) for one in made.actions)


def test_no_decision_however_due_is_made_before_an_answer() -> None:
    made = world()
    made.now += 10.0  # a loop that was busy: everything is due
    before = made.gateway.decision
    question = made.inverter._master.question().data
    made.sink.decided(made.gateway.aggregator.decide(made.now))
    actions = made.event(Received(LINE, question, made.now))
    assert [type(one) for one in actions] == [Send]
    assert made.gateway.decision is before
    assert made.gateway.next_wakeup() <= made.now
    made.event(Tick())
    assert made.gateway.decision is not before


def test_what_the_line_tells_is_in_the_status() -> None:
    made = world()
    made.event(LineCounted(LINE, 3))
    made.event(Replied(LINE, None, "late"))
    made.run(2.0)
    shown = snapshot(made.gateway, made.now)["inverters"]
    assert isinstance(shown, dict)
    line = shown["house"]
    assert (line["framing_errors"], line["late"], line["silent"]) == (3, 1, None)
    assert line["sent"]["charge_enabled"] is True
    assert [one["trouble"] for one in line["troubles"]] == ["noise", "late"]
    assert [one["trouble"] for one in made.reports("line_trouble")] == ["noise", "late"]


def test_a_value_that_is_too_large_for_the_line_is_reported_once() -> None:
    made = world()
    assert made.reports("clamped") == []
    ranges = {"charge_voltage_limit_v": profiles.Range(max=50.0)}
    made.sink.profile = made.sink.profile.model_copy(update={"ranges": ranges})
    made.run(200.0)
    assert made.reports("clamped") == [{"inverter": "house", "values": "charge_voltage_limit_v"}]


def test_why_tells_what_it_was_told() -> None:
    made = world()
    told = answer(made.gateway, Why(None), made.now)["result"]
    assert isinstance(told, list)
    assert told[0]["inverters"]["house"] > 0


def test_the_last_word_is_no_current_and_then_there_is_silence() -> None:
    made = world()
    made.event(Stop())
    wait_s = made.gateway.polled.last_word_s(made.now)
    assert wait_s == pytest.approx(1.5 * made.profile.poll_s)
    made.run(wait_s)
    view = made.inverter.view()
    assert (view["charge_enabled"], view["discharge_enabled"]) == (False, False)
    made.run(made.profile.dead_man_s)
    answered = made.inverter.answered
    made.run(made.profile.comm_fault_s + 1.0)
    assert made.inverter.answered == answered
    assert made.inverter.fault


def test_a_gateway_without_such_inverters_is_never_woken_for_them() -> None:
    cyclic = {"barn": CanSink("barn", profiles.load("deye-lv"))}
    gateway = Gateway(config.parse(PACKS + BESIDE, "test"), cyclic, 0.0)
    for _ in ("the decision", "what is behind it"):
        gateway.handle(Tick(), 0.0)
    assert gateway.polled.next_s() == math.inf
    assert gateway.next_wakeup() > 0.0


def test_an_inverter_that_is_not_there_holds_nobody_up() -> None:
    made = World(PACKS + ASKING)
    made.event(Stop())
    assert made.gateway.polled.last_word_s(made.now) == 0.0
