from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.model import NO_ALARMS, Alarm, CanFrame, Reading
from bridge.protocols._jbd_data import basic_data, cells_data, cells_of
from bridge.protocols._jbd_frames import key_frame, read_request, reply
from bridge.protocols._jbd_registers import register_of
from bridge.protocols.contract import Drop, Dropped, Message, load
from bridge.protocols.jbd import Decoder, scrambled
from tests.protocols.helpers import (
    Vector,
    bytewise,
    differences,
    drops,
    fed,
    fed_every_way,
    messages,
    pieces,
    vectors,
)

VECTORS = vectors("jbd")
BY_NAME = {vector.name: vector for vector in VECTORS}
JBD = load("jbd")
MAC = "a4:c1:37:04:2d:be"
BASIC = BY_NAME["vendor_15s_basic"].stream
CELLS = BY_NAME["vendor_15s_cells"].stream
NAME = BY_NAME["vendor_name"].stream


def _ids(vector: Vector) -> str:
    return vector.name


def _frames(expect: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The frames that a vector must yield."""
    if "frames" in expect:
        frames: list[Mapping[str, Any]] = expect["frames"]
        return frames
    return [] if expect.get("error") else [expect]


def _message(stream: bytes) -> Message:
    (message,) = fed(Decoder(), [stream])
    assert isinstance(message, Message)
    return message


# Golden frames


def test_there_are_as_many_golden_frames_as_ever() -> None:
    assert len(VECTORS) >= 90


@pytest.mark.parametrize("vector", VECTORS, ids=_ids)
def test_a_golden_frame_decodes_to_its_values_in_whatever_pieces_it_comes(vector: Vector) -> None:
    found = fed_every_way(Decoder, vector.chunks, sent=vector.request)
    expected = _frames(vector.expect)
    assert len(found) == len(expected)
    for message, values in zip(found, expected, strict=True):
        assert differences(message, values) == {}


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("error_status_80", [Dropped(Drop.REFUSED, 7, "command 0A: unknown command")]),
        ("bad_terminator", [Dropped(Drop.TERMINATOR, 36)]),
        ("bad_checksum", [Dropped(Drop.CHECKSUM, 36)]),
        ("trailing_zero_bytes", [Dropped(Drop.NOISE, 6)]),
        ("vendor_v13_example_with_uncounted_bytes", [Dropped(Drop.TERMINATOR, 34), Dropped(Drop.NOISE, 3)]),
        ("rs485_request_echo", [Dropped(Drop.ECHO, 7), Dropped(Drop.ECHO, 7)]),
    ],
)
def test_what_a_golden_stream_has_besides_frames_is_told_by_kind(name: str, dropped: list[Dropped]) -> None:
    assert drops(fed(Decoder(), BY_NAME[name].chunks)) == dropped


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector.expect.get("command") in {3, 4}], ids=_ids
)
def test_a_golden_frame_is_encoded_to_the_same_bytes(vector: Vector) -> None:
    message = _message(vector.stream)
    if message.name == "cells":
        assert reply(4, cells_data(message.reading)) == vector.stream
        return
    again = reply(3, basic_data(message.reading, message.raw))
    if vector.name == "4s314_cell_overvoltage":  # the 7 bytes behind the known tail are not kept
        assert again[4:-3] == vector.stream[4:-10]
        return
    assert again == vector.stream


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector.request and vector.request[:2] == b"\xdd\xa5"], ids=_ids
)
def test_golden_requests_are_built_to_the_byte(vector: Vector) -> None:
    assert vector.request is not None
    assert read_request(vector.request[2], vector.request[4:-3]) == vector.request


def test_the_addressed_request_covers_its_read_byte_too() -> None:
    assert read_request(3, address=0) == bytes.fromhex("dd00a50300ff5877")  # esphome-jbd-bms issue 60


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if "mac" in vector.entry], ids=_ids)
def test_golden_password_exchanges_are_reproduced(vector: Vector) -> None:
    mac = bytes.fromhex(vector.entry["mac"].replace(":", ""))
    proof = scrambled(vector.entry["password"].encode(), mac, vector.entry["random"])
    assert key_frame(0x18, proof) == vector.request


# What the fields mean


def _basic(**changed: int) -> Reading:
    """The vendor's 15S example with some bytes changed, by their offset in the data."""
    data = bytearray(BASIC[4:-3])
    for name, value in changed.items():
        data[int(name.removeprefix("at_"))] = value
    return _message(reply(3, bytes(data))).reading


@pytest.mark.parametrize("bit", range(16))
def test_each_protection_bit_blocks_what_it_must_and_nothing_else(bit: int) -> None:
    reading = _basic(at_16=1 << bit >> 8, at_17=1 << bit & 0xFF)
    assert reading["charge_allowed"] is (bit not in {0, 2, 4, 5, 8, 10, 11, 13})
    assert reading["discharge_allowed"] is (bit not in {1, 3, 6, 7, 9, 10, 11})
    assert len(reading["protections"]) == (bit < 14)
    assert reading["warnings"] == (frozenset({Alarm.OTHER}) if bit >= 14 else NO_ALARMS)


def test_protection_bits_have_their_names() -> None:
    assert _basic(at_16=0x14, at_17=0x01)["protections"] == {
        Alarm.CELL_OVERVOLTAGE,
        Alarm.SHORT_CIRCUIT,
        Alarm.FET_LOCKED,
    }


@pytest.mark.parametrize(
    ("fets", "charge", "discharge"), [(0, False, False), (1, True, False), (2, False, True)]
)
def test_a_switch_that_is_off_allows_nothing(fets: int, charge: bool, discharge: bool) -> None:
    reading = _basic(at_20=fets)
    assert (reading["charge_fet_on"], reading["charge_allowed"]) == (charge, charge)
    assert (reading["discharge_fet_on"], reading["discharge_allowed"]) == (discharge, discharge)


def test_a_high_capacity_unit_counts_current_and_capacity_ten_times() -> None:
    plain, high = _basic(at_2=0xF8, at_3=0x24, at_20=0x03), _basic(at_2=0xF8, at_3=0x24, at_20=0x83)
    assert (plain["current_a"], high["current_a"]) == (-20.12, -201.2)
    assert (plain["design_ah"], high["design_ah"]) == (10.0, 100.0)
    assert (plain["remaining_ah"], high["remaining_ah"]) == (7.2, 72.0)
    assert plain["voltage_v"] == high["voltage_v"]
    assert high["charge_fet_on"] is True
    assert high["discharge_fet_on"] is True


def test_unknown_switch_bits_change_no_switch() -> None:
    assert _basic(at_20=0x7F) == _basic(at_20=0x03)


def test_capacity_is_unsigned_and_current_is_signed() -> None:
    reading = _basic(at_2=0x80, at_3=0x00, at_4=0xFF, at_5=0xFF, at_6=0xFF, at_7=0xFE)
    assert (reading["current_a"], reading["remaining_ah"], reading["design_ah"]) == (-327.68, 655.35, 655.34)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0x0AAB, 0.0),
        (0x0AAA, -0.1),
        (2331, -40.0),
        (2330, None),
        (0, None),
        (3931, 120.0),
        (3932, None),
        (0xFFFF, None),
    ],
)
def test_a_probe_beyond_belief_is_none_in_its_place(word: int, expected: float | None) -> None:
    assert _basic(at_23=word >> 8, at_24=word & 0xFF)["temperatures_c"] == (expected, 21.5)


def test_soc_never_exceeds_100() -> None:
    assert _basic(at_19=104)["soc_pct"] == 100


@pytest.mark.parametrize(("offset", "bits"), [(12, 1 << 8), (13, 1), (14, 1 << 24), (15, 1 << 16)])
def test_balance_bits_count_cells_from_the_lowest_bit_of_each_word(offset: int, bits: int) -> None:
    data = bytearray(BASIC[4:-3])
    data[offset] = 1
    message = _message(reply(3, bytes(data)))
    assert message.raw["balance_bits"] == bits
    assert message.reading["balancing"] is True


def _with_tail(full: int, size: int = 9, repeated: int = 720) -> Message:
    """The vendor's example (7.2 of 10 Ah) with a tail."""
    tail = bytes((55, 0x80, 0x01)) + full.to_bytes(2, "big") + repeated.to_bytes(2, "big") + b"\xff\xfe"
    return _message(reply(3, (BASIC[4:-3] + tail + bytes(40))[: 27 + size]))


def test_a_tail_gives_what_it_holds() -> None:
    message = _with_tail(950)
    assert message.reading["full_ah"] == 9.5
    assert message.raw["humidity_pct"] == 55
    assert message.raw["alarm_bits"] == 0x8001
    assert message.raw["remaining_capacity_ext_ah"] == 7.2
    assert message.raw["balance_current_raw"] == -2


@pytest.mark.parametrize(("full", "soh_pct"), [(950, 95.0), (500, 50.0), (1200, 120.0)])
def test_health_is_the_learned_capacity_over_the_design_capacity(full: int, soh_pct: float) -> None:
    assert _with_tail(full).reading["soh_pct"] == soh_pct


@pytest.mark.parametrize("full", [1000, 499, 1201, 0])
def test_health_is_not_told_where_the_capacity_was_never_learned_or_cannot_be(full: int) -> None:
    assert "soh_pct" not in _with_tail(full).reading


def test_health_is_not_told_without_a_design_capacity() -> None:
    data = bytearray(
        BASIC[4:-3] + bytes((0, 0, 0)) + (950).to_bytes(2, "big") + (720).to_bytes(2, "big") + bytes(2)
    )
    data[6:8] = b"\x00\x00"
    assert "soh_pct" not in _message(reply(3, bytes(data))).reading


@pytest.mark.parametrize("size", [1, 5, 8])
def test_a_shorter_tail_is_passed_over(size: int) -> None:
    message = _with_tail(950, size)
    assert "full_ah" not in message.reading
    assert "alarm_bits" not in message.raw


def test_a_longer_tail_is_read_only_if_it_repeats_the_remaining_capacity() -> None:
    assert _with_tail(950, 16).reading["full_ah"] == 9.5
    assert "full_ah" not in _with_tail(950, 16, repeated=719).reading
    assert _with_tail(950, 9, repeated=719).reading["full_ah"] == 9.5


def test_a_date_with_no_such_month_or_day_is_none() -> None:
    assert [_message(reply(3, BASIC[4:14] + word + BASIC[16:-3])).raw["production_date"] for word in (
        b"\x00\x00", b"\x21\xa1", b"\x20\x60", b"\x20\x61"
    )] == [None, None, None, "2016-03-01"]  # fmt: skip


def test_a_cell_of_zero_is_shown_as_the_wire_has_it() -> None:
    assert _message(reply(4, bytes.fromhex("0ce400000ce5"))).reading["cell_voltages_v"] == (3.3, 0.0, 3.301)


@pytest.mark.parametrize("count", [1, 3, 32])
def test_as_many_cells_as_boards_have_are_read(count: int) -> None:
    assert _message(reply(4, b"\x0c\xe4" * count)).reading["cell_count"] == count


@pytest.mark.parametrize("size", [0, 3, 66])
def test_data_that_are_no_cells_are_none(size: int) -> None:
    assert cells_of(bytes(size)) is None


@pytest.mark.parametrize("probes", range(9))
def test_every_number_of_probes_is_read_with_and_without_a_tail(probes: int) -> None:
    head = BASIC[4:26] + bytes((probes,)) + b"\x0b\xa6" * probes
    plain, tailed = _message(reply(3, head)), _message(reply(3, head + bytes(9)))
    assert plain.reading["temperatures_c"] == tailed.reading["temperatures_c"] == (25.1,) * probes


@pytest.mark.parametrize(
    ("frame", "detail"),
    [
        (reply(4, b"\x0c\xe4\x0c"), "command 04: 3 bytes of data"),
        (reply(4, b""), "command 04: 0 bytes of data"),
        (reply(3, BASIC[4:26]), "command 03: 22 bytes of data"),
        (reply(3, BASIC[4:26] + b"\x05\x0b\xa6"), "command 03: 25 bytes of data"),
        (reply(3, BASIC[4:26] + b"\x21" + bytes(41)), "command 03: 64 bytes of data"),
        (reply(0xAA, bytes(20)), "command AA: 20 bytes of data"),
        (reply(0x24, bytes(3)), "command 24: 3 bytes of data"),
    ],
)
def test_a_length_that_the_command_cannot_have_is_dropped_whole(frame: bytes, detail: str) -> None:
    assert fed(Decoder(), [frame]) == [Dropped(Drop.LENGTH, len(frame), detail)]


def test_counters_come_with_and_without_the_twelfth() -> None:
    short, long = (_message(reply(0xAA, bytes(range(size)))).raw["counts"] for size in (22, 24))
    assert isinstance(short, dict)
    assert isinstance(long, dict)
    assert long["pack_undervoltage"] == short["pack_undervoltage"] == 0x1415
    assert (long["restart"], "restart" in short) == (0x1617, False)


def test_a_name_is_text_without_its_padding() -> None:
    names = [_message(reply(5, data)).raw["device_name"] for data in (b"JBD-1\0\0\0", b"", b"a\xffb ")]
    assert names == ["JBD-1", "", "a\ufffdb"]


@pytest.mark.parametrize(
    ("register", "data", "expected"),
    [
        (0x29, "a628", {"name": "discharge_overcurrent", "value": -230.0, "unit": "A"}),
        (0x17, "0102", {"name": "cycle_count", "value": 258}),
        (0x1A, "0a46", {"name": "charge_undertemp", "value": -10.1, "unit": "C"}),
        (0x15, "0000", {"name": "manufacture_date", "value": None}),
        (0x2D, "1004", {"balance_en": True, "switch_en": False, "high_capacity_unit": True}),
        (0x38, "8d5c", {"raw": 36188}),
        (0xA0, "0544474a4244", {"text": "DGJBD"}),
        (0xA0, "ff444742", {"text": "DGB"}),
        (0xA2, "00", {"text": ""}),
    ],
)
def test_a_register_has_its_meaning(register: int, data: str, expected: dict[str, Any]) -> None:
    assert differences(_message(reply(register, bytes.fromhex(data))), expected) == {}


def test_a_text_register_without_even_a_length_has_no_meaning() -> None:
    assert register_of(0xA1, b"") is None


def test_an_acknowledgement_names_its_command() -> None:
    assert _message(reply(0xFA)).raw == {"command": 0xFA, "status": 0, "ack": True}


@pytest.mark.parametrize(
    ("frame", "reason", "detail"),
    [
        (reply(3, status=0x81), Drop.REFUSED, "command 03: not permitted now"),
        (reply(3, status=0x7F), Drop.REFUSED, "command 03: status 7F"),
        (reply(0x99, b"\x01"), Drop.UNKNOWN, "command 99"),
        (reply(0xFA, b"\x55\xaa"), Drop.LENGTH, "command FA: 2 bytes of data"),
        (key_frame(0x1D, b"\x00"), Drop.UNKNOWN, "key command 1D"),
        (read_request(3, address=7), Drop.ECHO, ""),
        (key_frame(0x17), Drop.ECHO, ""),
        (bytes.fromhex("dd5ae1020001ff1c77"), Drop.ECHO, ""),
    ],
)
def test_a_good_frame_that_is_no_answer_is_dropped_by_its_kind(
    frame: bytes, reason: Drop, detail: str
) -> None:
    assert fed(Decoder(), [frame]) == [Dropped(reason, len(frame), detail)]
    assert drops(fed(Decoder(), bytewise(frame))) == [Dropped(reason, len(frame), detail)]


# The stream


def test_nothing_is_told_before_the_last_byte() -> None:
    decoder = Decoder()
    assert [decoder.feed(piece) for piece in bytewise(BASIC)[:-1]] == [[]] * (len(BASIC) - 1)
    assert len(decoder.feed(BASIC[-1:])) == 1


def test_a_cut_frame_loses_no_frame_behind_it() -> None:
    found = fed(Decoder(), [BASIC[:20] + CELLS + NAME])
    assert found == [Dropped(Drop.TRUNCATED, 20), _message(CELLS), _message(NAME)]


def test_a_cut_frame_before_a_silence_gives_way_to_the_frame_behind_it() -> None:
    decoder = Decoder()
    assert decoder.feed(BASIC[:20] + NAME[:10]) == []
    assert decoder.feed(b"") == []
    assert decoder.reset() == [Dropped(Drop.TRUNCATED, 30)]
    assert decoder.feed(CELLS) == [_message(CELLS)]


def test_a_frame_that_a_cut_one_holds_back_comes_out_with_the_silence() -> None:
    decoder = Decoder()
    assert decoder.feed(CELLS[:9] + NAME) == []
    assert decoder.reset() == [Dropped(Drop.TRUNCATED, 9), _message(NAME)]


def test_a_broken_frame_that_may_hold_a_good_one_is_told_once_it_is_clear() -> None:
    decoder = Decoder()
    broken = CELLS[:-1] + b"\x00"
    held = broken[:30] + NAME[:7]
    assert decoder.feed(held) == []
    assert decoder.feed(NAME[7:]) == [Dropped(Drop.TRUNCATED, 30), _message(NAME)]


def test_a_lone_start_byte_of_a_key_is_noise_and_not_a_cut_frame() -> None:
    assert fed(Decoder(), [b"\xff"]) == [Dropped(Drop.NOISE, 1)]
    assert fed(Decoder(), [b"\xff\xaa\x15"]) == [Dropped(Drop.TRUNCATED, 3)]


def test_idle_bytes_of_an_rs485_adapter_around_a_frame_do_no_harm() -> None:
    """esphome-jbd-bms issue 14: single FF bytes before and after frames."""
    assert messages(fed(Decoder(), [b"\xff" + BASIC + b"\xff" + CELLS + b"\xff"])) == [
        _message(BASIC),
        _message(CELLS),
    ]


def test_a_key_frame_with_a_wrong_sum_is_dropped_for_it() -> None:
    assert fed(Decoder(), [b"\xff\xaa\x15\x01\x00\x17"]) == [Dropped(Drop.CHECKSUM, 6)]


@pytest.mark.parametrize(
    "head",
    [
        "dd0300ff",
        "dd04ff10",
        "dda5ffff",
        "ddfa00ff",
        "ddfa0009000105",
        "dd01a503ff",
        "ffaa20",
        "ffaa15ff",
        "ffab",
    ],
)
def test_a_head_that_no_frame_has_holds_nothing_back(head: str) -> None:
    decoder = Decoder()
    assert messages(decoder.feed(bytes.fromhex(head) + CELLS)) == [_message(CELLS)]


def test_a_can_frame_is_none_of_ours() -> None:
    assert Decoder().feed(CanFrame(0x100, bytes(8))) == [Dropped(Drop.UNKNOWN, 8, "a CAN frame")]


good_frames = st.sampled_from([BASIC, CELLS, NAME, reply(0xE1), BY_NAME["fa_read_two_params"].stream])


@given(st.lists(st.tuples(st.binary(max_size=60), good_frames), max_size=6), st.binary(max_size=60))
def test_garbage_between_good_frames_loses_none_of_them(pairs: list[tuple[bytes, bytes]], end: bytes) -> None:
    stream = b"".join(garbage + frame for garbage, frame in pairs) + end
    found = messages(fed(Decoder(), [stream]))
    assert [message for message in found if message in [_message(frame) for _, frame in pairs]] == [
        _message(frame) for _, frame in pairs
    ]


@given(st.binary(max_size=60), st.lists(st.integers(1, 50), min_size=1))
def test_every_byte_is_either_used_or_told_as_dropped(garbage: bytes, sizes: list[int]) -> None:
    assume(b"\xdd" not in garbage)
    assume(b"\xff" not in garbage)
    assume(not garbage.startswith(CELLS[-1:]))  # it would complete the frame that is cut off
    stream = garbage + BASIC + garbage + CELLS[:-1] + garbage
    chunks = pieces(stream, sizes * (len(stream) // sum(sizes) + 1))
    dropped = drops(fed(Decoder(), chunks))
    assert sum(item.size for item in dropped) == 3 * len(garbage) + len(CELLS) - 1


@given(st.binary(max_size=400))
def test_a_frame_behind_any_garbage_is_out_within_the_longest_claim(garbage: bytes) -> None:
    decoder = Decoder()
    decoder.feed(garbage)
    assert _message(CELLS) in messages(decoder.feed(CELLS + bytes(210)))
