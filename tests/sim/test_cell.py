from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.sim.cell import LFP, Cell, Curve


def test_the_curve_meets_its_points_and_is_straight_between_them() -> None:
    curve = Curve((0.0, 3.0), (0.5, 3.2), (1.0, 3.3))
    assert [curve.at(soc) for soc in (0.0, 0.25, 0.5, 0.75, 1.0)] == pytest.approx([3.0, 3.1, 3.2, 3.25, 3.3])


def test_the_curve_goes_on_with_its_last_slopes_beyond_its_ends() -> None:
    curve = Curve((0.0, 3.0), (0.5, 3.2), (1.0, 3.3))
    assert [curve.at(-0.1), curve.at(1.1)] == pytest.approx([2.96, 3.32])


def test_lfp_is_flat_in_the_middle_and_steep_at_the_top() -> None:
    assert LFP.rest_v.at(0.60) == pytest.approx(3.300)
    assert LFP.rest_v.at(1.005) == pytest.approx(3.62)
    assert LFP.rest_v.at(0.8) - LFP.rest_v.at(0.2) < 0.1


def test_discharging_takes_exactly_the_charge_that_flowed() -> None:
    cell = Cell(LFP, 100.0, 0.9)
    for _ in range(3600):
        cell.step(-10.0, 1.0)
    assert cell.soc == pytest.approx(0.8, abs=1e-12)


def test_charging_stores_what_the_coulomb_efficiency_leaves() -> None:
    cell = Cell(LFP, 100.0, 0.5)
    cell.step(10.0, 3600.0)
    assert cell.soc == pytest.approx(0.5 + 0.1 * 0.998, abs=1e-12)


def test_bleeding_takes_charge_at_rest() -> None:
    cell = Cell(LFP, 100.0, 0.9)
    cell.step(0.0, 3600.0, bleed_a=1.0)
    assert cell.soc == pytest.approx(0.89, abs=1e-12)


def test_one_long_step_equals_many_short_ones() -> None:
    long, short = Cell(LFP, 280.0, 0.5), Cell(LFP, 280.0, 0.5)
    long.step(100.0, 60.0)
    for _ in range(600):
        short.step(100.0, 0.1)
    assert long.soc == pytest.approx(short.soc, abs=1e-12)
    assert long.polarisation_v == pytest.approx(short.polarisation_v, abs=1e-12)
    assert long.emf_v == pytest.approx(short.emf_v, abs=1e-10)
    assert long.temperature_c == pytest.approx(short.temperature_c, abs=1e-9)


def test_resistance_and_then_polarisation_answer_a_step_of_current() -> None:
    cell = Cell(LFP, 280.0, 0.5)
    rest_v = cell.voltage_v(0.0)
    assert cell.voltage_v(100.0) - rest_v == pytest.approx(0.35e-3 * 100)
    cell.step(100.0, LFP.polarisation_tau_s)
    assert cell.polarisation_v == pytest.approx(0.25e-3 * 100 * (1 - 0.36787944), rel=1e-6)


def test_energy_that_goes_in_is_stored_or_becomes_heat() -> None:
    cell = Cell(LFP, 100.0, 0.3, temperature_c=20.0)
    dt_s, energy_j, stored_j = 0.1, 0.0, 0.0
    for tick in range(6000):
        current_a = 80.0 if tick % 2000 < 1200 else -60.0
        before_v, before_rest_v = cell.voltage_v(current_a), cell.emf_v - cell.polarisation_v
        cell.step(current_a, dt_s)
        energy_j += (before_v + cell.voltage_v(current_a)) / 2 * current_a * dt_s
        stored_j += (before_rest_v + cell.emf_v - cell.polarisation_v) / 2 * current_a * dt_s
    capacitance_f = LFP.polarisation_tau_s / cell.polarisation_ohm
    stored_j += capacitance_f * cell.polarisation_v**2 / 2
    heat_j = (cell.temperature_c - 20.0) * LFP.heat_j_per_k_ah * 100.0
    assert heat_j > 1000
    assert energy_j - stored_j == pytest.approx(heat_j, rel=1e-3)


def test_a_warm_cell_cools_to_the_air_around_it() -> None:
    cell = Cell(LFP, 100.0, 0.5, temperature_c=40.0)
    cell.step(0.0, LFP.cooling_tau_s, ambient_c=20.0)
    assert cell.temperature_c == pytest.approx(20.0 + 20.0 * 0.36787944, rel=1e-6)


def test_a_smaller_cell_has_more_resistance_and_less_heat_capacity() -> None:
    small, large = Cell(LFP, 100.0, 0.5), Cell(LFP, 280.0, 0.5)
    assert small.series_ohm == pytest.approx(2.8 * large.series_ohm)
    small.step(50.0, 60.0)
    large.step(50.0, 60.0)
    assert small.temperature_c > large.temperature_c


def test_another_chemistry_is_another_value() -> None:
    kind = replace(LFP, name="nmc", rest_v=Curve((0.0, 3.0), (1.0, 4.2)), coulomb_efficiency=1.0)
    cell = Cell(kind, 50.0, 0.0)
    cell.step(50.0, 1800.0)
    assert cell.emf_v - cell.polarisation_v == pytest.approx(3.6)


def test_a_loaded_cell_settles_where_its_heat_leaves_as_fast_as_it_comes() -> None:
    cell = Cell(LFP, 280.0, 0.5, temperature_c=20.0)
    for tick in range(2000):
        cell.step(140.0 if tick % 2 else -140.0, 60.0, ambient_c=20.0)
    series_w, polarisation_w = 0.35e-3 * 140**2, 0.25e-3 * 140**2
    assert 20.0 + 3.0 * series_w + 1.0 < cell.temperature_c < 20.0 + 3.0 * (series_w + polarisation_w) - 1.0
