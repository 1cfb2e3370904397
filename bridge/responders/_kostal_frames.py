"""Frames of the link between a Kostal Plenticore and a BYD battery: 57600 8N1, both directions.

    byte 0 | header (5) | payload | checksum | 00        62, 63 FF 02 FF 29 from the inverter, E2, E3 .. back

The checksum is the two's complement of the sum of all before it. A 00 ends a frame, so inside there is
none: byte 0 says how far the first one is, and each that was replaced says how far the next one is.

Sources: dalathegreat/Battery-Emulator Software/src/inverter/KOSTAL-RS485 and its pull request 644.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bridge.protocols.checksums import sum8
from bridge.protocols.contract import Drop, Dropped

TAIL = b"\xff\x02\xff\x29"
READ, COMMAND, ANSWER = 0x62, 0x63, 0x80
HEADER_END, LEAST = 6, 8  # the shortest: header, checksum and 00
LONGEST = 80
KINDS = frozenset({READ, COMMAND, READ | ANSWER, COMMAND | ANSWER})


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame. kind: the first byte of its header. payload: between header and checksum. size: of
    what was on the wire. data: the same.
    """

    kind: int
    payload: bytes
    data: bytes

    @property
    def is_answer(self) -> bool:
        """Whether the battery sent it."""
        return bool(self.kind & ANSWER)


def sealed(kind: int, payload: bytes) -> bytes:
    """A frame as it goes on the wire."""
    plain = bytes((0, kind)) + TAIL + payload
    return stuffed(plain + bytes((-sum8(plain) & 0xFF, 0)))


def stuffed(plain: bytes) -> bytes:
    """Every 00 but the last replaced by the distance to the next one. Begins and ends with one."""
    zeros = [at for at, byte in enumerate(plain) if not byte]
    out = bytearray(plain)
    for at, after in pairwise(zeros):
        out[at] = after - at
    return bytes(out)


def unstuffed(frame: bytes) -> bytes | None:
    """What stood there before; None where the distances do not end at the last byte."""
    out, at = bytearray(frame), 0
    while at < len(frame) - 1:
        distance, out[at] = out[at], 0
        at += distance
    return bytes(out) if at == len(frame) - 1 else None


class Frames:
    """Byte stream to frames. Never raises; holds less than one longest frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._overflown = 0

    def feed(self, chunk: bytes) -> list[Frame | Dropped]:
        """What has become certain with this chunk."""
        return list(self._cut(chunk))

    def reset(self) -> list[Frame | Dropped]:
        """Gives up what is incomplete."""
        size, reason = len(self._buffer) + self._overflown, self._reason()
        self._clear()
        return [Dropped(reason, size)] if size else []

    def _cut(self, chunk: bytes) -> Iterator[Frame | Dropped]:
        pieces = chunk.split(b"\0")
        for piece in pieces[:-1]:
            self._take(piece)
            yield from self._whole()
        self._take(pieces[-1])

    def _take(self, piece: bytes) -> None:
        self._buffer += piece
        if (over := len(self._buffer) - LONGEST) > 0:  # what comes last may be a frame
            del self._buffer[:over]
            self._overflown += over

    def _reason(self) -> Drop:
        return Drop.OVERFLOW if self._overflown else Drop.TRUNCATED

    def _clear(self) -> None:
        self._buffer.clear()
        self._overflown = 0

    def _whole(self) -> Iterator[Frame | Dropped]:
        data, lost = bytes(self._buffer) + b"\0", self._overflown
        self._clear()
        found = _frame(data)
        start = data.rfind(TAIL) - 2
        if isinstance(found, Dropped) and start > 0 and isinstance(later := _frame(data[start:]), Frame):
            found, lost = later, lost + start
        if isinstance(found, Dropped):
            yield Dropped(Drop.OVERFLOW if lost else found.reason, lost + found.size, found.detail)
            return
        if lost:
            yield Dropped(Drop.NOISE, lost)
        yield found


def _frame(data: bytes) -> Frame | Dropped:
    if len(data) < LEAST:
        return Dropped(Drop.NOISE, len(data))
    plain = unstuffed(data)
    if plain is None:
        return Dropped(Drop.LENGTH, len(data), "distances between zeros that can't be")
    if sum8(plain):
        return Dropped(Drop.CHECKSUM, len(data))
    if plain[1] not in KINDS or plain[2:HEADER_END] != TAIL:
        return Dropped(Drop.UNKNOWN, len(data), f"header {plain[1:HEADER_END].hex(' ')}")
    return Frame(plain[1], plain[HEADER_END:-2], data)
