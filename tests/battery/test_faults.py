"""What nothing has contained, and how long it stands."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bridge.battery.faults import UNREADABLE
from bridge.model import Alarm, Limit, PackSample, Severity
from tests.battery.story import GARAGE, SHED, Feed, Story, changed, well


def at_c(temperature_c: float) -> Feed:
    return lambda now: well(now, temperature_c=temperature_c)


def test_one_reading_ends_the_current_for_as_long_as_it_stands() -> None:
    story = Story(GARAGE, SHED).settle().say(at_c(66.0), "garage")

    story.run(1)
    assert story.limits() == (0.0, 0.0)
    assert story.last.alarm_causes[0].severity is Severity.FAULT

    story.say(well, "garage").run(200)
    assert story.limits() == (173.7, 173.7)
    assert not story.last.protections


def test_confirmed_by_a_second_it_stands_until_somebody_clears_it() -> None:
    story = Story(GARAGE, SHED).settle().say(at_c(66.0), "garage")
    story.run(2)
    story.say(well, "garage").run(600)

    assert story.limits() == (0.0, 0.0)
    assert story.last.protections == {Alarm.DISCHARGE_OVERTEMPERATURE}
    assert story.last.constraints[Limit.DCL][0].text == "garage: cells at 66 degC, until it is cleared"

    assert story.bank.clear_faults() == ["garage: cells at 66 degC"]
    story.run(200)

    assert story.limits() == (173.7, 173.7)
    assert not story.last.protections


def test_silence_does_not_clear_it() -> None:
    story = Story(GARAGE, SHED).settle().say(at_c(66.0), "garage")
    story.run(2)

    story.cut("garage").run(100)

    assert story.limits() == (0.0, 0.0)
    assert Alarm.DISCHARGE_OVERTEMPERATURE in story.last.protections


def test_what_is_still_wrong_when_it_is_cleared_acts_on() -> None:
    story = Story(GARAGE).settle().say(at_c(66.0))
    story.run(5)

    story.bank.clear_faults()
    story.run(2)
    assert story.limits() == (0.0, 0.0)

    story.say(well).run(100)
    assert story.limits() == (0.0, 0.0)


def restarted(state: object) -> Story:
    """A bank whose earlier run had kept this of its faults, and whose packs are well."""
    story = Story(GARAGE, SHED)
    story.bank.restore({"faults": json.loads(json.dumps(state))}, story.now, 0.0)
    return story.settle()


def test_what_is_latched_stands_over_a_restart_until_somebody_clears_it() -> None:
    before = Story(GARAGE, SHED).settle().say(at_c(66.0), "garage")
    before.run(2)

    after = restarted(before.bank.state()["faults"])

    assert after.limits() == (0.0, 0.0)
    assert after.last.protections == {Alarm.DISCHARGE_OVERTEMPERATURE}
    assert after.last.alarm_causes[0].severity is Severity.FAULT
    assert after.last.constraints[Limit.CCL][0].text == "garage: cells at 66 degC, until it is cleared"
    assert after.bank.state()["faults"] == before.bank.state()["faults"]

    assert after.bank.clear_faults() == ["garage: cells at 66 degC"]
    assert after.bank.state()["faults"] == []
    after.run(200)
    assert min(after.limits()) > 0


@pytest.mark.parametrize("state", [None, []])
def test_a_run_that_had_no_fault_leaves_none(state: object) -> None:
    assert min(restarted(state).limits()) > 0


@pytest.mark.parametrize(
    "state",
    [
        "fire",
        7,
        {},
        [None],
        [{"pack": "garage", "alarm": "fire"}],
        [{"pack": "garage", "text": "garage: fire", "alarm": "an alarm of a later version"}],
        [{"pack": ["garage"], "text": "garage: fire", "alarm": "fire"}],
        [{"pack": "garage", "text": "garage: fire", "alarm": ["fire"]}],
    ],
)
def test_a_kept_fault_that_cannot_be_read_stands_too(state: object) -> None:
    story = restarted(state)

    assert story.limits() == (0.0, 0.0)
    assert story.bank.latched == {(None, Alarm.OTHER)}
    assert story.bank.state()["faults"] == [{"pack": None, "alarm": "other", "text": UNREADABLE}]
    assert restarted(story.bank.state()["faults"]).bank.clear_faults() == [UNREADABLE]


def test_a_fault_of_a_pack_that_is_configured_no_more_stands_too() -> None:
    story = restarted([{"pack": "attic", "alarm": "fire", "text": "attic: fire"}])

    assert story.limits() == (0.0, 0.0)
    assert story.last.protections == {Alarm.FIRE}


@pytest.mark.parametrize(
    ("current_a", "charge_on", "discharge_on", "alarm"),
    [
        (3.0, False, True, Alarm.CHARGE_FET_FAULT),
        (-3.0, True, False, Alarm.DISCHARGE_FET_FAULT),
        (3.0, False, False, Alarm.CHARGE_FET_FAULT),
        (-3.0, False, False, Alarm.DISCHARGE_FET_FAULT),
        (-3.0, False, True, None),  # through the diode
        (3.0, True, False, None),
        (1.9, False, False, None),
        (3.0, None, True, None),
        (None, False, False, None),
    ],
)
def test_current_against_an_open_switch_for_five_seconds_is_a_fault(
    current_a: float | None, charge_on: bool | None, discharge_on: bool | None, alarm: Alarm | None
) -> None:
    def flows(now: float) -> PackSample:
        return changed(well(now), current_a=current_a, charge_fet_on=charge_on, discharge_fet_on=discharge_on)

    story = Story(GARAGE, SHED).settle().say(flows, "garage")
    story.run(5)
    assert not any(c.severity is Severity.FAULT for c in story.last.alarm_causes)
    story.run(2)

    faults = {cause.alarm for cause in story.last.alarm_causes if cause.severity is Severity.FAULT}
    assert faults == ({alarm} if alarm else set())
    assert (story.limits() == (0.0, 0.0)) is (alarm is not None)


def test_a_switch_that_opens_under_load_gets_time_to_show_it() -> None:
    story = Story(GARAGE, SHED).settle()
    opening = replace(well(current_a=-50.0), discharge_fet_on=False, discharge_allowed=False)

    story.say(lambda now: replace(opening, time_s=now), "garage").run(3)
    story.say(lambda now: replace(opening, time_s=now, current_a=0.0), "garage").run(60)

    assert not any(c.severity is Severity.FAULT for c in story.last.alarm_causes)
