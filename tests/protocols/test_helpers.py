from __future__ import annotations

import pytest

from bridge.protocols.contract import Dropped, Message, NoReply, Options, Payload, Request, Script, load
from bridge.protocols.jbd import Decoder, Device, Session
from tests.protocols.helpers import (
    Silent,
    ask,
    bytewise,
    differences,
    fed_every_way,
    footprint,
    pieces,
    said_unasked,
    vectors,
)

CELLS = bytes.fromhex("dd0400080f450f3d0f370f3dfec677")


class ChunkIsFrame:
    """A decoder with the mistake that the helpers must catch: it believes chunks to be frames."""

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        return [Message("chunk", {}, {"data": payload.hex()})] if isinstance(payload, bytes) else []

    def sent(self, payload: Payload) -> None:
        pass

    def reset(self) -> list[Message | Dropped]:
        return []


class Hoarder:
    """An object that keeps all it is given."""

    def __init__(self) -> None:
        self.kept: list[tuple[bytes, dict[str, bytes]]] = []

    def keep(self, data: bytes) -> None:
        self.kept.append((data, {"again": data + b"!"}))


def test_a_decoder_that_believes_chunks_is_caught() -> None:
    with pytest.raises(AssertionError, match="in one piece"):
        fed_every_way(ChunkIsFrame, [CELLS[:5], CELLS[5:]])


def test_a_decoder_that_does_not_is_let_through() -> None:
    (message,) = fed_every_way(Decoder, [CELLS])
    assert message.name == "cells"


def test_differences_name_what_is_expected_and_what_is_there() -> None:
    message = Message("any", {"temperatures_c": (1.0, None)}, {"status": 0})
    assert differences(message, {"status": 0, "temperatures_c": [1.0, None]}) == {}
    assert differences(message, {"status": 1, "command": 4}) == {"status": (1, 0), "command": (4, None)}
    assert differences(message, {"command": None}) == {"command": (None, None)}


def test_pieces_are_the_stream_again() -> None:
    assert pieces(b"abcdef", [1, 2, 9]) == [b"a", b"bc", b"def"]
    assert bytewise(b"abc") == [b"a", b"b", b"c"]


def test_a_script_is_answered_by_the_device_or_told_that_nobody_does() -> None:
    reading, sent = ask(
        load("jbd"), Session(Options()).poll(), Device(Options()), {"soc_pct": 61, "cell_voltages_v": (3.3,)}
    )
    assert reading["soc_pct"] == 61
    assert len(sent) == 2
    with pytest.raises(NoReply):
        ask(load("jbd"), Session(Options()).poll(), Silent(), {})


def test_a_script_without_end_is_caught() -> None:
    def endless() -> Script[None]:
        while True:
            try:
                yield Request(b"\x00", "never")
            except NoReply:
                continue

    with pytest.raises(AssertionError, match="still asks after 5 requests"):
        ask(load("jbd"), endless(), Silent(), {}, limit=5)


def test_a_footprint_counts_what_is_kept_however_deep() -> None:
    hoarder = Hoarder()
    empty = footprint(hoarder)
    hoarder.keep(bytes(1000))
    assert footprint(hoarder) >= empty + 2001


def test_a_footprint_sees_into_slots() -> None:
    decoder = Decoder()
    empty = footprint(decoder)
    decoder.feed(CELLS[:-1])
    assert footprint(decoder) == empty + len(CELLS) - 1


def test_a_device_without_a_tick_says_nothing_unasked() -> None:
    assert said_unasked(Silent(), {}) == []


def test_vectors_keep_their_chunks_apart() -> None:
    vector = next(vector for vector in vectors("jbd") if vector.name == "uart_partial_read")
    assert [len(chunk) for chunk in vector.chunks] == [7, 29]
    assert vector.stream == b"".join(vector.chunks)
