"""Frames of the Pylontech RS485 protocol: text between ~ and CR, with two check sums.

    ~ | VER | ADR | CID1 | CID2 | LENGTH | INFO | CHKSUM | CR
        2     2     2      2      4        n      4            characters, hexadecimal, big-endian

LENGTH: its top digit makes the sum of its four digits 0 modulo 16, the other three count the characters
of INFO. CHKSUM: makes the sum of all characters from VER to CHKSUM's place 0 modulo 65536. In an answer
CID2 is the return code, so an answer does not say what it answers.

One idea: ~ and CR stand nowhere inside a frame, so a frame is what lies between them, whatever its length
claims; that claim is checked and never followed.

Sources: PYLON RS485 protocol V2.8 (2016) and V3.3 (2018), in nkinnan/esphome-pace-bms
protocol_documentation and Frankkkkk/python-pylontech. The example of V2.8 `1203400456ABCEFE` sums to FC71
and not FC72; the answer printed in V3.3 ends in E27A and not E1A2 (computed).
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

from bridge.errors import BridgeBug
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop

START, END = b"~", b"\r"
BATTERY = 0x46
VERSION = 0x20
HEADER_CHARS, SUM_CHARS = 12, 4
LONGEST_INFO = 0xFFF // 2
LONGEST = len(START) + HEADER_CHARS + 0xFFF + SUM_CHARS + len(END)
_NO_DIGIT = re.compile(rb"[^0-9A-Fa-f]")


class Return(IntEnum):
    """What an answer says of its request."""

    NORMAL = 0x00
    VERSION = 0x01
    CHECKSUM = 0x02
    LENGTH_CHECKSUM = 0x03
    COMMAND = 0x04  # CID2 that there is not, or that is refused
    FORMAT = 0x05
    INFO = 0x06  # contents of INFO that there cannot be
    ADDRESS = 0x90
    INTERNAL = 0x91


RETURNS = frozenset(Return)


class Frame(NamedTuple):
    """One frame. code: the command (CID2) of a request, the return code of an answer."""

    address: int
    code: int
    info: bytes = b""
    version: int = VERSION
    family: int = BATTERY

    @property
    def is_answer(self) -> bool:
        """Whether a battery said it: no command has the number of a return code."""
        return self.code in RETURNS

    @property
    def size(self) -> int:
        """Its bytes on the wire."""
        return len(START) + HEADER_CHARS + 2 * len(self.info) + SUM_CHARS + len(END)


class Unsound(BadFrame):
    """A frame that fails its checks. heading: what it seems to be; status: how a battery refuses it."""

    def __init__(self, reason: Drop, detail: str, heading: Frame, status: Return) -> None:
        super().__init__(reason, detail)
        self.heading = heading
        self.status = status


def build(frame: Frame) -> bytes:
    """The bytes on the wire. Raises BridgeBug if INFO is longer than a frame can be."""
    if len(frame.info) > LONGEST_INFO:
        raise BridgeBug(f"INFO of {len(frame.info)} bytes; a frame holds at most {LONGEST_INFO}")
    head = bytes((frame.version, frame.address, frame.family, frame.code)).hex().upper()
    body = f"{head}{length_field(2 * len(frame.info)):04X}{frame.info.hex().upper()}".encode()
    return START + body + f"{checksum(body):04X}".encode() + END


def length_field(chars: int) -> int:
    """LENGTH for an INFO of so many characters; 0 for none."""
    digits = (chars >> 8) + (chars >> 4 & 0xF) + (chars & 0xF)
    return (-digits & 0xF) << 12 | chars


def checksum(body: bytes) -> int:
    """CHKSUM of everything between ~ and itself."""
    return -sum(body) & 0xFFFF


def measure(buffer: bytearray, at: int) -> int | None:
    """Size of what starts at `at`: up to CR, or before the first character that no frame has."""
    if buffer[at] != START[0]:
        return None
    found = _NO_DIGIT.search(buffer, at + 1, at + LONGEST)
    if found is None:
        return LONGEST if len(buffer) - at >= LONGEST else 0
    return found.start() + (found[0] == END) - at


def check(whole: bytes) -> Drop | None:
    """Why something of full length cannot even be looked at; None if it has a heading and both sums."""
    if not whole.endswith(END):
        return Drop.OVERFLOW if len(whole) >= LONGEST else Drop.TRUNCATED
    return Drop.TRUNCATED if len(whole) < len(START) + HEADER_CHARS + SUM_CHARS + len(END) else None


def parse(whole: bytes) -> Frame:
    """A frame that passed `check`. Raises Unsound."""
    body, said = whole[1:-5], int(whole[-5:-1], 16)
    version, address, family, code = bytes.fromhex(body[:8].decode())
    heading = Frame(address, code, b"", version, family)
    length = int(body[8:12], 16)
    if length != length_field(length & 0xFFF):
        raise Unsound(Drop.LENGTH, f"LENGTH {length:04X}", heading, Return.LENGTH_CHECKSUM)
    if said != checksum(body):
        raise Unsound(Drop.CHECKSUM, f"CHKSUM {said:04X}", heading, Return.CHECKSUM)
    info = body[HEADER_CHARS:]
    if len(info) != length & 0xFFF or len(info) % 2:
        detail = f"{len(info)} characters of INFO where {length & 0xFFF} were announced"
        raise Unsound(Drop.LENGTH, detail, heading, Return.FORMAT)
    return heading._replace(info=bytes.fromhex(info.decode()))
