"""`packbridge demo --inverter NAME` for every profile, a minute each in virtual time.

The demo's own packs, configuration and inverter; between them the engine, the sink and JBD's bytes. Only the
loop, the ports and the clock are missing, and the cells live no faster than the rest.
"""

from __future__ import annotations

import pytest

from bridge import config, profiles
from bridge.config.ceiling import highest_v
from bridge.demo import BLOCK_S, CHANNEL, CHARGE_A, DISCHARGE_A, config_text
from bridge.events import LinkUp, Received
from bridge.gateway import Gateway
from bridge.protocols.contract import Options, load
from bridge.sim.demand import alternating
from bridge.sim.demo import DEMO_PACKS, demo_plant
from bridge.sim.inverter import Inverter
from bridge.sim.pack import Pack
from bridge.sinks.can import CanSink
from tests.test_gateway import CAN, Port, World

LASTS_S, STEP_S, DUST_S = 60.0, 0.5, 0.01
NAMES = profiles.can()  # those that ask over RS485 have a minute of their own in sim/


def board(pack: Pack) -> Port:
    """A JBD board that says what a simulated pack measures."""
    return Port(load("jbd").device(Options(cells=pack.spec.cells)), lambda _: pack.reading())


class Demo:
    """The demo in virtual time."""

    def __init__(self, profile: str) -> None:
        ports = [f"/dev/{spec.name}" for spec in DEMO_PACKS]
        settings = config.parse(config_text(profile, ports).replace(CHANNEL, "test"), "demo")
        sink = CanSink("house", profiles.load(profile), ceiling_v=highest_v(settings))
        self.plant = demo_plant(speed=1.0)  # cells that hurry take much longer
        boards = {port: board(pack) for port, pack in zip(ports, self.plant.bank.packs, strict=True)}
        self.made = World(Gateway(settings, {"house": sink}, 0.0), boards)
        for link in (*ports, CAN):
            self.made.event(LinkUp(link))
        demand = alternating(CHARGE_A, DISCHARGE_A, block_s=BLOCK_S)
        self.inverter = Inverter(sink.profile, demand, dialect=sink.dialect)
        self.period_s, self.comm_fault_s = sink.profile.period_s, sink.profile.comm_fault_s
        self.currents_a: list[float] = []
        self._cycle_s = 0.0

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / STEP_S)):
            self.made.run(STEP_S)
            now = self.made.now
            for frame in self.inverter.asks(now):
                self.made.event(Received(CAN, frame))
            if now >= self._cycle_s and self.made.armed:
                self._cycle_s = now + self.period_s
                self.made.sent += self.made.armed[-1][1].frames
            told, self.made.sent = self.made.sent, []
            for frame in told:
                for answer in self.inverter.received(frame, now):
                    self.made.event(Received(CAN, answer))
            self.currents_a.append(self.inverter.step(now, self.plant.bus_voltage_v))
            self.plant.advance(now, self.currents_a[-1])


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_charges_and_discharges_the_demos_packs_for_a_minute(name: str) -> None:
    demo = Demo(name)
    demo.run(LASTS_S)
    view = demo.inverter.view()
    assert (view["fault"], view["alarms"]) == (False, [])
    assert max(demo.currents_a) > 50.0
    assert min(demo.currents_a) < -50.0
    assert [pack.bms.charge_on and pack.bms.discharge_on for pack in demo.plant.bank.packs] == [True] * 3
    gone_s = demo.made.now + demo.comm_fault_s
    assert demo.inverter.step(gone_s + DUST_S, demo.plant.bus_voltage_v) == 0.0  # nothing came any more
    assert demo.inverter.fault
