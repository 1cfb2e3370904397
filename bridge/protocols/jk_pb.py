"""JK inverter BMS (PB and PD series) on RS485-2: several packs on one pair, asked one after the other.

    trigger   address | 10 | 16 rr | 00 01 | 02 | 00 00 | CRC       11 bytes, looks like a Modbus write
    reply     the 300-byte frame of type 2, 1 or 3                  without address
              address | 10 | 16 rr | 00 01 | CRC                    8 bytes, directly behind it

    rr        20 status · 1E settings · 1C device information

The one idea: a frame does not say whose it is; the acknowledge behind it does. So a frame waits for its
acknowledge, and without one it belongs to the only trigger that is unanswered, or to nobody.

Registers beside these three write presets or switch the pack off: no other trigger is ever sent. A pack
whose DIP switches say 0 is itself the master: it broadcasts its own status and settings with address 0
and asks the others. Beside one, `listen = true` makes the session send nothing and take what passes.

Sources: mr-manuel/venus-os_dbus-serialbattery bms/jkbms_pb.py, bms-docs/JKBMS-PB.md and
tests/bms/test_jkbms_pb.py; txubelaxu/esphome-jk-bms components/jk_rs485_sniffer;
phinix-org/Multiple-JK-BMS-by-Modbus-RS485 docs (logs); syssi/esphome-jk-bms issue #442.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

from bridge.errors import ConfigError
from bridge.model import PackInfo, Reading
from bridge.protocols import _jk_pack as names
from bridge.protocols._jk_device import Board
from bridge.protocols._jk_frames import HEADER, INFO, SETTINGS, SIZE, STATUS, FrameReader
from bridge.protocols._jk_pack import Pack
from bridge.protocols._stream import Cutter
from bridge.protocols.checksums import crc16_modbus
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

SPEC = Spec(
    maker="JK",
    links=("serial",),
    baudrate=115200,
    baudrates=(115200,),
    shared=True,
    address=1,
    addresses=range(1, 16),
    reply_timeout_s=0.5,
    gap_s=0.11,  # 50 ms mixes up replies of different packs, 75 ms was clean on four packs
    silence_s=0.1,
    options={"listen": "true sends nothing and takes what a master (DIP switches at 0) asks the packs"},
)

REGISTERS = {STATUS: 0x20, SETTINGS: 0x1E, INFO: 0x1C}
_KINDS = {register: kind for kind, register in REGISTERS.items()}
_NAMES = {STATUS: names.STATUS, SETTINGS: names.SETTINGS, INFO: names.INFO}
_HIGHEST_ADDRESS = 15
_TRIGGER_SIZE, _ACK_SIZE = 11, 8
_STRAY_SIZE = 2  # adapters that switch their driver late put up to two zeros around the acknowledge
_SETTINGS_EVERY = 60  # polls; switches are moved while the gateway runs


def trigger(address: int, kind: int) -> bytes:
    """The 11 bytes that make pack `address` send its frame of type `kind`."""
    return _with_crc(bytes((address, 0x10, 0x16, REGISTERS[kind], 0, 1, 2, 0, 0)))


def acknowledge(address: int, kind: int) -> bytes:
    """The 8 bytes behind a frame of type `kind`."""
    return _with_crc(bytes((address, 0x10, 0x16, REGISTERS[kind], 0, 1)))


def _with_crc(body: bytes) -> bytes:
    return body + crc16_modbus(body).to_bytes(2, "little")


def measure(buffer: bytearray, at: int) -> int | None:
    """Size of what starts at `at`: frame, trigger or acknowledge."""
    first = buffer[at]
    seen = len(buffer) - at
    if first == HEADER[0]:
        if buffer.startswith(HEADER, at):
            return SIZE
        return 0 if seen < 4 and HEADER.startswith(buffer[at:]) else None
    if first > _HIGHEST_ADDRESS:
        return None
    if seen < _ACK_SIZE:
        return 0 if _may_be_modbus(buffer, at, seen) else None
    head, tail = bytes(buffer[at : at + 6]), buffer[at + 6 : at + 8]
    if head[1:3] != b"\x10\x16" or head[4:] != b"\0\1":
        return None
    if _crc(head) == int.from_bytes(tail, "little"):
        return _ACK_SIZE
    return _TRIGGER_SIZE if tail == b"\2\0" else None


_crc = lru_cache(maxsize=64)(crc16_modbus)  # a pair has few acknowledges, each of them every second


def _may_be_modbus(buffer: bytearray, at: int, seen: int) -> bool:
    return (
        (seen < 2 or buffer[at + 1] == 0x10)
        and (seen < 3 or buffer[at + 2] == 0x16)
        and (seen < 5 or not buffer[at + 4])
        and (seen < 6 or buffer[at + 5] == 1)
    )


def check(piece: bytes) -> Drop | None:
    """Why these bytes are not what their start says."""
    if len(piece) == SIZE:
        if piece.find(HEADER, 1) > 0:
            return Drop.TRUNCATED  # a fragment is lost; the sum of the mixture may still fit
        return None if (sum(piece) - piece[-1]) & 0xFF == piece[-1] else Drop.CHECKSUM
    if len(piece) == _TRIGGER_SIZE:
        fits = crc16_modbus(piece[:-2]) == int.from_bytes(piece[-2:], "little")
        return None if fits else Drop.CHECKSUM
    return None


class Decoder:
    """Frames with the address of who sent them; triggers and acknowledges of the pair as messages."""

    def __init__(self) -> None:
        self._cutter = Cutter(measure, check)
        self._reader = FrameReader()
        self._waiting: bytes | None = None  # a frame whose acknowledge has not come
        self._stray = 0  # bytes of noise behind it
        self._sent = b""
        self._asked: list[bytes] = []  # triggers that nobody answered yet

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """What this chunk makes certain; a frame is certain when it is known what follows it."""
        return self._read(self._cutter.feed(payload)) if isinstance(payload, bytes) else []

    def sent(self, payload: Payload) -> None:
        """Our trigger: its echo is none of another master, a lone frame may be its answer."""
        if isinstance(payload, bytes) and len(payload) == _TRIGGER_SIZE:
            self._sent = payload
            if payload not in self._asked:
                self._asked = [*self._asked, payload][-_HIGHEST_ADDRESS:]

    def reset(self) -> list[Message | Dropped]:
        """The pair is silent: a frame that still waits will get no acknowledge any more."""
        found = self._read(self._cutter.reset())
        return found + self._release(None)

    def _read(self, pieces: list[bytes | Dropped]) -> list[Message | Dropped]:
        found: list[Message | Dropped] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                found += self._read_whole(piece)
                continue
            self._stray += piece.size
            if piece.reason is not Drop.NOISE or self._stray > _STRAY_SIZE:
                found += self._release(None)
            found.append(piece)
        return found

    def _read_whole(self, piece: bytes) -> list[Message | Dropped]:
        if len(piece) == SIZE:
            before = self._release(None)
            self._waiting, self._stray = piece, 0
            return before
        if len(piece) == _TRIGGER_SIZE:
            before = self._release(None)
            if piece == self._sent:
                self._sent = b""
                return [*before, Dropped(Drop.ECHO, _TRIGGER_SIZE)]
            return [*before, _bus_message("request", piece)]
        return [*self._release(piece), _bus_message("ack", piece)]

    def _release(self, ack: bytes | None) -> list[Message | Dropped]:
        """The waiting frame, now that it is known what follows it."""
        frame, self._waiting = self._waiting, None
        if ack is not None:
            self._asked = [asked for asked in self._asked if asked[:4] != ack[:4]]
        if frame is None:
            return []
        if ack is None:
            return [self._reader.read(frame, self._answered(frame[4]))]
        if _KINDS.get(ack[3], frame[4]) != frame[4]:
            return [Dropped(Drop.VALUE, SIZE, f"frame type {frame[4]} acknowledged as 0x16{ack[3]:02X}")]
        return [self._reader.read(frame, ack[0])]

    def _answered(self, kind: int) -> int | None:
        """Who sent a frame without acknowledge: known only if one trigger is unanswered and it fits."""
        asked, self._asked = self._asked, []
        return asked[0][0] if len(asked) == 1 and _KINDS.get(asked[0][3]) == kind else None


def _bus_message(name: str, piece: bytes) -> Message:
    return Message(name, {}, {"register": int.from_bytes(piece[2:4], "big")}, piece[0])


def _listens(options: Options) -> bool:
    listen = options.extra.get("listen", False)
    if not isinstance(listen, bool):
        raise ConfigError(f"listen = {listen!r}: must be true or false")
    return listen


class Session:
    """One pack on the pair. options: address 1..15; extra["listen"]: send nothing (address 0..15)."""

    def __init__(self, options: Options) -> None:
        self.streams = _listens(options)
        self._address = 1 if options.address is None else options.address
        self._pack = Pack(asks_voltage=True)
        self._polls = self._address  # packs of one pair ask for settings in different rounds

    def open(self) -> Script[None]:
        """Nothing: a pack answers at any time. What was known before may have changed meanwhile."""
        self._pack = Pack(asks_voltage=True)
        yield from ()

    def info(self) -> Script[PackInfo | None]:
        """Name and limits; when listening, as far as a master made the pack say them."""
        for kind in () if self.streams else (INFO, SETTINGS):
            try:
                self._pack.note((yield self._request(kind, tries=2)))
            except NoReply:
                continue  # the next round asks again; permission waits for the settings
        return self._pack.info()

    def poll(self) -> Script[Reading]:
        """A status, and before it the settings as long as they are not known and once a minute."""
        self._polls += 1
        if not self._pack.has_settings or self._polls % _SETTINGS_EVERY == 0:
            with suppress(NoReply):
                self._pack.note((yield self._request(SETTINGS)))
        return self._pack.reading((yield self._request(STATUS, tries=2)))

    def _request(self, kind: int, tries: int = 1) -> Request:
        return Request(trigger(self._address, kind), _NAMES[kind], self._address, tries=tries)

    def collect(self, message: Message) -> Reading | None:
        """A status of this pack that somebody else asked for."""
        if message.address != self._address:
            return None
        if message.name != names.STATUS:
            self._pack.note(message)
            return None
        return self._pack.reading(message) if self.streams else None


class Device:
    """A pack on the pair. options: address (0: a master); extra: settings by their decoded names."""

    tick_s = 4.0

    def __init__(self, options: Options) -> None:
        self._address = 1 if options.address is None else options.address
        self._board = Board(options)
        self._cutter = Cutter(measure, check)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """Frame and acknowledge, 308 bytes, for each trigger with this pack's address."""
        answers: list[Payload] = []
        for piece in self._cutter.feed(payload) if isinstance(payload, bytes) else ():
            if isinstance(piece, bytes) and len(piece) == _TRIGGER_SIZE and piece[0] == self._address:
                kind = _KINDS.get(piece[3])
                if kind is not None:
                    answers.append(self._answer(kind, reading))
        return answers

    def _answer(self, kind: int, reading: Reading) -> bytes:
        frames = {STATUS: self._board.status, SETTINGS: self._board.settings}
        frame = frames[kind](reading) if kind in frames else self._board.info()
        return frame + acknowledge(self._address, kind)

    def tick(self, reading: Reading) -> list[Payload]:
        """What a DIP-0 master makes visible of this pack in one round: status, then settings."""
        seen: list[Payload] = []
        for kind in (STATUS, SETTINGS):
            if self._address:
                seen.append(trigger(self._address, kind))
            seen.append(self._answer(kind, reading))
        return seen
