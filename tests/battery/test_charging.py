from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.battery.aggregator import Aggregator
from bridge.battery.charging import AWAY_MAX_S, DAY_S
from bridge.battery.shaping import QUANTUM
from bridge.model import Alarm, BankSettings, ChargeSettings, Chemistry, Decision, Limit, PackSample
from tests.battery.story import ATTIC, GARAGE, SHED, Feed, Story, changed, pack, well, with_cell


def charged(time_s: float, cell_v: float = 3.45, current_a: float = 1.0, soc: float = 1.0) -> PackSample:
    return well(time_s, cell_v, soc=soc, current_a=current_a)


def at(
    cell_v: float, current_a: float = 1.0, temperature_c: float = 25.0, asked_v: float | None = None
) -> Feed:
    """A full bank at a cell voltage, never quite as before: a board that were would have frozen."""

    def said(time_s: float) -> PackSample:
        sample = well(
            time_s, cell_v, soc=1.0, current_a=current_a + 0.1 * (time_s % 2), temperature_c=temperature_c
        )
        return replace(sample, charge_voltage_limit_v=asked_v)

    return said


def floating(*, full_every_days: float = 14.0) -> Story:
    """A bank whose charge has just ended."""
    story = Story(GARAGE, SHED)
    story.bank = Aggregator(
        story.packs, story.settings, charge=ChargeSettings(full_every_days=full_every_days)
    )
    story.settle()
    for cell_v in (3.38, 3.42, 3.44):
        story.say(at(cell_v)).run(25)
    story.say(charged)
    for _ in range(100):
        if story.last.stage != "float":
            story.run(1)
    assert story.last.stage == "float"
    assert story.last.charge_voltage_limit_v >= 55.0
    return story


def restored(state: Mapping[str, object], away_s: float = 0.0) -> Story:
    story = Story(GARAGE)
    story.bank.restore(state, story.now, away_s)
    return story


def cvls(decisions: list[Decision]) -> list[float]:
    return [one.charge_voltage_limit_v for one in decisions]


def test_into_float_the_voltage_sinks_by_five_millivolts_a_second() -> None:
    story = floating()
    seen = cvls(story.say(lambda now: charged(now, 3.38)).run(400))

    steps_v = [before - after for before, after in pairwise(seen)]
    assert all(-1e-9 <= step <= QUANTUM + 1e-9 for step in steps_v)
    assert seen[0] >= 54.9
    assert seen[100] == pytest.approx(seen[0] - 0.5, abs=0.11)
    assert seen[-1] == 54.0


def test_in_float_cells_that_have_not_come_down_yet_do_not_pull_the_voltage_after_them() -> None:
    story = floating()
    assert cvls(story.run(30))[-1] >= 54.8


def test_hundred_percent_is_shown_when_the_charge_is_over_and_not_before() -> None:
    story = Story(GARAGE, SHED).settle()
    story.say(lambda now: charged(now, 3.40, current_a=0.0)).run(120)
    assert story.last.bank.soc == 0.99
    story.say(charged).run(25)
    assert (story.last.stage, story.last.bank.soc) == ("absorption", 1.0)
    story.say(lambda now: charged(now, 3.34, current_a=-4.0)).run(70)
    assert story.last.bank.soc == 0.99


def test_a_bank_that_was_used_is_charged_again() -> None:
    story = floating()
    story.say(lambda now: well(now, 3.31, soc=0.89, current_a=-4.0)).run(70)
    assert story.last.stage == "bulk"
    assert cvls(story.run(120))[-1] == 55.2


def test_a_pack_that_comes_back_half_empty_begins_a_charge() -> None:
    story = floating().cut("shed")
    story.run(120)
    assert story.last.stage == "float"
    story.say(lambda now: well(now, 3.33, soc=0.5), "shed")
    story.say(lambda now: well(now, 3.34, soc=0.97), "garage").run(120)
    assert story.last.stage == "bulk"


def test_a_full_charge_that_is_due_is_asked_for_until_it_was_done() -> None:
    story = floating(full_every_days=0.01)
    assert not story.last.full_charge_request
    story.say(lambda now: charged(now, 3.37, current_a=0.0)).run(0.01 * DAY_S + 60, step_s=5)
    assert (story.last.stage, story.last.full_charge_request) == ("bulk", True)
    story.say(charged).run(75)
    assert (story.last.stage, story.last.full_charge_request) == ("float", False)


def test_zero_days_is_never() -> None:
    story = floating(full_every_days=0.0)
    story.say(lambda now: charged(now, 3.37, current_a=0.0)).run(3 * 3600, step_s=10)
    assert (story.last.stage, story.last.full_charge_request) == ("float", False)


def test_a_bank_too_cold_to_charge_is_held_and_never_by_a_step() -> None:
    story = Story(GARAGE, SHED).settle()
    seen = story.say(lambda now: well(now, temperature_c=-5.0)).run(600)

    assert story.last.stage == "hold"
    assert story.limits()[0] == 0.0
    assert all(a - b <= QUANTUM + 1e-9 for a, b in pairwise(cvls(seen)))
    assert story.last.charge_voltage_limit_v == 53.6
    story.say(well).run(120)
    assert (story.last.stage, story.last.charge_voltage_limit_v) == ("bulk", 55.2)


def test_one_cold_pack_of_two_is_no_reason_to_hold() -> None:
    story = Story(GARAGE, SHED).settle()
    story.say(lambda now: well(now, temperature_c=-5.0), "shed").run(60)
    assert story.last.stage == "bulk"


def test_a_high_cell_is_no_reason_to_hold() -> None:
    story = Story(GARAGE).settle()
    story.say(lambda now: with_cell(well(now, 3.42), 3, 3.56)).run(60)
    assert story.last.stage == "absorption"
    assert story.limits()[0] == 0.0


def test_cells_that_stay_apart_are_warned_of() -> None:
    story = Story(GARAGE, settings=BankSettings())
    story.bank = Aggregator(story.packs, story.settings, charge=ChargeSettings(balance_max_s=600))
    story.settle().say(lambda now: with_cell(charged(now, 3.40), 5, 3.452))
    story.run(120)
    assert story.last.stage == "balance"
    assert Alarm.CELL_IMBALANCE not in story.last.warnings
    story.run(600)
    assert story.last.stage == "float"
    assert Alarm.CELL_IMBALANCE in story.last.warnings


def test_a_spike_of_one_sample_moves_nothing_and_a_second_one_stops() -> None:
    story = Story(GARAGE).settle()
    before = story.last.charge_voltage_limit_v, story.limits()

    story.say(lambda now: with_cell(well(now), 3, 4.2)).run(1)
    assert (story.last.charge_voltage_limit_v, story.limits()) == before
    story.run(1)
    assert story.limits()[0] == 0.0
    assert story.last.charge_voltage_limit_v < 16 * 3.30 + 0.1


def test_the_highest_cell_of_a_silent_pack_stays_where_it_was() -> None:
    story = Story(GARAGE, SHED).settle()
    story.say(lambda now: with_cell(well(now, 3.42), 3, 3.50), "garage").run(60)
    low_v = story.last.charge_voltage_limit_v
    seen = cvls(story.cut("garage").run(300))

    assert max(seen) <= low_v


def test_a_pack_that_is_taken_to_be_off_holds_nobody_back() -> None:
    story = Story(GARAGE, SHED, settings=BankSettings(on_pack_lost="exclude")).settle()
    story.say(lambda now: with_cell(well(now, 3.42), 3, 3.50), "garage").run(60)
    story.cut("garage").run(300)

    assert story.last.charge_voltage_limit_v == 55.2


def test_a_pack_whose_charge_switch_is_open_does_not_lead() -> None:
    story = Story(GARAGE, SHED).settle()
    high = changed(with_cell(well(), 3, 3.56), charge_fet_on=False, charge_allowed=False)
    story.say(lambda now: replace(high, time_s=now), "garage").run(60)

    assert (story.last.stage, story.last.charge_voltage_limit_v) == ("bulk", 55.2)


def test_a_pack_without_cells_is_led_by_its_mean_with_a_margin() -> None:
    story = Story(GARAGE)
    story.say(lambda now: replace(well(now, 3.42), cell_voltages_v=())).settle()

    assert story.why(Limit.CVL) == "cell_controller"
    assert story.last.charge_voltage_limit_v < 16 * 3.40


def test_without_the_controller_the_stage_alone_gives_the_voltage() -> None:
    story = Story(GARAGE)
    story.bank = Aggregator(story.packs, story.settings, charge=ChargeSettings(controller=False))
    story.settle().say(lambda now: with_cell(well(now, 3.42), 3, 3.48)).run(100)

    assert story.last.charge_voltage_limit_v == 55.2
    assert {one.rule for one in story.last.constraints[Limit.CVL]} == {"charge_stage"}


def test_an_inverter_that_ends_too_low_may_be_told_a_little_more_but_no_bms_overruled() -> None:
    for asked_v, told_v in ((None, 55.5), (55.3, 55.3), (54.0, 54.0)):
        story = Story(GARAGE)
        story.bank = Aggregator(story.packs, story.settings, charge=ChargeSettings(trim_v=0.3))
        story.say(at(3.30, 0.0, asked_v=asked_v)).settle()
        assert story.last.charge_voltage_limit_v == told_v


def test_other_chemistries_rest_where_they_should() -> None:
    nmc = replace(
        pack("nmc", cells=14), chemistry=Chemistry.NMC, cell_charge_v=4.10, cell_max_v=4.17, cell_min_v=3.1
    )
    story = Story(nmc)
    story.say(lambda now: well(now, 4.09, cells=14, soc=1.0, current_a=1.0)).run(75)
    story.say(lambda now: well(now, 4.01, cells=14, soc=1.0, current_a=0.0)).run(400)

    assert (story.last.stage, story.last.charge_voltage_limit_v) == ("float", 56.0)


# What is kept


def test_a_charge_that_was_over_is_over_after_a_restart() -> None:
    state = floating().bank.state()
    story = restored(state)
    story.say(lambda now: charged(now, 3.37, current_a=0.0)).run(5)

    assert (story.last.stage, story.last.charge_voltage_limit_v) == ("float", 54.0)


def test_a_restart_while_cells_are_still_high_sinks_as_slowly() -> None:
    story = restored({"charge": {"stage": "float", "since_full_s": 60}})
    story.say(lambda now: charged(now, 3.42, current_a=0.0)).run(5)

    assert story.last.charge_voltage_limit_v == pytest.approx(16 * 3.42, abs=0.15)


@pytest.mark.parametrize(("away_s", "due"), [(0.9 * DAY_S, False), (1.1 * DAY_S, True), (-5 * DAY_S, False)])
def test_of_an_absence_whole_days_count(away_s: float, due: bool) -> None:
    story = restored({"charge": {"stage": "bulk", "since_full_s": 13 * DAY_S}}, away_s)
    story.settle()

    assert story.last.full_charge_request is due


def test_a_clock_that_is_far_off_only_asks_for_a_charge() -> None:
    story = restored({"charge": {"stage": "float", "since_full_s": 0}}, 80 * 365 * DAY_S)
    story.settle()

    kept = story.bank.state()["charge"]
    assert isinstance(kept, dict)
    assert kept["since_full_s"] <= AWAY_MAX_S + 200


@pytest.mark.parametrize(
    "kept",
    [
        None,
        [],
        "float",
        {},
        {"stage": "cooking", "since_full_s": 0},
        {"stage": ["float"], "since_full_s": 0},
        {"stage": "float"},
        {"stage": "float", "since_full_s": "0"},
        {"stage": "float", "since_full_s": -1},
        {"stage": "float", "since_full_s": nan},
        {"stage": "float", "since_full_s": inf},
        {"stage": "float", "since_full_s": True},
    ],
)
def test_what_is_not_plausible_is_not_restored(kept: object) -> None:
    story = restored({"charge": kept})
    story.settle()

    assert (story.last.stage, story.last.charge_voltage_limit_v) == ("bulk", 55.2)


@given(
    stage=st.sampled_from(["bulk", "absorption", "balance", "float", "hold"]),
    since_s=st.floats(0, 1e9),
    away_s=st.floats(-1e9, 1e12),
    cell_v=st.floats(3.0, 3.54),
)
def test_what_is_restored_makes_no_first_limit_higher(
    stage: str, since_s: float, away_s: float, cell_v: float
) -> None:
    fresh, kept = Story(ATTIC), Story(ATTIC)
    kept.bank.restore({"charge": {"stage": stage, "since_full_s": since_s}}, kept.now, away_s)
    for story in (fresh, kept):
        story.say(lambda now: well(now, cell_v)).run(10)

    for without, with_state in zip(fresh.decisions, kept.decisions, strict=True):
        assert with_state.charge_voltage_limit_v <= without.charge_voltage_limit_v
        assert with_state.charge_current_limit_a <= without.charge_current_limit_a
        assert with_state.discharge_current_limit_a <= without.discharge_current_limit_a


# Invariants

COURSE = st.lists(st.tuples(st.floats(3.2, 3.7), st.floats(-100, 100), st.integers(1, 40)), max_size=10)


@settings(max_examples=25)
@given(COURSE)
def test_the_charge_voltage_stays_in_its_range_moves_by_tenths_and_rises_slowly(
    course: list[tuple[float, float, int]],
) -> None:
    story = Story(GARAGE)
    story.run(25)
    for cell_v, current_a, seconds in course:
        story.say(at(cell_v, current_a)).run(seconds)
    seen = cvls(story.decisions[24:])

    assert all(16 * 3.30 - QUANTUM <= value <= 55.2 for value in seen)
    assert all(abs(value * 10 - round(value * 10)) < 1e-6 for value in seen)
    for seconds in range(1, 60):
        widest_v = 0.02 * seconds + QUANTUM + 1e-9
        assert all(after - before <= widest_v for before, after in zip(seen, seen[seconds:], strict=False))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(3.2, 3.6), st.booleans(), st.integers(1, 90)), max_size=10))
def test_no_way_leads_to_float_but_the_full_test_or_two_hours_at_the_top(
    course: list[tuple[float, bool, int]],
) -> None:
    story = Story(GARAGE)
    for cell_v, cold, seconds in course:
        story.say(at(cell_v, 40.0, -5.0 if cold else 25.0)).run(seconds)

    assert all(one.stage != "float" for one in story.decisions)
    assert all(one.bank.soc is None or one.bank.soc <= 0.99 for one in story.decisions)
