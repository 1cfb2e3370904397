from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sinks.schedule import Due, Schedule

HOUR_S = 3600.0


def cycles(schedule: Schedule, until_s: float, late_s: float = 0.0) -> list[float]:
    """When cycles go out, if each deadline is met late_s late."""
    times = []
    while (next_s := schedule.next_s()) is not None and next_s <= until_s:
        if schedule.due(next_s + late_s) is Due.CYCLE:
            times.append(round(next_s + late_s, 6))
    return times


def test_nothing_is_due_before_it_is_armed() -> None:
    schedule = Schedule(1.0)
    assert schedule.next_s() is None
    assert schedule.due(5.0) is Due.NOTHING
    assert schedule.live(5.0) is False


def test_the_first_cycle_goes_out_at_once_and_then_every_period() -> None:
    schedule = Schedule(1.0)
    schedule.arm(10.0, HOUR_S)
    assert cycles(schedule, 14.0) == [10.0, 11.0, 12.0, 13.0, 14.0]


def test_being_late_does_not_shift_what_follows() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, 2 * HOUR_S)
    times = cycles(schedule, HOUR_S, late_s=0.05)
    assert len(times) == 3601
    assert times[-1] == 3600.05
    assert schedule.missed == 0


def test_what_was_missed_is_skipped_counted_and_not_made_up_for() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, HOUR_S)
    assert schedule.due(0.0) is Due.CYCLE
    assert schedule.due(4.3) is Due.CYCLE  # slots 1, 2 and 3 have passed, 4 is late
    assert schedule.due(4.3) is Due.NOTHING
    assert schedule.missed == 3
    assert cycles(schedule, 6.0) == [5.0, 6.0]


def test_a_slot_that_would_follow_a_late_cycle_too_soon_is_missed_as_well() -> None:
    schedule = Schedule(1.0, min_gap_s=0.2)
    schedule.arm(0.0, HOUR_S)
    assert schedule.due(0.9) is Due.CYCLE
    assert schedule.missed == 1
    assert schedule.next_s() == 2.0


def test_without_a_fresh_arming_it_expires_once() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, 3.0)
    assert cycles(schedule, 2.5) == [0.0, 1.0, 2.0]
    assert schedule.live(2.99)
    assert not schedule.live(3.0)
    assert schedule.due(3.0) is Due.EXPIRED
    assert schedule.due(3.0) is Due.NOTHING
    assert schedule.next_s() is None


def test_a_stall_beyond_the_time_armed_for_sends_nothing_old() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, 3.0)
    schedule.due(0.0)
    assert schedule.due(10.0) is Due.EXPIRED


def test_arming_again_keeps_it_alive_and_keeps_the_phase() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, 3.0)
    assert cycles(schedule, 2.0) == [0.0, 1.0, 2.0]
    schedule.arm(2.7, 3.0)
    assert cycles(schedule, 5.5) == [3.0, 4.0, 5.0]
    assert schedule.due(5.7) is Due.EXPIRED


def test_a_shorter_arming_ends_sooner() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, 100.0)
    schedule.due(0.0)
    schedule.arm(0.5, 1.0)
    assert schedule.due(1.5) is Due.EXPIRED


def test_it_can_be_armed_again_after_it_expired() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, 3.0)
    cycles(schedule, 10.0)
    schedule.arm(20.4, 3.0)
    assert cycles(schedule, 22.0) == [20.4, 21.4]


def test_disarmed_it_is_silent_and_restarts_no_sooner_than_the_gap() -> None:
    schedule = Schedule(1.0, min_gap_s=0.2)
    schedule.arm(0.0, HOUR_S)
    schedule.due(0.0)
    schedule.disarm()
    assert schedule.next_s() is None
    schedule.arm(0.05, HOUR_S)
    assert schedule.next_s() == 0.2


# Urgent cycles


def test_bad_news_goes_out_at_once_and_the_phase_stays() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, HOUR_S)
    schedule.due(0.0)
    schedule.arm(0.5, HOUR_S, urgent=True)
    assert cycles(schedule, 2.0) == [0.5, 1.0, 2.0]
    assert schedule.missed == 0


def test_bad_news_soon_after_a_cycle_waits_for_the_gap() -> None:
    schedule = Schedule(1.0, min_gap_s=0.2)
    schedule.arm(0.0, HOUR_S)
    schedule.due(0.0)
    schedule.arm(0.05, HOUR_S, urgent=True)
    assert cycles(schedule, 1.0) == [0.2, 1.0]


def test_the_usual_gap_is_a_fifth_of_a_second() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, HOUR_S)
    schedule.due(0.0)
    schedule.arm(0.05, HOUR_S, urgent=True)
    assert schedule.next_s() == 0.2


def test_a_short_period_has_half_of_it_for_a_gap() -> None:
    schedule = Schedule(0.1)
    schedule.arm(0.0, HOUR_S)
    schedule.due(0.0)
    schedule.arm(0.01, HOUR_S, urgent=True)
    assert schedule.next_s() == 0.05


def test_bad_news_right_before_a_cycle_takes_its_place() -> None:
    schedule = Schedule(1.0, min_gap_s=0.2)
    schedule.arm(0.0, HOUR_S)
    schedule.due(0.0)
    schedule.arm(0.9, HOUR_S, urgent=True)
    assert cycles(schedule, 3.0) == [0.9, 2.0, 3.0]
    assert schedule.missed == 0


def test_much_bad_news_does_not_flood_the_bus() -> None:
    schedule = Schedule(1.0, min_gap_s=0.2)
    times = []
    for step in range(1000):
        now = step * 0.01
        schedule.arm(now, 3.0, urgent=True)
        if schedule.due(now) is Due.CYCLE:
            times.append(now)
    gaps_s = [after - before for before, after in pairwise(times)]
    assert min(gaps_s) >= 0.2 - 1e-9
    assert max(gaps_s) <= 0.22


def test_a_late_urgent_cycle_does_not_stay_pending_after_the_regular_one() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, HOUR_S)
    schedule.due(0.0)
    schedule.arm(0.5, HOUR_S, urgent=True)
    assert schedule.due(1.05) is Due.CYCLE
    assert schedule.next_s() == 2.0


# How well it was kept


def test_the_interval_error_is_that_of_neighbouring_cycles() -> None:
    schedule = Schedule(1.0)
    schedule.arm(0.0, HOUR_S)
    schedule.due(0.0)
    assert schedule.interval_error_s is None
    schedule.due(1.03)
    assert schedule.interval_error_s == pytest.approx(0.03)
    schedule.due(2.4)
    assert schedule.interval_error_s == pytest.approx(0.37)
    schedule.due(3.01)
    assert schedule.interval_error_s == pytest.approx(-0.39)
    schedule.due(5.0)
    assert schedule.interval_error_s is None
    schedule.arm(5.5, HOUR_S, urgent=True)
    schedule.due(5.5)
    assert schedule.interval_error_s is None


@pytest.mark.parametrize("period_s", [1.0, 0.1, 0.01])
def test_the_gap_leaves_room_for_short_periods(period_s: float) -> None:
    schedule = Schedule(period_s)
    schedule.arm(0.0, HOUR_S)
    assert len(cycles(schedule, 100.5 * period_s, late_s=0.1 * period_s)) == 101
    assert schedule.missed == 0


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.booleans()), max_size=60))
def test_whatever_the_stalls_no_two_cycles_are_too_close_and_none_is_sent_when_expired(
    events: list[tuple[float, bool, bool]],
) -> None:
    schedule = Schedule(1.0, min_gap_s=0.2)
    now, armed_s, last_s = 0.0, -10.0, -10.0
    for wait_s, arm, urgent in events:
        now += wait_s
        if arm:
            schedule.arm(now, 3.0, urgent=urgent)
            armed_s = now
        if schedule.due(now) is Due.CYCLE:
            assert now - armed_s < 3.0
            assert now - last_s >= 0.2 - 1e-9
            last_s = now
        next_s = schedule.next_s()
        assert next_s is None or next_s > now or not schedule.live(now)
