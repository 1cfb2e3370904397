"""`packbridge read` on simulated packs that are processes of their own."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from bridge.cli.pack_view import BAR_WIDTH, bar, picture
from bridge.cli.read import EPILOG
from bridge.meeting import Meeting, Way
from bridge.model import Alarm, PackInfo, PackSample, sample_of
from bridge.protocols.contract import load
from tests.cli.simulated import LONG_S, run, simulated
from tests.wires import reading


@pytest.fixture(scope="module")
def jbd() -> Iterator[str]:
    with simulated("--bms", "jbd", "--cells", "8", "--soc", "0.7") as (port,):
        yield port


@pytest.fixture(scope="module")
def pair() -> Iterator[str]:
    with simulated("--bms", "jk-pb", "--count", "2", "--fault", "2:dead") as (port,):
        yield port


def test_without_a_protocol_it_finds_one_and_shows_the_pack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], jbd: str
) -> None:
    assert run(monkeypatch, "read", jbd) == 0
    out = capsys.readouterr().out
    assert f"jbd at 9600 on {jbd}" in out
    assert "JBD-SIM" in out
    assert "70.0 %" in out
    assert re.findall(r"^ *(\d) 3\.\d{3} V", out, re.MULTILINE) == list("12345678")


def test_a_sample_is_one_json_line_in_the_models_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], jbd: str
) -> None:
    assert run(monkeypatch, "read", jbd, "--bms", "jbd", "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert (said["bms"], said["port"], said["soc_pct"]) == ("jbd", jbd, 70.0)
    assert len(said["cell_voltages_v"]) == 8
    assert said["charge_allowed"] is True


def test_an_address_chooses_one_pack_of_a_pair(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pair: str
) -> None:
    assert run(monkeypatch, "read", pair, "--bms", "jk-pb", "--address", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["address"] == 1


def test_no_sample_is_exit_code_1_with_what_was_tried_and_heard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pair: str
) -> None:
    arguments = ("--bms", "jk-pb", "--address", "2", "--timeout", "1.5", "--json")
    assert run(monkeypatch, "read", pair, *arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{pair}: no pack was found in 1.5 s" in err
    assert "jk-pb at 115200, address 2: silence" in err


def test_a_port_that_is_not_there_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "read", "/dev/ttyNONE", "--bms", "jbd") == 1
    assert "could not open port /dev/ttyNONE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/dev/ttyX", "--bms", "jdb"], 'Did you mean "jbd"?'),
        (["/dev/ttyX", "--bms", "daly-can"], "daly-can runs over can, not over serial"),
        (["/dev/ttyX", "--bms", "jk-pb", "--address", "99"], "--address 99: jk-pb has no such address"),
        (["/dev/ttyX", "--bms", "jk-nw", "--address", "1"], "--address 1: jk-nw has no such address"),
        (["ttyX"], 'write the full path, as in "/dev/ttyX"'),
        (["ble:AA:BB:CC"], "six pairs of digits"),
        (["can:nosuch:0"], "nosuch"),
    ],
)
def test_what_cannot_be_read_is_misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(monkeypatch, "read", *arguments) == 2
    assert said in capsys.readouterr().err


def test_watching_goes_on_until_ctrl_c_and_then_ends_well(jbd: str) -> None:
    command = [sys.executable, "-m", "bridge", "read", jbd, "--bms", "jbd", "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LONG_S)
    assert process.returncode == 0
    assert errors == ""
    assert {line["bms"] for line in lines} == {"jbd"}


def test_the_help_ends_with_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "read", "--help") == 0
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert out.index("--watch") < out.index("Examples") < out.index("Exit codes")
    assert "packbridge read /dev/ttyUSB0" in EPILOG


# The picture


def shown(
    sample: PackSample, info: PackInfo | None = None, age_s: float = 0.0, problem: str | None = None
) -> str:
    paper = io.StringIO()
    way = Way("/dev/ttyX", load("jbd"))
    Console(file=paper, width=100).print(picture(way, Meeting(sample, info), age_s, problem))
    return paper.getvalue()


SAMPLE = sample_of(reading(), 0.0)


def test_a_picture_of_16_cells_fits_a_small_terminal() -> None:
    assert len(shown(SAMPLE).splitlines()) < 24


def test_alarms_and_what_is_forbidden_are_said() -> None:
    changed = reading()
    changed["protections"] = frozenset({Alarm.CELL_OVERVOLTAGE})
    changed["charge_allowed"], changed["discharge_allowed"] = False, None
    text = shown(sample_of(changed, 0.0))
    assert "cell_overvoltage" in text
    assert re.search(r"^charging +forbidden", text, re.MULTILINE)
    assert re.search(r"^discharging +not known to be allowed", text, re.MULTILINE)


def test_a_cell_that_cannot_be_read_is_shown_in_its_place() -> None:
    changed = reading(4)
    changed["cell_voltages_v"] = (3.3, None, 3.31, 3.3)
    assert re.search(r"^ *2 +none unreadable", shown(sample_of(changed, 0.0)), re.MULTILINE)


def test_nothing_new_for_a_while_is_said_with_the_reason() -> None:
    assert "nothing new for 12 s: pulled out" in shown(SAMPLE, age_s=12.0, problem="pulled out")
    assert "nothing new" not in shown(SAMPLE, age_s=2.0)


def test_what_is_not_known_is_a_dash() -> None:
    text = shown(PackSample(time_s=0.0))
    assert re.search(r"^voltage +- *$", text, re.MULTILINE)
    assert "unknown" in text


def test_a_name_with_control_characters_cannot_draw() -> None:
    assert "\x1b" not in shown(SAMPLE, PackInfo(model="\x1b[31mred"))


@pytest.mark.parametrize(
    ("cell_v", "width"), [(3.4, BAR_WIDTH), (3.3, pytest.approx(BAR_WIDTH / 10, abs=1.0))]
)
def test_bars_reach_from_the_lowest_to_the_highest_cell(cell_v: float, width: float) -> None:
    assert len(bar(cell_v, 3.3, 3.4)) == width
