"""Cells that have drifted apart."""

from __future__ import annotations

import pytest

from bridge.battery.facts import Memory
from bridge.battery.spread import Spread
from bridge.model import Alarm, PackSample, Severity
from tests.battery.story import GARAGE, Story, changed, well, with_cell


def after(seconds: int, spread: Spread, sample: PackSample, begin_s: float = 0.0) -> bool:
    """Whether the pack's cells count as apart after it has said the same for so long."""
    for i in range(seconds + 1):
        spread.heard(Memory(GARAGE).facts(changed(sample, time_s=begin_s + i)))
    return spread.cause is not None


def runner(by_v: float, cell_v: float = 3.30, current_a: float = 0.0) -> PackSample:
    return with_cell(well(0.0, cell_v, current_a=current_a), 7, cell_v + by_v)


@pytest.mark.parametrize(("by_v", "apart"), [(0.079, False), (0.081, True)])
def test_at_rest_for_a_minute_a_spread_of_eighty_millivolts_is_apart(by_v: float, apart: bool) -> None:
    low_runner = with_cell(well(0.0, 3.30), 7, 3.30 - by_v)
    assert after(59, Spread(GARAGE), low_runner) is False
    assert after(60, Spread(GARAGE), low_runner) is apart


def test_under_load_a_spread_in_the_flat_says_nothing() -> None:
    assert not after(200, Spread(GARAGE), with_cell(well(0.0, 3.30, current_a=-100.0), 7, 3.20))
    assert not after(200, Spread(GARAGE), changed(with_cell(well(0.0), 7, 3.21), current_a=None))


def test_above_the_knee_a_runner_shows_at_once_while_charging() -> None:
    assert after(0, Spread(GARAGE), runner(0.10, 3.36, current_a=40.0))
    assert not after(0, Spread(GARAGE), runner(0.10, 3.36, current_a=-40.0))


def test_near_empty_cells_differ_by_nature() -> None:
    assert not after(200, Spread(GARAGE), with_cell(well(0.0, 3.25), 7, 3.10))


def test_a_cell_that_cannot_be_read_says_nothing() -> None:
    assert not after(200, Spread(GARAGE), with_cell(runner(0.10, 3.36), 1, None))


def test_it_stands_while_the_load_hides_it_and_ends_when_it_is_measured_smaller() -> None:
    spread = Spread(GARAGE)
    assert after(60, spread, runner(-0.09))

    assert after(100, spread, well(0.0, current_a=-100.0), 100.0)
    assert after(100, spread, runner(-0.065), 300.0)
    assert not after(100, spread, runner(-0.055), 500.0)


def test_it_is_a_warning_that_names_pack_and_cells() -> None:
    story = Story(GARAGE).say(lambda now: with_cell(well(now), 7, 3.21)).settle()

    (cause,) = story.last.alarm_causes
    assert (cause.alarm, cause.severity, cause.pack) == (Alarm.CELL_IMBALANCE, Severity.WARNING, "garage")
    assert cause.text == "garage: cells 1 and 7 differ by 90 mV"
