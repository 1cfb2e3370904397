"""JK over Bluetooth: boards JK02 with 24 or 32 cells and the JK04 balancers, which stream by themselves.

    request   AA 55 90 EB | command | length 00 | 13 bytes | sum      20 bytes
    frame     55 AA EB 90 | type | counter | contents | sum           300 bytes
    ack       AA 55 90 EB | C8 01 01 | 12 x 00 | 44                   20 bytes
    noise     41 54 0D 0A ("AT"), which the radio module's UART leaks

The one idea: FFE1 is a UART, so notification borders mean nothing and all four things above may share
one notification or be split over several. Only where a frame starts, how long it is and whether its
sum fits decides. A frame that holds another frame's header has lost a fragment: its 8-bit sum may
still fit by chance, so it is dropped.

Command 97 brings device information, 96 the settings and then a status frame every half second, without
end. Every other command writes; none is ever sent.

Sources: syssi/esphome-jk-bms docs (ten Bluetooth captures) and components/jk_bms_ble, patman15/aiobmsble
bms/jikong_bms.py, fl4p/batmon-ha bmslib/models/jikong.py and issue #377.
"""

from __future__ import annotations

from bridge.model import PackInfo, Reading
from bridge.protocols._jk_device import Board
from bridge.protocols._jk_frames import HEADER, SIZE, FrameReader
from bridge.protocols._jk_pack import INFO, SETTINGS, STATUS, Pack
from bridge.protocols._stream import Cutter
from bridge.protocols.checksums import sum8
from bridge.protocols.contract import (
    Ble,
    Drop,
    Dropped,
    Message,
    NoReply,
    Options,
    Payload,
    Request,
    Script,
    Spec,
)

SPEC = Spec(
    maker="JK",
    links=("ble", "serial"),  # serial: the same stream, for a wire in place of the radio module
    baudrate=115200,
    baudrates=(115200,),
    streams=True,
    ble=Ble(pairs=(("ffe0", "ffe1", "ffe1"),), names=("JK-*", "JK_*")),
    reply_timeout_s=1.0,  # captures: the last byte of an answer after 0.09 to 0.26 s
    gap_s=0.5,  # what is sent before the acknowledge, up to 0.4 s after the request, is lost
    silence_s=0.5,
)

REQUEST_HEADER = b"\xaa\x55\x90\xeb"
REQUEST_SIZE = 20
READ_SETTINGS, READ_INFO, ACKNOWLEDGE = 0x96, 0x97, 0xC8
AT_NOISE = b"AT\r\n"

_STARTS = {0x55: (HEADER, SIZE), 0xAA: (REQUEST_HEADER, REQUEST_SIZE), 0x41: (AT_NOISE, len(AT_NOISE))}


def request(command: int) -> bytes:
    """The 20 bytes that ask for `command`; with length 0 the board ignores the rest."""
    body = REQUEST_HEADER + bytes((command, 0)) + bytes(13)
    return body + bytes((sum8(body),))


def acknowledge() -> bytes:
    """What a board sends after every request."""
    body = REQUEST_HEADER + bytes((ACKNOWLEDGE, 1, 1)) + bytes(12)
    return body + bytes((sum8(body),))


def measure(buffer: bytearray, at: int) -> int | None:
    """Size of what starts at `at`: frame, request or noise."""
    start = _STARTS.get(buffer[at])
    if start is None:
        return None
    head, size = start
    seen = buffer[at : at + 4]
    if seen == head:
        return size
    return 0 if len(seen) < 4 and head.startswith(seen) else None


def check(frame: bytes) -> Drop | None:
    """Why these bytes are not what their start says."""
    if len(frame) == len(AT_NOISE):
        return None
    if frame.find(HEADER, 1) > 0:
        return Drop.TRUNCATED
    return None if (sum(frame) - frame[-1]) & 0xFF == frame[-1] else Drop.CHECKSUM


class Decoder:
    """Frames out of notifications of any size. Noise and acknowledges are passed over in silence."""

    def __init__(self) -> None:
        self._cutter = Cutter(measure, check)
        self._reader = FrameReader()

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """The frames that this notification completes."""
        return self._read(self._cutter.feed(payload)) if isinstance(payload, bytes) else []

    def sent(self, payload: Payload) -> None:
        """Nothing that is received depends on what was sent."""

    def reset(self) -> list[Message | Dropped]:
        """Gives up an incomplete frame. What was learned of the layout stays: the board is the same."""
        return self._read(self._cutter.reset())

    def _read(self, pieces: list[bytes | Dropped]) -> list[Message | Dropped]:
        found: list[Message | Dropped] = []
        for piece in pieces:
            if isinstance(piece, Dropped):
                found.append(piece)
            elif len(piece) == SIZE:
                found.append(self._reader.read(piece))
            elif len(piece) == REQUEST_SIZE and piece[4] != ACKNOWLEDGE:
                found.append(Dropped(Drop.ECHO, REQUEST_SIZE))
        return found


class Session:
    """Starts the stream and collects it. options: nothing of them matters."""

    streams = True

    def __init__(self, options: Options) -> None:  # noqa: ARG002  # the contract's signature
        self._pack = Pack()
        self._is_fresh = False

    def open(self) -> Script[None]:
        """Asks for device information and settings; the latter starts the stream.

        What was known before is forgotten: switches may have been moved while nobody listened.
        """
        self._pack = Pack()
        yield from self._read()
        self._is_fresh = True

    def info(self) -> Script[PackInfo | None]:
        """Name and limits; asks again unless the stream was only just opened."""
        if not self._is_fresh:
            yield from self._read()
        self._is_fresh = False
        return self._pack.info()

    def _read(self) -> Script[None]:
        for command, reply in ((READ_INFO, INFO), (READ_SETTINGS, SETTINGS)):
            try:
                self._pack.note((yield Request(request(command), reply=reply, tries=3)))
            except NoReply:
                continue  # permission waits for the settings; a stream that did not start is silent

    def poll(self) -> Script[Reading]:
        """Asks for the stream again and takes its next status."""
        return self._pack.reading((yield Request(request(READ_SETTINGS), reply=STATUS, timeout_s=2.0)))

    def collect(self, message: Message) -> Reading | None:
        """Every status is a reading; settings and device information are remembered for the next."""
        if message.name != STATUS:
            self._pack.note(message)
            return None
        return self._pack.reading(message)


class Device:
    """A board behind its radio module. options.extra: "variant" and settings by their decoded names."""

    tick_s = 0.5

    def __init__(self, options: Options) -> None:
        self._board = Board(options)
        self._cutter = Cutter(measure, check)
        self._streams = False

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """Answers to 96 and 97 as one notification each; 96 starts the stream."""
        answers: list[Payload] = []
        for piece in self._cutter.feed(payload) if isinstance(payload, bytes) else ():
            if isinstance(piece, Dropped) or len(piece) != REQUEST_SIZE:
                continue
            if piece[4] == READ_INFO:
                answers += [self._board.info(), acknowledge()]
            elif piece[4] == READ_SETTINGS:
                self._streams = True
                answers += [self._board.settings(reading), acknowledge(), self._board.status(reading)]
        return answers

    def tick(self, reading: Reading) -> list[Payload]:
        """What is sent every half second: a status, or the module's noise before anybody asked."""
        return [self._board.status(reading) if self._streams else AT_NOISE]
