from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bridge.cli.encode import EPILOG, encode
from bridge.errors import ConfigError

LINE = json.dumps(
    {
        "voltage_v": 53.12,
        "current_a": -12.3,
        "soc_pct": 57,
        "soh_pct": 99,
        "temperature_c": 23.4,
        "charge_voltage_limit_v": 56.0,
        "discharge_voltage_limit_v": 46.0,
        "charge_current_limit_a": 100,
        "discharge_current_limit_a": 150,
        "module_count": 3,
    }
)
CYCLE = """\
(0.000000) can0 351#3002E803DC05CC01
(0.010000) can0 355#3900630000000000
(0.020000) can0 356#C01485FFEA000000
(0.030000) can0 359#0000000003504E00
(0.040000) can0 35C#C000000000000000
(0.050000) can0 35E#50594C4F4E202020
"""

app = typer.Typer(rich_markup_mode="rich")
app.command(epilog=EPILOG)(encode)


def run(*arguments: str, lines: str | bytes = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=lines)


def test_a_decision_on_stdin_becomes_a_cycle_of_candump_lines() -> None:
    result = run("deye-lv", lines=LINE)
    assert result.stdout == CYCLE
    assert result.exit_code == 0


def test_a_file_is_read_as_stdin_is(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text(f"{LINE}\n\n{LINE}\n", "utf-8")
    result = run("deye-lv", str(path), "--channel", "vcan0")
    assert result.stdout.splitlines()[6] == "(1.000000) vcan0 351#3002E803DC05CC01"
    assert len(result.stdout.splitlines()) == 12


def test_a_line_that_cannot_be_used_is_said_on_stderr_and_the_rest_goes_on() -> None:
    result = run("deye-lv", lines=f"{LINE}\nnonsense\n{LINE}\n")
    assert result.exit_code == 2
    assert result.stderr.startswith("line 2: not one JSON object")
    assert result.stdout.startswith(CYCLE)
    assert result.stdout.splitlines()[6].startswith("(2.000000) can0 351#")


def test_bytes_that_are_no_text_are_a_bad_line() -> None:
    result = run("deye-lv", lines=b"\xff\xfe\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("line 1: ")


def test_no_decision_gives_no_frames() -> None:
    assert (run("deye-lv").exit_code, run("deye-lv").stdout) == (0, "")


def test_an_unknown_profile_is_a_configuration_error() -> None:
    assert isinstance(run("deye-vl", lines=LINE).exception, ConfigError)


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path, name: str) -> None:
    assert isinstance(run("deye-lv", str(tmp_path / name)).exception, ConfigError)


def test_help_ends_with_examples() -> None:
    assert "packbridge encode deye-lv" in run("--help").stdout.split("Examples")[1]


def test_the_first_example_works() -> None:
    example = EPILOG.split("\n\n")[1].replace("\n", " ")
    echo, text, pipe, *command = shlex.split(example)
    assert (echo, pipe, *command[:2]) == ("echo", "|", "packbridge", "encode")
    result = run(*command[2:], lines=text)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 6)
