"""Kostal: published frames, a master written by hand by byte numbers, and any bytes at all."""

from __future__ import annotations

import math
import struct
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeBug
from bridge.protocols.contract import Drop, Dropped
from bridge.responders._kostal_frames import LONGEST, stuffed, unstuffed
from bridge.responders.contract import Overheard, Port, Understood
from bridge.responders.kostal import Exchange, Master, Options, Responder
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

VECTORS = {entry["name"]: entry for entry in entries("kostal")}
PORT = Port(None, Options())
HEAD = b"\xff\x02\xff\x29"


def frame(kind: int, payload: bytes) -> bytes:
    """As an inverter makes it, by hand: the chain of zeros from the end."""
    plain = bytearray(b"\0" + bytes((kind,)) + HEAD + payload)
    plain += bytes((-sum(plain) & 0xFF, 0))
    after = len(plain) - 1
    for at in range(len(plain) - 2, -1, -1):
        if not plain[at]:
            plain[at], after = after - at, at
    return bytes(plain)


def opened(wire: bytes) -> bytes:
    """As an inverter reads it, by hand; with all that can be wrong asserted."""
    assert wire[-1] == 0
    assert wire.count(0) == 1
    out, at = bytearray(wire), 0
    while at != len(wire) - 1:
        step, out[at] = out[at], 0
        at += step
    assert sum(out) & 0xFF == 0
    assert out[2:6] == HEAD
    return bytes(out)


INFO, STATE, STATUS = (frame(0x62, code) for code in (b"\x4a\x08", b"\x4a\x04", b"\x53\x03"))
CLOSE, DEEP_SLEEP, NOTHING = (frame(0x63, b"\x5e" + bytes((code,))) for code in (0, 7, 0xFF))
ACKNOWLEDGE = bytes.fromhex("07E3FF02FF29F400")


def ready() -> Responder:
    ours = Responder(PORT)
    assert answers(ours, INFO, picture())
    assert answers(ours, CLOSE, picture()) == [ACKNOWLEDGE]
    return ours


def state(ours: Responder, **said: Any) -> bytes:
    (wire,) = answers(ours, STATE, picture(**said))
    plain = opened(wire)
    assert len(plain) == 64
    return plain


def single(plain: bytes, at: int) -> float:
    (value,) = struct.unpack_from("<f", plain, at)
    return float(value)


def test_the_published_state_request_is_acknowledged() -> None:
    wire = bytes.fromhex(VECTORS["kostal_set_state"]["request_hex"])
    assert wire == CLOSE
    ours = Responder(PORT)
    answers(ours, INFO, picture())
    for chunks in ([wire], bytewise(wire), [b"\x13\x37", wire]):
        (ask,) = asks(fed(ours.feed, ours.reset, chunks))
        assert ask.name == "set_state"
        assert ask.raw == VECTORS["kostal_set_state"]["request"]
        assert ours.answer(ask, picture()) == ACKNOWLEDGE


def test_the_published_status_is_said() -> None:
    entry = VECTORS["kostal_status"]
    expected = bytes.fromhex(entry["chunks_hex"][0])
    assert answers(ready(), bytes.fromhex(entry["request_hex"]), picture()) == [expected]
    (message,) = messages(Exchange(Options()).feed(expected))
    assert {key: message.raw[key] for key in entry["expect"]} == entry["expect"]


def test_the_published_information_is_said_and_read() -> None:
    entry = VECTORS["kostal_battery_info_template"]
    (wire,) = answers(Responder(PORT), INFO, captured(entry))
    assert opened(wire) == bytes.fromhex(entry["plain_hex"])
    (message,) = messages(Exchange(Options()).feed(wire))
    found: dict[str, Any] = {**message.reading, **message.raw}
    assert {key: found[key] for key in entry["expect"]} == entry["expect"]


def test_a_hand_written_inverter_reads_the_field_list() -> None:
    plain = state(ready())
    assert plain[1:6] == b"\xe2" + HEAD
    expected = {6: 52.83, 14: 21.0, 18: -12.34, 22: -12.34, 38: 23.0, 42: -4.6, 46: 3.31, 50: 3.29}
    for at, value in expected.items():
        assert single(plain, at) == pytest.approx(value, abs=1e-4), at
    limits = {10: 55.2, 26: 120.0, 30: 280.0, 34: 87.6}
    for at, value in limits.items():
        assert value - 1e-4 < single(plain, at) <= value, at
    assert plain[54] | plain[55] << 8 == 12
    assert [*plain[56:62]] == [1, 0, 61, 0, 0, 1]
    assert state(ready(), values={"soc_pct": 100.0})[57:59] == bytes((0x40, 100))


def test_nothing_is_answered_before_it_was_asked_what_the_battery_is() -> None:
    ours = Responder(PORT)
    for data in (STATE, STATUS, CLOSE):
        assert answers(ours, data, picture()) == []
    assert answers(ours, INFO, picture())
    assert len(answers(ours, STATE, picture())) == 1


def test_an_inverter_that_remembers_the_battery_is_answered_where_the_profile_says_so() -> None:
    ours = Responder(Port(None, Options(info_first=False)))
    assert len(answers(ours, STATE, picture())) == 1


def test_contactors_are_said_to_be_open_until_they_may_close() -> None:
    ours = Responder(PORT)
    answers(ours, INFO, picture())
    plain = state(ours)
    assert (single(plain, 6), plain[59], plain[61]) == (0.0, 2, 1)
    answers(ours, CLOSE, picture())
    plain = state(ours)
    assert (single(plain, 6) > 52, plain[59], plain[61]) == (True, 0, 0)


def test_after_eight_questions_contactors_are_said_to_be_closed() -> None:
    ours = Responder(PORT)
    answers(ours, INFO, picture())
    assert [state(ours)[59] for _ in range(10)] == [2] * 8 + [0, 0]


def test_what_wants_no_answer_gets_none() -> None:
    ours = ready()
    for data in (NOTHING, frame(0x62, b"\x50"), frame(0x62, b"\x50\x01"), frame(0x62, b"\x11\x11")):
        assert answers(ours, data, picture()) == []
    for data in (DEEP_SLEEP, frame(0x63, b"\x47" + bytes(6))):
        assert answers(ours, data, picture()) == [ACKNOWLEDGE]


def test_stop_is_said_by_limits_and_by_the_control_byte() -> None:
    plain = state(ready(), values=STOPPED)
    assert (single(plain, 26), single(plain, 34), plain[56]) == (0.0, 0.0, 0)
    plain = state(ready(), values={"charge_current_limit_a": 0.0, "charge_enabled": False})
    assert (single(plain, 34), plain[56]) == (0.0, 1)
    assert single(plain, 26) > 119


@given(limit=st.floats(0, 1e6))
def test_a_limit_is_never_more_than_was_decided(limit: float) -> None:
    plain = state(ready(), values={"charge_current_limit_a": limit, "discharge_current_limit_a": limit})
    for at in (26, 34):
        assert max(0, min(limit, 100_000) - 0.11) <= single(plain, at) <= limit


@pytest.mark.parametrize(
    "name", ["voltage_v", "current_a", "charge_current_limit_a", "soc_pct", "temperature_c"]
)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(name: str, value: float) -> None:
    with pytest.raises(BridgeBug):
        state(ready(), values={name: value})


@pytest.mark.parametrize("missing", ["voltage_v", "soc_pct", "charge_voltage_limit_v"])
def test_nothing_is_said_while_something_vital_is_not_known(missing: str) -> None:
    assert answers(ready(), STATE, picture(without=[missing])) == []


def test_an_inverter_understands_what_was_decided() -> None:
    master = Master(PORT)
    found = understood(master, Responder(PORT), picture(), 4)
    assert (found["vendor"], found["soc_pct"], found["contactors_open"]) == ("YB", 61.0, False)
    assert found["voltage_v"] == pytest.approx(52.83)
    assert (found["charge_enabled"], found["discharge_enabled"]) == (True, True)
    assert found["charge_current_limit_a"] == pytest.approx(87.6)
    stop = understood(Master(PORT), Responder(PORT), picture(STOPPED), 4)
    assert (stop["charge_enabled"], stop["discharge_enabled"]) == (False, False)


def test_an_inverter_asks_for_the_information_until_it_is_told() -> None:
    master = Master(PORT)
    assert [master.question().data, master.question().data] == [INFO, INFO]
    (answer,) = answers(Responder(PORT), INFO, picture())
    assert isinstance(master.feed(answer)[0], Understood)
    assert master.question().data == CLOSE
    assert isinstance(master.feed(answer)[0], Dropped)
    assert master.reset() == []


def test_another_battery_on_the_line_is_noticed() -> None:
    (item,) = Responder(PORT).feed(ACKNOWLEDGE)
    assert isinstance(item, Overheard)
    assert item.ours


def test_both_directions_of_a_capture_are_read() -> None:
    ours = ready()
    (wire,) = answers(ours, STATE, picture())
    exchange = Exchange(Options())
    names = [message.name for message in messages([*exchange.sent(STATE), *exchange.feed(wire + STATUS)])]
    assert names == ["battery_state", "battery_state_answer", "status"]
    (message,) = messages(Exchange(Options()).feed(wire))
    assert message.reading["voltage_v"] == 52.83
    assert message.raw["contactors_open"] is False


@given(payload=st.binary(max_size=60))
def test_stuffing_leaves_no_zero_inside_and_is_undone(payload: bytes) -> None:
    plain = b"\0" + payload + b"\0"
    wire = stuffed(plain)
    assert wire.count(0) == 1
    assert unstuffed(wire) == plain


REQUESTS = st.sampled_from([INFO, STATE, STATUS, CLOSE, NOTHING, DEEP_SLEEP, STATE[:-2], STATE[2:]])
STREAMS = st.lists(
    st.one_of(REQUESTS, st.binary(max_size=30), st.binary(max_size=12).map(lambda data: frame(0x62, data))),
    max_size=12,
).map(b"".join)


@given(stream=STREAMS, sizes=st.lists(st.integers(1, 20), min_size=1))
def test_anything_is_answered_rightly_or_not_at_all(stream: bytes, sizes: list[int]) -> None:
    whole, cut = ready(), ready()
    found = fed(whole.feed, whole.reset, [stream])
    assert fed(cut.feed, cut.reset, pieces(stream, cycle(sizes))) == found
    sizes_found = [item.size if isinstance(item, Dropped | Overheard) else len(item.data) for item in found]
    assert sum(sizes_found) == len(stream)
    for ask in asks(found):
        answer = whole.answer(ask, picture())
        if answer is not None:
            assert opened(answer)[1] in {0xE2, 0xE3}


@given(position=st.integers(0, 9), flip=st.integers(1, 255))
def test_a_damaged_question_is_never_answered(position: int, flip: int) -> None:
    bad = bytearray(STATE)
    bad[position] ^= flip
    assert answers(ready(), bytes(bad), picture()) == []


def test_a_good_frame_behind_noise_is_found() -> None:
    for noise in (b"\x13\x37", b"\x55" * 300, STATE[:-3], HEAD):
        assert len(answers(ready(), noise + STATE, picture())) == 1, noise


def test_a_flood_fills_no_memory() -> None:
    ours = ready()
    ours.feed(b"\x55" * 1000)
    before = footprint(ours)
    for _ in range(20):
        ours.feed(b"\x55" * 1000)
    assert footprint(ours) <= before + LONGEST
    assert ours.reset() == [Dropped(Drop.OVERFLOW, 21_000)]
    assert len(answers(ours, STATE, picture())) == 1
