"""The course of every signal of a dump, in bounded memory: what each was in each of many short times."""

from __future__ import annotations

import numpy as np

from bridge.dump import columns
from bridge.dump.block import Block, Bytes, Floats
from bridge.dump.groups import rows_by_key
from bridge.dump.tongues import Tongue
from bridge.sinks.layout import TEXTS, Signal

FINEST_S = 0.25
MOST = 1 << 14  # times; a longer dump gets coarser ones
HELD = 1.25  # times its usual distance a value stands, unless it is said again


class Traces:
    """The signals of one dialect in one dump.

    width_s: of one of the short times. begin_s, end_s: of the first frame and the last. Where a log has
    no times, each identifier's frames are counted instead, one a second.
    """

    def __init__(self, tongue: Tongue) -> None:
        self.width_s = FINEST_S
        self.begin_s = float("nan")
        self.end_s = 0.0
        self.timed = True
        self.signals: dict[str, Signal] = {}
        self._values: dict[str, Floats] = {}
        self._counts: dict[int, int] = {}
        self._tongue = tongue

    def add(self, block: Block) -> None:
        """More frames."""
        block = block if block.plain.all() else block.take(block.plain)
        if not len(block):
            return
        if np.isnan(self.begin_s):
            self.timed = not np.isnan(block.time_s[0])
            self.begin_s = float(block.time_s[0]) if self.timed else 0.0
        if self.timed and np.isnan(block.time_s).any():  # a line without its time, among others
            block = block.take(~np.isnan(block.time_s))
        for key, rows in rows_by_key(block).items():
            message = self._tongue.battery.get(key)
            if message is None:
                continue
            time_s = block.time_s[rows] if self.timed else self._counted(key, len(rows))
            self.end_s = max(self.end_s, float(time_s.max()))
            data, length = np.ascontiguousarray(block.data[rows]), block.length[rows]
            for signal in message.signals:
                if signal.page is None and signal.kind not in TEXTS:
                    self._take(f"{signal.name}", signal, time_s, data, length)

    def course(self, name: str) -> Floats:
        """A signal in each of the times, held while nothing newer was said; NaN where it is not known."""
        values = self._values[name]
        apart = np.diff(np.flatnonzero(~np.isnan(values)))
        course = held(values, round(HELD * float(np.median(apart))) if len(apart) else 1)
        course[int((self.end_s - self.begin_s) / self.width_s) + 1 :] = np.nan
        return course

    @property
    def names(self) -> frozenset[str]:
        """The signals that were seen."""
        return frozenset(self._values)

    def coarser(self, width_s: float) -> None:
        """Make the times at least so long."""
        while self.width_s < width_s:
            self.width_s *= 2
            self._values = {name: _halved(values) for name, values in self._values.items()}

    def _counted(self, key: int, frames: int) -> Floats:
        before = self._counts.get(key, 0)
        self._counts[key] = before + frames
        return np.arange(before, before + frames, dtype=np.float64)

    def _take(self, name: str, signal: Signal, time_s: Floats, data: Bytes, length: Bytes) -> None:
        while (time_s.max() - self.begin_s) / self.width_s >= MOST:
            self.coarser(2 * self.width_s)
        places = ((time_s - self.begin_s) / self.width_s).astype(np.int64)
        values = columns.values(signal, data, length)
        known = ~np.isnan(values) & (places >= 0)
        if known.any():
            self.signals.setdefault(name, signal)
            course = self._values.setdefault(name, np.full(MOST, np.nan))
            course[places[known]] = values[known]


def held(values: Floats, times: int) -> Floats:
    """The last known value at each place, for so many places."""
    index = np.arange(len(values))
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, index))
    return np.where((last >= 0) & (index - last <= times), values[last], np.nan)


def _halved(values: Floats) -> Floats:
    first, second = values[::2], values[1::2]
    both = np.where(np.isnan(second), first, second)
    return np.concatenate((both, np.full(len(values) - len(both), np.nan)))
