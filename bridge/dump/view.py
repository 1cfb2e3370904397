"""What a rule sees of a dump: one block, by identifiers and by quantities, with what was before it.

The idea: frames of one identifier are worked on together, and everything is worked out once and only if a
rule asks for it. `Carried` is all that goes from block to block: of each identifier its last frame, of
each quantity its last value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bridge.dump import columns
from bridge.dump.block import Block, Bytes, Floats, Integers, Mask, id_text
from bridge.dump.groups import rows_by_key
from bridge.dump.tongues import Tongue
from bridge.profiles import Profile
from bridge.sinks.layout import Kind, Message, Signal

UNTIMED = float("nan")
FORMAT = 1 << 32  # of a key: set for 29 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is looked at: a dialect, and the inverter that it is for; None for look-alikes.

    chosen: whether a person said so; else it was guessed.
    """

    tongue: Tongue
    profile: Profile | None
    chosen: bool

    @property
    def polled(self) -> bool:
        """Whether the battery speaks only when it is asked."""
        return self.profile is not None and not self.profile.order

    def period_s(self, key: int) -> float | None:
        """How often a frame of the battery is to come; None where nothing says so."""
        message = self.tongue.battery.get(key)
        if self.profile is None or message is None:
            return None
        plain = message.can_id - self.tongue.offset
        if plain in self.profile.order:
            return self.profile.period_s
        return next((group.period_s for group in self.profile.slow if plain in group.order), None)


@dataclass(slots=True)
class Last:
    """Of an identifier, so far."""

    count: int = 0
    time_s: float = UNTIMED
    data: Bytes | None = None


@dataclass(slots=True)
class Carried:
    """What is known from the blocks before. values: the last ones, by quantity, and by key and quantity.

    asked: where the signals stand that some rule ever asked for; of others nothing is kept.
    """

    keys: dict[int, Last] = field(default_factory=dict)
    values: dict[str | tuple[int, str], float] = field(default_factory=dict)
    asked: dict[tuple[int, str], Signal] = field(default_factory=dict)
    first_s: float = UNTIMED
    last_s: float = UNTIMED
    frames: int = 0

    @property
    def duration_s(self) -> float:
        """From the first frame to the last; NaN where the log has no times."""
        return self.last_s - self.first_s


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The frames of one identifier in a block. gap_s: since the one before; NaN where that is not known.

    same: whether it says the same as the one before.
    """

    key: int
    rows: Integers
    time_s: Floats
    length: Bytes
    data: Bytes
    gap_s: Floats
    same: Mask

    @property
    def name(self) -> str:
        """The identifier as candump writes it."""
        return id_text(self.key)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One signal in the frames of a block. before: its value in the frame before; NaN in the first."""

    signal: Signal
    frames: Frames
    values: Floats
    before: Floats


class View:
    """One block. block: its data frames; whole: with error frames and others. last: all is over."""

    def __init__(self, whole: Block, case: Case, carried: Carried, *, last: bool = False) -> None:
        self.whole = whole
        self.case = case
        self.carried = carried
        self.last = last
        self.block = whole if whole.plain.all() else whole.take(whole.plain)
        self._frames: dict[int, Frames] = {}
        self._series: dict[tuple[int, str], Series] = {}
        self._latest: dict[tuple[str, int], Floats] = {}

    @cached_property
    def rows(self) -> Mapping[int, Integers]:
        """The rows of each identifier."""
        return rows_by_key(self.block)

    @cached_property
    def _places(self) -> Mapping[str, tuple[tuple[int, Signal], ...]]:
        """Where each signal of the battery stands."""
        found: dict[str, list[tuple[int, Signal]]] = {}
        for key, message in self.case.tongue.battery.items():
            for signal in message.signals:
                if signal.page is None:
                    found.setdefault(signal.name, []).append((key, signal))
        return {name: tuple(places) for name, places in found.items()}

    def frames(self, key: int) -> Frames | None:
        """The frames of an identifier; None if this block has none."""
        if key not in self.rows:
            return None
        if key not in self._frames:
            rows = self.rows[key]
            before = self.carried.keys.get(key, Last())
            data, time_s = np.ascontiguousarray(self.block.data[rows]), self.block.time_s[rows]
            words = data.view(np.uint64)[:, 0]
            same = np.zeros(len(rows), np.bool_)
            same[1:] = words[1:] == words[:-1]
            same[0] = before.data is not None and bool((before.data == data[0]).all())
            gap_s = np.diff(time_s, prepend=before.time_s)
            self._frames[key] = Frames(key, rows, time_s, self.block.length[rows], data, gap_s, same)
        return self._frames[key]

    def battery(self) -> Iterator[tuple[Message, Frames]]:
        """All identifiers of the battery that this block has."""
        for key, message in self.case.tongue.battery.items():
            if (frames := self.frames(key)) is not None:
                yield message, frames

    def series(self, name: str) -> Series | None:
        """A signal of the battery; None if this block does not have it."""
        return next(self.all_series(name), None)

    def all_series(self, name: str) -> Iterator[Series]:
        """A signal of the battery, in each of the identifiers that carry it."""
        self._ask(name)
        for key, signal in self._places.get(name, ()):
            frames = self.frames(key)
            if frames is not None:
                yield self._of(key, signal, frames)

    def signals(self, kind: Kind) -> Iterator[Series]:
        """All signals of a kind that this block has."""
        for places in self._places.values():
            for key, signal in places:
                if signal.kind is kind and (frames := self.frames(key)) is not None:
                    self._ask(signal.name)
                    yield self._of(key, signal, frames)

    def latest(self, name: str, at: Frames) -> Floats:
        """What a quantity was at the moments of other frames, from the last frame before; NaN: unknown."""
        if (name, at.key) not in self._latest:
            self._ask(name)
            series, before = self.series(name), self.carried.values.get(name, np.nan)
            if series is None:
                found = np.full(len(at.rows), before)
            elif series.frames is at:
                found = series.values
            else:
                places = np.searchsorted(series.frames.rows, at.rows) - 1
                found = np.where(places >= 0, series.values[places], before)
            self._latest[name, at.key] = found
        return self._latest[name, at.key]

    def carry(self) -> None:
        """Remember what the next block needs."""
        for (key, name), signal in self.carried.asked.items():
            if key in self.rows:
                row = self.rows[key][-1:]
                data = np.ascontiguousarray(self.block.data[row])
                value = columns.values(signal, data, self.block.length[row])[0]
                if not np.isnan(value):
                    self.carried.values[name] = self.carried.values[key, name] = float(value)
        for key, rows in self.rows.items():
            last = self.carried.keys.setdefault(key, Last())
            last.count += len(rows)
            last.time_s = float(self.block.time_s[rows[-1]])
            last.data = self.block.data[rows[-1]].copy()
        if len(self.whole):
            if not self.carried.frames:
                self.carried.first_s = float(self.whole.time_s[0])
            self.carried.last_s = float(self.whole.time_s[-1])
            self.carried.frames += len(self.whole)

    def _ask(self, name: str) -> None:
        for key, signal in self._places.get(name, ()):
            self.carried.asked.setdefault((key, name), signal)

    def _of(self, key: int, signal: Signal, frames: Frames) -> Series:
        if (key, signal.name) not in self._series:
            found = columns.values(signal, frames.data, frames.length)
            before = np.empty_like(found)
            before[1:] = found[:-1]
            before[0] = self.carried.values.get((key, signal.name), np.nan)
            self._series[key, signal.name] = Series(signal, frames, found, before)
        return self._series[key, signal.name]
