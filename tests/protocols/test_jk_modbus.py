"""JK's Modbus map: captured reads, replies that only mean something with their request, and a real client."""

from __future__ import annotations

import importlib
import os
import pty
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Alarm, Reading
from bridge.protocols.contract import Drop, Dropped, Message, Options
from bridge.protocols.jk_modbus import Decoder, Device, _with_crc, check, read_request
from tests.protocols.helpers import (
    Vector,
    bytewise,
    differences,
    drops,
    fed,
    messages,
    pieces,
    vectors,
)

VECTORS = vectors("jk_modbus")
PACK: Reading = {
    "voltage_v": 52.81,
    "current_a": -12.345,
    "soc_pct": 55,
    "soh_pct": 99,
    "remaining_ah": 154.001,
    "full_ah": 280.0,
    "cycles": 12,
    "cell_count": 16,
    "cell_voltages_v": tuple((3300 + n) / 1000 for n in range(16)),
    "temperatures_c": (20.1, -13.2, 19.5, None),
    "mosfet_temperature_c": 25.0,
    "charge_fet_on": True,
    "discharge_fet_on": False,
    "charge_allowed": True,
    "discharge_allowed": False,
    "balancing": True,
    "protections": frozenset({Alarm.CELL_UNDERVOLTAGE}),
    "warnings": frozenset(),
}


def answered(request: bytes, stream: bytes) -> list[Message | Dropped]:
    return fed(Decoder(), [stream], request)


def read(start: int, words: int, reading: Reading = PACK) -> Message:
    request = read_request(1, start, words)
    (answer,) = Device(Options(address=1)).receive(request, reading)
    assert isinstance(answer, bytes)
    (message,) = messages(answered(request, answer))
    return message


def data_of(start: int, data: bytes) -> list[Message | Dropped]:
    """What is made of these registers."""
    request = read_request(1, start, len(data) // 2)
    return answered(request, _with_crc(bytes((1, 3, len(data))) + data))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_captured_exchange_decodes_to_what_the_device_showed(vector: Vector) -> None:
    assert vector.request is not None
    for chunks in (vector.chunks, bytewise(vector.stream), [b"\x00\x13\x37\x42" + vector.stream]):
        (message,) = messages(fed(Decoder(), chunks, vector.request))
        expect = dict(vector.expect)
        assert message.address == expect.pop("address")
        assert differences(message, expect) == {}


def test_the_blocks_of_a_frame_are_those_of_the_map() -> None:
    assert [read(start, 20).name for start in (0x1000, 0x1200, 0x128A, 0x1400)] == [
        "settings",
        "cells",
        "status",
        "device_info",
    ]


def test_a_reply_without_its_request_means_nothing() -> None:
    (drop,) = fed(Decoder(), VECTORS[0].chunks)
    assert isinstance(drop, Dropped)
    assert drop.reason is Drop.UNKNOWN


def test_a_late_reply_of_another_length_is_dropped_and_the_right_one_still_read() -> None:
    late, right = VECTORS[0].stream, VECTORS[2].stream
    assert VECTORS[2].request is not None
    found = answered(VECTORS[2].request, late + right)
    assert [drop.reason for drop in drops(found)] == [Drop.LENGTH]
    assert len(messages(found)) == 1


def test_another_boards_reply_is_not_taken() -> None:
    (drop,) = answered(read_request(2, 0x106C, 5), VECTORS[0].stream)
    assert isinstance(drop, Dropped)
    assert drop.reason is Drop.UNKNOWN


def test_an_error_is_counted_as_refused() -> None:
    assert answered(read_request(1, 0x1000, 2), _with_crc(b"\x01\x83\x02")) == [
        Dropped(Drop.REFUSED, 5, "code 2 from address 1")
    ]


def test_our_own_request_heard_again_is_an_echo() -> None:
    request, stream = VECTORS[0].request, VECTORS[0].stream
    assert request is not None
    found = answered(request, request + stream)
    assert found[0] == Dropped(Drop.ECHO, 8)
    assert len(messages(found)) == 1


def test_the_exchange_of_another_master_is_understood() -> None:
    request = VECTORS[0].request
    assert request is not None
    asked, answer = messages(fed(Decoder(), bytewise(request + VECTORS[0].stream)))
    assert (asked.name, asked.raw) == ("request", {"start": 0x106C, "words": 5})
    assert answer.raw["charge_enabled"] is True


def test_a_write_of_another_master_is_told_with_its_value() -> None:
    write = VECTORS[5]
    assert write.request is not None
    asked, acknowledged = messages(fed(Decoder(), [write.request + write.stream]))
    assert asked.name == "request"
    assert acknowledged.raw["meaning"] == "charge_enabled on"
    (alone,) = messages(fed(Decoder(), [write.stream]))
    assert "value" not in alone.raw


def test_a_write_of_something_else_has_a_value_and_no_meaning() -> None:
    request = _with_crc(bytes.fromhex("0110100400020400000a28"))
    (message,) = messages(answered(request, _with_crc(bytes.fromhex("011010040002"))))
    assert message.raw == {"register": 0x1004, "ack_words": 2, "value": 0xA28}


def test_eight_words_are_not_mistaken_for_a_request() -> None:
    message = read(0x1200, 8)
    assert message.reading["cell_voltages_v"] == tuple(PACK["cell_voltages_v"])[:8]


def test_a_broken_reply_is_counted() -> None:
    broken = bytearray(VECTORS[0].stream)
    broken[4] ^= 1
    assert answered(read_request(1, 0x106C, 5), bytes(broken)) == [Dropped(Drop.CHECKSUM, len(broken))]


@pytest.mark.parametrize(
    ("start", "data"),
    [
        (0x12A6, b"\x00\x65"),
        (0x1298, (2_000_001).to_bytes(4, "big")),
        (0x106C, (60).to_bytes(4, "big")),
        (0x1290, (161_000).to_bytes(4, "big")),
    ],
    ids=["SOC 101", "2000 A", "60 cells", "161 V"],
)
def test_registers_that_cannot_be_true_are_dropped(start: int, data: bytes) -> None:
    (drop,) = data_of(start, data)
    assert isinstance(drop, Dropped)
    assert drop.reason is Drop.VALUE


def test_registers_outside_the_map_are_unknown() -> None:
    (drop,) = data_of(0x1800, b"\0\0")
    assert isinstance(drop, Dropped)
    assert drop.reason is Drop.UNKNOWN


def test_cells_read_without_their_mask_end_at_the_last_that_is_there() -> None:
    data = b"".join(mv.to_bytes(2, "big") for mv in (3300, 0, 3302, 0, 0))
    (message,) = data_of(0x1200, data)
    assert isinstance(message, Message)
    assert message.reading == {"cell_voltages_v": (3.3, None, 3.302)}


def test_probes_that_a_board_does_not_have_are_left_out() -> None:
    reading: Reading = {**PACK, "temperatures_c": (20.1, None)}
    assert read(0x128A, 58, reading).reading["temperatures_c"] == (20.1, None)


def test_state_without_alarms_gives_no_permission() -> None:
    switches = read(0x12C0, 1).reading
    assert switches == {"charge_fet_on": True, "discharge_fet_on": False}
    alarms = read(0x12A0, 2).reading
    assert alarms == {"protections": {Alarm.CELL_UNDERVOLTAGE}, "warnings": frozenset()}


def test_cells_and_status_are_all_that_a_pack_shows() -> None:
    whole = read(0x1200, 36).reading | read(0x128A, 58).reading
    assert whole == PACK


@pytest.mark.parametrize(
    ("request_hex", "code"),
    [("010311ff0001", 2), ("010312000000", 2), ("010312000100", 2), ("0110107000020400000001", 1)],
    ids=["no such register", "no words", "too many words", "a write"],
)
def test_a_simulated_board_refuses_what_it_has_not(request_hex: str, code: int) -> None:
    (answer,) = Device(Options()).receive(_with_crc(bytes.fromhex(request_hex)), PACK)
    assert isinstance(answer, bytes)
    assert check(answer) is None
    assert (answer[1] & 0x80, answer[2]) == (0x80, code)


def test_a_simulated_board_keeps_silent_for_others() -> None:
    assert Device(Options(address=2)).receive(read_request(1, 0x1200, 2), PACK) == []


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1),
    runs=st.lists(
        st.tuples(st.sampled_from([0x1000, 0x1200, 0x128A, 0x1400]), st.integers(1, 64)), max_size=4
    ),
)
def test_any_exchange_is_read_however_it_is_cut(sizes: list[int], runs: list[tuple[int, int]]) -> None:
    device, stream = Device(Options(address=1)), b""
    for start, words in runs:
        request = read_request(1, start, words)
        (answer,) = device.receive(request, PACK)
        assert isinstance(answer, bytes)
        stream += request + answer
    found = messages(fed(Decoder(), pieces(stream, sizes * (len(stream) + 1))))
    assert [message.raw["words"] for message in found] == [words for _, words in runs for _ in range(2)]


@contextmanager
def on_a_port(device: Device, reading: Reading) -> Iterator[str]:
    """The path of a pseudo-terminal behind which the device answers."""
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)

    def serve() -> None:
        while request := os.read(ours, 256):
            for answer in device.receive(request, reading):
                assert isinstance(answer, bytes)
                os.write(ours, answer)

    def serve_until_closed() -> None:
        try:
            serve()
        except OSError:
            return  # the test is over

    thread = threading.Thread(target=serve_until_closed, daemon=True)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(theirs)
        thread.join(2.0)
        os.close(ours)


def test_an_independent_modbus_client_reads_the_same_values() -> None:
    pytest.importorskip("minimalmodbus")
    client: Any = importlib.import_module("minimalmodbus")
    with on_a_port(Device(Options(address=3)), PACK) as port:
        board = client.Instrument(port, 3)
        board.serial.baudrate = 115200
        board.serial.timeout = 1.0
        try:
            assert board.read_registers(0x1200, 16) == [
                round(volt * 1000) for volt in PACK["cell_voltages_v"] if volt
            ]
            assert board.read_long(0x1290) == 52810
            assert board.read_long(0x1298, signed=True) == -12345
            assert board.read_register(0x129E, signed=True) == -132
            assert board.read_register(0x12A6) & 0xFF == 55
            assert board.read_long(0x106C) == 16
            with pytest.raises(client.ModbusException):
                board.write_long(0x1070, 0)
        finally:
            board.serial.close()
