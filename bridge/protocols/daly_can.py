"""Daly's classic commands on CAN: 250 kbit/s, 29-bit identifiers, eight data bytes.

    request  18 | command | board | 40   8 bytes 00
    reply    18 | command | 40 | board   the data bytes of the same command on a byte stream

The board only talks when asked. One idea: the identifier is the frame's head, so everything else is
shared with `daly_a5`. The CAN port of many boards is set to an inverter's protocol instead; its frames
are dropped under a name that says so.

Sources: Daly CAN communications protocol V1.0 (jblance/mpp-solar docs/protocols),
mr-manuel/venus-os_dbus-serialbattery bms/daly_can.py, issues 212 and 249.
"""

from __future__ import annotations

from bridge.errors import ConfigError
from bridge.model import CanFrame, PackInfo, Reading
from bridge.protocols._daly import SIGN_OPTIONS, SLEEPS_AFTER_S, CurrentSign, sign_from
from bridge.protocols._daly_board import Board
from bridge.protocols._daly_device import Answers
from bridge.protocols._daly_talk import Talk
from bridge.protocols._daly_values import NAMES
from bridge.protocols.contract import Drop, Dropped, Message, Options, Payload, Request, Script, Spec

PREFIX, HOST = 0x18, 0x40
DATA_SIZE = 8
BOARDS = range(1, 17)
FAMILY_SIGN = 1  # the boards with a CAN port count charging above zero
_INVERTER_IDS = frozenset({0x351, 0x355, 0x356, 0x35A, 0x35C, 0x35E, 0x35F, *range(0x370, 0x380)})

SPEC = Spec(
    maker="Daly",
    links=("can",),
    bitrate=250_000,
    shared=True,
    address=1,
    addresses=BOARDS,
    reply_timeout_s=0.1,  # replies come within milliseconds
    gap_s=0.0,
    silence_s=0.05,
    sleeps_after_s=SLEEPS_AFTER_S,
    wake_tries=3,
    wake_timeout_s=0.3,
    options=SIGN_OPTIONS,
    states_rating=False,
)


class Decoder:
    """CAN frames to messages, for all boards on the bus."""

    def __init__(self) -> None:
        self._boards: dict[int, Board] = {}
        self._asked: set[int] = set()

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """See `contract.Decoder`."""
        if not isinstance(payload, CanFrame):
            return [Dropped(Drop.NOISE, len(payload), "bytes on a CAN bus")]
        size = len(payload.data)
        prefix, command, to, source = payload.can_id.to_bytes(4, "big")
        if not payload.extended or prefix != PREFIX:
            return [Dropped(Drop.UNKNOWN, size, _foreign(payload))]
        if source == HOST and to in BOARDS:
            self._asked.add(to)
            return [Dropped(Drop.ECHO, size, f"a request for 0x{command:02X}")]
        if to != HOST or source not in BOARDS:
            return [Dropped(Drop.UNKNOWN, size, _foreign(payload))]
        if size != DATA_SIZE:
            return [Dropped(Drop.LENGTH, size, f"{size} data bytes")]
        return self._take(source, command, payload.data)

    def sent(self, payload: Payload) -> None:
        """A request ends the reply under way of the board that it goes to."""
        if isinstance(payload, CanFrame):
            self._asked.add(payload.can_id >> 8 & 0xFF)

    def reset(self) -> list[Message | Dropped]:
        """See `contract.Decoder`."""
        return [item for board in self._boards.values() for item in board.close()]

    def _take(self, number: int, command: int, data: bytes) -> list[Message | Dropped]:
        board = self._boards.get(number)
        if board is None:
            board = Board(number, CurrentSign(FAMILY_SIGN), DATA_SIZE, "missing_cell_frames")
            self._boards[number] = board
        ended = board.close() if number in self._asked else []
        self._asked.discard(number)
        return [*ended, *board.take(command, data)]


def _foreign(received: CanFrame) -> str:
    if not received.extended and received.can_id in _INVERTER_IDS:
        return "the CAN port speaks an inverter's protocol, not Daly's own"
    return f"identifier {received.can_id:X}"


class Session:
    """The conversation with one board.

    Options: address is the board's number. extra: current_sign and invert_current (see `sign_from`).
    """

    streams = False

    def __init__(self, options: Options) -> None:
        self._number = 1 if options.address is None else options.address
        if self._number not in BOARDS:
            raise ConfigError(f"address = {self._number}: a Daly board has a number from 1 to {BOARDS[-1]}")
        self._talk = Talk(self._ask, sign_from(options, FAMILY_SIGN))

    def open(self) -> Script[None]:
        """See `contract.Session`."""
        return self._talk.open()

    def poll(self) -> Script[Reading]:
        """See `contract.Session`."""
        return self._talk.poll()

    def info(self) -> Script[PackInfo | None]:
        """See `contract.Session`."""
        return self._talk.info()

    def collect(self, message: Message) -> Reading | None:  # noqa: ARG002  # part of the contract
        """Daly boards never talk by themselves."""
        return None

    def _ask(self, command: int, tries: int) -> Request:
        data = CanFrame(_identifier(command, self._number, HOST), bytes(DATA_SIZE), extended=True)
        return Request(data, NAMES[command], self._number, None, tries)


def _identifier(command: int, to: int, source: int) -> int:
    return PREFIX << 24 | command << 16 | to << 8 | source


class Device:
    """A simulated board. Options: address; extra current_sign (1 or -1, default as boards with CAN)."""

    def __init__(self, options: Options) -> None:
        self._number = 1 if options.address is None else options.address
        self._answers = Answers(-1 if options.extra.get("current_sign") in {-1, "-1"} else FAMILY_SIGN)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """See `contract.Device`."""
        if not isinstance(payload, CanFrame) or not payload.extended:
            return []
        prefix, command, to, source = payload.can_id.to_bytes(4, "big")
        if (prefix, to, source) != (PREFIX, self._number, HOST):
            return []
        answers = self._answers.to(command, reading, wide=False)
        reply_id = _identifier(command, HOST, self._number)
        return [CanFrame(reply_id, data, extended=True) for data in answers]
