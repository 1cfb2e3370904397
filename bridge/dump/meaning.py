"""What single frames mean, in words and as JSON: for eyes and pipes, where columns are for tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from bridge.dump.block import DATA_BYTES, ERROR, FD, REMOTE, SENT, Block, Floats, id_text
from bridge.dump.candump_lines import ERROR_FLAG
from bridge.dump.decoding import Decoding, Part
from bridge.sinks.layout import Kind, Message, Signal, Value

INDENT = " " * 4
PADDING = "\0 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a frame says, read as a message. dialects: all in which it says just that."""

    dialects: tuple[str, ...]
    message: Message
    page: int | None
    signals: Mapping[str, Value]

    def record(self) -> dict[str, object]:
        """As JSON."""
        return {"message": self.message.name, "dialects": list(self.dialects), "signals": self.signals}

    def text(self) -> str:
        """In words: what is raised of the alarms, and everything else with its unit."""
        units = {signal.name: signal for signal in self.message.signals}
        alarms = [name for name in self.signals if units[name].kind is Kind.ALARM]
        said = [_said(units[name], value) for name, value in self.signals.items() if name not in set(alarms)]
        if alarms:
            raised = [name for name in alarms if self.signals[name]]
            said.insert(0, f"ALARMS {' '.join(raised)}" if raised else "no alarms")
        return f"{self.message.name}: {', '.join(said)}" if said else self.message.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of a block with all its meanings; none if it is of no dialect."""

    time_s: float
    key: int
    channel: str
    raw: str  # as candump logs it, without time and channel
    data: str
    meanings: tuple[Meaning, ...]

    def line(self) -> str:
        """As candump logs it."""
        time = "" if math.isnan(self.time_s) else f"({self.time_s:.6f}) "
        return f"{time}{self.channel or 'can'} {self.raw}"

    def text(self, *, named: bool) -> Iterator[str]:
        """The log's line with its meaning beside it, further meanings below. named: with the dialects."""
        line = self.line()
        if not self.meanings:
            yield line
        for number, meaning in enumerate(self.meanings):
            dialects = f"[{' '.join(meaning.dialects)}] " if named else ""
            yield f"{line if number == 0 else INDENT}  :: {dialects}{meaning.text()}"

    def records(self) -> Iterator[dict[str, object]]:
        """As JSON: one for each meaning, or one without."""
        known = {
            "t": None if math.isnan(self.time_s) else self.time_s,
            "channel": self.channel,
            "id": id_text(self.key),
            "data": self.data,
        }
        if not self.meanings:
            yield {**known, "message": None, "dialects": [], "signals": {}}
        for meaning in self.meanings:
            yield known | meaning.record()


def frames(block: Block, decoding: Decoding, *, unknown: bool = True) -> Iterator[Frame]:
    """The block's frames with what they mean, in their order. unknown: those without a meaning too."""
    meanings: dict[int, list[Meaning]] = {}
    for part, dialects in _merged(decoding.split(block)):
        for row, signals in zip(part.rows.tolist(), rows_of(part), strict=True):
            meaning = Meaning(dialects=dialects, message=part.message, page=part.page, signals=signals)
            _add(meanings.setdefault(row, []), meaning)
    keys, times = block.key.tolist(), block.time_s.tolist()
    for row in range(len(block)) if unknown else sorted(meanings):
        data = block.data[row, : block.length[row]].tobytes().hex().upper()
        yield Frame(
            time_s=times[row],
            key=keys[row],
            channel=block.channels[block.channel[row]] if block.channels else "",
            raw=raw_text(block, row),
            data=data,
            meanings=tuple(meanings.get(row, ())),
        )


def raw_text(block: Block, row: int) -> str:
    """A frame as candump logs it: `351#3002E803DC05CC01`, with ` T` behind what was sent."""
    flags, length = int(block.flags[row]), int(block.length[row])
    data = block.data[row, :length].tobytes().hex().upper()
    written = id_text(int(block.key[row]))
    if flags & ERROR:
        written = f"{int(block.can_id[row]) | ERROR_FLAG:08X}"
    if flags & REMOTE:
        data = f"R{length}" if length else "R"
    elif flags & FD:
        data = f"#0{data}" + ("" if length <= DATA_BYTES else f"...{length}")
    return f"{written}#{data}{' T' if flags & SENT else ''}"


def rows_of(part: Part) -> Iterator[dict[str, Value]]:
    """The part's frames one by one, each as `Dialect.decode` has it."""
    columns: dict[str, list[Value | None]] = {}
    for signal in part.signals:
        if signal.name in part.texts:
            columns[signal.name] = part.texts[signal.name].tolist()
        elif signal.name in part.values:
            columns[signal.name] = _python(signal, part.values[signal.name])
    names = list(columns)
    if not names:
        yield from ({} for _ in part.rows)
        return
    for values in zip(*columns.values(), strict=True):
        yield {name: value for name, value in zip(names, values, strict=True) if value is not None}


@dataclass(slots=True)
class Changes:
    """Takes from a log what says something that was not said before."""

    _data: dict[int, tuple[int, int]] = field(default_factory=dict)
    _said: dict[tuple[object, ...], Mapping[str, Value]] = field(default_factory=dict)

    def rows(self, block: Block) -> Block:
        """The frames whose data differ from the one before with the same identifier on the same channel."""
        if not len(block):
            return block
        group = block.key | block.channel.astype(np.int64) << 33
        order = np.argsort(group, kind="stable")
        ordered, data = group[order], block.data.view("<u8")[order, 0]
        length = block.length[order]
        first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        changed = first.copy()
        changed[1:] |= (data[1:] != data[:-1]) | (length[1:] != length[:-1])
        for place in np.flatnonzero(first).tolist():
            changed[place] = self._data.get(int(ordered[place])) != (int(data[place]), int(length[place]))
        for place in np.flatnonzero(np.concatenate([first[1:], [True]])).tolist():
            self._data[int(ordered[place])] = (int(data[place]), int(length[place]))
        return block.take(np.sort(order[changed]))

    def frame(self, frame: Frame) -> Frame | None:
        """The frame with only those signals that changed; None if none of its signals did."""
        if not frame.meanings:
            return frame
        left = [one for one in (self._changed(frame, meaning) for meaning in frame.meanings) if one]
        if not left:
            return None
        return replace(frame, meanings=tuple(left))

    def _changed(self, frame: Frame, meaning: Meaning) -> Meaning | None:
        of = (frame.channel, frame.key, meaning.dialects, meaning.page)
        before = self._said.get(of, {})
        self._said[of] = {**before, **meaning.signals}
        changed = {name: value for name, value in meaning.signals.items() if before.get(name) != value}
        if not changed and before:
            return None
        return Meaning(dialects=meaning.dialects, message=meaning.message, page=meaning.page, signals=changed)


def _merged(parts: Iterable[Part]) -> Iterator[tuple[Part, tuple[str, ...]]]:
    """The parts, those as one that read the same frames in the same way, with all their dialects."""
    found: dict[tuple[object, ...], tuple[Part, list[str]]] = {}
    for part in parts:
        layout = (part.message.can_id, part.message.extended, part.page, _layout(part))
        _, dialects = found.setdefault(layout, (part, []))
        dialects.append(part.dialect)
    for part, dialects in found.values():
        yield part, tuple(dialects)


def _add(meanings: list[Meaning], meaning: Meaning) -> None:
    """One meaning more, or one more dialect that has it: dialects differ in what a short frame lacks."""
    for place, known in enumerate(meanings):
        if known.message.name == meaning.message.name and known.signals == meaning.signals:
            meanings[place] = replace(known, dialects=tuple(sorted(known.dialects + meaning.dialects)))
            return
    meanings.append(meaning)


def _layout(part: Part) -> tuple[object, ...]:
    """All that decides what is read out of which frames."""
    signals = tuple(
        (
            (one.name, one.kind, one.needs, one.not_available),
            (one.shift, one.length, one.little_endian, one.signed, one.scale, one.offset),
        )
        for one in part.signals
    )
    return part.message.name, part.message.pages, signals


def _python(signal: Signal, values: Floats) -> list[Value | None]:
    """Bits as bool, whole numbers as int, None where there is no value."""
    there = ~np.isnan(values)
    if signal.length == 1 or signal.kind is Kind.ALARM:
        found: list[Value | None] = (values == 1).tolist()
    elif whole(signal):
        found = np.where(there, values, 0).astype(np.int64).tolist()
    else:
        found = values.tolist()
    if there.all():
        return found
    return [value if known else None for value, known in zip(found, there.tolist(), strict=True)]


def whole(signal: Signal) -> bool:
    """Whether its values are whole numbers."""
    return signal.scale == 1 and not signal.offset


def _said(signal: Signal, value: Value) -> str:
    if isinstance(value, bool):
        return f"{signal.name} {'yes' if value else 'no'}"
    if isinstance(value, str):
        return f"{signal.name} {value.rstrip(PADDING)!r}"
    return f"{signal.name} {value}{f' {signal.unit}' if signal.unit else ''}"
