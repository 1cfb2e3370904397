"""Two whole gateways on one simulated bus: real packs, real frames, one of them sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

import pytest

from bridge import config, profiles
from bridge.control.requests import GiveCycle
from bridge.errors import ConfigError
from bridge.events import (
    Action,
    Answer,
    Arm,
    Asked,
    Event,
    Expired,
    Finish,
    HandOver,
    HealthChanged,
    LinkDown,
    LinkUp,
    Received,
    Send,
    Stop,
    TakeOver,
)
from bridge.gateway import Gateway
from bridge.model import CanFrame
from bridge.redundancy import Part, decode
from bridge.sinks.can import CanSink
from bridge.standby import Standby
from bridge.status import snapshot
from tests.config.samples import GOOD, complaints
from tests.test_gateway import CAN, World, world

STEP_S = 0.05
PERIOD_S = 1.0
PRESENCE = 0x7F0


@dataclass
class Twin(World):
    """A gateway that is one of two, with the sender that keeps its cycle."""

    cycle: tuple[CanFrame, ...] = ()
    due_s: float = 0.0
    until_s: float = 0.0
    alive: bool = True
    said: list[CanFrame] = field(default_factory=list)

    @property
    def standby(self) -> Standby:
        return cast(Standby, self.gateway)

    @property
    def active(self) -> bool:
        return self.standby.buses[CAN].machine.part is Part.ACTIVE

    def frames(self) -> list[CanFrame]:
        """What it puts on the bus now."""
        said, self.said = self.said, []
        if self.now > self.until_s:
            self.cycle = ()
        if self.cycle and self.now >= self.due_s:
            self.due_s += PERIOD_S
            said += self.cycle
        return said if self.alive else []

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send) and isinstance(action.payload, CanFrame):
                assert action.link == CAN
                self.said.append(action.payload)
            elif isinstance(action, Arm):
                if action.frames and not self.cycle:
                    self.due_s = self.now
                self.cycle, self.until_s = action.frames, self.now + action.valid_for_s
        rest = [one for one in actions if not isinstance(getattr(one, "payload", None), CanFrame)]
        super()._do(rest)


@dataclass
class Pair:
    """Both, and what was seen on the wire: who, when, what."""

    twins: list[Twin]
    now: float = 0.0
    wire: list[tuple[float, int, CanFrame]] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.now = round(self.now + STEP_S, 6)
            for number, twin in enumerate(self.twins):
                if twin.alive:
                    twin.run(self.now - twin.now)
                for frame in twin.frames():
                    self.wire.append((self.now, number, frame))
                    if (other := self.twins[1 - number]).alive:
                        other.event(Received(CAN, frame))

    def event(self, number: int, event: Event) -> None:
        self.twins[number].event(event)

    def senders(self, last_s: float = 2.0) -> set[int]:
        return {
            number for at_s, number, frame in self.wire if frame.can_id == 0x351 and at_s > self.now - last_s
        }

    def gap(self) -> float:
        times = [at_s for at_s, _, frame in self.wire if frame.can_id == 0x351]
        return max(after - before for before, after in pairwise(times))


def twin(role: str, node: int) -> Twin:
    single = world(connect=False)
    table = config.RedundancyConfig(role=role, rank={"active": 200, "standby": 100}[role])
    made = Twin(cast(Gateway, Standby(single.gateway, table, node)), single.ports)
    for link in (*made.ports, CAN):
        made.event(LinkUp(link))
    return made


def running() -> Pair:
    pair = Pair([twin("active", 1), twin("standby", 2)])
    pair.run(20)
    assert pair.senders() == {0}
    return pair


def reports(one: Twin, event: str) -> list[dict[str, object]]:
    return [dict(report.fields) for report in one.reports if report.event == event]


def test_one_sends_and_the_other_computes_the_same() -> None:
    pair = running()
    assert {number for _, number, frame in pair.wire if frame.can_id != PRESENCE} == {0}
    waiting = pair.twins[1].standby.buses[CAN].armed
    assert waiting is not None
    assert waiting.frames == pair.twins[0].cycle
    assert reports(pair.twins[1], "other_sender") == reports(pair.twins[0], "other_sender") == []


def test_both_say_who_they_are_in_a_frame_of_their_own() -> None:
    pair = running()
    said = [(number, decode(frame.data)) for _, number, frame in pair.wire if frame.can_id == PRESENCE]
    parts = {(number, one.part, one.ready) for number, one in said[-20:] if one is not None}
    assert parts == {(0, Part.ACTIVE, True), (1, Part.STANDBY, True)}


def test_the_standby_takes_over_within_two_periods_and_nobody_is_taken_for_a_rival() -> None:
    pair = running()
    pair.twins[0].alive = False
    pair.run(10)
    assert pair.senders() == {1}
    assert pair.gap() <= 2 * PERIOD_S
    assert reports(pair.twins[1], "other_sender") == []
    assert reports(pair.twins[1], "redundancy")[-1] == {"inverter": "house", "part": "active", "other": True}


def test_told_to_hand_over_it_does_and_takes_over_again_when_told() -> None:
    pair = running()
    pair.event(0, HandOver())
    pair.run(4)
    assert pair.senders() == {1}
    pair.event(0, TakeOver())
    pair.run(4)
    assert pair.senders() == {0}
    assert pair.gap() <= PERIOD_S + 3 * STEP_S


def test_asked_over_the_control_socket_it_does_the_same_and_says_so() -> None:
    pair = running()
    pair.event(0, Asked(7, GiveCycle()))
    pair.run(4)
    assert pair.senders() == {1}
    assert answered(pair, Asked(8, GiveCycle()))["ok"] is True
    pair.twins[1].alive = False
    pair.run(5)
    refusal = answered(pair, Asked(9, GiveCycle()))
    assert (refusal["ok"], refusal["error"]) == (False, "house: nobody there who could")


def answered(pair: Pair, event: Asked) -> Mapping[str, object]:
    (answer,) = [one for one in pair.twins[0].standby.handle(event, pair.now) if isinstance(one, Answer)]
    assert answer.client == event.client
    return answer.reply


def test_what_cannot_be_handed_over_is_refused_with_the_reason() -> None:
    pair = running()
    pair.twins[1].alive = False
    pair.run(5)
    pair.event(0, HandOver())
    pair.run(2)
    assert pair.senders() == {0}
    assert reports(pair.twins[0], "redundancy_refused") == [
        {"inverter": "house", "why": "nobody there who could"}
    ]


def test_who_ends_cleanly_leaves_the_cycle_to_the_other_at_once() -> None:
    pair = running()
    pair.event(0, Stop())
    (last,) = pair.twins[0].finished
    assert last.frames
    pair.run(STEP_S)
    pair.twins[0].alive = False
    pair.run(4)
    assert pair.senders() == {1}
    assert pair.gap() <= PERIOD_S + 3 * STEP_S


def test_a_standby_that_ends_says_nothing_to_the_inverter() -> None:
    pair = running()
    pair.event(1, Stop())
    assert pair.twins[1].finished == [Finish("house", ())]


@pytest.mark.parametrize(
    ("away", "back"),
    [
        (LinkDown(CAN, "unplugged"), LinkUp(CAN)),
        (HealthChanged(CAN, "bus-off"), HealthChanged(CAN, "ok")),
    ],
)
def test_who_lost_the_bus_is_silent_until_it_has_listened(away: Event, back: Event) -> None:
    pair = running()
    pair.event(0, away)
    assert pair.twins[0].cycle == ()
    pair.run(5)
    assert pair.senders() == {1}
    pair.event(0, back)
    pair.run(10)
    assert pair.senders() == {1}


def test_whose_packs_were_never_heard_leaves_the_cycle_to_the_other() -> None:
    mute = twin("active", 1)
    for port in mute.ports.values():
        port.spoil = lambda _: b""
    pair = Pair([mute, twin("standby", 2)])
    pair.run(20)
    assert pair.senders() == {1}


def test_a_frame_beside_the_cycle_is_for_who_sends_and_a_packs_poll_for_both() -> None:
    pair = running()
    beside, poll = Send(CAN, CanFrame(0x359, bytes(8))), Send(CAN, CanFrame(0x4210, bytes(8), extended=True))
    out = [[one.standby._let_out(action, pair.now) for action in (beside, poll)] for one in pair.twins]
    assert out == [[[beside], [poll]], [[], [poll]]]


def test_an_expired_sender_is_reported_and_armed_again() -> None:
    pair = running()
    pair.event(0, Expired("house"))
    pair.run(5)
    assert pair.senders() == {0}


def test_the_status_says_which_part_it_plays_and_who_else_is_there() -> None:
    pair = running()
    shown = snapshot(pair.twins[1].standby.gateway, pair.now)["redundancy"]
    other = {"part": "active", "rank": 200}
    assert shown == {"house": {"part": "standby", "rank": 100, "other": other}}


# The configuration and the profile


def test_the_table_makes_a_pair_and_its_rank_follows_from_the_role() -> None:
    assert config.parse(GOOD, "c.toml").redundancy is None
    made = config.parse(GOOD + '[redundancy]\nrole = "standby"\n', "c.toml").redundancy
    assert made == config.RedundancyConfig(role="standby", rank=100, take_back=False)
    made = config.parse(GOOD + '[redundancy]\nrole = "active"\nrank = 7\n', "c.toml").redundancy
    assert made == config.RedundancyConfig(role="active", rank=7, take_back=False)


def test_a_table_without_a_role_is_refused() -> None:
    (text,) = complaints(GOOD + "[redundancy]\nrank = 7\n")
    assert text == (
        'c.toml:26: redundancy.role: missing; allowed: one of "active", "standby"; '
        'write for example role = "standby"'
    )


def test_an_inverter_that_bears_no_presence_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = profiles.load("deye-lv").model_copy(update={"presence_id": False})
    monkeypatch.setattr(profiles, "find", lambda _: profile)
    (text,) = complaints(GOOD + '[redundancy]\nrole = "active"\n')
    assert "inverters.house.profile: deye-lv bears no frame beside its own" in text
    with pytest.raises(ConfigError, match="bears no frame beside its own"):
        Standby(gateway("deye-lv", False), config.RedundancyConfig(role="active", rank=1), 1)


@pytest.mark.parametrize("name", ["growatt-lv", "solax-hv"])
def test_an_inverter_that_wants_answers_is_refused(name: str) -> None:
    (text,) = complaints(GOOD.replace("deye-lv", name) + '[redundancy]\nrole = "active"\n')
    assert "asks and wants answers" in text


def test_an_identifier_that_is_in_use_is_refused() -> None:
    with pytest.raises(ConfigError, match="0x351 is in use in its dialect"):
        Standby(gateway("deye-lv", 0x351), config.RedundancyConfig(role="active", rank=1), 1)


def gateway(name: str, presence_id: int | bool) -> Gateway:
    profile = profiles.load(name).model_copy(update={"presence_id": presence_id})
    loaded = world(connect=False).gateway.config
    return Gateway(loaded, {"house": CanSink("house", profile)}, 0.0)


def test_every_profile_leaves_room_for_a_presence_or_forbids_it() -> None:
    for name in profiles.can():
        profile = profiles.load(name)
        sink = CanSink("house", profile)
        ids = {can_id for can_id, extended in sink.dialect.messages if not extended}
        assert profile.presence_id is False or profile.presence_id not in ids, name
