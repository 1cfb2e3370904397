from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bridge.cli.dump_plot import EPILOG
from tests.cli.dumping import examples, run
from tests.dump.bus import frames, written

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return written(tmp_path / "dump.log", frames(range(20)))


def test_a_dump_is_a_chart_in_the_terminal_and_what_was_guessed_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    assert run(monkeypatch, "plot", log) == 0
    said = capsys.readouterr()
    assert max(map(len, said.out.splitlines())) <= 80
    assert "voltage, V  voltage 52.8  DVL 46.4  CVL 56" in said.out
    assert "read as victron, which was guessed" in said.err


def test_one_reading_gives_picture_and_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, log: Path
) -> None:
    picture, page = tmp_path / "dump.png", tmp_path / "dump.html"
    options = ("--profile", "victron-gx", "--out", picture, "--html", page)
    assert run(monkeypatch, "plot", log, *options) == 0
    assert picture.read_bytes().startswith(PNG)
    assert page.read_text().startswith("<!doctype html>")
    said = capsys.readouterr()
    assert (said.out, "guessed" in said.err) == ("", False)


def test_of_two_buses_the_first_is_drawn_or_the_one_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, log: Path
) -> None:
    both = tmp_path / "both.log"
    both.write_text("(1714567889.0) can7 123#00\n" + log.read_text())
    assert run(monkeypatch, "plot", both) == 2
    assert "drawn is can7; there are also can0" in capsys.readouterr().err
    assert run(monkeypatch, "plot", both, "--bus", "can0") == 0
    assert run(monkeypatch, "plot", both, "--bus", "can8") == 2
    assert "no channel 'can8' in the dump; it has can7, can0" in capsys.readouterr().err


STRANGER = "(1.0) can0 123#00\n"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ((STRANGER,), "no dialect fits these 1 frames"),
        ((STRANGER, "--dialect", "victron"), "nothing in it can be drawn"),
        ((STRANGER, "--dialect", "victrom"), 'Did you mean "victron"?'),
        ((STRANGER, "--out", "dump.pdf"), "ends with .png or .svg"),
        (("",), "no dialect fits these 0 frames"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log: Path,
    case: tuple[str, ...],
    said: str,
) -> None:
    text, *options = case
    log.write_text(text)
    assert run(monkeypatch, "plot", log, *options) == 2
    assert said in capsys.readouterr().err


def test_broken_lines_are_shown_with_their_numbers_and_the_rest_is_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    log.write_text("rubbish\n" + log.read_text())
    assert run(monkeypatch, "plot", log) == 0
    assert f"{log}:1: rubbish" in capsys.readouterr().err


@pytest.mark.parametrize("words", examples(EPILOG), ids=" ".join)
def test_the_examples_of_the_help_page_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log: Path, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "monday.log").write_bytes(log.read_bytes())
    (tmp_path / "tuesday.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    assert run(monkeypatch, *words) == 0
