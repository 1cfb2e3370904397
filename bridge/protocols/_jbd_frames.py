"""JBD framing, both directions: byte stream -> frames, and requests and replies -> bytes.

    request   DD | A5 read, 5A write | command | length | data | checksum | 77
    addressed DD | address | A5 | command | length | data | checksum | 77
    reply     DD | command | status | length | data | checksum | 77
    BLE keys  FF AA | command | length | data | low byte of the sum of command .. data

The checksum is big-endian and makes the sum of everything from the third byte on 0 modulo 65536, so
that of an empty acknowledgement is 0000, and a reply's command is not covered. Start and end byte
also occur inside frames and nothing is escaped: only the length tells where a frame ends.

One idea: every start byte is a claim, which the rest must bear out. A claim that fails costs one
byte, and the search goes on right behind it, because a good frame may have begun inside a cut one.

Sources: syssi/esphome-jbd-bms docs/Jiabaida.communication.protocol.pdf (vendor V4),
mahmoudamr1205/Electra_Bike JBD_BMS/Software_Board_Universal_Protocol_V13.md (vendor V13),
syssi/esphome-jbd-bms issue #60 (addressed form) and docs/ffaa-auth-flow (BLE keys).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from bridge.protocols.checksums import sum8
from bridge.protocols.contract import Drop, Dropped

START, END = 0xDD, 0x77
READ, WRITE = 0xA5, 0x5A
_REQUESTS = frozenset({READ, WRITE})
KEY_START, KEY_SECOND = 0xFF, 0xAA
OVERHEAD = 7
KEY_OVERHEAD = 5

BASIC, CELLS, NAME, COUNTERS, PARAMETERS = 0x03, 0x04, 0x05, 0xAA, 0xFA
MAX_DATA = 0x40  # 32 cells; nothing else that is known comes near
MAX_PARAMETERS = 95  # vendor V13
KEY_COMMANDS = range(0x15, 0x1E)
MAX_KEY_DATA = 6


def read_request(command: int, data: bytes = b"", address: int | None = None) -> bytes:
    """Ask for `command`. address: use the form for RS485 boards that have one."""
    head = bytes((command, len(data)))
    if address is None:
        return bytes((START, READ)) + _sealed(head + data)
    return bytes((START, address)) + _sealed(bytes((READ,)) + head + data)


def reply(command: int, data: bytes = b"", status: int = 0) -> bytes:
    """What a board answers."""
    return bytes((START, command)) + _sealed(bytes((status, len(data))) + data)


def key_frame(command: int, data: bytes = b"") -> bytes:
    """A frame of the BLE key exchange, either way."""
    body = bytes((command, len(data))) + data
    return bytes((KEY_START, KEY_SECOND)) + body + bytes((sum8(body),))


def _sealed(covered: bytes) -> bytes:
    return covered + (-sum(covered) & 0xFFFF).to_bytes(2, "big") + bytes((END,))


T = TypeVar("T")


class Framer(Generic[T]):
    """Cuts a byte stream into whole frames of any kind and has each `read`. Never raises; holds at
    most one frame.
    """

    __slots__ = ("_blamed", "_buffer", "_read", "_run", "_why")

    def __init__(self, read: Callable[[bytes], T]) -> None:
        self._read = read
        self._buffer = b""
        self._why = Drop.NOISE  # of the bytes being dropped
        self._run = 0  # bytes dropped for it and not yet told
        self._blamed = 0  # bytes of a broken frame that are still to be looked at again

    def feed(self, chunk: bytes) -> list[T | Dropped]:
        """What the frames that are complete say, and what was dropped, in the order of the stream."""
        data = self._buffer + chunk
        size = len(data)
        if size and not self._run:  # the usual cases, made quick: one frame and nothing else, or its head
            claimed = _claimed(data, 0, size)
            if claimed > size:
                self._buffer = data
                return []
            if claimed == size and _fault(data) is None:
                self._buffer = b""
                return [self._read(data)]
        return self._scan(data, ended=False)

    def reset(self) -> list[T | Dropped]:
        """Nothing more comes: what is incomplete is given up, good frames behind it are found."""
        out = self._scan(self._buffer, ended=True)
        self._blamed = 0
        return out

    def _scan(self, data: bytes, *, ended: bool) -> list[T | Dropped]:
        out: list[T | Dropped] = []
        at, end = 0, len(data)
        while at < end:
            size = _claimed(data, at, end)
            if size < 0:
                why, size = Drop.NOISE, 1
            elif size == 0 or at + size > end:
                if not ended:
                    break
                why, size = (Drop.NOISE, 1) if size == 0 and end - at == 1 else (Drop.TRUNCATED, end - at)
            else:
                frame = data[at : at + size]
                fault = _fault(frame)
                if fault is None:
                    if self._run:
                        self._close(out)
                    out.append(self._read(frame))
                    at += size
                    continue
                why = fault
            self._drop(out, why, size)
            at += 1
        if self._run and not self._blamed:
            self._tell(out)
        self._buffer = data[at:]
        return out

    def _drop(self, out: list[T | Dropped], why: Drop, size: int) -> None:
        """Drop one byte; `size` bytes in all are to blame, unless a broken frame before claims it."""
        if self._blamed == 0:
            if why is not Drop.NOISE or self._why is not Drop.NOISE:
                self._tell(out)
            self._why, self._blamed = why, size
        self._blamed -= 1
        self._run += 1

    def _close(self, out: list[T | Dropped]) -> None:
        """A good frame follows; if it began inside a broken one, that one was cut off."""
        if self._blamed:
            self._why, self._blamed = Drop.TRUNCATED, 0
        self._tell(out)

    def _tell(self, out: list[T | Dropped]) -> None:
        if self._run:
            out.append(Dropped(self._why, self._run))
            self._run = 0


def _claimed(data: bytes, at: int, end: int) -> int:
    """The size that a frame at `at` claims; 0 if more bytes must tell, negative if there is none."""
    if data[at] != START:
        return _claimed_key(data, at, end)
    if end - at < 4:
        return 0
    length = data[at + 3]
    if data[at + 2] == 0 and data[at + 1] != PARAMETERS:
        return length + OVERHEAD if length <= MAX_DATA else -1
    return _claimed_rarely(data, at, end)


def _claimed_rarely(data: bytes, at: int, end: int) -> int:
    """Anything but a good reply of the usual kind."""
    command, status, length = data[at + 1], data[at + 2], data[at + 3]
    if command in _REQUESTS:  # our own, heard again
        return length + OVERHEAD if length <= MAX_DATA else -1
    if status == READ:  # our own in its addressed form
        if end - at < 5:
            return 0
        return data[at + 4] + OVERHEAD + 1 if data[at + 4] <= MAX_DATA else -1
    if status or length < 3:  # an error reply is empty; so is an acknowledgement
        return length + OVERHEAD if length == 0 or not status else -1
    # parameters: start number (2 bytes), count (1 byte), count words: the length is said twice
    if length > 3 + 2 * MAX_PARAMETERS:
        return -1
    if end - at < 7:
        return 0
    return length + OVERHEAD if length == 3 + 2 * data[at + 6] else -1


def _claimed_key(data: bytes, at: int, end: int) -> int:
    if data[at] != KEY_START:
        return -1
    if end - at < 2:
        return 0
    if data[at + 1] != KEY_SECOND:
        return -1
    if end - at < 4:
        return 0
    plausible = data[at + 2] in KEY_COMMANDS and data[at + 3] <= MAX_KEY_DATA
    return data[at + 3] + KEY_OVERHEAD if plausible else -1


def _fault(frame: bytes) -> Drop | None:
    """What is wrong with a frame of the right size."""
    if frame[0] == KEY_START:
        return None if sum8(frame[2:-1]) == frame[-1] else Drop.CHECKSUM
    if frame[-1] != END:
        return Drop.TERMINATOR
    return Drop.CHECKSUM if sum(frame[2:-3]) + (frame[-3] << 8) + frame[-2] & 0xFFFF else None
