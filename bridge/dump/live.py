"""A bus as a stream of blocks: the same questions, asked of what is on it now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from bridge.dump.block import Block
from bridge.dump.problems import Problems
from bridge.dump.rows import Numbered, block, line_of

if TYPE_CHECKING:
    import can

BLOCK_S = 0.2  # how long a frame may wait for others
BLOCK_FRAMES = 2_000


def gathered(
    messages: Iterable[can.Message | None],
    source: str,
    problems: Problems,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Block]:
    """Blocks of what comes, every BLOCK_S; an empty one if nothing did, so that time is seen to pass."""
    rows: list[Numbered] = []
    channels: list[str] = []
    number = 0
    due_s = clock() + BLOCK_S
    for message in messages:
        if message is not None:
            number += 1
            if (line := line_of(message)) is None:
                problems.add(source, number, str(message))
            else:
                rows.append((number, line))
        if len(rows) >= BLOCK_FRAMES or clock() >= due_s:
            yield block(rows, source, channels)
            rows = []
            due_s = clock() + BLOCK_S
    if rows:
        yield block(rows, source, channels)
