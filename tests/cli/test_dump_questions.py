"""`packbridge dump guess`, `lint` and `diff` as their help pages show them, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.cli import dump_diff, dump_guess, dump_lint
from tests.cli.dumping import examples, run
from tests.dump.mutations import edited, word
from tests.dump.streams import candump_text, conversation

EXAMPLES = [words for verb in (dump_guess, dump_lint, dump_diff) for words in examples(verb.EPILOG)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the logs of the help pages."""
    stream = list(conversation("deye-lv"))
    for name in ("dump.log", "before.log", "genuine.log"):
        (tmp_path / name).write_text(candump_text(stream))
    for name in ("after.log", "gateway.log"):
        (tmp_path / name).write_text(candump_text(edited(0x355, word(2, 98))(stream)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_the_examples_of_the_help_pages_work(
    words: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs = words[0] == "diff" or words[-1] == "victron-gx"  # a dump for a Deye is wrong for a GX
    assert run(monkeypatch, *words) == (1 if differs else 0)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lint", "dump.log", "--profile", "deye"], "unknown profile 'deye'"),
        (["lint", "dump.log", "--dialect", "pylontech"], 'Did you mean "pylontech-lv"?'),
        (["lint", "dump.log", "--without", "gaps"], 'Did you mean "gap"?'),
        (["lint", "missing.log"], "missing.log"),
        (["guess", "missing.log"], "missing.log"),
        (["diff", "dump.log", "missing.log"], "missing.log"),
        (["diff", "dump.log", "after.log", "--align", "clock"], "known: auto, start, none"),
    ],
)
def test_what_is_used_wrongly_ends_with_2_and_a_sentence(
    words: list[str],
    said: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *words) == 2
    assert said in capsys.readouterr().err


def test_lines_that_are_no_frames_are_said_and_the_rest_is_answered(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = here / "dump.log"
    log.write_text(f"rubbish\n{log.read_text()}(1.0) can0 351#12345\n")
    for words in (["guess", "dump.log"], ["lint", "dump.log", "--profile", "deye-lv"]):
        assert run(monkeypatch, *words) == 0
        assert "dump.log:1: rubbish: no frame" in capsys.readouterr().err


def test_an_empty_log_is_no_battery(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "empty.log").write_text("")
    assert run(monkeypatch, "guess", "empty.log") == 1
    assert run(monkeypatch, "lint", "empty.log") == 1
    assert "nothing in these frames is known" in capsys.readouterr().err
    assert run(monkeypatch, "diff", "empty.log", "empty.log") == 0
