from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bridge.cli import simulate
from bridge.errors import ConfigError

SCENARIO = """
title = "two packs"
duration_s = 300
measure_from_s = 30
[pack]
capacity_ah = 100
rated_current_a = 50
soc_pct = 60
[packs.a]
path_mohm = 3
[packs.b]
path_mohm = 12
[[demand]]
kind = "constant"
current_a = {current_a}
"""

app = typer.Typer()
app.command("run", epilog=simulate.RUN_EPILOG)(simulate.run)
app.command("bench", epilog=simulate.BENCH_EPILOG)(simulate.bench)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gentle.toml").write_text(SCENARIO.format(current_a=-40))
    (tmp_path / "hard.toml").write_text(SCENARIO.format(current_a=-100))
    return tmp_path


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_a_run_prints_its_figures(folder: Path) -> None:
    output = run("run", folder / "gentle.toml")
    assert "two packs: ours" in output
    assert re.search(r"over-current events\s+│ 0 ", output)


def test_a_run_that_wronged_a_pack_says_so(folder: Path) -> None:
    found = json.loads(run("run", folder / "hard.toml", "--policy", "sum", "--json"))
    assert found["scenario"] == "hard"
    assert found["policy"] == "sum"
    assert found["overcurrent_events"] + found["trips"] > 0


def test_a_wronged_pack_fails_a_check(folder: Path) -> None:
    run("run", folder / "hard.toml", "--policy", "sum", "--check", code=1)
    run("run", folder / "hard.toml", "--check")
    run("bench", "--scenarios", folder, "--jobs", 1, "--check")


def test_ours_is_gentle_with_the_same_packs(folder: Path) -> None:
    found = json.loads(run("run", folder / "hard.toml", "--json"))
    assert found["overcurrent_events"] == found["trips"] == 0
    assert 0.3 < found["fraction"] <= 1.1


def test_the_whole_chain_can_be_asked_for(folder: Path) -> None:
    found = json.loads(run("run", folder / "gentle.toml", "--bytes", "--json"))
    assert found["overcurrent_events"] == 0
    with pytest.raises(ConfigError, match="sum has no bytes"):
        run("run", folder / "gentle.toml", "--bytes", "--policy", "sum")


def test_a_run_can_be_drawn(folder: Path) -> None:
    pytest.importorskip("matplotlib")
    run("run", folder / "gentle.toml", "--png", folder / "run.png")
    assert (folder / "run.png").stat().st_size > 10_000


def test_an_unknown_scenario_is_said() -> None:
    with pytest.raises(ConfigError, match="unknown scenario 'nothing'"):
        run("run", "nothing")


def test_the_bench_compares_all_policies(folder: Path) -> None:
    found = json.loads(run("bench", "--scenarios", folder, "--jobs", 1, "--json"))
    assert list(found["policies"]) == ["ours", "sum", "nmin"]
    assert list(found["scenarios"]) == ["gentle", "hard"]
    assert found["policies"]["ours"]["overcurrent_events"] == 0
    assert found["policies"]["sum"]["overcurrent_events"] > 0


def test_the_bench_prints_tables_of_what_was_asked_for(folder: Path) -> None:
    output = run("bench", "--scenarios", folder, "--only", "g*", "--random", 1, "--jobs", 1)
    assert "gentle" in output
    assert "hard" not in output
    assert "2 scenarios, 1 of them random" in output


def test_the_bench_can_be_put_on_a_page(folder: Path) -> None:
    lines = run("bench", "--scenarios", folder, "--jobs", 1, "--markdown").splitlines()
    assert lines[0] == "2 scenarios, 0 of them random:"
    assert {line.count("|") for line in lines if line.startswith("|")} == {8, 5}
    assert lines[-1].startswith("| hard | 0.")


@pytest.mark.parametrize("epilog", [simulate.RUN_EPILOG, simulate.BENCH_EPILOG])
def test_the_examples_in_the_help_are_commands_that_there_are(epilog: str) -> None:
    lines = [line for line in epilog.splitlines() if line.startswith("packbridge sim ")]
    assert len(lines) >= 3
    for line in lines:
        command = typer.main.get_command(app)
        words = line.split()[2:]
        found = command.commands[words[0]]  # type: ignore[attr-defined]  # an app of commands is a group
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known
