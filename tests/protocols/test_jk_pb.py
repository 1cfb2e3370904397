"""JK inverter BMS on RS485: captured exchanges, whose frame it is, and a pair on which others talk."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.protocols import jk_pb
from bridge.protocols._jk_frames import INFO, SETTINGS, STATUS
from bridge.protocols.contract import Drop, Dropped, Message, Options
from bridge.protocols.jk_pb import Decoder, Device, acknowledge, trigger
from tests.protocols.helpers import Vector, differences, drops, fed, fed_every_way, messages, pieces, vectors
from tests.protocols.test_jk import packs

VECTORS = vectors("jk_pb")
BY_NAME = {vector.name: vector for vector in VECTORS}
WHOLE = [vector for vector in VECTORS if "error" not in vector.expect]
KINDS = {1: "settings", 2: "status", 3: "device_info"}
FRAME = BY_NAME["pb_addr3_status_plain_308"].stream[:300]


def expected_events(vector: Vector) -> list[dict[str, Any]]:
    """Captures without "events" are one frame and, mostly, its acknowledge."""
    if "events" in vector.expect:
        return [dict(event) for event in vector.expect["events"]]
    return [{"kind": "frame", **vector.expect}]


def is_frame(message: Message) -> bool:
    return message.name in KINDS.values()


@pytest.mark.parametrize("vector", WHOLE, ids=lambda vector: vector.name)
@pytest.mark.parametrize("sent", [True, False], ids=["polled", "overheard"])
def test_a_captured_exchange_decodes_to_what_the_device_showed(vector: Vector, sent: bool) -> None:
    if sent:
        found = messages(fed(Decoder(), vector.chunks, vector.request))
    else:
        found = fed_every_way(Decoder, vector.chunks)
    frames = [event for event in expected_events(vector) if event["kind"] == "frame"]
    assert [message.name for message in found if is_frame(message)] == [
        KINDS[f["frame_type"]] for f in frames
    ]
    for message, frame in zip(filter(is_frame, found), frames, strict=True):
        address = frame.pop("address", frame.get("responder_address"))
        assert message.address in {address, None if address is not None else 1}
        frame.pop("kind")
        assert differences(message, frame) == {}


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if "events" in vector.expect], ids=lambda vector: vector.name
)
def test_an_overheard_bus_is_told_event_by_event(vector: Vector) -> None:
    told = [
        ("frame" if is_frame(message) else message.name, message.address, message.raw.get("register"))
        for message in fed_every_way(Decoder, vector.chunks)
    ]
    assert told == [(e["kind"], e["address"], e.get("register")) for e in vector.expect["events"]]


def test_a_frame_of_287_bytes_is_dropped_and_never_padded() -> None:
    assert fed(Decoder(), BY_NAME["pb_addr3_status_truncated_287"].chunks) == [Dropped(Drop.TRUNCATED, 287)]


def reply(address: int, frame: bytes = FRAME, kind: int = STATUS) -> bytes:
    return frame + acknowledge(address, kind)


def addresses(decoder: Decoder, stream: bytes) -> list[int | None]:
    return [message.address for message in messages(fed(decoder, [stream])) if is_frame(message)]


def test_the_acknowledge_says_whose_frame_it_is_and_not_the_request() -> None:
    decoder = Decoder()
    decoder.sent(trigger(1, STATUS))
    assert addresses(decoder, reply(7)) == [7]


def test_a_frame_without_acknowledge_answers_the_only_open_request() -> None:
    decoder = Decoder()
    decoder.sent(trigger(4, STATUS))
    assert addresses(decoder, FRAME) == [4]


@pytest.mark.parametrize(
    "sent", [[], [(4, SETTINGS)], [(4, STATUS), (5, STATUS)]], ids=["none", "of another kind", "two"]
)
def test_a_frame_without_acknowledge_is_otherwise_nobodys(sent: list[tuple[int, int]]) -> None:
    decoder = Decoder()
    for address, kind in sent:
        decoder.sent(trigger(address, kind))
    assert addresses(decoder, FRAME) == [None]


def test_a_pack_that_answers_leaves_the_silent_one_as_the_only_open_request() -> None:
    decoder = Decoder()
    decoder.sent(trigger(4, STATUS))
    decoder.sent(trigger(5, STATUS))
    assert addresses(decoder, reply(5) + FRAME) == [5, 4]


def test_asking_the_same_pack_again_leaves_one_open_request() -> None:
    decoder = Decoder()
    decoder.sent(trigger(4, STATUS))
    decoder.sent(trigger(4, STATUS))
    assert addresses(decoder, FRAME) == [4]


def test_a_frame_acknowledged_as_another_one_is_not_used() -> None:
    found = fed(Decoder(), [FRAME + acknowledge(3, SETTINGS)])
    assert [drop.reason for drop in drops(found)] == [Drop.VALUE]
    assert not any(map(is_frame, messages(found)))


def test_settings_after_a_preset_command_of_another_tool_are_settings() -> None:
    frame = BY_NAME["pb_addr3_settings_plain_308"].stream[:300]
    ack = jk_pb._with_crc(bytes.fromhex("0310160a0001"))
    assert addresses(Decoder(), frame + ack) == [3]


def test_stray_zeros_around_the_acknowledge_are_counted_and_do_no_harm() -> None:
    found = fed(Decoder(), [FRAME + b"\0\0" + acknowledge(3, STATUS) + b"\0\0" + reply(4)])
    assert [message.address for message in messages(found) if is_frame(message)] == [3, 4]
    assert {drop.reason for drop in drops(found)} == {Drop.NOISE}


def test_what_follows_more_noise_is_no_acknowledge_of_that_frame() -> None:
    found = messages(fed(Decoder(), [FRAME + b"\x17\x17\x17" + acknowledge(3, STATUS)]))
    assert [message.address for message in found] == [None, 3]


@pytest.mark.parametrize(
    "follows", [trigger(2, STATUS), FRAME, FRAME[:200]], ids=["request", "frame", "cut frame"]
)
def test_a_frame_is_out_when_something_else_follows(follows: bytes) -> None:
    assert addresses(Decoder(), FRAME + follows + reply(5))[0] is None


def test_our_own_request_heard_again_is_an_echo_but_only_once() -> None:
    decoder = Decoder()
    decoder.sent(trigger(3, STATUS))
    heard = fed(decoder, [trigger(3, STATUS) * 2])
    assert heard[0] == Dropped(Drop.ECHO, 11)
    assert [message.name for message in messages(heard)] == ["request"]


def test_requests_of_another_master_are_told() -> None:
    (message,) = messages(fed(Decoder(), [trigger(5, INFO)]))
    assert (message.name, message.address, message.raw) == ("request", 5, {"register": 0x161C})


@pytest.mark.parametrize("size", [8, 11])
def test_a_broken_trigger_or_acknowledge_is_dropped(size: int) -> None:
    broken = bytearray(trigger(3, STATUS) if size == 11 else acknowledge(3, STATUS))
    broken[-1] ^= 1
    assert messages(fed(Decoder(), [bytes(broken)])) == []


def test_broken_frames_are_counted_under_their_own_names() -> None:
    flipped = bytearray(FRAME)
    flipped[20] ^= 1
    assert fed(Decoder(), [bytes(flipped)]) == [Dropped(Drop.CHECKSUM, 300)]
    assert drops(fed(Decoder(), [FRAME[:150] + reply(3)])) == [Dropped(Drop.TRUNCATED, 150)]


def test_a_trigger_and_an_acknowledge_can_never_be_confused() -> None:
    for address in range(16):
        for kind in (STATUS, SETTINGS, INFO):
            assert acknowledge(address, kind)[6:] != trigger(address, kind)[6:8]


def test_a_simulated_pack_answers_its_own_address_and_read_triggers_only() -> None:
    device = Device(Options(address=3))
    (answer,) = device.receive(trigger(3, INFO), {})
    assert isinstance(answer, bytes)
    assert len(answer) == 308
    assert device.receive(trigger(4, STATUS), {}) == []
    shut_down = jk_pb._with_crc(bytes.fromhex("031016040001020000"))
    assert device.receive(shut_down, {}) == []


@given(reading=packs(), address=st.integers(1, 15))
def test_what_a_simulated_pack_answers_is_read_back(reading: Any, address: int) -> None:
    (answer,) = Device(Options(address=address)).receive(trigger(address, STATUS), reading)
    assert isinstance(answer, bytes)
    first, _ = messages(fed(Decoder(), [answer]))
    assert first.address == address
    assert {key: first.reading.get(key) for key in reading} == reading


others = st.one_of(
    st.builds(trigger, st.integers(0, 15), st.sampled_from([STATUS, SETTINGS, INFO])),
    st.binary(max_size=30).filter(lambda data: 0x55 not in data and not set(range(16)) & set(data)),
)


@given(
    parts=st.lists(st.tuples(others, st.integers(0, 15)), max_size=4),
    sizes=st.lists(st.integers(1, 200), min_size=1),
)
def test_no_talk_of_others_loses_or_moves_a_reply(parts: list[tuple[bytes, int]], sizes: list[int]) -> None:
    stream = b"".join(before + reply(address) for before, address in parts)
    found = messages(fed(Decoder(), pieces(stream, sizes * (len(stream) + 1))))
    assert [message.address for message in found if is_frame(message)] == [address for _, address in parts]
