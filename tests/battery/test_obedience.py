"""An inverter that does not keep to what it is told, and those that do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.battery.aggregator import Aggregator
from bridge.battery.leases import LeaseRequest
from bridge.battery.obedience import LASTS_S
from bridge.model import Alarm, BankSettings, Limit, PackSample
from tests.battery.story import GARAGE, SHED, Feed, Story, changed, well, with_cell


def bank(policy: str = "act") -> Story:
    """What the cable carries is so little that currents beyond it are still plausible for the packs."""
    settings = BankSettings(max_charge_current_a=60, max_discharge_current_a=60)
    return Story(GARAGE, SHED, settings=settings, obedience=policy).settle()


def carrying(amps: float, cell_v: float = 3.34) -> Feed:
    """Both packs together carry so much, and their cells stand as little still as real ones."""
    return lambda now: well(now, cell_v + 0.001 * (now % 3), current_a=amps / 2)


def test_a_charger_beyond_ccl_meets_a_falling_cvl_after_fifteen_seconds() -> None:
    story = bank()
    story.say(carrying(1.1 * story.limits()[0] + 8))
    before = story.run(9)[-1].charge_voltage_limit_v
    story.run(20)
    assert before == 55.2
    assert story.why(Limit.CVL) == "obedience"
    bus_v = 16 * 3.34
    assert bus_v - 0.6 < story.last.charge_voltage_limit_v < bus_v
    assert "the inverter charges with" in story.last.constraints[Limit.CVL][0].text


def test_cvl_falls_by_two_tenths_in_ten_seconds_and_not_below_the_floor() -> None:
    story = bank().say(carrying(150.0))
    story.run(15)
    start = story.last.charge_voltage_limit_v
    story.run(10)
    assert start - story.last.charge_voltage_limit_v == pytest.approx(0.2, abs=0.11)
    story.run(600)
    assert story.last.charge_voltage_limit_v == 52.8  # 16 cells at 3.30 V


def test_a_tall_stack_is_lowered_as_fast_per_cell() -> None:
    """256 cells as if in one pack: 0.2 V would be nothing to them."""
    tall = replace(GARAGE, cells=256)
    story = Story(tall, settings=BankSettings(max_charge_current_a=60), obedience="act")
    story.say(lambda now: tall_pack(now, 2.0)).settle()
    story.say(lambda now: tall_pack(now, 150.0)).run(16)
    start = story.last.charge_voltage_limit_v
    story.run(10)
    assert start - story.last.charge_voltage_limit_v == pytest.approx(3.2, abs=0.4)


def tall_pack(now: float, current_a: float) -> PackSample:
    cell_v = 3.34 + 0.001 * (now % 3)
    usual = well(now, cell_v, current_a=current_a)
    return changed(usual, cell_voltages_v=(cell_v,) * 256, voltage_v=256 * cell_v)


def test_cvl_comes_back_slowly_when_it_obeys() -> None:
    story = bank().say(carrying(150.0))
    story.run(40)
    low = story.last.charge_voltage_limit_v
    story.say(carrying(3.0)).run(55)
    assert story.last.charge_voltage_limit_v == low
    story.run(60)
    assert low < story.last.charge_voltage_limit_v < low + 0.5
    story.run(1200)
    assert story.last.charge_voltage_limit_v == 55.2
    assert story.why(Limit.CVL) != "obedience"


def test_an_inverter_that_draws_too_much_is_switched_off_and_later_allowed_again() -> None:
    story = bank().say(carrying(-150.0, 3.25))
    story.run(12)
    assert story.last.discharge_current_limit_a == 0
    assert not story.last.discharge_enabled
    assert story.last.constraints[Limit.DCL][0].rule == "obedience"
    story.say(carrying(0.0)).run(50)
    assert story.last.discharge_current_limit_a == 0
    story.run(200)
    assert story.last.discharge_current_limit_a > 0


def test_the_second_time_it_stays_off_for_longer() -> None:
    story = bank()
    off_s = []
    for _ in range(2):
        story.say(carrying(-150.0, 3.25)).run(12)
        story.say(carrying(0.0))
        seconds = 0
        while story.why(Limit.DCL) == "obedience":
            story.run(1)
            seconds += 1
        off_s.append(seconds)
        story.run(150)
    assert off_s[0] == pytest.approx(60, abs=2)
    assert off_s[1] == pytest.approx(120, abs=2)


@pytest.mark.parametrize(
    ("amps", "alarm"), [(150.0, Alarm.CHARGE_OVERCURRENT), (-150.0, Alarm.DISCHARGE_OVERCURRENT)]
)
def test_after_a_minute_it_is_a_warning_to_the_inverter(amps: float, alarm: Alarm) -> None:
    story = bank().say(carrying(amps))
    assert all(alarm not in d.warnings for d in story.run(50))
    story.run(20)
    assert alarm in story.last.warnings


def test_with_warn_it_is_only_said() -> None:
    story = bank("warn").say(carrying(150.0))
    story.run(70)
    assert story.last.charge_voltage_limit_v == 55.2
    assert Alarm.CHARGE_OVERCURRENT in story.last.warnings


def test_with_off_nothing_is_looked_at() -> None:
    story = bank("off").say(carrying(150.0))
    story.run(120)
    assert not story.last.warnings
    assert story.bank.obedience.complaints() == {}


def test_a_little_too_much_is_the_instruments() -> None:
    story = bank()
    story.say(carrying(1.1 * story.limits()[0] + 4))
    story.run(120)
    assert story.bank.obedience.complaints() == {}


def test_what_the_inverter_consumes_itself_at_a_limit_of_zero_is_no_disobedience() -> None:
    story = bank()
    story.say(lambda now: changed(well(now, 2.79, current_a=-2.0), discharge_allowed=False))
    story.run(300)
    assert story.limits()[1] == 0
    assert story.bank.obedience.complaints() == {}


def test_following_a_falling_limit_late_is_no_disobedience() -> None:
    """5 s behind a limit that a rising cell takes down to nothing within a minute."""
    story = bank()
    before: list[float] = [story.limits()[0]]
    for second in range(90):
        high_v = min(3.44 + 0.002 * second, 3.549)
        behind_a = before[max(0, len(before) - 6)]
        mean_v = min(3.40, story.last.charge_voltage_limit_v / 16)  # the bus keeps to CVL
        story.say(
            lambda now, m=mean_v, v=high_v, a=behind_a: with_cell(well(now, m, current_a=a / 2), 3, v)  # type: ignore[misc]
        )
        story.run(1)
        before.append(story.limits()[0])
    assert before[-1] < 0.3 * before[0]
    assert story.bank.obedience.complaints() == {}


def test_a_step_to_zero_is_followed_in_time() -> None:
    story = bank()
    story.say(carrying(60.0)).run(30)
    story.say(lambda now: changed(well(now, 3.34, current_a=30.0), charge_allowed=False)).run(8)
    story.say(lambda now: changed(well(now, 3.34), charge_allowed=False)).run(60)
    assert story.bank.obedience.complaints() == {}


def test_a_voltage_above_cvl_under_current_is_disobedience_too() -> None:
    story = bank()
    story.say(carrying(12.0, 3.49))
    story.run(40)
    assert "obedience" in [reason.rule for reason in story.last.constraints[Limit.CVL]]


def test_a_bank_that_rests_above_a_lowered_cvl_is_none() -> None:
    story = bank()
    story.say(carrying(0.5, 3.49))
    story.run(120)
    assert story.bank.obedience.complaints() == {}


def test_without_every_packs_current_there_is_no_judgement() -> None:
    story = bank().say(carrying(150.0))
    story.cut("shed")
    story.run(120)
    assert story.bank.obedience.complaints() == {}


def test_what_was_done_stays_done_when_the_data_ends() -> None:
    story = bank().say(carrying(150.0))
    story.run(40)
    low = story.last.charge_voltage_limit_v
    story.cut("shed")
    assert all(d.charge_voltage_limit_v <= low for d in story.run(200))


@pytest.mark.parametrize("reaction_s", [5.0, 20.0])
def test_each_inverter_has_its_own_time_to_follow_a_limit_that_falls(reaction_s: float) -> None:
    story = bank()
    story.bank = Aggregator(story.packs, story.settings, reaction_s=reaction_s)
    story.settle().say(carrying(60.0)).run(30)
    story.bank.leases.grant(LeaseRequest(name="tariff", limit=Limit.CCL, value=10.0, ttl_s=3600.0), story.now)
    seconds = 0
    while not story.bank.obedience.complaints():
        story.run(1)
        seconds += 1
    assert reaction_s + LASTS_S <= seconds <= 2 * reaction_s + LASTS_S + 1
