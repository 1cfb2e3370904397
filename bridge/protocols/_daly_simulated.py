"""The BMS's side of Daly's Modbus-like dialects, for simulators: an image of registers that is read.

One idea: the whole image is made anew from the reading for every request, so any window of it fits any
other; a register without a value reads 0, as on real boards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from bridge.model import Reading
from bridge.protocols._daly_modbus import MAX_DATA, READ, REQUEST_SIZE, read_reply
from bridge.protocols._stream import Cutter
from bridge.protocols.checksums import crc16_modbus
from bridge.protocols.contract import Drop, Dropped, Payload


def text_registers(register: int, text: bytes) -> dict[int, bytes]:
    """ASCII from `register` on, two characters each."""
    return {register + n // 2: text[n : n + 2].ljust(2, b"\0") for n in range(0, len(text), 2)}


class Image:
    """Answers reads. replies: the address that answers, by the one that is asked. known: registers there
    are. silent: reads (start, count) that this board does not answer. build: two bytes a register.
    """

    def __init__(
        self,
        replies: Mapping[int, int],
        known: range,
        silent: Collection[tuple[int, int]],
        build: Callable[[Reading], Mapping[int, bytes]],
    ) -> None:
        self._replies = replies
        self._known = known
        self._silent = silent
        self._build = build
        self._cutter = Cutter(self._measure, _check)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """See `contract.Device`. Writes are not answered: nothing here may be written."""
        if not isinstance(payload, bytes):
            return []
        replies: list[Payload] = []
        for item in self._cutter.feed(payload):
            if isinstance(item, Dropped):
                continue
            start, count = int.from_bytes(item[2:4], "big"), int.from_bytes(item[4:6], "big")
            window = range(start, start + count)
            if (
                not 0 < 2 * count <= MAX_DATA
                or window[-1] not in self._known
                or (start, count) in self._silent
            ):
                continue
            image = self._build(reading)
            data = b"".join(image.get(register, b"\0\0") for register in window)
            replies.append(read_reply(self._replies[item[0]], data))
        return replies

    def _measure(self, buffer: bytearray, at: int) -> int | None:
        if buffer[at] not in self._replies:
            return None
        if len(buffer) - at < 2:
            return 0
        return REQUEST_SIZE if buffer[at + 1] == READ else None


def _check(frame: bytes) -> Drop | None:
    return None if crc16_modbus(frame[:-2]) == int.from_bytes(frame[-2:], "little") else Drop.CHECKSUM
