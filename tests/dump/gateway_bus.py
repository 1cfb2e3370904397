"""Two buses beside a gateway of our own in virtual time: its rack on one, what it sends on the other."""

from __future__ import annotations

from collections.abc import Callable

from bridge import config, profiles
from bridge.config import Config
from bridge.config.ceiling import highest_v
from bridge.dump.block import Block, block_of, joined
from bridge.events import Arm, Event, LinkUp, Received, Send, Tick
from bridge.gateway import Gateway
from bridge.model import CanFrame, Reading
from bridge.protocols.contract import Options, Talker, load
from bridge.sinks.can import CanSink
from tests.dump.bus import START_S, Timed

BEFORE_S = 60  # it has been running for so long when the recording starts

RACK = """
[bank]
ready_within_s = 5
rise_after_s = 1
rise_pct_per_s = 50

[packs.rack]
bms = "{bms}"
port = "can:can1"
cells = 16
capacity_ah = 200
rated_charge_current_a = 100
rated_discharge_current_a = 148

[inverters.house]
profile = "{profile}"
interface = "socketcan"
channel = "can0"
"""


def settings(bms: str = "pylontech-can", profile: str = "deye-lv") -> Config:
    return config.parse(RACK.format(bms=bms, profile=profile), "test")


def pack(current_a: float = 10.0, soc_pct: float = 60.0, cell_v: float = 3.30, **more: object) -> Reading:
    reading = Reading(
        voltage_v=16 * cell_v, current_a=current_a, soc_pct=soc_pct, soh_pct=99.0, remaining_ah=2 * soc_pct,
        full_ah=200.0, design_ah=200.0, cycles=10, cell_count=16, cell_voltages_v=(cell_v,) * 16,
        temperatures_c=(25.0, 25.0), charge_fet_on=True, discharge_fet_on=True, balancing=False,
        protections=frozenset(), warnings=frozenset(), charge_voltage_limit_v=56.0,
        discharge_voltage_limit_v=45.0, charge_current_limit_a=80.0, discharge_current_limit_a=120.0,
    )  # fmt: skip
    reading.update(more)  # type: ignore[typeddict-item]  # as Reading has them
    return reading


class Recording:
    """A gateway, a rack that answers or talks, a cycle once a second, and both buses written down."""

    def __init__(self, loaded: Config, state: Callable[[float], Reading | None]) -> None:
        self.rack: list[Timed] = []
        self.house: list[Timed] = []
        (one,), (inverter,) = loaded.packs, loaded.inverters
        sink = CanSink(inverter.name, profiles.load(inverter.profile), ceiling_v=highest_v(loaded))
        self._gateway = Gateway(loaded, {inverter.name: sink}, 0.0)
        self._device = load(one.bms).device(Options(cells=16))
        self._links = one.link, inverter.link
        self._state = state
        self._armed: tuple[CanFrame, ...] = ()
        self._now = 0.0

    def run(self, seconds: int) -> tuple[Timed, ...]:
        """What is on both buses in that time, after the gateway has been running for a while."""
        for link in self._links:
            self._event(LinkUp(link))
        for second in range(BEFORE_S + seconds):
            self._until(second + 0.1)
            self._talk()
            self._until(second + 0.4)
            self._say(self.house, *self._armed)
            self._until(second + 0.7)
            self._say(self.house, CanFrame(0x305, bytes(8)))
            self._event(Received(self._links[1], CanFrame(0x305, bytes(8))))
        return tuple(self.house)

    def block(self) -> Block:
        """Both buses as one dump, can1 the rack's."""
        rows = [(time_s, frame, 1) for time_s, frame in self.rack] + [
            (t, frame, 0) for t, frame in self.house
        ]
        rows.sort(key=lambda row: row[0])
        found = joined([block_of([row[:2] for row in rows], channels=("can0", "can1"))])
        found.channel[:] = [channel for _, _, channel in rows]
        return found

    def _talk(self) -> None:
        reading = self._state(self._now - BEFORE_S)
        if reading is not None and isinstance(self._device, Talker):
            for frame in self._device.tick(reading):
                self._heard(frame)

    def _heard(self, frame: object) -> None:
        assert isinstance(frame, CanFrame)
        self._say(self.rack, frame)
        self._event(Received(self._links[0], frame))

    def _say(self, bus: list[Timed], *frames: CanFrame) -> None:
        bus += [(START_S + self._now - BEFORE_S, frame) for frame in frames if self._now >= BEFORE_S]

    def _until(self, time_s: float) -> None:
        while (due := self._gateway.next_wakeup()) < time_s:
            self._now = max(self._now, due)
            self._event(Tick())
        self._now = time_s

    def _event(self, event: Event) -> None:
        for action in self._gateway.handle(event, self._now):
            if isinstance(action, Arm):
                self._armed = action.frames
            elif isinstance(action, Send) and isinstance(action.payload, CanFrame):
                self._asked(action.payload)

    def _asked(self, question: CanFrame) -> None:
        self._say(self.rack, question)
        reading = self._state(self._now - BEFORE_S)
        if reading is not None:
            self._now += 0.005
            for answer in self._device.receive(question, reading):
                self._heard(answer)
