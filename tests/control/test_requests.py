"""Requests on the wire: what is said is what is read, and nothing else is taken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.battery.leases import LeaseRequest
from bridge.control.requests import (
    LIMITS,
    VERBS,
    ClearFaults,
    Departures,
    DropLease,
    GiveCycle,
    Hello,
    Leave,
    ListLeases,
    Request,
    Return,
    SetLease,
    Status,
    TakeCycle,
    Why,
    encode,
    parse,
)
from bridge.errors import ConfigError
from bridge.model import Limit

ALL: list[Request] = [
    Hello(),
    Status(),
    Why(),
    Why(Limit.DVL),
    Leave("garage", 1800.0),
    Return("garage"),
    Departures(),
    SetLease(LeaseRequest(name="tariff", limit=Limit.CCL, value=50.0, ttl_s=900.0, reason="cheap at night")),
    DropLease("tariff"),
    ListLeases(),
    ClearFaults(),
    GiveCycle(),
    TakeCycle(),
]


@pytest.mark.parametrize("request_", ALL, ids=lambda one: type(one).__name__)
def test_every_request_comes_back_as_it_was(request_: Request) -> None:
    assert parse(encode(request_)) == request_


def test_every_verb_is_spoken_by_some_request() -> None:
    assert {json.loads(encode(one))["do"] for one in ALL} == set(VERBS)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "found no JSON"),
        (b"\xff\xfe", "found no JSON"),
        (b"[" * 4000, "found no JSON"),
        (b"[]", "found another version or none"),
        (b'{"do": "status"}', "found another version or none"),
        (b'{"v": 2, "do": "status"}', "found another version or none"),
        (b'{"v": 1}', '"do": known are hello, status'),
        (b'{"v": 1, "do": "statsu"}', 'Did you mean "status"'),
        (b'{"v": 1, "do": "status", "x": 1}', "status: unknown key x; known: none"),
        (b'{"v": 1, "do": "why", "limit": "soc"}', "why: limit: found soc; allowed: cvl, dvl, ccl, dcl"),
        (b'{"v": 1, "do": "leave", "pack": "a"}', "leave: ttl_s: a number is needed"),
        (b'{"v": 1, "do": "leave", "pack": "a", "ttl_s": true}', "leave: ttl_s: a number is needed"),
        (b'{"v": 1, "do": "leave", "pack": "", "ttl_s": 1}', "pack: a text of 1 to 120"),
        (b'{"v": 1, "do": "return", "pack": "a\\u001b[2J"}', "cannot be printed"),
    ],
)
def test_what_is_not_understood_is_answered_with_what_would_be(line: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(line)
    assert complaint in str(caught.value)


def test_a_number_beyond_reason_is_none() -> None:
    with pytest.raises(ConfigError, match="a number is needed"):
        parse(b'{"v": 1, "do": "leave", "pack": "a", "ttl_s": 1' + b"0" * 400 + b"}")


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(line: bytes) -> None:
    with pytest.raises(ConfigError):
        parse(line)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(sorted(VERBS)),
    st.dictionaries(st.sampled_from(["pack", "ttl_s", "name", "limit", "value"]), JSON),
)
def test_a_request_is_read_or_refused_whatever_its_values(verb: str, values: dict[str, object]) -> None:
    try:
        found = parse(json.dumps({"v": 1, "do": verb, **values}).encode())
    except ConfigError:
        return
    assert parse(encode(found)) == found or values.get("value") != values.get("value")


def test_the_limits_have_the_names_that_people_use() -> None:
    assert LIMITS["ccl"] is Limit.CCL
    assert set(LIMITS) == {"cvl", "dvl", "ccl", "dcl"}
