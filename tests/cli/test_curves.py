from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bridge.cli.curves import EPILOG
from bridge.cli.main import main
from tests.config.samples import GOOD, spoilt

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(spoilt("= 280", '= 280\ncurves = ["eve-lf280k", "gentle-ends"]'))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """`packbridge` as the shell runs it, without the process; its exit code."""
    monkeypatch.setattr("sys.argv", ["packbridge", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_every_curve_of_every_pack_is_drawn_within_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert run(monkeypatch, "curves", config) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert [line for line in out.splitlines() if line in {"garage", "attic"}] == ["garage", "attic"]
    assert out.count("charge over cell temperature") == 4  # "discharge over ..." has it too
    assert out.count("over state of charge") == 2
    assert "eve-lf280k: EVE LF280K" in out


def test_a_curve_begins_and_ends_where_it_should(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert run(monkeypatch, "curves", config, "--pack", "attic") == 0
    out = capsys.readouterr().out
    rows = out.splitlines()
    first = next(n for n, row in enumerate(rows) if row.startswith("charge over highest cell"))
    assert rows[first + 1].split() == ["lfp", "lfp"]
    assert re.match(r" +50 ┤⠉.*┊", rows[first + 2])
    assert re.match(r" +0 ┤.*⣀$", rows[first + 8][:38].rstrip())
    assert "A over V, none from 3.55" in out
    assert "A over °C, none up to 0, from 55" in out


def test_the_points_come_as_json_in_amperes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert run(monkeypatch, "curves", config, "--json", "--pack", "garage") == 0
    (pack,) = json.loads(capsys.readouterr().out)["packs"]
    curves = {curve["curve"]: curve for curve in pack["curves"]}
    assert (pack["name"], pack["chemistry"]) == ("garage", "lfp")
    assert curves["charge_by_temperature_c"]["from"] == "eve-lf280k"
    assert curves["charge_by_temperature_c"]["stops"] == [0, 55]
    assert [10, 84] in curves["charge_by_temperature_c"]["points"]
    assert curves["charge_by_cell_v"]["points"] == [[3.47, 140], [3.55, 0]]
    assert len(curves) == 8


def test_they_are_drawn_into_a_picture(monkeypatch: pytest.MonkeyPatch, config: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert run(monkeypatch, "curves", config, "--png", tmp_path / "c.png") == 0
    assert (tmp_path / "c.png").read_bytes().startswith(PNG)


def test_a_picture_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    assert run(monkeypatch, "curves", config, "--png", tmp_path / "nowhere" / "c.png") == 2
    assert "c.png: No such file" in capsys.readouterr().err


def test_without_matplotlib_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    assert run(monkeypatch, "curves", config, "--png", tmp_path / "c.png") == 2
    assert "packbridge[plot]" in capsys.readouterr().err


def test_an_unknown_pack_is_said_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert run(monkeypatch, "curves", config, "--pack", "garag") == 2
    assert capsys.readouterr().err == (
        '--pack: there is no pack "garag"; there are: garage, attic. Did you mean "garage"?\n'
    )


def test_a_bad_file_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(GOOD.replace("cells = 16", "cells = 0"))
    assert run(monkeypatch, "curves", path) == 2
    assert "pack.cells: found 0" in capsys.readouterr().err


def test_the_help_ends_with_examples_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "curves", "--help") == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert out.index("--png") < out.index("Examples") < out.index("Exit codes")
    assert "packbridge curves config.toml" in EPILOG
