"""A CAN dialect, read from its DBC file: which bits of which frame carry which quantity.

The idea: signals are named after the model's quantities, so one file describes a dialect for the
encoder, for whatever reads frames, and for anybody's CAN tool. What a DBC can say that is not
understood here (nested multiplexing, floats, unknown names) is refused when it is loaded, with every
problem named, and never skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import profiles
from bridge.errors import ConfigError, did_you_mean
from bridge.model import Alarm, CanFrame
from bridge.profiles import Profile
from bridge.sinks.quantities import QUANTITIES, Quantity

if TYPE_CHECKING:
    from cantools.database.can.message import Message as DbcMessage
    from cantools.database.can.signal import Signal as DbcSignal

BATTERY = "Battery"  # the node whose messages we send
FRAME_BYTES = 8

Value = float | int | bool | str


class Kind(StrEnum):
    """Where a signal's value comes from. The order is the ENUM's in the DBC."""

    QUANTITY = "quantity"  # the decision
    CONSTANT = "constant"  # the DBC's start value, or the profile
    TEXT = "text"  # the profile, ASCII
    ALARM = "alarm"  # not in the ENUM: a quantity signal with a list of alarms
    LABEL = "label"  # not in the ENUM: a quantity that is a text


TEXTS = frozenset({Kind.TEXT, Kind.LABEL})
PAIR_BITS = 2  # an alarm that is raised and cleared expressly
RAISED, CLEARED = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Some bits of a message: physical = raw x scale + offset.

    shift: of its lowest bit, in the 8 data bytes read as one integer, little or big endian; single
    bits count as little endian. needs: how many bytes a frame must have to carry it. constant: raw; of
    an alarm, what stands there while it is not raised. not_available: raw, says that there is no value.
    protections, warnings: the alarms that set it, by severity. page: in a multiplexed message, the
    selector's value with which it is there; None: always.
    """

    name: str
    kind: Kind
    shift: int
    length: int
    little_endian: bool
    signed: bool
    scale: float
    offset: float
    minimum: float | None
    maximum: float | None
    needs: int
    unit: str = ""
    constant: int = 0
    not_available: int | None = None
    protections: frozenset[Alarm] = frozenset()
    warnings: frozenset[Alarm] = frozenset()
    page: int | None = None

    @property
    def mask(self) -> int:
        """Its bits, not shifted."""
        return (1 << self.length) - 1

    @property
    def raw_range(self) -> tuple[int, int]:
        """The lowest and the highest raw value that its bits hold."""
        half = 1 << (self.length - 1)
        return (-half, half - 1) if self.signed else (0, self.mask)

    def read(self, little: int, big: int) -> Value | None:
        """Its value in data bytes given as both integers; None if they say that there is none."""
        raw = (little if self.little_endian else big) >> self.shift & self.mask
        if self.kind in TEXTS:
            data = raw.to_bytes(self.length // 8, "little" if self.little_endian else "big")
            return data.decode("ascii", "backslashreplace")
        if self.length == 1:
            return bool(raw)
        if self.kind is Kind.ALARM:
            return {RAISED: True, CLEARED: False}.get(raw)
        if raw == self.not_available:
            return None
        if self.signed and raw >> (self.length - 1):
            raw -= 1 << self.length
        return raw if self.scale == 1 and not self.offset else round(raw * self.scale + self.offset, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One kind of frame. length: genuine number of data bytes. ours: whether the battery sends it.

    selector: of a multiplexed message, the name of the signal that says which page a frame is.
    """

    can_id: int
    extended: bool
    name: str
    length: int
    ours: bool
    signals: tuple[Signal, ...]
    selector: str | None = None

    @property
    def pages(self) -> tuple[int | None, ...]:
        """The selector's values, each of which is a frame of its own; one None if there is none."""
        return tuple(sorted({one.page for one in self.signals if one.page is not None})) or (None,)

    def on_page(self, page: int | None) -> tuple[Signal, ...]:
        """The signals that stand on a page."""
        return tuple(one for one in self.signals if one.page is None or one.page == page)


@dataclass(frozen=True, slots=True)
class Dialect:
    """All messages of a dialect, by (identifier, whether it has 29 bits)."""

    name: str
    path: Path
    messages: Mapping[tuple[int, bool], Message]

    def decode(self, frame: CanFrame) -> dict[str, Value]:
        """What a frame says, by signal names; empty if it is none of this dialect.

        Numbers in the signal's unit, single bits and alarms as bool, texts with their padding. A frame
        that is shorter than the message lacks the signals that would lie behind its end; a text may be
        cut, because packs send their names without padding. A pair of alarm
        bits that is neither raised nor cleared says nothing, and a code for "not available" neither.
        """
        message = self.messages.get((frame.can_id, frame.extended))
        if message is None:
            return {}
        little = int.from_bytes(frame.data, "little")
        big = int.from_bytes(frame.data.ljust(FRAME_BYTES, b"\0"), "big")
        size = len(frame.data)
        there = [signal for signal in message.signals if signal.needs <= size]
        if message.selector is not None:
            page = next((one.read(little, big) for one in there if one.name == message.selector), None)
            there = [signal for signal in there if signal.page is None or signal.page == page]
        return {signal.name: value for signal in there if (value := signal.read(little, big)) is not None}

    def moved(self, offset: int) -> Dialect:
        """The same with `offset` added to the identifiers of all that the battery sends."""
        moved = (
            replace(message, can_id=message.can_id + offset) if message.ours else message
            for message in self.messages.values()
        )
        return replace(self, messages={(message.can_id, message.extended): message for message in moved})


def of_profile(profile: Profile) -> Dialect:
    """The dialect of a profile, with its identifiers; raises ConfigError as `load` does."""
    dialect = load(profiles.dialect_path(profile))
    return dialect.moved(profile.id_offset) if profile.id_offset else dialect


def load(path: Path) -> Dialect:
    """The dialect of a DBC file; raises ConfigError that names every problem in it."""
    import cantools  # takes 0.1 s, which a command that needs no dialect should not pay
    from cantools.database.can import Database
    from cantools.database.errors import Error

    try:
        database = cantools.database.load_file(path, database_format="dbc")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    assert isinstance(database, Database)
    problems = [f"{path}: {text}" for message in database.messages for text in _problems(message)]
    if not any(BATTERY in message.senders for message in database.messages):
        problems.append(f"{path}: no message is sent by the node {BATTERY}")
    if problems:
        raise ConfigError(*problems)
    messages = (_message(message) for message in database.messages)
    return Dialect(path.stem, path, {(message.can_id, message.extended): message for message in messages})


def _message(dbc: DbcMessage) -> Message:
    return Message(
        can_id=dbc.frame_id,
        extended=dbc.is_extended_frame,
        name=dbc.name,
        length=dbc.length,
        ours=BATTERY in dbc.senders,
        signals=tuple(_signal(signal) for signal in dbc.signals),
        selector=next((signal.name for signal in dbc.signals if signal.is_multiplexer), None),
    )


def _signal(dbc: DbcSignal) -> Signal:
    protections, warnings = _alarms(dbc, "Protections"), _alarms(dbc, "Warnings")
    kind = Kind.ALARM if protections or warnings else _kind(dbc)
    little_endian = dbc.length == 1 or not _big(dbc)  # a single bit has no byte order
    start = dbc.start if little_endian else dbc.start // 8 * 8 + 7 - dbc.start % 8
    return Signal(
        name=dbc.name,
        kind=kind,
        shift=start if little_endian else 8 * FRAME_BYTES - start - dbc.length,
        length=dbc.length,
        little_endian=little_endian,
        signed=dbc.is_signed,
        scale=dbc.scale,
        offset=dbc.offset,
        minimum=dbc.minimum,
        maximum=dbc.maximum,
        needs=start // 8 + 1 if kind in TEXTS else math.ceil((start + dbc.length) / 8),
        unit=dbc.unit or "",
        constant=int(dbc.raw_initial or 0),
        not_available=_not_available(dbc),
        protections=frozenset(Alarm(word) for word in protections),
        warnings=frozenset(Alarm(word) for word in warnings),
        page=dbc.multiplexer_ids[0] if dbc.multiplexer_ids else None,
    )


def _kind(dbc: DbcSignal) -> Kind:
    attribute = dbc.dbc.attributes.get("Kind")
    kind = list(Kind)[int(attribute.value)] if attribute else Kind.QUANTITY
    return Kind.LABEL if kind is Kind.QUANTITY and QUANTITIES.get(dbc.name, Quantity()).text else kind


def _not_available(dbc: DbcSignal) -> int | None:
    attribute = dbc.dbc.attributes.get("NotAvailable")
    return int(attribute.value) if attribute else None


def _alarms(dbc: DbcSignal, attribute: str) -> list[str]:
    found = dbc.dbc.attributes.get(attribute)
    return str(found.value).split() if found else []


def _problems(message: DbcMessage) -> Iterator[str]:
    """What keeps a message from being used, as sentences without the file's name."""
    where = f"frame 0x{message.frame_id:X}"
    if message.length > FRAME_BYTES:
        yield f"{where}: {message.length} data bytes; a classic frame has at most {FRAME_BYTES}"
    selectors = [signal for signal in message.signals if signal.is_multiplexer]
    if len(selectors) > 1 or any(len(signal.multiplexer_ids or ()) > 1 for signal in message.signals):
        yield f"{where}: only one selector, and one page a field, is supported"
    if any(_kind(selector) is not Kind.CONSTANT for selector in selectors):
        yield f"{where}: the selector of a multiplexed message has the kind constant"
    for signal in message.signals:
        for text in _signal_problems(signal, ours=BATTERY in message.senders):
            yield f"{where}, field {signal.name}: {text}"


def _signal_problems(signal: DbcSignal, *, ours: bool) -> Iterator[str]:
    known = [alarm.value for alarm in Alarm]
    alarms = _alarms(signal, "Protections") + _alarms(signal, "Warnings")
    for word in alarms:
        if word not in known:
            yield f"unknown alarm {word!r}{did_you_mean(word, known)}"
    if alarms and signal.length not in {1, PAIR_BITS}:
        yield f"an alarm is one bit, or two for raised and cleared, not {signal.length}"
    if alarms and signal.length == PAIR_BITS and (_big(signal) or signal.raw_initial not in {0, CLEARED}):
        yield f"a pair of alarm bits is little endian and has the start value 0 or {CLEARED} (cleared)"
    kind = _kind(signal)
    if kind in TEXTS and (signal.length % 8 or signal.start % 8 != (7 if _big(signal) else 0)):
        yield "a text takes whole bytes"
    if signal.is_float:
        yield "floating point is not supported"
    if ours and not alarms and kind is Kind.QUANTITY and signal.name not in QUANTITIES:
        yield f"unknown quantity; known: {', '.join(QUANTITIES)}{did_you_mean(signal.name, QUANTITIES)}"


def _big(signal: DbcSignal) -> bool:
    return signal.byte_order == "big_endian"
