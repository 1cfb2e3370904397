"""When the engine decides: once for what arrives together, and never without what was heard."""

from __future__ import annotations

from bridge import config, profiles
from bridge.events import Action, Arm, LinkDown, LinkUp, Received, Report, Stop, Tick
from bridge.gateway import BEHIND_S, Gateway
from bridge.model import CanFrame, Reading
from bridge.protocols.contract import Options, Talker, load
from bridge.sinks.can import CanSink
from tests.dump.gateway_bus import pack

RACKS = ("socketcan:one", "socketcan:two")
HOUSE = "virtual:house"
HIGH_CELL = {"cell_voltages_v": (3.30,) * 15 + (3.70,), "protections": frozenset({"cell_overvoltage"})}
CONFIG = """
[bank]
ready_within_s = 5
rise_after_s = 1
rise_pct_per_s = 50

[pack]
bms = "pylontech-can"
cells = 16
capacity_ah = 200
rated_charge_current_a = 100
rated_discharge_current_a = 148

[packs.one]
port = "can:one"

[packs.two]
port = "can:two"

[inverters.house]
profile = "deye-lv"
interface = "virtual"
channel = "house"
"""


class Racks:
    """Two racks that talk by themselves, and the engine between them and an inverter."""

    def __init__(self) -> None:
        sink = CanSink("house", profiles.load("deye-lv"))
        self.gateway = Gateway(config.parse(CONFIG, "test"), {"house": sink}, 0.0)
        self.now = 0.0
        self._device = load("pylontech-can").device(Options(cells=16))
        for link in (*RACKS, HOUSE):
            self.gateway.handle(LinkUp(link), self.now)
        self.tick()

    def says(self, link: str, **more: object) -> list[Arm]:
        """A rack says all that it has to say, and nothing but its frames is handled."""
        reading: Reading = pack(10.0 + self.now % 7 / 10, **more)  # type: ignore[arg-type]  # of pack
        assert isinstance(self._device, Talker)
        frames = [frame for frame in self._device.tick(reading) if isinstance(frame, CanFrame)]
        return [one for frame in frames for one in arms(self.gateway.handle(Received(link, frame), self.now))]

    def tick(self) -> list[Arm]:
        return arms(self.gateway.handle(Tick(), self.now))

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            for link in RACKS:
                self.says(link)
            self.tick()
            self.tick()

    def limit_a(self) -> float:
        assert self.gateway.decision is not None
        return self.gateway.decision.charge_current_limit_a


def arms(actions: list[Action]) -> list[Arm]:
    return [one for one in actions if isinstance(one, Arm)]


def running() -> Racks:
    made = Racks()
    made.run(20)
    assert made.limit_a() > 0
    return made


def test_what_arrives_together_is_decided_on_once_and_at_once() -> None:
    made = running()
    made.now += 0.1

    assert [made.says(link) for link in RACKS] == [[], []]
    assert made.gateway.next_wakeup() <= made.now
    assert len(made.tick()) == 1
    assert made.tick() == []  # what is logged
    assert made.gateway.next_wakeup() > made.now + BEHIND_S


def test_the_frames_of_a_decision_do_not_wait_for_its_log() -> None:
    made = running()
    made.now += 0.1
    made.says(RACKS[0], **HIGH_CELL)

    first = made.gateway.handle(Tick(), made.now)
    assert [type(one) for one in first] == [Arm]
    made.now = made.gateway.next_wakeup()

    second = made.gateway.handle(Tick(), made.now)
    assert "limit_cause" in {one.event for one in second if isinstance(one, Report)}
    assert made.gateway.next_wakeup() > made.now + BEHIND_S


def test_a_flood_of_samples_does_not_keep_the_rest_from_being_done() -> None:
    made = running()
    reported = False
    for turn in range(4):
        made.now += 0.01
        made.says(RACKS[turn % 2], **HIGH_CELL)
        reported |= any(isinstance(one, Report) for one in made.gateway.handle(Tick(), made.now))
    assert reported


def test_bad_news_of_any_of_them_is_in_that_decision() -> None:
    for bad in RACKS:
        made = running()
        made.now += 0.1
        for link in RACKS:
            made.says(link, **(HIGH_CELL if link == bad else {}))
        (arm,) = made.tick()
        assert arm.urgent
        assert made.limit_a() == 0


def test_what_a_pack_said_is_decided_on_before_it_says_something_else() -> None:
    made = running()
    made.now += 0.1
    assert made.says(RACKS[0], **HIGH_CELL) == []

    (arm,) = made.says(RACKS[0])

    assert arm.urgent
    assert made.limit_a() == 0


def test_news_that_is_no_arrival_is_decided_on_with_it() -> None:
    made = running()
    before_a = made.limit_a()
    assert len(arms(made.gateway.handle(LinkDown(RACKS[0], "unplugged"), made.now))) == 1
    assert made.limit_a() < before_a


def test_nothing_that_arrives_after_the_end_is_decided_on() -> None:
    made = running()
    made.gateway.handle(Stop(), made.now)
    said = [made.says(RACKS[0], **HIGH_CELL), made.says(RACKS[0]), made.tick()]
    assert said == [[], [], []]
    assert made.limit_a() == 0
