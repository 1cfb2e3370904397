from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from bridge.battery.charge_stages import BREAK_S, Marks, Seen, Stage, Stages

DAY_S = 86_400.0
MARKS = Marks(
    cells=16,
    charge_v=3.45,
    rebulk_v=3.30,
    spread_v=0.020,
    rebulk_soc=0.90,
    full_every_s=14 * DAY_S,
    balance_max_s=7200.0,
)
LOW = Seen(highest_v=3.33, spread_v=0.005, soc=0.6, full=False, tail=False, drawn=False, blocked=False)
HIGH = LOW._replace(highest_v=3.45, soc=0.97)
FULL = HIGH._replace(full=True, tail=True, soc=1.0)
WIDE = FULL._replace(spread_v=0.040)
RESTING = FULL._replace(highest_v=3.37)


class Charge:
    """Stages in virtual time, a step a second."""

    def __init__(self, marks: Marks = MARKS) -> None:
        self.stages = Stages(marks)
        self.now = 1000.0

    def see(self, seen: Seen, seconds: float, step_s: float = 1.0) -> Stage:
        for _ in range(round(seconds / step_s)):
            self.now += step_s
            self.stages.step(seen, self.now)
        return self.stages.stage

    def full(self) -> bool:
        return self.stages.full

    def due(self) -> bool:
        return self.stages.due

    def floating(self) -> Charge:
        assert self.see(HIGH, 12) is Stage.ABSORPTION
        assert self.see(FULL, 62) is Stage.FLOAT
        return self


def test_a_charge_ends_in_float_when_the_bank_is_full_and_its_cells_are_close() -> None:
    charge = Charge()
    assert charge.see(LOW, 100) is Stage.BULK
    assert charge.see(HIGH, 10) is Stage.BULK
    assert charge.see(HIGH, 1) is Stage.ABSORPTION
    assert charge.see(FULL, 60) is Stage.ABSORPTION
    assert charge.see(FULL, 1) is Stage.FLOAT
    assert not charge.stages.imbalance


def test_a_moment_at_the_top_is_no_absorption() -> None:
    charge = Charge()
    for _ in range(20):
        charge.see(HIGH, 9)
        assert charge.see(LOW, 1) is Stage.BULK


def test_a_bank_that_leaves_the_top_is_in_bulk_again() -> None:
    charge = Charge()
    charge.see(HIGH, 12)
    assert charge.see(LOW._replace(highest_v=3.349), 60) is Stage.ABSORPTION
    assert charge.see(LOW._replace(highest_v=3.349), 1) is Stage.BULK


def test_cells_that_are_apart_are_held_for_the_balancers_until_they_are_close() -> None:
    charge = Charge()
    charge.see(HIGH, 12)
    assert charge.see(WIDE, 62) is Stage.BALANCE
    assert charge.see(FULL._replace(spread_v=0.009), 15 * 60) is Stage.BALANCE
    assert charge.see(FULL._replace(spread_v=0.009), 1) is Stage.FLOAT
    assert not charge.stages.imbalance


def test_cells_that_stay_apart_are_given_up_with_a_warning() -> None:
    charge = Charge()
    charge.see(HIGH, 12)
    assert charge.see(WIDE, 61 + 7199) is Stage.BALANCE
    assert charge.see(WIDE, 2) is Stage.FLOAT
    assert charge.stages.imbalance


def test_without_the_full_test_only_two_hours_with_little_current_lead_to_float() -> None:
    charge = Charge()
    charge.see(HIGH, 12)
    assert charge.see(HIGH, 3 * 3600, step_s=10) is Stage.ABSORPTION
    assert not charge.full()
    assert charge.see(HIGH._replace(tail=True), 1) is Stage.FLOAT
    assert charge.full()
    charge.see(HIGH._replace(tail=True, drawn=True), 1)
    charge.see(HIGH._replace(tail=True, drawn=True), 62)
    assert not charge.full()


def test_full_is_only_a_bank_that_has_come_to_the_top() -> None:
    charge = Charge()
    charge.see(FULL._replace(highest_v=3.38), 600)
    assert (charge.stages.stage, charge.full()) == (Stage.BULK, False)


def test_a_test_that_fails_for_a_moment_does_not_end_being_full() -> None:
    charge = Charge().floating()
    charge.see(FULL._replace(full=False), 59)
    assert charge.full()
    charge.see(FULL, 1)
    charge.see(FULL._replace(full=False), 62)
    assert not charge.full()


@pytest.mark.parametrize("seen", [LOW._replace(soc=0.90), LOW._replace(highest_v=3.30, soc=None)])
def test_what_was_drawn_is_charged_again_after_a_minute(seen: Seen) -> None:
    charge = Charge().floating()
    assert charge.see(seen, 60) is Stage.FLOAT
    assert charge.see(seen, 1) is Stage.BULK


def test_a_counter_that_is_wrong_does_not_begin_a_charge() -> None:
    charge = Charge()
    charge.see(HIGH, 12)
    charge.see(FULL._replace(soc=0.88), 62)
    assert charge.see(RESTING._replace(soc=0.84), 600) is Stage.FLOAT
    assert charge.see(RESTING._replace(soc=0.83), 62) is Stage.BULK


def test_after_two_weeks_a_bank_is_charged_fully_again() -> None:
    charge = Charge().floating()
    assert charge.see(RESTING, 14 * DAY_S - 20, step_s=20) is Stage.FLOAT
    assert not charge.due()
    assert charge.see(RESTING, 60, step_s=20) is Stage.BULK
    assert charge.due()
    charge.floating()
    assert not charge.due()


def test_a_bank_of_which_nothing_is_known_has_two_weeks() -> None:
    charge = Charge()
    charge.see(LOW, 13 * DAY_S, step_s=25)
    assert not charge.due()
    charge.see(LOW, 2 * DAY_S, step_s=25)
    assert charge.due()


@pytest.mark.parametrize("begun", [Stage.BULK, Stage.FLOAT])
def test_a_bank_that_may_not_charge_is_held_and_goes_on_afterwards(begun: Stage) -> None:
    charge = Charge()
    if begun is Stage.FLOAT:
        charge.floating()
    seen = RESTING if begun is Stage.FLOAT else LOW
    assert charge.see(seen._replace(blocked=True), 10) is begun
    assert charge.see(seen._replace(blocked=True), 1) is Stage.HOLD
    assert charge.see(seen, 30) is Stage.HOLD
    assert charge.see(seen, 1) is begun


def test_what_had_to_hold_through_a_pause_begins_again() -> None:
    charge = Charge()
    charge.see(HIGH, 9)
    charge.now += BREAK_S + 1
    assert charge.see(HIGH, 2) is Stage.BULK
    assert charge.see(HIGH, 9) is Stage.ABSORPTION


def test_an_inverter_that_ends_too_low_for_four_cells_still_reaches_absorption() -> None:
    for cells, enough_v in ((4, 3.37), (16, 3.425)):
        charge = Charge(replace(MARKS, cells=cells))
        assert charge.see(LOW._replace(highest_v=enough_v - 0.01), 60) is Stage.BULK
        assert charge.see(LOW._replace(highest_v=enough_v), 12) is Stage.ABSORPTION


class Courses(RuleBasedStateMachine):
    """I20: whatever a bank goes through, only a full bank, or two hours at the top with next to no current,
    lead to float, and only they, while the bank is at the top, to being full.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages, self.now = Stages(MARKS), 1000.0
        self.full_s = self.top_s = 0.0  # how long it has been so without a break
        self.earned = False  # since the last time in bulk: one of the two ways was gone
        self.timed = False  # it was the second, and nothing was drawn since

    @rule(
        seen=st.builds(
            Seen,
            highest_v=st.sampled_from([None, 3.29, 3.33, 3.349, 3.37, 3.43, 3.45, 3.47]),
            spread_v=st.sampled_from([0.005, 0.015, 0.030]),
            soc=st.sampled_from([None, 0.5, 0.9, 0.97, 1.0]),
            full=st.booleans(),
            tail=st.booleans(),
            drawn=st.booleans(),
            blocked=st.sampled_from([False, False, False, True]),
        ),
        step_s=st.sampled_from([1.0, 10.0, 25.0, 40.0]),
        steps=st.sampled_from([1, 7, 62, 300, 1000]),
    )
    def it_is_seen_like_this(self, seen: Seen, step_s: float, steps: int) -> None:
        for _ in range(steps):
            self.now += step_s
            before, was_full = self.stages.stage, self.stages.full
            after = self.stages.step(seen, self.now)
            whole = step_s <= BREAK_S
            self.full_s = self.full_s + step_s if seen.full and whole else 0.0
            top = {Stage.ABSORPTION, Stage.BALANCE}
            self.top_s = self.top_s + step_s if before in top else 0.0
            late = self.top_s >= 7200.0 and seen.tail
            ripe = self.full_s >= 60.0 or late
            self.earned = before is not Stage.BULK and (self.earned or (before in top and ripe))
            self.timed = before is not Stage.BULK and not seen.drawn and (self.timed or late)
            if after is Stage.FLOAT and before not in {Stage.FLOAT, Stage.HOLD}:
                assert self.earned
            if self.stages.full and not was_full:
                assert after in {*top, Stage.FLOAT}
                assert self.full_s >= 10.0 or self.timed


TestCourses = Courses.TestCase
TestCourses.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
