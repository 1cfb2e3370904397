from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.decoding import BadLine
from bridge.dump.codecs import Codec, codec, codecs
from bridge.dump.exchange import sentence, turns
from bridge.dump.serial_capture import Chunk, read, written
from bridge.dump.serial_guess import guess
from bridge.dump.serial_stats import statistics
from bridge.errors import ConfigError
from bridge.protocols.contract import load, names

VECTORS = Path(__file__).parents[1] / "vectors"
ASK = bytes.fromhex("dda50300fffd77")
ANSWER = bytes.fromhex(
    "dd03001d0618000001f201f400002c7c00000000000080640304030b8b0b8a0b84fa8d77"
)  # syssi/esphome-jbd-bms docs/pdus/JBD-SP04S034-L4S-200A-B-U.txt


def chunks(*lines: str) -> list[Chunk | BadLine]:
    return list(read(lines))


def only(line: str) -> Chunk:
    (found,) = chunks(line)
    assert isinstance(found, Chunk)
    return found


@pytest.mark.parametrize(
    ("line", "time_s", "sent"),
    [
        ("dda5", None, False),
        ("< dd a5", None, False),
        (">DD:A5", None, True),
        ("(1714567890.25) > dda5", 1714567890.25, True),
        ("12.5 <dda5  # a comment", 12.5, False),
        ("2024-05-01T12:51:30.5Z < dda5", 1714567890.5, False),
        ("2024-05-01 12:51:30,5 > dda5", 1714567890.5, True),
        ("[12:51:30][D][uart_debug:158]: >>> DD:A5", 46290.0, True),
        ("[12:51:30.250][D][uart_debug:158]: <<< DD:A5", 46290.25, False),
        ("12:51:30.25 TX dda5", 46290.25, True),
        ("00:00:01.5 rx: dd a5", 1.5, False),
    ],
)
def test_a_line_is_bytes_with_a_direction_and_a_time_if_there_is_one(
    line: str, time_s: float | None, sent: bool
) -> None:
    assert only(line) == Chunk(1, time_s, sent, b"\xdd\xa5")


def test_bytes_with_colons_are_no_time() -> None:
    assert only("12:34:56:78").data == b"\x12\x34\x56\x78"


def test_blank_lines_and_comments_are_passed_over_and_others_are_complained_of_by_number() -> None:
    assert chunks("", "# a capture", "< dda5", "hello", "< d", "(1.5) <", "<") == [
        Chunk(3, None, sent=False, data=b"\xdd\xa5"),
        BadLine(4, "hello"),
        BadLine(5, "< d"),
        BadLine(6, "(1.5) <"),
        BadLine(7, "<"),
    ]


def test_a_time_of_day_goes_on_over_midnight() -> None:
    found = chunks("23:59:59.5 > 01", "00:00:00.5 < 02", "00:00:00.25 < 03", "12:00:00 < 04", "23:59:59 < 05")
    found += chunks("23:59:59 < 01")
    times = [one.time_s for one in found if isinstance(one, Chunk)]
    assert times == [86399.5, 86400.5, 86400.25, 129600.0, 172799.0, 86399.0]


@given(st.binary(min_size=1, max_size=40), st.booleans(), st.none() | st.integers(0, 2**41))
def test_what_is_written_is_read_again(data: bytes, sent: bool, time_us: int | None) -> None:
    chunk = Chunk(1, None if time_us is None else time_us / 1e6, sent, data)
    found = only(written(chunk))
    assert (found.sent, found.data) == (sent, data)
    assert found.time_s == (None if time_us is None else pytest.approx(time_us / 1e6, abs=2e-6))


@given(st.text(max_size=60))
def test_no_line_whatever_raises(line: str) -> None:
    assert len(chunks(line)) <= len(line.splitlines()) + 1


# Codecs


def test_every_protocol_with_a_wire_is_found_by_listing_the_folder() -> None:
    on_wires = {name for name in names() if load(name).spec.links != ("can",)}
    assert on_wires <= set(codecs())
    assert len(on_wires) >= 10


def test_every_dialect_that_inverters_ask_in_is_found_and_each_register_map() -> None:
    both_ways = {name for name, codec in codecs().items() if codec.both_ways}
    assert {"kostal", "voltronic-lib", "pylontech-rs485", "modbus:growatt-1xsxxp"} <= both_ways


def test_of_an_exchange_both_directions_are_told_and_only_answers_count_as_such() -> None:
    # The EG4 6500EX with its EG4-LL: gonzalop/wombatt docs/cmds/forward.md.
    vector = json.loads((VECTORS / "modbus_maps.json").read_text())[0]
    asked = Chunk(1, 0.0, sent=True, data=bytes.fromhex(vector["request_hex"]))
    came = Chunk(2, 0.05, sent=False, data=bytes.fromhex(vector["chunks_hex"][0]))

    question, answer, *_ = [
        record for turn in turns([asked, came], codec("modbus:growatt-1xsxxp")) for record in turn.records()
    ]

    assert question["sent"] is True
    assert answer["voltage_v"] == vector["expect"]["voltage_v"]
    assert statistics([asked, came], codec("modbus:growatt-1xsxxp"))["questions"] == 1


def test_an_unknown_codec_is_said_with_what_is_near() -> None:
    with pytest.raises(ConfigError, match='Did you mean "jbd"'):
        codec("jdb")


# Guessing


def captures(name: str) -> list[list[Chunk]]:
    """Every capture of a protocol's real devices, as chunks."""
    found = []
    for vector in json.loads((VECTORS / f"{name.replace('-', '_')}.json").read_text()):
        requests = [vector["request_hex"]] if vector.get("request_hex") else []
        asked = [Chunk(1, None, sent=True, data=bytes.fromhex(one)) for one in requests]
        came = [Chunk(2, None, sent=False, data=bytes.fromhex(one)) for one in vector.get("chunks_hex", [])]
        if came:
            found.append(asked + came)
    return found


TOLD_APART = [name for name in codecs() if (VECTORS / f"{name.replace('-', '_')}.json").exists()]


@pytest.mark.parametrize("name", TOLD_APART)
def test_each_capture_of_a_real_device_is_told_from_all_other_codecs(name: str) -> None:
    guesses = [guess(one) for one in captures(name)]
    best = [found[0] for found in guesses if any(one.name == name and one.quantities for one in found)]
    assert best or name == "kostal"  # of which one status answer was captured, without quantities
    wrong = [one.name for one in best if one.name != name]
    assert wrong == (["jk"] if name == "jk-pb" else [])  # a lone JK02 frame is the same on both


def test_a_guess_says_how_much_it_explains_and_what_it_saw() -> None:
    noisy = [Chunk(1, None, sent=False, data=b"\x55" * 9 + ANSWER)]
    best, *others = guess(noisy)
    assert (best.name, best.messages, best.kinds) == ("jbd", 1, ("basic",))
    assert best.explained == pytest.approx(36 / 45)
    assert best.dropped == {"noise": 9}
    assert "voltage_v" in best.quantities
    assert others == []


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=5))
def test_noise_fits_nothing_well(data: list[bytes]) -> None:
    for candidate in guess([Chunk(n, None, sent=False, data=one) for n, one in enumerate(data)]):
        assert candidate.messages > 0
        assert 0.0 <= candidate.explained <= 1.0


# Reading


def test_a_message_spread_over_chunks_is_told_with_the_one_that_ends_it() -> None:
    halves = [Chunk(1, 0.0, True, ASK), Chunk(2, 0.1, False, ANSWER[:10]), Chunk(3, 0.2, False, ANSWER[10:])]
    *_, last = turns(halves, codec("jbd"))
    (record,) = last.records()
    assert (record["t"], record["line"], record["message"], record["voltage_v"]) == (0.2, 3, "basic", 15.6)
    assert sentence(record).startswith("basic: voltage_v 15.6, current_a 0.0, soc_pct 100")


def test_what_was_incomplete_at_the_end_is_told_without_a_line() -> None:
    *_, last = turns([Chunk(1, 0.0, False, ANSWER[:10])], codec("jbd"))
    assert last.chunk is None
    assert [record.get("error") for record in last.records()] == ["truncated"]


# Statistics


def exchange(second: float, *, first_s: float | None = 0.05, whole_s: float = 0.1) -> list[Chunk]:
    """A question and its answer in two parts; None: no answer."""
    found = [Chunk(1, second, sent=True, data=ASK)]
    if first_s is not None:
        found.append(Chunk(2, second + first_s, sent=False, data=ANSWER[:12]))
        found.append(Chunk(3, second + whole_s, sent=False, data=ANSWER[12:]))
    return found


def counted(*conversation: list[Chunk], name: str = "jbd") -> dict[str, object]:
    return statistics([chunk for part in conversation for chunk in part], codec(name))


def test_turnaround_times_are_to_the_first_byte_and_to_the_whole_message() -> None:
    slow = exchange(4.0, first_s=0.2, whole_s=0.9)
    found = counted(*(exchange(float(second)) for second in range(4)), slow)
    assert (found["questions"], found["unanswered"], found["late"]) == (5, 0, 1)
    assert found["first_byte"] == {"p50_ms": 50.0, "p99_ms": 200.0, "max_ms": 200.0}
    assert found["complete"] == {"p50_ms": 100.0, "p99_ms": 900.0, "max_ms": 900.0}
    period = {"p50_ms": 1000.0, "p99_ms": 1800.0, "max_ms": 1800.0}
    assert found["messages"] == [{"message": "basic", "address": None, "count": 5, "period": period}]


def test_questions_without_an_answer_are_counted_by_what_was_asked() -> None:
    found = counted(exchange(0.0), exchange(1.0, first_s=None), exchange(2.0, first_s=None), exchange(3.0))
    assert (found["questions"], found["unanswered"], found["garbled"]) == (4, 2, 0)
    assert found["without_answer"] == [{"request": ASK.hex(), "unanswered": 2, "asked": 4}]


def test_an_answer_that_cannot_be_read_is_garbled_and_an_error() -> None:
    spoilt = [Chunk(1, 0.0, True, ASK), Chunk(2, 0.05, False, ANSWER[:-3] + b"\x00\x00\x77")]
    found = counted(spoilt, exchange(1.0))
    assert (found["unanswered"], found["garbled"]) == (1, 1)
    assert found["errors"] == {"checksum": {"count": 1, "bytes": 36}}


def test_a_question_sent_in_pieces_is_one() -> None:
    pieces = [Chunk(1, 0.0, True, ASK[:3]), Chunk(2, 0.01, True, ASK[3:]), Chunk(3, 0.1, False, ANSWER)]
    found = counted(pieces)
    assert (found["questions"], found["unanswered"], found["bytes_sent"]) == (1, 0, len(ASK))
    assert found["complete"] == {"p50_ms": 90.0, "p99_ms": 90.0, "max_ms": 90.0}


def test_without_times_there_are_counts_and_no_durations() -> None:
    timeless = [Chunk(one.number, None, one.sent, one.data) for one in exchange(0.0)]
    found = counted(timeless)
    assert (found["duration_s"], found["first_byte"], found["complete"]) == (None, None, None)
    assert (found["questions"], found["unanswered"]) == (1, 0)


def test_what_only_listens_knows_of_no_question() -> None:
    found = counted([one for one in exchange(0.0) if not one.sent])
    assert (found["questions"], found["bytes_received"]) == (0, len(ANSWER))


def test_a_codec_is_its_name_its_wire_and_its_reader() -> None:
    found = codec("jbd")
    assert isinstance(found, Codec)
    assert not found.both_ways
    assert found.baudrate == 9600
