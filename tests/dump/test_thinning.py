from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.dump.block import Floats
from bridge.dump.thinning import Spans, Thinned, thinned

VALUES = st.lists(st.sampled_from([0.0, 1.0, 2.5, -4.0, 100.0, np.nan]), min_size=1, max_size=300)


def signal(values: list[float]) -> tuple[Floats, Floats]:
    return np.arange(len(values), dtype=np.float64), np.array(values)


@given(VALUES, st.sampled_from([2.0, 4.0, 16.0]))
def test_each_stretch_keeps_its_first_least_greatest_and_last(values: list[float], stretch_s: float) -> None:
    times, numbers = signal(values)
    kept_s, kept = thinned(times, numbers, stretch_s)
    for start in np.unique(np.floor(times / stretch_s)):
        here, there = (
            numbers[np.floor(times / stretch_s) == start],
            kept[np.floor(kept_s / stretch_s) == start],
        )
        known = here[~np.isnan(here)]
        assert np.isnan(here).any() == np.isnan(there).any()
        if len(known):
            left = there[~np.isnan(there)]
            assert (left.min(), left.max()) == (known.min(), known.max())
        np.testing.assert_equal([there[0], there[-1]], [here[0], here[-1]])


@given(VALUES.filter(lambda values: not np.isnan(values).any()))
def test_thinned_twice_is_thinned_once_with_the_longer_stretch(values: list[float]) -> None:
    times, numbers = signal(values)
    twice = thinned(*thinned(times, numbers, 2.0), 8.0)
    once = thinned(times, numbers, 8.0)
    at_s, back = [set(zip(*(one.tolist() for one in pair), strict=True)) for pair in (twice, once)]
    extremes = {(stretch // 8, value) for stretch, value in back}
    assert {(stretch // 8, value) for stretch, value in at_s} == extremes


@given(VALUES, st.integers(1, 40))
@settings(max_examples=50)
def test_taken_in_by_blocks_no_extreme_is_lost_and_memory_is_bounded(values: list[float], size: int) -> None:
    times, numbers = signal(values * 20)
    line = Thinned(most=80)
    for start in range(0, len(times), size):
        line.add(times[start : start + size], numbers[start : start + size])
        assert sum(map(len, line._time_s)) <= 2 * 80 + size
    kept_s, kept = line.points()
    assert len(kept_s) <= 80
    assert (np.diff(kept_s) >= 0).all()
    if not np.isnan(numbers).all():
        assert (np.nanmin(kept), np.nanmax(kept)) == (np.nanmin(numbers), np.nanmax(numbers))


def test_a_signal_that_does_not_change_is_its_two_ends() -> None:
    line = Thinned()
    for start in range(5):
        line.add(np.arange(10.0) + 10 * start, np.full(10, 3.3))
    times, values = line.points()
    assert (times.tolist(), values.tolist()) == ([0.0, 49.0], [3.3, 3.3])


def test_a_short_signal_keeps_every_point_that_changes() -> None:
    times, numbers = signal([1.0, 2.0, 1.0, 5.0, 5.0, 5.0, 0.0])
    line = Thinned()
    line.add(times, numbers)
    assert line.points()[1].tolist() == [1.0, 2.0, 1.0, 5.0, 5.0, 0.0]


def test_a_long_hole_stays_and_a_short_one_is_filled_where_it_could_not_be_seen() -> None:
    times = np.arange(10_000.0)
    values = np.sin(times)
    values[3000:6000] = np.nan
    values[8000] = np.nan
    line = Thinned(most=200)
    line.add(times, values)
    kept_s, kept = line.points()
    missing_s = kept_s[np.isnan(kept)]
    assert missing_s.tolist() == [3000.0]


def test_nothing_taken_in_is_no_point() -> None:
    assert [len(one) for one in Thinned().points()] == [0, 0]


def test_moments_close_together_are_one_span_in_whatever_order_they_come() -> None:
    spans = Spans(3.0)
    spans.add(np.array([10.0, 0.0, 1.0]))
    spans.add(np.array([]))
    spans.add(np.array([12.0, 3.5, 30.0]))
    assert spans.all() == [(0.0, 3.5), (10.0, 12.0), (30.0, 30.0)]
    assert spans.between() == [(3.5, 10.0), (12.0, 30.0)]


def test_too_many_spans_are_joined_where_they_are_nearest() -> None:
    spans = Spans(1.0, most=10)
    spans.add(np.r_[np.arange(0.0, 100.0, 2.0), 1000.0])
    assert spans.all() == [(0.0, 98.0), (1000.0, 1000.0)]
    assert spans.join_s == pytest.approx(2.0)
