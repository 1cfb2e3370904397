from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.battery.facts import Facts, Memory
from bridge.model import Limit, PackInfo, PackSample, Ratings
from tests.battery.story import GARAGE, well, with_cell


def told(*samples: PackSample) -> Facts:
    memory = Memory(GARAGE)
    return [memory.facts(sample) for sample in samples][-1]


def test_extremes_are_found_with_their_cells() -> None:
    facts = told(with_cell(with_cell(well(), 7, 3.412), 16, 3.188))

    assert (facts.cell_max_v, facts.cell_max_index) == (3.412, 7)
    assert (facts.cell_min_v, facts.cell_min_index) == (3.188, 16)
    assert facts.cells_readable
    assert not facts.cells_derived


def test_an_unreadable_cell_is_seen_as_such_and_the_others_still_count() -> None:
    facts = told(with_cell(with_cell(well(), 7, 3.412), 3, None))

    assert not facts.cells_readable
    assert facts.cell_max_index == 7


def test_without_any_readable_cell_there_are_no_extremes() -> None:
    facts = told(replace(well(), cell_voltages_v=(None,) * 16))

    assert facts.cell_max_v is None
    assert facts.cell_min_v is None


def test_a_pack_that_never_gave_cells_is_judged_by_its_mean_with_a_margin() -> None:
    facts = told(replace(well(), cell_voltages_v=()))

    assert facts.cells_derived
    assert facts.cell_max_v == pytest.approx(3.35)
    assert facts.cell_min_v == pytest.approx(3.25)
    assert facts.cell_max_index is None


def test_a_missing_pack_voltage_is_the_sum_of_the_cells() -> None:
    assert told(replace(well(), voltage_v=None)).voltage_v == pytest.approx(52.8)
    assert told(replace(well(), voltage_v=None, cell_voltages_v=())).voltage_v is None


def test_a_probe_that_no_longer_answers_restricts_with_its_last_temperature() -> None:
    facts = told(replace(well(), temperatures_c=(25.0, 2.0)), replace(well(), temperatures_c=(25.0, None)))

    assert facts.temperature_min_c == 2.0
    assert facts.temperature_readable

    facts = told(replace(well(), temperatures_c=(25.0, 2.0)), replace(well(), temperatures_c=()))

    assert (facts.temperature_min_c, facts.temperature_max_c) == (2.0, 25.0)
    assert not facts.temperature_readable
    assert not told(replace(well(), temperatures_c=(None, None))).temperature_readable


def test_a_reported_limit_stays_until_another_is_reported() -> None:
    said = replace(well(), charge_current_limit_a=50.0)

    assert told(said, well()).reported == {Limit.CCL: 50.0}
    assert told(said, replace(well(), charge_current_limit_a=80.0)).reported == {Limit.CCL: 80.0}


def test_zero_is_a_reported_limit_only_after_more_was() -> None:
    zero = replace(well(), discharge_current_limit_a=0.0)

    assert told(zero).reported == {}
    assert told(replace(well(), discharge_current_limit_a=50.0), zero).reported == {Limit.DCL: 0.0}


def test_switches_and_their_temperature_stay_as_said_last() -> None:
    said = replace(well(), charge_fet_on=False, mosfet_temperature_c=93.0)
    silent = replace(well(), charge_fet_on=None, discharge_fet_on=None)

    facts = told(said, silent)

    assert facts.charge_switch_on is False
    assert facts.discharge_switch_on is True
    assert facts.mosfet_temperature_c == 93.0


@pytest.mark.parametrize(("cell_v", "stopped"), [(3.46, True), (3.44, False)])
def test_a_charge_stop_is_released_only_a_tenth_of_a_volt_lower(cell_v: float, stopped: bool) -> None:
    assert told(with_cell(well(), 7, 3.55), with_cell(well(), 7, cell_v)).charge_stopped is stopped
    assert not told(with_cell(well(), 7, 3.54)).charge_stopped


@pytest.mark.parametrize(("cell_v", "stopped"), [(2.94, True), (2.96, False)])
def test_a_discharge_stop_is_released_only_higher(cell_v: float, stopped: bool) -> None:
    assert told(with_cell(well(), 7, 2.80), with_cell(well(), 7, cell_v)).discharge_stopped is stopped
    assert not told(with_cell(well(), 7, 2.81)).discharge_stopped


def test_a_stop_outlives_unreadable_cells() -> None:
    blind = replace(well(), cell_voltages_v=(None,) * 16)

    assert told(with_cell(well(), 7, 3.55), blind).charge_stopped


def test_settings_of_the_bms_that_are_left_out_stay_and_nonsense_is_ignored() -> None:
    memory = Memory(GARAGE)
    memory.informed(PackInfo(ratings=Ratings(charge_ocp_a=120.0, charge_utp_c=-5.0)))
    memory.informed(
        PackInfo(ratings=Ratings(charge_ocp_a=0.0, cell_ovp_v=float("nan"), discharge_ocp_a=150.0))
    )

    assert memory.facts(well()).ratings == Ratings(
        charge_ocp_a=120.0, charge_utp_c=-5.0, discharge_ocp_a=150.0
    )
