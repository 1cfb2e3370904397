"""JK boards by Modbus RTU: the documented register map, for ports whose profile is 001 or 013.

    read    address | 03 | register | words | CRC      8 bytes
    reply   address | 03 | bytes | data | CRC
    error   address | 83 | code 1..4 | CRC
    0x1000 settings · 0x1200 cells and status · 0x1400 device information, all big-endian

The one idea: a register address is a byte offset. A field at offset k of a block has the register
block + k while the count is in 16-bit words, so 64 words from 0x1080 continue 64 words from 0x1000. A
reply does not say what was asked, so it is read only together with its request.

Boards answer 40 and 64 words, not 128, and not always: slaves fall silent when nothing but reads is on
the pair for some seconds, and half the reads may fail. Where the port allows it, jk-pb is better.
Nothing is ever written.

Sources: JK's "BMS RS485 Modbus V1.1" in phinix-org/Multiple-JK-BMS-by-Modbus-RS485 docs and its logs;
ai-republic/bms-to-inverter issue #179 (captured reads); mr-manuel/venus-os_dbus-serialbattery
bms-docs/JKBMS-PB.md (what fails); Sleeper85/esphome-yambms BMS_JK-PB.md (profiles).
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import NamedTuple

from bridge.model import PackInfo, Reading
from bridge.protocols import _jk_pack as names
from bridge.protocols._jk_device import Board
from bridge.protocols._jk_pack import Pack
from bridge.protocols._jk_registers import SWITCHES, message_of, registers
from bridge.protocols._stream import Cutter
from bridge.protocols.checksums import crc16_modbus
from bridge.protocols.contract import (
    Drop,
    Dropped,
    Message,
    NoReply,
    Options,
    Payload,
    Raw,
    Request,
    Script,
    Spec,
)

SPEC = Spec(
    maker="JK",
    links=("serial",),
    baudrate=115200,
    baudrates=(115200, 9600),
    shared=True,
    address=1,
    addresses=range(1, 16),
    reply_timeout_s=0.5,
    gap_s=0.1,
    silence_s=0.15,
)
READ, WRITE, ERROR = 0x03, 0x10, 0x80
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
_HIGHEST_ADDRESS = 15
_REQUEST_SIZE, _ACK_SIZE, _ERROR_SIZE = 8, 8, 5
_WORDS_MAX = 125
_TRIES = 3
_SETTINGS_EVERY = 60  # polls; switches are moved while the gateway runs
_SUM_TOLERANCE_V = 2.0  # cells and pack voltage come in two reads, between which a load may switch


class Run(NamedTuple):
    """A run of registers that is read at once, and the name of the message that it gives."""

    start: int
    words: int
    name: str


CELLS_RUN = Run(0x1200, 36, "cells")
STATUS_RUN = Run(0x128A, 58, names.STATUS)
SETTINGS_RUN = Run(0x1000, 64, names.SETTINGS)
INFO_RUN = Run(0x1400, 18, names.INFO)


def read_request(address: int, start: int, words: int) -> bytes:
    """Ask pack `address` for `words` registers."""
    return _with_crc(struct.pack(">BBHH", address, READ, start, words))


def _with_crc(body: bytes) -> bytes:
    return body + crc16_modbus(body).to_bytes(2, "little")


def _crc_fits(frame: bytes | bytearray) -> bool:
    return crc16_modbus(frame[:-2]) == int.from_bytes(frame[-2:], "little")


def measure(buffer: bytearray, at: int) -> int | None:
    """Size of what starts at `at`: a request or a reply."""
    if buffer[at] > _HIGHEST_ADDRESS:
        return None
    head = buffer[at : at + _REQUEST_SIZE]
    if len(head) < 3:
        return 0 if len(head) < 2 or head[1] in (READ, WRITE, READ | ERROR, WRITE | ERROR) else None
    if head[1] & ERROR:
        return _ERROR_SIZE if head[1] & ~ERROR in (READ, WRITE) and 1 <= head[2] <= 4 else None
    if head[1] == WRITE:
        return _measure_write(head)
    if head[1] != READ:
        return None
    if head[2] != 2:  # the high byte of a register, or bytes of a reply that is longer than a request
        if len(head) < _REQUEST_SIZE:
            return 0
        if _crc_fits(head):
            return _REQUEST_SIZE
    return 5 + head[2] if head[2] and not head[2] % 2 and head[2] <= 2 * _WORDS_MAX else None


def _measure_write(head: bytearray) -> int | None:
    if not 0x10 <= head[2] <= 0x16:
        return None
    if len(head) < _ACK_SIZE:
        return 0
    if _crc_fits(head):
        return _ACK_SIZE
    return 9 + head[6] if head[6] and head[6] == 2 * int.from_bytes(head[4:6], "big") else None


def check(piece: bytes) -> Drop | None:
    """Why these bytes are not what their start says."""
    return None if _crc_fits(piece) else Drop.CHECKSUM


class Decoder:
    """Replies together with the requests that they answer, ours or another master's."""

    def __init__(self) -> None:
        self._cutter = Cutter(measure, check)
        self._sent = b""
        self._asked = b""

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """What this chunk completes."""
        return self._read(self._cutter.feed(payload)) if isinstance(payload, bytes) else []

    def sent(self, payload: Payload) -> None:
        """A request; the next reply of its length is taken as its answer."""
        if isinstance(payload, bytes) and len(payload) >= _REQUEST_SIZE:
            self._sent = self._asked = payload

    def reset(self) -> list[Message | Dropped]:
        """Gives up what is incomplete. The request stays open: its answer may be slow."""
        return self._read(self._cutter.reset())

    def _read(self, pieces: list[bytes | Dropped]) -> list[Message | Dropped]:
        return [piece if isinstance(piece, Dropped) else self._read_whole(piece) for piece in pieces]

    def _read_whole(self, piece: bytes) -> Message | Dropped:
        if piece == self._sent:
            self._sent = b""
            return Dropped(Drop.ECHO, len(piece))
        if piece[1] & ERROR:
            return Dropped(Drop.REFUSED, _ERROR_SIZE, f"code {piece[2]} from address {piece[0]}")
        if piece[1] == READ and len(piece) != _REQUEST_SIZE:
            return self._reply(piece)
        if piece[1] == WRITE and len(piece) == _ACK_SIZE:
            return self._ack(piece)
        self._asked = piece
        start, words = struct.unpack_from(">HH", piece, 2)
        return Message("request", {}, {"start": start, "words": words}, piece[0])

    def _reply(self, piece: bytes) -> Message | Dropped:
        asked = self._asked
        if len(asked) != _REQUEST_SIZE or asked[:2] != piece[:2]:
            return Dropped(Drop.UNKNOWN, len(piece), "reply to a request that was not seen")
        start, words = struct.unpack_from(">HH", asked, 2)
        if piece[2] != 2 * words:  # a late answer to an earlier request
            return Dropped(Drop.LENGTH, len(piece), f"{piece[2]} bytes for {words} words")
        return message_of(piece[0], start, piece[3:-2])

    def _ack(self, piece: bytes) -> Message:
        asked = self._asked
        register, words = struct.unpack_from(">HH", piece, 2)
        raw: dict[str, Raw] = {"register": register, "ack_words": words}
        if asked[:6] == piece[:6] and len(asked) == 9 + 2 * words:
            value = int.from_bytes(asked[7:-2], "big")
            raw["value"] = value
            if register in SWITCHES:
                raw["meaning"] = f"{SWITCHES[register]} {'on' if value else 'off'}"
        return Message("write_ack", {}, raw, piece[0])


class Session:
    """One board on the pair. options: address 1..15."""

    streams = False

    def __init__(self, options: Options) -> None:
        self._address = 1 if options.address is None else options.address
        self._pack = Pack(asks_voltage=True)
        self._polls = self._address  # packs of one pair ask for settings in different rounds

    def open(self) -> Script[None]:
        """Nothing to be sent. What was known before may have changed meanwhile."""
        self._pack = Pack(asks_voltage=True)
        yield from ()

    def info(self) -> Script[PackInfo | None]:
        """Name and limits."""
        for run in (INFO_RUN, SETTINGS_RUN):
            try:
                self._pack.note((yield self._request(run)))
            except NoReply:
                continue  # permission waits for the settings, which polls ask for again
        return self._pack.info()

    def poll(self) -> Script[Reading]:
        """Cells and status; before them the settings while they are not known and once a minute."""
        self._polls += 1
        if not self._pack.has_settings or self._polls % _SETTINGS_EVERY == 0:
            with suppress(NoReply):
                self._pack.note((yield self._request(SETTINGS_RUN, tries=1)))
        cells = yield self._request(CELLS_RUN)
        status = yield self._request(STATUS_RUN)
        both = Message(names.STATUS, cells.reading | status.reading, status.raw, self._address)
        _compare(both.reading)
        return self._pack.reading(both)

    def _request(self, run: Run, tries: int = _TRIES) -> Request:
        return Request(
            read_request(self._address, run.start, run.words), run.name, self._address, tries=tries
        )

    def collect(self, message: Message) -> Reading | None:  # noqa: ARG002  # the contract's signature
        """Nothing: a board only answers."""
        return None


def _compare(reading: Reading) -> None:
    """Raises NoReply where the two reads cannot be of one pack: no usable answer came."""
    cells_v, voltage_v = reading.get("cell_voltages_v", ()), reading.get("voltage_v")
    if voltage_v is None or not cells_v:
        return
    good_v = [volt for volt in cells_v if volt is not None]
    most_v = sum(good_v) + (len(cells_v) - len(good_v)) * 5
    if not sum(good_v) - _SUM_TOLERANCE_V <= voltage_v <= most_v + _SUM_TOLERANCE_V:
        raise NoReply(f"{len(good_v)} of {len(cells_v)} cells sum to {sum(good_v):.3f} V, pack {voltage_v} V")


class Device:
    """A board on the pair. options: address; extra: settings by their decoded names."""

    def __init__(self, options: Options) -> None:
        self._address = 1 if options.address is None else options.address
        self._board = Board(options)
        self._cutter = Cutter(measure, check)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """Register values, or a Modbus error where there are none; writes are refused."""
        pieces = self._cutter.feed(payload) if isinstance(payload, bytes) else []
        return [
            self._answer(piece, reading)
            for piece in pieces
            if isinstance(piece, bytes) and piece[0] == self._address and not piece[1] & ERROR
        ]

    def _answer(self, piece: bytes, reading: Reading) -> bytes:
        if piece[1] != READ or len(piece) != _REQUEST_SIZE:
            return self._error(piece[1], ILLEGAL_FUNCTION)
        data = registers(self._board, reading, *struct.unpack_from(">HH", piece, 2))
        if data is None or len(data) > 2 * _WORDS_MAX:
            return self._error(READ, ILLEGAL_ADDRESS)
        return _with_crc(bytes((self._address, READ, len(data))) + data)

    def _error(self, function: int, code: int) -> bytes:
        return _with_crc(bytes((self._address, function | ERROR, code)))
