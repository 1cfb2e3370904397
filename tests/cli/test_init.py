"""`packbridge init` with its answers on standard input, and simulated packs."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import config as configuration
from bridge.cli.init import EPILOG
from tests.cli.simulated import run, simulated


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    """Two ports with a pack each, as the option takes them."""
    with simulated("--bms", "jbd", "--count", "2") as ports:
        yield ",".join(ports)


def answered(monkeypatch: pytest.MonkeyPatch, answers: list[str], *arguments: str | Path) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{answer}\n" for answer in answers)))
    return run(monkeypatch, "init", *arguments)


PACK = ["", "", "100", "120", "0"]  # name, capacity, charge, discharge, fuse


def test_the_answers_become_a_file_that_is_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    attic = ["attic", "90", "45", "80", "63"]
    answers = ["deye-lv", "can7", "16", "LiFePO4", *PACK, *attic]
    assert answered(monkeypatch, answers, path, "--ports", port) == 0
    config = configuration.load(path)
    first, second = config.packs
    assert f"{first.port},{second.port}" == port
    assert (first.name, first.settings.fuse_a, first.settings.rated_charge_current_a) == (
        "pack1",
        None,
        100.0,
    )
    assert (second.name, second.settings.fuse_a) == ("attic", 63.0)
    assert (second.settings.capacity_ah, second.settings.rated_discharge_current_a) == (90.0, 80.0)
    (inverter,) = config.inverters
    assert isinstance(inverter, configuration.CanInverter)
    assert (inverter.profile, inverter.channel) == ("deye-lv", "can7")
    assert f"{path}: ok" in capsys.readouterr().out


def test_an_inverter_that_asks_is_given_its_port(
    monkeypatch: pytest.MonkeyPatch, port: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    answers = ["axpert-pyl", "/dev/serial/by-id/inverter", "16", "lfp", *PACK, *PACK]
    assert answered(monkeypatch, answers, path, "--ports", port) == 0
    (inverter,) = configuration.load(path).inverters
    assert isinstance(inverter, configuration.Rs485Inverter)
    assert inverter.port == "/dev/serial/by-id/inverter"


def test_a_rating_is_asked_again_until_it_is_one_and_has_no_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    pack = ["", "", "", "many", "-5", "0", "100", "120", "0"]  # an empty answer is no answer
    answers = ["no-such", "deye-lv", "", "16", "lfp", *pack, *PACK]
    assert answered(monkeypatch, answers, path, "--ports", port) == 0
    out = capsys.readouterr().out
    assert "no-such: none of these" in out
    assert "many: allowed are 0.1 to 2000" in out
    assert configuration.load(path).packs[0].settings.rated_charge_current_a == 100.0


def test_yes_takes_what_is_safe_and_still_asks_for_cells_and_ratings(
    monkeypatch: pytest.MonkeyPatch, port: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    answers = ["deye-lv", "16", "nmc", "100", "120", "0", "50", "60", "0"]
    assert answered(monkeypatch, answers, path, "--ports", port, "--yes") == 0
    config = configuration.load(path)
    assert [pack.settings.rated_discharge_current_a for pack in config.packs] == [120.0, 60.0]
    assert [pack.settings.capacity_ah for pack in config.packs] == [100.0, 100.0]
    assert [pack.settings.chemistry for pack in config.packs] == ["nmc", "nmc"]


def test_answers_that_end_too_early_write_nothing(
    monkeypatch: pytest.MonkeyPatch, port: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    assert answered(monkeypatch, ["deye-lv", "", "16", "lfp", "", ""], path, "--ports", port) != 0
    assert not path.exists()


def test_packs_with_another_number_of_cells_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    assert answered(monkeypatch, ["deye-lv", "", "15", "lfp"], path, "--ports", port) == 1
    assert "left out: it has 16 cells, you said 15" in capsys.readouterr().err
    assert not path.exists()


def test_cells_of_an_unknown_kind_are_refused_before_anything_is_searched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    assert answered(monkeypatch, ["deye-lv", "", "14", "lipo"], path, "--ports", "/dev/ttyNONE") == 2
    assert "known are lfp, nmc, lto" in capsys.readouterr().err
    assert not path.exists()


def test_a_file_that_is_there_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine")
    assert answered(monkeypatch, [], path) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_the_help_ends_with_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "init", "--help") == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert out.index("--yes") < out.index("Examples") < out.index("Exit codes")
    assert "packbridge init" in EPILOG
