from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Alarm, sample_of
from bridge.sim.chemistries import KINDS
from bridge.sim.lumped import LumpedPack
from bridge.sim.lumped_spec import Like, LumpedSpec, Over, likes
from bridge.sim.pack import Pack, PackSpec
from bridge.sim.sensor import EXACT, Sensors
from tests.sim.scenarios import lumped

DT_S = 0.5


def run(pack: LumpedPack, current_a: float, seconds: float) -> LumpedPack:
    for _ in range(round(seconds / DT_S)):
        pack.step(current_a)
    return pack


def bus_v(pack: LumpedPack, current_a: float) -> float:
    return pack.emf_v + pack.resistance_ohm * current_a


def test_it_is_the_detailed_pack_with_a_coarser_grain() -> None:
    detailed = Pack(
        PackSpec(
            name="a", capacity_ah=100.0, soc=0.5, rated_charge_a=50.0, rated_discharge_a=50.0, sensors=EXACT,
            soc_spread=0.0, capacity_spread=0.0, resistance_spread=0.0, cable_ohm=0.0042,
        )
    )  # fmt: skip
    pack = lumped(path_ohm=0.006)
    for current_a in (40.0, -45.0, 10.0):
        for _ in range(600):
            detailed.step(current_a, DT_S)
            pack.step(current_a)
        branch = detailed.branch()
        assert pack.emf_v == pytest.approx(branch.emf_v, abs=1e-6)
        assert pack.resistance_ohm == pytest.approx(branch.resistance_ohm)
        assert pack.soc == pytest.approx(detailed.soc)
        assert pack.temperature_c == pytest.approx(detailed.cells[0].temperature_c, abs=0.05)
        assert sample_of(pack.reading(), 0.0).current_a == sample_of(detailed.reading(), 0.0).current_a


def test_a_stated_cell_resistance_replaces_the_usual_one() -> None:
    assert lumped(path_ohm=0.004, cell_ohm=0.001).resistance_ohm == pytest.approx(0.004 + 16 * 0.001)


def test_like_cells_are_reported_one_by_one() -> None:
    pack = lumped(likes=likes(16, soc_spread=0.01, runner_soc=0.02))
    cells_v = pack.reading()["cell_voltages_v"]
    assert len(cells_v) == 16
    assert len(set(cells_v)) == 3
    assert cells_v[0] == max(v for v in cells_v if v is not None)


def test_a_weak_cell_falls_behind_as_it_is_emptied() -> None:
    pack = run(lumped(likes=likes(16, weak_capacity=0.1)), -40.0, 3600.0)
    assert pack.groups[2].soc == pytest.approx(0.5 - 40 / 90, abs=1e-3)
    assert pack.groups[1].soc == pytest.approx(0.5 - 40 / 100, abs=1e-3)


def test_a_pack_too_small_for_unlike_cells_has_like_ones() -> None:
    assert likes(2, soc_spread=0.01) == (Like(count=2),)


def test_a_second_element_gives_slowly() -> None:
    slow = lumped(slow_ohm_ah=0.05)
    after_a_minute = bus_v(run(slow, 50.0, 60.0), 50.0) - bus_v(run(lumped(), 50.0, 60.0), 50.0)
    assert 0 < after_a_minute < 0.2 * 16 * 0.05 / 100 * 50


@pytest.mark.parametrize(
    ("sign", "alarm"), [(1, Alarm.CHARGE_OVERCURRENT), (-1, Alarm.DISCHARGE_OVERCURRENT)]
)
def test_the_board_opens_on_over_current_and_closes_again(sign: int, alarm: Alarm) -> None:
    pack = lumped(over=Over(factor=1.15, delay_s=8.0, retry_s=60.0))
    assert run(pack, sign * 58.0, 7.5).closed
    tripped = run(pack, sign * 58.0, 1.0).bms
    assert tripped.protections == {alarm}
    story = [run(pack, 0.0, seconds).closed for seconds in (58.0, 3.0)]
    assert story == [False, True]
    assert pack.trips == 1


def test_a_current_below_the_threshold_never_trips() -> None:
    assert run(lumped(), -57.0, 900.0).trips == 0


def test_a_board_with_a_fast_stage_opens_at_once() -> None:
    pack = run(lumped(over=Over(fast=2.0)), -101.0, 0.5)
    assert not pack.bms.discharge_on


def test_a_board_trips_by_what_its_own_sensor_shows() -> None:
    low = Sensors(current_gain=0.9)
    assert run(lumped(sensors=low), -60.0, 60.0).trips == 0
    assert run(lumped(), -60.0, 60.0).trips == 1


def test_over_charge_and_deep_discharge_open_one_switch_each() -> None:
    full = run(lumped(soc=0.995), 40.0, 120.0)
    assert (full.bms.charge_on, full.bms.discharge_on) == (False, True)
    empty = run(lumped(soc=0.004), -40.0, 60.0)
    assert (empty.bms.charge_on, empty.bms.discharge_on) == (True, False)
    assert full.trips == empty.trips == 1


def test_cold_opens_the_charge_switch_but_is_nobodys_fault() -> None:
    pack = run(lumped(temperature_c=-3.0, ambient_c=-3.0), 0.0, 5.0)
    assert not pack.bms.charge_on
    assert pack.trips == 0


def test_a_high_cell_is_bled() -> None:
    pack = lumped(soc=0.985, likes=likes(16, runner_soc=0.012), balance_a=2.0)
    lead = pack.groups[0].soc - pack.groups[1].soc
    run(pack, 5.0, 600.0)
    assert pack.groups[0].soc - pack.groups[1].soc < lead - 0.5 * 2.0 * 600 / 3600 / 100
    assert pack.reading()["balancing"] is True


def test_the_counter_counts_what_the_sensor_shows() -> None:
    pack = lumped(sensors=replace(EXACT, current_offset_a=5.0), soc_error=0.1)
    run(pack, 0.0, 3600.0)
    assert pack.soc == pytest.approx(0.5)
    assert pack.reading()["soc_pct"] == pytest.approx(65.0, abs=0.1)
    pack.recount(0.2)
    assert pack.reading()["soc_pct"] == pytest.approx(20.0)


def test_two_readings_at_one_moment_differ_by_noise_only() -> None:
    pack = LumpedPack(
        LumpedSpec(name="a", capacity_ah=100, soc=0.5, rated_charge_a=50, rated_discharge_a=50), 0.5
    )
    first, second = pack.reading()["cell_voltages_v"], pack.reading()["cell_voltages_v"]
    assert first != second
    assert all(abs((a or 0) - (b or 0)) < 0.01 for a, b in zip(first, second, strict=True))


def test_the_same_seed_gives_the_same_pack() -> None:
    spec = LumpedSpec(name="a", capacity_ah=100, soc=0.5, rated_charge_a=50, rated_discharge_a=50)
    assert LumpedPack(spec, 0.5, seed=3).reading() == LumpedPack(spec, 0.5, seed=3).reading()
    assert LumpedPack(spec, 0.5, seed=3).reading() != LumpedPack(spec, 0.5, seed=4).reading()


@pytest.mark.parametrize("chemistry", KINDS)
def test_every_chemistry_can_be_cycled(chemistry: str) -> None:
    pack = lumped(kind=KINDS[chemistry], soc=0.5)
    run(pack, 20.0, 600.0)
    assert pack.soc == pytest.approx(0.5 + 20 / 6 / 100, abs=1e-3)
    assert pack.trips == 0


@given(st.lists(st.floats(-70.0, 70.0), min_size=5, max_size=40), st.sampled_from([0.004, 0.5, 0.994]))
def test_leaving_out_what_a_calm_board_would_look_at_changes_nothing(
    currents_a: list[float], soc: float
) -> None:
    quick, thorough = (lumped(soc=soc, over=Over(delay_s=2.0, retry_s=3.0)) for _ in range(2))
    for current_a in currents_a:
        run(quick, current_a, 2.0)
        for _ in range(4):
            thorough._quiet = False
            thorough.step(current_a)
        assert quick.bms.protections == thorough.bms.protections
        assert quick.trips == thorough.trips
