"""What holds for every dialect in which an inverter asks, whoever wrote it."""

from __future__ import annotations

from functools import cache
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.responders.contract import Dropped, Message, Port, Responder, Table, Understood, load, names
from tests.protocols.helpers import pieces
from tests.responders.pictures import asks, fed, picture

NAMES = names()
OPTIONS: dict[str, dict[str, str]] = {"modbus": {"map": "pace"}}
each = pytest.mark.parametrize("name", NAMES)


def port(name: str) -> Port[Table]:
    entry = load(name)
    return Port(entry.spec.address, entry.options.model_validate(OPTIONS.get(name, {})))


def made(name: str) -> Responder:
    return load(name).responder(port(name))


@cache
def questions(name: str, count: int) -> tuple[bytes, ...]:
    """What its inverter asks while nobody answers, and what it asks once it is answered."""
    master, responder = load(name).master(port(name)), made(name)
    found = []
    for _ in range(count):
        data = master.question().data
        found.append(data)
        for ask in asks(responder.feed(data)):
            master.feed(responder.answer(ask, picture()) or b"")
    return tuple(found)


def test_there_are_as_many_dialects_as_there_should_be() -> None:
    assert {"pylontech-rs485", "modbus", "voltronic-lib", "kostal"} <= {*NAMES}


def test_an_unknown_dialect_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown dialect 'modbuss'; known: kostal, modbus"):
        load("modbuss")


@each
def test_its_line_is_said_in_figures(name: str) -> None:
    spec = load(name).spec
    assert spec.maker
    assert spec.silence_s >= 0.02
    assert spec.address is None or spec.addresses is None or spec.address in spec.addresses


@each
def test_an_inverter_and_its_battery_understand_each_other(name: str) -> None:
    master, responder = load(name).master(port(name)), made(name)
    heard = []
    for _ in range(12):
        question = master.question()
        (ask,) = asks(responder.feed(question.data))
        assert (ask.for_us, ask.data) == (True, question.data)
        answer = responder.answer(ask, picture())
        assert (answer is not None) == question.answered
        heard += master.feed(answer or b"")
    assert heard
    assert all(isinstance(item, Understood) for item in heard)


@each
def test_both_directions_of_that_are_read_as_a_capture(name: str) -> None:
    entry, responder = load(name), made(name)
    exchange = entry.exchange(entry.options.model_validate(OPTIONS.get(name, {})))
    for data in questions(name, 8):
        (asked,) = exchange.sent(data)
        assert isinstance(asked, Message)
        for ask in asks(responder.feed(data)):
            assert asked.name == ask.name
            if (answer := responder.answer(ask, picture())) is not None:
                found = exchange.feed(answer)
                assert [type(item) for item in found] == [Message]
    assert exchange.reset() == []


NEVER_TOO_LARGE = {"kostal"}  # floats


@each
def test_what_does_not_fit_goes_smaller_and_is_named(name: str) -> None:
    huge_a, huge_v = 9e4, 9000.0
    wide = picture(
        {
            "charge_voltage_limit_v": huge_v, "charge_current_limit_a": huge_a, "current_a": -huge_a,
            "discharge_current_limit_a": huge_a, "full_ah": huge_a,
        }
    )  # fmt: skip
    master, responder = load(name).master(port(name)), made(name)
    heard: dict[str, float] = {}
    for _ in range(12):
        for ask in asks(responder.feed(master.question().data)):
            for item in master.feed(responder.answer(ask, wide) or b""):
                assert isinstance(item, Understood)
                heard |= {key: value for key, value in item.values.items() if isinstance(value, int | float)}
    less = {key for key, value in heard.items() if abs(value) < abs(wide.number(key)) - 1.0}

    assert responder.too_large(picture()) == frozenset()
    assert less <= responder.too_large(wide)
    assert bool(less & wide.values.keys()) == (name not in NEVER_TOO_LARGE)


@each
@settings(max_examples=40)
@given(data=st.data())
def test_any_chunking_of_anything_asks_the_same_and_never_raises(name: str, data: st.DataObject) -> None:
    good = questions(name, 6)
    stream = b"".join(
        data.draw(st.lists(st.one_of(st.sampled_from(good), st.binary(max_size=20)), max_size=8))
    )
    sizes = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=5))
    whole, cut = made(name), made(name)
    expected = asks(fed(whole.feed, whole.reset, [stream]))
    assert asks(fed(cut.feed, cut.reset, pieces(stream, cycle(sizes)))) == expected
    for ask in expected:
        assert isinstance(whole.answer(ask, picture()), bytes | None)
    entry = load(name)
    exchange = entry.exchange(entry.options.model_validate(OPTIONS.get(name, {})))
    for item in (*exchange.sent(stream), *exchange.feed(stream), *exchange.reset()):
        assert isinstance(item, Message | Dropped)


@each
@settings(max_examples=40)
@given(data=st.data())
def test_a_master_never_raises_and_believes_nothing_that_is_damaged(name: str, data: st.DataObject) -> None:
    master, responder = load(name).master(port(name)), made(name)
    question = master.question()
    (ask,) = asks(responder.feed(question.data))
    answer = responder.answer(ask, picture()) or b""
    at = data.draw(st.integers(0, max(0, len(answer) - 1)))
    flip = data.draw(st.integers(1, 255))
    bad = bytearray(answer)
    if bad:
        bad[at] ^= flip
    heard = [*master.feed(bytes(bad)), *master.reset()]
    assert not any(isinstance(item, Understood) for item in heard)
    master.feed(data.draw(st.binary(max_size=60)))
