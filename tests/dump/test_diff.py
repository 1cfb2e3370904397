"""Two dumps beside each other: what was changed between them is told, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.dump.alignment import Align
from bridge.dump.block import Block, block_of
from bridge.dump.diff import Compared, Difference, Side, compare
from bridge.dump.lint import case_of
from bridge.dump.traces import MOST
from bridge.model import CanFrame
from tests.dump.mutations import bits, both, edited, silence, ten_times_faster, without, word
from tests.dump.streams import Stream, as_block, candump_text, conversation


def stream(name: str = "deye-lv") -> Stream:
    return list(conversation(name))


def moved(block: Block, by_s: float) -> Block:
    return replace(block, time_s=block.time_s + by_s)


def compared(first: Block, second: Block, align: Align = Align.AUTO, size: int = 10**9) -> Compared:
    def pieces(block: Block) -> list[Block]:
        return [block.take(slice(begin, begin + size)) for begin in range(0, len(block), size)]

    return compare(Side(pieces(first), "first"), Side(pieces(second), "second"), align)


def told(found: Compared) -> list[tuple[str, str]]:
    return [(one.kind, one.about) for one in found.differences]


def only(found: Compared) -> Difference:
    (one,) = found.differences
    return one


GENUINE = as_block(stream())


def test_a_dump_does_not_differ_from_itself() -> None:
    found = compared(GENUINE, GENUINE)
    assert (told(found), found.offset is not None and found.offset.seconds) == ([], 0.0)


@settings(max_examples=15)
@given(st.floats(-1e5, 1e5), st.integers(0, 70), st.integers(100, 175))
def test_a_piece_at_another_time_is_laid_where_it_belongs(by_s: float, begin_s: int, end_s: int) -> None:
    """Whatever its clock says, and whichever part it is."""
    time_s = GENUINE.time_s - GENUINE.time_s[0]
    piece = GENUINE.take((time_s >= begin_s) & (time_s <= end_s))
    found = compared(GENUINE, moved(piece, by_s))
    assert found.offset is not None
    assert found.offset.seconds == pytest.approx(-by_s, abs=0.3)
    assert [one for one in found.differences if one.kind == "signal"] == []


def test_a_changed_limit_does_not_spoil_the_alignment_and_is_told_with_its_magnitude() -> None:
    changed = as_block(edited(0x351, word(2, 400))(stream()))
    found = compared(GENUINE, moved(changed, 777.0))
    assert found.offset is not None
    assert found.offset.seconds == pytest.approx(-777.0, abs=0.3)
    assert found.offset.by == ("current_a", "voltage_v")
    one = only(found)
    assert (one.kind, one.about, one.second, one.unit) == ("signal", "charge_current_limit_a", 40.0, "A")
    assert one.largest == pytest.approx(40.0 - float(str(one.first)))
    assert one.share is not None
    assert one.share > 0.8


def test_both_can_be_made_to_begin_together_or_by_their_clocks() -> None:
    later = moved(GENUINE.take(GENUINE.time_s >= GENUINE.time_s[0] + 60), 500.0)
    begin = compared(GENUINE, later, Align.START)
    assert begin.offset is not None
    assert begin.offset.seconds == pytest.approx(-560.0, abs=1.0)
    assert "current_a" in {about for kind, about in told(begin) if kind == "signal"}
    clock = compared(GENUINE, moved(later, -500.0), Align.NONE)
    assert (clock.offset is not None and clock.offset.seconds, told(clock)) == (0.0, [])


@pytest.mark.parametrize(
    ("change", "kind", "about"),
    [
        (without(0x35C), "identifier", "35C requests"),
        (edited(0x359, lambda data: data[:7]), "length", "359"),
        (edited(0x359, bits(6, 0, 0)), "constant", "pn_marker in 359"),
        (edited(0x359, bits(2, 0x02)), "bit", "warning_high_voltage"),
        (edited(0x35C, bits(0, 0, 0x7F), (60, 90)), "bit", "charge_enabled"),
        (edited(0x35C, bits(0, 0x01)), "byte", "35C byte 0"),
        (edited(0x35E, lambda _: b"PYLONDIY"), "text", "manufacturer_name"),
        (silence(50.5, 55.2), "gap", "351"),
        (edited(0x355, word(0, 12)), "signal", "soc_pct"),
    ],
)
def test_what_was_changed_is_told(change: object, kind: str, about: str) -> None:
    assert callable(change)
    found = compared(GENUINE, as_block(change(stream())))
    assert (kind, about) in told(found)
    assert {one for one, _ in told(found)} == {kind}


def test_a_faster_stream_has_other_periods() -> None:
    found = compared(GENUINE, as_block(ten_times_faster(stream())), Align.START)
    (one,) = [one for one in found.differences if one.kind == "period" and one.about == "351"]
    assert (one.first, one.second) == (pytest.approx(1.0, abs=0.01), pytest.approx(0.1, abs=0.01))


def test_two_dialects_are_compared_by_frames_alone() -> None:
    found = compared(GENUINE, as_block(stream("victron-gx")))
    assert found.tongue is None
    assert told(found)[0] == ("dialect", "dialect")
    assert "signal" not in {kind for kind, _ in told(found)}


def test_what_is_the_same_on_the_wire_is_no_other_dialect() -> None:
    """Sol-Ark's without 379 is Pylontech's, padded."""
    sol_ark = as_block(without(0x379)(stream("sol-ark")))
    assert "dialect" not in {kind for kind, _ in told(compared(GENUINE, sol_ark))}


def test_logs_without_times_are_compared_frame_by_frame() -> None:
    untimed = replace(GENUINE, time_s=np.full(len(GENUINE), np.nan))
    changed = as_block(edited(0x355, word(2, 50))(stream()))
    found = compared(untimed, replace(changed, time_s=np.full(len(changed), np.nan)))
    assert told(found) == [("signal", "soh_pct")]
    assert found.begin_s is None


def test_the_size_of_blocks_does_not_matter() -> None:
    changed = as_block(both(edited(0x351, word(4, 300)), silence(90.0, 96.0))(stream()))
    whole, cut = compared(GENUINE, changed), compared(GENUINE, changed, size=37)
    assert told(whole) == told(cut)
    assert [one.largest for one in whole.differences] == [one.largest for one in cut.differences]


def test_a_long_dump_takes_no_more_room() -> None:
    long = GENUINE.take(slice(0, 6))
    pieces = [moved(long, 2400.0 * number) for number in range(100)]
    case = case_of("deye-lv", None)
    assert case is not None
    traces = Side(pieces, "long").read(case.tongue)
    assert traces is not None
    assert traces.width_s > 1
    assert len(traces.course("voltage_v")) == MOST


FRAMES = st.lists(
    st.tuples(
        st.floats(0, 200) | st.just(float("nan")),
        st.sampled_from([0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E, 0x305, 0x6AB]),
        st.binary(max_size=8),
    ),
    max_size=40,
)


@settings(max_examples=25)
@given(FRAMES, FRAMES, st.sampled_from(list(Align)))
def test_any_two_dumps_can_be_compared(
    first: list[tuple[float, int, bytes]], second: list[tuple[float, int, bytes]], align: Align
) -> None:
    blocks = [
        block_of([(time_s, CanFrame(can_id, data)) for time_s, can_id, data in frames])
        for frames in (first, second)
    ]
    case = case_of("deye-lv", None)
    assert case is not None
    found = compare(Side([blocks[0]], "first"), Side([blocks[1]], "second"), align, case.tongue)
    for one in found.differences:
        json.dumps(one.report(), allow_nan=False)
    itself = compare(Side([blocks[0]], "first"), Side([blocks[0]], "first"), Align.START, case.tongue)
    assert itself.differences == ()


# The command


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["dump", "diff", *words])
    return result.exit_code, result.output


def test_the_command_tells_and_ends_with_1(tmp_path: Path) -> None:
    before, after = tmp_path / "before.log", tmp_path / "after.log"
    before.write_text(candump_text(stream()))
    after.write_text(candump_text(edited(0x351, word(0, 560))(stream())))
    code, out = run(str(before), str(before))
    assert code == 0
    assert re.fullmatch(
        r"read as pylontech-lv; the second moved by \+0\.00 s, where current_a, voltage_v, "
        r"charge_current_limit_a agree best; \d+ s in common\nnothing differs\n",
        out,
    )
    code, out = run(str(before), str(after))
    assert code == 1
    assert "charge_voltage_limit_v: 55.2 | 56 V (+0.8" in out
    code, out = run(str(before), str(after), "--align", "start", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert (code, found[0]["about"], found[0]["largest"]) == (1, "charge_voltage_limit_v", 0.8)


def test_the_command_refuses_another_alignment(tmp_path: Path) -> None:
    log = tmp_path / "dump.log"
    log.write_text(candump_text(stream()[:50]))
    result = CliRunner().invoke(app, ["dump", "diff", str(log), str(log), "--align", "best"])
    assert str(result.exception).startswith("--align: unknown 'best'; known: auto, start, none")
