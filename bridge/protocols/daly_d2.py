"""Daly's Modbus-like dialect with address D2: BLE boards and the UART of their time, one board a link.

    read   D2 03 | start | count | CRC       reply  D2 03 | bytes | registers | CRC

The framing is that of `_daly_modbus`, the registers are those of `_daly_d2_registers`. One idea: newer
boards give 80 registers of telemetry in one go, all boards give 62; the session finds out which, and
then needs one request a poll.

Sources: dalyModbusProtocol.xlsx, Modbus protocol.xlsx and docs/pdus of syssi/esphome-daly-bms,
patman15/aiobmsble tests/bms/test_daly_bms.py, fl4p/batmon-ha.
"""

from __future__ import annotations

from bridge.errors import ConfigError
from bridge.model import PackInfo, Reading
from bridge.protocols._daly import (
    BLE,
    BLE_OPTIONS,
    SIGN_OPTIONS,
    SLEEPS_AFTER_S,
    CurrentSign,
    optional,
    sign_from,
)
from bridge.protocols._daly_d2_registers import (
    LAYOUT,
    MOSFET,
    READS,
    SETTINGS,
    STATUS_62,
    STATUS_80,
    VERSIONS,
    image,
)
from bridge.protocols._daly_modbus import Dialect, Reader, read_request
from bridge.protocols._daly_register_talk import RegisterTalk, decoded
from bridge.protocols._daly_registers import Board
from bridge.protocols._daly_simulated import Image
from bridge.protocols.contract import Dropped, Message, NoReply, Options, Payload, Script, Spec

ADDRESS = 0xD2
FAMILY_SIGN = 1  # on every capture; one register sheet says the opposite
BLE_TIMEOUT_S = 2.0  # replies take 80 to 500 ms behind a module

SPEC = Spec(
    maker="Daly",
    links=("serial", "ble"),
    ble=BLE,
    reply_timeout_s=0.5,  # 165 bytes take 172 ms
    gap_s=0.03,
    silence_s=0.3,
    sleeps_after_s=SLEEPS_AFTER_S,
    wake_tries=3,
    wake_timeout_s=0.6,
    options={
        "status_registers": "62 or 80, how many the board gives at once; if it is left out, both are tried",
        **SIGN_OPTIONS,
        **BLE_OPTIONS,
    },
    states_rating=False,
)

_DIALECT = Dialect(replies={ADDRESS: ADDRESS}, lengths={read.count: read.start for read in READS})


class Decoder:
    """Byte stream to messages."""

    def __init__(self) -> None:
        self._reader = Reader(_DIALECT)
        self._board = Board(LAYOUT, CurrentSign(FAMILY_SIGN), None)

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """See `contract.Decoder`."""
        return decoded(self._reader.feed(payload), lambda _: self._board)

    def sent(self, payload: Payload) -> None:
        """See `contract.Decoder`."""
        self._reader.sent(payload)

    def reset(self) -> list[Message | Dropped]:
        """See `contract.Decoder`."""
        return decoded(self._reader.reset(), lambda _: self._board)


class Session:
    """The conversation with the board.

    Options: extra status_registers (62 or 80; both are tried by default), current_sign and invert_current
    (see `sign_from`).
    """

    streams = False

    def __init__(self, options: Options) -> None:
        registers = options.extra.get("status_registers")
        if registers not in {None, 62, 80}:
            raise ConfigError(f"status_registers = {registers!r}: must be 62 or 80")
        self._status = {62: STATUS_62, 80: STATUS_80}.get(registers) if isinstance(registers, int) else None
        self._mosfet = False
        self._talk = RegisterTalk(
            lambda start, count: read_request(ADDRESS, start, count),
            sign_from(options, FAMILY_SIGN),
            timeout_s=BLE_TIMEOUT_S if options.mac else None,
            settings=SETTINGS,
            versions=VERSIONS,
        )

    def open(self) -> Script[None]:
        """Finds out how much telemetry the board gives in one go."""
        if self._status is None:
            status = yield from optional(self._talk.ask(STATUS_80, 2))
            self._status = STATUS_62 if status is None else STATUS_80
            if status is None and (yield from optional(self._talk.ask(STATUS_62, 2))) is None:
                self._status = None
                raise NoReply("neither 80 nor 62 status registers are answered")
        if self._status is STATUS_62:
            block = yield from optional(self._talk.ask(MOSFET, 1))
            self._mosfet = block is not None and block.reading["mosfet_temperature_c"] is not None

    def poll(self) -> Script[Reading]:
        """The status, and where it is the short one the switches' temperature."""
        messages = [(yield self._talk.ask(self._status or STATUS_62, 1))]
        if self._mosfet:
            block = yield from optional(self._talk.ask(MOSFET, 2))
            messages += [] if block is None else [block]
        yield from self._talk.refresh()
        return self._talk.reading(messages)

    def info(self) -> Script[PackInfo | None]:
        """See `contract.Session`."""
        return self._talk.info()

    def collect(self, message: Message) -> Reading | None:  # noqa: ARG002  # part of the contract
        """Daly boards never talk by themselves."""
        return None


class Device:
    """A simulated board. Options: extra status_registers (62: the longer read is not answered) and
    current_sign (1 or -1).
    """

    def __init__(self, options: Options) -> None:
        sign = -1 if options.extra.get("current_sign") in {-1, "-1"} else FAMILY_SIGN
        silent = (
            {(STATUS_80.start, STATUS_80.count)} if options.extra.get("status_registers") == 62 else set()
        )
        self._image = Image({ADDRESS: ADDRESS}, range(0xD0), silent, lambda reading: image(reading, sign))

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """See `contract.Device`."""
        return self._image.receive(payload, reading)
