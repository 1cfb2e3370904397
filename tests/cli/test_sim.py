"""`packbridge sim pack` as its user starts it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli.sim import PACK_EPILOG
from tests.cli.simulated import LONG_S, run, simulated

COMMAND = [sys.executable, "-m", "bridge", "sim", "pack"]


def test_it_says_where_the_packs_are_and_ends_with_sigterm(tmp_path: Path) -> None:
    link = tmp_path / "battery"
    command = [*COMMAND, "--bms", "jk-pb", "--count", "2", "--link", f"pty:{link}", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said == {"port": str(link), "bms": "jk-pb", "baudrate": 115200, "addresses": [1, 2]}
        assert link.is_char_device()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG_S) == 0
    assert not link.is_symlink()


def test_it_ends_by_itself_after_the_time_that_was_named() -> None:
    ended = subprocess.run([*COMMAND, "--bms", "jbd", "--count", "2", "--seconds", "0.3"], check=False,
                           capture_output=True, text=True, timeout=LONG_S)  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(re.findall(r"^/dev/\S+$", ended.stdout, re.MULTILINE)) == 2


def test_a_pack_on_can_names_its_bus(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ("sim", "pack", "--bms", "jk-can", "--link", "can:virtual:named", "--seconds", "0.3")
    assert run(monkeypatch, *order) == 0
    assert capsys.readouterr().out == "can:virtual:named\n"


def test_a_bus_that_is_not_there_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "sim", "pack", "--bms", "jk-can", "--link", "can:nosuchbus") == 1
    assert "nosuchbus" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [["--bms", "jdb"], ["--bms", "jbd", "--soc", "50"], ["--bms", "jbd", "--fault", "broken"],
     ["--bms", "jk", "--set", "variant=JK99"], []],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    assert run(monkeypatch, "sim", "pack", *wrong) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_settings_reach_the_simulator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with simulated("--bms", "jbd", "--set", "model=HAPPY") as (port,):
        assert run(monkeypatch, "read", port, "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"] == "HAPPY"


def test_the_help_ends_with_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "sim", "pack", "--help") == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert out.index("--fault") < out.index("Examples") < out.index("Exit codes")
    assert "packbridge sim pack --bms jbd" in PACK_EPILOG
