"""Captures of real Daly boards, dialect by dialect: every value, in whatever pieces it comes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.model import CanFrame
from bridge.protocols.contract import Drop, Dropped, Message, Payload, load
from tests.protocols.helpers import GARBAGE, VECTORS, bytewise, drops, fed, flat, messages

DIALECTS = {"daly-a5": 62, "daly-d2": 35, "daly-p81": 10, "daly-can": 7}
"""How many captures there are at least."""

NO_VALUES = {
    "valid_frames",
    "undecoded_tail_bytes",
    "dropped_bytes",
    "error",
    "text",
    "payload_lengths",
    "request_only",
}
# What the capture's author knew from elsewhere: a reply of one frame does not say that more should come.
NOT_IN_THE_BYTES = {("a5_16s_load1_95_first_frame_only", "missing_frames")}


@dataclass(frozen=True, slots=True)
class Capture:
    name: str
    dialect: str
    chunks: Sequence[Payload]
    request: bytes | None
    expect: Mapping[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """What the messages must say. `current_a_given_state_2` is the current of a classic board."""
        return {
            "current_a" if key == "current_a_given_state_2" else key: value
            for key, value in self.expect.items()
            if (self.name, key) not in NOT_IN_THE_BYTES
        }


def _captures(dialect: str) -> list[Capture]:
    entries = json.loads((VECTORS / f"{dialect.replace('-', '_')}.json").read_text())
    return [
        Capture(entry["name"], dialect, _chunks(entry), _hex(entry.get("request_hex")), entry["expect"])
        for entry in entries
    ]


def _chunks(entry: Mapping[str, Any]) -> list[Payload]:
    if "can_frames" in entry:
        return [
            CanFrame(int(f["id"], 16), bytes.fromhex(f["data"]), extended=True) for f in entry["can_frames"]
        ]
    return [bytes.fromhex(chunk) for chunk in entry["chunks_hex"]]


def _hex(text: str | None) -> bytes | None:
    return bytes.fromhex(text) if text else None


CAPTURES = [capture for dialect in DIALECTS for capture in _captures(dialect)]
BY_NAME = {capture.name: capture for capture in CAPTURES}
TELLING = [
    capture
    for capture in CAPTURES
    if "error" not in capture.expect and {"payload_lengths", "request_only"}.isdisjoint(capture.expect)
]
STREAMS = [capture for capture in TELLING if capture.dialect != "daly-can"]


def _name(capture: Capture) -> str:
    return capture.name


def _out(capture: Capture, chunks: Sequence[Payload] | None = None) -> list[Message | Dropped]:
    decoder = load(capture.dialect).decoder()
    return fed(decoder, capture.chunks if chunks is None else chunks, capture.request)


def _stream(capture: Capture) -> bytes:
    return b"".join(chunk for chunk in capture.chunks if isinstance(chunk, bytes))


def _said(found: Sequence[Message]) -> dict[str, Any]:
    """Everything that the messages of a capture say, under one roof."""
    said: dict[str, Any] = {}
    for message in found:
        said |= flat(message)
    return said


@pytest.mark.parametrize("dialect", DIALECTS)
def test_there_are_as_many_captures_as_ever(dialect: str) -> None:
    assert len(_captures(dialect)) >= DIALECTS[dialect]


@pytest.mark.parametrize("capture", TELLING, ids=_name)
def test_a_capture_decodes_to_its_values_to_the_last_digit(capture: Capture) -> None:
    said = _said(messages(_out(capture)))
    expected = {key: value for key, value in capture.values.items() if key not in NO_VALUES or key in said}
    assert {key: said.get(key, "absent") for key in expected} == expected


@pytest.mark.parametrize("capture", TELLING, ids=_name)
def test_whatever_a_capture_holds_is_looked_at(capture: Capture) -> None:
    assert set(capture.values) - NO_VALUES, "a capture without values proves nothing"


@pytest.mark.parametrize("capture", STREAMS, ids=_name)
def test_a_capture_says_the_same_in_whatever_pieces_it_comes(capture: Capture) -> None:
    stream, found = _stream(capture), messages(_out(capture))
    assert messages(_out(capture, [stream])) == found
    assert messages(_out(capture, bytewise(stream))) == found
    assert messages(_out(capture, [GARBAGE, stream])) == found
    assert messages(_out(capture, [GARBAGE + stream + GARBAGE])) == found


@pytest.mark.parametrize("capture", STREAMS, ids=_name)
def test_a_capture_asked_for_again_says_the_same_again(capture: Capture) -> None:
    decoder = load(capture.dialect).decoder()
    first = messages(fed(decoder, capture.chunks, capture.request))
    again = messages(fed(decoder, capture.chunks, capture.request))
    assert [flat(message).get("cell_voltages_v") for message in again] == [
        flat(message).get("cell_voltages_v") for message in first
    ]
    assert [message.name for message in again] == [message.name for message in first]


@pytest.mark.parametrize("capture", [c for c in STREAMS if c.dialect == "daly-a5" and c.request], ids=_name)
def test_an_adapters_echo_changes_nothing(capture: Capture) -> None:
    assert capture.request is not None
    items = _out(capture, [capture.request, *capture.chunks])
    assert messages(items) == messages(_out(capture))
    assert drops(items)[0].reason is Drop.ECHO


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("a5_8s_80_95_truncated_tail", [(Drop.TRUNCATED, 5)]),
        ("a5_16s_95_stream_starts_with_tail_of_previous_reply", [(Drop.NOISE, 1)]),
        ("d2_4s_status_bad_crc", [(Drop.CHECKSUM, 129)]),
        ("d2_short_frame_valid_crc", [(Drop.LENGTH, 22)]),
        ("d2_two_replies_in_one_notification", [(Drop.UNKNOWN, 61), (Drop.UNKNOWN, 9)]),
        ("d2_overrun_hybrid_reply_bad_crc", [(Drop.CHECKSUM, 29)]),
        ("d2_module_at_text_noise", [(Drop.NOISE, 20)]),
        ("d2_module_baud_text_noise", [(Drop.NOISE, 4)]),
    ],
)
def test_what_a_capture_has_besides_messages_is_dropped_by_kind(
    name: str, dropped: list[tuple[Drop, int]]
) -> None:
    assert [(drop.reason, drop.size) for drop in drops(_out(BY_NAME[name]))] == dropped


@pytest.mark.parametrize("capture", [c for c in CAPTURES if c.expect.get("error")], ids=_name)
def test_a_broken_capture_gives_no_message(capture: Capture) -> None:
    assert messages(_out(capture)) == []


def _says_its_own_length(capture: Capture) -> bool:
    """Not the cells, probes or text of a classic board without the status that counts them."""
    said = _said(messages(_out(capture)))
    return "dio_bits" in said or not {"cell_voltages_v", "temperatures_c", "text"} & said.keys()


@pytest.mark.parametrize(
    "capture", [c for c in STREAMS if c.dialect != "daly-a5" or _says_its_own_length(c)], ids=_name
)
def test_a_capture_cut_off_anywhere_never_gives_another_value(capture: Capture) -> None:
    """Values may be missing, and cells be marked as a part of them; but nothing else is claimed."""
    stream, whole = _stream(capture), _said(messages(_out(capture)))
    for end in range(0, len(stream), 7):
        said = _said(messages(_out(capture, [stream[:end]])))
        for key in said.keys() - {"frames", "command", "missing_frames", "cell_voltages_v"}:
            assert said[key] == whole.get(key, said[key])
        cells = said.get("cell_voltages_v", [])
        assert cells == whole.get("cell_voltages_v", [])[: len(cells)]
