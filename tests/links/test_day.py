"""24 hours of the cycle with a mishap a minute, every gap between two cycles compared with what it must be.

Here the decisions are made up and all behind them is real: the profile's policies, the encoder, the
schedule, the sender. hil/test_day.py has the whole engine behind it, which takes longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from bridge import profiles
from bridge.links.cyclic import CyclicSender
from bridge.model import CanFrame
from bridge.sinks.can import CanSink
from tests.links.day import DEAD_MAN_S, GAP_S, PERIOD_S, Armed, Day, Expected
from tests.sinks.helpers import decision, unguarded

OFFSET_S = 33 / 128  # no cycle ever begins at such a time, so who comes first is never left to chance


class EverySecond:
    """A decision each second, a new one every few seconds, which numbers itself in CCL."""

    def __init__(self, new_every: int) -> None:
        self.number = 0
        self._new_every = new_every
        self._count = 0
        self._frames: tuple[CanFrame, ...] = ()
        self._sink = CanSink("house", profiles.load("deye-lv"))
        self._next_s = 0.0
        self._falls = False

    def next_s(self) -> float:
        return self._next_s

    def run(self, sender: CyclicSender, now: float) -> Iterator[Armed]:
        self._next_s = int(now - OFFSET_S + 1) + OFFSET_S
        if self._count % self._new_every == 0:
            self.number += 1
            told = decision(time_s=now, charge_current_limit_a=(self.number % 3000) / 10)
            self._frames = self._sink.frames(told, unguarded)
        self._count += 1
        sender.arm(self._frames, DEAD_MAN_S, urgent=self._frames if self._falls else ())
        yield Armed(now, self._falls)
        self._falls = False

    def fall(self) -> None:
        self._falls = True


@pytest.fixture(scope="module")
def lived() -> Day:
    return Day(EverySecond(new_every=10)).live(24.0, seed=24)


def test_every_cycle_of_a_day_begins_when_it_should(lived: Day) -> None:
    assert lived.begun_s == Expected(lived).begun_s


def test_most_gaps_of_a_day_are_exactly_a_period_and_none_is_a_burst(lived: Day) -> None:
    gaps_s = [after - before for before, after in pairwise(lived.begun_s)]
    assert len(gaps_s) > 23 * 3600
    assert sum(gap_s == PERIOD_S for gap_s in gaps_s) > 0.95 * len(gaps_s)
    assert min(gaps_s) == GAP_S


def test_in_a_day_nothing_is_said_of_a_decision_that_is_older_than_the_dead_man(lived: Day) -> None:
    arms = iter(lived.arms)
    last, following = next(arms), next(arms)
    for begun_s in lived.begun_s:
        while following.at_s <= begun_s:
            last, following = following, next(arms, Armed(float("inf"), urgent=False))
        assert begun_s - last.at_s < DEAD_MAN_S


def test_a_day_had_everything_in_it(lived: Day) -> None:
    statistics = lived.sender.statistics()
    assert len(lived.stalls) > 400
    assert len(lived.full) == statistics.send_errors > 100
    assert statistics.dropped_cycles > len(lived.full)  # some end in their middle, with the dead man
    assert statistics.expiries > 200
    assert statistics.missed_cycles > 100
    assert sum(armed.urgent for armed in lived.arms) > 100


def test_each_cycle_of_an_hour_is_whole_and_of_the_newest_decision() -> None:
    decider, cycle, said = EverySecond(new_every=1), list[CanFrame](), list[bool]()
    day = Day(decider)

    def hear(frame: CanFrame) -> None:
        if frame.can_id == 0x351:
            assert len(cycle) in {0, 6}
            cycle.clear()
            said.append(int.from_bytes(frame.data[2:4], "little") == decider.number % 3000)
        cycle.append(frame)

    day.heard = hear
    day.run(3600.0)
    assert len(said) == 3601
    assert all(said)
