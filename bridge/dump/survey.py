"""What a dump holds, identifier by identifier: counts, lengths, times and samples, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from bridge.dump.block import Block, Bytes, Floats, Integers
from bridge.dump.groups import rows_by_key

BLOCK_SAMPLES = 64  # of one identifier in one block, evenly spread
KEPT_SAMPLES = 512  # of one identifier; beyond, every second one goes
KEPT_GAPS = 4096


@dataclass(slots=True, kw_only=True)
class Seen:
    """One identifier. lengths: frames by data bytes. data, length: samples, as in a block.

    varied: the bits that were not the same in all frames, as 8 bytes. last_s: NaN where the log has no
    times. gaps_s: between neighbouring frames, the first of them; longest_gap_s: of all.
    """

    key: int
    count: int = 0
    lengths: dict[int, int] = field(default_factory=dict)
    last_s: float = np.nan
    data: Bytes
    length: Bytes
    varied: Bytes
    gaps_s: list[Floats] = field(default_factory=list)
    longest_gap_s: float = 0.0

    @property
    def period_s(self) -> float | None:
        """The median time between two frames; None where none is known."""
        gaps_s = np.concatenate(self.gaps_s) if self.gaps_s else np.empty(0)
        return float(np.median(gaps_s)) if len(gaps_s) else None

    def add(self, block: Block, rows: Integers) -> None:
        """More frames of it."""
        data, times_s = block.data[rows], block.time_s[rows]
        first = self.data[0] if self.count else data[0]
        self.varied = self.varied | np.bitwise_or.reduce(data ^ first, axis=0)
        for size, number in enumerate(np.bincount(block.length[rows]).tolist()):
            if number:
                self.lengths[size] = self.lengths.get(size, 0) + number
        self._sample(data, block.length[rows])
        self._time(times_s)
        self.count += len(rows)

    def _sample(self, data: Bytes, length: Bytes) -> None:
        step = -(-len(data) // BLOCK_SAMPLES)
        self.data = np.concatenate((self.data, data[::step]))
        self.length = np.concatenate((self.length, length[::step]))
        if len(self.data) > KEPT_SAMPLES:
            self.data, self.length = self.data[::2].copy(), self.length[::2].copy()

    def _time(self, times_s: Floats) -> None:
        times_s = times_s[~np.isnan(times_s)]
        if not len(times_s):
            return
        whole = times_s if np.isnan(self.last_s) else np.concatenate(([self.last_s], times_s))
        gaps_s = np.diff(whole)
        if len(gaps_s):
            self.longest_gap_s = max(self.longest_gap_s, float(gaps_s.max()))
        if sum(map(len, self.gaps_s)) < KEPT_GAPS:
            self.gaps_s.append(gaps_s[:KEPT_GAPS].copy())
        self.last_s = float(times_s[-1])


@dataclass(slots=True)
class Survey:
    """All identifiers of a dump. frames: how many there were, with what is no data frame."""

    seen: dict[int, Seen] = field(default_factory=dict)
    frames: int = 0

    def add(self, block: Block) -> None:
        """More frames."""
        self.frames += len(block)
        plain = block if block.plain.all() else block.take(block.plain)
        for key, rows in rows_by_key(plain).items():
            if key not in self.seen:
                empty = np.empty((0, 8), np.uint8)
                none = np.empty(0, np.uint8)
                self.seen[key] = Seen(key=key, data=empty, length=none, varied=np.zeros(8, np.uint8))
            self.seen[key].add(plain, rows)


def survey(blocks: Iterable[Block]) -> Survey:
    """What is in these blocks."""
    found = Survey()
    for block in blocks:
        found.add(block)
    return found


def of_keys(found: Survey, keys: Iterable[int]) -> Mapping[int, Seen]:
    """Those of the keys that were seen."""
    return {key: found.seen[key] for key in keys if key in found.seen}
