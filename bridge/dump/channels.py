"""Dumps of several buses in one: which channels there are, and one of them alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from bridge.dump.block import Block
from bridge.errors import ConfigError, did_you_mean


def channels_of(block: Block) -> list[str]:
    """The channels that have a frame in it, in the order in which they first speak."""
    _, first = np.unique(block.channel, return_index=True)
    return [block.channels[block.channel[row]] for row in sorted(first.tolist())]


def on_channel(block: Block, name: str) -> Block:
    """The frames of one channel."""
    if name not in block.channels:
        return block.take(slice(0, 0))
    if len(block.channels) == 1:
        return block
    return block.take(block.channel == block.channels.index(name))


def begun(blocks: Iterable[Block]) -> tuple[list[str], Iterator[Block]]:
    """The channels of the dump's beginning, and all blocks again; no channel if there is no frame."""
    rest = iter(blocks)
    first = next((block for block in rest if len(block)), None)
    return ([], iter(())) if first is None else (channels_of(first), chain([first], rest))


def one_channel(blocks: Iterable[Block], wanted: str | None) -> tuple[list[str], Iterator[Block]]:
    """The channels of the dump's beginning, and the blocks of the wanted one; of the first, if none is.

    Raises ConfigError if the beginning knows no such channel.
    """
    there, whole = begun(blocks)
    if wanted is not None and wanted not in there:
        known = ", ".join(there) or "none"
        raise ConfigError(f"no channel {wanted!r} in the dump; it has {known}{did_you_mean(wanted, there)}")
    if not there:
        return there, whole
    name = wanted or there[0]
    return there, (on_channel(block, name) for block in whole)
