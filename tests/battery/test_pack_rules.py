from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.battery.facts import Memory
from bridge.battery.pack_rules import PackLimits, pack_limits
from bridge.model import Constraint, PackInfo, PackSample, PackSettings, Ratings
from tests.battery.story import GARAGE, changed, well, with_cell


def limits(
    *samples: PackSample, settings: PackSettings = GARAGE, ratings: Ratings | None = None
) -> PackLimits:
    memory = Memory(settings)
    memory.informed(PackInfo(ratings=Ratings() if ratings is None else ratings))
    return [pack_limits(memory.facts(sample)) for sample in samples][-1]


def charge(
    *samples: PackSample, settings: PackSettings = GARAGE, ratings: Ratings | None = None
) -> Constraint:
    return limits(*samples, settings=settings, ratings=ratings).charge[0]


def discharge(
    *samples: PackSample, settings: PackSettings = GARAGE, ratings: Ratings | None = None
) -> Constraint:
    return limits(*samples, settings=settings, ratings=ratings).discharge[0]


def test_a_pack_that_is_well_carries_its_rating_for_no_other_reason() -> None:
    well_limits = limits(well())

    assert [c.rule for c in well_limits.charge] == ["rating"]
    assert [c.rule for c in well_limits.discharge] == ["rating"]
    assert well_limits.charge[0].value == 140.0
    assert well_limits.voltage == ()


def test_charge_and_discharge_ratings_are_kept_apart() -> None:
    uneven = replace(GARAGE, rated_charge_current_a=60.0)

    assert charge(well(), settings=uneven).value == 60.0
    assert discharge(well(), settings=uneven).value == 140.0


def test_a_fuse_is_used_to_95_percent() -> None:
    fused = replace(GARAGE, fuse_a=100.0)

    assert charge(well(), settings=fused).value == pytest.approx(95.0)
    assert discharge(well(), settings=fused).rule == "fuse"


@pytest.mark.parametrize(("fuse_a", "amps"), [(145.0, 137.75), (150.0, 140.0)])
def test_a_fuse_just_above_the_rating_still_counts(fuse_a: float, amps: float) -> None:
    assert charge(well(), settings=replace(GARAGE, fuse_a=fuse_a)).value == pytest.approx(amps)
    assert charge(well(), ratings=Ratings(charge_ocp_a=fuse_a)).value == pytest.approx(amps)


def test_the_limit_that_the_bms_reports_is_kept() -> None:
    sample = replace(well(), charge_current_limit_a=30.0, discharge_current_limit_a=70.0)

    assert (charge(sample).value, charge(sample).rule) == (30.0, "bms_limit")
    assert (discharge(sample).value, discharge(sample).rule) == (70.0, "bms_limit")


def test_a_reported_limit_above_the_rating_raises_nothing() -> None:
    assert charge(replace(well(), charge_current_limit_a=500.0)).value == 140.0


def test_the_over_current_setting_of_the_bms_keeps_a_band_of_five_percent() -> None:
    ratings = Ratings(charge_ocp_a=100.0, discharge_ocp_a=120.0)

    assert charge(well(), ratings=ratings).value == pytest.approx(95.0)
    assert discharge(well(), ratings=ratings).value == pytest.approx(114.0)


@pytest.mark.parametrize(
    ("temperatures_c", "amps"),
    [
        ((25.0, 25.0), 140.0),
        ((25.0, 6.0), 0.136 * 280),
        ((25.0, 1.0), 0.064 * 280),
        ((25.0, 0.0), 0.0),
        ((25.0, -5.0), 0.0),
        ((25.0, 48.0), 0.35 * 280),
        ((55.0, 25.0), 0.0),
        ((), 28.0),
        ((None, None), 28.0),
        ((None, 6.0), 0.136 * 280),
    ],
)
def test_charging_follows_the_coldest_and_the_hottest_cell(
    temperatures_c: tuple[float | None, ...], amps: float
) -> None:
    assert charge(replace(well(), temperatures_c=temperatures_c)).value == pytest.approx(amps)


@pytest.mark.parametrize(
    ("temperatures_c", "amps"),
    [
        ((25.0,), 140.0),
        ((-18.0, 25.0), 0.06 * 280),
        ((-20.0,), 0.0),
        ((60.0,), 0.0),
        ((58.0,), 0.2 * 280),
        ((), 28.0),
    ],
)
def test_discharging_follows_them_too(temperatures_c: tuple[float, ...], amps: float) -> None:
    assert discharge(replace(well(), temperatures_c=temperatures_c)).value == pytest.approx(amps)


@pytest.mark.parametrize(("before_c", "amps"), [(25.0, 28.0), (2.0, 0.078 * 280), (-1.0, 0.0)])
def test_losing_all_probes_never_allows_more_than_before(before_c: float, amps: float) -> None:
    before, after = well(temperature_c=before_c), replace(well(), temperatures_c=())

    assert charge(before, after).value == pytest.approx(amps)


def test_the_narrower_window_of_settings_and_bms_counts() -> None:
    ratings = Ratings(charge_utp_c=5.0, charge_otp_c=45.0, discharge_utp_c=0.0, discharge_otp_c=50.0)

    assert charge(well(temperature_c=5.0), ratings=ratings).value == 0.0
    assert charge(well(temperature_c=45.0), ratings=ratings).value == 0.0
    assert discharge(well(temperature_c=0.0), ratings=ratings).value == 0.0
    assert discharge(well(temperature_c=50.0), ratings=ratings).value == 0.0
    assert charge(well(temperature_c=5.0), ratings=Ratings(charge_utp_c=-20.0)).value > 0.0


@pytest.mark.parametrize(("mosfet_c", "amps"), [(80.0, 140.0), (90.0, 70.0), (100.0, 0.0), (None, 140.0)])
def test_hot_switches_carry_less(mosfet_c: float | None, amps: float) -> None:
    sample = replace(well(), mosfet_temperature_c=mosfet_c)

    assert charge(sample).value == pytest.approx(amps)
    assert discharge(sample).value == pytest.approx(amps)


@pytest.mark.parametrize(
    ("cell_v", "amps"), [(3.47, 140.0), (3.48, 122.5), (3.51, 70.0), (3.549, 1.75), (3.55, 0.0), (3.60, 0.0)]
)
def test_charging_tapers_to_nothing_at_the_highest_cell(cell_v: float, amps: float) -> None:
    assert charge(with_cell(well(), 7, cell_v)).value == pytest.approx(amps)


def test_a_taper_names_its_cell() -> None:
    constraint = charge(with_cell(well(), 7, 3.512))

    assert (constraint.rule, constraint.cell, constraint.text) == ("cell_high", 7, "cell 7 at 3.512 V")


def test_charging_stays_off_until_the_cell_is_clearly_back() -> None:
    assert charge(with_cell(well(), 7, 3.55), with_cell(well(), 7, 3.46)).value == 0.0
    assert charge(with_cell(well(), 7, 3.55), with_cell(well(), 7, 3.44)).value == 140.0


@pytest.mark.parametrize("target_v", [3.53, 3.55])
def test_a_target_close_to_the_maximum_leaves_no_taper_and_still_a_stop(target_v: float) -> None:
    settings = replace(GARAGE, cell_charge_v=target_v)

    assert charge(with_cell(well(), 7, 3.55), settings=settings).value == 0.0
    assert charge(with_cell(well(), 7, 3.54), settings=settings).value == 140.0


@pytest.mark.parametrize(
    ("cell_v", "amps"),
    [(3.10, 140.0), (3.05, 91.0), (3.00, 42.0), (2.90, 14.0), (2.81, 1.4), (2.80, 0.0), (2.5, 0.0)],
)
def test_discharging_tapers_to_nothing_at_the_lowest_cell(cell_v: float, amps: float) -> None:
    assert discharge(with_cell(well(), 7, cell_v)).value == pytest.approx(amps)


def test_the_discharge_taper_forgives_the_sag_of_the_present_current() -> None:
    loaded = with_cell(well(current_a=-100.0), 7, 3.00)

    assert discharge(loaded).value == pytest.approx(0.475 * 140)
    assert discharge(replace(loaded, current_a=None)).value == pytest.approx(42.0)
    assert discharge(replace(loaded, current_a=100.0)).value == pytest.approx(42.0)


def test_no_more_than_a_tenth_of_a_volt_is_forgiven() -> None:
    small = replace(GARAGE, capacity_ah=20.0)

    assert discharge(with_cell(well(current_a=-100.0), 7, 2.82), settings=small).value == pytest.approx(
        0.14 * 140
    )


def test_the_discharge_stop_forgives_nothing() -> None:
    assert discharge(with_cell(well(current_a=-100.0), 7, 2.80)).value == 0.0


def test_discharging_stays_off_until_the_cell_is_clearly_back() -> None:
    assert discharge(with_cell(well(), 7, 2.80), with_cell(well(), 7, 2.94)).value == 0.0
    assert discharge(with_cell(well(), 7, 2.80), with_cell(well(), 7, 2.96)).value > 0.0


def test_an_unreadable_cell_forbids_both_directions() -> None:
    blind = with_cell(well(), 7, None)

    assert (charge(blind).value, charge(blind).rule) == (0.0, "cells_unreadable")
    assert discharge(blind).value == 0.0
    assert charge(blind).text == "cell 7 cannot be read"


def test_a_pack_that_never_gave_cells_is_judged_by_its_voltage() -> None:
    no_cells = replace(well(cell_v=3.45), cell_voltages_v=())

    assert charge(no_cells).value == pytest.approx(140 * 0.05 / 0.08)
    assert charge(no_cells).text == "its cells at about 3.500 V"


def test_with_neither_cells_nor_voltage_nothing_is_allowed() -> None:
    nothing = replace(well(), cell_voltages_v=(), voltage_v=None)

    assert charge(nothing).value == 0.0
    assert discharge(nothing).value == 0.0


@pytest.mark.parametrize("allowed", [False, None])
def test_what_the_bms_does_not_permit_is_zero_in_that_direction_only(allowed: bool | None) -> None:
    sample = changed(well(), charge_allowed=allowed)

    assert (charge(sample).value, charge(sample).rule) == (0.0, "not_allowed")
    assert charge(sample).text == (
        "its BMS forbids charging" if allowed is False else "not known to permit charging"
    )
    assert discharge(sample).value == 140.0
    assert discharge(changed(well(), discharge_allowed=allowed)).value == 0.0


def test_constraints_are_sorted_with_the_binding_one_first() -> None:
    sample = replace(with_cell(well(temperature_c=6.0), 7, 3.53), charge_current_limit_a=100.0)

    values = [c.value for c in limits(sample).charge]

    assert values == sorted(values)
    assert len(values) == 4


def voltages(*samples: PackSample, ratings: Ratings | None = None) -> dict[str, float]:
    return {f"{c.limit.name} {c.rule}": round(c.value, 6) for c in limits(*samples, ratings=ratings).voltage}


def test_a_lower_charge_voltage_of_the_bms_is_kept() -> None:
    assert voltages(replace(well(), charge_voltage_limit_v=54.4)) == {"CVL bms_limit": 54.4}
    assert voltages(replace(well(), charge_voltage_limit_v=56.0)) == {}


def test_the_charge_voltage_keeps_clear_of_the_trips_of_the_bms() -> None:
    assert voltages(well(), ratings=Ratings(cell_ovp_v=3.65, pack_ovp_v=58.4)) == {}
    assert voltages(well(), ratings=Ratings(cell_ovp_v=3.45)) == {"CVL bms_overvoltage": 54.4}
    assert voltages(well(), ratings=Ratings(pack_ovp_v=55.0)) == {"CVL bms_overvoltage": 54.2}


def test_a_higher_discharge_voltage_of_the_bms_is_kept() -> None:
    assert voltages(replace(well(), discharge_voltage_limit_v=48.0)) == {"DVL bms_limit": 48.0}
    assert voltages(replace(well(), discharge_voltage_limit_v=40.0)) == {}
    assert voltages(well(), ratings=Ratings(cell_uvp_v=2.9)) == {"DVL bms_undervoltage": 47.2}
    assert voltages(well(), ratings=Ratings(pack_uvp_v=40.0, cell_uvp_v=2.5)) == {}


def test_a_runner_lowers_the_charge_voltage_below_the_pack() -> None:
    sample = with_cell(well(cell_v=3.42), 7, 3.56)

    assert sample.voltage_v == pytest.approx(54.86)
    assert voltages(sample) == {"CVL cell_high": pytest.approx(54.75)}


def test_the_clip_begins_above_fifty_millivolts_and_has_a_floor() -> None:
    assert voltages(with_cell(well(), 7, 3.499)) == {}
    assert voltages(with_cell(well(cell_v=3.30), 7, 3.90)) == {"CVL cell_high": 52.95}
    assert voltages(with_cell(well(cell_v=3.10), 7, 3.90)) == {"CVL cell_high": 52.8}


def test_a_pack_that_cannot_be_charged_does_not_clip() -> None:
    assert voltages(replace(with_cell(well(), 7, 3.6), charge_fet_on=False)) == {}


def test_a_switch_that_was_off_and_is_not_spoken_of_may_be_closed_and_clips() -> None:
    closed = with_cell(well(), 7, 3.6)
    was_open = replace(closed, charge_fet_on=False)

    assert voltages(was_open, replace(closed, charge_fet_on=None)) == voltages(closed)


def test_unseen_cells_lower_the_charge_voltage() -> None:
    assert voltages(replace(well(), cell_voltages_v=())) == {"CVL cells_unreadable": 54.4}


def test_losing_a_high_cell_does_not_raise_the_charge_voltage() -> None:
    clipped = voltages(with_cell(well(), 7, 3.9))["CVL cell_high"]

    assert voltages(with_cell(well(), 7, 3.9), with_cell(well(), 7, None)) == {"CVL cells_unreadable": 52.8}
    assert clipped > 52.8
