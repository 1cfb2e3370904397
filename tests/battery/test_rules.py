from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.battery.context import Context
from bridge.battery.rules import constraints
from bridge.model import Alarm, Limit, PackSample, PackState
from tests.battery.story import ATTIC, GARAGE, SHED, around, changed, stand, well, with_cell

NARROW = replace(SHED, name="narrow", cell_charge_v=3.40, cell_min_v=3.0)
NO_CHARGE = changed(well(), charge_fet_on=False, charge_allowed=False)
NO_DISCHARGE = changed(well(), discharge_fet_on=False, discharge_allowed=False)


def binding(context: Context, limit: Limit) -> tuple[str, float]:
    first = constraints(context)[limit][0]
    return first.rule, round(first.value, 6)


def test_of_unlike_packs_the_lowest_target_and_the_highest_floor_count() -> None:
    for packs in ((GARAGE, NARROW), (NARROW, GARAGE)):
        context = around(*(stand(own, well()) for own in packs))

        assert binding(context, Limit.CVL) == ("charge_stage", 54.4)
        assert binding(context, Limit.DVL) == ("discharge_floor", 48.0)


def test_a_bus_that_was_never_seen_gets_a_voltage_at_which_nothing_flows() -> None:
    context = around(
        stand(GARAGE, None, PackState.UNKNOWN), stand(NARROW, None, PackState.UNKNOWN), on_pack_lost="exclude"
    )

    assert binding(context, Limit.CVL) == ("nothing_heard", 52.8)
    assert binding(context, Limit.CCL) == ("nothing_heard", 0.0)


def test_a_bus_that_was_seen_keeps_its_voltage() -> None:
    context = around(stand(GARAGE, well(), PackState.STALE), voltage_v=51.23)

    assert binding(context, Limit.CVL) == ("nothing_heard", 51.23)


@pytest.mark.parametrize(
    ("sample", "limit", "amps"),
    [
        (NO_CHARGE, Limit.DCL, 5.0),
        (NO_DISCHARGE, Limit.CCL, 5.0),
        (NO_CHARGE, Limit.CCL, 0.0),
        (NO_DISCHARGE, Limit.DCL, 0.0),
    ],
)
def test_when_no_pack_conducts_the_smallest_may_be_woken_through_its_diode(
    sample: PackSample, limit: Limit, amps: float
) -> None:
    context = around(stand(GARAGE, sample), stand(ATTIC, sample))

    assert binding(context, limit)[1] == amps


def test_no_more_than_ten_amperes_wake_a_pack() -> None:
    assert binding(around(stand(GARAGE, NO_CHARGE)), Limit.DCL) == ("recovery", 10.0)
    assert binding(around(stand(GARAGE, NO_DISCHARGE)), Limit.CCL) == ("recovery", 10.0)


@pytest.mark.parametrize(
    "sample",
    [
        changed(NO_CHARGE, discharge_fet_on=None),
        changed(NO_CHARGE, discharge_fet_on=False),
        changed(NO_CHARGE, discharge_allowed=False),
        changed(NO_CHARGE, discharge_allowed=None),
    ],
)
def test_a_pack_that_may_not_give_is_not_woken(sample: PackSample) -> None:
    assert binding(around(stand(GARAGE, sample)), Limit.DCL)[1] == 0.0


def test_a_silent_pack_is_not_woken() -> None:
    stale = stand(GARAGE, NO_CHARGE, PackState.STALE)

    assert (
        binding(around(stale, stand(SHED, changed(NO_CHARGE, discharge_allowed=False))), Limit.DCL)[1] == 0.0
    )


def test_what_a_lost_pack_asked_for_last_holds_unless_it_is_excluded() -> None:
    asked = stand(GARAGE, replace(well(), charge_voltage_limit_v=53.0), PackState.LOST)

    assert binding(around(asked, stand(SHED, well())), Limit.CVL) == ("bms_limit", 53.0)
    assert binding(around(asked, stand(SHED, well()), on_pack_lost="exclude"), Limit.CVL) == (
        "charge_stage",
        55.2,
    )


@pytest.mark.parametrize(("policy", "rule"), [("hold", "fault"), ("stop", "fault"), ("exclude", "sum")])
def test_a_fault_does_not_end_with_silence_unless_the_pack_is_excluded(policy: str, rule: str) -> None:
    burning = stand(GARAGE, replace(well(), warnings=frozenset({Alarm.FIRE})), PackState.LOST)

    first = constraints(around(burning, stand(SHED, well()), on_pack_lost=policy))[Limit.DCL]

    assert rule in {reason.rule for reason in first}
    assert (first[0].value == 0.0) is (policy != "exclude")


@pytest.mark.parametrize(
    ("sample", "charge", "discharge"),
    [
        (NO_CHARGE, True, True),
        (with_cell(NO_CHARGE, 7, 2.79), True, False),
        (with_cell(NO_CHARGE, 7, 3.56), True, True),
        (with_cell(NO_DISCHARGE, 7, 3.56), False, True),
        (with_cell(NO_DISCHARGE, 7, 2.79), True, True),
        (changed(NO_CHARGE, temperatures_c=(-21.0,)), True, False),
        (changed(NO_DISCHARGE, temperatures_c=(-1.0,)), False, True),
        (with_cell(NO_CHARGE, 7, None), True, False),
        (changed(NO_CHARGE, discharge_allowed=False), True, True),
    ],
)
def test_the_diode_of_a_pack_with_one_open_switch_must_not_meet_a_hard_stop(
    sample: PackSample, charge: bool, discharge: bool
) -> None:
    context = around(stand(GARAGE, sample), stand(SHED, well()))

    assert (binding(context, Limit.CCL)[1] > 0, binding(context, Limit.DCL)[1] > 0) == (charge, discharge)


def test_a_wide_awake_bank_has_a_reason_for_every_limit() -> None:
    found = constraints(around(stand(GARAGE, well()), stand(SHED, well())))

    assert {limit: [reason.rule for reason in reasons] for limit, reasons in found.items()} == {
        Limit.CVL: ["charge_stage"],
        Limit.DVL: ["discharge_floor"],
        Limit.CCL: ["rating", "rating", "sum"],
        Limit.DCL: ["rating", "rating", "sum"],
    }
