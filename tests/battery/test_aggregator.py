"""Stories of whole banks in virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from bridge.battery.aggregator import Aggregator
from bridge.battery.anchor import Part
from bridge.battery.context import Pack
from bridge.battery.sharing import Branch
from bridge.model import (
    Alarm,
    BankSettings,
    Constraint,
    Limit,
    PackInfo,
    PackSample,
    PackState,
    Ratings,
)
from tests.battery.story import ATTIC, GARAGE, SHED, UNLIKE, Feed, Story, changed, pack, well, with_cell

FULL_A = 209.3  # what three unlike packs of 290 A together allow before their shares are learned


def at_soc(soc: float) -> Feed:
    return lambda now: well(now, soc=soc)


def with_seventh(cell_v: float, others_v: float = 3.30) -> Feed:
    return lambda now: with_cell(well(now, others_v), 7, cell_v)


def switched_off(now: float) -> PackSample:
    return replace(
        well(now),
        charge_fet_on=False,
        discharge_fet_on=False,
        charge_allowed=False,
        discharge_allowed=False,
    )


def test_three_unlike_packs_start() -> None:
    story = Story(*UNLIKE)

    silent = story.decide()
    assert (silent.charge_current_limit_a, silent.discharge_current_limit_a) == (0.0, 0.0)
    assert (silent.charge_enabled, silent.discharge_enabled) == (False, False)
    assert not silent.warnings | silent.protections
    assert silent.constraints[Limit.CCL][0].text == "starting: waiting for garage, shed, attic"

    story.run(2)
    assert story.limits() == (0.0, 0.0)
    assert story.last.charge_voltage_limit_v == 55.2

    story.run(1)
    assert story.states() == [PackState.ACTIVE] * 3
    assert story.limits() == (5.8, 5.8)  # 2 % of 290 A in the first second
    assert (story.last.charge_enabled, story.last.discharge_enabled) == (True, True)

    story.settle()
    assert story.limits() == (FULL_A, FULL_A)
    assert story.last.discharge_voltage_limit_v == 44.8
    assert story.why(Limit.CCL) == "rating"


def test_a_missing_pack_is_waited_for_only_so_long() -> None:
    story = Story(*UNLIKE).say(None, "attic")

    story.run(19)
    assert story.limits() == (0.0, 0.0)
    assert story.why(Limit.DCL) == "start_up"
    assert not story.last.warnings

    story.run(2)
    assert story.limits()[1] > 0.0
    assert story.last.warnings == {Alarm.BMS_COMMUNICATION}


def test_a_pack_that_was_never_heard_is_used_only_gently_and_only_in_the_flat() -> None:
    story = Story(GARAGE, SHED).say(None, "shed").settle()
    # 10 A may flow in a pack that takes 42 % of the current, or up to 57 % if the guess is wrong
    assert story.limits() == (33.6, 33.6)
    assert story.last.charge_voltage_limit_v == 54.0

    story.say(lambda now: well(now, cell_v=3.40), "garage").run(1)
    assert story.limits()[0] == 0.0
    assert story.limits()[1] > 0.0

    story.say(lambda now: well(now, cell_v=3.15), "garage").run(1)
    assert story.limits()[1] == 0.0


def test_a_lost_link_lowers_the_limits_in_the_same_decision_and_the_soc_does_not_jump() -> None:
    story = Story(*UNLIKE).say(at_soc(0.6), "garage").say(at_soc(0.4), "shed", "attic").settle()
    before = story.last

    after = story.cut("garage").decide()

    assert after.charge_current_limit_a == 108.2  # shed and attic alone: 150 A less the margins
    assert after.discharge_current_limit_a == 108.2
    assert after.bank.soc == before.bank.soc
    assert after.warnings == {Alarm.BMS_COMMUNICATION}
    assert not after.protections

    socs = [d.bank.soc for d in story.run(140)]
    assert all(b is not None and a is not None and 0 <= a - b <= 0.0011 for a, b in pairwise(socs))
    assert socs[-1] == pytest.approx(0.4)


def test_all_links_lost_end_all_current_at_once_and_for_good() -> None:
    story = Story(*UNLIKE).settle()

    after = story.cut().decide()
    hour = story.run(3600, step_s=10)

    for decision in (after, *hour):
        assert (decision.charge_current_limit_a, decision.discharge_current_limit_a) == (0.0, 0.0)
        assert not decision.charge_enabled
        assert not decision.discharge_enabled
        assert Alarm.BMS_COMMUNICATION in decision.protections
        assert Alarm.BMS_COMMUNICATION in decision.warnings
        assert decision.charge_voltage_limit_v == 52.8  # the bus as it was last seen
        assert decision.bank.soc == 0.5
    assert story.states() == [PackState.LOST] * 3


def test_silence_without_a_word_from_the_link_ends_all_current_after_five_seconds() -> None:
    story = Story(*UNLIKE).settle().say(None)

    story.run(5)
    assert story.limits() == (FULL_A, FULL_A)
    story.run(1)
    assert story.limits() == (0.0, 0.0)


def test_the_held_charge_voltage_is_never_above_the_target() -> None:
    story = Story(GARAGE).say(lambda now: well(now, cell_v=3.50)).settle()

    story.cut().decide()

    assert story.last.charge_voltage_limit_v <= 55.2


def test_a_pack_that_returns_is_taken_back_in_with_a_ramp() -> None:
    story = Story(*UNLIKE).settle().cut("garage")
    story.run(60)
    low = story.limits()
    assert low == (83.1, 83.1)  # held at 0.2 C, which is 56 A at 48 % of the bank's current
    story.say(well, "garage")

    back = story.run(29)
    assert {d.charge_current_limit_a for d in back} == {low[0]}

    rising = [d.discharge_current_limit_a for d in story.run(60)]
    steps = [b - a for a, b in pairwise(rising)]
    assert max(steps) <= 5.81
    assert min(steps) >= 0.0
    assert rising[-1] == FULL_A


def test_one_lone_pack_that_returns_rises_from_zero() -> None:
    story = Story(GARAGE).settle().cut()
    story.run(60)
    story.say(well)

    assert {d.discharge_current_limit_a for d in story.run(30)} == {0.0}
    assert story.settle().limits() == (140.0, 140.0)


def test_a_cold_pack_holds_back_the_whole_bank() -> None:
    story = Story(pack("warm"), pack("cold")).settle()

    story.say(lambda now: well(now, temperature_c=6.0), "cold").run(1)
    assert story.limits()[0] == pytest.approx((0.136 * 280 - 1.0) / 0.685, abs=0.1)
    assert (
        story.last.constraints[Limit.CCL][0].text
        == "cold: 50 % share of the bank (assumed), cells at 6.0 degC"
    )

    story.say(lambda now: well(now, temperature_c=-0.1), "cold").run(1)
    assert story.limits()[0] == 0.0
    assert not story.last.charge_enabled
    assert story.last.discharge_enabled


def test_a_frozen_pack_is_charged_only_once_it_has_warmed_up() -> None:
    story = Story(GARAGE).say(lambda now: well(now, temperature_c=-5.0)).settle()
    assert story.limits()[0] == 0.0
    assert story.limits()[1] == pytest.approx(0.4 * 280, abs=0.1)

    story.say(lambda now: well(now, temperature_c=1.0)).settle()
    assert story.limits()[0] == pytest.approx(0.064 * 280, abs=0.1)


def test_a_runner_cell_tapers_and_stops_the_charge_and_lowers_the_voltage() -> None:
    story = Story(GARAGE, SHED).settle()
    seen = []
    for cell_v in (3.455, 3.49, 3.53, 3.549, 3.55, 3.58):
        story.say(with_seventh(cell_v, 3.42), "garage").run(1)
        seen.append((story.limits()[0], story.last.charge_voltage_limit_v))

    assert seen == sorted(seen, reverse=True)
    assert [a > 0 for a, _ in seen] == [True, False, False, False, False, False]
    assert seen[-1][1] <= 54.88 - 0.13
    assert story.last.constraints[Limit.CCL][0].cell == 7
    assert story.last.bank.cell_max_index == 7
    assert story.limits()[1] == 173.7


def test_a_low_cell_ends_discharging_only() -> None:
    story = Story(GARAGE, SHED).settle()

    story.say(lambda now: with_cell(well(now, cell_v=3.05), 3, 2.80), "shed").run(2)

    assert story.limits()[1] == 0.0
    assert story.limits()[0] > 0.0


def test_an_open_charge_switch_takes_the_pack_out_of_both_directions() -> None:
    story = Story(GARAGE, SHED).settle()

    story.say(lambda now: replace(well(now), charge_fet_on=False, charge_allowed=False), "garage").run(1)

    assert story.limits() == (100.0, 100.0)
    assert story.last.bank.packs_blocking_charge == 1


def test_a_blocked_pack_whose_switch_is_closed_blocks_the_bank() -> None:
    story = Story(GARAGE, SHED).settle()

    story.say(lambda now: replace(well(now), charge_allowed=False), "garage").run(1)

    assert story.limits() == (0.0, 173.7)


def test_a_switch_that_was_off_and_is_not_spoken_of_any_more_may_be_closed() -> None:
    off = changed(well(), discharge_fet_on=False, discharge_allowed=False)
    story = Story(GARAGE, SHED).say(lambda now: changed(off, time_s=now), "garage").settle()
    assert story.limits()[1] > 0

    unsaid = changed(off, discharge_fet_on=None)
    story.say(lambda now: changed(unsaid, time_s=now), "garage").run(2)

    assert story.limits()[1] == 0.0
    assert story.last.constraints[Limit.DCL][0].pack == "garage"


def test_a_pack_that_may_be_closed_is_not_given_more_than_its_share_leaves_it() -> None:
    """Nor may the others be counted on it: it may be open as well."""
    gentle = changed(well(), charge_current_limit_a=10.0)
    closed = Story(GARAGE, SHED).say(lambda now: changed(gentle, time_s=now), "garage").settle()
    was_off = changed(gentle, discharge_fet_on=False, discharge_allowed=False)
    story = Story(GARAGE, SHED).say(lambda now: changed(was_off, time_s=now), "garage").settle()
    assert story.limits() == (100.0, 100.0)

    unsaid = changed(gentle, discharge_fet_on=None)
    story.say(lambda now: changed(unsaid, time_s=now), "garage").run(100)

    assert 0.0 < story.limits()[0] <= closed.limits()[0] < 20.0
    assert 0.0 < story.limits()[1] <= 100.0


def test_what_the_others_carry_is_known_as_well_as_before_when_a_pack_may_be_closed_again() -> None:
    """They carry far too much, and what brings them back is drawn from that."""
    busy = well(current_a=-200.0)
    one_way = changed(busy, current_a=-20.0, charge_fet_on=False, charge_allowed=False)
    unsaid = changed(one_way, charge_fet_on=None, charge_allowed=True)

    def says(sample: PackSample) -> Feed:
        return lambda now: changed(sample, time_s=now, remaining_ah=now % 100)

    story = Story(GARAGE, SHED, replace(SHED, name="attic")).say(says(busy)).say(says(one_way), "attic")
    before_a = story.settle().limits()[1]
    story.say(says(unsaid), "attic").run(150)

    assert 0.0 < story.limits()[1] <= before_a < 20.0


def test_a_lone_pack_with_an_open_charge_switch_may_give_a_little() -> None:
    story = Story(GARAGE).settle()

    full = story.say(lambda now: replace(well(now), charge_fet_on=False, charge_allowed=False)).run(100)[-1]

    assert (full.charge_current_limit_a, full.discharge_current_limit_a) == (0.0, 10.0)
    assert story.why(Limit.DCL) == "recovery"


def test_a_lone_pack_with_an_open_discharge_switch_may_take_a_little() -> None:
    story = Story(ATTIC).settle()

    empty = story.say(lambda now: replace(well(now), discharge_fet_on=False, discharge_allowed=False)).run(
        100
    )[-1]

    assert (empty.charge_current_limit_a, empty.discharge_current_limit_a) == (5.0, 0.0)


def test_an_isolated_bank_gives_nothing_and_is_not_alarmed() -> None:
    story = Story(GARAGE).settle()

    story.say(switched_off).run(20)

    assert story.limits() == (0.0, 0.0)
    assert not story.last.protections
    assert story.states() == [PackState.ISOLATED]


def test_a_silent_pack_shrinks_the_limits_without_a_step_up() -> None:
    story = Story(*UNLIKE, settings=BankSettings(on_pack_lost="stop")).settle().say(None, "garage")
    start = story.now

    ages = [
        (d.time_s - start, d.charge_current_limit_a, d.discharge_current_limit_a)
        for d in story.run(40, step_s=0.5)
    ]

    charge_a = [c for _, c, _ in ages]
    assert charge_a == sorted(charge_a, reverse=True)
    assert charge_a[9] == FULL_A  # 5.0 s
    assert charge_a[10] == 108.2  # 5.5 s: it may be gone, the others carry all
    ramp = [c for age, c, _ in ages if age > 6.0]
    assert max(a - b for a, b in pairwise(ramp)) <= 4.4  # 140 A shrink by 2.8 A a step, at a 48 % share
    assert [c for age, c, _ in ages if age >= 30.0] == [0.0] * 21
    assert [c for _, c, _ in ages] == [d for _, _, d in ages]


def test_hold_ends_after_half_an_hour() -> None:
    story = Story(*UNLIKE).settle().cut("garage")

    assert story.run(29 * 60, step_s=4)[-1].discharge_current_limit_a > 80
    assert story.run(2 * 60, step_s=4)[-1].discharge_current_limit_a == 0.0
    assert story.why(Limit.DCL) == "lost"


@pytest.mark.parametrize(
    ("feed", "charge", "discharge"),
    [
        (well, True, True),
        (lambda now: well(now, cell_v=3.38), False, True),
        (lambda now: well(now, cell_v=3.19), True, False),
        (lambda now: with_cell(well(now), 1, 3.40), False, True),
        (lambda now: well(now, temperature_c=9.9), False, False),
        (lambda now: well(now, temperature_c=45.1), False, False),
        (lambda now: replace(well(now), temperatures_c=()), False, False),
        (lambda now: replace(well(now), warnings=frozenset({Alarm.CELL_IMBALANCE})), False, False),
        (lambda now: replace(well(now), protections=frozenset({Alarm.SHORT_CIRCUIT})), False, False),
        (lambda now: replace(well(now), cell_voltages_v=()), False, False),
    ],
)
def test_a_lost_pack_is_held_only_while_everything_known_of_it_is_harmless(
    feed: Feed, charge: bool, discharge: bool
) -> None:
    story = Story(GARAGE, SHED).say(feed, "garage").settle().cut("garage")

    story.run(60)

    assert (story.limits()[0] > 0, story.limits()[1] > 0) == (charge, discharge)


def test_the_last_pack_is_never_held() -> None:
    story = Story(GARAGE, SHED).settle().cut("garage")
    story.run(60)
    assert story.limits()[1] > 0

    story.say(lambda now: replace(well(now), charge_allowed=False, discharge_allowed=False), "shed").run(1)
    story.cut("shed").decide()

    assert story.limits() == (0.0, 0.0)


def test_stop_ends_all_current_when_a_pack_is_lost() -> None:
    story = Story(*UNLIKE, settings=BankSettings(on_pack_lost="stop")).settle().cut("attic")

    assert story.run(60)[-1].discharge_current_limit_a == 0.0


def test_exclude_goes_on_without_the_lost_pack_and_without_a_dip() -> None:
    story = Story(*UNLIKE, settings=BankSettings(on_pack_lost="exclude")).settle().cut("attic")

    published = [d.discharge_current_limit_a for d in story.run(120)]

    assert set(published) == {173.7}  # 240 A less the margins
    assert story.last.charge_voltage_limit_v == 55.2


def test_a_lost_pack_lowers_the_charge_voltage_to_the_flat() -> None:
    story = Story(*UNLIKE).settle().cut("attic")

    story.run(29)
    assert story.last.charge_voltage_limit_v == 55.2
    story.run(2)
    assert story.last.charge_voltage_limit_v == 54.0


def test_an_empty_pack_whose_bms_went_to_sleep_does_not_stop_the_others() -> None:
    asleep = Story(GARAGE, SHED).settle()
    asleep.say(switched_off, "garage").run(5)
    before = asleep.limits()

    asleep.say(None, "garage").run(3600, step_s=4)

    assert asleep.states()[0] is PackState.LOST
    assert asleep.limits() == before == (100.0, 100.0)


def test_a_spike_of_one_sample_changes_no_limit_and_two_stop_the_charge() -> None:
    story = Story(GARAGE, SHED).settle()
    before = story.limits()

    story.say(lambda now: with_cell(well(now), 7, 4.2), "garage").run(1)
    assert story.limits() == before
    story.run(1)
    assert story.limits()[0] == 0.0

    story = Story(GARAGE, SHED).settle()
    story.say(lambda now: with_cell(well(now), 7, 4.2), "garage").run(1)
    story.say(well, "garage").run(60)
    assert story.limits() == before
    assert story.bank.counters["garage"] == {"cell_spike": 1}


def test_a_frozen_bms_is_treated_as_silent() -> None:
    """Samples keep coming and never change while current flows."""
    story = Story(GARAGE, SHED).say(lambda now: well(now, current_a=-20.0 + now % 7 / 10)).settle()
    before = story.limits()

    story.say(lambda now: well(now, current_a=-20.0), "garage").run(20)
    assert story.limits() == before
    story.run(8)

    assert story.states() == [PackState.STALE, PackState.ACTIVE]
    assert story.limits()[1] < before[1]
    assert story.bank.counters["garage"]["frozen"] > 0


def test_a_pack_that_talks_nonsense_goes_to_quarantine_and_is_not_used() -> None:
    story = Story(GARAGE, SHED).settle()

    story.say(lambda now: well(now, cells=15), "garage").run(10)

    assert story.states() == [PackState.QUARANTINE, PackState.ACTIVE]
    assert Alarm.BMS_COMMUNICATION in story.last.warnings
    assert story.limits()[1] < 240 / 1.37


def test_the_users_limits_bind_the_bank() -> None:
    settings = BankSettings(max_charge_current_a=50.0, max_discharge_current_a=80.0)

    assert Story(*UNLIKE, settings=settings).settle().limits() == (50.0, 80.0)


def test_the_bms_settings_lower_limits_when_they_become_known() -> None:
    story = Story(GARAGE).settle()
    story.bank.informed("garage", PackInfo(ratings=Ratings(discharge_ocp_a=100.0, cell_ovp_v=3.45)))

    story.decide()

    assert story.limits() == (140.0, 95.0)
    assert story.last.charge_voltage_limit_v == 54.4


def test_settings_that_are_known_before_the_first_sample_count_too() -> None:
    story = Story(GARAGE)
    story.bank.informed("garage", PackInfo(ratings=Ratings(discharge_ocp_a=100.0)))

    assert story.settle().limits() == (140.0, 95.0)


@pytest.mark.parametrize(
    "feed",
    [
        lambda now: with_cell(well(now, cell_v=3.54), 7, 3.83),
        lambda now: well(now, temperature_c=66.0),
        lambda now: replace(well(now), mosfet_temperature_c=101.0),
        lambda now: replace(well(now), warnings=frozenset({Alarm.FIRE})),
    ],
)
def test_what_no_bms_has_contained_ends_all_current(feed: Feed) -> None:
    story = Story(GARAGE, SHED).settle()

    story.say(feed, "garage").run(2)

    assert story.limits() == (0.0, 0.0)
    assert story.last.protections


def test_a_cell_that_is_nearly_dead_ends_all_current() -> None:
    story = Story(GARAGE, SHED).settle()
    for cell_v in (3.0, 2.75, 2.5, 2.25, 2.0, 1.75):
        story.say(with_seventh(cell_v), "garage").run(1)

    assert story.limits() == (0.0, 0.0)
    assert Alarm.CELL_UNDERVOLTAGE in story.last.protections


def test_every_limit_has_its_reasons_sorted_with_the_binding_one_first() -> None:
    story = Story(*UNLIKE).settle()
    story.say(lambda now: with_cell(well(now, cell_v=3.42), 7, 3.52), "garage").run(1)

    for limit, reasons in story.last.constraints.items():
        values = [reason.value for reason in reasons]
        assert values == sorted(values, reverse=limit is Limit.DVL)
        assert all(reason.limit is limit for reason in reasons)
    assert set(story.last.constraints) == set(Limit)
    first = story.last.constraints[Limit.CCL][0]
    assert (first.rule, first.pack, first.cell) == ("cell_runner", "garage", 7)
    assert first.text == "garage: cell 7 at 3.520 V, on the way to 3.580 V"
    texts = {reason.rule: reason.text for reason in story.last.constraints[Limit.CCL]}
    assert texts["cell_high"] == "garage: 48 % share of the bank (assumed), cell 7 at 3.520 V"


def test_a_limit_that_is_still_rising_says_so_first() -> None:
    story = Story(*UNLIKE)

    story.run(5)

    assert story.why(Limit.CCL) == "rising"
    assert story.last.constraints[Limit.CCL][0].value == story.limits()[0]


class Reckless:
    """A way of sharing that knows no limit."""

    complaints = ()

    def observe(self, packs: Sequence[Pack], now: float) -> None: ...

    def limits(self, branches: Sequence[Branch], limit: Limit) -> list[Constraint]:
        amps = 1000.0 * len(branches)
        return [Constraint(limit=limit, value=amps, rule="reckless", text="what could go wrong")]

    def parts(self, branches: Sequence[Branch], limit: Limit) -> list[Part]:
        return []

    def state(self) -> dict[str, object]:
        return {}

    def restore(self, state: Mapping[str, object]) -> None: ...


def test_the_guard_has_the_last_word_and_what_it_took_away_rises_slowly() -> None:
    story = Story(GARAGE)
    story.bank = Aggregator(story.packs, story.settings, Reckless())

    story.settle()
    assert story.limits() == (140.0, 140.0)
    assert "guard" in {d.constraints[Limit.CCL][0].rule for d in story.decisions}

    story.say(lambda now: well(now, temperature_c=-1.0)).run(1)
    assert story.limits() == (0.0, 140.0)
    assert not story.last.charge_enabled

    story.say(well)
    assert {d.charge_current_limit_a for d in story.run(29)} == {0.0}
    assert [d.charge_current_limit_a for d in story.run(3)] == [2.8, 5.6, 8.4]


def test_after_a_clock_stop_the_limits_do_not_jump() -> None:
    story = Story(GARAGE)
    story.run(4)
    story.now += 1000

    story.run(1)

    assert story.limits() == (0.0, 0.0)


def test_the_same_calls_give_the_same_decisions() -> None:
    def told() -> Story:
        story = Story(*UNLIKE).settle().cut("attic")
        story.run(40)
        story.say(well, "attic").run(80)
        return story

    assert told().decisions == told().decisions


def test_a_pack_that_can_only_give_and_is_empty_ends_discharging() -> None:
    """It is not part of the circuit, but its diode conducts when the bus sags."""
    story = Story(GARAGE, SHED).settle()
    one_way = replace(well(), charge_fet_on=False, charge_allowed=False)

    story.say(lambda now: replace(one_way, time_s=now), "garage").run(1)
    assert story.limits() == (100.0, 100.0)

    story.say(lambda now: with_cell(replace(one_way, time_s=now), 7, 2.79), "garage").run(2)
    assert story.limits() == (100.0, 0.0)
    assert story.last.constraints[Limit.DCL][0].text == "garage: cell 7 at 2.790 V"


def test_an_excluded_pack_is_shown_and_nothing_else() -> None:
    out = replace(SHED, excluded=True)
    story = Story(GARAGE, out).say(lambda now: with_cell(well(now, soc=0.1), 7, 3.60), "shed").settle()
    alone = Story(GARAGE).settle()

    assert story.states() == [PackState.ACTIVE, PackState.EXCLUDED]
    assert story.bank.members(story.now)[1].sample is not None
    assert story.last == alone.last._replace(time_s=story.last.time_s)
    assert story.cut("shed").decide().warnings == frozenset()
