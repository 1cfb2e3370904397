"""Current through the diode of an open switch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from bridge.model import Alarm, Limit, PackSample
from tests.battery.story import GARAGE, SHED, Feed, Story, changed, well


def charge_off(current_a: Callable[[float], float] | float) -> Feed:
    """A pack that can only give, and what it gives."""

    def say(now: float) -> PackSample:
        amps = current_a(now) if callable(current_a) else current_a
        return changed(well(now, current_a=amps + now % 7 / 100), charge_fet_on=False, charge_allowed=False)

    return say


def carries(current_a: float) -> Feed:
    return lambda now: well(now, current_a=current_a + now % 7 / 100)


def bank(diode_a: float) -> Story:
    return Story(GARAGE, SHED).say(carries(-80.0), "shed").say(charge_off(diode_a), "garage").settle()


def test_a_little_through_the_diode_changes_nothing() -> None:
    story = bank(-9.0)

    assert story.limits()[1] == 100.0
    assert not story.last.alarm_causes


def test_more_for_ten_seconds_is_warned_of_and_bearable_up_to_four_tenths_of_the_rating() -> None:
    story = bank(0.0).say(charge_off(-55.0), "garage")

    story.run(10)
    assert not story.last.alarm_causes
    story.run(60)

    (cause,) = story.last.alarm_causes
    assert (cause.alarm, cause.text) == (
        Alarm.CHARGE_FET_FAULT,
        "garage: 55 A through the diode of its open switch",
    )
    assert story.limits()[1] == 100.0


def test_too_much_lowers_the_limit_by_a_fifth_of_what_flows_and_again() -> None:
    story = bank(0.0).say(charge_off(-60.0), "garage")

    story.run(10)
    assert story.limits()[1] == 100.0
    story.run(1)
    assert story.limits()[1] == 80.0  # of 100 A, which the inverter was told
    assert story.why(Limit.DCL) == "diode"
    story.run(10)
    assert story.limits()[1] == 64.0


def test_a_pack_that_does_not_say_its_current_any_more_is_taken_to_go_on() -> None:
    story = bank(0.0).say(charge_off(-60.0), "garage")
    story.run(11)
    assert story.limits()[1] == 80.0

    mute = charge_off(-60.0)
    story.say(lambda now: changed(mute(now), current_a=None, remaining_ah=now % 7), "garage")
    story.run(10)

    assert story.limits()[1] == pytest.approx(64.0, abs=0.15)


def test_hot_switches_bear_no_more_than_ten_amperes() -> None:
    hot = changed(well(), charge_fet_on=False, charge_allowed=False, mosfet_temperature_c=86.0)
    story = bank(0.0)

    story.say(lambda now: changed(hot, time_s=now, current_a=-15.0 + now % 7 / 100), "garage").run(11)

    assert story.limits()[1] == pytest.approx(76.0, abs=0.1)  # of the 95 A that flow


def test_charging_is_no_matter_of_the_open_charge_switch() -> None:
    story = bank(0.0).say(charge_off(-60.0), "garage")
    before = story.limits()[0]

    story.run(60)

    assert story.limits()[0] == before


def test_the_lower_limit_stays_for_a_while_and_then_rises_slowly() -> None:
    story = bank(0.0).say(charge_off(-60.0), "garage")
    story.run(11)
    story.say(charge_off(-27.0), "garage")

    calm = story.run(600)
    assert {d.discharge_current_limit_a for d in calm} == {80.0}
    rising = [d.discharge_current_limit_a for d in story.run(1200)]
    assert 80.0 < rising[-1] <= 100.0
    assert rising == sorted(rising)
    assert max(b - a for a, b in pairwise(rising)) < 1.0


def test_it_ends_when_the_switch_closes() -> None:
    story = bank(0.0).say(charge_off(-60.0), "garage")
    story.run(40)

    story.say(carries(-40.0), "garage").run(200)

    assert story.limits()[1] > 100.0
    assert not story.last.alarm_causes


def test_silence_does_not_end_it() -> None:
    story = bank(0.0).say(charge_off(-60.0), "garage")
    story.run(40)
    low = story.limits()[1]

    story.cut("garage").run(20)

    assert story.limits()[1] <= low


def test_charging_through_an_open_discharge_switch_lowers_the_charge_limit() -> None:
    story = Story(GARAGE, SHED).say(carries(80.0), "shed").settle()

    off = changed(well(), discharge_fet_on=False, discharge_allowed=False)
    story.say(lambda now: changed(off, time_s=now, current_a=60.0 + now % 7), "garage").run(12)

    assert story.limits()[0] <= 80.0
    assert story.why(Limit.CCL) == "diode"
