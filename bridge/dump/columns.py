"""One signal of many frames at once: what `Signal.read` says of one, as a column."""

from __future__ import annotations

import numpy as np

from bridge.dump.block import Bytes, Floats, Integers, Mask
from bridge.sinks.layout import CLEARED, RAISED, Kind, Message, Signal


def raw(signal: Signal, data: Bytes) -> Integers:
    """The signal's bits as integers, with their sign. data: 8 bytes a row, contiguous."""
    words = data.view("<u8" if signal.little_endian else ">u8")[:, 0]
    bits: Integers = ((words >> np.uint64(signal.shift)) & np.uint64(signal.mask)).astype(np.int64)
    if signal.signed and signal.length < 64:
        away = np.int64(64 - signal.length)
        bits = (bits << away) >> away
    return bits


def values(signal: Signal, data: Bytes, length: Bytes) -> Floats:
    """The signal in its unit; NaN where a frame is too short, says that it has none, or is text.

    A bit and an alarm are 0 and 1; a pair of alarm bits that says nothing is 0.
    """
    if signal.kind is Kind.ALARM and signal.length == 2:
        found: Floats = (raw(signal, data) == RAISED).astype(np.float64)
    elif signal.kind in {Kind.TEXT, Kind.LABEL}:
        return np.full(len(data), np.nan)
    else:
        bits = raw(signal, data)
        found = bits.astype(np.float64)
        if signal.scale != 1:
            found *= signal.scale
        if signal.offset:
            found += signal.offset
        if signal.not_available is not None:
            found[(bits & signal.mask) == signal.not_available] = np.nan
    short = length < signal.needs
    if short.any():
        found[short] = np.nan
    return found


def undefined(message: Message) -> Bytes:
    """The bits, as 8 bytes of a mask, that no signal of the message describes."""
    described = 0
    for signal in message.signals:
        bits = signal.mask << signal.shift
        if not signal.little_endian:
            bits = int.from_bytes(bits.to_bytes(8, "big"), "little")
        described |= bits
    return np.frombuffer((~described & (1 << 64) - 1).to_bytes(8, "little"), np.uint8)


def said_nothing(signal: Signal, data: Bytes) -> Mask:
    """Where a pair of alarm bits is neither raised nor cleared."""
    bits = raw(signal, data)
    nothing: Mask = (bits != RAISED) & (bits != CLEARED)
    return nothing


def text(signal: Signal, row: Bytes) -> str:
    """The letters of a text in one frame's 8 bytes, as `Signal.read` has them."""
    data = row.tobytes()
    return str(signal.read(int.from_bytes(data, "little"), int.from_bytes(data, "big")))
