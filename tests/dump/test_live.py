"""A bus as blocks, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import can

from bridge.dump.live import BLOCK_FRAMES, BLOCK_S, gathered
from bridge.dump.problems import Problems


def message(can_id: int = 0x351) -> can.Message:
    return can.Message(
        timestamp=1.0, arbitration_id=can_id, is_extended_id=False, data=b"\x11", channel="can0"
    )


class Clock:
    """Goes on by itself, a step each time it is read."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def sizes(messages: Iterator[can.Message | None], step_s: float) -> list[int]:
    return [len(block) for block in gathered(messages, "can0", Problems(), clock=Clock(step_s))]


def test_frames_wait_for_others_only_so_long() -> None:
    assert sizes((message() for _ in range(10)), BLOCK_S / 3.5) == [4, 4, 2]


def test_a_block_is_full_at_some_size() -> None:
    assert sizes((message() for _ in range(BLOCK_FRAMES + 1)), 0.0) == [BLOCK_FRAMES, 1]


def test_silence_gives_empty_blocks_so_that_time_is_seen_to_pass() -> None:
    assert sizes((None for _ in range(3)), 2 * BLOCK_S) == [0, 0, 0]


def test_frames_are_numbered_and_what_can_be_none_is_counted() -> None:
    problems = Problems()
    given = iter([message(), message(0x800), message()])
    (block,) = gathered(given, "socketcan:can0", problems, clock=Clock(0.0))
    assert (block.line.tolist(), block.channels, block.source) == ([1, 3], ("can0",), "socketcan:can0")
    assert [problem.line for problem in problems.first] == [2]
