from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.cli.check import EPILOG
from bridge.cli.main import main
from tests.config.samples import GOOD, spoilt


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """`packbridge` as the shell runs it, without the process; its exit code."""
    monkeypatch.setattr("sys.argv", ["packbridge", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_good_file_is_ok(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], good: Path
) -> None:
    assert run(monkeypatch, "check", "--no-ports", good) == 0
    out, err = capsys.readouterr()
    assert out.endswith(f"{good}: ok\n")
    assert err == ""


def test_the_summary_says_what_follows_from_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], good: Path
) -> None:
    run(monkeypatch, "check", "--no-ports", good)
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "pack    bms  cells   Ah   charge A at most  discharge A at most  port",
        "garage  jbd  16 LFP  280  140 (rating)      140 (rating)         /dev/ttyUSB0",
        "attic   jbd  16 LFP  100  50 (rating)       100 (rating)         /dev/ttyUSB1",
        "bank: 2 packs, 380 Ah",
        "  charge: CVL at most 55.2 V, CCL at most 180 A",
        "  discharge: DVL at least 44.8 V, DCL at most 240 A",
        "inverter house: deye-lv (Deye and Sunsynk low-voltage hybrids), socketcan can0 at 500 kbit/s",
    ]


def test_a_bad_file_ends_with_2_and_the_complaints_on_stderr_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], good: Path
) -> None:
    good.write_text(spoilt('"jbd"', '"jdb"'))
    assert run(monkeypatch, "check", "--no-ports", good) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{good}:9: pack.bms: unknown protocol 'jdb'; known: ")
    assert "Traceback" not in err


def test_a_port_that_is_not_there_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], good: Path
) -> None:
    good.write_text(spoilt("/dev/ttyUSB0", "/dev/no-such-port"))
    assert run(monkeypatch, "check", good) == 2
    assert f"{good}:12: packs.garage.port: " in capsys.readouterr().err


def test_the_complaints_of_several_files_come_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], good: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.toml"
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    assert run(monkeypatch, "check", "--no-ports", missing, good, empty) == 2
    out, err = capsys.readouterr()
    assert [line.split(": ")[0] for line in err.splitlines()] == [str(missing), str(empty)]
    assert out.endswith(f"{good}: ok\n")


def test_a_warning_does_not_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], good: Path
) -> None:
    good.write_text(GOOD[: GOOD.index("[inverters")])
    assert run(monkeypatch, "check", "--no-ports", good) == 0
    assert capsys.readouterr().err.startswith(f"warning: {good}: inverters: there is no inverter; ")


def test_the_ports_of_an_example_are_not_looked_for_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], good: Path
) -> None:
    text = spoilt('name = "cellar"', 'name = "cellar"\nexample = true')
    good.write_text(text.replace("/dev/ttyUSB0", "/dev/no-such-port"))
    assert run(monkeypatch, "check", good) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{good}: an example; its ports are not looked for, and it can't be run before it is your own",
        f"{good}: ok",
    ]


def test_a_balancer_stands_in_the_summary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], good: Path
) -> None:
    good.write_text(f'{GOOD}[packs.attic.balancer]\nbms = "neey"\nport = "ble:GW-1"\n')
    assert run(monkeypatch, "check", "--no-ports", good) == 0
    assert "balancer of attic: neey, ble:GW-1" in capsys.readouterr().out.splitlines()


def test_the_help_ends_with_examples_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "check", "--help") == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert out.index("--no-ports") < out.index("Examples") < out.index("Exit codes")
    assert "packbridge check config.toml" in EPILOG
