from __future__ import annotations

from typing import ClassVar

import pytest

from bridge.sim.bank import ParallelBank
from bridge.sim.demo import demo_plant
from bridge.sim.pack import Pack, PackSpec
from bridge.sim.plant import Plant
from bridge.sim.sensor import EXACT
from bridge.sim.split import Split

SPEC = PackSpec(
    name="a", capacity_ah=100.0, soc=0.5, rated_charge_a=100.0, rated_discharge_a=100.0, sensors=EXACT,
    soc_spread=0.0, capacity_spread=0.0,
)  # fmt: skip


def plant(speed: float = 1.0) -> Plant:
    return Plant(ParallelBank([Pack(SPEC)]), speed=speed)


def soc(one: Plant) -> float:
    return one.bank.packs[0].soc


def test_the_first_moment_only_sets_the_clock() -> None:
    fresh = plant()
    fresh.advance(1234.5, -50.0)
    assert soc(fresh) == pytest.approx(0.5, abs=1e-12)
    assert fresh.current_a == pytest.approx(-50.0)


def test_charge_follows_the_clock_times_the_speed() -> None:
    fast = plant(speed=30.0)
    fast.advance(100.0, -50.0)
    fast.advance(112.0, -50.0)
    assert soc(fast) == pytest.approx(0.5 - 50.0 * 360.0 / 3600 / 100)


def test_how_often_it_is_advanced_hardly_matters() -> None:
    often, seldom = plant(speed=30.0), plant(speed=30.0)
    for tick in range(1201):
        often.advance(tick * 0.01, -50.0)
    for tick in range(13):
        seldom.advance(tick * 1.0, -50.0)
    assert soc(often) == pytest.approx(soc(seldom), abs=1e-9)
    assert often.bus_voltage_v == pytest.approx(seldom.bus_voltage_v, abs=1e-3)


def test_cells_take_no_step_longer_than_half_a_second_of_theirs() -> None:
    class Watched(ParallelBank):
        steps_s: ClassVar[list[float]] = []

        def step(self, demand_a: float, dt_s: float, *, cells_dt_s: float | None = None) -> Split:
            self.steps_s.append(cells_dt_s or dt_s)
            return super().step(demand_a, dt_s, cells_dt_s=cells_dt_s)

    fast = Plant(Watched([Pack(SPEC)]), speed=30.0)
    fast.advance(0.0, 0.0)
    fast.advance(1.01, 0.0)
    assert len(Watched.steps_s) == 61
    assert max(Watched.steps_s) <= 0.5


def test_a_clock_that_stands_still_or_goes_back_moves_nothing() -> None:
    still = plant()
    still.advance(10.0, -50.0)
    still.advance(10.0, -50.0)
    still.advance(9.0, -50.0)
    assert soc(still) == pytest.approx(0.5, abs=1e-12)


def test_an_over_current_trips_on_the_clock_however_fast_the_cells_live() -> None:
    fast = plant(speed=30.0)
    fast.advance(0.0, -120.0)
    fast.advance(7.9, -120.0)
    assert fast.current_a == pytest.approx(-120.0)
    fast.advance(8.2, -120.0)
    assert fast.current_a == 0.0
    assert fast.bus_voltage_v == 0.0


def test_the_same_seed_gives_the_same_bits() -> None:
    first, again, other = demo_plant(7), demo_plant(7), demo_plant(8)
    for tick in range(20):
        for one in (first, again, other):
            one.advance(tick * 0.5, 100.0 if tick % 4 else -80.0)
    assert [pack.reading() for pack in first.bank.packs] == [pack.reading() for pack in again.bank.packs]
    assert first.bus_voltage_v == again.bus_voltage_v
    assert first.bus_voltage_v != other.bus_voltage_v
