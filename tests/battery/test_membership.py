from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.battery.membership import Membership
from bridge.battery.plausibility import Verdict
from bridge.model import PackInfo, PackSample, PackState
from tests.battery.story import GARAGE, SHED, well


class Seat:
    """One pack's membership in virtual time."""

    def __init__(self, join_s: float = 30.0) -> None:
        self.membership = Membership([GARAGE], join_s)
        self.now = 0.0

    def hear(self, count: int = 1, *, plausible: bool = True, off: bool = False) -> Seat:
        for _ in range(count):
            self.now += 1.0
            sample: PackSample = well(self.now)
            if off:
                sample = replace(sample, charge_fet_on=False, discharge_fet_on=False)
            self.membership.heard("garage", Verdict(sample, plausible=plausible), self.now)
        return self

    def hear_nothing_new(self, count: int) -> Seat:
        for _ in range(count):
            self.now += 1.0
            self.membership.heard("garage", Verdict(None, plausible=True), self.now)
        return self

    def silence(self, seconds: float) -> Seat:
        self.now += seconds
        return self

    @property
    def state(self) -> PackState:
        return self.membership.members(self.now)[0].state

    @property
    def certainty(self) -> float:
        return self.membership.standings(self.now)[0].certainty

    @property
    def counts(self) -> bool:
        return self.membership.standings(self.now)[0].counts

    @property
    def age_s(self) -> float | None:
        return self.membership.members(self.now)[0].age_s


def test_a_pack_is_unknown_until_it_is_heard() -> None:
    seat = Seat().silence(1000)

    assert seat.state is PackState.UNKNOWN
    assert seat.age_s is None
    assert seat.certainty == 0.0


def test_at_start_three_plausible_samples_make_a_pack_active_without_waiting() -> None:
    assert Seat().hear(1).state is PackState.JOINING
    assert Seat().hear(2).state is PackState.JOINING
    assert Seat().hear(3).state is PackState.ACTIVE


def test_nothing_is_counted_on_before_a_pack_is_active() -> None:
    assert Seat().hear(2).certainty == 0.0
    assert Seat().hear(3).certainty == 1.0


def test_a_pack_is_stale_after_five_seconds_and_lost_after_thirty() -> None:
    assert Seat().hear(3).silence(5.0).state is PackState.ACTIVE
    assert Seat().hear(3).silence(5.1).state is PackState.STALE
    assert Seat().hear(3).silence(30.0).state is PackState.STALE
    assert Seat().hear(3).silence(30.1).state is PackState.LOST


def test_a_slow_pack_is_stale_after_three_periods() -> None:
    membership = Membership([replace(GARAGE, period_s=4.0)], 30.0)
    for t in (0.0, 4.0, 8.0):
        membership.heard("garage", Verdict(well(t), plausible=True), t)

    assert membership.members(20.0)[0].state is PackState.ACTIVE
    assert membership.members(20.1)[0].state is PackState.STALE


def test_a_link_that_breaks_makes_a_pack_stale_at_once_and_its_data_keeps_its_age() -> None:
    seat = Seat().hear(3)
    seat.membership.link("garage", up=False, now=seat.now)

    assert seat.state is PackState.STALE
    assert seat.age_s == 0.0
    assert seat.silence(2.5).age_s == 2.5


def test_a_link_that_is_up_again_does_not_make_a_pack_active_only_samples_do() -> None:
    seat = Seat().hear(3)
    seat.membership.link("garage", up=False, now=seat.now)
    seat.membership.link("garage", up=True, now=seat.now)

    assert seat.state is PackState.STALE
    assert seat.hear(2).state is PackState.STALE
    assert seat.hear(1).state is PackState.ACTIVE


def test_a_short_silence_ends_after_three_samples() -> None:
    seat = Seat().hear(3).silence(10)

    assert seat.hear(2).state is PackState.STALE
    assert seat.certainty == 0.0
    assert seat.hear(1).state is PackState.ACTIVE


def test_a_lost_pack_is_taken_back_in_over_thirty_seconds() -> None:
    seat = Seat().hear(3).silence(100)

    assert seat.hear(1).state is PackState.JOINING
    certainties = [seat.hear(1).certainty for _ in range(29)]

    assert certainties[0] == 0.0
    assert certainties[1:] == pytest.approx([t / 30 for t in range(2, 30)])
    assert seat.state is PackState.JOINING
    assert seat.hear(1).state is PackState.ACTIVE


def test_a_returning_pack_that_is_silent_again_begins_again() -> None:
    seat = Seat().hear(3).silence(100).hear(20).silence(10).hear(3)

    assert seat.state is PackState.JOINING
    assert seat.certainty == 0.0


def test_a_pack_that_was_never_active_and_falls_silent_needs_three_samples_only() -> None:
    assert Seat().hear(1).silence(10).hear(3).state is PackState.ACTIVE


def test_both_switches_off_isolate_and_one_on_rejoins() -> None:
    seat = Seat().hear(3).hear(1, off=True)
    assert seat.state is PackState.ISOLATED
    assert not seat.counts

    assert seat.hear(1).state is PackState.JOINING
    assert seat.hear(29).state is PackState.JOINING
    assert seat.hear(1).state is PackState.ACTIVE


def test_an_isolated_pack_that_falls_silent_comes_back_by_joining() -> None:
    assert Seat().hear(3, off=True).silence(10).state is PackState.STALE
    assert Seat().hear(3, off=True).silence(10).hear(3).state is PackState.JOINING


def test_three_implausible_samples_are_quarantine() -> None:
    seat = Seat().hear(3)

    assert seat.hear(2, plausible=False).state is PackState.ACTIVE
    assert seat.hear(1, plausible=False).state is PackState.QUARANTINE
    assert seat.certainty == 0.0
    assert not seat.counts


def test_quarantine_keeps_the_last_sample_from_before() -> None:
    seat = Seat().hear(3).hear(3, plausible=False).hear(20)

    assert seat.age_s == 21.0  # the third implausible sample was not taken in any more


def test_a_minute_of_plausible_samples_ends_quarantine_by_joining() -> None:
    seat = Seat().hear(3).hear(3, plausible=False)

    assert seat.hear(60).state is PackState.QUARANTINE
    assert seat.hear(1).state is PackState.JOINING


def test_one_implausible_sample_begins_the_minute_again() -> None:
    seat = Seat().hear(3).hear(3, plausible=False).hear(50).hear(1, plausible=False)

    assert seat.hear(60).state is PackState.QUARANTINE


def test_silence_begins_the_minute_again() -> None:
    seat = Seat().hear(3).hear(3, plausible=False).hear(50).silence(20)

    assert seat.hear(60).state is PackState.QUARANTINE
    assert seat.hear(1).state is PackState.JOINING


def test_a_silent_pack_in_quarantine_is_lost() -> None:
    assert Seat().hear(3).hear(3, plausible=False).silence(31).state is PackState.LOST
    assert Seat().hear(3, plausible=False).silence(31).state is PackState.LOST


def test_an_implausible_sample_does_not_bring_a_lost_or_unknown_pack_in() -> None:
    assert Seat().hear(1, plausible=False).state is PackState.UNKNOWN
    assert Seat().hear(3).silence(100).hear(1, plausible=False).state is PackState.LOST


def test_an_implausible_sample_begins_a_joining_pack_again() -> None:
    seat = Seat().hear(3).silence(100).hear(20).hear(1, plausible=False).hear(29)

    assert seat.state is PackState.JOINING


def test_a_frozen_pack_grows_stale_and_lost() -> None:
    seat = Seat().hear(3)

    assert seat.hear_nothing_new(6).state is PackState.STALE
    assert seat.hear_nothing_new(30).state is PackState.LOST


def test_a_returning_pack_counts_after_three_samples() -> None:
    seat = Seat().hear(3).silence(100)

    assert [seat.hear(1).counts for _ in range(3)] == [False, False, True]


def test_a_stale_pack_counts_with_its_last_value_and_a_lost_one_does_not() -> None:
    assert Seat().hear(3).silence(10).counts
    assert not Seat().hear(3).silence(100).counts


def test_without_join_time_a_returning_pack_is_active_after_three_samples() -> None:
    seat = Seat(join_s=0.0).hear(3).silence(100)

    assert seat.hear(2).state is PackState.JOINING
    assert seat.hear(1).state is PackState.ACTIVE


def test_what_a_pack_says_of_itself_is_part_of_its_seat() -> None:
    seat, info = Seat(), PackInfo(model="SP15S020")

    seat.membership.informed("garage", info)

    assert seat.membership.members(0.0)[0].info is info


def test_an_excluded_pack_is_heard_and_shown_and_no_member() -> None:
    membership = Membership([replace(GARAGE, excluded=True), SHED], 30.0)
    for t in (0.0, 1.0, 2.0):
        assert membership.heard("garage", Verdict(well(t), plausible=True), t)

    garage, shed = membership.members(100.0)
    assert (garage.state, garage.age_s) == (PackState.EXCLUDED, 98.0)
    assert shed.state is PackState.UNKNOWN
    assert [standing.member.name for standing in membership.standings(2.0)] == ["shed"]


def test_a_pack_far_from_the_bus_begins_to_join_again_and_is_not_counted_on() -> None:
    seat = Seat().hear(3).silence(100).hear(20)
    seat.membership.apart("garage", apart=True)
    assert seat.certainty == 0.0
    seat.hear(1)
    seat.membership.apart("garage", apart=False)

    assert seat.hear(29).state is PackState.JOINING
    assert seat.hear(1).state is PackState.ACTIVE


def test_hearing_says_whether_the_sample_is_the_packs_from_here_on() -> None:
    membership = Membership([GARAGE], 30.0)

    assert membership.heard("garage", Verdict(well(1.0), plausible=True), 1.0)
    assert not membership.heard("garage", Verdict(None, plausible=True), 2.0)
    assert [membership.heard("garage", Verdict(well(t), plausible=False), t) for t in (3.0, 4.0, 5.0)] == [
        True,
        True,
        False,
    ]
