"""What is told to the kernel's broadcast manager; a socket pair stands in for it (hil/ has the real one)."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise

from bridge.errors import LinkError
from bridge.links.bcm import HEAD, TX_EXPIRED, BcmSender, setup
from bridge.model import CanFrame

CYCLE = (CanFrame(0x351, bytes(range(8))), CanFrame(0x355, b"\x32\x00\x64\x00"), CanFrame(0x359, b"\x01"))
WORSE = (CanFrame(0x351, bytes(8)), *CYCLE[1:])
START, REFILL = 0x0F, 0x05  # SETTIMER, STARTTIMER, TX_COUNTEVT, TX_ANNOUNCE; SETTIMER, TX_COUNTEVT


@dataclass(frozen=True)
class Told:
    """One message to the kernel, taken apart as <linux/can/bcm.h> lays it out on a 64-bit machine."""

    flags: int
    count: int
    interval_s: float
    second_interval_s: float
    frames: tuple[tuple[int, bytes], ...]

    @classmethod
    def of(cls, message: bytes) -> Told:
        opcode, flags, count = struct.unpack_from("<III", message, 0)
        s1, us1, s2, us2 = struct.unpack_from("<qqqq", message, 16)
        can_id, size = struct.unpack_from("<II", message, 48)
        assert (opcode, len(message)) == (1, 56 + 16 * size)
        parts = [message[at : at + 16] for at in range(56, len(message), 16)]
        frames = tuple((int.from_bytes(part[:4], "little"), part[8 : 8 + part[4]]) for part in parts)
        assert frames[0][0] == can_id
        return cls(flags, count, s1 + us1 / 1e6, s2 + us2 / 1e6, frames)


class Kernel:
    """The other end of the sockets that a sender opens, and what it was told on each."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []
        self.missing = False
        self.sent: list[CanFrame] = []
        self.expired: list[None] = []
        self.errors: list[LinkError] = []
        self.sender = BcmSender(
            "can0", 1.0, self.sent.append, connect=self._connect,
            on_expired=lambda: self.expired.append(None), on_error=self.errors.append,
        )  # fmt: skip

    def _connect(self, channel: str) -> socket.socket:
        if self.missing:
            raise OSError(19, "No such device")
        assert channel == "can0"
        ours, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end.setblocking(False)
        self.ends.append(end)
        return ours

    def told(self) -> list[Told]:
        found: list[Told] = []
        while True:
            try:
                message = self.ends[-1].recv(4096)
            except BlockingIOError:
                return found
            if not message:
                return found
            found.append(Told.of(message))

    def expire(self) -> None:
        self.ends[-1].send(HEAD.pack(TX_EXPIRED, 0, 0, 0, 0, 0, 0, 0x351, 0))

    def closed(self) -> bool:
        """Whether the sender let go of its last socket: what ends an operation."""
        self.told()
        try:
            return self.ends[-1].recv(1) == b""
        except BlockingIOError:
            return False


def play(story: Callable[[Kernel], Awaitable[None]]) -> None:
    async def whole() -> None:
        kernel = Kernel()
        try:
            await story(kernel)
        finally:
            kernel.sender.stop()
            for end in kernel.ends:
                end.close()

    asyncio.run(whole())


def test_a_cycle_is_one_operation_that_ends_by_itself() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        frames = tuple((frame.can_id, frame.data) for frame in CYCLE)
        assert kernel.told() == [Told(START, 9, 0.333333, 0.0, frames)]

    play(story)


def test_each_decision_swaps_the_frames_and_refills_the_count_without_touching_the_phase() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        kernel.sender.arm(WORSE, 3.0)
        told = kernel.told()
        assert [(one.flags, one.count) for one in told] == [(START, 9), (REFILL, 9)]
        assert told[1].frames[0] == (0x351, bytes(8))

    play(story)


def test_no_more_cycles_are_armed_than_fit_but_one_at_least() -> None:
    async def story(kernel: Kernel) -> None:
        for valid_for_s in (0.1, 1.99, 2.0):
            kernel.sender.arm(CYCLE, valid_for_s)
        assert [one.count for one in kernel.told()] == [3, 3, 6]

    play(story)


def test_after_an_expiry_it_says_so_and_the_next_arming_starts_the_timer_again() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        kernel.expire()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(kernel.expired) == 1
        kernel.sender.arm(CYCLE, 3.0)
        kernel.sender.arm(CYCLE, 3.0)
        assert [one.flags for one in kernel.told()] == [START, START, REFILL]

    play(story)


def test_an_expiry_that_nobody_has_read_yet_is_read_before_arming() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        kernel.expire()
        kernel.sender.arm(CYCLE, 3.0)
        assert [one.flags for one in kernel.told()] == [START, START]

    play(story)


def test_bad_news_also_goes_out_at_once_and_only_what_changed() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0, urgent=CYCLE)
        assert kernel.sent == []
        kernel.sender.arm(WORSE, 3.0, urgent=WORSE)
        assert kernel.sent == [WORSE[0]]

    play(story)


def test_what_goes_out_of_its_turn_is_spaced_and_nothing_older_follows() -> None:
    async def story(kernel: Kernel) -> None:
        times_s: list[float] = []
        kernel.sender._spacing_s = 0.02

        def put(frame: CanFrame) -> None:
            times_s.append(asyncio.get_running_loop().time())
            kernel.sent.append(frame)

        kernel.sender._send = put
        worse = tuple(CanFrame(frame.can_id, b"\x11") for frame in CYCLE)
        worst = (worse[0], *(CanFrame(frame.can_id, b"\x22") for frame in CYCLE[1:]))
        kernel.sender.arm(CYCLE, 3.0)
        kernel.sender.arm(worse, 3.0, urgent=worse)
        assert kernel.sent == [worse[0]]
        kernel.sender.arm(worst, 3.0)
        await asyncio.sleep(0.1)
        assert kernel.sent == list(worst)
        assert all(after - before >= 0.02 for before, after in pairwise(times_s))
        kernel.sender.arm(CYCLE, 3.0, urgent=CYCLE)
        kernel.sender.arm((), 3.0)
        await asyncio.sleep(0.05)
        assert kernel.sent == [*worst, CYCLE[0]]

    play(story)


def test_an_identifier_that_may_not_come_faster_keeps_to_its_place() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender._keeps_place = True
        kernel.sender.arm(CYCLE, 3.0)
        kernel.sender.arm(WORSE, 3.0, urgent=WORSE)
        assert kernel.sent == []

    play(story)


def test_armed_with_nothing_it_is_silent_at_once() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        kernel.sender.arm((), 3.0)
        assert kernel.closed()
        kernel.sender.arm(CYCLE, 3.0)
        assert [one.flags for one in kernel.told()] == [START]

    play(story)


def test_another_number_of_frames_is_another_operation_and_ends_the_old_one() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        first = kernel.ends[0]
        first.recv(4096)
        kernel.sender.arm(CYCLE[:2], 3.0)
        assert first.recv(1) == b""
        assert [(one.flags, one.count) for one in kernel.told()] == [(START, 6)]

    play(story)


def test_an_interface_that_is_missing_is_an_error_and_tried_again() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.missing = True
        kernel.sender.arm(CYCLE, 3.0)
        assert "No such device" in str(kernel.errors[0])
        kernel.missing = False
        kernel.sender.arm(CYCLE, 3.0)
        assert [one.flags for one in kernel.told()] == [START]

    play(story)


def test_an_operation_whose_interface_went_down_is_begun_anew() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        kernel.ends[0].close()
        kernel.sender.arm(CYCLE, 3.0)
        assert len(kernel.errors) == 1
        assert [one.flags for one in kernel.told()] == [START]

    play(story)


def test_the_last_cycle_is_sent_frame_by_frame_when_the_operation_is_over() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        kernel.sender.finish(WORSE)
        assert kernel.closed()
        assert await asyncio.to_thread(kernel.sender.wait_finished, 5.0)
        assert kernel.sent == list(WORSE)
        kernel.sender.arm(CYCLE, 3.0)
        assert len(kernel.ends) == 1

    play(story)


def test_a_last_cycle_that_cannot_be_sent_is_given_up() -> None:
    def refuse(frame: CanFrame) -> None:
        raise LinkError("the bus is not open")

    async def story() -> None:
        sender = BcmSender("can0", 1.0, refuse)
        sender.finish(CYCLE)
        assert await asyncio.to_thread(sender.wait_finished, 5.0)
        assert sender.statistics.last_error == "the bus is not open"

    asyncio.run(story())


def test_stop_is_silence_at_once_and_for_good() -> None:
    async def story(kernel: Kernel) -> None:
        kernel.sender.arm(CYCLE, 3.0)
        kernel.sender.stop()
        assert kernel.closed()
        kernel.sender.arm(CYCLE, 3.0)
        kernel.sender.finish(CYCLE)
        assert kernel.sender.wait_finished(0)
        assert (len(kernel.ends), kernel.sent) == (1, [])

    play(story)


def test_long_identifiers_carry_their_flag() -> None:
    message = setup([CanFrame(0x1881EF, b"\x01", extended=True)], 1.0, 1, START)
    assert Told.of(message).frames == ((0x801881EF, b"\x01"),)
