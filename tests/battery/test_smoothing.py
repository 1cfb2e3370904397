from __future__ import annotations

from dataclasses import replace
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.battery.facts import Memory
from bridge.battery.pack_rules import pack_limits
from bridge.battery.smoothing import Smoother
from tests.battery.story import GARAGE, well


def charge_a(*course: tuple[float, float]) -> float:
    """What may be charged after measuring so many degC at so many seconds, one after the other."""
    memory = Memory(GARAGE)
    facts = [memory.facts(well(time_s, temperature_c=c)) for time_s, c in course]
    return pack_limits(facts[-1]).charge[0].value


def test_the_first_temperature_is_taken_as_it_is() -> None:
    assert Smoother().follow(12.0, 14.0, 100.0) == (12.0, 14.0)


def test_a_temperature_follows_with_a_minute() -> None:
    smoother = Smoother()
    smoother.follow(10.0, 10.0, 0.0)
    cold_c, hot_c = smoother.follow(12.0, 13.0, 60.0)
    assert cold_c == pytest.approx(10.0 + 2.0 * (1 - exp(-1)))
    assert hot_c == pytest.approx(10.0 + 3.0 * (1 - exp(-1)))


def test_it_arrives() -> None:
    smoother = Smoother()
    smoother.follow(10.0, 10.0, 0.0)
    for time_s in range(1, 600):
        smoother.follow(12.0, 12.0, float(time_s))
    assert smoother.follow(12.0, 12.0, 600.0) == (12.0, 12.0)


@pytest.mark.parametrize(("before_c", "now_c"), [(10.0, 15.1), (10.0, 4.9), (1.0, 0.0), (1.0, -0.5)])
def test_a_jump_and_a_fall_through_freezing_are_taken_at_once(before_c: float, now_c: float) -> None:
    smoother = Smoother()
    smoother.follow(before_c, before_c, 0.0)
    assert smoother.follow(now_c, now_c, 1.0) == (now_c, now_c)


def test_warming_raises_the_limit_late() -> None:
    at_once, cold, warm = charge_a((0, 10.0)), charge_a((0, 6.0)), charge_a((0, 6.0), (1, 10.0))
    assert cold < warm < 0.05 * (at_once - cold) + cold
    assert charge_a((0, 6.0), (600, 10.0)) == pytest.approx(at_once, rel=1e-3)


def test_thawing_raises_it_late_too() -> None:
    assert charge_a((0, -1.0), (1, 1.0)) == 0.0
    assert charge_a((0, -1.0), (300, 1.0)) > 0.0


def test_cooling_lowers_it_at_once() -> None:
    assert charge_a((0, 10.0), (1, 6.0)) == charge_a((0, 6.0))
    assert charge_a((0, 1.0), (1, 0.0)) == 0.0


def test_heating_up_at_the_hot_end_lowers_it_at_once() -> None:
    assert charge_a((0, 46.0), (1, 49.0)) == charge_a((0, 49.0))
    assert charge_a((0, 53.0), (1, 55.0)) == 0.0


@given(st.lists(st.tuples(st.floats(0.1, 100.0), st.floats(-30.0, 70.0)), min_size=1, max_size=12))
def test_smoothing_never_allows_more_than_what_is_measured_at_the_moment(
    steps: list[tuple[float, float]],
) -> None:
    memory, time_s = Memory(GARAGE), 0.0
    for step_s, temperature_c in steps:
        time_s += step_s
        found = pack_limits(memory.facts(well(time_s, temperature_c=temperature_c)))
        alone = pack_limits(Memory(GARAGE).facts(well(time_s, temperature_c=temperature_c)))
        assert found.charge[0].value <= alone.charge[0].value
        assert found.discharge[0].value <= alone.discharge[0].value


def test_a_probe_that_is_lost_keeps_its_smoothed_value_too() -> None:
    memory = Memory(GARAGE)
    memory.facts(well(0.0, temperature_c=6.0))
    memory.facts(well(1.0, temperature_c=10.0))
    lost = memory.facts(replace(well(2.0), temperatures_c=()))
    assert pack_limits(lost).charge[0].value <= 28.0
