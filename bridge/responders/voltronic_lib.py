"""Voltronic's "Inverter and BMS 485", program 5 `LIb` of Axpert and InfiniSolar inverters and their rebrands.

    read     address | 03 | start (2) | count (2) | CRC
    answer   address | 03 | count of words (2) | words | CRC       no standard Modbus: that has one byte there
    error    address | 83 | code | CRC                             1 address, 2 command, 3 CRC

9600 8N1. Every pack answers address 1 with the sum of all packs, so one battery there is what inverters
look for. One idea: the registers are a map like any other; only the frame is of its own. Writes (10h) are
refused: none is documented that a battery would want.

Sources: Voltronic Inverter and BMS 485 communication protocol, 2020-12-02, in
ardupic/voltronic-inverter-communication-protocols; a JK board in this mode in dnc392/rs485-bms-probe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from bridge.protocols.contract import Drop, Message, Raw
from bridge.registers.amounts import said_of
from bridge.registers.image import Image
from bridge.registers.reading import as_raw, read
from bridge.responders import modbus
from bridge.responders._lib_master import Axpert
from bridge.responders._modbus_frames import (
    ERROR,
    REQUEST,
    WRITE_OVERHEAD,
    Frame,
    Frames,
    Kind,
    Shape,
    counted,
    request_shape,
    sealed,
)
from bridge.responders.contract import Ask, Dropped, Overheard, Picture, Port, Spec, Table

SPEC = Spec(maker="Voltronic", address=1, addresses=range(1, 17))
READ, WRITE = 0x03, 0x10
NAMES: Mapping[int, str] = {READ: "read", WRITE: "write"}
BAD_COMMAND = 2
_HEAD, _OVERHEAD = 4, 6
_WORDS_MAX = 125


class Options(Table):
    """map: the registers, by name or path."""

    map: Annotated[str, Field(min_length=1)] = "voltronic-lib"


def _answer_shape(head: memoryview) -> int | None:
    """An answer says in 16 bits how many words it carries."""
    if len(head) < _HEAD:
        return 0
    count = head[2] << 8 | head[3]
    return _OVERHEAD + 2 * count if 1 <= count <= _WORDS_MAX else None


SHAPES: Mapping[int, tuple[Shape, ...]] = {
    READ: (request_shape, _answer_shape),
    WRITE: (request_shape, counted(6, WRITE_OVERHEAD, even=False)),
}


def is_answer(frame: bytes, request: bytes) -> bool:
    """Whether a frame is one, behind this request."""
    if frame[1] & ERROR:
        return True
    if frame[1] == WRITE:
        return len(frame) == REQUEST
    if len(frame) != REQUEST:
        return True
    return frame[2:4] == b"\0\1" and request[:2] == frame[:2] and request[4:6] == b"\0\1"


class Responder:
    """Our side: the whole bank as the pack at one address."""

    def __init__(self, port: Port[Options]) -> None:
        self._address = SPEC.address if port.address is None else port.address
        self._map = modbus.map_of(modbus.Options(map=port.options.map), "word-count")
        self._image = Image(self._map)
        self._frames = Frames(frozenset({self._address or 0}), SHAPES, is_answer)

    @property
    def required(self) -> frozenset[str]:
        """Voltage, charge and the limits."""
        return self._image.required

    def feed(self, chunk: bytes) -> list[Ask | Overheard | Dropped]:
        """What has become certain with this chunk."""
        return [self._heard(item) for item in self._frames.feed(chunk)]

    def reset(self) -> list[Ask | Overheard | Dropped]:
        """Gives up what is incomplete."""
        return [self._heard(item) for item in self._frames.reset()]

    def answer(self, ask: Ask, picture: Picture) -> bytes | None:
        """The registers, or an error; nothing while something vital is not known."""
        if not ask.for_us or not self.required <= picture.values.keys():
            return None
        said = said_of(picture)
        if not self._image.fits(said):
            return None
        if ask.name == modbus.REFUSED:
            return sealed(bytes((ask.data[0], ask.data[1] | ERROR, BAD_COMMAND)))
        start, count = (int.from_bytes(ask.data[at : at + 2], "big") for at in (2, 4))
        words = self._image.words(start, count, said)
        data = b"".join(word.to_bytes(2, "big") for word in words)
        return sealed(ask.data[:2] + count.to_bytes(2, "big") + data)

    def too_large(self, picture: Picture) -> frozenset[str]:
        """Of its map."""
        return self._image.too_large(said_of(picture))

    def _heard(self, item: Frame | Dropped) -> Ask | Overheard | Dropped:
        if isinstance(item, Dropped):
            return item
        ours = item.address == self._address
        if item.kind is Kind.ANSWER:
            name = "error" if item.is_error else NAMES[item.function]
            return Overheard(name, item.address, len(item.data), ours)
        raw = said_in(item)
        if reason := self._problem(item):
            return Ask(modbus.REFUSED, item.address, item.data, {**raw, "reason": reason}, for_us=ours)
        return Ask(NAMES[item.function], item.address, item.data, raw, for_us=ours)

    def _problem(self, item: Frame) -> str | None:
        """Why a request is not granted."""
        if item.function != READ:
            return "writes are not taken"
        start, count = item.word(2), item.word(4)
        if not (1 <= count <= self._map.most):
            return f"{count} registers at once"
        if not any(one.holds(start, count) for one in self._map.spans):
            return f"no registers 0x{start:04X} to 0x{start + count - 1:04X}"
        return None


def said_in(frame: Frame) -> dict[str, Raw]:
    """What a request says."""
    return {"function": frame.function, "start": frame.word(2), "count": frame.word(4)}


class Master(Axpert):
    """An inverter that polls such a battery."""

    def __init__(self, port: Port[Options]) -> None:
        super().__init__(SPEC.address or 1 if port.address is None else port.address)


class Exchange:
    """Both directions of a capture."""

    def __init__(self, options: Options) -> None:
        self._map = modbus.map_of(modbus.Options(map=options.map), "word-count")
        self._sent, self._came = (Frames(shapes=SHAPES, answers=is_answer) for _ in range(2))
        self._asked: Frame | None = None

    def sent(self, chunk: bytes) -> list[Message | Dropped]:
        """What the inverter sent."""
        return [self._request(item) for item in self._sent.feed(chunk)]

    def feed(self, chunk: bytes) -> list[Message | Dropped]:
        """What the battery sent; on a capture of the pair, both."""
        return [self._either(item) for item in self._came.feed(chunk)]

    def reset(self) -> list[Message | Dropped]:
        """The end of the capture."""
        return [
            *(self._request(item) for item in self._sent.reset()),
            *(self._either(item) for item in self._came.reset()),
        ]

    def _request(self, item: Frame | Dropped) -> Message | Dropped:
        if isinstance(item, Dropped):
            return item
        self._asked = item
        return Message(NAMES[item.function], {}, said_in(item), item.address)

    def _either(self, item: Frame | Dropped) -> Message | Dropped:
        if isinstance(item, Dropped):
            return item
        asked = self._asked
        if item.kind is Kind.REQUEST and not (asked and is_answer(item.data, asked.data)):
            return self._request(item)
        if item.is_error:
            raw: dict[str, Raw] = {"function": item.function, "error_code": item.data[2]}
            return Message("error", {}, raw, item.address)
        if item.function == WRITE:
            return Message("write_ack", {}, said_in(item), item.address)
        if asked is None or asked.data[:2] != item.data[:2]:
            return Dropped(Drop.UNKNOWN, len(item.data), "an answer to a request that was not seen")
        start, count = asked.word(2), asked.word(4)
        if count != item.word(2):
            return Dropped(
                Drop.LENGTH, len(item.data), f"{item.word(2)} registers where {count} were asked for"
            )
        data = item.data[_HEAD:-2]
        words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        reading, raw = read(self._map, start, words)
        return Message("registers", reading, as_raw(raw, start, words), item.address)
