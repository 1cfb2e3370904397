"""The files in examples/: right as they stand, with the limits that they claim, and never run by mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.cli.main import main
from bridge.config import load
from bridge.config.ceiling import bank_units, ceiling
from bridge.model import Chemistry

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
CLAIM = re.compile(
    r"^# What follows from it: charge up to ([\d.]+) V with at most ([\d.]+) A, "
    r"discharge down to ([\d.]+) V with at most ([\d.]+) A\.$",
    re.MULTILINE,
)
every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """`packbridge` as the shell runs it, without the process; its exit code."""
    monkeypatch.setattr("sys.argv", ["packbridge", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@every_example
def test_an_example_is_marked_as_one_and_right(path: Path) -> None:
    config = load(path)
    assert config.gateway.example
    if config.inverters:
        assert config.warnings == ()
    else:  # there is no profile yet for what these feed
        (warning,) = config.warnings
        assert "there is no inverter" in warning


@every_example
def test_the_limits_that_an_example_claims_are_those_that_follow_from_it(path: Path) -> None:
    (claim,) = CLAIM.findall(path.read_text())
    best = ceiling(load(path))
    assert [float(number) for number in claim] == pytest.approx(
        [
            best.charge_voltage_limit_v,
            best.charge_current_limit_a,
            best.discharge_voltage_limit_v,
            best.discharge_current_limit_a,
        ]
    )


def test_the_usual_series_of_packs_are_there() -> None:
    packs = [pack for path in EXAMPLES for pack in load(path).packs]
    series = {
        (pack.bms.split("-")[0], pack.settings.cells, pack.settings.rated_discharge_current_a)
        for pack in packs
    }
    assert {("daly", cells, amps) for cells in (4, 8, 16) for amps in (100, 200, 500)} <= series
    assert {("jbd", 4, 100), ("jbd", 16, 140), ("jk", 8, 200), ("jk", 16, 150)} <= series
    assert {pack.bms for pack in packs} >= {"jk-pb", "jbd-up16s", "daly-can", "pylontech-can"}
    assert any(pack.balancer is not None for pack in packs)
    assert {pack.settings.chemistry for pack in packs} == set(Chemistry)


def test_the_usual_ways_to_wire_small_packs_are_there() -> None:
    wired = [config for path in EXAMPLES if (config := load(path)).bank.topology is not None]
    assert sorted(len(config.packs) for config in wired) == [2, 4, 4, 8]
    assert {bank_units(config)[0].cells for config in wired} == {16, 128}


def test_check_accepts_all_of_them_where_nothing_is_plugged_in_or_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(monkeypatch, "check", *EXAMPLES) == 0


def test_run_refuses_an_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(path for path in EXAMPLES if path.stem == "deye-3x-jbd")
    assert run(monkeypatch, "run", path) == 2
    assert "gateway.example: this file is an example" in capsys.readouterr().err
