from __future__ import annotations

import math

from bridge.profiles import Slow
from bridge.sinks.rounds import RETRY_S, Rounds
from tests.sinks.helpers import profile

SLOW = profile(slow=(Slow(period_s=10.0, order=(0x150, 0x1D0)), Slow(period_s=60.0, order=(0x190,))))


def test_without_slow_frames_there_is_nothing_to_wake_up_for() -> None:
    rounds = Rounds(profile())
    assert (rounds.due(0.0), rounds.next_s()) == ((), math.inf)


def test_the_first_round_is_due_at_once() -> None:
    rounds = Rounds(SLOW)
    assert rounds.next_s() == math.inf
    assert rounds.due(5.0) == (0x150, 0x1D0, 0x190)
    assert rounds.next_s() == 15.0


def test_each_group_keeps_its_own_period() -> None:
    rounds = Rounds(SLOW)
    found = [can_id for second in range(121) for can_id in rounds.due(float(second))]
    assert (found.count(0x150), found.count(0x190)) == (13, 3)


def test_being_late_does_not_shift_the_later_rounds() -> None:
    rounds = Rounds(SLOW)
    rounds.due(0.0)
    assert rounds.due(13.0) == (0x150, 0x1D0)
    assert rounds.next_s() == 20.0


def test_what_was_missed_is_not_made_up_for() -> None:
    rounds = Rounds(SLOW)
    rounds.due(0.0)
    assert rounds.due(45.0) == (0x150, 0x1D0)
    assert rounds.due(46.0) == ()
    assert rounds.next_s() == 55.0


def test_a_round_that_may_not_be_sent_is_tried_again_soon() -> None:
    rounds = Rounds(SLOW)
    rounds.hold(3.0)
    assert rounds.next_s() == 3.0 + RETRY_S
    assert rounds.due(3.2) == ()
    assert rounds.due(3.5) == (0x150, 0x1D0, 0x190)
