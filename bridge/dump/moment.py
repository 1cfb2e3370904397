"""The whole picture at a moment: of every message the last that was said until then, and how old it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bridge.dump.block import Block
from bridge.dump.decoding import Decoding
from bridge.dump.meaning import Frame, frames
from bridge.dump.selection import ABSOLUTE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What was known at a moment. frames: the last of each identifier, channel and page, by identifier."""

    at_s: float
    frames: tuple[Frame, ...]


def picture(blocks: Iterable[Block], decoding: Decoding, at_s: float) -> Picture:
    """The picture at a time, as the log counts; below ABSOLUTE_S from its first frame."""
    last: dict[tuple[object, ...], Frame] = {}
    moment_s: float | None = None
    for block in blocks:
        if not len(block):
            continue
        if moment_s is None:
            moment_s = at_s if at_s >= ABSOLUTE_S else at_s + float(block.time_s[0])
        for frame in frames(_latest(block.take(block.time_s <= moment_s)), decoding):
            pages = tuple(meaning.page for meaning in frame.meanings)
            of = (frame.channel, frame.key, pages)
            if of not in last or last[of].time_s <= frame.time_s:
                last[of] = frame
    shown = sorted(last.values(), key=lambda frame: (frame.key, frame.channel, frame.raw))
    return Picture(at_s=at_s if moment_s is None else moment_s, frames=tuple(shown))


def _latest(block: Block) -> Block:
    """Of equal first bytes, which tell pages apart, and identifiers the last frame only."""
    if not len(block):
        return block
    groups = np.stack([block.key, block.channel.astype(np.int64), block.data[:, 0].astype(np.int64)])
    _, back = np.unique(groups[:, ::-1], axis=1, return_index=True)
    return block.take(np.sort(len(block) - 1 - back))
