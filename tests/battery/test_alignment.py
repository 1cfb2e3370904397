from __future__ import annotations

from math import inf

import pytest

from bridge.battery.alignment import Aligner, Snapshot


def test_currents_are_read_at_the_moment_of_the_pack_that_is_furthest_behind() -> None:
    aligner = Aligner(2, -inf)
    aligner.take([(9.0, 10.0), (8.0, 0.0)])

    snapshot = aligner.take([(11.0, 30.0), (10.0, 5.0)])

    assert snapshot is not None
    assert (snapshot.time_s, snapshot.currents_a, snapshot.total_a) == (10.0, (20.0, 5.0), 25.0)


def test_there_is_no_picture_until_every_pack_was_heard_around_the_same_moment() -> None:
    aligner = Aligner(2, -inf)

    assert aligner.take([(3.0, 1.0), (1.0, 1.0)]) is None


def test_the_moment_moves_only_when_the_last_pack_is_heard_again() -> None:
    aligner = Aligner(2, -inf)
    assert aligner.take([(1.0, 1.0), (1.0, 1.0)]) is not None

    assert aligner.take([(2.0, 1.0), (1.0, 1.0)]) is None
    assert aligner.take([(2.0, 1.0), (2.0, 1.0)]) is not None


def test_what_was_measured_before_the_circuit_changed_is_not_used() -> None:
    aligner = Aligner(2, 5.0)

    assert aligner.take([(5.0, 40.0), (6.0, 1.0)]) is None
    snapshot = aligner.take([(6.5, 2.0), (6.5, 1.0)])
    assert snapshot is not None
    assert snapshot.total_a == 3.0


def shot(aligner: Aligner, *points: tuple[float, float]) -> Snapshot:
    found = aligner.take(points)
    assert found is not None
    return found


def test_a_picture_tells_how_much_moved_in_the_two_seconds_before() -> None:
    aligner = Aligner(1, -inf)

    assert shot(aligner, (0.0, 10.0)).restless_a == inf
    assert shot(aligner, (1.0, 10.0)).restless_a == inf
    assert shot(aligner, (3.0, 14.0)).restless_a == pytest.approx(4.0)
    assert shot(aligner, (4.0, 14.0)).restless_a == pytest.approx(2.0)
    assert shot(aligner, (6.0, 14.0)).restless_a == 0.0


def test_a_line_drawn_through_a_step_makes_the_picture_restless() -> None:
    """The pack may have stepped before or after the moment; the line says in the middle."""
    aligner = Aligner(2, -inf)
    for i in range(4):
        aligner.take([(i, 0.0), (i, 0.0)])

    snapshot = shot(aligner, (8.0, 100.0), (4.0, 0.0))

    assert snapshot.currents_a[0] == 20.0
    assert snapshot.restless_a == 100.0
