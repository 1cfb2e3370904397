"""Which rows of a block have which identifier: the first step of every question."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bridge.dump.block import Block, Integers


def rows_by_key(block: Block) -> Mapping[int, Integers]:
    """The rows of each `Block.key`, in the block's order.

    numpy sorts 16 bits by counting, a hundred times faster than 64: keys are folded to 16 bits first,
    and only where two keys of a block fall together they are sorted in full.
    """
    if not len(block):
        return {}
    keys = block.key
    folded = ((keys ^ (keys >> 11) ^ (keys >> 20)) & 0xFFFF).astype(np.uint16)
    order = np.argsort(folded, kind="stable")
    found = _runs(keys, order)
    return found if found is not None else _runs(keys, np.argsort(keys, kind="stable")) or {}


def _runs(keys: Integers, order: Integers) -> dict[int, Integers] | None:
    """Rows of equal keys that stand together in `order`; None if one key has several runs."""
    sorted_keys = keys[order]
    starts = np.flatnonzero(np.diff(sorted_keys)) + 1
    heads = sorted_keys[np.concatenate(([0], starts))]
    if len(set(heads.tolist())) < len(heads):
        return None
    return dict(zip(heads.tolist(), np.split(order, starts), strict=True))
