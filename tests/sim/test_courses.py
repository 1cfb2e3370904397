from __future__ import annotations

import pytest

from bridge.sim.courses import blocks, clouds, house, steps, sun, together
from bridge.sim.demand import fixed


def test_parts_add_up() -> None:
    assert together([fixed(30.0), fixed(-50.0)])(7.0) == -20.0


def test_blocks_are_full_most_of_the_time_and_never_more() -> None:
    course = blocks(-200.0, block_s=20.0, full_share=0.8)
    values = [course(20.0 * number + 3.0) for number in range(2000)]
    assert 0.77 < sum(value == -200.0 for value in values) / 2000 < 0.83
    assert all(value == -200.0 or -100.0 <= value <= 0.0 for value in values)


def test_a_course_answers_the_same_question_alike() -> None:
    for course in (blocks(100.0), clouds(fixed(100.0)), house(-50.0, at_h=0.0)):
        asked = [1234.0, 5.0, 99999.0, 1234.0, 5.0]
        assert [course(at_s) for at_s in asked] == [course(at_s) for at_s in reversed(asked)][::-1]


def test_steps_hold_until_the_next_and_come_again() -> None:
    course = steps([(10.0, 5.0), (20.0, -5.0)], repeat_s=30.0)
    assert [course(at_s) for at_s in (0.0, 10.0, 19.9, 20.0, 29.9, 30.0, 40.0)] == [0, 5, 5, -5, -5, 0, 5]


def test_the_sun_rises_peaks_and_sets() -> None:
    course = sun(100.0, at_h=12.0, rise_h=6.0, set_h=20.0)
    assert course(3600.0) == pytest.approx(100.0)
    assert course(9 * 3600.0) == 0.0
    assert course(25 * 3600.0) == pytest.approx(100.0)


def test_clouds_shade_and_pass_in_seconds() -> None:
    course = clouds(fixed(100.0), shade=0.2, block_s=60.0, shaded_share=0.5)
    settled = {round(course(60.0 * number + 30.0), 6) for number in range(200)}
    assert settled == {20.0, 100.0}
    edges = [course(60.0 * number + 1.5) for number in range(200)]
    assert any(edge == pytest.approx(60.0) for edge in edges)


def test_a_house_draws_most_in_the_evening() -> None:
    course = house(-50.0, at_h=0.0)
    night = sum(course(3 * 3600 + 60.0 * minute) for minute in range(60))
    evening = sum(course(19 * 3600 + 60.0 * minute) for minute in range(60))
    assert evening < 3 * night < 0
