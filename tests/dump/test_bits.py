"""Bits on the wire, beside a sender that writes them one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.dump.bits import wire_bits
from bridge.dump.block import ERROR, FD, REMOTE, block_of
from bridge.dump.groups import rows_by_key
from bridge.model import CanFrame


def sent(frame: CanFrame, *, remote: bool = False) -> int:
    """A frame written bit by bit, as Bosch's specification 2.0 has it; the bits until the next may begin."""
    bits = [0]

    def put(number: int, count: int) -> None:
        bits.extend(number >> place & 1 for place in reversed(range(count)))

    if frame.extended:
        put(frame.can_id >> 18, 11)
        put(0b11, 2)
        put(frame.can_id & 0x3FFFF, 18)
    else:
        put(frame.can_id, 11)
    put(remote << 2, 3)
    put(len(frame.data), 4)
    for byte in b"" if remote else frame.data:
        put(byte, 8)
    crc = 0
    for bit in bits:
        crc = (crc << 1) ^ (0x4599 if crc >> 14 & 1 ^ bit else 0)
        crc &= 0x7FFF
    put(crc, 15)
    wire: list[int] = []
    for bit in bits:
        wire.append(bit)
        if len(wire) >= 5 and len(set(wire[-5:])) == 1 and _run(wire) == 5:
            wire.append(1 - bit)
    return len(wire) + 1 + 2 + 7 + 3


def _run(wire: list[int]) -> int:
    """How many equal bits stand at the end."""
    run = 0
    while run < len(wire) and wire[-1 - run] == wire[-1]:
        run += 1
    return run


identity = st.one_of(
    st.tuples(st.one_of(st.just(0), st.just(0x7FF), st.integers(0, 0x7FF)), st.just(False)),
    st.tuples(st.one_of(st.just(0), st.integers(0, (1 << 29) - 1)), st.just(True)),
)
data = st.one_of(
    st.binary(max_size=8), st.integers(0, 8).map(bytes), st.integers(0, 8).map(lambda n: b"\xff" * n)
)
frames = st.lists(st.builds(lambda who, what: CanFrame(who[0], what, who[1]), identity, data), max_size=20)


@given(given_frames=frames, remote=st.booleans())
def test_every_frame_has_as_many_bits_as_a_sender_writes(
    given_frames: list[CanFrame], *, remote: bool
) -> None:
    flags = [REMOTE * remote] * len(given_frames)
    block = block_of([(0.0, frame) for frame in given_frames], flags=flags)
    expected = [sent(frame, remote=remote) for frame in given_frames]
    assert wire_bits(block, rows_by_key(block)).tolist() == expected


def test_a_frame_of_zeros_is_stuffed_most_and_one_of_alternating_bits_hardly() -> None:
    block = block_of([(0.0, CanFrame(0, bytes(8))), (0.0, CanFrame(0x2AA, b"\x55" * 8))])
    zeros, alternating = wire_bits(block, rows_by_key(block)).tolist()
    assert (zeros, alternating) == (sent(CanFrame(0, bytes(8))), sent(CanFrame(0x2AA, b"\x55" * 8)))
    assert zeros > alternating + 15


def test_what_is_no_frame_of_classic_can_has_no_bits() -> None:
    block = block_of([(0.0, CanFrame(4, bytes(8)))] * 2, flags=[ERROR, FD])
    assert wire_bits(block, rows_by_key(block)).tolist() == [0, 0]
