"""`packbridge scan` on simulated packs that are processes of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge import config as configuration
from bridge.cli.scan import EPILOG
from bridge.errors import ConfigError
from tests.cli.simulated import run, simulated


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, str]]:
    """Three wires with packs of three makers, started side by side."""
    kinds = ("jbd", "jk-modbus", "daly-d2")
    with ExitStack() as stack:
        yield {bms: stack.enter_context(simulated("--bms", bms))[0] for bms in kinds}


def test_packs_of_several_makers_are_found_with_the_lines_to_paste(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ports: dict[str, str]
) -> None:
    named = ",".join((ports["jbd"], ports["daly-d2"]))
    assert run(monkeypatch, "scan", "--ports", named, "--seconds", "20") == 0
    out = capsys.readouterr().out
    assert re.search(rf"JBD +JBD-SIM +2\.0 +16 +50 +52\.\d+ +jbd at 9600 +{ports['jbd']}", out)
    assert f'bms = "daly-d2"\nport = "{ports["daly-d2"]}"' in out
    assert "# rated_current_a =" in out


def test_finds_are_one_json_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ports: dict[str, str]
) -> None:
    named = ("--ports", ports["jbd"], "--ports", ports["jk-modbus"])
    assert run(monkeypatch, "scan", *named, "--json", "--bms", "jbd", "--bms", "jk-modbus") == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["bms"], one["port"], one["address"]) for one in said] == [
        ("jbd", ports["jbd"], None),
        ("jk-modbus", ports["jk-modbus"], 1),
    ]


def test_a_written_file_of_packs_that_tell_their_limits_passes_the_check(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ports: dict[str, str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.toml"
    assert run(monkeypatch, "scan", "--ports", ports["jbd"], "--write", path) == 0
    assert run(monkeypatch, "check", path) == 0
    assert f"{path}: ok" in capsys.readouterr().out
    (pack,) = configuration.load(path).packs
    assert (pack.bms, pack.port, pack.settings.rated_charge_current_a) == ("jbd", ports["jbd"], 50.0)


def test_a_written_file_of_a_pack_without_ratings_says_what_to_fill_in(
    monkeypatch: pytest.MonkeyPatch, ports: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    assert run(monkeypatch, "scan", "--ports", ports["daly-d2"], "--bms", "daly-d2", "--write", path) == 0
    with pytest.raises(ConfigError) as raised:
        configuration.load(path)
    assert all(": missing; " in problem for problem in raised.value.problems)
    text = path.read_text()
    assert "a guess would be dangerous" in text
    path.write_text(text.replace("# rated_current_a =", "rated_current_a = 100"))
    if "# capacity_ah =" in text:
        path.write_text(path.read_text().replace("# capacity_ah =", "capacity_ah = 100"))
    assert configuration.load(path).packs[0].settings.rated_discharge_current_a == 100.0


def test_a_file_that_is_there_is_not_replaced_and_nothing_is_searched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine")
    assert run(monkeypatch, "scan", "--ports", "/dev/ttyNONE", "--write", path) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_with_force_it_is_replaced(
    monkeypatch: pytest.MonkeyPatch, ports: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine")
    assert run(monkeypatch, "scan", "--ports", ports["jbd"], "--write", path, "--force") == 0
    assert "[packs.pack1]" in path.read_text()


def test_nothing_found_is_exit_code_1_with_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    assert run(monkeypatch, "scan", "--ports", "/dev/ttyNONE", "--write", path) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "could not open port /dev/ttyNONE" in err
    assert "no pack was found" in err
    assert not path.exists()


def test_what_was_heard_of_a_pack_that_cannot_be_understood_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with simulated("--bms", "jbd", "--fault", "checksum") as (port,):
        assert run(monkeypatch, "scan", "--ports", port, "--seconds", "1", "--bms", "jbd") == 1
    assert re.search(r"jbd at 9600: .*checksum \d", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ports", "ttyUSB0"], 'write the full path, as in "/dev/ttyUSB0"'),
        (["--bms", "jdb"], 'Did you mean "jbd"?'),
        (["--ports", "/dev/ttyX", "--write", "/no/such/folder/config.toml"], "there is no folder"),
    ],
)
def test_what_makes_no_sense_is_misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(monkeypatch, "scan", *arguments) == 2
    assert said in capsys.readouterr().err


def test_the_help_ends_with_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "scan", "--help") == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert out.index("--write") < out.index("Examples") < out.index("Exit codes")
    assert "packbridge scan --write config.toml" in EPILOG
