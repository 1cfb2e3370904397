"""Framing of Daly's two Modbus-like dialects, and which request a reply belongs to.

    read     address | 03 | start (2) | count (2) | CRC     reply  address | 03 | bytes | registers | CRC
    written  address | 06 | register (2) | value (2) | CRC  reply  the same
    refused  address | function + 80 | code | CRC

Big-endian, except for the CRC-16/MODBUS, whose low byte comes first. One idea: a reply does not say from
which register it starts, so it means nothing by itself; it belongs to the newest request of its length.
Where no request is known (a capture), its length tells if it is one that the maker's own programs read.

Sources: dalyModbusProtocol.xlsx and docs/pdus of syssi/esphome-daly-bms, patagonaa/esphome-daly-hkms-bms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.protocols._stream import Cutter
from bridge.protocols.checksums import crc16_modbus
from bridge.protocols.contract import Drop, Dropped, Payload

READ, WRITE, WRITE_MANY, REFUSED = 0x03, 0x06, 0x10, 0x80
REQUEST_SIZE, REFUSAL_SIZE, OVERHEAD = 8, 5, 5
MAX_DATA = 250
_REQUESTS_MAX = 4


def sealed(body: bytes) -> bytes:
    """`body` with its CRC."""
    return body + crc16_modbus(body).to_bytes(2, "little")


def read_request(address: int, start: int, count: int) -> bytes:
    """Asks `address` for `count` registers from `start` on."""
    return sealed(bytes((address, READ)) + start.to_bytes(2, "big") + count.to_bytes(2, "big"))


def read_reply(address: int, data: bytes) -> bytes:
    """Answers a read with the registers in `data`."""
    return sealed(bytes((address, READ, len(data))) + data)


@dataclass(frozen=True, slots=True)
class Window:
    """Registers that a reply carried. start: of the first one. sender: the reply's address byte."""

    sender: int
    start: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """The acknowledge of a written register."""

    sender: int
    register: int
    value: int


Found = Window | Written | Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """Addresses and known reads. replies: the address that answers, by the one that is asked; the same
    where both are equal. lengths: the start of the read that is known by its count alone.
    """

    replies: Mapping[int, int]
    lengths: Mapping[int, int]


class Reader:
    """Byte stream to register windows. Never raises on any bytes."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._cutter = Cutter(_measurer(dialect), _check)
        self._requests: list[tuple[int, int, int]] = []  # address that answers, start, count

    def feed(self, payload: Payload) -> list[Found]:
        """What has become certain with this chunk."""
        if not isinstance(payload, bytes):
            return [Dropped(Drop.NOISE, len(payload.data), "a CAN frame on a byte stream")]
        return self._read(self._cutter.feed(payload))

    def reset(self) -> list[Found]:
        """Gives up what is incomplete; requests stay, because their replies may still come."""
        return self._read(self._cutter.reset())

    def sent(self, payload: Payload) -> None:
        """Remembers a read, so that its reply can be placed."""
        if not isinstance(payload, bytes) or len(payload) != REQUEST_SIZE or payload[1] != READ:
            return
        sender = self._dialect.replies.get(payload[0])
        if sender is None:
            return
        request = (sender, int.from_bytes(payload[2:4], "big"), int.from_bytes(payload[4:6], "big"))
        if request in self._requests:
            self._requests.remove(request)
        self._requests = [*self._requests, request][-_REQUESTS_MAX:]

    def _read(self, items: list[bytes | Dropped]) -> list[Found]:
        return [item if isinstance(item, Dropped) else self._frame(item) for item in items]

    def _frame(self, frame: bytes) -> Found:
        address, function = frame[0], frame[1]
        if function == READ:
            if len(frame) == REQUEST_SIZE and self._is_request(frame):
                self.sent(frame)
                return Dropped(
                    Drop.ECHO, len(frame), f"a request for register 0x{frame[2]:02X}{frame[3]:02X}"
                )
            return self._place(address, frame[3:-2])
        if function == WRITE:
            if address not in self._dialect.replies.values():
                return Dropped(Drop.ECHO, len(frame), "a write")
            return Written(address, int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big"))
        if function & REFUSED:
            return Dropped(Drop.REFUSED, len(frame), f"code {frame[2]}")
        return Dropped(Drop.UNKNOWN, len(frame), f"function {function}")

    def _is_request(self, frame: bytes) -> bool:
        """Not a reply of three data bytes, which nobody has: registers have two."""
        return frame[0] in self._dialect.replies and frame[2] != len(frame) - OVERHEAD

    def _place(self, sender: int, data: bytes) -> Found:
        count, odd = divmod(len(data), 2)
        size = len(data) + OVERHEAD
        asked = [request for request in self._requests if request[0] == sender]
        for request in reversed(asked):
            if request[2] == count and not odd:
                del self._requests[: self._requests.index(request) + 1]
                return Window(sender, request[1], data)
        if odd or asked:
            wanted = f" where {2 * asked[-1][2]} were asked for" if asked else ""
            return Dropped(Drop.LENGTH, size, f"{len(data)} data bytes{wanted}")
        start = self._dialect.lengths.get(count)
        if start is None:
            return Dropped(Drop.UNKNOWN, size, f"{count} registers that nobody asked for")
        return Window(sender, start, data)


def _measurer(dialect: Dialect) -> Callable[[bytearray, int], int | None]:
    asked, answering = frozenset(dialect.replies), frozenset(dialect.replies.values())

    def measure(buffer: bytearray, at: int) -> int | None:
        first = buffer[at]
        if first not in answering and first not in asked:
            return None
        if len(buffer) - at < 3:
            return 0
        function, length = buffer[at + 1], buffer[at + 2]
        if function == READ:
            if first in asked and (first not in answering or length == 0):
                return REQUEST_SIZE  # where one address does both, requests start below register 0x100
            return length + OVERHEAD if 0 < length <= MAX_DATA else None
        if function in {WRITE, WRITE_MANY}:
            return REQUEST_SIZE
        refusal = function in {REFUSED | READ, REFUSED | WRITE, REFUSED | WRITE_MANY}
        return REFUSAL_SIZE if refusal and first in answering else None

    return measure


def _check(frame: bytes) -> Drop | None:
    whole = crc16_modbus(memoryview(frame)[:-2]) == frame[-1] << 8 | frame[-2]
    return None if whole else Drop.CHECKSUM
