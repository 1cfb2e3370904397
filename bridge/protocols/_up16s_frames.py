"""Frames of the JBD UP series (UP16S rack packs): the blocks that can be read, and how they are framed.

    address u8 | function u8 | start u16 | end u16 | length u16 | data[length] | CRC-16/Modbus, low byte first

Everything but the CRC is big-endian. start and end are byte addresses of a block; a request has
length 0, its answer repeats the first six bytes and says how much there really was.

One idea: everything that is ever sent is `request(address, block)` of a block that is listed here, and
every one of them only reads. Source: syssi/esphome-jbd-bms docs/pdus/JBD-UP16S020-two-devices.txt
(captured), mr-manuel/venus-os_dbus-serialbattery dbus-serialbattery/bms/lltjbd_up16s.py.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from bridge.protocols.checksums import crc16_modbus
from bridge.protocols.contract import Drop

READ = 0x78
READ_OWN = 0x45
WRITE = 0x79  # recognised so that another program's writes can be counted; never built here
HEADER = struct.Struct(">BBHHH")
CRC_SIZE = 2
LONGEST_DATA = 512


class Block(NamedTuple):
    """One readable block: its message's name and how to ask for it."""

    name: str
    function: int
    start: int
    end: int


STATUS = Block("pack_status", READ, 0x1000, 0x10A0)
OWN = Block("individual_status", READ_OWN, 0x0000, 0x0054)
IDENTITY = Block("pack_parameters", READ, 0x1C00, 0x1CA0)
PROTECTION = Block("protection_parameters", READ, 0x1800, 0x1900)
CAPACITY = Block("capacity", READ, 0x2000, 0x2050)
CHARGE_STATE = Block("charge_state", READ, 0x2006, 0x2018)
CLOCK = Block("clock", READ, 0x2800, 0x280F)
PRODUCT = Block("product", READ, 0x2810, 0x283C)


def request(address: int, block: Block) -> bytes:
    """The bytes that ask the pack at `address` for `block`."""
    return frame(address, block, b"")


def frame(address: int, block: Block, data: bytes) -> bytes:
    """An answer to `request(address, block)`; with empty data the request itself."""
    body = HEADER.pack(address, block.function, block.start, block.end, len(data)) + data
    return body + crc16_modbus(body).to_bytes(2, "little")


def measure(buffer: bytearray, at: int) -> int | None:
    """Size of the frame that starts at `at`: 0 while unknown, None if none can start there."""
    known = len(buffer) - at
    if not 1 <= buffer[at] <= 247:
        return None
    if known > 1 and buffer[at + 1] not in (READ, READ_OWN, WRITE):
        return None
    if known < HEADER.size:
        return 0
    _, _, start, end, length = HEADER.unpack_from(buffer, at)
    return HEADER.size + length + CRC_SIZE if start < end and length <= LONGEST_DATA else None


def check(whole: bytes) -> Drop | None:
    """Why a frame of full length is none; None if it is one."""
    return None if crc16_modbus(whole[:-2]) == int.from_bytes(whole[-2:], "little") else Drop.CHECKSUM
