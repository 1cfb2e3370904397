"""What differs between two dumps: identifiers, periods, lengths, bits, and the course of every signal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from bridge.dump import columns
from bridge.dump.alignment import Align, Offset, offset
from bridge.dump.block import Block, Floats, id_text
from bridge.dump.guess import Guess, guess
from bridge.dump.survey import Seen, Survey
from bridge.dump.tongues import Tongue
from bridge.dump.traces import Traces
from bridge.sinks.layout import PAIR_BITS, TEXTS, Kind, Message, Signal

GUESSED_FROM = 200_000  # frames
APART = 1.25  # times the period of the other
ENOUGH_GAPS = 5
GAP_S, GAPS = 2.0, 2.0  # a longest gap is told from here, and from so many of the other's
STEPS = 1.01  # of a signal, and a little more for what floats are worth
RAISED_PAIR = "01"
NEIGHBOURS = 2  # short times; two loggers never cut time at the same places


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs. about: an identifier or a signal. first, second: what each has.

    largest, mean: of a signal's difference, second less first, in its unit; at_s: where it is largest,
    by the first dump's clock. share: of the time in which both are known and differ.
    """

    kind: str
    about: str
    first: object
    second: object
    unit: str = ""
    largest: float | None = None
    mean: float | None = None
    share: float | None = None
    at_s: float | None = None

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return {
            "kind": self.kind,
            "about": self.about,
            "first": self.first,
            "second": self.second,
            "unit": self.unit,
            "largest": self.largest,
            "mean": self.mean,
            "share": self.share,
            "at_s": self.at_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two dumps beside each other. tongue: what both were read as; None if nothing fits both.

    common_s: for how long both are there, laid upon each other. begin_s: of the first; None where one of
    them has no times: then the frames of each identifier were counted instead.
    """

    differences: tuple[Difference, ...]
    tongue: Tongue | None
    offset: Offset | None
    common_s: float | None
    begin_s: float | None


class Side:
    """One of two dumps: its begin, kept to guess by, and the rest that is still to come."""

    def __init__(self, blocks: Iterable[Block], name: str) -> None:
        self.name = name
        self.found = Survey()
        self._stream = iter(blocks)
        self._begin: list[Block] = []
        begin = Survey()
        for block in self._stream:
            self._begin.append(block)
            begin.add(block)
            if begin.frames >= GUESSED_FROM:
                break
        self.guessed: Guess = guess(begin)

    def read(self, tongue: Tongue | None) -> Traces | None:
        """Go through all of it, once."""
        traces = None if tongue is None else Traces(tongue)
        for block in chain(self._begin, self._stream):
            self.found.add(block)
            if traces is not None:
                traces.add(block)
        self._begin = []
        return traces


def compare(first: Side, second: Side, align: Align = Align.AUTO, tongue: Tongue | None = None) -> Compared:
    """All differences. tongue: what both are to be read as; None: what both are guessed to be."""
    tongue = tongue or _common(first.guessed, second.guessed)
    traces = first.read(tongue), second.read(tongue)
    differences = [
        *_dialects(first.guessed, second.guessed, tongue),
        *_ids(first.found, second.found, tongue),
        *_frames(first.found, second.found, tongue),
    ]
    moved, common_s, begin_s = None, None, None
    if traces[0] is not None and traces[1] is not None and traces[0].names and traces[1].names:
        moved = offset(traces[0], traces[1], align)
        signals, common_s = _signals(traces[0], traces[1], moved)
        differences += signals
        begin_s = traces[0].begin_s if traces[0].timed and traces[1].timed else None
    return Compared(
        differences=tuple(differences), tongue=tongue, offset=moved, common_s=common_s, begin_s=begin_s
    )


def _common(first: Guess, second: Guess) -> Tongue | None:
    """The likeliest dialect that is possible for both."""
    if first.best is None or second.best is None:
        return None
    likely = [one.tongue for one in first.candidates if one.tied or one is first.best]
    others = [one.tongue for one in second.candidates if one.tied or one is second.best]
    both = [tongue for tongue in likely if tongue in others]
    return both[0] if both else None


def _dialects(first: Guess, second: Guess, tongue: Tongue | None) -> Iterator[Difference]:
    if tongue is None:
        names = [one.best.tongue.shown if one.best else "unknown" for one in (first, second)]
        yield from _unlike("dialect", "dialect", names)


def _ids(first: Survey, second: Survey, tongue: Tongue | None) -> Iterator[Difference]:
    for key in sorted(first.seen.keys() ^ second.seen.keys()):
        message = tongue.dialect.messages.get((key & 0xFFFFFFFF, bool(key >> 32))) if tongue else None
        about = f"{id_text(key)} {message.name}" if message else id_text(key)
        counts = [one.seen[key].count if key in one.seen else 0 for one in (first, second)]
        yield Difference(kind="identifier", about=about, first=counts[0], second=counts[1], unit="frames")


def _frames(first: Survey, second: Survey, tongue: Tongue | None) -> Iterator[Difference]:
    """Periods, lengths and bits of the identifiers that both have."""
    for key in sorted(first.seen.keys() & second.seen.keys()):
        one, other = first.seen[key], second.seen[key]
        yield from _periods(one, other)
        if one.lengths.keys() != other.lengths.keys():
            yield Difference(
                kind="length",
                about=id_text(key),
                first=sorted(one.lengths),
                second=sorted(other.lengths),
                unit="bytes",
            )
        message = tongue.battery.get(key) if tongue else None
        if message is None or message.selector is None:
            yield from _bits(one, other, message)


def _periods(one: Seen, other: Seen) -> Iterator[Difference]:
    first_s, second_s = one.period_s, other.period_s
    if not first_s or not second_s or min(one.count, other.count) <= ENOUGH_GAPS:
        return
    gaps_s = sorted((one.longest_gap_s, other.longest_gap_s))
    if gaps_s[1] > GAP_S and gaps_s[1] > GAPS * max(gaps_s[0], first_s, second_s):
        yield Difference(
            kind="gap",
            about=id_text(one.key),
            first=round(one.longest_gap_s, 2),
            second=round(other.longest_gap_s, 2),
            unit="s",
        )
    if not 1 / APART <= second_s / first_s <= APART:
        yield Difference(
            kind="period",
            about=id_text(one.key),
            first=round(first_s, 4),
            second=round(second_s, 4),
            unit="s",
        )


def _bits(one: Seen, other: Seen, message: Message | None) -> Iterator[Difference]:
    """Texts and constants that are others, pairs of alarm bits that are, and bits that nothing describes.

    Numbers, single bits and what is raised are left to their courses.
    """
    rest = (1 << 64) - 1
    for signal in message.signals if message else ():
        rest &= ~_mask(signal)
        if signal.kind in TEXTS:
            said = [columns.text(signal, seen.data[-1]) for seen in (one, other)]
            yield from _unlike("text", signal.name, said)
        elif signal.kind is Kind.CONSTANT and signal.length > 1:
            known = [f"0x{int(columns.raw(signal, seen.data)[-1]) & signal.mask:X}" for seen in (one, other)]
            yield from _unlike("constant", f"{signal.name} in {id_text(one.key)}", known)
        elif signal.length == PAIR_BITS and signal.kind is Kind.ALARM:
            pairs = [_ever(seen, _mask(signal), signal.shift, "{:02b}") for seen in (one, other)]
            if not {"varies", RAISED_PAIR} & {*pairs}:
                yield from _unlike("bit", f"{signal.name} in {id_text(one.key)}", pairs)
    for byte in range(8):
        ever = [_ever(seen, rest & (0xFF << 8 * byte), 8 * byte, "0x{:02X}") for seen in (one, other)]
        yield from _unlike("byte", f"{id_text(one.key)} byte {byte}", ever)


def _unlike(kind: str, about: str, values: list[str]) -> Iterator[Difference]:
    if values[0] != values[1]:
        yield Difference(kind=kind, about=about, first=values[0], second=values[1])


def _ever(seen: Seen, mask: int, shift: int, form: str) -> str:
    """What some bits were: a number, or that they were not always the same."""
    varied = int.from_bytes(seen.varied.tobytes(), "little") & mask
    word = int.from_bytes(seen.data[0].tobytes(), "little") & mask
    return "varies" if varied else form.format(word >> shift)


def _mask(signal: Signal) -> int:
    bits = signal.mask << signal.shift
    return bits if signal.little_endian else int.from_bytes(bits.to_bytes(8, "big"), "little")


def _signals(first: Traces, second: Traces, moved: Offset) -> tuple[list[Difference], float]:
    """The signals whose courses differ by more than a step, and for how long both are known."""
    width_s = first.width_s
    shift = round((second.begin_s + moved.seconds - first.begin_s) / width_s)
    found, common = [], 0
    for name in sorted(first.names & second.names):
        course, other = first.course(name), _shifted(second.course(name), shift)
        both = ~np.isnan(course) & ~np.isnan(other)
        common = max(common, int(both.sum()))
        signal = first.signals[name]
        if signal.kind is not Kind.CONSTANT and both.any():
            found += _signal(signal, course, other, first.begin_s if first.timed else 0.0, width_s)
    found.sort(key=lambda one: -(one.share or 0.0))
    return found, common * width_s


def _signal(
    signal: Signal, course: Floats, other: Floats, begin_s: float, width_s: float
) -> list[Difference]:
    apart = other - course
    low, high = _around(other, np.fmin), _around(other, np.fmax)
    least = np.where(course < low, low - course, np.where(course > high, course - high, 0.0))
    bit = signal.length == 1 or signal.kind is Kind.ALARM
    inside = ~np.isnan(_around(apart, np.minimum))  # at the ends of a dump, one is a frame ahead
    differs = inside & (np.nan_to_num(least) > (0.5 if bit else STEPS * abs(signal.scale)))
    if not differs.any():
        return []
    worst = int(np.argmax(np.where(differs, least, -1)))
    known = ~np.isnan(apart)
    return [
        Difference(
            kind="bit" if bit else "signal",
            about=signal.name,
            first=round(float(course[worst]), 6),
            second=round(float(other[worst]), 6),
            unit=signal.unit,
            largest=round(float(apart[worst]), 6),
            mean=round(float(apart[known].mean()), 6),
            share=round(float(differs.sum() / known.sum()), 4),
            at_s=begin_s + worst * width_s,
        )
    ]


def _around(course: Floats, join: np.ufunc) -> Floats:
    """The least or greatest of a value and its neighbours in time."""
    found = course.copy()
    for step in range(1, NEIGHBOURS + 1):
        found[step:] = join(found[step:], course[:-step])
        found[:-step] = join(found[:-step], course[step:])
    return found


def _shifted(course: Floats, shift: int) -> Floats:
    """A course that many places later; NaN where there is nothing of it."""
    moved = np.full(len(course), np.nan)
    count = len(course) - abs(shift)
    if count > 0:
        to, of = max(shift, 0), max(-shift, 0)
        moved[to : to + count] = course[of : of + count]
    return moved


def by_kind(differences: Iterable[Difference]) -> Mapping[str, list[Difference]]:
    """The differences by kind, in the order in which they are told."""
    found: dict[str, list[Difference]] = {}
    for one in differences:
        found.setdefault(one.kind, []).append(one)
    return found
