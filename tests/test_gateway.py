"""The engine as a whole in virtual time: real JBD bytes in, CAN frames out, no loop and no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bridge import config, profiles
from bridge.events import (
    Action,
    Arm,
    Event,
    Finish,
    HealthChanged,
    Level,
    LinkDown,
    LinkUp,
    Received,
    Report,
    Send,
    SendFailed,
    Stop,
    Tick,
)
from bridge.gateway import Gateway
from bridge.model import CanFrame, PackState, Reading
from bridge.protocols.contract import Device, Options, load
from bridge.sinks.can import CanSink
from bridge.sinks.dialect import Value
from bridge.status import snapshot

CELLS = 16
REPLY_S = 0.03
CAN = "virtual:test"

CONFIG = """
[bank]
rise_after_s = 1
rise_pct_per_s = 50

[pack]
bms = "jbd"
cells = 16

[packs.large]
port = "/dev/one"
capacity_ah = 280
rated_current_a = 140

[packs.small]
port = "/dev/two"
capacity_ah = 100
rated_current_a = 50

[inverters.house]
profile = "deye-lv"
interface = "virtual"
channel = "test"
"""


def reading(soc_pct: float = 60.0, cell_v: float = 3.30, current_a: float = 5.0) -> Reading:
    return Reading(
        voltage_v=CELLS * cell_v, current_a=current_a, soc_pct=soc_pct, remaining_ah=60.0, full_ah=100.0,
        design_ah=100.0, cycles=10, cell_count=CELLS, cell_voltages_v=(cell_v,) * CELLS,
        temperatures_c=(25.0, 25.0), charge_fet_on=True, discharge_fet_on=True, balancing=False,
        protections=frozenset(), warnings=frozenset(),
    )  # fmt: skip


@dataclass
class Port:
    """What stands behind one serial port: a board in a state, or something that spoils its answers."""

    device: Device
    state: Callable[[float], Reading] = lambda _: reading()
    spoil: Callable[[bytes], bytes] = lambda answer: answer


@dataclass
class World:
    """A gateway between two boards and a bus, stepped through virtual time."""

    gateway: Gateway
    ports: dict[str, Port]
    now: float = 0.0
    armed: list[tuple[float, Arm]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    finished: list[Finish] = field(default_factory=list)
    sent: list[CanFrame] = field(default_factory=list)
    _replies: list[tuple[float, str, bytes]] = field(default_factory=list)

    def event(self, event: Event) -> None:
        self._do(self.gateway.handle(event, self.now))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            due = min([self.gateway.next_wakeup(), *(at for at, _, _ in self._replies)])
            if due > end:
                self.now = end
                return
            self.now = max(self.now, due)
            arrived = [reply for reply in self._replies if reply[0] <= self.now]
            self._replies = [reply for reply in self._replies if reply[0] > self.now]
            for _, link, answer in arrived:
                self.event(Received(link, answer))
            self.event(Tick())

    def seen(self) -> dict[str, Value]:
        """What an inverter knows from the last armed cycle."""
        dialect = self.gateway.sinks["house"].dialect
        return {
            name: value for frame in self.armed[-1][1].frames for name, value in dialect.decode(frame).items()
        }

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send) and isinstance(action.payload, CanFrame):
                assert action.link == CAN
                self.sent.append(action.payload)
            elif isinstance(action, Send):
                assert isinstance(action.payload, bytes)
                port = self.ports[action.link]
                for answer in port.device.receive(action.payload, port.state(self.now)):
                    assert isinstance(answer, bytes)
                    self._replies.append((self.now + REPLY_S, action.link, port.spoil(answer)))
            elif isinstance(action, Arm):
                self.armed.append((self.now, action))
            elif isinstance(action, Finish):
                self.finished.append(action)
            elif isinstance(action, Report):
                self.reports.append(action)


def world(profile: str = "deye-lv", *, connect: bool = True) -> World:
    sink = CanSink("house", profiles.load(profile), ceiling_v=16 * 3.55)
    made = World(
        Gateway(config.parse(CONFIG, "test"), {"house": sink}, 0.0),
        {port: Port(load("jbd").device(Options(cells=CELLS))) for port in ("/dev/one", "/dev/two")},
    )
    if connect:
        for link in (*made.ports, CAN):
            made.event(LinkUp(link))
    return made


def running() -> World:
    made = world()
    made.run(12)
    assert made.seen()["charge_enabled"] is True
    return made


def limits(view: dict[str, Value]) -> tuple[Value, Value]:
    return view["charge_current_limit_a"], view["discharge_current_limit_a"]


def test_the_first_frames_are_armed_within_two_seconds() -> None:
    made = world()
    made.run(2)
    assert [frame.can_id for frame in made.armed[-1][1].frames] == [0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E]


def test_with_healthy_packs_the_inverter_may_charge_and_discharge() -> None:
    view = running().seen()
    assert view["soc_pct"] == 60
    assert view["current_a"] == 10.0
    assert view["charge_voltage_limit_v"] == 55.2
    assert all(0 < float(limit) <= 190 for limit in limits(view))


def test_a_lost_link_lowers_the_limits_in_the_same_step_and_leaves_the_soc_alone() -> None:
    made = running()
    before, soc = limits(made.seen()), made.seen()["soc_pct"]
    made.event(LinkDown("/dev/one", "unplugged"))
    after = limits(made.seen())
    assert all(float(low) < float(high) for low, high in zip(after, before, strict=True))
    assert [frame.can_id for frame in made.armed[-1][1].urgent] == [0x351, 0x359, 0x35C]
    assert made.seen()["soc_pct"] == soc


def test_with_all_packs_lost_zero_is_sent_with_an_alarm_for_as_long_as_the_gateway_lives() -> None:
    made = running()
    for link in made.ports:
        made.event(LinkDown(link, "unplugged"))
    for _ in range(60):
        view = made.seen()
        assert limits(view) == (0, 0)
        assert (view["charge_enabled"], view["discharge_enabled"]) == (False, False)
        assert view["warning_internal_communication"] is True
        made.run(60)
        assert made.now - made.armed[-1][0] <= 1.0


def test_a_pack_that_comes_back_is_taken_in_again() -> None:
    made = running()
    before = limits(made.seen())
    made.event(LinkDown("/dev/one", "unplugged"))
    made.run(60)
    assert made.gateway.members(made.now)[0].state is PackState.LOST
    made.event(LinkUp("/dev/one"))
    made.run(10)
    assert all(float(low) < float(high) for low, high in zip(limits(made.seen()), before, strict=True))
    made.run(60)
    assert limits(made.seen()) == before


def test_a_pack_that_answers_garbage_is_counted_and_never_used() -> None:
    made = world()
    made.ports["/dev/one"].spoil = lambda answer: bytes(byte ^ 0x55 for byte in answer)
    made.run(30)
    large = made.gateway.members(made.now)[0]
    assert large.state is PackState.UNKNOWN
    assert large.sample is None
    statistics = made.gateway.sources.statistics("large")
    assert statistics.samples == 0
    assert statistics.errors.total() > 10


def test_a_pack_of_another_size_is_never_used() -> None:
    made = world()
    made.ports["/dev/one"] = Port(load("jbd").device(Options(cells=8)), lambda _: eight_cells())
    made.run(30)
    assert made.gateway.members(made.now)[0].state in {PackState.UNKNOWN, PackState.QUARANTINE}
    assert float(made.seen()["charge_current_limit_a"]) <= 28  # 0.1 C of the pack that nobody can see


def eight_cells() -> Reading:
    return Reading({**reading(), "cell_count": 8, "cell_voltages_v": (3.3,) * 8, "voltage_v": 26.4})


def test_what_is_not_believed_is_reported_by_name_and_not_each_time() -> None:
    made = running()
    made.ports["/dev/two"].state = lambda _: {**reading(), "voltage_v": 12.0}
    made.run(30)
    rejections = [one.fields["rejection"] for one in made.reports if one.event == "implausible"]
    assert rejections == ["voltage_range"]


def test_a_cell_at_its_maximum_stops_charging_at_once_and_discharging_never() -> None:
    made = running()
    high: Reading = {**reading(), "cell_voltages_v": (3.30,) * 15 + (3.56,), "voltage_v": 15 * 3.30 + 3.56}
    made.ports["/dev/two"].state = lambda _: high
    made.run(1.2)
    view = made.seen()
    assert (view["charge_enabled"], view["charge_current_limit_a"]) == (False, 0)
    assert view["discharge_enabled"] is True


def test_every_decision_is_armed_for_the_profiles_time_only() -> None:
    made = running()
    assert {arm.valid_for_s for _, arm in made.armed} == {made.gateway.sinks["house"].profile.dead_man_s}


def test_the_last_word_is_no_current_in_either_direction() -> None:
    made = running()
    made.event(Stop())
    (finish,) = made.finished
    dialect = made.gateway.sinks["house"].dialect
    view = {name: value for frame in finish.frames for name, value in dialect.decode(frame).items()}
    assert limits(view) == (0, 0)
    assert (view["charge_enabled"], view["discharge_enabled"]) == (False, False)
    armed = len(made.armed)
    made.run(5)
    assert len(made.armed) == armed


def test_a_link_that_stays_down_is_complained_of_once() -> None:
    made = running()
    for _ in range(20):
        made.event(LinkDown("/dev/one", "no such device"))
    assert [report.event for report in made.reports].count("link_down") == 1


def test_a_bus_that_takes_no_frames_is_complained_of_once_a_minute() -> None:
    made = running()
    for _ in range(120):
        made.event(SendFailed("house", "no buffer space"))
        made.run(1)
    assert [report.event for report in made.reports].count("send_failed") == 2


def test_of_several_inverters_the_slowest_says_how_long_a_limit_may_take() -> None:
    second = '[inverters.shed]\nprofile = "sma-sunny-island"\ninterface = "virtual"\nchannel = "other"\n'
    sinks = {
        name: CanSink(name, profiles.load(profile), ceiling_v=16 * 3.55)
        for name, profile in (("house", "deye-lv"), ("shed", "sma-sunny-island"))
    }
    both = Gateway(config.parse(CONFIG + "share = 0.5\n" + second + "share = 0.5\n", "test"), sinks, 0.0)
    assert [one.aggregator.obedience.reaction_s for one in (world().gateway, both)] == [5.0, 10.0]


def test_bus_off_is_reported_with_what_to_check() -> None:
    made = running()
    made.event(HealthChanged(CAN, "bus-off"))
    assert "bit rate" in str(made.reports[-1].fields["help"])


def test_frames_of_the_inverter_are_for_the_status_only() -> None:
    made = running()
    before = made.seen()
    made.event(Received(CAN, CanFrame(0x305, bytes(8))))
    made.run(1)
    assert made.gateway.sinks["house"].status(made.now).inverter_heard is True
    assert made.seen() == before


def test_an_inverter_that_comes_and_goes_is_reported() -> None:
    made = running()
    made.event(Received(CAN, CanFrame(0x305, bytes(8))))
    made.run(120)
    heard = [one.fields["heard"] for one in made.reports if one.event == "inverter"]
    assert heard == [True, False]


def test_another_battery_on_the_bus_is_an_error() -> None:
    made = running()
    made.event(Received(CAN, CanFrame(0x351, bytes.fromhex("1402740E740ECC01"))))
    made.run(1)
    (report,) = [one for one in made.reports if one.event == "other_sender"]
    assert (report.level, report.fields["present"]) == (Level.ERROR, True)


def test_the_same_events_give_the_same_frames() -> None:
    first, second = running(), running()
    assert [arm.frames for _, arm in first.armed] == [arm.frames for _, arm in second.armed]


def test_the_binding_cause_is_reported_when_it_changes() -> None:
    made = running()
    assert {report.fields["limit"] for report in made.reports if report.event == "limit_cause"} == {
        "CVL", "CCL", "DCL",
    }  # fmt: skip


def test_an_alarm_is_logged_with_its_pack_and_shown_with_its_cause() -> None:
    made = running()
    made.event(LinkDown("/dev/one", "unplugged"))
    made.run(1)

    (report,) = [one for one in made.reports if one.event == "alarm"]
    assert (report.level, report.fields["alarm"]) == (Level.WARNING, "bms_communication")
    pack = report.fields["pack"]
    shown = snapshot(made.gateway, made.now)["limits"]
    assert isinstance(shown, dict)
    (cause,) = shown["alarm_causes"]
    assert (cause["alarm"], cause["severity"], cause["pack"]) == ("bms_communication", "warning", pack)
    assert cause["text"].startswith(f"{pack}: stale, last heard")


TWO = (
    CONFIG
    + """
share = 0.6

[inverters.barn]
profile = "victron-gx"
interface = "virtual"
channel = "barn"
"""
)


def test_two_inverters_are_never_told_more_together_than_the_bank_may_carry() -> None:
    sinks = {
        name: CanSink(name, profiles.load(profile), ceiling_v=16 * 3.55)
        for name, profile in (("house", "deye-lv"), ("barn", "victron-gx"))
    }
    made = World(
        Gateway(config.parse(TWO, "test"), sinks, 0.0),
        {port: Port(load("jbd").device(Options(cells=CELLS))) for port in ("/dev/one", "/dev/two")},
    )
    for link in (*made.ports, CAN, "virtual:barn"):
        made.event(LinkUp(link))
    for _ in range(30):
        made.run(1)
        decision = made.gateway.decision
        parts = [sink.sent for sink in sinks.values()]
        if decision is None or None in parts:
            continue
        for name in ("charge_current_limit_a", "discharge_current_limit_a"):
            told = [told_in(made, sink, name) for sink in sinks.values()]
            assert sum(told) <= getattr(decision, name) + 1e-9
    assert [told_in(made, sink, "charge_current_limit_a") > 20 for sink in sinks.values()] == [True, True]
    house, barn = (told_in(made, sink, "charge_current_limit_a") for sink in sinks.values())
    assert house == pytest.approx(1.5 * barn, abs=0.3)


def told_in(made: World, sink: CanSink, name: str) -> float:
    """What the frames for that inverter say."""
    frames = next(arm.frames for _, arm in reversed(made.armed) if arm.sink == sink.name)
    view = {key: value for frame in frames for key, value in sink.dialect.decode(frame).items()}
    return float(view[name])


def test_an_inverter_that_is_not_heard_keeps_its_part() -> None:
    """It may still draw: nothing of it goes to another one."""
    sinks = {name: CanSink(name, profiles.load("deye-lv"), ceiling_v=16 * 3.55) for name in ("house", "barn")}
    made = World(
        Gateway(config.parse(TWO, "test"), sinks, 0.0),
        {port: Port(load("jbd").device(Options(cells=CELLS))) for port in ("/dev/one", "/dev/two")},
    )
    for link in (*made.ports, CAN, "virtual:barn"):
        made.event(LinkUp(link))
    made.run(12)
    made.event(Received("virtual:barn", CanFrame(0x305, bytes(8))))
    made.run(5)
    before = told_in(made, sinks["house"], "charge_current_limit_a")
    made.run(200)
    assert sinks["barn"].status(made.now).inverter_heard is False
    assert told_in(made, sinks["house"], "charge_current_limit_a") == before


# Inverters that ask

POLL = CanFrame(0x4200, bytes(8), True)


def told(made: World) -> dict[str, Value]:
    """What an inverter knows from an answer to its poll."""
    made.sent.clear()
    made.event(Received(CAN, POLL))
    dialect = made.gateway.sinks["house"].dialect
    return {name: value for frame in made.sent for name, value in dialect.decode(frame).items()}


def test_a_poll_is_answered_at_once_with_the_limits_of_the_moment() -> None:
    made = world("solis-hv")
    assert told(made) == {}
    made.run(12)
    view = told(made)
    assert made.armed[-1][1].frames == ()
    assert float(view["charge_current_limit_a"]) > 50
    assert view["voltage_v"] == 52.8
    made.event(LinkDown("/dev/one", "gone"))
    made.run(0.1)
    assert float(told(made)["charge_current_limit_a"]) < float(view["charge_current_limit_a"])


def test_an_engine_that_did_not_decide_for_long_answers_no_poll() -> None:
    made = world("solis-hv")
    made.run(12)
    made.now += made.gateway.sinks["house"].profile.dead_man_s
    assert told(made) == {}


def test_a_polled_inverter_gets_a_last_word_and_then_silence() -> None:
    made = world("solis-hv")
    made.run(12)
    told(made)
    made.event(Stop())
    (finish,) = made.finished
    dialect = made.gateway.sinks["house"].dialect
    view = {name: value for frame in finish.frames for name, value in dialect.decode(frame).items()}
    assert limits(view) == (0, 0)
    assert told(made) == {}


def test_frames_that_are_no_part_of_the_cycle_go_out_in_their_own_time() -> None:
    made = world("fronius-byd-hv")
    made.run(12)
    assert made.sent == []
    for _ in range(60):
        made.event(Received(CAN, CanFrame(0x091, bytes(8))))
        made.run(1)
    assert [one.can_id for one in made.sent].count(0x150) == 6
    assert [frame.can_id for frame in made.armed[-1][1].frames] == [0x110]


def test_a_value_that_is_too_large_for_the_wire_is_reported_once_a_minute() -> None:
    made = world()
    narrow = profiles.load("deye-lv").model_copy(update={"ranges": {"soc_pct": profiles.Range(max=50.0)}})
    made.gateway.sinks["house"] = CanSink("house", narrow)
    made.run(100)
    clamped = [report.fields["values"] for report in made.reports if report.event == "clamped"]
    assert clamped == ["soc_pct", "soc_pct"]
