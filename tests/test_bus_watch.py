"""What is wrong with a bus, told from counts alone: once when it starts, once when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.bus_watch import GONE_S, HELP, RECOVER_AT_MOST_EVERY_S, BusWatch, Trouble
from bridge.events import (
    Action,
    BusCounted,
    BusCounters,
    HealthChanged,
    Level,
    LinkUp,
    Received,
    Report,
    Restart,
)
from bridge.model import CanFrame
from bridge.status import snapshot
from tests.test_gateway import CAN, World, running, world

QUIET = BusCounters(received=1, bits=111)


class Bus:
    """A watch whose counters grow by the second."""

    def __init__(self, *, reopens: bool = True) -> None:
        self.watch = BusWatch("can:can0", 500_000, reopens=reopens)
        self.counters = BusCounters()
        self.now = 0.0
        self.actions: list[Action] = []
        self.step()

    def step(self, seconds: int = 1, *, health: str = "ok", deaf: bool = False, **grown: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            more = {name: getattr(self.counters, name) + count for name, count in grown.items()}
            self.counters = replace(self.counters, health=health, deaf=deaf, **more)
            self.actions += self.watch.counted(self.counters, self.now)

    def troubles(self) -> list[tuple[str, object]]:
        return [(one.event, one.fields["trouble"]) for one in self.actions if isinstance(one, Report)]

    def restarts(self) -> int:
        return sum(isinstance(one, Restart) for one in self.actions)


def test_a_quiet_bus_has_nothing() -> None:
    bus = Bus()
    bus.step(60, received=6, bits=666)
    assert bus.actions == []
    assert bus.watch.report()["load_pct"] == 0.1


@pytest.mark.parametrize(
    ("trouble", "health", "deaf", "grown"),
    [
        (Trouble.NOT_ACKNOWLEDGED, "ok", False, {"no_acknowledge": 30}),
        (Trouble.NOT_ACKNOWLEDGED, "passive", False, {}),
        (Trouble.NOT_ACKNOWLEDGED, "passive", False, {"no_acknowledge": 30, "protocol_errors": 30}),
        (Trouble.BIT_RATE, "ok", False, {"protocol_errors": 900}),
        (Trouble.BIT_RATE, "passive", True, {}),
        (Trouble.BIT_RATE, "passive", True, {"protocol_errors": 9, "received": 6, "bits": 666}),
        (Trouble.NOISE, "warning", False, {"protocol_errors": 3, "heard": 6}),
        (Trouble.OVERRUN, "ok", False, {"overruns": 1, "heard": 100}),
        (Trouble.OVERRUN, "ok", False, {"dropped": 1, "heard": 100}),
        (Trouble.FLOOD, "ok", False, {"received": 4000, "bits": 440_000}),
        (Trouble.REMOTE_FRAMES, "ok", False, {"remote_frames": 1}),
        (Trouble.FD_FRAMES, "ok", False, {"fd_frames": 1}),
    ],
)
def test_each_trouble_is_said_once_with_what_to_do_and_once_when_it_is_over(
    trouble: Trouble, health: str, deaf: bool, grown: dict[str, int]
) -> None:
    bus = Bus()
    bus.step(30, health=health, deaf=deaf, **grown)
    assert bus.troubles() == [("bus_trouble", trouble.value)]
    (report,) = (one for one in bus.actions if isinstance(one, Report))
    assert (report.level, report.fields["help"]) == (Level.WARNING, HELP[trouble])
    assert bus.watch.report()["troubles"] == [{"trouble": trouble.value, "help": HELP[trouble]}]
    bus.step(int(GONE_S) + 2, received=5, heard=5)
    assert bus.troubles()[1:] == [("bus_trouble_over", trouble.value)]
    assert bus.watch.report()["troubles"] == []


def test_a_burst_is_no_flood() -> None:
    bus = Bus()
    bus.step(2, received=4000, bits=440_000)
    bus.step(30, received=6)
    assert bus.troubles() == []


def test_a_controller_that_stays_off_the_bus_is_opened_again_and_less_and_less_often() -> None:
    bus = Bus()
    bus.step(2, health="bus-off")
    assert bus.restarts() == 0
    bus.step(298, health="bus-off")
    assert 4 <= bus.restarts() <= 4 + 300 / RECOVER_AT_MOST_EVERY_S


def test_a_controller_of_the_kernels_is_not_opened_again_for_that_does_not_start_it() -> None:
    bus = Bus(reopens=False)
    bus.step(300, health="bus-off")
    assert bus.restarts() == 0


def test_one_that_recovers_by_itself_is_left_alone() -> None:
    bus = Bus()
    for _ in range(20):
        bus.step(2, health="bus-off")
        bus.step(1, received=6, heard=6)
    assert bus.restarts() == 0


def test_a_port_that_was_opened_again_is_not_judged_by_the_time_between() -> None:
    bus = Bus()
    bus.watch.opened()
    bus.counters = BusCounters(protocol_errors=1000)
    bus.step(1)
    assert bus.troubles() == []


# In the gateway


def reports(made: World, event: str) -> list[Report]:
    return [report for report in made.reports if report.event == event]


def test_the_gateway_says_it_and_shows_it_in_its_status() -> None:
    made = running()
    made.event(BusCounted(CAN, BusCounters()))
    made.run(1)
    made.event(BusCounted(CAN, BusCounters(no_acknowledge=9, tx_errors=128, rx_errors=0)))
    assert [report.fields["link"] for report in reports(made, "bus_trouble")] == [CAN]
    bus = snapshot(made.gateway, made.now)["buses"]
    assert isinstance(bus, dict)
    assert (bus[CAN]["tx_errors"], bus[CAN]["troubles"][0]["trouble"]) == (128, "not-acknowledged")


def test_counts_of_a_bus_without_an_inverter_are_no_matter() -> None:
    made = world()
    made.event(BusCounted("can:other", BusCounters(no_acknowledge=9)))
    made.event(HealthChanged("can:other", "ok"))
    assert reports(made, "bus_trouble") == []


def test_echoes_and_frames_of_the_wrong_length_are_said_once() -> None:
    made = running()
    for _ in range(5):
        for frame in made.armed[-1][1].frames:
            made.event(Received(CAN, frame))
        made.event(Received(CAN, CanFrame(0x305, b"\x01")))
        made.event(LinkUp(CAN))
        made.run(2)
    assert len(reports(made, "echoes")) == len(reports(made, "malformed")) == 1
    assert reports(made, "other_sender") == []


def test_a_full_bus_of_foreign_frames_misses_no_decision() -> None:
    made = running()
    before = len(made.armed)
    for _ in range(10):
        for number in range(4000):
            made.event(Received(CAN, CanFrame(0x100 + number % 64, bytes(8))))
        made.run(0.5)
    assert len(made.armed) - before >= 10
    assert made.gateway.sinks["house"].status(made.now).foreign == 40_000
