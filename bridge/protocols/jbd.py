"""JBD (Jiabaida; sold as Xiaoxiang, LLT, Overkill Solar and many battery brands), 4S to 32S.

Two reads give a pack: 03 (everything but the cells) and 04 (the cells). The board speaks only when
asked, sleeps when nobody asks, and would also let itself be written to: nothing here does.

What is on the wire is in `_jbd_frames`, what is in the replies in `_jbd_data` and `_jbd_registers`;
this file is the protocol as the rest of packbridge uses it. Sources are named there; the figures of
`SPEC` come from captures in syssi/esphome-jbd-bms docs (timing, sleep), patman15/aiobmsble
docs/jbd_bms.md (names) and mr-manuel/venus-os_dbus-serialbattery lltjbd_ble.py (characteristics).
"""

from __future__ import annotations

from bridge.errors import ConfigError
from bridge.model import Alarm, CanFrame, PackInfo, Ratings, Reading
from bridge.protocols import _jbd_frames as frames
from bridge.protocols import _jbd_registers as registers
from bridge.protocols._jbd_data import basic_data, basic_of, cells_data, cells_of
from bridge.protocols._jbd_frames import BASIC, CELLS, START
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
    maker="JBD",
    links=("serial", "ble"),
    baudrate=9600,
    baudrates=(9600,),
    addresses=range(0x100),
    ble=Ble(
        pairs=(("ff00", "ff01", "ff02"), ("fff0", "fff1", "fff2")),
        names=(
            "JBD-*", "SP??S*", "DP??S*", "xiaoxiang*", "SBL-*", "SX1*", "OGR-*", "LSG-*", "DWF*", "TZ-H*",
        ),
    ),
    reply_timeout_s=0.5,
    gap_s=0.02,
    silence_s=0.15,
    sleeps_after_s=20.0,
    wake_tries=5,
    wake_timeout_s=0.3,
    options={
        "password": "six letters or digits, for boards since 2023 that ask for one over Bluetooth",
        "mac": "of the radio module, a part of the key that proves the password",
    },
)  # fmt: skip

APP_KEY, RANDOM, PASSWORD = 0x15, 0x17, 0x18
DEFAULT_APP_KEY = b"000000"
KEY_TIMEOUT_S = 1.0  # boards without keys never answer
_KEYS = {APP_KEY: "auth_app_key", RANDOM: "auth_random", PASSWORD: "auth_password"}
_REQUESTS = frozenset({frames.READ, frames.WRITE})
_STATUS = {
    0x80: "unknown command",
    0x81: "not permitted now",
    0x82: "checksum error",
    0x83: "password mismatch",
}


class Decoder:
    """Replies of one board. Every message names its command, so what was asked need not be known."""

    def __init__(self) -> None:
        self._framer = frames.Framer(_read)

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """What has become certain with these bytes, in order."""
        if isinstance(payload, CanFrame):
            return [Dropped(Drop.UNKNOWN, len(payload.data), "a CAN frame")]
        return self._framer.feed(payload)

    def sent(self, payload: Payload) -> None:
        """Nothing to learn from it: an echo shows by its form."""

    def reset(self) -> list[Message | Dropped]:
        """Give up an incomplete frame; good frames behind it are still found."""
        return self._framer.reset()


def _read(frame: bytes) -> Message | Dropped:
    """A whole frame with a right checksum, understood or not."""
    start, command, status = frame[0], frame[1], frame[2]
    if status or start != START or command in _REQUESTS:
        return _read_other(frame)
    data = frame[4:-3]
    if command == BASIC:
        basic = basic_of(data)
        return _wrong_length(frame) if basic is None else Message("basic", basic[0], basic[1])
    if command == CELLS:
        cells = cells_of(data)
        return _wrong_length(frame) if cells is None else Message("cells", cells, {"command": 4, "status": 0})
    return _read_rest(command, data, frame)


def _read_other(frame: bytes) -> Message | Dropped:
    """What is no good reply: a key, a request, an error."""
    if frame[0] == frames.KEY_START:
        return _read_key(frame)
    command, status = frame[1], frame[2]
    if command in _REQUESTS or status == frames.READ:
        return Dropped(Drop.ECHO, len(frame))
    why = _STATUS.get(status, f"status {status:02X}")
    return Dropped(Drop.REFUSED, len(frame), f"command {command:02X}: {why}")


def _read_rest(command: int, data: bytes, frame: bytes) -> Message | Dropped:
    if command == frames.NAME:
        text = registers.text_of(data)
        return Message("name", {}, {"command": command, "status": 0, "device_name": text})
    if not data:
        return Message("ack", {}, {"command": command, "status": 0, "ack": True})
    if command == frames.COUNTERS:
        name, raw = "counters", registers.counters_of(data)
    elif command == frames.PARAMETERS:
        name, raw = "parameters", registers.parameters_of(data)
    elif command in registers.REGISTERS or command in registers.TEXTS:
        name, raw = "parameter", registers.register_of(command, data)
    else:
        return Dropped(Drop.UNKNOWN, len(frame), f"command {command:02X}")
    return _wrong_length(frame) if raw is None else Message(name, {}, raw)


def _wrong_length(frame: bytes) -> Dropped:
    return Dropped(Drop.LENGTH, len(frame), f"command {frame[1]:02X}: {frame[3]} bytes of data")


def _read_key(frame: bytes) -> Message | Dropped:
    command, data = frame[2], frame[4:-1]
    if len(data) != 1:  # replies carry one byte, requests none or six
        return Dropped(Drop.ECHO, len(frame))
    if command not in _KEYS:
        return Dropped(Drop.UNKNOWN, len(frame), f"key command {command:02X}")
    return Message(_KEYS[command], {}, {"auth_command": command, "data_hex": data.hex()})


class Session:
    """Polls one board with 03 and 04. Never writes; never enters factory mode.

    options.address: asks in the addressed RS485 form; replies carry no address that is known.
    options.password: six characters, for boards since 2023 that ask for one over BLE before they
    answer; options.mac is then part of the key. Raises ConfigError if either cannot be used.
    """

    streams = False

    def __init__(self, options: Options) -> None:
        self._address = _address(options)
        self._password = _password(options)
        self._mac = _mac(options) if self._password else b""
        self._last: Message | None = None
        self._charge_locked = False
        self._discharge_locked = False

    def open(self) -> Script[None]:
        """The key exchange, if there is a password and the board asks for it. Fails with NoReply."""
        if not self._password:
            return
        try:
            answer = yield _key_request(APP_KEY, DEFAULT_APP_KEY)
        except NoReply:
            return  # an old board, or a wire: no keys there
        if _key_value(answer) == 2:
            return  # no password set
        if _key_value(answer) != 0:
            raise NoReply("the board rejected the app key")
        answer = yield _key_request(RANDOM, b"")
        answer = yield _key_request(PASSWORD, scrambled(self._password, self._mac, _key_value(answer)))
        if _key_value(answer) != 0:
            raise NoReply("the board rejected the password")

    def info(self) -> Script[PackInfo | None]:
        """Name, and limits where the board tells them without factory mode (newer ones do)."""
        try:
            answer = yield self._request(frames.NAME, "name")
            model = str(answer.raw["device_name"]) or None
        except NoReply:
            model = None
        try:
            last = self._last or (yield self._request(BASIC, "basic"))
        except NoReply:
            return None
        try:
            start_and_count = bytes((0, 0, registers.PARAMETER_COUNT))
            answer = yield self._request(frames.PARAMETERS, "parameters", start_and_count)
            ratings = _ratings(answer, high_capacity=last.raw["high_capacity_unit"] is True)
        except NoReply:
            ratings = Ratings()
        return PackInfo(
            model=model,
            firmware=str(last.raw["firmware_version"]),
            cell_count=last.reading.get("cell_count"),
            ratings=ratings,
        )

    def poll(self) -> Script[Reading]:
        """One reading out of 03 and 04."""
        basic = yield self._request(BASIC, "basic")
        cells = yield self._request(CELLS, "cells")
        self._last = basic
        reading = _merged(basic.reading, cells.reading)
        self._apply_lock(reading, locked=Alarm.FET_LOCKED in reading["protections"])
        return reading

    def collect(self, message: Message) -> Reading | None:
        """A board says nothing by itself; whatever comes unasked is an answer that came too late."""
        del message
        return None

    def _request(self, command: int, reply: str, data: bytes = b"") -> Request:
        return Request(frames.read_request(command, data, self._address), reply)

    def _apply_lock(self, reading: Reading, *, locked: bool) -> None:
        """Someone switched a direction off; which one, only the switches tell, and not always.

        Boards close a locked switch again while current flows the other way, to spare its diode. So
        a direction stays blocked once its switch was seen open, until the lock ends, and a closed
        switch proves nothing while current flows the other way.
        """
        current_a = reading["current_a"] or 0.0
        self._charge_locked = locked and (self._charge_locked or not reading["charge_fet_on"])
        self._discharge_locked = locked and (self._discharge_locked or not reading["discharge_fet_on"])
        if self._charge_locked or (locked and current_a < 0.0):
            reading["charge_allowed"] = False
        if self._discharge_locked or (locked and current_a > 0.0):
            reading["discharge_allowed"] = False


def _merged(basic: Reading, cells: Reading) -> Reading:
    """Both replies as one reading, in which nothing that is missing reads as a number.

    A cell of 0 mV is a broken sense lead, and cells that the two replies count differently are not
    all there: both raise a warning. A capacity of 0 is one that nobody set.
    """
    voltages_v = cells["cell_voltages_v"]
    count = min(len(voltages_v), basic["cell_count"] or 0)
    reading = basic.copy()
    reading["cell_count"] = count
    reading["cell_voltages_v"] = tuple(volts or None for volts in voltages_v[:count])
    if None in reading["cell_voltages_v"] or len(voltages_v) != basic["cell_count"]:
        reading["warnings"] = reading["warnings"] | {Alarm.CELL_DISCONNECTED}
    reading["design_ah"] = reading["design_ah"] or None
    if "full_ah" in reading:
        reading["full_ah"] = reading["full_ah"] or None
    return reading


def _ratings(answer: Message, *, high_capacity: bool) -> Ratings:
    values = answer.raw["values"]
    if answer.raw["start"] != 0 or not isinstance(values, list):
        return Ratings()
    words = [value for value in values if isinstance(value, int)]
    return registers.ratings_of(words, high_capacity=high_capacity)


def _address(options: Options) -> int | None:
    if options.address is not None and not 0 <= options.address <= 0xFF:
        raise ConfigError(f"address: {options.address} is no JBD address (allowed 0..255)")
    return options.address


# The key exchange over BLE


def scrambled(password: bytes, mac: bytes, random: int) -> bytes:
    """What proves the password: e[i] = ((mac[i] XOR password[i]) + random) mod 256."""
    return bytes((one ^ other) + random & 0xFF for one, other in zip(mac, password, strict=True))


def _key_request(command: int, data: bytes) -> Request:
    return Request(frames.key_frame(command, data), _KEYS[command], timeout_s=KEY_TIMEOUT_S)


def _key_value(message: Message) -> int:
    return int(str(message.raw["data_hex"]), 16)


def _password(options: Options) -> bytes:
    password = options.password or ""
    if password and not (len(password) == 6 and password.isascii() and password.isalnum()):
        raise ConfigError("password: a JBD board's has six letters or digits")
    return password.encode()


def _mac(options: Options) -> bytes:
    digits = (options.mac or "").replace(":", "").replace("-", "")
    try:
        mac = bytes.fromhex(digits)
    except ValueError:
        mac = b""
    if len(mac) != 6:
        raise ConfigError(
            f"mac: {options.mac!r} is no Bluetooth address; a JBD password is only known with it"
        )
    return mac


# The board's side


class Device:
    """A board that answers from a reading. Takes no write to heart.

    options.address: answers plain requests and those for this address. options.password (with mac):
    says nothing before the key exchange. options.extra: limits by their names in `Ratings`, told by FA;
    "model": its name.
    """

    RANDOM_BYTE = 0x61

    def __init__(self, options: Options) -> None:
        self._address = options.address
        self._password = _password(options)
        self._mac = _mac(options) if self._password else b""
        self._open = not self._password
        self._model = str(options.extra.get("model", "JBD-SIM"))
        self._limits = {
            name: float(value) for name, value in options.extra.items() if name in registers.LIMITS
        }
        self._framer = frames.Framer(bytes)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """The replies to the requests that are complete with these bytes."""
        if isinstance(payload, CanFrame):
            return []
        answers = (
            self._answer(frame, reading) for frame in self._framer.feed(payload) if isinstance(frame, bytes)
        )
        return [answer for answer in answers if answer is not None]

    def _answer(self, frame: bytes, reading: Reading) -> bytes | None:
        if frame[0] == frames.KEY_START:
            return self._answer_key(frame[2], frame[4:-1])
        if not self._open:
            return None
        if frame[1] == frames.WRITE:
            return _answer_write(frame[2], frame[4:-3])
        if frame[1] == frames.READ:
            return self._answer_read(frame[2], frame[4:-3], reading)
        if frame[2] == frames.READ and self._address in {None, frame[1]}:
            return self._answer_read(frame[3], frame[5:-3], reading)
        return None

    def _answer_read(self, command: int, data: bytes, reading: Reading) -> bytes:
        if command == BASIC:
            return frames.reply(command, basic_data(reading))
        if command == CELLS:
            return frames.reply(command, cells_data(reading))
        if command == frames.NAME:
            return frames.reply(command, self._model.encode("ascii", errors="replace")[:31])
        if command == frames.COUNTERS:
            return frames.reply(command, bytes(24))
        if command == frames.PARAMETERS and len(data) == 3:
            start, count = data[0] << 8 | data[1], data[2]
            words = registers.parameter_words(self._limits)[start : start + count]
            return frames.reply(command, registers.parameters_data(start, words))
        factory_only = command in registers.REGISTERS or command in registers.TEXTS
        return frames.reply(command, status=0x81 if factory_only else 0x80)

    def _answer_key(self, command: int, data: bytes) -> bytes | None:
        if command == APP_KEY:
            self._open = not self._password
            return frames.key_frame(command, b"\x00" if self._password else b"\x02")
        if command == RANDOM:
            return frames.key_frame(command, bytes((self.RANDOM_BYTE,)))
        if command == PASSWORD and len(data) == 6:
            self._open = data == scrambled(self._password, self._mac, self.RANDOM_BYTE)
            return frames.key_frame(command, b"\x00" if self._open else b"\x01")
        return None


def _answer_write(command: int, data: bytes) -> bytes:
    """Boards acknowledge an app's password and factory mode; all else is not permitted here."""
    harmless = command == 0x06 or (command, data) in {(0x00, b"\x56\x78"), (0x01, b"\x00\x00")}
    return frames.reply(command, status=0x00 if harmless else 0x81)
