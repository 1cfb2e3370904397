"""Blocks by dialects: which rows are which message, and what every signal in them says, as columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bridge import profiles as profile_files
from bridge.dump.block import SENT, Block, Floats, Integers, key_of
from bridge.errors import ConfigError, did_you_mean
from bridge.sinks import dialect as dialect_files
from bridge.sinks.layout import CLEARED, RAISED, TEXTS, Dialect, Kind, Message, Signal

EXACT_DENOMINATOR = 10**6  # steps finer than this are rounded as the line decoder rounds them
ROUNDED_DECIMALS = 6
STANDARD_IDS = 1 << 11  # are looked up in a table
NO_PAGE = -1

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The frames of a block that are one message of one dialect, on one page of it.

    rows: where they are in the block, ascending. values: by the signals' names, in their units; a bit
    or an alarm as 0 and 1; NaN where a frame is too short for it, or says that it has no value.
    texts: by the signals' names, what each row says; None where the frame is too short.
    """

    dialect: str
    message: Message
    page: int | None
    rows: Integers
    values: Mapping[str, Floats]
    texts: Mapping[str, NDArray[np.object_]]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """What stands in these frames."""
        return self.message.on_page(self.page)


class Decoding:
    """Several dialects read at once. One frame may be a message of more than one of them."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self.dialects = tuple(dialects)
        self._claims: dict[int, list[tuple[str, Message]]] = {}
        for dialect in self.dialects:
            for (can_id, extended), message in dialect.messages.items():
                claims = self._claims.setdefault(key_of(can_id, extended=extended), [])
                claims.append((dialect.name, message))
        self._keys = np.array(sorted(self._claims), np.int64)
        unknown = len(self._keys)
        self._standard = np.full(STANDARD_IDS, unknown, np.min_scalar_type(unknown))
        standard = self._keys[self._keys < STANDARD_IDS]
        self._standard[standard] = np.arange(len(standard))

    def split(self, block: Block) -> Iterator[Part]:
        """What the block's frames say, one message after the other; frames of no dialect are in none."""
        for key, rows in self._groups(block):
            data = block.data[rows].view("<u8")[:, 0]
            frames = _Frames(rows, block.length[rows], data, data.byteswap())
            for dialect, message in self._claims[key]:
                yield from _parts(dialect, message, frames)

    def claims(self, key: int) -> tuple[str, ...]:
        """The dialects that have a message with this `Block.key`."""
        return tuple(name for name, _ in self._claims.get(key, ()))

    def _groups(self, block: Block) -> Iterator[tuple[int, Integers]]:
        """The rows of each known identifier, ascending."""
        numbers = self._numbers(block)
        order = np.argsort(numbers, kind="stable")  # a radix sort, for so small numbers
        counts = np.bincount(numbers, minlength=len(self._keys) + 1)
        ends = np.cumsum(counts)
        for found in np.flatnonzero(counts[:-1]):
            yield int(self._keys[found]), order[ends[found] - counts[found] : ends[found]]

    def _numbers(self, block: Block) -> NDArray[np.unsignedinteger]:
        """Which of the known keys each row has; one more than there are, if none."""
        unknown = len(self._keys)
        numbers: NDArray[np.unsignedinteger] = self._standard[block.can_id & np.uint32(STANDARD_IDS - 1)]
        special = np.flatnonzero(block.flags & ~np.uint8(SENT))
        if len(special) and unknown:
            keys = block.key[special]
            place = np.searchsorted(self._keys, keys).clip(max=unknown - 1)
            known = (self._keys[place] == keys) & block.plain[special]
            numbers[special] = np.where(known, place, unknown)
        return numbers


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """Frames of one identifier: their data as one integer, with the first byte lowest and highest."""

    rows: Integers
    length: NDArray[np.uint8]
    little: Words
    big: Words

    def take(self, chosen: NDArray[np.bool_]) -> _Frames:
        return _Frames(self.rows[chosen], self.length[chosen], self.little[chosen], self.big[chosen])


def chosen(profiles: Iterable[str] = (), dialects: Iterable[str] = ()) -> Decoding:
    """The decoding of these profiles and dialects by name; of every dialect there is if none is named.

    Raises ConfigError for a name that is not known.
    """
    named = [dialect_files.of_profile(profile_files.load(name)) for name in profiles]
    known = dialect_paths()
    names = list(dialects)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"unknown dialect {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}"
            )
    wanted = names if names or named else known
    return Decoding([*named, *(dialect_files.load(known[name]) for name in wanted)])


def dialect_paths() -> dict[str, Path]:
    """Every dialect there is by its name, sorted; the user's own hides one of the same name.

    Look-alikes are those of batteries that no inverter profile sends: for reading only.
    """
    folders = [folder / kind for folder in profile_files.folders() for kind in ("lookalikes", "dialects")]
    found = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.dbc")}
    return dict(sorted(found.items()))


def _parts(dialect: str, message: Message, frames: _Frames) -> Iterator[Part]:
    if message.selector is None:
        yield _part(dialect, message, None, frames)
        return
    selector = next(one for one in message.signals if one.name == message.selector)
    pages = _raw(selector, frames).astype(np.int64)
    known = (frames.length >= selector.needs) & np.isin(
        pages, [page for page in message.pages if page is not None]
    )
    pages = np.where(known, pages, NO_PAGE)
    for page in np.unique(pages).tolist():
        yield _part(dialect, message, None if page == NO_PAGE else page, frames.take(pages == page))


def _part(dialect: str, message: Message, page: int | None, frames: _Frames) -> Part:
    shortest = int(frames.length.min())
    values: dict[str, Floats] = {}
    texts: dict[str, NDArray[np.object_]] = {}
    for signal in message.on_page(page):
        cut = frames.length < signal.needs if signal.needs > shortest else None
        if cut is not None and cut.all():
            continue
        if signal.kind in TEXTS:
            texts[signal.name] = told = _texts(signal, frames)
            if cut is not None:
                told[cut] = None
        else:
            values[signal.name] = value = _values(signal, frames)
            if cut is not None:
                value[cut] = np.nan
    return Part(dialect=dialect, message=message, page=page, rows=frames.rows, values=values, texts=texts)


def _raw(signal: Signal, frames: _Frames) -> Words:
    raw = frames.little if signal.little_endian else frames.big
    if signal.shift:
        raw = raw >> np.uint64(signal.shift)
    return raw & np.uint64(signal.mask)


def _values(signal: Signal, frames: _Frames) -> Floats:
    """What `Signal.read` gives, of many; NaN for None."""
    raw = _raw(signal, frames)
    if signal.length == 1:
        return raw.astype(np.float64)
    if signal.kind is Kind.ALARM:
        return np.where(raw == RAISED, 1.0, np.where(raw == CLEARED, 0.0, np.nan))
    number = raw
    if signal.signed:
        half = np.uint64(1 << (signal.length - 1))
        number = ((raw ^ half) - half).view(np.int64)
    value = _scaled(number.astype(np.float64), signal)
    if signal.not_available is not None:
        value[raw == np.uint64(signal.not_available)] = np.nan
    return value


def _scaled(number: Floats, signal: Signal) -> Floats:
    """Physical values, each the float that is nearest to the decimal: 560 x 0.1 is 56.0 exactly."""
    scale, offset = Fraction(str(signal.scale)), Fraction(str(signal.offset))
    whole = math.lcm(scale.denominator, offset.denominator)
    if whole > EXACT_DENOMINATOR:
        return np.round(number * signal.scale + signal.offset, ROUNDED_DECIMALS)
    if (factor := int(scale * whole)) != 1:
        number *= factor
    if factor < 0 or offset:
        number += int(offset * whole)  # of -0.0 it makes 0.0
    if whole != 1:
        number /= whole
    return number


def _texts(signal: Signal, frames: _Frames) -> NDArray[np.object_]:
    """Texts with their padding; a log has few different ones, and each is decoded once."""
    raw, which = np.unique(_raw(signal, frames), return_inverse=True)
    order: Literal["little", "big"] = "little" if signal.little_endian else "big"
    said = [
        one.to_bytes(signal.length // 8, order).decode("ascii", "backslashreplace") for one in raw.tolist()
    ]
    return np.array(said, np.object_)[which]
