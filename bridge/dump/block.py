"""Frames as columns: what every reader gives and every question is asked of.

The idea: a month of frames is no list of objects but a few arrays, handled a block at a time, so that
memory is bounded by the block and the work is done by numpy. A block holds frames of one source, in its
order; nothing in it is sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bridge.model import CanFrame

EXTENDED, REMOTE, ERROR, FD, SENT = 1, 2, 4, 8, 16
DATA_BYTES = 8

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Bytes: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Columns of frames, all of one length.

    time_s: seconds as the log has them, of the epoch or from its start; NaN where it has none.
    can_id: without flag bits; of an error frame, its class bits. flags: EXTENDED, REMOTE, ERROR, FD,
    SENT (by whoever logged). length: data bytes of the frame; beyond 8 (FD) only the first 8 are in
    `data`, which is padded with zeros. channel: index into `channels`, which only grows while one log
    after the other is read. line: in its file, from 1; 0 where the form has no lines. source: the
    file's name, or what the frames come from.
    """

    time_s: Floats
    can_id: NDArray[np.uint32]
    flags: Bytes
    length: Bytes
    data: Bytes
    channel: NDArray[np.uint16]
    line: Integers
    channels: tuple[str, ...] = ()
    source: str = ""

    def __len__(self) -> int:
        return len(self.can_id)

    @property
    def key(self) -> Integers:
        """Identifier and number of its bits as one number, to group by: `key_of`."""
        return self.can_id.astype(np.int64) | ((self.flags & EXTENDED).astype(np.int64) << 32)

    @property
    def plain(self) -> Mask:
        """Which are data frames of classic CAN: what a dialect speaks of."""
        plain: Mask = (self.flags & (REMOTE | ERROR | FD)) == 0
        return plain

    def take(self, rows: Integers | Mask | slice) -> Block:
        """The frames at these rows, in their order."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def frame(self, row: int) -> CanFrame:
        """One frame as the rest of packbridge knows it; of an FD frame the first 8 bytes."""
        data = self.data[row, : min(DATA_BYTES, int(self.length[row]))].tobytes()
        return CanFrame(int(self.can_id[row]), data, bool(self.flags[row] & EXTENDED))


COLUMNS = tuple(item.name for item in fields(Block) if item.name not in {"channels", "source"})


def key_of(can_id: int, *, extended: bool) -> int:
    """What `Block.key` is for an identifier."""
    return can_id | int(extended) << 32


def id_text(key: int) -> str:
    """A key as candump writes the identifier: 3 or 8 digits."""
    can_id, extended = key & 0xFFFFFFFF, key >> 32
    return f"{can_id:08X}" if extended else f"{can_id:03X}"


def joined(blocks: Sequence[Block]) -> Block:
    """Blocks one after the other as one; the channels' names are the last one's, which has all."""
    if not blocks:
        return block_of(())
    last = blocks[-1]
    return Block(
        time_s=np.concatenate([one.time_s for one in blocks]),
        can_id=np.concatenate([one.can_id for one in blocks]),
        flags=np.concatenate([one.flags for one in blocks]),
        length=np.concatenate([one.length for one in blocks]),
        data=np.concatenate([one.data for one in blocks]),
        channel=np.concatenate([one.channel for one in blocks]),
        line=np.concatenate([one.line for one in blocks]),
        channels=last.channels,
        source=last.source,
    )


def block_of(
    frames: Iterable[tuple[float, CanFrame]],
    *,
    flags: Sequence[int] = (),
    channels: tuple[str, ...] = ("can0",),
    source: str = "",
) -> Block:
    """A block of single frames on the first channel, with line numbers from 1. flags: beyond EXTENDED."""
    rows = list(frames)
    data = b"".join(frame.data.ljust(DATA_BYTES, b"\0") for _, frame in rows)
    extended = np.array([frame.extended for _, frame in rows], np.uint8) * np.uint8(EXTENDED)
    return Block(
        time_s=np.array([time_s for time_s, _ in rows], np.float64),
        can_id=np.array([frame.can_id for _, frame in rows], np.uint32),
        flags=extended | np.array(flags or [0] * len(rows), np.uint8),
        length=np.array([len(frame.data) for _, frame in rows], np.uint8),
        data=np.frombuffer(data, np.uint8).reshape(len(rows), DATA_BYTES),
        channel=np.zeros(len(rows), np.uint16),
        line=np.arange(1, len(rows) + 1, dtype=np.int64),
        channels=channels,
        source=source,
    )
