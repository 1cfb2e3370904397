"""Sixteen 48 V packs in series behind the engine: bytes of sixteen boards, and inverters that take them."""

from __future__ import annotations

import pytest

from bridge import config, profiles
from bridge.config.ceiling import highest_v
from bridge.events import LinkDown, LinkUp, Received
from bridge.gateway import Gateway
from bridge.model import Limit, Reading
from bridge.protocols.contract import Options, load
from bridge.sim.demand import fixed
from bridge.sim.inverter import Inverter
from bridge.sinks.can import CanSink
from tests.test_gateway import CAN, CELLS, Port, World, reading

NAMES = [f"p{number}" for number in range(1, 17)]
STEP_S = 0.25
SETTLED_S = 24.0
REST_V, HIGH_V = 3.30, 3.56


def text(profile: str) -> str:
    wired = ", ".join(f'"{name}"' for name in NAMES)
    shared = """
[pack]
bms = "jbd"
cells = 16
capacity_ah = 100
rated_current_a = 50
period_s = 2
series_rated = true
"""
    packs = "".join(f'\n[packs.{name}]\nport = "/dev/{name}"\n' for name in NAMES)
    bank = "[bank]\nrise_after_s = 1\nrise_pct_per_s = 50\nhigh_voltage = true\n"
    inverter = f'\n[inverters.house]\nprofile = "{profile}"\ninterface = "virtual"\nchannel = "test"\n'
    return f"{bank}topology = {{ series = [{wired}] }}\n{shared}{packs}{inverter}"


class Stack:
    """The engine, the packs, and an inverter that knows nothing but frames."""

    def __init__(self, profile: str, demand_a: float) -> None:
        settings = config.parse(text(profile), "test")
        sink = CanSink("house", profiles.load(profile), ceiling_v=highest_v(settings))
        self.made = World(
            Gateway(settings, {"house": sink}, 0.0),
            {f"/dev/{name}": Port(load("jbd").device(Options(cells=CELLS))) for name in NAMES},
        )
        for link in (*self.made.ports, CAN):
            self.made.event(LinkUp(link))
        self.sink = sink
        self.inverter = Inverter(sink.profile, fixed(demand_a), dialect=sink.dialect)
        self._cycle_s = 0.0

    def run(self, seconds: float) -> Stack:
        """Frames both ways; the inverter measures what the packs have."""
        end_s = self.made.now + seconds
        while self.made.now < end_s:
            self.made.run(STEP_S)
            for frame in self.inverter.asks(self.made.now):
                self.made.event(Received(CAN, frame))
            if self.made.armed and self.made.now >= self._cycle_s:
                self._cycle_s = self.made.now + self.sink.profile.period_s
                self.made.sent += self.made.armed[-1][1].frames
            sent, self.made.sent = self.made.sent, []
            for frame in sent:
                for answer in self.inverter.received(frame, self.made.now):
                    self.made.event(Received(CAN, answer))
            self.inverter.step(self.made.now, len(NAMES) * CELLS * REST_V)
        return self

    def say(self, name: str, state: Reading) -> None:
        self.made.ports[f"/dev/{name}"].state = lambda _: state

    def allowed_a(self) -> tuple[object, object]:
        view = self.inverter.view()
        return view["charge_current_limit_a"], view["discharge_current_limit_a"]


@pytest.mark.parametrize("profile", ["solax-hv", "growatt-hv", "deye-hv", "fronius-byd-hv", "sofar-hv"])
def test_a_high_voltage_inverter_sees_one_battery_of_256_cells(profile: str) -> None:
    stack = Stack(profile, 20.0).run(SETTLED_S)
    view = stack.inverter.view()
    assert view["voltage_v"] == pytest.approx(256 * REST_V, abs=0.1)
    assert view["charge_voltage_limit_v"] == pytest.approx(256 * 3.45)
    assert stack.allowed_a() == (50.0, 50.0)
    assert view["alarms"] == []
    assert view["fault"] is False
    assert stack.inverter.current_a == pytest.approx(20.0)


def test_one_high_cell_among_256_ends_charging_of_the_whole_stack() -> None:
    stack = Stack("solax-hv", 20.0).run(SETTLED_S)
    cells_v = (*(REST_V,) * 15, HIGH_V)
    high: Reading = {**reading(), "cell_voltages_v": cells_v, "voltage_v": sum(cells_v)}
    stack.say("p11", high)
    stack.run(12)
    assert stack.allowed_a() == (0.0, 50.0)
    assert stack.inverter.current_a == pytest.approx(0.0, abs=0.1)
    decision = stack.made.gateway.decision
    assert decision is not None
    why = decision.constraints[Limit.CCL][0]
    assert (why.pack, why.cell, why.value) == ("p11", 16, 0.0)


def test_one_silent_pack_of_sixteen_ends_all_current() -> None:
    stack = Stack("solax-hv", -20.0).run(SETTLED_S)
    assert stack.inverter.current_a == pytest.approx(-20.0)
    stack.made.event(LinkDown("/dev/p3", "unplugged"))
    stack.run(12)
    assert stack.allowed_a() == (0.0, 0.0)
    assert stack.inverter.current_a == pytest.approx(0.0, abs=0.1)
