from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.decoding import BadLine, Record, decoded, message_record, parse_bytes, parse_can, records
from bridge.errors import BridgeBug
from bridge.model import Alarm, CanFrame
from bridge.protocols.contract import Drop, Dropped, Entry, Message, Payload, Spec, load
from bridge.protocols.jbd import Device, Session

CELLS = "dd0400080f450f3d0f370f3dfec677"
BASIC = "dd03001b1700000002d003e8000020780000000000001048030f020b760b82fbff77"


def _decoded(*lines: str, protocol: str = "jbd") -> list[Record]:
    return [item.record() if isinstance(item, BadLine) else item for item in decoded(lines, load(protocol))]


class CanEcho:
    """A decoder that says which frames it was given; what was sent comes with the next."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        assert isinstance(payload, CanFrame)
        self.seen.append(f"{payload.can_id:X}#{payload.data.hex()}")
        return [Message("frame", {}, {"seen": " ".join(self.seen)}, address=payload.can_id & 0xFF)]

    def sent(self, payload: Payload) -> None:
        self.seen.append("sent")

    def reset(self) -> list[Message | Dropped]:
        return []


CAN_ENTRY = Entry("echo", Spec(maker="nobody", links=("can",)), False, CanEcho, Session, Device)


def test_a_message_shows_its_quantities_under_their_names_and_the_rest_under_raw() -> None:
    (record,) = _decoded(BASIC)
    assert list(record)[:5] == ["message", "voltage_v", "current_a", "soc_pct", "remaining_ah"]
    assert record["message"] == "basic"
    assert record["voltage_v"] == 58.88
    assert record["temperatures_c"] == [20.3, 21.5]
    assert record["alarms"] == []
    assert record["charge_allowed"] is True
    raw = record["raw"]
    assert isinstance(raw, dict)
    assert raw["firmware_version"] == "1.0"


def test_a_message_without_alarms_in_it_has_no_such_key() -> None:
    assert "alarms" not in _decoded(CELLS)[0]


def test_alarms_are_protections_and_warnings_sorted_by_name() -> None:
    message = Message(
        "any",
        {
            "protections": frozenset({Alarm.SHORT_CIRCUIT, Alarm.BMS_FAULT}),
            "warnings": frozenset({Alarm.OTHER}),
        },
    )
    assert message_record(message)["alarms"] == ["bms_fault", "other", "short_circuit"]


def test_an_absent_reading_is_null_in_its_place() -> None:
    record = message_record(Message("any", {"soc_pct": None, "temperatures_c": (None, 21.0)}))
    assert (
        json.dumps(record) == '{"message": "any", "soc_pct": null, "temperatures_c": [null, 21.0], "raw": {}}'
    )


def test_numbers_lose_the_digits_of_binary_fractions() -> None:
    message = Message("any", {"cell_voltages_v": (3328 * 0.001, 3.3280000686645508)}, {"ohm": [0.1 + 0.2]})
    record = message_record(message)
    assert record["cell_voltages_v"] == [3.328, 3.328]
    assert record["raw"] == {"ohm": [0.3]}


def test_a_value_that_json_cannot_carry_is_null() -> None:
    record = message_record(Message("any", {}, {"a": float("nan"), "b": {"c": float("inf")}}))
    assert json.dumps(record["raw"], allow_nan=False) == '{"a": null, "b": {"c": null}}'


def test_a_value_of_no_known_kind_is_our_bug() -> None:
    with pytest.raises(BridgeBug, match="nothing that a message may hold"):
        message_record(Message("any", {}, {"a": object()}))  # type: ignore[dict-item]  # the bug itself


def test_an_address_stands_behind_the_name() -> None:
    assert list(message_record(Message("any", {"soc_pct": 50}, address=3)))[:2] == ["message", "address"]


def test_bare_hex_and_marked_hex_both_come_from_the_bms() -> None:
    assert _decoded(CELLS) == _decoded("<" + CELLS) == _decoded("< " + CELLS.upper())


def test_blanks_colons_and_comments_in_a_line_are_tolerated() -> None:
    spaced = " ".join(CELLS[at : at + 2] for at in range(0, len(CELLS), 2))
    assert (
        _decoded(spaced)
        == _decoded(spaced.replace(" ", ":"))
        == _decoded(CELLS + "  # cells")
        == _decoded(CELLS)
    )


def test_blank_lines_and_comments_are_passed_over() -> None:
    assert _decoded("", "# a capture", "   ", CELLS, "\n") == _decoded(CELLS)


def test_what_was_sent_prints_nothing() -> None:
    assert _decoded(">dda50400fffc77", "> dd a5 03 00 ff fd 77") == []


def test_a_frame_may_be_spread_over_lines() -> None:
    assert _decoded(CELLS[:8], CELLS[8:20], CELLS[20:]) == _decoded(CELLS)


def test_a_request_between_the_pieces_of_a_frame_does_not_cut_it() -> None:
    assert _decoded(CELLS[:12], ">dda50300fffd77", CELLS[12:]) == _decoded(CELLS)


def test_a_frame_behind_a_cut_one_is_found() -> None:
    found = _decoded(BASIC[:40], CELLS)
    assert found == [{"error": "truncated", "bytes": 20}, *_decoded(CELLS)]


def test_two_frames_behind_a_cut_one_are_found_as_soon_as_its_length_has_passed() -> None:
    lines = iter([BASIC[:40], CELLS, CELLS])
    stream = decoded(lines, load("jbd"))
    assert next(stream) == {"error": "truncated", "bytes": 20}
    assert next(stream) == _decoded(CELLS)[0]


def test_a_frame_that_the_input_ends_in_is_reported() -> None:
    assert _decoded(BASIC[:-2]) == [{"error": "truncated", "bytes": 33}]


def test_noise_of_one_chunk_is_one_record() -> None:
    assert _decoded(CELLS + "000000000000") == [*_decoded(CELLS), {"error": "noise", "bytes": 6}]


def test_single_bytes_of_noise_that_touch_are_one_record_and_faults_stay_apart() -> None:
    noise, fault = Dropped(Drop.NOISE, 1), Dropped(Drop.CHECKSUM, 7)
    found = list(records([noise, noise, fault, fault, noise]))
    assert [(record["error"], record["bytes"]) for record in found] == [
        ("noise", 2),
        ("checksum", 7),
        ("checksum", 7),
        ("noise", 1),
    ]


def test_a_refusal_says_what_was_refused() -> None:
    (record,) = _decoded("dd0a8000ff8077")
    assert record == {"error": "refused", "bytes": 7, "detail": "command 0A: unknown command"}


@pytest.mark.parametrize("line", ["hello", "dd0", "<dd zz", "can0  123  [1]  00"])
def test_a_line_that_is_no_hex_is_told_with_its_number_and_the_rest_goes_on(line: str) -> None:
    assert _decoded("", line, CELLS) == [{"error": "line", "line": 2, "text": line}, *_decoded(CELLS)]


@given(st.lists(st.text(max_size=60), max_size=8))
def test_no_text_makes_it_raise(lines: list[str]) -> None:
    for record in _decoded(*lines):
        json.dumps(record, allow_nan=False)


@given(st.text(max_size=40))
def test_no_text_makes_the_can_parser_raise_anything_but_value_error(text: str) -> None:
    try:
        frame = parse_can(text)
    except ValueError:
        return
    assert isinstance(frame, CanFrame)


EXTENDED = CanFrame(0x18FF50E5, bytes.fromhex("0102030405060708"), extended=True)
STANDARD = CanFrame(0x351, bytes.fromhex("1234"))


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ("(1436509052.249713) can0 18FF50E5#0102030405060708", EXTENDED),
        ("(1436509052.249713) can0 18FF50E5#0102030405060708 R", EXTENDED),
        ("(0.0) can0 351#1234", STANDARD),
        ("vcan1 351#12.34", STANDARD),
        ("351#1234", STANDARD),
        ("18ff50e5#0102030405060708", EXTENDED),
        ("can0  18FF50E5   [8]  01 02 03 04 05 06 07 08", EXTENDED),
        ("can0  351   [2]  12 34   '.4'", STANDARD),
        ("(000.001234)  can0  351   [2]  12 34", STANDARD),
        ("(2026-01-02 03:04:05.000001)  can0  RX - -  351   [2]  12 34", STANDARD),
        ("can0  305   [0]", CanFrame(0x305, b"")),
        ("can0 305#", CanFrame(0x305, b"")),
        ("can0 305#R", CanFrame(0x305, b"")),
        ("can0 305#R8", CanFrame(0x305, b"")),
        ("can0  305   [8]  remote request", CanFrame(0x305, b"")),
    ],
)
def test_a_candump_line_is_a_frame(line: str, frame: CanFrame) -> None:
    assert parse_can(line) == frame


@pytest.mark.parametrize(
    "line",
    [
        "can0 351##11234",  # CAN FD
        "can0 351#123",
        "can0 351#010203040506070809",
        "can0 800#00",
        "can0 2000008C#0000000000000000",  # an error frame
        "can0  351   [3]  12 34",
        "0102030405",
    ],
)
def test_what_is_no_classic_frame_is_a_bad_line(line: str) -> None:
    (item,) = decoded([line], CAN_ENTRY)
    assert item == BadLine(1, line)


def test_a_can_protocol_is_given_frames() -> None:
    found = list(decoded(["can0 351#1234", ">can0 305#00", "<18FF50E5#01"], CAN_ENTRY))
    assert found == [
        {"message": "frame", "address": 0x51, "raw": {"seen": "351#1234"}},
        {"message": "frame", "address": 0xE5, "raw": {"seen": "351#1234 sent 18FF50E5#01"}},
    ]


def test_hex_with_an_odd_digit_is_refused() -> None:
    with pytest.raises(ValueError, match="non-hexadecimal"):
        parse_bytes("dd0")
