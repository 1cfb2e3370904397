"""One link held open, and the drivers that talk over it, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from bridge.conversation import held
from bridge.errors import LinkError
from bridge.meeting import Way
from bridge.protocols.contract import Payload, load
from bridge.sources.bus import Informed, Reopen, Sampled
from tests.wires import Board, World, board, play

PORT = "/dev/ttyTEST"


class Breaking:
    """A link that opens, hands over one chunk, and fails."""

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        up()
        receive(b"\x00")
        await asyncio.sleep(1.0)
        raise LinkError("pulled out")

    def write(self, payload: Payload) -> None:
        del payload


def way(bms: str) -> Way:
    return Way(PORT, load(bms))


def outputs(bms: str, world: World, seconds: float) -> list[Sampled | Informed | Reopen]:
    """What the driver of one protocol hands out in so many seconds."""

    async def story() -> list[Sampled | Informed | Reopen]:
        one = way(bms)
        until_s = asyncio.get_running_loop().time() + seconds
        async with (
            held(world.link(PORT, one.spec, one.rate)) as line,
            aclosing(line.talk([one.bus(one.unit())], until_s)) as said,
        ):
            return [output async for output in said]

    return play(story())


def test_a_link_that_cannot_be_opened_is_a_link_error() -> None:
    async def story() -> None:
        async with held(World({}, missing={PORT: 1}).link(PORT, load("jbd").spec, 9600)):
            raise AssertionError("it is open")

    with pytest.raises(LinkError, match="no such port"):
        play(story())


def test_a_link_that_fails_ends_the_conversation_with_its_error() -> None:
    async def story() -> None:
        one = way("jbd")
        async with held(Breaking()) as line, aclosing(line.talk([one.bus(one.unit())], 60.0)) as said:
            async for _ in said:
                raise AssertionError("somebody answered")

    with pytest.raises(LinkError, match="pulled out"):
        play(story())


def test_what_came_before_a_conversation_is_no_part_of_it() -> None:
    async def story() -> tuple[Payload, float] | None:
        async with held(Breaking()) as line:
            await asyncio.sleep(0.5)
            line.discard()
            return await line.next(asyncio.get_running_loop().time() + 0.2)

    assert play(story()) is None


def test_what_comes_has_the_time_of_its_arrival() -> None:
    async def story() -> tuple[Payload, float] | None:
        async with held(Breaking()) as line:
            began_s = asyncio.get_running_loop().time()
            await asyncio.sleep(0.5)
            heard = await line.next(began_s + 9.0)
            return None if heard is None else (heard[0], heard[1] - began_s)

    assert play(story()) == (b"\x00", 0.0)


def test_a_pack_is_polled_once_a_period_and_says_who_it_is() -> None:
    said = outputs("jbd", World({PORT: [board("jbd")]}), 4.5)
    assert [type(one).__name__ for one in said] == ["Sampled", "Informed"] + ["Sampled"] * 4


def test_a_stream_that_dries_up_asks_for_a_new_connection() -> None:
    class Once(Board):
        def says(self) -> list[Payload]:
            return []

    silent = Once(board("jk").device, rate=115200, tick_s=0.5)
    said = outputs("jk", World({PORT: [silent]}), 20.0)
    assert any(isinstance(one, Reopen) for one in said)


def test_a_conversation_that_is_over_says_nothing_more() -> None:
    world = World({PORT: [board("jbd")]})
    outputs("jbd", world, 3.0)
    assert max(said.time_s for said in world.said) < 3.0 + 0.1


def test_it_ends_after_the_step_that_was_enough() -> None:
    async def story() -> int:
        one = way("jbd")
        unit = one.unit()
        world = World({PORT: [board("jbd")]})
        async with (
            held(world.link(PORT, one.spec, one.rate)) as line,
            aclosing(line.talk([one.bus(unit)], 60.0, lambda: unit.statistics.samples >= 2)) as said,
        ):
            return len([output async for output in said if isinstance(output, Sampled)])

    assert play(story()) == 2


def test_a_port_is_let_go_of_when_the_block_ends() -> None:
    async def story() -> list[Payload]:
        world = World({PORT: [board("jbd")]})
        link = world.link(PORT, load("jbd").spec, 9600)
        async with held(link):
            pass
        link.write(b"after the end")  # goes nowhere, as on a cut wire
        await asyncio.sleep(1.0)
        return [said.payload for said in world.said]

    assert play(story()) == [b"after the end"]
