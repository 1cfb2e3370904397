"""Cuts what is heard on a Modbus pair into whole frames, the answers of other slaves among them.

    read       address | 01..04 | start (2) | count (2) | CRC        answer  address | f | bytes | data | CRC
    write one  address | 05, 06 | at (2) | value (2) | CRC           answer  the same
    write      address | 0F, 10 | start | count | bytes | data | CRC answer  address | f | start | count | CRC
    both       address | 17 | start | count | start | count | bytes | data | CRC   answer as of a read
    error                                                            answer  address | f + 80 | code | CRC

Big-endian, but for the CRC. One idea: on Linux a silence of 3.5 characters can't be seen, so a frame ends
where its own length says, and is believed by its CRC. Nothing but the CRC tells a request from an
answer: the shortest reading that it fits counts. What both would be (a write of one register looks as
its answer) is an answer only behind the request that it answers.

Source: MODBUS Application Protocol V1.1b3 and MODBUS over Serial Line V1.02, modbus.org.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from bridge.protocols._stream import Check, Cutter, Measure
from bridge.protocols.checksums import crc16_modbus
from bridge.protocols.contract import Drop, Dropped

READS, BIT_READS, WRITE_ONE = frozenset({1, 2, 3, 4}), frozenset({1, 2}), frozenset({5, 6})
WRITE_MANY, READ_WRITE, ERROR = frozenset({15, 16}), 23, 0x80
BROADCAST, LAST_ADDRESS = 0, 247
REQUEST, ANSWER_OVERHEAD, WRITE_OVERHEAD, BOTH_OVERHEAD, ERROR_SIZE = 8, 5, 9, 13, 5
LONGEST = 256
_LAST_ERROR = 11

NAMES: Mapping[int, str] = {
    1: "read_coils", 2: "read_inputs", 3: "read_holding", 4: "read_input", 5: "write_coil", 6: "write_one",
    15: "write_coils", 16: "write_many", 23: "read_write",
}  # fmt: skip
"""What the functions are called."""

Shape = Callable[[memoryview], int | None]
"""How long a frame is that begins so: 0 while too little of it is known to say, None if it is none."""


class Kind(Enum):
    """Who sent a frame."""

    REQUEST = "request"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame. data: with address and CRC."""

    kind: Kind
    data: bytes

    @property
    def address(self) -> int:
        """The slave that is asked, or answers."""
        return self.data[0]

    @property
    def function(self) -> int:
        """Without the bit that makes it an error."""
        return self.data[1] & ~ERROR

    @property
    def is_error(self) -> bool:
        """Whether it answers with an error."""
        return bool(self.data[1] & ERROR)

    def word(self, at: int) -> int:
        """Two bytes of it."""
        return int.from_bytes(self.data[at : at + 2], "big")


def sealed(body: bytes) -> bytes:
    """`body` with its CRC."""
    return body + crc16_modbus(body).to_bytes(2, "little")


def whole(frame: bytes | memoryview) -> bool:
    """Whether its CRC is right."""
    return crc16_modbus(memoryview(frame)[:-2]) == frame[-1] << 8 | frame[-2]


def request_shape(_: memoryview) -> int:
    """A read, or one value that is written."""
    return REQUEST


def counted(at: int, overhead: int, *, even: bool) -> Shape:
    """A frame that says at `at` how many bytes it carries."""

    def shape(head: memoryview) -> int | None:
        if len(head) <= at:
            return 0
        count = head[at]
        fits = 0 < count <= LONGEST - overhead and not (even and count % 2)
        return overhead + count if fits else None

    return shape


_BITS = counted(2, ANSWER_OVERHEAD, even=False)
_WORDS = counted(2, ANSWER_OVERHEAD, even=True)
_WRITTEN = counted(6, WRITE_OVERHEAD, even=False)
SHAPES: Mapping[int, tuple[Shape, ...]] = {
    **{function: (request_shape, _BITS if function in BIT_READS else _WORDS) for function in READS},
    **dict.fromkeys(WRITE_ONE, (request_shape,)),
    **dict.fromkeys(WRITE_MANY, (request_shape, _WRITTEN)),
    READ_WRITE: (_WORDS, counted(10, BOTH_OVERHEAD, even=False)),
}


def measurer(shapes: Mapping[int, tuple[Shape, ...]]) -> Measure:
    """What finds the frames of a dialect that has these."""

    def measure(buffer: bytearray, at: int) -> int | None:
        if buffer[at] > LAST_ADDRESS:
            return None
        with memoryview(buffer) as view, view[at:] as head:
            return _measured(head, shapes)

    return measure


def _measured(head: memoryview, shapes: Mapping[int, tuple[Shape, ...]]) -> int | None:
    if len(head) < 2:
        return 0
    if head[1] & ERROR:
        if len(head) < 3:
            return 0 if head[1] & ~ERROR in shapes else None
        return ERROR_SIZE if head[1] & ~ERROR in shapes and 1 <= head[2] <= _LAST_ERROR else None
    sizes = [size for shape in shapes.get(head[1], ()) if (size := shape(head)) is not None]
    if not sizes:
        return None
    for size in sorted(sizes):
        if 0 < size <= len(head) and whole(head[:size]):
            return size
    return 0 if 0 in sizes or max(sizes) > len(head) else max(sizes)


def check(frame: bytes) -> Drop | None:
    """Why it is none."""
    return None if whole(frame) else Drop.CHECKSUM


Answers = Callable[[bytes, bytes], bool]
"""answers(frame, request): whether the frame can be the answer to the request."""


class Frames:
    """Byte stream to frames. Never raises; holds less than one longest frame. own: addresses where what can
    be a request is one: the answers there are ours, and not among what is heard.
    """

    def __init__(
        self,
        own: frozenset[int] = frozenset(),
        shapes: Mapping[int, tuple[Shape, ...]] = SHAPES,
        answers: Answers | None = None,
    ) -> None:
        self._cutter = Cutter(measurer(shapes), _CHECK)
        self._answers = answers or is_answer
        self._own = own
        self._asked = b""

    def feed(self, chunk: bytes) -> list[Frame | Dropped]:
        """What has become certain with this chunk."""
        return [self._placed(item) for item in self._cutter.feed(chunk)]

    def reset(self) -> list[Frame | Dropped]:
        """Gives up what is incomplete."""
        return [self._placed(item) for item in self._cutter.reset()]

    def _placed(self, item: bytes | Dropped) -> Frame | Dropped:
        if isinstance(item, Dropped):
            return item
        asked = b"" if item[0] in self._own else self._asked
        self._asked = b""
        if self._answers(item, asked):
            return Frame(Kind.ANSWER, item)
        self._asked = item
        return Frame(Kind.REQUEST, item)


_CHECK: Check = check


def is_answer(frame: bytes, request: bytes) -> bool:
    """Whether a frame of standard Modbus is one, behind this request."""
    function = frame[1]
    if function & ERROR:
        return True
    if function in WRITE_MANY:
        return len(frame) == REQUEST
    if function in WRITE_ONE:
        return frame == request
    fits_answer = len(frame) == ANSWER_OVERHEAD + frame[2]
    if function == READ_WRITE:
        return fits_answer and (len(frame) <= 10 or len(frame) != BOTH_OVERHEAD + frame[10])
    if len(frame) != REQUEST or not fits_answer:
        return len(frame) != REQUEST
    count = int.from_bytes(request[4:6], "big") if len(request) == REQUEST else 0
    return request[:2] == frame[:2] and (count + 7) // 8 == frame[2]
