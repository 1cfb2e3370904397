from __future__ import annotations

import struct

import pytest

from bridge import profiles
from bridge.model import CanFrame
from bridge.profiles import Profile
from bridge.sim.demand import Demand, alternating, fixed
from bridge.sim.inverter import LAG, Inverter, Lag
from bridge.sinks import dialect as dialects

PROFILE = profiles.load("deye-lv")
DIALECT = dialects.load(profiles.dialect_path(PROFILE))
ZEROS = CanFrame(0x305, bytes(8))
STEP_S = 0.125


def cycle(
    *, cvl: float = 56.0, ccl: float = 100.0, dcl: float = 120.0, dvl: float = 46.0, enables: int = 0xC0
) -> list[CanFrame]:
    limits = struct.pack("<HhhH", *(round(10 * value) for value in (cvl, ccl, dcl, dvl)))
    return [
        CanFrame(0x351, limits),
        CanFrame(0x355, struct.pack("<HH", 61, 99)),
        CanFrame(0x356, struct.pack("<hhh", 5280, -123, 215)),
        CanFrame(0x359, bytes(8)),
        CanFrame(0x35C, bytes([enables, 0])),
    ]


def inverter(demand: Demand, profile: Profile = PROFILE, lag: Lag = LAG) -> Inverter:
    return Inverter(profile, demand, dialect=DIALECT, lag=lag)


class Story:
    """An inverter in virtual time on a bus of a certain voltage, fed with a cycle each second or not."""

    def __init__(self, one: Inverter, *, begin_s: float = 1000.0) -> None:
        self.one = one
        self.now = begin_s
        self.currents_a: list[float] = []

    def run(self, seconds: float, frames: list[CanFrame] | None = None, bus_v: float = 52.8) -> float:
        for tick in range(round(seconds / STEP_S)):
            if frames and tick % round(1 / STEP_S) == 0:
                for frame in frames:
                    self.one.received(frame, self.now)
            self.currents_a.append(self.one.step(self.now, bus_v))
            self.now += STEP_S
        return self.currents_a[-1]


def test_it_takes_no_current_before_it_has_heard_of_a_battery() -> None:
    assert Story(inverter(fixed(80.0))).run(3.0) == 0.0
    assert Story(inverter(fixed(-80.0))).run(3.0, cycle()[:2]) == 0.0


def test_it_does_what_is_asked_within_the_limits() -> None:
    assert Story(inverter(fixed(80.0))).run(10.0, cycle()) == 80.0
    assert Story(inverter(fixed(-80.0))).run(10.0, cycle()) == -80.0


def test_it_never_exceeds_steady_limits() -> None:
    charging, discharging = Story(inverter(fixed(300.0))), Story(inverter(fixed(-300.0)))
    assert charging.run(10.0, cycle()) == 100.0
    assert discharging.run(10.0, cycle()) == -120.0
    assert max(charging.currents_a) <= 100.0
    assert min(discharging.currents_a) >= -120.0


@pytest.mark.parametrize("tau_s", [1.0, 2.0, 3.0])
def test_it_falls_to_a_lowered_limit_with_its_lag(tau_s: float) -> None:
    story = Story(inverter(fixed(300.0), lag=Lag(fall_tau_s=tau_s)))
    story.run(10.0, cycle(ccl=100.0))
    story.run(tau_s, cycle(ccl=20.0))
    assert story.currents_a[-1] == pytest.approx(20.0 + 80.0 * 0.3679, rel=0.01)
    assert story.run(6 * tau_s, cycle(ccl=20.0)) == pytest.approx(20.0, abs=0.3)
    assert story.currents_a[80:] == sorted(story.currents_a[80:], reverse=True)


def test_it_rises_to_a_raised_limit_within_a_few_seconds() -> None:
    story = Story(inverter(fixed(-300.0)))
    story.run(10.0, cycle(dcl=20.0))
    assert story.run(5.0, cycle(dcl=120.0)) == -120.0


@pytest.mark.parametrize(("demand_a", "enables"), [(80.0, 0x40), (-80.0, 0x80), (80.0, 0), (-80.0, 0)])
def test_a_cleared_enable_stops_its_direction_although_the_limit_is_not_zero(
    demand_a: float, enables: int
) -> None:
    story = Story(inverter(fixed(demand_a)))
    assert story.run(10.0, cycle()) == demand_a
    assert story.run(20.0, cycle(enables=enables)) == 0.0


@pytest.mark.parametrize(("demand_a", "enables"), [(80.0, 0x80), (-80.0, 0x40)])
def test_a_cleared_enable_leaves_the_other_direction_alone(demand_a: float, enables: int) -> None:
    assert Story(inverter(fixed(demand_a))).run(10.0, cycle(enables=enables)) == demand_a


def test_frames_that_stop_are_a_fault_after_exactly_the_profiles_time() -> None:
    story = Story(inverter(fixed(80.0)))
    story.run(10.0, cycle())
    last_heard_s = story.now - 1.0
    story.run(last_heard_s + PROFILE.comm_fault_s - story.now)
    assert (story.one.fault, story.one.current_a) == (False, 80.0)
    story.run(STEP_S)
    assert (story.one.fault, story.one.current_a) == (True, 0.0)


@pytest.mark.parametrize("missing", [0x351, 0x355, 0x356])
def test_one_vital_frame_that_stops_is_enough_for_a_fault(missing: int) -> None:
    story = Story(inverter(fixed(80.0)))
    story.run(10.0, cycle())
    story.run(PROFILE.comm_fault_s + 1.0, [frame for frame in cycle() if frame.can_id != missing])
    assert story.one.fault


def test_other_frames_may_stop_without_a_fault() -> None:
    story = Story(inverter(fixed(80.0)))
    story.run(10.0, cycle())
    assert story.run(20.0, cycle()[:3]) == 80.0
    assert not story.one.fault


def test_a_bus_that_was_always_silent_is_a_fault_too() -> None:
    story = Story(inverter(fixed(80.0)))
    story.run(PROFILE.comm_fault_s)
    assert not story.one.fault
    story.run(STEP_S)
    assert story.one.fault


def test_the_fault_clears_and_current_returns_when_frames_return() -> None:
    story = Story(inverter(fixed(80.0)))
    story.run(10.0, cycle())
    story.run(2 * PROFILE.comm_fault_s)
    assert story.one.view()["fault"] is True
    assert story.run(10.0, cycle()) == 80.0
    assert story.one.view()["fault"] is False


def test_it_holds_the_bus_at_the_charge_voltage_limit() -> None:
    story = Story(inverter(fixed(90.0)))
    bus_v = 52.8
    for _ in range(120):
        current_a = story.run(0.5, cycle(cvl=53.6), bus_v)
        bus_v = 52.8 + current_a * 0.015
    assert bus_v == pytest.approx(53.6, abs=0.02)


def test_it_stops_discharging_at_the_discharge_voltage_limit() -> None:
    story = Story(inverter(fixed(-90.0)))
    story.run(10.0, cycle(dvl=50.0))
    assert story.run(20.0, cycle(dvl=50.0), bus_v=48.0) == 0.0
    assert story.run(20.0, cycle(dvl=50.0), bus_v=52.0) == -90.0


def test_it_gives_up_on_a_bus_without_voltage() -> None:
    story = Story(inverter(fixed(-80.0)))
    story.run(10.0, cycle())
    assert story.run(STEP_S, cycle(), bus_v=0.0) == 0.0


def test_a_dialect_that_is_not_given_is_the_profiles_own() -> None:
    one = Inverter(PROFILE, fixed(0.0))
    assert one.received(cycle()[2], 0.0) == [ZEROS]
    assert one.view()["voltage_v"] == 52.8


def test_a_frame_cut_short_counts_as_silence_of_what_it_lacks() -> None:
    story = Story(inverter(fixed(80.0)))
    story.run(10.0, cycle())
    cut = [CanFrame(frame.can_id, frame.data[:2]) for frame in cycle()]
    story.run(PROFILE.comm_fault_s + 1.0, cut)
    assert story.one.fault


def test_how_often_it_is_stepped_hardly_matters_for_its_lag() -> None:
    often, seldom = inverter(fixed(50.0)), inverter(fixed(50.0))
    for one, ticks in ((often, 100), (seldom, 4)):
        for frame in cycle():
            one.received(frame, 0.0)
        for tick in range(ticks + 1):
            one.step(tick / ticks, 52.8)
    assert often.current_a == pytest.approx(seldom.current_a, abs=1e-6)


def test_it_answers_each_0x356_with_eight_zero_bytes_and_nothing_else() -> None:
    one = inverter(fixed(0.0))
    assert [one.received(frame, 0.0) for frame in cycle()] == [[], [], [ZEROS], [], []]


def test_a_make_that_never_answers_does_not() -> None:
    one = inverter(fixed(0.0), PROFILE.model_copy(update={"answers": ()}))
    assert [one.received(frame, 0.0) for frame in cycle()] == [[], [], [], [], []]


def test_foreign_frames_are_neither_counted_nor_answered() -> None:
    one = inverter(fixed(0.0))
    assert one.received(CanFrame(0x123, b"\x01"), 0.0) == []
    assert one.received(CanFrame(0x356, bytes(8), extended=True), 0.0) == []
    assert one.received(ZEROS, 0.0) == []
    assert one.view()["frames_received"] == 0


def test_before_the_first_frame_it_believes_nothing() -> None:
    view = inverter(fixed(0.0)).view()
    assert view["frames_received"] == 0
    assert view["alarms"] == []
    assert all(view[name] is None for name in view if name not in {"fault", "alarms", "frames_received"})


def test_its_view_is_what_the_frames_said() -> None:
    one = inverter(fixed(0.0))
    for frame in [*cycle(enables=0x80), CanFrame(0x359, bytes([2, 0, 0, 8, 3, 0, 0, 0]))]:
        one.received(frame, 0.0)
    assert one.view() == {
        "fault": False,
        "charge_voltage_limit_v": 56.0,
        "discharge_voltage_limit_v": 46.0,
        "charge_current_limit_a": 100.0,
        "discharge_current_limit_a": 120.0,
        "soc_pct": 61,
        "voltage_v": 52.8,
        "current_a": -12.3,
        "charge_enabled": True,
        "discharge_enabled": False,
        "alarms": ["protection_overvoltage", "warning_internal_communication"],
        "frames_received": 6,
    }


def test_its_demand_is_asked_for_the_time_since_it_started() -> None:
    asked_s: list[float] = []

    def demand(elapsed_s: float) -> float:
        asked_s.append(elapsed_s)
        return 0.0

    Story(inverter(demand), begin_s=1000.0).run(1.0, cycle())
    assert asked_s == [tick * STEP_S for tick in range(8)]


def test_the_same_frames_and_seed_give_the_same_bits() -> None:
    first, again = (Story(inverter(alternating(150.0, 150.0, seed=4))) for _ in range(2))
    first.run(60.0, cycle())
    again.run(60.0, cycle())
    assert first.currents_a == again.currents_a
    assert min(first.currents_a) < 0 < max(first.currents_a)
