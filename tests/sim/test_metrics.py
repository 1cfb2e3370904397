from __future__ import annotations

import pytest

from bridge.sim.converter import SILENT, Command
from bridge.sim.lumped import LumpedPack
from bridge.sim.metrics import Meter, Turns
from bridge.sim.policies import Said
from tests.sim.scenarios import lumped, side_by_side, small


def meter(pack: LumpedPack) -> Meter:
    return Meter(small({"a": {}}, measure_from_s=10.0), side_by_side(pack))


def carry(one: Meter, current_a: float, seconds: float, *, begin_s: float = 0.0) -> None:
    (pack,) = one.circuit.packs
    for number in range(round(seconds / 0.5)):
        one.circuit.look()
        one.circuit.carry(current_a)
        pack.step(current_a)
        one.step(begin_s + number * 0.5, 0.5, current_a)


def said(ccl: float = 100.0, dcl: float = 100.0, cvl: float = 55.0, soc: float | None = 0.5) -> Said:
    return Said(
        command=Command(
            charge_voltage_limit_v=cvl,
            discharge_voltage_limit_v=44.8,
            charge_current_limit_a=ccl,
            discharge_current_limit_a=dcl,
        ),
        soc=soc,
    )


@pytest.mark.parametrize(
    ("values", "turns"),
    [
        ([10, 20, 30], 0),
        ([10, 20, 10], 1),
        ([10, 20, 10, 20], 2),
        ([10, 20, 18, 21, 19], 0),
        ([10, 20, 18, 16, 14], 1),
        ([10, 11, 9, 11, 9], 0),
        ([], 0),
    ],
)
def test_a_turn_is_a_change_of_direction_that_is_large_enough(values: list[float], turns: int) -> None:
    counter = Turns(least=3.0)
    for value in values:
        counter.take(value)
    assert counter.count == turns


@pytest.mark.parametrize(
    ("current_a", "seconds", "events"), [(-54.0, 6.0, 1), (-54.0, 4.5, 0), (-53.0, 60.0, 0)]
)
def test_an_event_is_five_seconds_beyond_the_limit(current_a: float, seconds: float, events: int) -> None:
    one = meter(lumped())
    carry(one, current_a, seconds)
    assert one.events == events


def test_a_long_excess_is_one_event_and_a_second_one_another() -> None:
    one = meter(lumped())
    carry(one, -54.0, 60.0)
    carry(one, -20.0, 1.0, begin_s=60.0)
    carry(one, -54.0, 60.0, begin_s=61.0)
    assert one.events == 2


def test_charging_a_frozen_pack_is_an_event_however_small() -> None:
    one = meter(lumped(temperature_c=-5.0, ambient_c=-5.0))
    carry(one, 1.5, 10.0)
    assert one.events == 1


def test_energy_counts_from_its_time_on_and_both_ways() -> None:
    one = meter(lumped())
    carry(one, -30.0, 10.0)
    assert one.metrics(0.0).energy_wh == 0.0
    carry(one, -30.0, 60.0, begin_s=10.0)
    carry(one, 30.0, 60.0, begin_s=70.0)
    assert one.metrics(0.0).energy_wh == pytest.approx(30 * 52.7 * 120 / 3600, rel=0.01)


def test_steadiness_begins_two_minutes_after_the_last_change() -> None:
    one = meter(lumped())
    carry(one, -30.0, 300.0)
    assert one.metrics(0.0).steady_h * 3600 == pytest.approx(180.0, abs=2.0)
    one.happened(300.0)
    carry(one, -30.0, 100.0, begin_s=300.0)
    assert one.metrics(0.0).steady_h * 3600 == pytest.approx(180.0, abs=2.0)


def test_only_reversals_in_steady_times_are_held_against_a_policy_there() -> None:
    one = meter(lumped())
    for now, ccl in ((0.0, 50.0), (1.0, 40.0), (2.0, 50.0), (500.0, 40.0)):
        one.said(now, said(ccl=ccl))
    assert (one.metrics(0.0).reversals, one.metrics(0.0).reversals_steady) == (2, 1)


def test_the_largest_step_of_soc_is_found_but_not_at_the_start() -> None:
    one = meter(lumped())
    for now, soc in ((0.0, 0.9), (1.0, 0.5), (100.0, 0.5), (101.0, 0.503), (102.0, None), (103.0, 0.501)):
        one.said(now, said(soc=soc))
    assert one.metrics(0.0).soc_step_any_pct == pytest.approx(0.3)
    assert one.metrics(0.0).soc_step_max_pct == 0.0


def test_a_run_is_clean_without_events_and_trips() -> None:
    one = meter(lumped())
    one.said(0.0, Said(command=SILENT, soc=None))
    carry(one, -30.0, 60.0)
    assert one.metrics(0.0).clean
    carry(one, -60.0, 60.0, begin_s=60.0)
    assert one.metrics(0.0).trips == 1
    assert not one.metrics(0.0).clean


def test_the_peak_is_relative_to_the_limit_of_its_direction() -> None:
    one = meter(lumped(rated_charge_a=20.0))
    carry(one, -40.0, 5.0)
    assert one.metrics(0.0).peak_ratio == pytest.approx(0.8)
    carry(one, 22.0, 5.0, begin_s=5.0)
    assert one.metrics(0.0).peak_ratio == pytest.approx(1.1)
