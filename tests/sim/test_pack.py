from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bridge.model import Alarm, PackSample, sample_of
from bridge.sim.chance import stream
from bridge.sim.pack import Pack, PackSpec
from bridge.sim.sensor import EXACT, drawn

SPEC = PackSpec(name="a", capacity_ah=100.0, soc=0.5, rated_charge_a=50.0, rated_discharge_a=50.0)
TRUE_SPEC = replace(SPEC, sensors=EXACT, soc_spread=0.0, capacity_spread=0.0, resistance_spread=0.0)


def run(pack: Pack, current_a: float, seconds: float, dt_s: float = 0.5) -> Pack:
    for _ in range(round(seconds / dt_s)):
        pack.step(current_a, dt_s)
    return pack


def sample(pack: Pack) -> PackSample:
    return sample_of(pack.reading(), 0.0)


def test_a_new_pack_reports_before_it_was_ever_stepped() -> None:
    reading = Pack(TRUE_SPEC).reading()
    assert reading["voltage_v"] == pytest.approx(16 * 3.290)
    assert reading["soc_pct"] == 50.0
    assert reading["cell_count"] == 16
    assert len(reading["cell_voltages_v"]) == 16
    assert reading["charge_allowed"] is True
    assert reading["protections"] == frozenset()


def test_exact_sensors_report_the_truth() -> None:
    pack = run(Pack(TRUE_SPEC), 40.0, 360.0)
    assert sample(pack).current_a == 40.0
    assert sample(pack).voltage_v == pytest.approx(sum(cell.voltage_v(40.0) for cell in pack.cells))
    assert sample(pack).soc == pytest.approx(0.54, abs=1e-4)


def test_the_board_counts_with_its_own_sensor() -> None:
    spec = replace(TRUE_SPEC, sensors=replace(EXACT, current_gain=1.01, current_offset_a=0.2))
    pack = run(Pack(spec), -40.0, 900.0)
    assert pack.soc == pytest.approx(0.4, abs=1e-9)
    assert sample(pack).remaining_ah == pytest.approx(50.0 - (40.0 * 1.01 - 0.2) / 4, abs=0.01)


def test_the_counter_stays_between_empty_and_full() -> None:
    full = Pack(replace(TRUE_SPEC, soc=0.999, sensors=replace(EXACT, current_offset_a=5.0)))
    assert sample(run(full, 0.0, 600.0)).soc == 1.0
    empty = Pack(replace(TRUE_SPEC, soc=0.001, sensors=replace(EXACT, current_offset_a=-5.0)))
    assert sample(run(empty, 0.0, 600.0)).remaining_ah == 0.0


def test_sensors_show_steps_of_their_size() -> None:
    pack = run(Pack(SPEC), 12.34, 10.0)
    reading = pack.reading()
    assert all(round(volt, 3) == volt for volt in reading["cell_voltages_v"] if volt is not None)
    current_a, voltage_v = reading["current_a"], reading["voltage_v"]
    assert current_a is not None
    assert voltage_v is not None
    assert round(current_a, 1) == current_a
    assert round(voltage_v, 2) == voltage_v


def test_a_drawn_board_is_off_by_no_more_than_it_may_be() -> None:
    boards = [drawn(stream("test", seed)) for seed in range(200)]
    assert all(0.985 <= board.current_gain <= 1.015 for board in boards)
    assert all(-0.4 <= board.current_offset_a <= 0.4 for board in boards)
    assert len({board.current_gain for board in boards}) == 200


def test_reading_twice_gives_the_same_and_changes_nothing() -> None:
    read_often, read_once = Pack(SPEC, seed=5), Pack(SPEC, seed=5)
    for _ in range(10):
        read_often.step(20.0, 0.5)
        assert read_often.reading() == read_often.reading()
        read_once.step(20.0, 0.5)
    assert read_often.reading() == read_once.reading()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    first, again, other = (run(Pack(SPEC, seed=seed), 30.0, 60.0) for seed in (3, 3, 4))
    assert first.reading() == again.reading()
    assert first.branch() == again.branch()
    assert first.reading()["cell_voltages_v"] != other.reading()["cell_voltages_v"]


def test_the_path_adds_cable_switches_and_fuse_to_the_cells() -> None:
    spec = replace(TRUE_SPEC, cable_ohm=0.007, switch_ohm=0.001, fuse_ohm=0.0005)
    assert Pack(spec).branch().resistance_ohm == pytest.approx(16 * 0.98e-3 + 0.0085)


def test_charging_past_the_top_trips_over_voltage_and_resting_releases_it() -> None:
    pack = Pack(replace(TRUE_SPEC, soc=0.99))
    for _ in range(3600):
        pack.step(50.0 if pack.bms.charge_on else 0.0, 0.5)
        if not pack.bms.charge_on:
            break
    assert sample(pack).protections == {Alarm.CELL_OVERVOLTAGE}
    assert sample(pack).charge_allowed is False
    assert sample(pack).discharge_allowed is True
    run(pack, -5.0, 600.0)
    assert sample(pack).protections == frozenset()
    assert sample(pack).charge_allowed is True


def test_discharging_to_the_bottom_trips_under_voltage_and_charging_releases_it() -> None:
    pack = Pack(replace(TRUE_SPEC, soc=0.01))
    for _ in range(3600):
        pack.step(-50.0 if pack.bms.discharge_on else 0.0, 0.5)
        if not pack.bms.discharge_on:
            break
    assert sample(pack).discharge_allowed is False
    run(pack, 20.0, 900.0)
    assert sample(pack).discharge_allowed is True


def test_a_cold_pack_forbids_charging_until_it_is_warm() -> None:
    pack = run(Pack(replace(TRUE_SPEC, ambient_c=-3.0)), 0.0, 5.0)
    assert sample(pack).charge_fet_on is False
    assert sample(pack).protections == {Alarm.CHARGE_UNDERTEMPERATURE}
    pack.ambient_c = 20.0
    for _ in range(40):
        pack.step(0.0, 0.5, cells_dt_s=120.0)
    assert sample(pack).charge_fet_on is True


def test_cells_that_run_ahead_are_bled_until_they_are_back() -> None:
    pack = Pack(replace(TRUE_SPEC, soc=0.999, balance_a=1.0))
    pack.cells[3].soc += 0.001
    run(pack, 0.0, 2.0)
    assert sample(pack).balancing is True
    assert pack.cells[3].soc > pack.cells[2].soc
    for _ in range(7200):
        pack.step(0.0, 0.5)
    assert sample(pack).balancing is False
    assert pack.cells[3].soc == pytest.approx(0.9997, abs=1e-4)
    assert pack.cells[2].soc == pytest.approx(0.999, abs=1e-12)


def test_hurried_cells_leave_the_board_on_the_clock() -> None:
    pack = Pack(TRUE_SPEC)
    for _ in range(15):
        pack.step(-60.0, 0.5, cells_dt_s=15.0)
    assert pack.soc == pytest.approx(0.5 - 60.0 * 225 / 3600 / 100)
    assert pack.bms.discharge_on
    pack.step(-60.0, 0.5, cells_dt_s=15.0)
    assert not pack.bms.discharge_on


def test_sensor_noise_is_of_the_size_that_was_asked_for() -> None:
    spec = replace(TRUE_SPEC, sensors=replace(EXACT, cell_noise_v=0.001, current_noise_a=0.15))
    pack = Pack(spec)
    currents_a, cells_v = [], []
    for _ in range(400):
        pack.step(0.0, 0.01)
        reading = pack.reading()
        assert reading["current_a"] is not None
        currents_a.append(reading["current_a"])
        cells_v += [volt - 3.290 for volt in reading["cell_voltages_v"] if volt is not None]
    assert spread(currents_a) == pytest.approx(0.15, rel=0.15)
    assert spread(cells_v) == pytest.approx(0.001, rel=0.15)


def spread(values: list[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))


def test_cells_differ_as_much_as_they_are_told_to() -> None:
    spec = replace(SPEC, cells=400, capacity_spread=0.01, soc_spread=0.003, resistance_spread=0.05)
    cells = Pack(spec).cells
    assert spread([cell.soc - 0.5 for cell in cells]) == pytest.approx(0.003, rel=0.15)
    assert spread([cell.capacity_ah / 100.0 - 1.0 for cell in cells]) == pytest.approx(0.01, rel=0.15)
    ohm_factors = [cell.series_ohm * cell.capacity_ah / (0.35e-3 * 280) for cell in cells]
    assert spread([factor - 1.0 for factor in ohm_factors]) == pytest.approx(0.05, rel=0.15)
