"""A pack that nobody has configured: whether it is believed, and what it is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import replace

import pytest

from bridge.conversation import held
from bridge.errors import LinkError
from bridge.meeting import Judge, Meeting, Way, follow, known, meet
from bridge.model import PackSample, Reading, sample_of
from bridge.protocols.contract import Options, Payload, load, names
from bridge.protocols.jk import READ_SETTINGS, request
from tests.wires import Board, World, board, play, reading

PORT = "/dev/ttyTEST"
SERIAL = [name for name in names() if "serial" in load(name).spec.links]

GOOD = sample_of(reading(), 100.0)


def met(bms: str, world: World, *, address: int | None = None) -> tuple[Meeting | None, Counter[str], float]:
    """What comes of a first conversation, what was heard, and how long it took."""

    async def story() -> tuple[Meeting | None, Counter[str], float]:
        loop, heard = asyncio.get_running_loop(), Counter[str]()
        way = Way(PORT, load(bms), address=address)
        async with held(world.link(PORT, way.spec, way.rate)) as line:
            began_s = loop.time()
            meeting = await meet(line, way, began_s + 60.0, heard)
            return meeting, heard, loop.time() - began_s

    return play(story())


@pytest.mark.parametrize("bms", SERIAL)
def test_a_pack_is_read_with_who_it_is(bms: str) -> None:
    meeting, _, seconds = met(bms, World({PORT: [board(bms)]}))
    assert meeting is not None
    assert meeting.sample.cell_voltages_v == pytest.approx((3.3,) * 16)
    assert meeting.sample.voltage_v == pytest.approx(52.8, abs=0.05)
    assert meeting.info is not None
    assert seconds < 5.0


@pytest.mark.parametrize("bms", SERIAL)
def test_where_nobody_answers_it_soon_ends_without_a_sample(bms: str) -> None:
    meeting, heard, seconds = met(bms, World({}))
    assert meeting is None
    assert heard["no_reply"]
    assert seconds < 12.0


def test_the_sample_is_taken_after_the_settings_are_known() -> None:
    meeting, _, _ = met("daly-a5", World({PORT: [board("daly-a5")]}))
    assert meeting is not None
    assert meeting.sample.design_ah == 100.0


def test_a_pack_that_answers_and_breaks_off_is_tried_again() -> None:
    pack = board("jbd")
    spoilt = iter([False, True, False, False])
    pack.spoil = lambda answer: answer[:-3] if next(spoilt, False) and isinstance(answer, bytes) else answer
    meeting, heard, _ = met("jbd", World({PORT: [pack]}))
    assert meeting is not None
    assert heard["truncated"] == 1


def test_a_pack_that_says_what_cannot_be_is_no_pack() -> None:
    pack = board("jbd")
    pack.reading = lambda: reading() | Reading(voltage_v=30.0)
    meeting, heard, _ = met("jbd", World({PORT: [pack]}))
    assert meeting is None
    assert heard["implausible: cell_sum"]


class Babbler:
    """Repeats a status that nobody here asked for, and answers nothing."""

    def __init__(self) -> None:
        self._status = load("jk").device(Options()).receive(request(READ_SETTINGS), reading())[-1]

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        return []

    def tick(self, reading: Reading) -> list[Payload]:
        return [self._status]


def test_a_stream_that_answered_nothing_may_be_somebody_elses() -> None:
    world = World({PORT: [Board(Babbler(), rate=115200, tick_s=0.5)]})
    meeting, _, _ = met("jk", world)
    assert meeting is None


# The judge


def test_a_sample_that_holds_together_is_believed() -> None:
    assert Judge().believed(GOOD, 100.0) == GOOD


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"voltage_v": 48.0}, "implausible: cell_sum"),
        ({"cell_voltages_v": (3.3,) * 60}, "implausible: number of cells"),
        ({"cell_voltages_v": (), "voltage_v": None}, "implausible: number of cells"),
        ({"cell_voltages_v": (9.0,) * 16}, "implausible: cell_range"),
        ({"current_a": -3000.0}, "implausible: current_range"),
        ({"voltage_v": 5.0}, "implausible: voltage_range"),
    ],
)
def test_what_cannot_be_is_not_believed_and_counted_by_its_name(
    changes: dict[str, object], kind: str
) -> None:
    judge = Judge()
    assert judge.believed(replace(GOOD, **changes), 100.0) is None  # type: ignore[arg-type]  # a table's rows
    assert judge.heard[kind] >= 1


def test_a_broken_sense_wire_makes_no_pack_unbelievable() -> None:
    cells_v = (None, *(3.3,) * 15)
    assert Judge().believed(replace(GOOD, cell_voltages_v=cells_v), 100.0) is not None


def test_a_pack_without_cells_is_judged_by_its_voltage() -> None:
    assert Judge().believed(replace(GOOD, cell_voltages_v=()), 100.0) is not None


def test_an_accessory_with_cells_alone_is_believed() -> None:
    assert Judge().believed(PackSample(time_s=1.0, cell_voltages_v=(3.3,) * 16), 1.0) is not None


# Following


def test_a_pack_is_followed_over_connections_that_fail() -> None:
    async def story() -> list[Meeting | LinkError]:
        world = World({PORT: [board("jbd")]}, missing={PORT: 2})
        found: list[Meeting | LinkError] = []
        async with aclosing(follow(Way(PORT, load("jbd")), world.link)) as meetings:
            async for one in meetings:
                found.append(one)
                if len(found) == 6:
                    break
        return found

    found = play(story())
    assert [isinstance(one, Meeting) for one in found] == [False, False, True, True, True, True]
    last = found[-1]
    assert isinstance(last, Meeting)
    assert last.info is not None


def test_a_stream_that_dried_up_is_followed_over_a_new_connection() -> None:
    async def story() -> tuple[int, int]:
        pack = board("jk")
        world = World({PORT: [pack]})
        count = 0
        async with aclosing(follow(Way(PORT, load("jk")), world.link)) as meetings:
            async for one in meetings:
                count += isinstance(one, Meeting)
                if count == 3:
                    pack.device = load("jk").device(Options())  # restarted: it must be asked anew
                if count == 6:
                    break
        return count, len(world.opened)

    assert play(story()) == (6, 2)


def test_what_a_session_would_have_to_ask_is_not_known() -> None:
    assert known(load("jk-pb").session(Options())) is None


def test_a_way_says_what_it_is() -> None:
    assert str(Way(PORT, load("jk-pb"))) == "jk-pb at 115200"
    assert str(Way(PORT, load("jk-pb"), 9600, 3)) == "jk-pb at 9600, address 3"
    assert str(Way("can:can0", load("daly-can"))) == "daly-can"
