"""Inverter and bank together, in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.sim.bank import ParallelBank
from bridge.sim.demand import alternating, fixed
from bridge.sim.demo import DEMO_PACKS, demo_plant
from bridge.sim.inverter import Inverter
from bridge.sim.pack import Pack
from bridge.sim.plant import Plant
from tests.sim.test_inverter import cycle, inverter

STEP_S = 0.1


def live(
    one: Inverter, plant: Plant, seconds: float, *, begin_s: float = 0.0, **limits: float
) -> list[float]:
    """The bus voltages of so many seconds in which these limits are sent once a second."""
    voltages_v = []
    for tick in range(round(seconds / STEP_S)):
        now = begin_s + tick * STEP_S
        for frame in cycle(**limits) if tick % 10 == 0 else ():  # type: ignore[arg-type]  # floats only
            one.received(frame, now)
        plant.advance(now, one.step(now, plant.bus_voltage_v))
        voltages_v.append(plant.bus_voltage_v)
    return voltages_v


def test_what_the_inverter_pushes_is_what_the_packs_carry() -> None:
    one, plant = inverter(alternating(180.0, 150.0)), demo_plant()
    live(one, plant, 30.0, ccl=120.0)
    assert plant.current_a == pytest.approx(one.current_a)
    assert sum(pack.current_a for pack in plant.bank.packs) == pytest.approx(one.current_a)


def test_nearly_full_packs_are_held_at_the_charge_voltage_limit() -> None:
    packs = [Pack(replace(spec, soc=0.96, soc_spread=0.0)) for spec in DEMO_PACKS]
    one, plant = inverter(fixed(150.0)), Plant(ParallelBank(packs), speed=5.0)
    voltages_v = live(one, plant, 300.0, cvl=54.4, ccl=150.0)
    assert max(voltages_v) < 54.6
    assert 0.0 < one.current_a < 100.0
    assert voltages_v[-1] == pytest.approx(54.4, abs=0.05)


def test_a_bank_that_opened_its_switches_takes_nothing_however_hard_it_is_pushed() -> None:
    one, plant = inverter(fixed(-200.0)), demo_plant()
    for pack in plant.bank.packs:
        pack.bms.lock(charge=True, discharge=True)
    assert live(one, plant, 5.0)[-1] == 0.0
    assert plant.current_a == 0.0
