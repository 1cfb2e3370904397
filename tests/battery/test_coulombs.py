from __future__ import annotations

import json

import pytest

from bridge.battery.coulombs import Counter, restored, saved
from bridge.battery.facts import Facts, Memory
from bridge.model import PackSample
from tests.battery.story import GARAGE, changed, well, with_cell

HOUR_S = 3600.0


def facts(sample: PackSample) -> Facts:
    return Memory(GARAGE).facts(sample)


def run(counter: Counter, begin_s: float, seconds: float, *, full: bool = False, **said: float) -> Counter:
    """Samples every 10 s that all say the same."""
    for i in range(round(seconds / 10) + 1):
        counter.take(facts(changed(well(begin_s + 10.0 * i), **said)), full=full)
    return counter


def test_it_begins_with_what_the_bms_says() -> None:
    counter = Counter()

    counter.take(facts(changed(well(0.0), soc=None, current_a=-28.0)), full=False)
    assert counter.soc is None
    counter.take(facts(well(10.0, soc=0.7)), full=False)

    assert counter.soc == 0.7


def test_discharging_counts_in_full_and_charging_a_little_less() -> None:
    assert run(Counter(), 0.0, HOUR_S, current_a=-28.0).soc == pytest.approx(0.4)
    assert run(Counter(), 0.0, HOUR_S, current_a=28.0).soc == pytest.approx(0.5 + 0.1 * 0.995)


def test_a_current_that_changes_is_joined_by_a_straight_line() -> None:
    counter = run(Counter(), 0.0, 0.0, current_a=0.0)

    counter.take(facts(well(10.0, current_a=-28.0)), full=False)

    assert counter.soc == pytest.approx(0.5 - 14.0 * 10 / HOUR_S / 280)


def test_a_current_that_is_not_known_counts_as_none() -> None:
    counter = run(Counter(), 0.0, 0.0, current_a=-28.0)

    counter.take(facts(changed(well(10.0), current_a=None)), full=False)

    assert counter.soc == 0.5


def test_what_flowed_in_a_gap_is_what_the_bms_has_counted() -> None:
    counter = run(Counter(), 0.0, 0.0, soc=0.5, current_a=-28.0)

    counter.take(facts(well(30.1, soc=0.42, current_a=-28.0)), full=False)

    assert counter.soc == pytest.approx(0.42)


def test_full_for_ten_seconds_is_hundred_percent_and_for_a_moment_is_nothing() -> None:
    counter = Counter()
    for time_s in (0.0, 5.0, 9.9):
        counter.take(facts(well(time_s)), full=True)
    assert counter.soc == 0.5

    counter.take(facts(well(10.0)), full=True)
    assert counter.soc == 1.0


@pytest.mark.parametrize(("current_a", "soc"), [(-5.0, 0.0), (-56.0, 0.0), (-57.0, 0.5)])
def test_a_cell_at_the_low_stop_is_empty_unless_the_load_pulled_it_there(
    current_a: float, soc: float
) -> None:
    counter = Counter()

    for i in range(12):
        low = with_cell(well(float(i), current_a=current_a), 3, 2.79)
        counter.take(facts(low), full=False)

    assert counter.soc == pytest.approx(soc, abs=0.001)


def test_it_stays_between_empty_and_full() -> None:
    assert run(Counter(), 0.0, 30 * HOUR_S, current_a=28.0).soc == 1.0
    assert run(Counter(), 0.0, 30 * HOUR_S, current_a=-28.0).soc == 0.0


def test_more_than_ten_percent_apart_from_the_bms_is_drift() -> None:
    counter = run(Counter(), 0.0, 0.0, soc=0.5)

    drifted = []
    for time_s, soc in ((10.0, 0.59), (20.0, 0.61)):
        counter.take(facts(well(time_s, soc=soc)), full=False)
        drifted.append(counter.drifted)

    assert drifted == [False, True]
    assert counter.contradiction == "its BMS says 61 %, counted are 50 %"


def test_over_a_restart_it_goes_on_by_what_the_bms_has_counted_meanwhile() -> None:
    before = run(Counter(), 0.0, HOUR_S, soc=0.8, current_a=-28.0)
    assert before.soc == pytest.approx(0.7)

    after = restored(json.loads(json.dumps(saved({"garage": before})))["garage"])
    after.take(facts(well(5.0, soc=0.75)), full=False)

    assert after.soc == pytest.approx(0.65)


@pytest.mark.parametrize(
    "saved_one",
    [
        None,
        3,
        {},
        {"soc": 0.5},
        {"soc": "0.5", "bms_soc": 0.5},
        {"soc": 1.5, "bms_soc": 0.5},
        {"soc": True, "bms_soc": 1},
    ],
)
def test_what_cannot_be_a_counters_state_begins_a_new_one(saved_one: object) -> None:
    assert restored(saved_one).soc is None
