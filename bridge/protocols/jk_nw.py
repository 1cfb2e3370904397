"""JK's older wire protocol ("NW") on the TTL port or JK's RS485 adapter: everything in one reply.

    4E 57 | length | terminal 4 | command | source | kind | records | record number 4 | 68 | 00 00 | sum

length counts itself and all behind it; command 06 reads all, 03 one id; kind is 00 request, 01 reply,
02 unasked; sum is that of all bytes before it, 16 bits. Everything is big-endian.

The one idea: one request brings all there is, so a poll is one exchange and nothing is pieced together.
Commands 02 and 05 write and unlock; only 06 is ever sent.

Sources: "Communication protocol between monitoring platform and BMS" in syssi/esphome-jk-bms docs;
ArminJo/JK-BMSToPylontechCAN (timing); jblance/mpp-solar issue #112 (echoes); syssi/esphome-jk-bms issue
#247 (flipped bits in replies of full length: only the sum shows them).
"""

from __future__ import annotations

import re

from bridge.model import Alarm, PackInfo, Reading
from bridge.protocols._jk_alarms import NW
from bridge.protocols._jk_nw_records import (
    IN_READING,
    check_plausible,
    is_complete,
    reading_of,
    simulated,
    simulated_cells,
    walk,
    write_records,
)
from bridge.protocols._jk_pack import ratings
from bridge.protocols._stream import BadFrame, Cutter
from bridge.protocols.contract import (
    Drop,
    Dropped,
    Message,
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
    baudrates=(115200,),
    reply_timeout_s=0.3,  # measured: 26 ms from the request's end to the reply's
    gap_s=0.02,
    silence_s=0.05,
)

START = b"NW"
READ_ID, READ_ALL = 0x03, 0x06
REQUEST, REPLY = 0, 1
END_MARK = 0x68
_SIZES = range(20, 401)  # a request has 20 or 21 bytes, a reply with 32 cells 339
_HEAD, _TAIL = 11, 9


def read_all() -> bytes:
    """The one request that is ever sent."""
    return _sealed(bytes((READ_ALL, 3, REQUEST)) + b"\0")


def _sealed(body: bytes) -> bytes:
    """Frame around command, source, kind and records."""
    inner = bytes(4) + body + bytes(4) + bytes((END_MARK, 0, 0))
    head = START + (len(inner) + 4).to_bytes(2, "big") + inner
    return head + (sum(head) & 0xFFFF).to_bytes(2, "big")


def measure(buffer: bytearray, at: int) -> int | None:
    """Size of the frame that starts at `at`."""
    if buffer[at] != START[0]:
        return None
    seen = buffer[at : at + 4]
    if len(seen) < 4:
        return 0 if START.startswith(seen[:2]) else None
    size = 2 + int.from_bytes(seen[2:], "big")
    return size if seen.startswith(START) and size in _SIZES else None


def check(frame: bytes) -> Drop | None:
    """Why these bytes are not a frame."""
    if frame[-5] != END_MARK:
        return Drop.TERMINATOR
    return None if sum(frame[:-2]) & 0xFFFF == int.from_bytes(frame[-2:], "big") else Drop.CHECKSUM


class Decoder:
    """One reply, one message. A request that is heard again is an echo."""

    def __init__(self) -> None:
        self._cutter = Cutter(measure, check)
        self._end = b""  # the last bytes that came

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """The replies that this chunk completes."""
        if not isinstance(payload, bytes):
            return []
        self._end = (self._end + payload)[-5:]
        return _read(self._cutter.feed(payload))

    def sent(self, payload: Payload) -> None:
        """Nothing that is received depends on what was sent."""

    def reset(self) -> list[Message | Dropped]:
        """Gives up an incomplete reply. One that has its end mark is not cut off: a byte inside is lost."""
        pieces = self._cutter.reset()
        has_end, self._end = self._end[:3] == bytes((END_MARK, 0, 0)), b""
        if has_end:
            pieces = [_shorter(piece) if isinstance(piece, Dropped) else piece for piece in pieces]
        return _read(pieces)


def _shorter(cut: Dropped) -> Dropped:
    return Dropped(Drop.LENGTH, cut.size, "a byte is lost") if cut.reason is Drop.TRUNCATED else cut


def _read(pieces: list[bytes | Dropped]) -> list[Message | Dropped]:
    found: list[Message | Dropped] = []
    for piece in pieces:
        if isinstance(piece, Dropped):
            found.append(piece)
        elif piece[10] == REQUEST:
            found.append(Dropped(Drop.ECHO, len(piece)))
        else:
            try:
                found.append(decode(piece))
            except BadFrame as bad:
                found.append(Dropped(bad.reason, len(piece), bad.detail))
    return found


def decode(frame: bytes) -> Message:
    """One checked reply. Raises BadFrame where its records cannot be walked or cannot be true."""
    values, cells_mv = walk(frame[_HEAD:-_TAIL])
    check_plausible(values, cells_mv)
    raw: dict[str, Raw] = {"variant": "NW", "function": frame[8]}
    alarms = values.get("alarm_bitmask")
    if isinstance(alarms, int):
        raw["alarms"] = NW.judge(alarms).names
    raw |= {name: value for name, value in values.items() if name not in IN_READING}
    name = "status" if is_complete(values, cells_mv) else "records"
    return Message(name, reading_of(values, cells_mv), raw)


class Session:
    """One pack on its port. options: nothing of them matters."""

    streams = False

    def __init__(self, options: Options) -> None:
        pass

    def open(self) -> Script[None]:
        """Nothing: a board answers at any time."""
        yield from ()

    def info(self) -> Script[PackInfo | None]:
        """Name and limits, out of the same reply as everything else."""
        reply = yield self._request()
        version = reply.raw.get("sw_version")
        model = re.search(r"JK[-_]\w+$", str(reply.raw.get("device_text")))
        return PackInfo(
            model=model[0] if model else None,
            firmware=str(version) if version else None,
            cell_count=reply.reading.get("cell_count"),
            ratings=ratings(reply.raw),
        )

    def poll(self) -> Script[Reading]:
        """Everything, in one exchange. A switch that somebody turned off is no alarm of the board's own."""
        reply = yield self._request()
        reading = reply.reading.copy()
        if False in {reply.raw.get("charge_enabled"), reply.raw.get("discharge_enabled")}:
            reading["warnings"] = reading.get("warnings", frozenset()) | {Alarm.FET_LOCKED}
        return reading

    def _request(self) -> Request:
        return Request(read_all(), reply="status", tries=2)

    def collect(self, message: Message) -> Reading | None:  # noqa: ARG002  # the contract's signature
        """Nothing: what a board uploads unasked is asked for anyway."""
        return None


class Device:
    """A board on its port. options.extra: records by their names."""

    def __init__(self, options: Options) -> None:
        self._extra = dict(options.extra)
        self._cutter = Cutter(measure, check)

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """The reply to "read all"; a simulated board answers nothing else."""
        answers: list[Payload] = []
        for piece in self._cutter.feed(payload) if isinstance(payload, bytes) else ():
            if isinstance(piece, bytes) and piece[10] == REQUEST and piece[8] in (READ_ID, READ_ALL):
                records = write_records(simulated(reading) | self._extra, simulated_cells(reading))
                answers.append(_sealed(bytes((piece[8], 0, REPLY)) + records))
        return answers
