"""Daly's Modbus-like dialect with board numbers: H/K/M/S, 100 Balance and ESS boards, several on a pair.

    read   80 + board, 03 | start | count | CRC      reply  50 + board, 03 | bytes | registers | CRC

The framing is that of `_daly_modbus`, the registers are those of `_daly_p81_registers`. That a board
answers under another address than it is asked is why no common Modbus library can read it. One idea: two
reads, the ones that the maker's app sends, cover everything that is looked at.

Sources: patagonaa/esphome-daly-hkms-bms, docs/pdus/ess-dl-bms-41_260321_0323.txt of
syssi/esphome-daly-bms, patman15/BMS_BLE-HA issue 806.
"""

from __future__ import annotations

from bridge.errors import ConfigError
from bridge.model import PackInfo, Reading
from bridge.protocols._daly import BLE, BLE_OPTIONS, SIGN_OPTIONS, SLEEPS_AFTER_S, CurrentSign, sign_from
from bridge.protocols._daly_modbus import Dialect, Reader, read_request
from bridge.protocols._daly_p81_registers import CELLS, LAYOUT, READS, SETTINGS, STATUS, VERSIONS, image
from bridge.protocols._daly_register_talk import RegisterTalk, decoded
from bridge.protocols._daly_registers import Board
from bridge.protocols._daly_simulated import Image
from bridge.protocols.contract import Dropped, Message, Options, Payload, Script, Spec

ASKED, ANSWERING = 0x80, 0x50
BOARDS = range(1, 17)
FAMILY_SIGN = 1
BLE_TIMEOUT_S = 2.0  # replies take 80 to 500 ms behind a module

SPEC = Spec(
    maker="Daly",
    links=("serial", "ble"),
    shared=True,
    address=1,
    addresses=BOARDS,
    ble=BLE,
    reply_timeout_s=0.5,  # 167 bytes take 174 ms
    gap_s=0.03,
    silence_s=0.3,
    sleeps_after_s=SLEEPS_AFTER_S,
    wake_tries=3,
    wake_timeout_s=0.6,
    options={**SIGN_OPTIONS, **BLE_OPTIONS},
    states_rating=False,
)

_DIALECT = Dialect(
    replies={ASKED + board: ANSWERING + board for board in BOARDS},
    lengths={read.count: read.start for read in READS} | {39: 0x151},
)


class Decoder:
    """Byte stream to messages, for all boards on it."""

    def __init__(self) -> None:
        self._reader = Reader(_DIALECT)
        self._boards: dict[int, Board] = {}

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """See `contract.Decoder`."""
        return decoded(self._reader.feed(payload), self._board)

    def sent(self, payload: Payload) -> None:
        """See `contract.Decoder`."""
        self._reader.sent(payload)

    def reset(self) -> list[Message | Dropped]:
        """See `contract.Decoder`."""
        return decoded(self._reader.reset(), self._board)

    def _board(self, sender: int) -> Board:
        if sender not in self._boards:
            self._boards[sender] = Board(LAYOUT, CurrentSign(FAMILY_SIGN), sender - ANSWERING)
        return self._boards[sender]


class Session:
    """The conversation with one board.

    Options: address is the board's number. extra: current_sign and invert_current (see `sign_from`).
    """

    streams = False

    def __init__(self, options: Options) -> None:
        board = 1 if options.address is None else options.address
        if board not in BOARDS:
            raise ConfigError(f"address = {board}: a Daly board has a number from 1 to {BOARDS[-1]}")
        self._talk = RegisterTalk(
            lambda start, count: read_request(ASKED + board, start, count),
            sign_from(options, FAMILY_SIGN),
            timeout_s=BLE_TIMEOUT_S if options.mac else None,
            settings=SETTINGS,
            versions=VERSIONS,
            address=board,
        )

    def open(self) -> Script[None]:
        """Nothing needs to be said first."""
        yield from ()

    def poll(self) -> Script[Reading]:
        """Two reads; the first is sent once only, so that a dead pack costs one timeout."""
        cells = yield self._talk.ask(CELLS, 1)
        status = yield self._talk.ask(STATUS, 3)
        yield from self._talk.refresh()
        return self._talk.reading((cells, status))

    def info(self) -> Script[PackInfo | None]:
        """See `contract.Session`."""
        return self._talk.info()

    def collect(self, message: Message) -> Reading | None:  # noqa: ARG002  # part of the contract
        """Daly boards never talk by themselves."""
        return None


class Device:
    """A simulated board. Options: address; extra current_sign (1 or -1)."""

    def __init__(self, options: Options) -> None:
        self._number = 1 if options.address is None else options.address
        self._sign = -1 if options.extra.get("current_sign") in {-1, "-1"} else FAMILY_SIGN
        self._heartbeat = 0
        replies = {ASKED + self._number: ANSWERING + self._number}
        self._image = Image(replies, range(0x250), (), self._registers)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """See `contract.Device`."""
        return self._image.receive(payload, reading)

    def _registers(self, reading: Reading) -> dict[int, bytes]:
        self._heartbeat = (self._heartbeat + 1) & 0xFF
        return image(reading, self._sign, self._number, self._heartbeat)
