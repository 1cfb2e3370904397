"""Frames of NEEY, Heltec and EnerKey active balancers: how they are cut, checked and built.

    request  AA 55 | 11 | function | command | register | 14 00 | value (4) | 6 x 00 | check | FF    20 bytes
    reply    55 AA | 11 | function | command | register | length u16 | payload | check | FF

Little-endian; length is the whole reply's. A reply's check is the sum of the bytes before it. A
request's is the sum too, except for the oldest app and boards (SW-1.1.0), where it is their XOR.

One idea: everything that is ever sent is `read_request` of a command listed here. function 0 writes, and
nothing here can build it. Sources: syssi/esphome-jk-bms components/heltec_balancer_ble and docs/neey-*
(captures); patman15/aiobmsble aiobmsble/bms/neey_bms.py.
"""

from __future__ import annotations

from enum import IntEnum
from functools import reduce
from operator import xor

from bridge.protocols.checksums import sum8
from bridge.protocols.contract import Drop

REPLY = b"\x55\xaa\x11"
REQUEST = b"\xaa\x55\x11"
END = 0xFF
REQUEST_SIZE = 20
HEADER_SIZE = 8
SIZES = (20, 100, 150, 300)
READ = 1


class Command(IntEnum):
    """What can be read."""

    DEVICE_INFO = 1
    CELL_INFO = 2
    FACTORY_DEFAULTS = 3
    SETTINGS = 4


def read_request(command: Command, *, xored: bool = False) -> bytes:
    """The bytes that ask for `command`."""
    body = REQUEST + bytes((READ, command, 0, REQUEST_SIZE, 0)) + bytes(10)
    return body + bytes((reduce(xor, body) if xored else sum8(body), END))


def reply(command: int, payload: bytes, *, function: int = READ) -> bytes:
    """A board's reply; payload without the 8 bytes of header."""
    size = HEADER_SIZE + len(payload) + 2
    body = REPLY + bytes((function, command, 0)) + size.to_bytes(2, "little") + payload
    return body + bytes((sum8(body), END))


def measure(buffer: bytearray, at: int) -> int | None:
    """Size of the frame that starts at `at`: 0 while unknown, None if none can start there."""
    start = bytes(buffer[at : at + len(REPLY)])
    if REQUEST.startswith(start):
        return REQUEST_SIZE
    if not REPLY.startswith(start):
        return None
    if len(buffer) - at < HEADER_SIZE:
        return 0
    size = int.from_bytes(buffer[at + 6 : at + 8], "little")
    return size if size in SIZES else None


def check(whole: bytes) -> Drop | None:
    """Why a frame of full length is none; None if it is one. A request has either check."""
    if whole[-1] != END:
        return Drop.TERMINATOR
    if whole.startswith(REQUEST):
        return None if whole[-2] in (sum8(whole[:-2]), reduce(xor, whole[:-2])) else Drop.CHECKSUM
    return None if whole[-2] == sum8(whole[:-2]) else Drop.CHECKSUM
