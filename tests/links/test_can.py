from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LinkError
from bridge.events import BusCounters
from bridge.links.can import WAITING_MAX, CanPort
from bridge.links.cyclic import CyclicSender
from bridge.links.error_frames import BusHealth, health_after
from bridge.links.link import Link
from bridge.links.sender import Sender
from bridge.model import CanFrame
from bridge.protocols.contract import Payload

CYCLE = (CanFrame(0x351, b"\x01"), CanFrame(0x355, b"\x02"), CanFrame(0x356, b"\x03"))
OTHER = (CanFrame(0x351, b"\x11"), CanFrame(0x355, b"\x12"), CanFrame(0x356, b"\x13"))
EXTENDED = CanFrame(0x4210, b"\x01\x02", extended=True)


def channel() -> str:
    return f"test-{uuid.uuid4()}"


# The sender in virtual time: no thread, no waiting


class World:
    """A clock that is set, a wire that notes what is put on it, and a sender between them."""

    def __init__(self, spacing_s: float = 0.0, period_s: float = 1.0, repeat_gap_s: float = 0.0) -> None:
        self.now = 0.0
        self.wire: list[tuple[float, CanFrame]] = []
        self.expiries = 0
        self.errors: list[LinkError] = []
        self.broken = False
        self.sender = CyclicSender(
            self.put,
            period_s,
            spacing_s,
            repeat_gap_s=repeat_gap_s,
            on_expired=self.expired,
            on_error=self.errors.append,
            clock=lambda: self.now,
        )
        self.sender._go_on = lambda: None  # type: ignore[method-assign]  # nobody but `run` takes steps

    def put(self, frame: CanFrame) -> None:
        if self.broken:
            raise LinkError("the transmit buffer is full")
        self.wire.append((round(self.now, 6), frame))

    def expired(self) -> None:
        self.expiries += 1

    def run(self, until_s: float) -> None:
        """Take the sender's steps as its thread would, with time jumping from one to the next."""
        while (wake_s := self.sender.step(self.now)) is not None and wake_s <= until_s:
            self.now = max(self.now, wake_s)
        self.now = until_s

    def times(self, frame: CanFrame = CYCLE[0]) -> list[float]:
        return [at_s for at_s, sent in self.wire if sent == frame]


def test_a_cycle_goes_out_each_period_in_order_and_spaced() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 10.0)
    world.run(1.5)
    assert world.wire == [
        (0.0, CYCLE[0]),
        (0.01, CYCLE[1]),
        (0.02, CYCLE[2]),
        (1.0, CYCLE[0]),
        (1.01, CYCLE[1]),
        (1.02, CYCLE[2]),
    ]


def test_nothing_is_sent_before_it_is_armed() -> None:
    world = World()
    world.run(10.0)
    assert world.wire == []


def test_without_a_fresh_arming_it_falls_silent_and_says_so_once() -> None:
    world = World()
    world.sender.arm(CYCLE, 3.0)
    world.run(100.0)
    assert world.times() == [0.0, 1.0, 2.0]
    assert world.expiries == 1
    assert world.sender.statistics().armed is False


def test_armed_again_and_again_it_goes_on() -> None:
    world = World()
    for second in range(20):
        world.sender.arm(CYCLE, 3.0)
        world.run(second + 0.7)
    assert len(world.times()) == 20
    assert world.expiries == 0


def test_new_payloads_take_over_with_the_next_cycle_and_never_within_one() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 10.0)
    world.run(0.015)
    world.sender.arm(OTHER, 10.0)
    world.run(1.5)
    assert [frame for _, frame in world.wire] == [*CYCLE, *OTHER]


def test_bad_news_goes_out_at_once_and_the_phase_stays() -> None:
    world = World()
    world.sender.arm(CYCLE, 10.0)
    world.run(0.5)
    world.sender.arm(OTHER, 10.0, urgent=OTHER[:1])
    world.run(2.5)
    assert world.times(OTHER[0]) == [0.5, 1.0, 2.0]
    assert world.times(OTHER[1]) == [1.0, 2.0]
    assert world.sender.statistics().cycles == 3


def test_of_bad_news_only_what_is_not_armed_already_goes_out_of_its_turn() -> None:
    world = World()
    world.sender.arm(CYCLE, 10.0)
    world.run(0.5)
    world.sender.arm((CYCLE[0], *OTHER[1:]), 10.0, urgent=(CYCLE[0], OTHER[1]))
    world.run(0.9)
    assert world.wire[3:] == [(0.5, OTHER[1])]


def test_bad_news_in_the_middle_of_a_cycle_comes_next_and_nothing_older_follows_it() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 10.0)
    world.run(0.015)
    world.sender.arm(OTHER, 10.0, urgent=OTHER[:1])
    world.run(1.5)
    assert world.wire == [
        (0.0, CYCLE[0]),
        (0.01, CYCLE[1]),
        (0.02, OTHER[0]),
        (0.03, OTHER[2]),
        (1.0, OTHER[0]),
        (1.01, OTHER[1]),
        (1.02, OTHER[2]),
    ]
    assert world.sender.statistics().cycles == 2


def test_bad_news_that_the_cycle_has_still_to_say_is_said_once_and_first() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 10.0)
    world.run(0.005)
    world.sender.arm(OTHER, 10.0, urgent=OTHER[2:])
    world.run(0.5)
    assert world.wire == [(0.0, CYCLE[0]), (0.01, OTHER[2]), (0.02, OTHER[1])]
    assert world.sender.statistics().cycles == 1


def test_worse_news_takes_the_place_of_the_bad_that_still_waits() -> None:
    world = World(spacing_s=0.1)
    worst = CanFrame(0x351, b"\x21")
    world.sender.arm(CYCLE, 10.0)
    world.run(0.5)
    world.sender.arm(OTHER, 10.0, urgent=OTHER)
    world.run(0.55)
    world.sender.arm((worst, *OTHER[1:]), 10.0, urgent=(worst,))
    world.run(0.9)
    assert world.wire[3:] == [(0.5, OTHER[0]), (0.6, worst), (0.7, OTHER[1]), (0.8, OTHER[2])]


def test_a_cycle_under_way_that_has_other_frames_now_ends_there() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 10.0)
    world.run(0.005)
    world.sender.arm(OTHER[:2], 10.0, urgent=OTHER[:1])
    world.run(1.5)
    assert [frame for _, frame in world.wire] == [CYCLE[0], OTHER[0], *OTHER[:2]]
    assert world.sender.statistics().dropped_cycles == 1


def test_where_an_identifier_has_a_gap_bad_news_waits_for_it_as_a_whole_cycle() -> None:
    world = World(spacing_s=0.01, repeat_gap_s=0.2)
    world.sender.arm(CYCLE, 10.0)
    world.run(0.05)
    world.sender.arm(OTHER, 10.0, urgent=OTHER[:1])
    world.run(0.9)
    assert world.wire[3:] == [(0.2, OTHER[0]), (0.21, OTHER[1]), (0.22, OTHER[2])]


@given(
    spacing_s=st.sampled_from([0.0, 0.01, 0.1]),
    story=st.lists(
        st.tuples(st.floats(0.0, 0.7), st.sets(st.sampled_from(range(3))), st.booleans()), max_size=30
    ),
)
def test_whatever_is_urgent_is_spaced_bounded_and_never_overtaken_by_something_older(
    spacing_s: float, story: list[tuple[float, set[int], bool]]
) -> None:
    world = World(spacing_s=spacing_s)
    frames = [CanFrame(frame.can_id, b"\0\0") for frame in CYCLE]
    world.sender.arm(frames, 10.0)
    for number, (wait_s, changed, urgent) in enumerate(story, 1):
        world.run(world.now + wait_s)
        for index in changed:
            frames[index] = CanFrame(frames[index].can_id, number.to_bytes(2, "big"))
        world.sender.arm(tuple(frames), 10.0, urgent=[frames[index] for index in changed] if urgent else ())
        assert len(world.sender._left) <= len(CYCLE)
        if urgent and changed:
            sent = len(world.wire)
            world.run(world.now + spacing_s * (1 + len(CYCLE)))
            now_said = {frame for _, frame in world.wire[sent:]}
            assert {frames[index] for index in changed} <= now_said
    world.run(world.now + 1.0 + 3 * spacing_s)
    assert all(after - before >= spacing_s - 1e-5 for (before, _), (after, _) in pairwise(world.wire))
    for frame in CYCLE:
        said = [one.data for _, one in world.wire if one.can_id == frame.can_id]
        assert said == sorted(said)
    assert [frame for _, frame in world.wire if frame in frames][-1:]


def test_after_a_stall_one_cycle_is_sent_and_the_missed_ones_are_counted() -> None:
    world = World()
    world.sender.arm(CYCLE, 100.0)
    world.run(0.5)
    world.now = 5.3
    world.run(7.5)
    assert world.times() == [0.0, 5.3, 6.0, 7.0]
    assert world.sender.statistics().missed_cycles == 4


def test_a_stall_beyond_the_dead_man_sends_nothing_more() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 3.0)
    world.run(0.005)
    world.now = 10.0
    world.run(20.0)
    assert world.wire == [(0.0, CYCLE[0])]
    assert (world.expiries, world.sender.statistics().dropped_cycles) == (1, 1)


def test_the_rest_of_a_cycle_that_has_become_old_is_dropped_even_if_armed_again() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 3.0)
    world.run(0.005)
    world.now = 10.0
    world.sender.arm(OTHER, 3.0)
    world.run(10.5)
    assert [frame for _, frame in world.wire] == [CYCLE[0], *OTHER]


def test_a_full_queue_drops_the_cycle_and_the_next_one_is_tried() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 100.0)
    world.run(0.005)
    world.broken = True
    world.run(2.5)
    world.broken = False
    world.sender.arm(OTHER, 100.0)
    world.run(3.5)
    assert [frame for _, frame in world.wire] == [CYCLE[0], *OTHER]
    statistics = world.sender.statistics()
    assert (statistics.send_errors, statistics.dropped_cycles, statistics.cycles) == (3, 3, 1)
    assert statistics.frames == 4
    assert statistics.last_error == "the transmit buffer is full"
    assert len(world.errors) == 3


def test_armed_with_nothing_it_is_silent_at_once() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 100.0)
    world.run(0.005)
    world.sender.arm((), 100.0)
    world.run(10.0)
    assert world.wire == [(0.0, CYCLE[0])]


def test_the_last_cycle_is_whole_and_nothing_follows_it() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 100.0)
    world.run(0.305)
    world.sender.finish(OTHER)
    assert world.sender.wait_finished(0) is False
    world.run(10.0)
    assert [frame for _, frame in world.wire] == [*CYCLE, *OTHER]
    assert world.sender.wait_finished(0) is True


def test_the_last_cycle_does_not_wait_for_the_rest_of_an_older_one() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE, 100.0)
    world.run(0.005)
    world.sender.finish(OTHER)
    world.run(10.0)
    assert world.wire[:2] == [(0.0, CYCLE[0]), (0.2, OTHER[0])]
    assert [frame for _, frame in world.wire] == [CYCLE[0], *OTHER]


def test_the_last_cycle_goes_out_even_if_none_went_before() -> None:
    world = World()
    world.sender.finish(OTHER)
    world.run(10.0)
    assert [frame for _, frame in world.wire] == list(OTHER)


def test_a_last_cycle_that_cannot_be_sent_is_given_up() -> None:
    world = World()
    world.broken = True
    world.sender.finish(OTHER)
    world.run(10.0)
    assert world.sender.wait_finished(0) is True
    assert world.wire == []


def test_a_last_cycle_of_nothing_is_over_at_once() -> None:
    world = World()
    world.sender.finish(())
    assert world.sender.wait_finished(0) is True


def test_a_frame_under_way_while_finishing_does_not_pass_for_the_last_cycle() -> None:
    world = World(spacing_s=0.01)
    world.sender.arm(CYCLE[:1], 100.0)
    put = world.put

    def put_and_finish(frame: CanFrame) -> None:
        put(frame)
        world.sender.finish(OTHER)

    world.sender._send = put_and_finish
    world.run(10.0)
    assert [frame for _, frame in world.wire] == [CYCLE[0], *OTHER]


def test_after_finish_and_after_stop_nothing_arms_it_again() -> None:
    finished, stopped = World(), World()
    finished.sender.finish(CYCLE)
    stopped.sender.stop()
    for world in (finished, stopped):
        world.run(5.0)
        count = len(world.wire)
        world.sender.arm(OTHER, 100.0)
        world.sender.finish(OTHER)
        world.run(10.0)
        assert len(world.wire) == count
        assert world.sender.wait_finished(0) is True


def test_the_interval_error_is_measured() -> None:
    world = World()
    world.sender.arm(CYCLE, 100.0)
    assert world.sender.statistics().interval_error_p99_s is None
    for late_s in (0.0, 0.01, 0.01, 0.04):
        world.now = round(world.now) + late_s
        for _ in CYCLE:
            world.sender.step(world.now)
        world.now = round(world.now) + 1.0
    statistics = world.sender.statistics()
    assert statistics.cycles == 4
    assert statistics.interval_error_p50_s == pytest.approx(0.01)
    assert statistics.interval_error_max_s == pytest.approx(0.03)


# The sender's thread, in real time


def test_the_thread_keeps_the_cycle_and_falls_silent_by_itself() -> None:
    wire: list[CanFrame] = []
    expired = threading.Event()
    sender: Sender = CyclicSender(wire.append, 0.02, on_expired=expired.set)
    sender.arm(CYCLE, 0.15)
    sender.arm(CYCLE, 0.15)
    assert expired.wait(2.0)
    count = len(wire)
    sender.stop()
    assert count == len(wire)
    assert 1 <= count <= 3 * 8
    assert wire == (list(CYCLE) * 8)[:count]


def test_the_thread_sends_the_last_cycle_and_ends() -> None:
    wire: list[CanFrame] = []
    sender = CyclicSender(wire.append, 10.0, 0.001)
    sender.finish(OTHER)
    assert sender.wait_finished(2.0)
    sender._thread.join(2.0)
    assert wire == list(OTHER)
    assert not sender._thread.is_alive()


def test_stop_ends_a_thread_that_waits_for_its_next_cycle() -> None:
    wire: list[CanFrame] = []
    sender = CyclicSender(wire.append, 100.0)
    sender.arm(CYCLE, 1000.0)
    sender.stop()
    assert not sender._thread.is_alive()
    assert len(wire) <= 3


def test_a_frozen_process_that_wakes_up_late_says_nothing_old() -> None:
    now = [0.0]
    wire: list[CanFrame] = []
    sender = CyclicSender(wire.append, 1.0, clock=lambda: now[0])
    sender.arm(CYCLE, 3.0)
    sender._wake.set()
    wait_until(lambda: len(wire) == 3)
    now[0] = 60.0
    sender._wake.set()
    wait_until(lambda: sender.statistics().expiries == 1)
    sender.stop()
    assert wire == list(CYCLE)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 2.0
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen within 2 s"
        threading.Event().wait(0.001)


# The port, on python-can's bus within the process


@contextmanager
def peer(name: str) -> Iterator[can.BusABC]:
    with can.Bus(interface="virtual", channel=name, ignore_config=True) as bus:
        yield bus


class Held:
    """A port that is held open for the length of a test, and what it hands over."""

    def __init__(self, port: CanPort) -> None:
        self.port = port
        self.received: list[Payload] = []
        self.up = asyncio.Event()
        self.arrived = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Held:
        self.task = asyncio.create_task(self.port.run(self.up.set, self._receive))
        await asyncio.wait_for(self.up.wait(), 2.0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def _receive(self, payload: Payload) -> None:
        self.received.append(payload)
        self.arrived.set()


def test_frames_go_both_ways() -> None:
    async def story() -> None:
        name = channel()
        with peer(name) as other:
            port = CanPort("virtual", name, 500_000)
            async with Held(port) as held:
                other.send(can.Message(arbitration_id=0x305, is_extended_id=False, data=bytes(8)))
                await asyncio.wait_for(held.arrived.wait(), 2.0)
                port.send(CYCLE[0])
                port.write(EXTENDED)
                first, second = other.recv(2.0), other.recv(2.0)
        assert held.received == [CanFrame(0x305, bytes(8))]
        assert first is not None
        assert second is not None
        assert (first.arbitration_id, first.is_extended_id, bytes(first.data)) == (0x351, False, b"\x01")
        assert (second.arbitration_id, second.is_extended_id) == (0x4210, True)
        assert (port.statistics.received, port.statistics.sent) == (1, 2)

    asyncio.run(story())


def test_what_is_no_plain_frame_is_counted_and_not_handed_over() -> None:
    async def story() -> None:
        name = channel()
        with peer(name) as other:
            port = CanPort("virtual", name, 500_000)
            async with Held(port) as held:
                other.send(
                    can.Message(arbitration_id=0x351, is_remote_frame=True, dlc=8, is_extended_id=False)
                )
                other.send(can.Message(arbitration_id=0x351, is_fd=True, data=bytes(8), is_extended_id=False))
                other.send(can.Message(arbitration_id=0x20, is_error_frame=True, data=bytes(8)))
                other.send(can.Message(arbitration_id=0x305, is_extended_id=False))
                await asyncio.wait_for(held.arrived.wait(), 2.0)
        assert held.received == [CanFrame(0x305, b"")]
        statistics = port.statistics
        assert (statistics.remote_frames, statistics.fd_frames) == (1, 1)
        assert (statistics.error_frames, statistics.no_acknowledge) == (1, 1)

    asyncio.run(story())


def test_what_the_kernel_hands_back_of_our_own_is_no_proof_that_the_bus_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        messages = [can.Message(arbitration_id=0x351, is_rx=False), can.Message(arbitration_id=0x305)]
        monkeypatch.setattr(can, "Bus", Failing)
        monkeypatch.setattr(
            Failing, "_recv_internal", lambda _self, timeout: (messages.pop(0) if messages else None, False)
        )
        port = CanPort("virtual", channel(), 500_000)
        async with Held(port) as held:
            while len(held.received) < 2:
                await asyncio.sleep(0.001)
        assert (port.statistics.received, port.statistics.heard) == (2, 1)

    asyncio.run(story())


def test_bus_off_and_recovery_are_reported_once_each() -> None:
    async def story() -> None:
        name = channel()
        seen: list[BusHealth] = []
        with peer(name) as other:
            port = CanPort("virtual", name, 500_000, on_health=seen.append)
            async with Held(port) as held:
                passive = bytes.fromhex("0020000000000000")
                for error_class, data in (
                    (0x04, passive),
                    (0x40, bytes(8)),
                    (0x40, bytes(8)),
                    (0x100, bytes(8)),
                ):
                    other.send(can.Message(arbitration_id=error_class, is_error_frame=True, data=data))
                other.send(can.Message(arbitration_id=0x305, is_extended_id=False))
                await asyncio.wait_for(held.arrived.wait(), 2.0)
        assert seen == [BusHealth.PASSIVE, BusHealth.BUS_OFF, BusHealth.OK]
        assert port.statistics.bus_offs == 1

    asyncio.run(story())


def test_a_bus_that_is_opened_again_starts_in_good_health() -> None:
    async def story() -> None:
        port = CanPort("virtual", channel(), 500_000)
        port.statistics.health = BusHealth.BUS_OFF
        async with Held(port):
            assert port.statistics.health is BusHealth.OK

    asyncio.run(story())


def test_a_controller_of_the_kernels_stays_as_it_is_when_the_port_is_closed_and_opened() -> None:
    async def story() -> None:
        told: list[BusHealth] = []
        port = CanPort("virtual", channel(), 500_000, on_health=told.append)
        port._lasts = True
        port.statistics.health = BusHealth.BUS_OFF
        async with Held(port):
            assert port.statistics.health is BusHealth.BUS_OFF
        assert told == [BusHealth.BUS_OFF]

    asyncio.run(story())


def test_an_interface_that_went_down_comes_back_with_a_new_controller_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        told: list[BusHealth] = []
        port = CanPort("virtual", channel(), 500_000, on_health=told.append)
        port._lasts = True
        with monkeypatch.context() as broken:
            broken.setattr(can, "Bus", Failing)
            with pytest.raises(LinkError):
                await port.run(lambda: None, lambda _: None)
        port.statistics.health = BusHealth.BUS_OFF
        async with Held(port):
            assert port.statistics.health is BusHealth.OK
        assert told == [BusHealth.OK]

    asyncio.run(story())


def test_what_error_frames_complain_of_is_counted_each_second() -> None:
    async def story() -> None:
        name = channel()
        seen: list[BusCounters] = []
        with peer(name) as other:
            port = CanPort("virtual", name, 500_000, on_counted=seen.append)
            async with Held(port):
                for error_class, data in (
                    (0x20C, "0001000000000560"),
                    (0x88, "00"),
                    (0x20, ""),
                    (0x04, "0010"),
                ):
                    other.send(
                        can.Message(arbitration_id=error_class, is_error_frame=True, data=bytes.fromhex(data))
                    )
                other.send(can.Message(arbitration_id=0x305, is_extended_id=False, data=bytes(8)))
                while not seen:
                    await asyncio.sleep(0.05)
        assert seen[0] == BusCounters(
            received=1, heard=1, bits=111, error_frames=4, no_acknowledge=1, protocol_errors=2, overruns=1,
            health="passive", deaf=True, tx_errors=5, rx_errors=0x60,
        )  # fmt: skip

    asyncio.run(story())


def test_frames_that_nobody_takes_do_not_pile_up() -> None:
    async def story() -> None:
        name = channel()
        with peer(name) as other:
            port = CanPort("virtual", name, 500_000)
            async with Held(port) as held:
                for _ in range(WAITING_MAX + 500):
                    other.send(can.Message(arbitration_id=0x123, is_extended_id=False))
                wait_until(lambda: port.statistics.received == WAITING_MAX + 500)  # the loop is held up
                await asyncio.sleep(0)
                assert len(held.received) == WAITING_MAX
                assert port.statistics.dropped == 500
                other.send(can.Message(arbitration_id=0x305, is_extended_id=False))
                held.arrived.clear()
                await asyncio.wait_for(held.arrived.wait(), 2.0)
        assert held.received[-1] == CanFrame(0x305, b"")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("before", "error_class", "data", "after"),
    [
        (BusHealth.OK, 0x04, "0008000000000000", BusHealth.WARNING),
        (BusHealth.WARNING, 0x04, "0020000000000000", BusHealth.PASSIVE),
        (BusHealth.PASSIVE, 0x44, "0020000000000000", BusHealth.BUS_OFF),
        (BusHealth.BUS_OFF, 0x100, "", BusHealth.OK),
        (BusHealth.PASSIVE, 0x04, "0040000000000000", BusHealth.OK),
        (BusHealth.PASSIVE, 0x04, "00", BusHealth.PASSIVE),
        (BusHealth.WARNING, 0x20, "0000000000000000", BusHealth.WARNING),
        (BusHealth.WARNING, 0x04, "0001000000000000", BusHealth.WARNING),
    ],
)
def test_error_frames_tell_the_buss_health(
    before: BusHealth, error_class: int, data: str, after: BusHealth
) -> None:
    assert health_after(before, error_class, bytes.fromhex(data)) is after


def test_a_bus_that_is_not_open_takes_nothing_and_says_so() -> None:
    port = CanPort("virtual", channel(), 500_000)
    port.write(CYCLE[0])
    with pytest.raises(LinkError, match="the bus is not open"):
        port.send(CYCLE[0])


@pytest.mark.parametrize("interface", ["no-such-interface", "socketcan"])
def test_a_bus_that_cannot_be_opened_is_a_link_error_that_names_it(interface: str) -> None:
    port = CanPort(interface, "nowhere0", 500_000)
    with pytest.raises(LinkError, match=f"{interface}:nowhere0: "):
        asyncio.run(port.run(lambda: None, lambda _: None))


class Failing(can.BusABC):
    """A bus that breaks on the first read, and refuses every frame."""

    channel_info = "failing"

    def __init__(self, **_: object) -> None:
        super().__init__(channel="failing")

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        raise can.CanOperationError("network is down", 100)

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        raise can.CanOperationError("transmit buffer full")


def test_a_bus_that_fails_ends_run_with_a_link_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(can, "Bus", Failing)
    port = CanPort("virtual", "any", 500_000)
    with pytest.raises(LinkError, match="virtual:any: network is down"):
        asyncio.run(port.run(lambda: None, lambda _: None))


def test_a_frame_that_is_not_taken_is_counted_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(can, "Bus", Failing)
    monkeypatch.setattr(Failing, "_recv_internal", lambda _self, timeout: (None, False))

    async def story() -> None:
        port = CanPort("virtual", "any", 500_000)
        async with Held(port):
            with pytest.raises(LinkError, match="virtual:any: transmit buffer full"):
                port.send(CYCLE[0])
        assert port.statistics.send_errors == 1

    asyncio.run(story())


def test_closed_and_opened_again_it_works_again() -> None:
    async def story() -> None:
        name = channel()
        port = CanPort("virtual", name, 500_000)
        with peer(name) as other:
            for _ in range(2):
                async with Held(port):
                    port.send(CYCLE[0])
                    assert other.recv(2.0) is not None
            with pytest.raises(LinkError):
                port.send(CYCLE[0])

    asyncio.run(story())


def test_sender_and_port_together_put_cycles_on_the_bus() -> None:
    async def story() -> None:
        name = channel()
        port = CanPort("virtual", name, 500_000)
        link: Link = port
        with peer(name) as other:
            async with Held(port):
                sender = CyclicSender(port.send, 0.05, 0.001)
                sender.arm(CYCLE, 5.0)
                found = [await asyncio.to_thread(other.recv, 2.0) for _ in range(6)]
                sender.stop()
        assert link is port
        assert [message.arbitration_id for message in found if message] == [0x351, 0x355, 0x356] * 2

    asyncio.run(story())
