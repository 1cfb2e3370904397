"""Modbus: captures answered and read exactly, what is never answered, and any bytes at all."""

from __future__ import annotations

import sys
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.model import Alarm
from bridge.protocols.contract import Drop, Dropped
from bridge.registers import maps
from bridge.responders._modbus_frames import LONGEST, SHAPES, Frames, sealed
from bridge.responders._modbus_plans import PLANS
from bridge.responders.contract import Ask, Overheard, Port
from bridge.responders.modbus import Exchange, Master, Options, Responder
from tests.protocols.helpers import bytewise, footprint, pieces
from tests.responders.pictures import (
    CELLS_V,
    STOPPED,
    VALUES,
    answers,
    asks,
    captured,
    entries,
    fed,
    messages,
    picture,
    understood,
)

VECTORS = {entry["name"]: entry for entry in entries("modbus_maps")}
ANSWERED = [name for name, entry in VECTORS.items() if "picture" in entry]
READ = [name for name, entry in VECTORS.items() if "expect" in entry]
STANDARD = [name for name in maps.names() if maps.load(name).answers == "standard"]
MAP_OF = {"eg4-6500ex": "growatt-1xsxxp", "anenji-li4": "growatt-1xsxxp", "srne-wow": "pace"}
GARBAGE = b"\x00\x13\x37\x42"


def responder(name: str = "growatt-1xsxxp", address: int | None = None) -> Responder:
    return Responder(Port(address, Options(map=name)))


def request(address: int, function: int, *words: int) -> bytes:
    return sealed(bytes((address, function)) + b"".join(word.to_bytes(2, "big") for word in words))


def one(data: bytes, name: str = "growatt-1xsxxp", **values: float) -> bytes:
    (answer,) = answers(responder(name), data, picture(values))
    return answer


def registers(answer: bytes) -> list[int]:
    data = answer[3:-2]
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


@pytest.mark.parametrize("name", ANSWERED)
def test_a_captured_question_is_answered_with_the_captured_bytes(name: str) -> None:
    entry = VECTORS[name]
    data, expected = bytes.fromhex(entry["request_hex"]), bytes.fromhex(entry["chunks_hex"][0])
    for chunks in ([data], bytewise(data), [GARBAGE, data]):
        ours = responder(entry["map"], entry.get("address"))
        said = [ours.answer(ask, captured(entry)) for ask in asks(fed(ours.feed, ours.reset, chunks))]
        assert said == [expected]


@pytest.mark.parametrize("name", READ)
def test_a_captured_answer_is_read_as_what_the_device_showed(name: str) -> None:
    entry = VECTORS[name]
    data, answer = bytes.fromhex(entry["request_hex"]), bytes.fromhex(entry["chunks_hex"][0])
    for chunks in ([answer], bytewise(answer), [GARBAGE + answer]):
        exchange = Exchange(Options(map=entry["map"]))
        (asked,) = messages(exchange.sent(data))
        assert {key: asked.raw[key] for key in entry["request"]} == entry["request"]
        (message,) = messages(fed(exchange.feed, exchange.reset, chunks))
        found: dict[str, Any] = {**message.raw, **message.reading}
        for key, value in entry["expect"].items():
            said = sorted(found[key]) if isinstance(found[key], frozenset) else found[key]
            assert (list(said) if isinstance(said, tuple) else said) == value, key


def test_a_captured_broadcast_is_read_and_not_answered() -> None:
    entry = VECTORS["xzh_request_pia"]
    data = bytes.fromhex(entry["request_hex"])
    (message,) = messages(Exchange(Options(map="seplos-v3")).sent(data))
    assert (message.address, message.raw["start"], message.raw["count"]) == (0, 4096, 14)
    (ask,) = asks(responder("seplos-v3").feed(data))
    assert not ask.for_us
    assert answers(responder("seplos-v3"), data, picture()) == []


def test_a_capture_of_the_pair_is_read_without_knowing_who_spoke() -> None:
    entry = VECTORS["growatt_eg4_6500ex_poll_1"]
    exchange = Exchange(Options(map="growatt-1xsxxp"))
    both = bytes.fromhex(entry["request_hex"] + entry["chunks_hex"][0])
    names = [message.name for message in messages(fed(exchange.feed, exchange.reset, [both]))]
    assert names == ["read_holding", "registers"]


def test_an_answer_without_its_question_means_nothing() -> None:
    exchange = Exchange(Options(map="pace"))
    (item,) = exchange.feed(bytes.fromhex(VECTORS["pace_modbus_voltage"]["chunks_hex"][0]))
    assert isinstance(item, Dropped)
    assert item.reason is Drop.UNKNOWN


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_an_inverter_understands_what_was_decided(plan: str) -> None:
    """It was written from the documents by itself; what it hears may be less than was decided, by a step."""
    options = Options(map=MAP_OF.get(plan, plan), polls=plan)
    found = understood(
        Master(Port(None, options)), Responder(Port(None, options)), picture(), 2 * len(PLANS[plan])
    )
    assert found["voltage_v"] == pytest.approx(52.83, abs=0.06)
    assert found["soc_pct"] in {61.0, 61.4}
    if "current_a" in found:
        assert found["current_a"] == pytest.approx(-12.34, abs=0.05)
    for name in ("charge_current_limit_a", "discharge_current_limit_a", "charge_voltage_limit_v"):
        assert float(VALUES[name]) - 1 < found.get(name, VALUES[name]) <= float(VALUES[name])
    assert 0 <= found.get("discharge_voltage_limit_v", 44.81) - 44.81 < 0.1
    assert found.get("cell_voltages_v", [*CELLS_V]) == [*CELLS_V]
    assert found.get("charge_enabled", True) is True


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_an_inverter_understands_a_stop(plan: str) -> None:
    options = Options(map=MAP_OF.get(plan, plan), polls=plan)
    shown = picture(STOPPED, protections=[Alarm.CELL_OVERVOLTAGE])
    found = understood(Master(Port(None, options)), Responder(Port(None, options)), shown, len(PLANS[plan]))
    limits = [value for name, value in found.items() if "current_limit" in name or "power_limit" in name]
    assert limits
    assert {*limits} == {0.0}
    assert not found.get("charge_enabled")
    assert not found.get("discharge_enabled")
    if plan.startswith(("growatt", "eg4-6500", "pace")):
        assert found["protections"][0] == "cell_overvoltage"


def test_a_master_takes_no_answer_that_is_damaged_or_for_another_question() -> None:
    options = Options(map="pace")
    master = Master(Port(None, options))
    data = master.question().data
    (good,) = answers(Responder(Port(None, options)), data, picture())
    assert isinstance(master.feed(good[:-1] + b"\0")[0], Dropped)
    master.question()
    assert isinstance(master.feed(good)[0], Dropped)  # to another block
    data = master.question().data
    assert master.feed(good[:40]) == []
    assert master.reset() == [Dropped(Drop.TRUNCATED, 40)]
    assert isinstance(master.feed(good)[0], Dropped)  # too late


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (request(1, 4, 0x13, 1), 1),
        (request(1, 6, 0x13, 1), 1),
        (request(1, 1, 0x13, 1), 1),
        (request(1, 3, 0x0000, 1), 2),
        (request(1, 3, 0x90, 2), 2),
        (request(1, 3, 0x10C, 1), 2),
        (request(1, 3, 0xFFFF, 2), 2),
        (request(1, 3, 0x13, 0), 3),
        (request(1, 3, 0x01, 126), 3),
        (request(1, 3, 0x01, 0xFFFF), 3),
        (sealed(bytes.fromhex("0110001400010200FF")), 2),
        (sealed(bytes.fromhex("01100013000204000000FF")), 2),
        (sealed(bytes.fromhex("011000130002020000")), 3),  # two registers, said to be two bytes
    ],
)
def test_what_the_map_does_not_have_is_refused_with_its_code(data: bytes, code: int) -> None:
    (ask,) = asks(responder().feed(data))
    assert ask.name == "refused"
    assert ask.raw["reason"]
    assert one(data) == sealed(bytes((1, data[1] | 0x80, code)))


def test_holes_within_the_span_are_zero() -> None:
    assert registers(one(request(1, 3, 0x2A, 7))) == [0] * 7
    assert registers(one(request(1, 3, 0x31, 34))) == [0] * 34


def test_a_read_that_cuts_through_a_number_gives_its_words() -> None:
    whole = registers(one(request(1, 3, 31, 2), "eg4-ll"))
    assert [registers(one(request(1, 3, at, 1), "eg4-ll"))[0] for at in (31, 32)] == whole


@pytest.mark.parametrize("address", [0, 2, 3, 247])
def test_what_is_for_others_is_never_answered(address: int) -> None:
    data = request(address, 3, 0x13, 16)
    (ask,) = asks(responder().feed(data))
    assert (ask.for_us, ask.address) == (False, address)
    assert responder().answer(ask, picture()) is None


def test_the_answers_of_others_are_no_questions() -> None:
    ours = responder("pace", 4)
    for name in ("pace_modbus_21x16", "wow_modbus_basic", "pace_modbus_exception_49", "eg4ll_basic"):
        entry = VECTORS[name]
        items = ours.feed(bytes.fromhex(entry["request_hex"] + entry["chunks_hex"][0]))
        assert [type(item) for item in items] == [Ask, Overheard]
        assert not any(item.for_us for item in asks(items))


def test_another_battery_at_our_address_is_noticed() -> None:
    entry = VECTORS["growatt_eg4_6500ex_poll_1"]
    _, answer = responder().feed(bytes.fromhex(entry["request_hex"] + entry["chunks_hex"][0]))
    assert isinstance(answer, Overheard)
    assert answer.ours


@pytest.mark.parametrize("function", [5, 6])
def test_a_write_to_another_slave_and_its_answer_look_alike_and_are_told_apart(function: int) -> None:
    data = request(9, function, 1, 0xFF00)
    items = responder().feed(data + data + data)
    assert [type(item) for item in items] == [Ask, Overheard, Ask]


def test_coils_of_another_slave_whose_answer_is_as_long_as_a_question() -> None:
    items = responder().feed(request(1 + 8, 1, 0, 20) + sealed(bytes.fromhex("0901030102FF")))
    assert [type(item) for item in items] == [Ask, Overheard]


def test_a_write_that_we_are_told_again_is_acknowledged_again() -> None:
    ours, data = responder("byd-hvm"), request(21, 6, 401, 0x00FF)
    assert answers(ours, data + data, picture()) == [data, data]


def test_another_slaves_answer_that_holds_a_question_for_us_is_not_answered() -> None:
    inner = request(1, 3, 0x13, 16)
    answer = sealed(bytes((9, 3, len(inner))) + inner)
    for chunks in ([request(9, 3, 0, 4) + answer], bytewise(request(9, 3, 0, 4) + answer)):
        ours = responder()
        assert not any(ask.for_us for ask in asks(fed(ours.feed, ours.reset, chunks)))


def test_a_question_behind_a_damaged_one_is_answered() -> None:
    bad = bytearray(request(1, 3, 0x13, 16))
    bad[4] ^= 1
    assert len(answers(responder(), bytes(bad) + request(1, 3, 0x13, 16), picture())) == 1


@pytest.mark.parametrize("missing", ["voltage_v", "soc_pct", "charge_current_limit_a"])
def test_nothing_is_said_while_something_vital_is_not_known(missing: str) -> None:
    assert answers(responder(), request(1, 3, 0x13, 16), picture(without=[missing])) == []


def test_a_discharge_voltage_limit_that_does_not_fit_silences() -> None:
    shown = picture({"discharge_voltage_limit_v": 66.0})
    assert answers(responder("pace"), request(1, 3, 0, 37), shown) == []


def test_growatts_handshake_is_acknowledged_and_changes_nothing() -> None:
    ours = responder()
    before = answers(ours, request(1, 3, 0x13, 16), picture())
    assert answers(ours, bytes.fromhex("01100013000102000" + "0A4F3"), picture()) == [
        bytes.fromhex("011000130001F00C")
    ]
    assert answers(ours, request(1, 3, 0x13, 16), picture()) == before


def test_what_byd_is_told_is_kept_and_read_back() -> None:
    ours = responder("byd-hvm")
    for value in (0x00FF, 0xFF00):
        write = sealed(bytes.fromhex("1510019100010200FF")[:7] + value.to_bytes(2, "big"))
        assert answers(ours, write, picture()) == [request(21, 16, 401, 1)]
        assert registers(answers(ours, request(21, 3, 400, 7), picture())[0]) == [0, value, 0, 0, 0, 0, 0]
    single = request(21, 6, 402, 60)
    assert answers(ours, single, picture()) == [single]
    both = sealed(
        bytes.fromhex("1517") + b"".join(w.to_bytes(2, "big") for w in (300, 1, 400, 1)) + b"\2\0\1"
    )
    assert registers(answers(ours, both, picture())[0]) == [3]
    assert registers(answers(ours, request(21, 3, 400, 3), picture())[0]) == [1, 0xFF00, 60]


def test_epevers_converter_gives_back_what_it_was_told_and_the_battery_does_not() -> None:
    ours = responder("epever")
    values = b"".join(word.to_bytes(2, "big") for word in range(100, 132))
    write = sealed(bytes.fromhex("03109000002040") + values)
    assert answers(ours, write, picture()) == [request(3, 16, 0x9000, 32)]
    assert registers(answers(ours, request(3, 3, 0x9000, 32), picture())[0]) == [*range(100, 132)]
    assert registers(answers(ours, request(4, 3, 0x9002, 1), picture())[0]) == [5527]
    coil = request(3, 5, 8, 0xFF00)
    assert answers(ours, coil, picture()) == [coil]
    assert answers(ours, request(3, 1, 1, 8), picture()) == [sealed(bytes((3, 1, 1, 0x80)))]
    assert answers(ours, request(3, 5, 8, 0x1234), picture()) == [sealed(bytes((3, 0x85, 3)))]


def test_nothing_is_written_of_a_request_that_is_refused() -> None:
    ours = responder("byd-hvm")
    wide = sealed(bytes.fromhex("15100196000204") + b"\0\1\0\1")  # 406 and 407, which is none of ours
    assert answers(ours, wide, picture()) == [sealed(bytes((21, 0x90, 2)))]
    assert registers(answers(ours, request(21, 3, 406, 1), picture())[0]) == [0]


def test_a_missing_pymodbus_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymodbus", None)
    with pytest.raises(ConfigError, match=r'pip install "packbridge\[modbus\]"'):
        responder()


def test_options_that_fit_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown register map"):
        responder("growat")
    with pytest.raises(ConfigError, match="'word-count' is not what this dialect has"):
        responder("voltronic-lib")
    with pytest.raises(ConfigError, match="address: 3 is that of its companion epever-converter"):
        responder("epever", 3)
    with pytest.raises(ConfigError, match="nothing is known of an inverter 'sofar'"):
        Master(Port(None, Options(map="pace", polls="sofar")))


QUESTIONS = st.builds(
    request,
    st.sampled_from([0, 1, 1, 1, 2]),
    st.sampled_from([1, 2, 3, 3, 3, 4, 5, 6]),
    st.sampled_from([0, 0x13, 0x90, 0xFFFF]),
    st.sampled_from([0, 1, 16, 125, 126, 0xFF00]),
)
WRITES = st.binary(min_size=1, max_size=20).map(
    lambda data: sealed(bytes((1, 16, 0, 0x13, 0, 1, len(data))) + data)
)
STREAMS = st.lists(
    st.one_of(st.binary(max_size=30), QUESTIONS, WRITES, QUESTIONS.map(lambda data: data[:-1])), max_size=12
).map(b"".join)


@given(stream=STREAMS, sizes=st.lists(st.integers(1, 40), min_size=1))
def test_any_chunking_of_anything_gives_the_same(stream: bytes, sizes: list[int]) -> None:
    whole, cut = responder(), responder()
    expected = [item for item in fed(whole.feed, whole.reset, [stream]) if not isinstance(item, Dropped)]
    chunks = pieces(stream, cycle(sizes))
    found = [item for item in fed(cut.feed, cut.reset, chunks) if not isinstance(item, Dropped)]
    assert found == expected


@given(stream=STREAMS)
def test_anything_is_answered_rightly_or_not_at_all(stream: bytes) -> None:
    ours, shown = responder(), picture()
    items = fed(ours.feed, ours.reset, [stream])
    sizes = [item.size if isinstance(item, Dropped | Overheard) else len(item.data) for item in items]
    assert sum(sizes) == len(stream)
    for ask in asks(items):
        answer = ours.answer(ask, shown)
        assert (answer is not None) == ask.for_us
        if answer is not None:
            assert ask.address == answer[0] == 1
            assert sealed(answer[:-2]) == answer
            assert answer[1] in {ask.data[1], ask.data[1] | 0x80}
            if answer[1] == 3:
                start, count = (int.from_bytes(ask.data[at : at + 2], "big") for at in (2, 4))
                assert registers(answer) == registers(one(request(1, 3, start, count)))


@given(position=st.integers(0, 7), flip=st.integers(1, 255))
def test_a_damaged_question_is_never_answered(position: int, flip: int) -> None:
    bad = bytearray(request(1, 3, 0x13, 16))
    bad[position] ^= flip
    assert answers(responder(), bytes(bad), picture()) == []


@given(length=st.integers(1, 7))
def test_a_question_that_was_cut_is_given_up_with_the_silence(length: int) -> None:
    ours, good = responder(), request(1, 3, 0x13, 16)
    assert fed(ours.feed, ours.reset, [good[:length]]) == [Dropped(Drop.TRUNCATED, length)]
    assert len(answers(ours, good, picture())) == 1


@pytest.mark.parametrize("byte", [0x00, 0x01, 0x03, 0x10, 0x17, 0xFF])
def test_a_flood_fills_no_memory(byte: int) -> None:
    ours = responder()
    ours.feed(bytes((byte,)) * 1000)
    before = footprint(ours)
    for _ in range(20):
        ours.feed(bytes((byte,)) * 1000)
    assert footprint(ours) <= before + 2 * LONGEST
    ours.reset()
    assert len(answers(ours, request(1, 3, 0x13, 16), picture())) == 1


def test_every_function_that_is_cut_has_a_name_and_a_shape() -> None:
    assert {*SHAPES} == {1, 2, 3, 4, 5, 6, 15, 16, 23}
    frames = Frames()
    for function in SHAPES:
        frames.feed(request(1, function, 0, 1))


@pytest.mark.parametrize("name", STANDARD)
def test_every_map_is_served_from_its_first_to_its_last_register(name: str) -> None:
    known, ours = maps.load(name), responder(name)
    for span in known.spans:
        for function in {*span.functions} - {23}:
            at, left = span.start, span.count
            while left:
                count = min(left, known.most)
                (answer,) = answers(ours, request(known.address, function, at, count), picture())
                assert (answer[1] == function) == (span.refused is None)
                at, left = at + count, left - count
