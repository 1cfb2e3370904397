"""Who sends how often, how evenly, and how full the bus is: one pass, bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bridge.dump.bits import wire_bits
from bridge.dump.block import ERROR, FD, REMOTE, Block, Floats, id_text
from bridge.dump.groups import rows_by_key
from bridge.dump.spread import Spread

TIMED_IDS = 1000  # on one channel; of more identifiers, periods are not kept
PEAK_S = 1.0  # the busiest time of this length is told


@dataclass(slots=True, kw_only=True)
class IdStats:
    """One identifier on one channel. periods: between neighbouring frames; None of too many identifiers."""

    key: int
    count: int = 0
    bits: int = 0
    lengths: set[int] = field(default_factory=set)
    periods: Spread | None
    _last_s: float = np.nan

    def add(self, times_s: Floats, lengths: NDArray[np.uint8], bits: NDArray[np.uint16]) -> None:
        """More frames of it."""
        self.count += len(times_s)
        self.bits += int(bits.sum())
        self.lengths.update(np.flatnonzero(np.bincount(lengths)).tolist())
        if self.periods is not None:
            gaps_s = np.diff(times_s, prepend=self._last_s)
            self.periods.add(gaps_s[gaps_s >= 0])  # neither the first one nor where time went back
        self._last_s = float(times_s[-1])


@dataclass(slots=True, kw_only=True)
class ChannelStats:
    """One bus. load, in parts of 1, is told at a bit rate. peak_bits: in the busiest second.

    backwards: how often time went back, which a log of one bus should not.
    """

    name: str
    ids: dict[int, IdStats] = field(default_factory=dict)
    frames: int = 0
    bits: int = 0
    errors: int = 0
    remote: int = 0
    fd: int = 0
    backwards: int = 0
    first_s: float = np.nan
    last_s: float = np.nan
    peak_bits: int = 0
    _second: int | None = None
    _second_bits: int = 0

    @property
    def duration_s(self) -> float | None:
        """From the first frame to the last; None where the log has no times."""
        span_s = self.last_s - self.first_s
        return None if np.isnan(span_s) else span_s

    def load(self, bitrate: int) -> float | None:
        """How full the bus is on the average."""
        return self.bits / bitrate / self.duration_s if self.duration_s else None

    def peak_load(self, bitrate: int) -> float | None:
        """How full it is in the busiest second of the clock; None if there is no whole one."""
        return self.peak_bits / bitrate / PEAK_S if (self.duration_s or 0.0) >= PEAK_S else None

    def add(self, block: Block) -> None:
        """More frames of this channel."""
        self.frames += len(block)
        for name, flag in (("errors", ERROR), ("remote", REMOTE), ("fd", FD)):
            setattr(self, name, getattr(self, name) + int(np.count_nonzero(block.flags & flag)))
        frames = block if not self.errors else block.take((block.flags & ERROR) == 0)
        groups = rows_by_key(frames)
        bits = wire_bits(frames, groups)
        self.bits += int(bits.sum())
        for key, rows in groups.items():
            self._id(key).add(frames.time_s[rows], frames.length[rows], bits[rows])
        self._times(block.time_s)
        self._peak(frames.time_s, bits)

    def _id(self, key: int) -> IdStats:
        if key not in self.ids:
            self.ids[key] = IdStats(key=key, periods=Spread() if len(self.ids) < TIMED_IDS else None)
        return self.ids[key]

    def _times(self, times_s: Floats) -> None:
        known = times_s[~np.isnan(times_s)]
        if len(known):
            self.backwards += int(np.count_nonzero(np.diff(known, prepend=self.last_s) < 0))
            self.first_s = float(np.fmin(self.first_s, known.min()))
            self.last_s = float(np.fmax(self.last_s, known.max()))

    def _peak(self, times_s: Floats, bits: NDArray[np.uint16]) -> None:
        """The bits of each second of the clock; a second that goes on in the next block is kept open."""
        known = ~np.isnan(times_s)
        if not known.any():
            return
        seconds, which = np.unique(np.floor(times_s[known]).astype(np.int64), return_inverse=True)
        sums = np.bincount(which, bits[known]).astype(np.int64)
        if self._second is not None and seconds[0] == self._second:
            sums[0] += self._second_bits
        self.peak_bits = max(self.peak_bits, int(sums.max()))
        self._second, self._second_bits = int(seconds[-1]), int(sums[-1])


def statistics(blocks: Iterable[Block]) -> dict[str, ChannelStats]:
    """The statistics of each channel, by its name."""
    found: dict[str, ChannelStats] = {}
    for block in blocks:
        for name, part in _by_channel(block):
            found.setdefault(name, ChannelStats(name=name)).add(part)
    return found


def record(channel: ChannelStats, bitrate: int) -> dict[str, object]:
    """As JSON."""
    return {
        "channel": channel.name,
        "frames": channel.frames,
        "duration_s": channel.duration_s,
        "bitrate": bitrate,
        "load_pct": _percent(channel.load(bitrate)),
        "peak_load_pct": _percent(channel.peak_load(bitrate)),
        "error_frames": channel.errors,
        "remote_frames": channel.remote,
        "fd_frames": channel.fd,
        "times_back": channel.backwards,
        "ids": [_id_record(channel, channel.ids[key]) for key in sorted(channel.ids)],
    }


def _id_record(channel: ChannelStats, one: IdStats) -> dict[str, object]:
    periods = one.periods if one.periods is not None and one.periods.count else None
    return {
        "id": id_text(one.key),
        "count": one.count,
        "lengths": sorted(one.lengths),
        "share_pct": _percent(one.bits / channel.bits if channel.bits else None),
        "period_p50_s": periods and _rounded(periods.quantile(0.5)),
        "period_p99_s": periods and _rounded(periods.quantile(0.99)),
        "period_min_s": periods and _rounded(periods.minimum_s),
        "period_max_s": periods and _rounded(periods.maximum_s),
        "jitter_s": periods and _rounded(periods.deviation_s),
    }


def _by_channel(block: Block) -> Iterator[tuple[str, Block]]:
    if not len(block):
        return
    numbers = np.flatnonzero(np.bincount(block.channel)).tolist()
    if len(numbers) == 1:
        yield block.channels[numbers[0]], block
        return
    for number in numbers:
        yield block.channels[number], block.take(block.channel == number)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _percent(part: float | None) -> float | None:
    return None if part is None else round(100 * part, 2)
