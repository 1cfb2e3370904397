"""Lint is silent on what is healthy, finds what was planted, and says it once."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bridge import profiles
from bridge.cli.main import app
from bridge.dump.block import ERROR, FD, REMOTE, Block, block_of
from bridge.dump.lint import BATCH, Finding, case_of, counted, lint, opened, rules
from bridge.dump.problems import Problems
from bridge.dump.reading import read
from bridge.dump.rule import Severity
from bridge.dump.tongues import tongues
from bridge.dump.view import Case
from bridge.model import CanFrame
from tests.dump.captures import FAULTY, captures
from tests.dump.mutations import MUTATIONS
from tests.dump.streams import as_block, candump_text, conversation

ROOT = Path(__file__).parents[2]
WELL_KNOWN = {"imeon": ["cells-assumed"]}  # the simulated bank has 16 cells, an IMEON takes 15 for granted


def guessed_and_linted(block: Block) -> list[Finding]:
    found = opened([block], None)
    assert found.case is not None
    return lint(found.blocks, found.case)


def case_for(profile: str) -> Case:
    found = case_of(profile, None)
    assert found is not None
    return found


def names(findings: list[Finding]) -> list[str]:
    return [one.rule for one in findings]


def read_log(path: Path, text: str) -> list[Block]:
    path.write_text(text)
    problems = Problems()
    blocks = list(read([str(path)], problems))
    assert problems.count == 0, problems.first
    return blocks


@cache
def mutated(rule: str) -> str:
    mutation = MUTATIONS[rule]
    return mutation.log(list(conversation(mutation.profile)))


@pytest.mark.parametrize("name", captures())
def test_nothing_is_found_in_a_healthy_capture(name: str) -> None:
    assert names(guessed_and_linted(captures()[name][1])) == FAULTY.get(name, [])


@pytest.mark.parametrize("name", profiles.can())
def test_nothing_is_found_in_minutes_of_any_profile_of_ours(name: str) -> None:
    block = as_block(conversation(name))
    assert names(lint([block], case_for(name))) == WELL_KNOWN.get(name, [])


@pytest.mark.parametrize(
    "name", ["deye-lv", "victron-gx", "solax-hv", "byd-lv", "growatt-hv", "schneider-xw"]
)
def test_nothing_is_found_if_the_profile_has_to_be_guessed(name: str) -> None:
    assert names(guessed_and_linted(as_block(conversation(name)))) == []


def test_every_rule_has_a_fault_that_it_finds() -> None:
    assert list(rules()) == sorted(MUTATIONS)
    assert len(rules()) >= 25


@pytest.mark.parametrize("rule", MUTATIONS)
def test_the_planted_fault_is_found_and_is_not_there_without(rule: str, tmp_path: Path) -> None:
    case = case_for(MUTATIONS[rule].profile)
    blocks = read_log(tmp_path / "mutated.log", mutated(rule))
    found = lint(blocks, case)
    assert rule in names(found), [(one.rule, one.text) for one in found]
    seconds = MUTATIONS[rule].seconds
    genuine = [one for one in conversation(MUTATIONS[rule].profile) if one[0] <= seconds]
    healthy = lint(read_log(tmp_path / "genuine.log", candump_text(genuine)), case)
    assert [name for name in names(healthy) if name not in WELL_KNOWN.get(MUTATIONS[rule].profile, [])] == []


@pytest.mark.parametrize("rule", [name for name in MUTATIONS if MUTATIONS[name].profile != "imeon"])
def test_what_is_found_does_not_depend_on_where_a_dump_is_cut_into_blocks(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_for(MUTATIONS[rule].profile)
    (block,) = read_log(tmp_path / "mutated.log", mutated(rule))
    whole = {(one.rule, one.about): one.count for one in lint([block], case)}
    monkeypatch.setattr("bridge.dump.lint.BATCH", 1)
    chance = random.Random(rule)
    cuts = [0, *sorted(chance.sample(range(40, len(block) - 40), 3)), len(block)]
    pieces = [block.take(slice(begin, end)) for begin, end in pairwise(cuts)]
    cut = {(one.rule, one.about): one.count for one in lint(pieces, case)}
    assert {one: count for one, count in cut.items() if one[0] not in BY_BLOCK} == {
        one: count for one, count in whole.items() if one[0] not in BY_BLOCK
    }


BY_BLOCK = {"period", "torn-cycle", "name", "spacing"}  # which look at many frames of a block at once


def test_many_frames_are_one_finding_with_the_first_the_last_and_the_worst(tmp_path: Path) -> None:
    (block,) = read_log(tmp_path / "dump.log", mutated("negative-limit"))
    (found,) = [one for one in lint([block], case_for("deye-lv")) if one.rule == "negative-limit"]
    rows = np.flatnonzero(block.can_id == 0x351)
    assert found.count == len(rows)
    assert (found.first_s, found.last_s) == (block.time_s[rows[0]], block.time_s[rows[-1]])
    assert found.frame is not None
    assert found.frame.startswith("351#")
    assert found.line == int(block.line[rows[0]])
    assert found.severity is Severity.ERROR


def test_a_reason_is_that_of_the_inverter() -> None:
    rule = rules()["cvl-zero"]
    assert "W31" in rule.reason("deye-lv", "pylontech-lv")
    assert "overcharged" in rule.reason("victron-gx", "victron")
    assert rule.reason("studer-xcom", "pylon-lv-v2") == rule.why[""]


@pytest.mark.parametrize("name", rules())
def test_every_rule_says_what_why_and_what_to_do(name: str) -> None:
    rule = rules()[name]
    known = {*profiles.can(), *(one.name for one in tongues()), ""}
    assert rule.why.keys() <= known
    assert "" in rule.why
    for text in (*rule.why.values(), rule.do):
        assert text[0].isupper() or text[0].isdigit(), text
        assert text.endswith((".", "?")), text
    assert not rule.finds.endswith(".")


def test_unknown_frames_have_no_case() -> None:
    found = opened([as_block([])], None)
    assert found.case is None


def test_findings_are_counted_by_severity(tmp_path: Path) -> None:
    found = counted(lint(read_log(tmp_path / "dump.log", mutated("stray-bits")), case_for("deye-lv")))
    assert (found.errors, found.warnings, found.notes, found.clean) == (0, 0, 1, True)


def test_small_blocks_wait_for_each_other(tmp_path: Path) -> None:
    """A live bus gives a frame at a time; a rule that needs some on end is given them."""
    (block,) = read_log(tmp_path / "dump.log", mutated("current-beyond-limit"))
    assert len(block) < BATCH
    single = [block.take(slice(row, row + 1)) for row in range(len(block))]
    assert names(lint(single, case_for("deye-lv"))) == names(lint([block], case_for("deye-lv")))


# The command


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["dump", "lint", *words])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_shows_frame_line_reason_and_advice_and_ends_with_1(tmp_path: Path) -> None:
    log = tmp_path / "dump.log"
    log.write_text(mutated("cvl-zero"))
    code, out, _ = run(str(log), "--profile", "deye-lv")
    assert code == 1
    assert "cvl-zero: CVL 0.1 V" in out
    assert re.search(rf"351#0100\w+ at 0\.000 s, \d+ times from 0\.000 to \d+\.\d+ s, {log} line 1", out)
    assert "A Deye raises W31 and goes on with the last current." in out
    assert "-> Send the battery's present voltage as CVL, and CCL 0." in out
    assert out.splitlines()[-1].startswith("1 errors")


def test_the_command_is_content_with_a_healthy_dump_and_says_what_it_takes_it_for(tmp_path: Path) -> None:
    log = tmp_path / "dump.log"
    log.write_text(candump_text(conversation("victron-gx")[:400]))
    code, out, error = run(str(log))
    assert (code, out) == (0, "0 errors, 0 warnings, 0 notes\n")
    assert "taken for victron for victron-gx" in error


def test_the_command_gives_json_a_line_and_leaves_rules_out(tmp_path: Path) -> None:
    log = tmp_path / "dump.log"
    log.write_text(mutated("soc-range"))
    code, out, _ = run(str(log), "--profile", "deye-lv", "--json")
    (found,) = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert (found["rule"], found["severity"], found["about"]) == ("soc-range", "error", "soc_pct")
    assert found["source"].endswith("dump.log")
    code, out, _ = run(str(log), "--profile", "deye-lv", "--without", "soc-range")
    assert (code, out) == (0, "0 errors, 0 warnings, 0 notes\n")


def test_the_command_lists_its_rules() -> None:
    code, out, _ = run("--rules")
    assert code == 0
    assert [line.split(":")[0].split()[1] for line in out.splitlines()] == list(rules())


def test_the_command_says_if_nothing_is_known(tmp_path: Path) -> None:
    log = tmp_path / "dump.log"
    log.write_text("(1.0) can0 6AB#0102\n")
    code, out, error = run(str(log))
    assert (code, out) == (1, "")
    assert "--profile says what they should be" in error


def test_a_charge_bit_left_on_at_no_current_is_told_unless_the_battery_is_full() -> None:
    """Genuine Deye packs do it at 100 %; half full it is a contradiction."""
    _, block = captures()["deye-pcs-full-charge-bit-left-on"]
    case = case_for("deye-pcs")
    assert names(lint([block], case)) == []
    data = block.data.copy()
    data[block.can_id == 0x355, 0] = 50
    half_full = lint([replace(block, data=data)], case)
    assert [(one.rule, one.text) for one in half_full] == [
        ("enable-against-limit", "charge is allowed, with a limit of 0 A")
    ]


ALL_TONGUES = [Case(tongue=one, profile=next(iter(one.profiles), None), chosen=True) for one in tongues()]


@st.composite
def noise(draw: st.DrawFn) -> tuple[Case, Block]:
    """Frames of a dialect's identifiers and of others, with any data, length, flags and times."""
    case = draw(st.sampled_from(ALL_TONGUES))
    keys = sorted({*case.tongue.battery, *case.tongue.inverter})
    ids = st.sampled_from(keys) | st.integers(0, 0x7FF)
    times = st.floats(0, 300) | st.just(float("nan")) if draw(st.booleans()) else st.just(float("nan"))
    frames = draw(st.lists(st.tuples(times, ids, st.binary(max_size=8)), max_size=60))
    flags = draw(
        st.lists(st.sampled_from([0, 0, 0, REMOTE, ERROR, FD]), min_size=len(frames), max_size=len(frames))
    )
    rows = [(time_s, CanFrame(key & 0xFFFFFFFF, data, bool(key >> 32))) for time_s, key, data in frames]
    return case, block_of(rows, flags=flags)


@settings(max_examples=80)
@given(noise(), st.integers(1, 60))
def test_any_frames_can_be_linted_without_a_word_of_numpy(given_: tuple[Case, Block], size: int) -> None:
    case, block = given_
    pieces = [block.take(slice(begin, begin + size)) for begin in range(0, len(block), size)]
    for finding in lint(pieces, case):
        json.dumps(finding.report(), allow_nan=False)
        assert finding.count >= 1
        assert finding.text
