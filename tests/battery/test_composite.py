"""Strings and groups as the bank sees them: stories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bridge.battery.aggregator import Aggregator
from bridge.battery.facts import Memory
from bridge.battery.folding import trips_of_string
from bridge.model import Alarm, BankSettings, Limit, PackInfo, PackSample, PackState, Ratings
from tests.battery.story import Feed, Story, changed, well, with_cell
from tests.battery.wiring import FOUR, GROUPS, IN_SERIES, STRINGS, bank, parallel, series


def says(change: Callable[[PackSample], PackSample] = lambda s: s, **values: float) -> Feed:
    """What a well pack of four cells says, changed."""
    return lambda now: change(well(now, cells=4, **values))


def off(sample: PackSample) -> PackSample:
    return replace(
        sample, charge_fet_on=False, discharge_fet_on=False, charge_allowed=False, discharge_allowed=False
    )


def test_four_packs_in_series_are_one_battery_of_all_cells() -> None:
    story = bank(IN_SERIES).settle()
    shown = story.last.bank
    assert (shown.cells, shown.design_ah) == (16, 100.0)
    assert shown.voltage_v == pytest.approx(52.8)
    assert (shown.pack_count, shown.packs_online) == (4, 4)
    assert story.last.charge_voltage_limit_v == 55.2
    assert story.last.discharge_voltage_limit_v == 44.8
    assert story.limits() == (50.0, 80.0)  # 0.5 C; the rating


def test_two_strings_share_like_two_packs() -> None:
    story = bank(STRINGS).settle()
    flat = Story(*[replace(p, name=n, cells=8) for p, n in zip(FOUR[:2], "lr", strict=True)])
    flat.say(lambda now: well(now, cells=8)).settle()
    assert story.limits() == flat.limits()
    assert story.last.bank.design_ah == 200.0
    assert story.last.bank.cells == 8


def test_the_group_that_carries_less_binds_a_string_of_groups() -> None:
    story = bank(GROUPS).settle()
    whole = story.limits()
    story.say(says(temperature_c=6.0), "d").settle()
    cold = story.limits()
    pair = Story(*FOUR[2:]).say(says()).say(says(temperature_c=6.0), "d").settle()
    assert cold[0] < whole[0]
    assert cold == pair.limits()
    assert story.last.constraints[Limit.CCL][0].pack == "d"


def test_the_weakest_pack_says_what_is_left_and_the_fullest_what_has_room() -> None:
    story = bank(IN_SERIES).say(says(soc=0.90), "a").say(says(soc=0.30), "d").settle()
    assert story.last.bank.remaining_ah == pytest.approx(30.0)
    assert story.last.bank.full_ah == pytest.approx(40.0)  # 30 Ah until d is empty, 10 Ah until a is full
    assert story.last.bank.soc == pytest.approx(0.75)


def test_a_cell_is_named_by_its_own_pack_and_its_own_number() -> None:
    story = bank(IN_SERIES).settle()
    story.say(lambda now: with_cell(well(now, cells=4), 3, 3.52), "c").run(2)
    first = story.last.constraints[Limit.CCL][0]
    assert (first.rule, first.pack, first.cell) == ("cell_runner", "c", 3)
    assert first.text == "c: cell 3 at 3.520 V, on the way to 3.580 V"
    texts = {reason.rule: reason.text for reason in story.last.constraints[Limit.CCL]}
    assert texts["cell_high"] == "a+b+c+d: c: cell 3 at 3.520 V"
    shown = story.last.bank
    assert (shown.cell_max_pack, shown.cell_max_index, shown.cell_max_v) == ("c", 3, 3.52)


def test_a_high_cell_takes_the_whole_string_back_from_where_it_is() -> None:
    story = bank(IN_SERIES).say(says(cell_v=3.40)).settle()
    before_v = story.last.bank.voltage_v or 0.0
    story.say(lambda now: with_cell(well(now, 3.40, cells=4), 1, 3.60), "b").run(3)
    assert story.last.charge_current_limit_a == 0
    assert story.last.charge_voltage_limit_v < before_v + 0.2 - 0.1


def test_what_a_pack_asks_for_holds_for_every_cell_of_its_string() -> None:
    story = bank(IN_SERIES)
    story.say(
        says(lambda s: replace(s, charge_voltage_limit_v=13.6, discharge_voltage_limit_v=11.6)), "b"
    ).run(30)
    assert story.last.charge_voltage_limit_v == pytest.approx(4 * 13.6)
    assert story.last.discharge_voltage_limit_v == pytest.approx(4 * 11.6)


def test_a_pack_beyond_what_it_asks_for_takes_its_string_back() -> None:
    story = bank(IN_SERIES)

    def asks(sample: PackSample) -> PackSample:
        return replace(sample, charge_voltage_limit_v=13.4, discharge_voltage_limit_v=11.6)

    story.say(says(asks, cell_v=3.40), "b").settle()
    assert story.last.charge_voltage_limit_v == pytest.approx(3 * 13.2 + 13.4)
    story.say(says(asks, cell_v=2.85), "b").run(10)
    assert story.last.discharge_voltage_limit_v == pytest.approx(3 * 13.2 + 11.6)


def test_a_pack_that_leaves_takes_its_string_along_and_nothing_else() -> None:
    story = bank(STRINGS).settle()
    story.say(says(off), "d").run(2)
    assert story.limits() == (50.0, 80.0)  # what the other string carries
    assert story.last.bank.voltage_v == pytest.approx(26.4)
    assert story.last.bank.current_a == 0.0
    assert story.last.bank.full_ah == pytest.approx(100.0)


def test_a_single_string_without_one_of_its_packs_is_no_bank() -> None:
    story = bank(IN_SERIES).settle()
    story.say(says(off), "b").run(2)
    assert story.limits() == (0.0, 0.0)
    story.say(says()).cut("c").run(1)
    assert story.limits() == (0.0, 0.0)
    assert "no string is whole: c not heard" in {c.text for c in story.last.constraints[Limit.DCL]}


def test_a_silent_pack_leaves_its_string_what_a_silent_pack_is_left() -> None:
    story = bank(STRINGS).settle()
    story.cut("d").run(40)
    found = {c.text for c in story.last.constraints[Limit.DCL]}
    assert any(text.startswith("c+d: ") and "held at 20.0 A" in text for text in found)
    assert story.last.charge_voltage_limit_v <= 8 * 3.375
    assert 0 < story.limits()[1] < 60


def test_a_silent_pack_gets_no_more_than_the_others_leave_of_its_string() -> None:
    story = bank(STRINGS).say(says(cell_v=3.20), "c").settle()
    story.cut("d").run(40)
    assert story.last.charge_voltage_limit_v == pytest.approx(4 * 3.375 + 4 * 3.20)


def test_a_string_of_which_one_pack_was_never_heard_holds_the_bank() -> None:
    story = bank(STRINGS).say(None, "d").run(60)
    assert story[-1].charge_current_limit_a == story[-1].discharge_current_limit_a == 0


def test_excluded_strings_are_off_the_bus_when_a_pack_is_lost() -> None:
    story = bank(STRINGS, settings=BankSettings(on_pack_lost="exclude")).settle()
    story.cut("d").run(40)
    assert story.limits() == pytest.approx((50.0, 80.0), abs=1.0)


def test_a_string_that_is_not_said_to_stand_its_voltage_is_not_discharged() -> None:
    unrated = replace(FOUR[2], series_rated=False)
    story = bank(STRINGS, *FOUR[:2], unrated, FOUR[3]).settle()
    assert story.limits()[0] > 0
    assert story.limits()[1] == 0
    assert story.last.constraints[Limit.DCL][0].rule == "not_series_rated"
    assert story.last.constraints[Limit.DCL][0].pack == "c"


def at_about(current_a: float) -> Feed:
    """A current with a little life in it, as a board that never changes a digit is taken to be frozen."""
    return lambda now: well(now, cells=4, current_a=current_a + 0.1 * (now % 2))


def test_unlike_currents_in_one_string_mean_a_wrong_sensor() -> None:
    story = bank(IN_SERIES).say(at_about(-20.0)).settle()
    assert story.last.bank.current_a == pytest.approx(-20.0, abs=0.2)
    story.say(at_about(-26.0), "b").run(8)
    assert story.last.bank.current_a == pytest.approx(-20.0, abs=0.2)  # for now
    story.run(10)
    assert story.last.bank.current_a == -26.0
    assert Alarm.CURRENT_SENSOR_FAULT in story.last.warnings
    (cause,) = story.last.alarm_causes
    assert cause.pack == "a+b+c+d"
    assert cause.text == "a+b+c+d: b says -26.0 A, d says -20.0 A, but one current flows through both"
    story.say(at_about(-20.0)).run(25)
    assert story.last.bank.current_a == pytest.approx(-20.0, abs=0.2)
    assert story.last.alarm_causes == ()


def test_packs_of_a_string_that_have_drifted_apart_are_to_be_balanced() -> None:
    story = bank(IN_SERIES).say(says(soc=0.56), "b").run(20)
    assert Alarm.PACK_IMBALANCE in story[-1].warnings


def test_unlike_voltages_count_only_at_rest() -> None:
    story = bank(IN_SERIES).say(says(current_a=-20.0)).say(says(cell_v=3.26, current_a=-20.0), "b")
    assert Alarm.PACK_IMBALANCE not in story.run(90)[-1].warnings
    story.say(says(current_a=-1.0)).say(says(cell_v=3.26, current_a=-1.0), "b")
    assert Alarm.PACK_IMBALANCE not in story.run(50)[-1].warnings
    assert Alarm.PACK_IMBALANCE in story.run(20)[-1].warnings
    assert "the cells of b are 30 mV" in story.last.alarm_causes[0].text


def test_an_alarm_of_one_pack_is_one_of_the_bank_as_before() -> None:
    story = bank(STRINGS).settle()
    story.say(says(lambda s: replace(off(s), protections=frozenset({Alarm.SHORT_CIRCUIT}))), "d").run(10)
    assert Alarm.SHORT_CIRCUIT in story.last.warnings
    assert story.last.protections == frozenset()
    story.say(says(off), "b").run(2)
    assert Alarm.SHORT_CIRCUIT in story.last.protections


def test_a_fault_of_one_cell_in_any_string_ends_all_current() -> None:
    story = bank(STRINGS).settle()
    story.say(lambda now: with_cell(well(now, cells=4), 2, 1.70), "c").run(3)
    assert story.limits() == (0.0, 0.0)
    assert any("c: cell 2 at 1.700 V" in c.text for c in story.last.constraints[Limit.CCL])


def test_a_group_goes_on_with_what_is_left_of_it() -> None:
    story = bank(GROUPS).settle()
    story.say(says(off), "b").run(2)
    assert story.limits() == (50.0, 80.0)
    assert story.last.bank.full_ah == pytest.approx(100.0)
    story.say(says(off), "a").run(2)
    assert story.limits() == (0.0, 0.0)


def one_way(sample: PackSample) -> PackSample:
    return replace(sample, charge_fet_on=False, charge_allowed=False)


def test_a_group_that_only_lets_current_out_gets_just_enough_to_close_its_switch() -> None:
    story = bank(GROUPS).settle()
    story.say(says(one_way), "a", "b").run(40)
    assert story.limits()[0] == 0
    assert story.limits()[1] == pytest.approx(8.0)  # a tenth of a pack's rating


def test_a_string_is_not_counted_on_while_a_switch_in_it_that_was_off_is_not_spoken_of() -> None:
    story = bank(IN_SERIES).settle()
    story.say(says(lambda s: replace(s, discharge_fet_on=False, discharge_allowed=False)), "b").run(40)
    assert story.limits()[0] > 0

    story.say(says(lambda s: changed(s, discharge_fet_on=None)), "b").run(40)
    assert story.limits() == (0.0, 0.0)
    assert story.last.constraints[Limit.CCL][0].text == "no pack can be counted on"


def test_two_diodes_in_opposite_directions_are_no_way_for_current() -> None:
    story = bank(GROUPS).settle()
    story.say(says(one_way), "a")
    story.say(says(lambda s: replace(s, discharge_fet_on=False, discharge_allowed=False)), "b").run(40)
    assert story.limits() == (0.0, 0.0)


def test_deeper_trees_fold_too() -> None:
    tall = replace(FOUR[3], name="d", cells=8)
    wired = parallel(series(parallel("a", "b"), "c", name="left"), "d")
    story = bank(wired, *FOUR[:3], tall).say(lambda now: well(now, cells=8), "d").settle()
    assert story.last.bank.cells == 8
    assert story.last.bank.design_ah == 200.0
    assert story.limits()[0] > 70


def test_a_value_that_one_pack_does_not_give_is_not_made_up_for_the_string() -> None:
    story = bank(IN_SERIES).settle()
    story.say(says(lambda s: changed(s, soc=None, current_a=None)), "b").run(3)
    assert story.last.bank.remaining_ah is None
    assert story.last.bank.current_a == 0.0  # the others know it
    story.say(says(lambda s: changed(s, current_a=None))).run(3)
    assert story.last.bank.current_a is None


def test_start_waits_for_every_pack_of_every_string() -> None:
    story = bank(STRINGS).say(None, "d")
    story.run(5)
    assert story.last.constraints[Limit.CCL][0].text == "starting: waiting for d"
    assert story.states()[:3] == [PackState.ACTIVE] * 3


def test_one_pack_in_series_is_that_pack() -> None:
    flat, wired = (
        Aggregator(FOUR[:1], BankSettings()),
        Aggregator(FOUR[:1], BankSettings(topology=series("a"))),
    )
    for now in range(1, 60):
        for one in (flat, wired):
            one.heard("a", well(float(now), cells=4), float(now))
        assert flat.decide(float(now)) == wired.decide(float(now))


def test_what_is_wrong_with_a_string_deep_in_a_tree_is_said_too() -> None:
    tall = replace(FOUR[3], cells=8)
    wired = parallel(series(parallel(series("a", "b", name="pair"), "d"), "c"), name="bank")
    story = bank(wired, *FOUR[:3], tall).say(lambda now: well(now, cells=8), "d").say(says(soc=0.6), "b")
    story.run(20)
    said = [(one.pack, one.alarm) for one in story.last.alarm_causes]
    assert ("pair", Alarm.PACK_IMBALANCE) in said
    assert Alarm.PACK_IMBALANCE in story.last.warnings


def test_a_string_trips_where_its_first_bms_does() -> None:
    said = PackInfo(ratings=Ratings(discharge_ocp_a=120.0))
    facts = [Memory(own).facts(well(cells=4)) for own in FOUR[:2]]
    assert trips_of_string(facts) == Ratings()
    memory = Memory(FOUR[2])
    memory.informed(said)
    facts.append(memory.facts(well(cells=4)))
    assert trips_of_string(facts).discharge_ocp_a == pytest.approx(88.0)  # 1.1 times the others' rating
    assert trips_of_string(facts[2:]).discharge_ocp_a == 120.0
    assert trips_of_string(facts).charge_ocp_a is None
