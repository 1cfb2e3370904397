"""How many bits a frame takes on the wire, stuff bits counted exactly.

After five equal bits a sender inserts an opposite one, from the start of a frame to the end of its
checksum. How long a frame is therefore depends on every bit of it, the checksum's too. Both are automata
of few states, so tables advance many frames at once by a byte.

Source: Bosch, CAN Specification 2.0, parts A and B (stuffing, CRC-15 0x4599, fields and their lengths).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from bridge.dump.block import DATA_BYTES, ERROR, FD, REMOTE, Block, Bytes, Integers

POLYNOMIAL, CRC_BITS, CRC_MASK = 0x4599, 15, 0x7FFF
RUN = 5  # equal bits, behind which one is stuffed
RUNS = RUN - 1  # a state is 4 x the last bit + how often it came - 1: at RUN the stuffed bit has come
STATE_BITS = 3
STATE_MASK = (1 << STATE_BITS) - 1
UNSTUFFED_BITS = 1 + 2 + 7 + 3  # delimiter of the checksum, acknowledgement, end, space to the next frame
HEADS_KEPT = 1 << 16

Words = NDArray[np.uint16]


def wire_bits(block: Block, rows_by_key: Mapping[int, Integers]) -> Words:
    """Bits of each frame on the wire, with the space behind it; 0 of FD and error frames.

    rows_by_key: as `groups.rows_by_key` has it.
    """
    wire = _Wire(len(block))
    kinds = np.minimum(block.length, DATA_BYTES) | (block.flags & REMOTE) << 3
    for key, rows in rows_by_key.items():
        own = kinds[rows]
        for kind in np.flatnonzero(np.bincount(own)).tolist():
            wire.begin(rows[own == kind], _head(key, kind & 0xF, remote=kind > 0xF))
    size = np.where(kinds > 0xF, np.uint8(0), kinds)
    for place in range(int(size.max(initial=0))):
        left = np.flatnonzero(size > place)
        wire.feed(slice(None) if len(left) == len(size) else left, block.data[:, place])
    wire.end()
    bits = wire.bits
    bits += size * np.uint16(8)
    bits[(block.flags & (FD | ERROR)) != 0] = 0
    return bits


class _Wire:
    """Frames on their way out. bits: that were sent so far, without data bits but with what they stuffed."""

    def __init__(self, count: int) -> None:
        self.bits: Words = np.zeros(count, np.uint16)
        self._crc = np.zeros(count, np.uint16)
        self._state = np.zeros(count, np.uint8)

    def begin(self, rows: Integers, head: tuple[int, int, int]) -> None:
        """These have sent all up to the data."""
        self._crc[rows], self._state[rows], self.bits[rows] = head

    def feed(self, rows: Integers | slice, data: Bytes) -> None:
        """These send a byte of data."""
        byte, crc = data[rows], self._crc[rows]
        self._stuff(rows, byte, 8)
        self._crc[rows] = (crc << 8 & CRC_MASK) ^ _checksums()[crc >> 7 ^ byte]

    def end(self) -> None:
        """All send their checksum, and what ends a frame."""
        everything = slice(None)
        self._stuff(everything, (self._crc >> 8).astype(np.uint8), CRC_BITS - 8)
        self._stuff(everything, self._crc.astype(np.uint8), 8)
        self.bits += np.uint16(CRC_BITS + UNSTUFFED_BITS)

    def _stuff(self, rows: Integers | slice, sent: Bytes, width: int) -> None:
        after = _stuffing(width)[sent.astype(np.uint16) << STATE_BITS | self._state[rows]]
        self._state[rows] = after & STATE_MASK
        self.bits[rows] += after >> STATE_BITS


@lru_cache(HEADS_KEPT)
def _head(key: int, length: int, *, remote: bool) -> tuple[int, int, int]:
    """(checksum, state, bits with the stuffed ones) of a frame up to its data."""
    crc, state, stuffed = 0, 0, 0
    bits = list(_head_bits(key, length, remote=remote))
    for number, bit in enumerate(bits):
        crc = (crc << 1 & CRC_MASK) ^ (POLYNOMIAL if crc >> (CRC_BITS - 1) ^ bit else 0)
        if number:  # the first one, which is dominant, is what the state begins with
            state, more = _next(state, bit)
            stuffed += more
    return crc, state, len(bits) + stuffed


def _head_bits(key: int, length: int, *, remote: bool) -> Iterator[int]:
    """Start, identifier, control: dominant is 0."""
    can_id, extended = key & 0xFFFFFFFF, key >> 32
    yield 0
    if extended:
        yield from _bits(can_id >> 18, 11)
        yield from (1, 1)
        yield from _bits(can_id, 18)
        yield from (int(remote), 0, 0)
    else:
        yield from _bits(can_id, 11)
        yield from (int(remote), 0, 0)
    yield from _bits(length, 4)


def _bits(number: int, count: int) -> Iterator[int]:
    return (number >> place & 1 for place in reversed(range(count)))


def _next(state: int, bit: int) -> tuple[int, int]:
    """The state behind a bit, and how many were stuffed behind it."""
    last, run = state // RUNS, state % RUNS + 1
    if bit != last:
        return bit * RUNS, 0
    if run + 1 == RUN:
        return (1 - bit) * RUNS, 1
    return state + 1, 0


@cache
def _stuffing(width: int) -> Bytes:
    """By so many bits and the state before them: the state behind them, above it how many were stuffed."""
    table = np.zeros(1 << (width + STATE_BITS), np.uint8)
    for sent in range(1 << width):
        for before in range(1 << STATE_BITS):
            state, stuffed = before, 0
            for bit in _bits(sent, width):
                state, more = _next(state, bit)
                stuffed += more
            table[sent << STATE_BITS | before] = stuffed << STATE_BITS | state
    return table


@cache
def _checksums() -> Words:
    """The checksum of each byte."""
    table = np.zeros(256, np.uint16)
    for byte in range(256):
        crc = byte << (CRC_BITS - 8)
        for _ in range(8):
            crc = (crc << 1 & CRC_MASK) ^ (POLYNOMIAL if crc >> (CRC_BITS - 1) else 0)
        table[byte] = crc
    return table
