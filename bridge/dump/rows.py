"""Frames one by one, gathered to blocks: for the forms that are not read in bulk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from bridge.dump.block import DATA_BYTES, ERROR, EXTENDED, FD, REMOTE, SENT, Block
from bridge.dump.candump_lines import CLASSIC_BYTES, EXTENDED_IDS, FD_BYTES, STANDARD_IDS, Line

if TYPE_CHECKING:
    import can

BLOCK_FRAMES = 20_000

Numbered = tuple[int, Line]
"""A frame with the number of its line."""


def blocks(rows: Iterable[Numbered], source: str, channels: list[str]) -> Iterator[Block]:
    """The rows as blocks; new channels are appended to `channels`."""
    waiting = iter(rows)
    while some := list(islice(waiting, BLOCK_FRAMES)):
        yield block(some, source, channels)


def block(rows: list[Numbered], source: str, channels: list[str]) -> Block:
    """The rows as one block."""
    lines = [line for _, line in rows]
    for name in dict.fromkeys(line.channel for line in lines):
        if name not in channels:
            channels.append(name)
    numbers = {name: number for number, name in enumerate(channels)}
    data = b"".join(line.data.ljust(DATA_BYTES, b"\0") for line in lines)
    return Block(
        time_s=np.array([line.time_s for line in lines], np.float64),
        can_id=np.array([line.can_id for line in lines], np.uint32),
        flags=np.array([line.flags for line in lines], np.uint8),
        length=np.array([line.length for line in lines], np.uint8),
        data=np.frombuffer(data, np.uint8).reshape(-1, DATA_BYTES),
        channel=np.array([numbers[line.channel] for line in lines], np.uint16),
        line=np.array([number for number, _ in rows], np.int64),
        channels=tuple(channels),
        source=source,
    )


def line_of(message: can.Message) -> Line | None:
    """A frame as python-can has it; None if it can't be one."""
    flags = _flags(message)
    ids = EXTENDED_IDS if flags & (EXTENDED | ERROR) else STANDARD_IDS
    if not 0 <= message.arbitration_id < ids or not math.isfinite(message.timestamp):
        return None
    if not 0 <= message.dlc <= (FD_BYTES if flags & FD else CLASSIC_BYTES):
        return None
    if not flags & (REMOTE | ERROR) and len(message.data) != message.dlc:
        return None
    return Line(
        time_s=message.timestamp,
        channel="" if message.channel is None else str(message.channel),
        can_id=message.arbitration_id,
        flags=flags,
        length=message.dlc,
        data=bytes(message.data[:DATA_BYTES]),
    )


def _flags(message: can.Message) -> int:
    if message.is_error_frame:
        return ERROR
    return (
        (EXTENDED if message.is_extended_id else 0)
        | (REMOTE if message.is_remote_frame else 0)
        | (FD if message.is_fd or message.dlc > CLASSIC_BYTES else 0)
        | (0 if message.is_rx else SENT)
    )
