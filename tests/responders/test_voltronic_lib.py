"""Voltronic's LIb: a capture, a master written by hand from the document, and any bytes at all."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.model import Alarm
from bridge.protocols.contract import Drop, Dropped
from bridge.responders.contract import Ask, Overheard, Port
from bridge.responders.voltronic_lib import Exchange, Master, Options, Responder
from tests.protocols.helpers import bytewise, footprint, pieces
from tests.responders.pictures import (
    STOPPED,
    answers,
    asks,
    captured,
    entries,
    fed,
    messages,
    picture,
    understood,
)

VECTORS = {entry["name"]: entry for entry in entries("voltronic_lib")}
PORT = Port(1, Options())


def crc(data: bytes) -> bytes:
    """Bit by bit, as the document has it."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return bytes((value & 0xFF, value >> 8))


def request(start: int, count: int, address: int = 1, command: int = 3) -> bytes:
    body = bytes((address, command, start >> 8, start & 0xFF, count >> 8, count & 0xFF))
    return body + crc(body)


def words(start: int, count: int, **said: Any) -> list[int]:
    """What an inverter reads, by hand: address, command, 16 bits of words, the words, CRC."""
    (answer,) = answers(Responder(PORT), request(start, count), picture(**said))
    assert answer[:2] == b"\x01\x03"
    assert answer[2] << 8 | answer[3] == count
    assert len(answer) == 4 + 2 * count + 2
    assert crc(answer[:-2]) == answer[-2:]
    return [answer[at] << 8 | answer[at + 1] for at in range(4, 4 + 2 * count, 2)]


@pytest.mark.parametrize("name", VECTORS)
def test_a_captured_question_is_answered_with_the_captured_bytes(name: str) -> None:
    entry = VECTORS[name]
    data, expected = bytes.fromhex(entry["request_hex"]), bytes.fromhex(entry["chunks_hex"][0])
    for chunks in ([data], bytewise(data)):
        ours = Responder(PORT)
        said = [ours.answer(ask, captured(entry)) for ask in asks(fed(ours.feed, ours.reset, chunks))]
        assert said == [expected]


@pytest.mark.parametrize("name", VECTORS)
def test_a_captured_exchange_is_read_as_what_the_device_showed(name: str) -> None:
    entry = VECTORS[name]
    exchange = Exchange(Options())
    (asked,) = messages(exchange.sent(bytes.fromhex(entry["request_hex"])))
    assert {key: asked.raw[key] for key in entry["request"]} == entry["request"]
    (message,) = messages(exchange.feed(bytes.fromhex(entry["chunks_hex"][0])))
    found: dict[str, Any] = {**message.reading, **message.raw}
    assert {key: found[key] for key in entry["expect"]} == entry["expect"]
    both = bytes.fromhex(entry["request_hex"] + entry["chunks_hex"][0])
    assert [one.name for one in messages(Exchange(Options()).feed(both))] == ["read", "registers"]


def test_a_hand_written_inverter_reads_the_documents_fields() -> None:
    cells = words(0x10, 0x15)
    assert cells == [16, *[33] * 16, 0, 0, 0, 0]
    assert words(0x25, 7) == [6, 2731 - 46, 2731 + 230, *[2731 + 210] * 3, 2731 + 255]
    assert words(0x30, 4) == [0, 123, 528, 61]
    assert words(0x30, 2, values={"current_a": 5.0}) == [50, 0]
    assert words(0x34, 2) == [280_000 >> 16, 280_000 & 0xFFFF]
    assert words(0x36, 1) == [3]
    assert words(0x3E, 2) == [285_000 >> 16, 285_000 & 0xFFFF]
    assert words(0x70, 5) == [552, 449, 876, 1200, 0xC0]
    assert words(0x76, 2) == [171_900 >> 16, 171_900 & 0xFFFF]
    assert words(0x01, 6) == [0] * 6


def test_alarms_stand_where_the_document_has_them() -> None:
    alarms = [Alarm.CELL_OVERVOLTAGE, Alarm.CELL_UNDERVOLTAGE]
    assert words(0x37, 6, protections=alarms) == [0, 0, 1 << 10, 0, 1 << 11, 0]
    assert words(0x37, 2, warnings=alarms) == [1 << 1, 1 << 3]
    assert words(0x60, 4, protections=alarms) == [0, 0, 2, 1]


def test_stop_is_said_by_limits_and_by_the_enable_bits() -> None:
    assert words(0x72, 3, values=STOPPED) == [0, 0, 0]
    half = {"charge_current_limit_a": 0.0, "charge_enabled": False}
    assert words(0x72, 3, values=half) == [0, 1200, 0x40]
    assert words(0x74, 1, values={"force_charge_2": True, "full_charge_request": True}) == [0xE8]


def test_an_inverter_understands_what_was_decided() -> None:
    found = understood(Master(PORT), Responder(PORT), picture(), 3)
    assert (found["voltage_v"], found["current_a"], found["soc_pct"]) == (52.8, -12.3, 61.0)
    assert (found["charge_voltage_limit_v"], found["discharge_voltage_limit_v"]) == (55.2, 44.9)
    assert (found["charge_current_limit_a"], found["discharge_current_limit_a"]) == (87.6, 120.0)
    assert (found["charge_enabled"], found["discharge_enabled"], found["full_ah"]) == (True, True, 280.0)
    stop = understood(Master(PORT), Responder(PORT), picture(STOPPED), 3)
    assert (stop["charge_enabled"], stop["discharge_enabled"]) == (False, False)
    assert (stop["charge_current_limit_a"], stop["discharge_current_limit_a"]) == (0.0, 0.0)


def test_a_master_takes_no_standard_modbus_for_an_answer() -> None:
    master = Master(PORT)
    master.question()
    standard = bytes((1, 3, 76)) + bytes(76)
    assert isinstance(master.feed(standard + crc(standard))[0], Dropped)
    master.question()
    refusal = bytes((1, 0x83, 2))
    assert master.feed(refusal + crc(refusal)) == [Dropped(Drop.REFUSED, 5, "code 2")]
    master.question()
    assert master.feed(b"\x01\x03\x00") == []
    assert master.reset() == [Dropped(Drop.TRUNCATED, 3)]


@pytest.mark.parametrize(
    "data",
    [request(0x7F, 2), request(0x80, 1), request(0x10, 0), request(0x10, 126), request(0xFFFF, 1)],
)
def test_what_there_is_not_is_refused(data: bytes) -> None:
    (ask,) = asks(Responder(PORT).feed(data))
    assert ask.name == "refused"
    assert answers(Responder(PORT), data, picture()) == [b"\x01\x83\x02" + crc(b"\x01\x83\x02")]


def test_a_write_is_refused_and_changes_nothing() -> None:
    body = bytes.fromhex("01100074000102") + b"\0\0"
    assert answers(Responder(PORT), body + crc(body), picture()) == [b"\x01\x90\x02" + crc(b"\x01\x90\x02")]


def test_other_packs_questions_and_answers_are_left_alone() -> None:
    answer = b"\x02\x03\x00\x01\x00\x10"
    items = Responder(PORT).feed(request(0x10, 1, address=2) + answer + crc(answer))
    assert [type(item) for item in items] == [Ask, Overheard]
    assert answers(Responder(PORT), request(0x10, 1, address=2), picture()) == []
    assert answers(Responder(PORT), request(0x10, 1, address=0), picture()) == []


def test_a_question_that_looks_like_the_answer_to_the_last_one_is_answered_all_the_same() -> None:
    ours = Responder(PORT)
    assert answers(ours, request(0x10, 1), picture())
    assert len(answers(ours, request(0x01, 16), picture())) == 1


def test_a_map_of_standard_modbus_is_refused() -> None:
    with pytest.raises(ConfigError, match="'standard' is not what this dialect has"):
        Responder(Port(1, Options(map="pace")))


@pytest.mark.parametrize("missing", ["voltage_v", "soc_pct", "discharge_voltage_limit_v"])
def test_nothing_is_said_while_something_vital_is_not_known(missing: str) -> None:
    assert answers(Responder(PORT), request(0x10, 1), picture(without=[missing])) == []


STREAMS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.builds(request, st.sampled_from([0, 0x10, 0x74, 0x80]), st.sampled_from([0, 1, 8, 200])),
        st.builds(request, st.just(0x10), st.just(2), st.just(2)),
        st.just(request(0x10, 3)[:-2]),
    ),
    max_size=10,
).map(b"".join)


@given(stream=STREAMS, sizes=st.lists(st.integers(1, 30), min_size=1))
def test_anything_is_answered_rightly_or_not_at_all(stream: bytes, sizes: list[int]) -> None:
    whole, cut = Responder(PORT), Responder(PORT)
    expected = asks(fed(whole.feed, whole.reset, [stream]))
    assert asks(fed(cut.feed, cut.reset, pieces(stream, cycle(sizes)))) == expected
    for ask in expected:
        answer = whole.answer(ask, picture())
        assert (answer is not None) == (ask.address == 1)
        assert answer is None or crc(answer[:-2]) == answer[-2:]


@given(position=st.integers(0, 7), flip=st.integers(1, 255))
def test_a_damaged_question_is_never_answered(position: int, flip: int) -> None:
    bad = bytearray(request(0x10, 3))
    bad[position] ^= flip
    assert answers(Responder(PORT), bytes(bad), picture()) == []


def test_a_flood_fills_no_memory() -> None:
    ours = Responder(PORT)
    ours.feed(b"\x01\x03" * 500)
    before = footprint(ours)
    for _ in range(10):
        ours.feed(b"\x01\x03" * 500)
    assert footprint(ours) <= before + 512
    ours.reset()
    assert len(answers(ours, request(0x10, 1), picture())) == 1
