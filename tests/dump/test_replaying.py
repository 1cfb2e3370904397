"""Replay in virtual time: a clock that is set, wires that note what is put on them and when."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.dump.block import ERROR, FD, REMOTE, Block, block_of
from bridge.dump.replaying import GIVE_UP_S, Due, Player, RivalError, Rounds, Summary, keys_of
from bridge.errors import LinkError
from bridge.model import CanFrame

LIMITS, CHARGE = CanFrame(0x351, b"\x01\x02"), CanFrame(0x355, b"\x03")
ALIVE = CanFrame(0x305, bytes(8))
Timed = tuple[float, CanFrame]


class Bus:
    """A clock and a wire. costs_s: what sending takes. others: what somebody else says, and when."""

    def __init__(self, *, costs_s: Callable[[], float] = lambda: 0.0, others: Iterable[Timed] = ()) -> None:
        self.time_s = 1000.0
        self.sent: list[Timed] = []
        self.remote: list[CanFrame] = []
        self.full_until_s = -math.inf
        self.echoes = False
        self._costs_s = costs_s
        self._others = sorted(others, key=lambda one: one[0])

    def now(self) -> float:
        return self.time_s

    def wait_until(self, time_s: float) -> None:
        self.time_s = max(self.time_s, time_s)

    def send(self, frame: CanFrame, *, remote: bool = False) -> None:
        self.time_s += self._costs_s()
        if self.time_s < self.full_until_s:
            raise LinkError("the transmit buffer is full")
        self.sent.append((round(self.time_s - 1000.0, 9), frame))
        if remote:
            self.remote.append(frame)
        if self.echoes:
            self._others.insert(0, (self.time_s - 1000.0, frame))

    def heard(self) -> list[CanFrame]:
        come = [one for one in self._others if one[0] <= self.time_s - 1000.0]
        self._others = self._others[len(come) :]
        return [frame for _, frame in come]


def rounds(*blocks: Block, speed: float = 1.0, times: float = 1) -> Rounds:
    return Rounds(lambda: blocks, lambda _: "can0", speed=speed, rounds=times)


def played(bus: Bus, dues: Iterable[Due], *, alone: bool = True) -> Summary:
    summary = Summary()
    Player({"can0": bus}, bus, alone=alone).play(dues, summary)
    return summary


CYCLES = block_of([(50.0 + second, frame) for second in range(4) for frame in (LIMITS, CHARGE)])


def test_each_frame_is_sent_at_its_own_moment_since_the_start() -> None:
    bus = Bus()
    log = block_of([(7.0, LIMITS), (7.02, CHARGE), (9.5, ALIVE)])
    summary = played(bus, rounds(log))
    assert bus.sent == [(0.0, LIMITS), (0.02, CHARGE), (2.5, ALIVE)]
    assert (summary.sent["can0"], summary.late, summary.planned_s) == (3, 0, 2.5)


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=60), st.sampled_from([0.5, 1.0, 4.0, 10.0]))
def test_the_order_and_the_times_are_the_logs_at_any_speed(steps: list[float], speed: float) -> None:
    times = np.cumsum(steps).tolist()
    bus = Bus()
    played(bus, rounds(block_of([(time_s, CanFrame(n, b"")) for n, time_s in enumerate(times)]), speed=speed))
    assert [frame.can_id for _, frame in bus.sent] == list(range(len(times)))
    assert [at_s for at_s, _ in bus.sent] == pytest.approx(
        [(one - times[0]) / speed for one in times], abs=1e-6
    )


def test_what_is_late_is_caught_up_and_hours_do_not_drift() -> None:
    hours = block_of([(0.1 * n, LIMITS) for n in range(36_000)])
    stalls = iter([0.0] * 100 + [3.0] + [0.0] * 100_000)
    bus = Bus(costs_s=lambda: next(stalls) + 0.001)
    summary = played(bus, rounds(hours))
    assert bus.sent[-1][0] == pytest.approx(3599.9, abs=0.0011)
    assert summary.latest_s == pytest.approx(3.0, abs=0.2)
    assert 20 < summary.late < 40
    assert [at_s for at_s, _ in bus.sent] == sorted(at_s for at_s, _ in bus.sent)


def test_rounds_follow_each_other_at_the_logs_own_period() -> None:
    bus = Bus()
    summary = played(bus, again := rounds(CYCLES, times=3))
    moments = [at_s for at_s, frame in bus.sent if frame == LIMITS]
    assert moments == [float(second) for second in range(12)]
    assert (again.done, summary.sent.total()) == (3, 24)


def test_a_loop_goes_on_for_ever() -> None:
    dues = list(islice(rounds(CYCLES, times=math.inf), 8_000))
    assert dues[-1].at_s == 3999.0


def test_a_single_frame_is_repeated_each_second() -> None:
    dues = list(rounds(block_of([(5.0, LIMITS)]), times=3))
    assert [due.at_s for due in dues] == [0.0, 1.0, 2.0]


def test_of_an_empty_log_a_loop_ends() -> None:
    assert list(rounds(block_of([]), times=math.inf)) == []


def test_a_clock_that_was_set_back_makes_nobody_wait() -> None:
    log = block_of([(100.0, LIMITS), (101.0, LIMITS), (10.0, LIMITS), (11.0, LIMITS)])
    assert [due.at_s for due in rounds(log)] == [0.0, 1.0, 1.0, 2.0]


def test_a_log_without_times_is_sent_in_even_steps() -> None:
    log = block_of([(math.nan, frame) for frame in (LIMITS, CHARGE, ALIVE)])
    assert [due.at_s for due in rounds(log)] == pytest.approx([0.0, 0.01, 0.02])


def test_error_and_fd_frames_are_not_sent_and_counted_and_remote_ones_are_remote() -> None:
    log = block_of([(0.0, LIMITS), (1.0, CHARGE), (2.0, ALIVE), (3.0, ALIVE)], flags=[0, ERROR, FD, REMOTE])
    bus = Bus()
    played(bus, once := rounds(log))
    assert [at_s for at_s, _ in bus.sent] == [0.0, 3.0]
    assert bus.remote == [ALIVE]
    assert once.skipped == {"error frames": 1, "CAN FD frames": 1}


def test_only_channels_that_are_mapped_are_sent_each_to_its_own_bus() -> None:
    both = block_of([(0.0, LIMITS), (1.0, CHARGE), (2.0, ALIVE)], channels=("a", "b", "c"))
    both.channel[:] = [0, 1, 2]
    dues = Rounds(lambda: [both], {"a": "x", "b": "y"}.get)
    assert [(due.channel, due.frame) for due in dues] == [("x", LIMITS), ("y", CHARGE)]
    assert dues.skipped == {"of another channel": 1}
    assert keys_of([both], {"a": "x", "b": "y"}.get) == {"x": {(0x351, False)}, "y": {(0x355, False)}}


# Somebody else


PLANNED = {"can0": {(0x351, False), (0x355, False)}}


def test_a_living_battery_on_the_bus_is_heard_before_a_frame_is_sent() -> None:
    bus = Bus(others=[(0.4, ALIVE), (1.2, LIMITS)])
    player = Player({"can0": bus}, bus)
    with pytest.raises(RivalError, match="can0: somebody else sends 351"):
        player.listen(3.0, PLANNED)
    assert bus.sent == []


def test_what_others_send_that_is_not_in_the_dump_is_no_rival() -> None:
    bus = Bus(others=[(0.1 * n, ALIVE) for n in range(100)])
    player = Player({"can0": bus}, bus)
    player.listen(3.0, PLANNED)
    player.play(rounds(CYCLES), Summary())
    assert len(bus.sent) == 8


def test_an_identifier_that_was_heard_is_not_sent_either_when_the_dump_could_not_be_looked_through() -> None:
    bus = Bus(others=[(0.5, CHARGE)])
    player = Player({"can0": bus}, bus)
    player.listen(1.0, {})
    with pytest.raises(RivalError, match="355"):
        player.play(rounds(CYCLES), Summary())
    assert [frame for _, frame in bus.sent] == [LIMITS]


def test_a_battery_that_comes_while_we_send_stops_us_at_once() -> None:
    bus = Bus(others=[(1.5, CanFrame(0x351, b"\xff\xff"))])
    with pytest.raises(RivalError, match="351"):
        played(bus, rounds(CYCLES))
    assert bus.sent[-1][0] == 1.0


def test_the_interfaces_own_echo_is_no_rival() -> None:
    bus = Bus()
    bus.echoes = True
    assert played(bus, rounds(CYCLES)).sent.total() == 8


def test_who_is_told_to_sends_beside_another_one() -> None:
    bus = Bus(others=[(0.5, LIMITS), (1.5, CanFrame(0x351, b"\xff"))])
    player = Player({"can0": bus}, bus, alone=False)
    player.listen(1.0, PLANNED)
    player.play(rounds(CYCLES), Summary())
    assert len(bus.sent) == 8


# A bus that takes nothing


def test_a_queue_that_is_full_for_a_moment_is_waited_for() -> None:
    bus = Bus()
    bus.full_until_s = 1000.2
    summary = played(bus, rounds(CYCLES))
    assert bus.sent[0][0] == pytest.approx(0.2, abs=0.01)
    assert len(bus.sent) == 8
    assert summary.tries_again > 10


def test_a_bus_that_takes_nothing_is_given_up() -> None:
    bus = Bus()
    bus.full_until_s = math.inf
    with pytest.raises(LinkError, match="full"):
        played(bus, rounds(CYCLES))
    assert bus.time_s - 1000.0 == pytest.approx(GIVE_UP_S, abs=0.01)
