"""The bank's state of charge over time; its arithmetic is in test_merge."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bridge.battery.soc import StateOfCharge
from bridge.model import Alarm, BankSettings, PackSample, Severity
from tests.battery.story import ATTIC, GARAGE, SHED, UNLIKE, Feed, Story, changed, stand, well, with_cell


def at_soc(soc: float) -> Feed:
    return lambda now: well(now, soc=soc, current_a=-20.0 + now % 7 / 10)


def shown(story: Story) -> list[float]:
    """The SoC of all decisions so far."""
    return [d.bank.soc for d in story.decisions if d.bank.soc is not None]


def steps(socs: list[float]) -> list[float]:
    return [abs(b - a) for a, b in pairwise(socs)]


@pytest.mark.parametrize(("mode", "soc"), [("weighted_edges", 0.325), ("weighted", 0.55), ("min", 0.1)])
def test_the_mode_says_how_much_the_lowest_pack_counts(mode: str, soc: float) -> None:
    packs = [stand(SHED, well(soc=1.0)), stand(replace(SHED, name="low"), well(soc=0.1))]

    assert StateOfCharge(BankSettings(soc_mode=mode)).follow(packs, 0.0, settled=True) == pytest.approx(soc)


def test_an_empty_pack_that_has_opened_its_discharge_switch_does_not_empty_the_bank() -> None:
    off = stand(replace(SHED, name="off"), changed(well(soc=0.0), discharge_fet_on=False))

    assert StateOfCharge().follow([stand(SHED, well(soc=0.6)), off], 0.0, settled=True) == pytest.approx(0.3)
    assert StateOfCharge().follow([off], 0.0, settled=True) == 0.0


@pytest.mark.parametrize("half_s", [0.5, 1.0, 3.0])
def test_no_pack_that_leaves_or_returns_moves_it_by_more_than_the_glide(half_s: float) -> None:
    story = Story(*UNLIKE).say(at_soc(0.9), "garage").say(at_soc(0.3), "shed", "attic").settle()
    begin = len(story.decisions)

    story.cut("garage").run(120, step_s=half_s)
    story.say(at_soc(0.9), "garage").run(120, step_s=half_s)

    assert max(steps(shown(story)[begin - 1 :])) <= 0.001 * half_s + 1e-9


def test_the_glide_is_configured_per_minute() -> None:
    settings = BankSettings(soc_glide_pct_per_min=30.0)
    story = (
        Story(GARAGE, SHED, settings=settings).say(at_soc(0.9), "garage").say(at_soc(0.3), "shed").settle()
    )

    story.cut("garage").run(31)
    lost = story.last.bank.soc
    story.run(60)

    assert lost is not None
    assert story.last.bank.soc == pytest.approx(max(0.3, lost - 0.3))


def stopped(soc: float) -> Feed:
    """A cell at the low stop while the BMS thinks that there is charge."""

    def say(now: float) -> PackSample:
        return with_cell(well(now, cell_v=3.0, soc=soc, current_a=now % 7 / 10), 3, 2.79)

    return say


def test_a_stop_by_voltage_far_from_empty_is_shown_as_nearly_empty_and_warned_of() -> None:
    story = Story(GARAGE).say(at_soc(0.4)).settle()
    assert story.last.bank.soc == pytest.approx(0.4)

    story.say(stopped(0.4)).run(60)

    assert story.last.bank.soc == pytest.approx(0.05)
    assert story.last.discharge_current_limit_a == 0.0
    assert Alarm.SOC_DRIFT in story.last.warnings
    assert max(steps(shown(story))) <= 0.0101

    story.say(at_soc(0.4)).run(60)
    assert story.last.bank.soc == pytest.approx(0.05 + 0.06, abs=0.002)
    assert max(steps(shown(story))) <= 0.0101


def test_a_stop_by_voltage_near_empty_is_no_contradiction() -> None:
    story = Story(GARAGE).say(stopped(0.08)).settle()

    assert story.last.bank.soc == pytest.approx(0.08)
    assert Alarm.SOC_DRIFT not in story.last.warnings


def test_a_bms_that_corrects_itself_at_a_stroke_is_warned_of_with_both_values() -> None:
    story = Story(GARAGE, SHED).say(at_soc(0.8)).settle().say(at_soc(0.5), "shed")

    story.run(10)

    (cause,) = [c for c in story.last.alarm_causes if c.alarm is Alarm.SOC_DRIFT]
    assert (cause.pack, cause.severity) == ("shed", Severity.WARNING)
    assert cause.text.startswith("shed: its BMS says 50 %, counted are 80 %")


def test_our_own_counter_does_not_follow_a_bms_that_jumps() -> None:
    own = replace(GARAGE, soc_source="counter")
    story = Story(own).say(at_soc(0.8)).settle().say(at_soc(0.2))

    story.run(120)

    assert story.last.bank.soc == pytest.approx(0.795, abs=0.001)
    assert story.last.bank.remaining_ah == pytest.approx(0.795 * 280, abs=0.3)
    assert Alarm.SOC_DRIFT in story.last.warnings


def test_our_own_counter_is_set_right_when_the_pack_is_full() -> None:
    own = replace(ATTIC, soc_source="counter")
    story = (
        Story(own).say(lambda now: well(now, soc=0.8, cell_v=3.45, current_a=1.0 + now % 7 / 100)).settle()
    )

    assert story.last.bank.soc == 1.0


def test_what_is_restored_goes_on_and_nonsense_is_left_out() -> None:
    before = StateOfCharge()
    before.heard(stand(GARAGE, well(0.0, soc=0.5)).facts)  # type: ignore[arg-type]  # it has been heard
    after = StateOfCharge()

    after.restore(before.state())
    assert after.counted("garage") == 0.5
    assert after.counted("shed") is None

    after.restore({"counters": {"garage": 7}})
    assert after.counted("garage") is None
    for nonsense in ({"counters": [1, 2]}, {}, None, "counters"):
        after.restore(nonsense)
    assert after.counted("garage") is None
