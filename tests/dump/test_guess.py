"""What a dump is taken for: real captures, all profiles' own streams, pieces of them, and noise."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bridge import profiles
from bridge.cli.main import app
from bridge.dump.block import Block, block_of, joined
from bridge.dump.guess import Guess, guess
from bridge.dump.survey import KEPT_SAMPLES, survey
from bridge.dump.tongues import tongues
from bridge.model import CanFrame
from tests.dump.captures import captures
from tests.dump.streams import as_block, conversation

UNTIMED = float("nan")
SAME_ON_THE_WIRE = {"pylontech-lv": ["pylontech-lv", "sol-ark"]}  # padded, and without 379


def guessed(*blocks: Block) -> Guess:
    return guess(survey(blocks))


@cache
def of_profile(name: str) -> Guess:
    return guessed(as_block(conversation(name)))


def names(found: Guess) -> list[str]:
    return [one.tongue.name for one in found.candidates]


def first(found: Guess) -> str:
    assert found.best is not None
    return found.best.tongue.name


@pytest.mark.parametrize("name", captures())
def test_every_real_capture_is_named_rightly(name: str) -> None:
    dialect, block = captures()[name]
    assert first(guessed(block)) == dialect


def test_there_are_enough_captures() -> None:
    assert len(captures()) >= 16


@pytest.mark.parametrize("name", profiles.can())
def test_every_profile_is_named_by_its_own_frames(name: str) -> None:
    profile, found = profiles.load(name), of_profile(name)
    assert found.best is not None
    assert found.best.tongue.shown == f"{profile.dialect}" + (
        f" + 0x{profile.id_offset:X}" if profile.id_offset else ""
    )
    likely = [one.profile.name for one in found.best.families if one.like]
    assert name in likely or name == "imeon"  # no frame of an IMEON is known, and 305 was not seen
    tied = [one.tongue.name for one in found.candidates if one.tied]
    assert tied == SAME_ON_THE_WIRE.get(profile.dialect, [])


@pytest.mark.parametrize("name", [name for name, (_, block) in captures().items() if len(block) >= 5])
def test_one_identifier_less_changes_nothing(name: str) -> None:
    dialect, block = captures()[name]
    for can_id in np.unique(block.can_id):
        rest = block.take(block.can_id != can_id)
        found = guessed(rest)
        tied = [one.tongue.name for one in found.candidates if one.tied]
        assert first(found) == dialect or dialect in tied, hex(can_id)


JUNK = st.lists(
    st.tuples(st.integers(0x500, 0x6FF), st.binary(min_size=0, max_size=8)), min_size=1, max_size=40
)


@settings(max_examples=20)
@given(JUNK, st.sampled_from(sorted(captures())))
def test_other_devices_on_the_bus_do_not_matter(junk: list[tuple[int, bytes]], name: str) -> None:
    dialect, block = captures()[name]
    known = {key for tongue in tongues() for key in (*tongue.battery, *tongue.inverter)}
    frames = [(UNTIMED, CanFrame(can_id, data)) for can_id, data in junk if can_id not in known]
    assert first(guessed(block_of(frames), block, block_of(frames))) == dialect


@pytest.mark.parametrize("size", [3, 40, 700])
def test_the_size_of_blocks_does_not_matter(size: int) -> None:
    block = as_block(conversation("luxpower"))
    pieces = [block.take(slice(start, start + size)) for start in range(0, len(block), size)]
    assert names(guessed(*pieces)) == names(of_profile("luxpower"))


@given(st.lists(st.tuples(st.integers(0, 0x7FF), st.binary(max_size=8)), max_size=30))
def test_any_frames_are_ranked_and_the_score_is_the_sum_of_its_evidence(
    frames: list[tuple[int, bytes]],
) -> None:
    found = guessed(block_of([(UNTIMED, CanFrame(can_id, data)) for can_id, data in frames]))
    for one in found.candidates:
        assert one.score == pytest.approx(sum(each.points for each in one.evidence))
    scores = [one.score for one in found.candidates if not one.tied]
    assert scores == sorted(scores, reverse=True)


def test_nothing_known_is_no_candidate() -> None:
    found = guessed(block_of([(UNTIMED, CanFrame(0x6AB, b"\1\2"))]))
    assert (found.best, found.unknown) == (None, (0x6AB,))


def test_a_value_that_can_not_be_speaks_against_a_dialect() -> None:
    _, block = captures()["discover-lynk-two-cycles"]
    (pylontech,) = [one for one in guessed(block).candidates if one.tongue.name == "pylon-lv-v2"]
    assert any(
        "5.35 V under a charge voltage limit of 55.9 V" in one.text and one.points < 0
        for one in pylontech.evidence
    )


def test_battery_and_inverter_are_told_by_what_they_say() -> None:
    found = guessed(captures()["deye-pcs-se-full-charge-blocked"][1])
    assert found.battery[0] == "calls itself 'DY': Deye"
    assert "Victron GX (307 with VIC)" in found.inverter


def test_samples_are_bounded_however_long_the_dump() -> None:
    block = as_block(conversation("deye-lv"))
    found = survey([block] * 60)
    assert max(len(one.data) for one in found.seen.values()) <= KEPT_SAMPLES
    assert found.seen[0x351].count == 60 * int((block.can_id == 0x351).sum())
    assert first(guess(found)) == "pylontech-lv"


def test_the_command_says_what_is_the_same_and_why(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.dump.streams import candump_text

    log = tmp_path_factory.mktemp("guess") / "dump.log"
    log.write_text(candump_text(conversation("deye-lv")[:200]))
    result = CliRunner().invoke(app, ["dump", "guess", str(log)])
    assert result.exit_code == 0, result.output
    assert "not to be told apart: pylontech-lv, sol-ark" in result.output
    assert "identifiers of its battery: 351 355 356 359 35C 35E" in result.output
    result = CliRunner().invoke(app, ["dump", "guess", str(log), "--json"])
    found = json.loads(result.stdout)
    assert [one["dialect"] for one in found["candidates"] if one["tied"]] == ["pylontech-lv", "sol-ark"]
    assert found["candidates"][0]["evidence"][0]["points"] == 12.0


def test_the_command_says_if_nothing_is_known(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("guess") / "dump.log"
    log.write_text("(1.0) can0 6AB#0102\n")
    result = CliRunner().invoke(app, ["dump", "guess", str(log)])
    assert result.exit_code == 1
    assert "nothing of 1 frames is known" in result.output


def test_a_capture_that_begins_with_another_battery_is_still_named() -> None:
    """A piece of another dialect in front: the rest outweighs it."""
    before = as_block(conversation("byd-lv")[:13])
    after = as_block(conversation("growatt-lv"))
    assert first(guessed(joined([before, after]))) in {"growatt-lv", "victron"}
