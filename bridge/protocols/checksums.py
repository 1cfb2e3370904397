"""Checksums that several protocols share: pure functions of bytes, fast enough for every frame.

The one idea: a table over one byte turns eight shifts into one lookup; sums are left to `sum`,
which runs in C.
"""

from __future__ import annotations


def sum8(data: bytes | bytearray | memoryview) -> int:
    """The low byte of the sum of all bytes."""
    return sum(data) & 0xFF


def _crc16_modbus_of(byte: int) -> int:
    crc = byte
    for _ in range(8):
        crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


_CRC16_MODBUS = tuple(_crc16_modbus_of(byte) for byte in range(256))


def crc16_modbus(data: bytes | bytearray | memoryview) -> int:
    """CRC-16/MODBUS (polynomial 0x8005 reflected, start 0xFFFF); on the wire its low byte comes first.

    Check value: `crc16_modbus(b"123456789") == 0x4B37`.  Source: Modbus over Serial Line V1.02, 6.2.2.
    """
    crc = 0xFFFF
    table = _CRC16_MODBUS
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc
