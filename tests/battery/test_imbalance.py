"""Packs that do not fit to the others: warned of, and not taken in before they do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.model import Alarm, BankSettings, PackSample, PackState
from tests.battery.story import ATTIC, GARAGE, SHED, Feed, Story, changed, well


def says(cell_v: float = 3.30, soc: float = 0.5, current_a: float = 0.0) -> Feed:
    return lambda now: well(now, cell_v, soc=soc, current_a=current_a + now % 7 / 100)


def off(cell_v: float) -> Feed:
    def say(now: float) -> PackSample:
        return changed(
            well(now, cell_v),
            charge_fet_on=False,
            discharge_fet_on=False,
            charge_allowed=False,
            discharge_allowed=False,
        )

    return say


def texts(story: Story) -> list[str]:
    return [cause.text for cause in story.last.alarm_causes if cause.alarm is Alarm.PACK_IMBALANCE]


@pytest.mark.parametrize(("soc", "warned"), [(0.71, True), (0.69, False)])
def test_a_pack_more_than_twenty_percent_from_the_mean_is_warned_of(soc: float, warned: bool) -> None:
    """Of three packs of 280, 200 and 100 Ah, the last has little part in the mean."""
    story = (
        Story(GARAGE, SHED, ATTIC).say(says(soc=soc), "attic").say(says(soc=0.45), "garage", "shed").settle()
    )

    assert bool(texts(story)) is warned
    if warned:
        assert texts(story) == ["attic: at 71 %, the bank at 49 %"]


def test_at_rest_a_voltage_beyond_the_window_is_warned_of() -> None:
    story = Story(GARAGE, SHED).say(says(3.335), "shed").settle()

    assert texts(story) == ["garage: 0.56 V below the other packs", "shed: 0.56 V above the other packs"]


def test_under_load_voltages_differ_by_cables() -> None:
    story = (
        Story(GARAGE, SHED)
        .say(says(3.27, current_a=-80.0), "garage")
        .say(says(3.31, current_a=-20.0), "shed")
    )

    assert texts(story.settle()) == []


def test_a_lone_pack_fits_to_itself() -> None:
    assert texts(Story(GARAGE).settle()) == []


def test_an_isolated_pack_far_from_the_bus_is_warned_of_before_it_closes() -> None:
    story = Story(GARAGE, SHED).say(says(current_a=-30.0), "garage").say(off(3.38), "shed").settle()

    assert story.states()[1] is PackState.ISOLATED
    assert texts(story) == ["shed: 1.28 V above the other packs; closing its switch would draw a surge"]


def test_a_pack_that_returns_far_from_the_bus_is_not_taken_in_before_it_fits() -> None:
    story = Story(GARAGE, SHED).settle().say(off(3.30), "shed")
    story.run(5)
    alone = story.limits()
    story.say(says(3.345), "shed").run(300)

    assert story.states()[1] is PackState.JOINING
    assert story.limits() <= alone
    assert texts(story)[-1] == "shed: 0.72 V above the other packs; closing its switch would draw a surge"

    story.say(says(3.325), "shed").run(29)
    assert story.states()[1] is PackState.JOINING
    story.run(3)
    assert story.states()[1] is PackState.ACTIVE
    assert min(story.settle().limits()) >= 173.7


def test_every_pack_is_judged_alike_also_the_first_of_the_file() -> None:
    story = Story(GARAGE, SHED).settle().say(off(3.30), "garage")
    story.run(5)

    story.say(says(3.345), "garage").run(100)

    assert story.states() == [PackState.JOINING, PackState.ACTIVE]


def test_a_pack_that_carries_current_is_on_the_bus_whatever_it_measures() -> None:
    story = Story(GARAGE, SHED).settle().say(off(3.30), "shed")
    story.run(5)

    story.say(says(3.345, current_a=-20.0), "shed").run(40)

    assert story.states()[1] is PackState.ACTIVE


def test_at_start_the_packs_are_on_the_bus_already() -> None:
    story = Story(GARAGE, SHED).say(says(3.35), "shed")

    story.run(5)

    assert story.states() == [PackState.ACTIVE, PackState.ACTIVE]


def test_the_window_is_configured_per_cell() -> None:
    story = Story(GARAGE, SHED, settings=BankSettings(join_window_v_per_cell=0.05)).settle()
    story.say(off(3.30), "shed").run(5)

    story.say(says(3.345), "shed").run(40)

    assert story.states()[1] is PackState.ACTIVE


@pytest.mark.parametrize(
    ("path_mohm", "cell_v", "state"),
    [
        (None, 3.325, PackState.ACTIVE),
        (2.0, 3.325, PackState.JOINING),  # 0.40 V over 15.6 mohm: 26 A, of 40
        (2.0, 3.315, PackState.ACTIVE),  # 0.24 V: 15 A
        (2.0, 3.275, PackState.ACTIVE),  # 26 A into it, of 100
        (100.0, 3.335, PackState.JOINING),  # 5 A, but beyond the window
    ],
)
def test_a_path_that_is_known_narrows_the_window_to_half_of_what_a_pack_carries(
    path_mohm: float | None, cell_v: float, state: PackState
) -> None:
    shed = replace(SHED, rated_discharge_current_a=40.0, path_mohm=path_mohm)
    story = Story(GARAGE, shed).settle().say(off(3.30), "shed")
    story.run(5)

    story.say(says(cell_v), "shed").run(40)

    assert story.states()[1] is state
    assert any("surge" in text for text in texts(story)) is (state is PackState.JOINING)
