from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cli.dump_whatif import EPILOG
from bridge.sinks.offline import candump
from tests.cli.dumping import examples, run
from tests.dump.bus import at, frames, written
from tests.dump.gateway_bus import RACK, Recording, pack, settings

SETTINGS = RACK.format(bms="pylontech-can", profile="deye-lv")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(SETTINGS)
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A dump of our own gateway, both buses."""
    recording = Recording(settings(), lambda time_s: pack(current_a=10.0 + 0.1 * (round(time_s) % 3)))
    recording.run(35)
    block = recording.block()
    rows = (
        candump(block.time_s[n], block.channels[block.channel[n]], block.frame(n)) for n in range(len(block))
    )
    path = tmp_path / "own.log"
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def test_of_our_own_dump_the_command_says_that_nothing_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Path, own: Path
) -> None:
    assert run(monkeypatch, "whatif", own, "--config", config) == 0
    said = capsys.readouterr()
    assert "nothing differs" in said.out
    assert "never different: charge_current_limit_a" in said.out
    assert "80: bms_limit (rack): rack: its BMS allows 80 A" in said.out
    assert "can1 of the dump is socketcan:can1 of the configuration: rack" in said.err


def test_what_differs_is_told_with_the_moment_both_values_and_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path
) -> None:
    def decide(second: int) -> object:
        return at(second, current_a=10.0 + 0.1 * (second % 3), charge_current_limit_a=150.0)

    log = written(tmp_path / "dump.log", frames(range(40), decide, "deye-lv"))  # type: ignore[arg-type]  # a decision
    assert run(monkeypatch, "whatif", log, "--config", config) == 1
    out = capsys.readouterr().out
    assert "charge_current_limit_a: theirs 150 A, ours 100 A, because rack: rated 100 A" in out
    assert "something differs" in out


def test_as_json_each_difference_is_a_line_and_the_summary_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, config: Path
) -> None:
    log = written(tmp_path / "dump.log", frames(range(3), profile="deye-lv"))
    assert run(monkeypatch, "whatif", log, "--config", config, "--json") == 1
    *news, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["event"] for one in news} <= {"shadow_differs", "shadow_agrees"}
    assert last["event"] == "whatif_summary"
    assert last["differs"] is True
    assert last["frames"] == 3 * 7
    signals = {row["signal"]: row for row in last["inverters"]["house"]}
    assert signals["charge_voltage_limit_v"]["theirs"] == 56.0
    assert last["why"]["charge_current_limit_a"]["constraints"][0]["text"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--map", "can1"), "write BUS=CHANNEL"),
        (("--map", "can9=can0"), "has no such bus"),
        (("--id", "7FF"), "no frame"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    config: Path,
    options: tuple[str, ...],
    said: str,
) -> None:
    log = written(config.with_name("dump.log"), frames(range(3)))
    assert run(monkeypatch, "whatif", log, "--config", config, *options) == 2
    assert said in capsys.readouterr().err


def test_without_an_inverter_there_is_nothing_to_compare_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(SETTINGS.split("[inverters")[0])
    log = written(tmp_path / "dump.log", frames(range(3)))
    assert run(monkeypatch, "whatif", log, "--config", config) == 2
    assert "inverter" in capsys.readouterr().err


@pytest.mark.parametrize("words", examples(EPILOG), ids=" ".join)
def test_the_examples_of_the_help_page_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: Path, own: Path, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dump.log").write_bytes(own.read_bytes())
    Path("rack-and-inverter.log").write_text(own.read_text().replace("can", "vcan"))
    assert config.name in words
    here = [{"10m": "1s", "12m": "4s"}.get(word, word) for word in words]
    assert run(monkeypatch, *here) == 0
