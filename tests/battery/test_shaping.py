from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.battery.shaping import CurrentShaper, VoltageShaper, ceil_to_quantum, floor_to_quantum


def run(shaper: CurrentShaper, target_a: float, seconds: int, begin: int) -> list[float]:
    return [shaper.shape(target_a, float(t)) for t in range(begin, begin + seconds)]


def shaper() -> CurrentShaper:
    return CurrentShaper(rated_a=100.0, rise_after_s=30.0, rise_pct_per_s=2.0)


def test_the_first_rise_after_a_start_does_not_wait_and_is_slow() -> None:
    assert run(shaper(), 9.0, 7, 0) == [0.0, 2.0, 4.0, 6.0, 8.0, 9.0, 9.0]


def test_waiting_at_zero_for_the_start_does_not_make_the_first_rise_wait() -> None:
    limit = shaper()
    run(limit, 0.0, 100, 0)

    assert run(limit, 9.0, 2, 100) == [2.0, 4.0]


def test_a_dip_of_nothing_much_above_the_present_limit_does_not_stop_a_rise() -> None:
    limit = shaper()
    run(limit, 50.0, 5, 0)

    assert limit.shape(49.6, 5.0) == 10.0
    assert limit.shape(49.4, 6.0) == 10.0


def test_a_fall_is_published_at_once() -> None:
    limit = shaper()
    run(limit, 100.0, 60, 0)

    assert limit.shape(40.0, 60.0) == 40.0
    assert limit.shape(0.0, 60.1) == 0.0


def test_a_rise_waits_for_half_a_minute_and_is_slow() -> None:
    limit = shaper()
    run(limit, 100.0, 60, 0)
    limit.shape(40.0, 60.0)

    published = run(limit, 100.0, 60, 61)

    assert published[:29] == [40.0] * 29
    assert published[29:32] == [42.0, 44.0, 46.0]
    assert published[-1] == 100.0


def test_a_limit_that_flickers_rises_nowhere() -> None:
    limit = shaper()
    run(limit, 100.0, 60, 0)

    for begin in range(60, 360, 20):
        assert set(run(limit, 100.0, 19, begin)) <= {100.0 if begin == 60 else 40.0}
        limit.shape(40.0, begin + 19.0)


def test_after_an_hour_at_a_low_limit_a_rise_still_waits() -> None:
    limit = shaper()
    run(limit, 100.0, 60, 0)
    run(limit, 40.0, 3600, 60)

    assert set(run(limit, 100.0, 29, 3660)) == {40.0}


def test_bad_news_above_the_present_limit_stops_a_rise() -> None:
    limit = shaper()
    run(limit, 100.0, 11, 0)
    assert limit.shape(60.0, 11.0) == 20.0

    assert set(run(limit, 60.0, 29, 12)) == {20.0}
    assert limit.shape(60.0, 41.0) == 22.0


def test_a_slow_decline_of_what_is_allowed_stops_a_rise_too() -> None:
    limit = shaper()
    run(limit, 100.0, 11, 0)

    published = [limit.shape(100.0 - t * 0.4, 11.0 + t) for t in range(60)]

    assert max(published) <= 24.0


def test_a_long_pause_between_decisions_earns_no_jump() -> None:
    limit = shaper()
    run(limit, 100.0, 2, 0)

    assert limit.shape(100.0, 1000.0) == 2.0 + 3 * 2.0


def test_a_clock_that_goes_back_raises_nothing() -> None:
    limit = shaper()
    run(limit, 100.0, 5, 0)

    assert limit.shape(100.0, -50.0) == 8.0


def test_small_limits_are_zero_until_they_are_clearly_more() -> None:
    limit = CurrentShaper(rated_a=100.0, rise_after_s=0.0, rise_pct_per_s=100.0)
    limit.shape(0.0, 0.0)

    assert [limit.shape(a, t) for t, a in enumerate([1.4, 1.6, 0.6, 0.4, 1.4, 1.6], start=1)] == [
        0,
        1.6,
        0.6,
        0,
        0,
        1.6,
    ]


def test_what_a_later_stage_took_away_rises_again_slowly() -> None:
    limit = shaper()
    run(limit, 100.0, 60, 0)
    limit.lowered_to(10.0)

    assert set(run(limit, 100.0, 29, 60)) == {10.0}
    assert limit.shape(100.0, 89.0) == 12.0


@pytest.mark.parametrize("target_a", [nan, inf, -inf, -1.0])
def test_what_is_not_a_limit_is_zero(target_a: float) -> None:
    limit = shaper()
    run(limit, 100.0, 60, 0)

    assert limit.shape(target_a, 60.0) == 0.0
    assert limit.shape(100.0, 61.0) == 0.0


@settings(deadline=None)
@given(st.lists(st.floats(0, 150), min_size=2, max_size=60), st.floats(0.1, 2.0))
def test_never_more_than_allowed_and_never_faster_than_configured(
    targets_a: list[float], step_s: float
) -> None:
    limit = shaper()
    published = [limit.shape(target_a, i * step_s) for i, target_a in enumerate(targets_a)]

    assert all(value <= target_a + 1e-6 for value, target_a in zip(published, targets_a, strict=True))
    for i, early in enumerate(published):
        for j in range(i + 1, len(published)):
            # 1.5 A: out of the dead band around zero it comes in one step
            assert published[j] <= early + (j - i) * step_s * 2.0 + 1.5 + 0.11


@settings(deadline=None)
@given(st.floats(0, 2000))
def test_rounding_goes_to_the_safe_side(value: float) -> None:
    assert floor_to_quantum(value) <= value + 1e-6
    assert ceil_to_quantum(value) >= value - 1e-6
    assert floor_to_quantum(floor_to_quantum(value)) == floor_to_quantum(value)
    assert ceil_to_quantum(ceil_to_quantum(value)) == ceil_to_quantum(value)


def test_multiples_of_the_quantum_stay_where_they_are() -> None:
    assert [floor_to_quantum(n / 10) for n in range(1000)] == [n / 10 for n in range(1000)]
    assert [ceil_to_quantum(n / 10) for n in range(1000)] == [n / 10 for n in range(1000)]


def test_the_charge_voltage_falls_at_once_and_rises_slowly() -> None:
    voltage = VoltageShaper()
    assert voltage.shape(55.2, 0.0, settled=True) == 55.2
    assert voltage.shape(54.19, 1.0, settled=True) == 54.1

    assert [voltage.shape(55.2, 1.0 + t, settled=True) for t in (1, 2, 3, 4, 5)] == [
        54.2,
        54.2,
        54.2,
        54.2,
        54.2,
    ]
    assert [voltage.shape(55.2, 6.0 + t, settled=True) for t in range(60)][-1] == 55.2


def test_while_the_bank_starts_there_is_nothing_to_rise_from() -> None:
    voltage = VoltageShaper()
    voltage.shape(53.6, 0.0, settled=False)

    assert voltage.shape(55.2, 1.0, settled=False) == 55.2


def test_a_voltage_that_is_not_one_is_zero() -> None:
    assert VoltageShaper().shape(nan, 0.0, settled=True) == 0.0
