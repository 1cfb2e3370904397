"""A CAN dialect, read from its DBC file: which bits of which frame carry which quantity.

The idea: signals are named after the model's quantities, so one file describes a dialect for the
encoder, for whatever reads frames, and for anybody's CAN tool. What a DBC can say that is not
understood here (nested multiplexing, floats, unknown names) is refused when it is loaded, with every
problem named, and never skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import profiles
from bridge.errors import ConfigError, did_you_mean
from bridge.model import Alarm
from bridge.profiles import Profile
from bridge.sinks.layout import (
    CLEARED,
    FRAME_BYTES,
    PAIR_BITS,
    RAISED,
    TEXTS,
    Dialect,
    Kind,
    Message,
    Signal,
    Value,
)
from bridge.sinks.quantities import QUANTITIES, Quantity

if TYPE_CHECKING:
    from cantools.database.can.message import Message as DbcMessage
    from cantools.database.can.signal import Signal as DbcSignal

__all__ = ["FRAME_BYTES", "RAISED", "Dialect", "Kind", "Message", "Signal", "Value", "load", "of_profile"]

BATTERY = "Battery"  # the node whose messages we send


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
