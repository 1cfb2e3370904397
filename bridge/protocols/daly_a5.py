"""Daly's classic protocol on a byte stream: UART, RS485 with several boards, and older BLE modules.

    request  A5 | host | command | 08 | 8 bytes, not looked at | sum of all bytes before
    reply    A5 | board | command | 08 | 8 data bytes          | sum of all bytes before

Host 0x40 asks board 1, 0x41 board 2, and so on; 0x80 asks the only board there is, and gets every frame
that a reply can have. One idea: a frame is found by four of its bytes (A5 . . 08) before its sum is
believed, so that data that looks like a start costs nothing.

Sources: Daly UART/485 communications protocol V1.2 (maland16/daly-bms-uart docs), Daly UART/485 V1.0,
mr-manuel/venus-os_dbus-serialbattery bms/daly.py, ai-republic/bms-to-inverter issue 34,
dreadnought/python-daly-bms, fl4p/batmon-ha issues 398 and 416.
"""

from __future__ import annotations

from bridge.errors import ConfigError
from bridge.model import PackInfo, Reading
from bridge.protocols._daly import BLE, BLE_OPTIONS, SIGN_OPTIONS, SLEEPS_AFTER_S, CurrentSign, sign_from
from bridge.protocols._daly_board import Board
from bridge.protocols._daly_device import Answers
from bridge.protocols._daly_talk import Talk
from bridge.protocols._daly_values import NAMES, PACK
from bridge.protocols._stream import Cutter
from bridge.protocols.checksums import sum8
from bridge.protocols.contract import (
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

START, DATA_SIZE, FRAME_SIZE = 0xA5, 8, 13
HOST_ADDRESSED, HOST_WIDE = 0x40, 0x80
BOARDS = range(1, 17)
HOSTS = frozenset({0x20, HOST_WIDE, *range(HOST_ADDRESSED, HOST_ADDRESSED + len(BOARDS))})
FAMILY_SIGN = -1  # classic boards: raw values above zero are discharging
FILL_SERIAL, FILL_BLE = 0xAA, 0x00  # the UART of some boards resynchronises on edges and misses zeros
BLE_TIMEOUT_S = 1.0  # replies take 190 to 500 ms behind a module

SPEC = Spec(
    maker="Daly",
    links=("serial", "ble"),
    shared=True,
    address=1,
    addresses=BOARDS,
    ble=BLE,
    reply_timeout_s=0.25,  # the first byte comes after 25 to 41 ms; more bytes extend it
    gap_s=0.02,
    silence_s=0.2,
    sleeps_after_s=SLEEPS_AFTER_S,
    wake_tries=3,
    wake_timeout_s=0.3,
    options={
        "host": "0x40 or 0x80, whom a request says that it comes from; if it is left out, both are tried",
        "fill": "0 to 255, fills requests; if it is left out, 0xAA on a wire and 0 over Bluetooth",
        **SIGN_OPTIONS,
        **BLE_OPTIONS,
    },
    states_rating=False,
)


def frame(address: int, command: int, data: bytes) -> bytes:
    """A frame, either way."""
    head = bytes((START, address, command, DATA_SIZE)) + data
    return head + bytes((sum8(head),))


def _measure(buffer: bytearray, at: int) -> int | None:
    if buffer[at] != START:
        return None
    if len(buffer) - at < 4:
        return 0
    return FRAME_SIZE if buffer[at + 3] == DATA_SIZE else None


def _check(data: bytes) -> Drop | None:
    return None if (sum(data) - 2 * data[-1]) & 0xFF == 0 else Drop.CHECKSUM  # its own byte counted out


class Decoder:
    """Byte stream to messages, for all boards on it."""

    def __init__(self) -> None:
        self._cutter = Cutter(_measure, _check)
        self._boards: dict[int, Board] = {}
        self._wide = False
        self._asked = False

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """See `contract.Decoder`."""
        if not isinstance(payload, bytes):
            return [Dropped(Drop.NOISE, len(payload.data), "a CAN frame on a byte stream")]
        return self._decoded(self._cutter.feed(payload))

    def sent(self, payload: Payload) -> None:
        """A request ends every reply under way and says which frames the next one has."""
        if isinstance(payload, bytes) and len(payload) > 1 and payload[0] == START and payload[1] in HOSTS:
            self._asked = True
            self._wide = payload[1] == HOST_WIDE

    def reset(self) -> list[Message | Dropped]:
        """See `contract.Decoder`."""
        return [*self._decoded(self._cutter.reset()), *self._closed()]

    def _decoded(self, items: list[bytes | Dropped]) -> list[Message | Dropped]:
        out: list[Message | Dropped] = []
        for item in items:
            if isinstance(item, Dropped):
                out.append(item)
            elif item[1] in BOARDS:
                if self._asked:
                    out += self._closed()
                    self._asked = False
                out += self._board(item[1]).take(item[2], item[4:12], wide=self._wide)
            elif item[1] in HOSTS:  # an adapter's echo, another master, or a module whose board sleeps
                self.sent(item)
                out.append(Dropped(Drop.ECHO, FRAME_SIZE, f"a request for 0x{item[2]:02X}"))
            else:
                out.append(Dropped(Drop.UNKNOWN, FRAME_SIZE, f"board {item[1]}"))
        return out

    def _closed(self) -> list[Message | Dropped]:
        return [item for board in self._boards.values() for item in board.close()]

    def _board(self, address: int) -> Board:
        if address not in self._boards:
            sign = CurrentSign(FAMILY_SIGN)
            self._boards[address] = Board(address, sign, FRAME_SIZE, "missing_frames")
        return self._boards[address]


class Session:
    """The conversation with one board.

    Options: address is the board's number. extra: host (0x40 or 0x80; both are tried by default), fill
    (the bytes that requests are filled with), current_sign and invert_current (see `sign_from`).
    """

    streams = False

    def __init__(self, options: Options) -> None:
        self._number = 1 if options.address is None else options.address
        if self._number not in BOARDS:
            raise ConfigError(f"address = {self._number}: a Daly board has a number from 1 to {BOARDS[-1]}")
        self._timeout_s = BLE_TIMEOUT_S if options.mac else None
        self._fill = _byte(options, "fill", FILL_BLE if options.mac else FILL_SERIAL, range(256))
        self._host = _byte(options, "host", HOST_ADDRESSED, (HOST_ADDRESSED, HOST_WIDE))
        self._host_found = "host" in options.extra or self._number > 1  # only board 1 hears 0x80
        self._talk = Talk(self._ask, sign_from(options, FAMILY_SIGN))

    def open(self) -> Script[None]:
        """Finds the host address that the board hears, then its cell count."""
        if not self._host_found:
            yield from self._find_host()
        yield from self._talk.open()

    def poll(self) -> Script[Reading]:
        """See `contract.Session`."""
        return self._talk.poll()

    def info(self) -> Script[PackInfo | None]:
        """See `contract.Session`."""
        return self._talk.info()

    def collect(self, message: Message) -> Reading | None:  # noqa: ARG002  # part of the contract
        """Daly boards never talk by themselves."""
        return None

    def _find_host(self) -> Script[None]:
        for self._host in (HOST_ADDRESSED, HOST_WIDE):
            try:
                yield self._ask(PACK, 1)
            except NoReply:
                continue
            self._host_found = True
            return
        raise NoReply("neither host address 0x40 nor 0x80 is answered")

    def _ask(self, command: int, tries: int) -> Request:
        wide = self._host == HOST_WIDE
        host = HOST_WIDE if wide else HOST_ADDRESSED + self._number - 1
        data = frame(host, command, bytes((self._fill,)) * DATA_SIZE)
        address = None if wide else self._number
        return Request(data, NAMES[command], address, self._timeout_s, tries)


class Device:
    """A simulated board. Options: address; extra current_sign (1 or -1, default as classic boards)."""

    def __init__(self, options: Options) -> None:
        self._number = 1 if options.address is None else options.address
        self._cutter = Cutter(_measure, _check)
        self._answers = Answers(1 if options.extra.get("current_sign") in {1, "1", "+1"} else FAMILY_SIGN)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """See `contract.Device`. All frames of a reply come as one payload."""
        if not isinstance(payload, bytes):
            return []
        replies: list[Payload] = []
        for item in self._cutter.feed(payload):
            if isinstance(item, Dropped):
                continue
            host, command = item[1], item[2]
            if host not in {HOST_WIDE, HOST_ADDRESSED + self._number - 1}:
                continue
            answers = self._answers.to(command, reading, wide=host == HOST_WIDE)
            if answers:
                replies.append(b"".join(frame(self._number, command, data) for data in answers))
        return replies


def _byte(options: Options, key: str, default: int, allowed: range | tuple[int, ...]) -> int:
    value = options.extra.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        listed = (
            f"0..{allowed[-1]}" if isinstance(allowed, range) else " or ".join(f"0x{n:02X}" for n in allowed)
        )
        raise ConfigError(f"{key} = {value!r}: must be {listed}")
    return value
