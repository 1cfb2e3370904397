from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.sinks.echo import Echo


def through(echo: Echo, data: bytes, size: int, at_s: float = 0.0) -> bytes:
    pieces = [data[begin : begin + size] for begin in range(0, len(data), size)]
    return b"".join(echo.without(piece, at_s) for piece in pieces)


@given(sent=st.binary(min_size=1, max_size=40), after=st.binary(max_size=40), size=st.integers(1, 50))
def test_our_own_words_are_taken_out_once_and_all_else_is_left(sent: bytes, after: bytes, size: int) -> None:
    echo = Echo()
    echo.sent(sent, until_s=1.0)
    assert through(echo, sent + after, size) == after
    assert echo.count == 1
    assert echo.without(sent, 0.5) == sent


@given(sent=st.binary(min_size=1, max_size=20), heard=st.binary(max_size=40), size=st.integers(1, 50))
def test_what_is_no_echo_loses_no_byte(sent: bytes, heard: bytes, size: int) -> None:
    echo = Echo()
    echo.sent(sent, until_s=1.0)
    left = through(echo, heard, size) + echo.release()
    assert left == (heard.removeprefix(sent))


def test_an_echo_that_comes_too_late_is_none() -> None:
    echo = Echo()
    echo.sent(b"abc", until_s=1.0)
    assert echo.without(b"ab", 0.9) == b""
    assert echo.without(b"c", 1.1) == b"abc"


def test_nothing_is_expected_before_anything_was_sent() -> None:
    assert Echo().without(b"abc", 0.0) == b"abc"
