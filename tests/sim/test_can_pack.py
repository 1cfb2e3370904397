"""Simulated packs on a bus, and what their faults make of their frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bridge.links.can import CanPort
from bridge.model import CanFrame, Reading
from bridge.protocols.contract import Payload
from bridge.sim.can_pack import CanPack, CanPacks
from bridge.sim.faults import Fault
from bridge.sim.sleep import Sleep

QUESTION = CanFrame(0x100, b"?")
READING: Reading = {"voltage_v": 52.8}


class Echo:
    """Answers each frame with four of its own; says one every tick."""

    tick_s = 0.05

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        return [CanFrame(0x200 + n, bytes(8)) for n in range(4)]

    def tick(self, reading: Reading) -> list[Payload]:
        return [CanFrame(0x300, bytes((int(reading["voltage_v"] or 0),)))]


def pack(fault: Fault | None = None, *, talks: bool = False, sleep: Sleep | None = None) -> CanPack:
    one = CanPack(Echo(), lambda: READING, talks=talks, sleep=sleep)
    one.fault = fault
    return one


def test_a_frame_is_answered() -> None:
    assert [frame.can_id for frame in pack().hear(QUESTION, 0.0)] == [0x200, 0x201, 0x202, 0x203]


def test_noise_is_frames_of_nobody() -> None:
    assert all(frame.can_id >= 0x7F0 for frame in pack(Fault.NOISE).hear(QUESTION, 0.0))


def test_truncated_frames_are_short_and_right_as_far_as_they_go() -> None:
    heard = pack(Fault.TRUNCATION).hear(QUESTION, 0.0)
    assert [frame.can_id for frame in heard] == [0x200, 0x201, 0x202, 0x203]
    assert all(len(frame.data) < 8 for frame in heard)


def test_frames_with_a_wrong_checksum_never_arrive() -> None:
    spoilt = pack(Fault.CHECKSUM)
    counts = {len(spoilt.hear(QUESTION, 0.0)) for _ in range(50)}
    assert min(counts) < 4
    assert max(counts) <= 4


def test_a_stranger_sends_what_its_neighbour_sent_last() -> None:
    one = pack(Fault.STRANGER)
    one.stranger = lambda: (CanFrame(0x400, b"x"),)
    assert one.hear(QUESTION, 0.0) == [CanFrame(0x400, b"x")]


def test_a_dead_pack_neither_answers_nor_talks() -> None:
    dead = pack(talks=True)
    dead.silent = True
    assert dead.hear(QUESTION, 0.0) + dead.tick(0.0) == []


def test_only_packs_that_are_told_to_talk_do() -> None:
    assert pack(talks=True).tick(0.0) == [CanFrame(0x300, b"\x34")]
    assert pack().tick(0.0) == []


def test_the_first_question_after_a_pause_only_wakes() -> None:
    sleepy = pack(sleep=Sleep(20.0))
    assert sleepy.hear(QUESTION, 100.0) == []
    assert len(sleepy.hear(QUESTION, 100.3)) == 4
    assert len(sleepy.hear(QUESTION, 119.0)) == 4
    assert sleepy.hear(QUESTION, 160.0) == []


@pytest.mark.parametrize("talks", [True, False])
def test_on_a_bus_it_answers_and_talks(talks: bool) -> None:
    async def story() -> set[int]:
        heard: set[int] = set()
        ear = CanPort("virtual", f"can-packs-{talks}", 500_000)
        bus = CanPacks(CanPort("virtual", f"can-packs-{talks}", 500_000), [pack(talks=talks)])
        up = asyncio.Event()
        tasks = [asyncio.create_task(bus.run(up.set)), asyncio.create_task(ear.run(_nothing, _ids(heard)))]
        await up.wait()
        wanted = {0x200, 0x201, 0x202, 0x203} | ({0x300} if talks else set())
        async with asyncio.timeout(5.0):
            while not wanted <= heard:
                ear.write(QUESTION)
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return heard - wanted

    assert asyncio.run(story()) == set()


def _nothing() -> None:
    """For who need not know."""


def _ids(heard: set[int]) -> Callable[[Payload], None]:
    def receive(payload: Payload) -> None:
        assert isinstance(payload, CanFrame)
        heard.add(payload.can_id)

    return receive
