from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.protocols.checksums import crc16_modbus, sum8


def _crc16_bit_by_bit(data: bytes) -> int:
    """The definition, without a table."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0xFFFF),
        (b"123456789", 0x4B37),
        (bytes.fromhex("0178100010a00000"), 0xB27F),  # a request to a JBD UP16S, sent as 7F B2
    ],
)
def test_the_crc_is_the_one_of_modbus(data: bytes, crc: int) -> None:
    assert crc16_modbus(data) == crc


@given(st.binary(max_size=64))
def test_the_crc_of_the_table_is_that_of_the_definition(data: bytes) -> None:
    assert crc16_modbus(data) == _crc16_bit_by_bit(data)


def test_a_sum_is_cut_to_a_byte() -> None:
    assert (sum8(b""), sum8(b"\x80\x80\x01"), sum8(bytearray(b"\xff"))) == (0, 1, 255)
