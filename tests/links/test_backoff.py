from __future__ import annotations

import random

from bridge.links.backoff import Backoff


def test_the_wait_doubles_up_to_the_longest_less_at_most_a_quarter() -> None:
    backoff = Backoff(first_s=1.0, longest_s=5.0, random=random.Random(1))
    waits = [backoff.next_s() for _ in range(50)]
    assert all(
        0.75 * full <= wait <= full for wait, full in zip(waits, [1.0, 2.0, 4.0] + 47 * [5.0], strict=True)
    )


def test_the_waits_of_many_links_differ() -> None:
    assert len({Backoff(random=random.Random(seed)).next_s() for seed in range(10)}) == 10


def test_after_a_reset_the_wait_is_short_again() -> None:
    backoff = Backoff(first_s=1.0, longest_s=60.0)
    for _ in range(6):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 1.0


def test_a_year_of_attempts_does_not_overflow() -> None:
    backoff = Backoff()
    assert all(backoff.next_s() <= backoff.longest_s for _ in range(5000))
