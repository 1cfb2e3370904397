"""All checks together, and the command."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bridge.doctor
from bridge.cli.main import app
from bridge.doctor import Case, Verdict, checks, examine
from bridge.doctor.examination import case as case_of
from tests.doctor.machine import INVERTER, RADIO, SERIAL, SHOW, UNIT, Machine, case
from tests.doctor.test_rs485_lines import ASKING, COMMAND, QUIET

BESIDE = "share = 0.5\n" + ASKING.replace("house", "barn") + "share = 0.5\n"
LOOKED_UP = {"bridge.config.settings", "bridge.links.opening", "bridge.profiles", "bridge.state"}
FOLDER = Path(bridge.doctor.__file__).parent / "checks"


def test_every_file_is_a_check_and_says_what_it_looks_at() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert set(checks()) == files
    assert len(files) > 10
    assert all((check.__doc__ or "")[:1].isupper() for check in checks().values())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_check_reaches_past_the_host(path: Path) -> None:
    tree = [*ast.walk(ast.parse(path.read_text()))]
    imported = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in tree if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name.startswith("bridge.")}
    assert imported - ours <= {"os", "re", "__future__", "collections.abc", "pathlib"}
    assert ours <= {f"bridge.doctor.{name}" for name in ("contract", "host", "can_links")} | LOOKED_UP
    assert not {"open", "subprocess", "environ"} & {
        name for node in tree if (name := getattr(node, "id", getattr(node, "attr", None)))
    }


def test_where_all_is_well_nothing_is_a_problem_and_everything_is_looked_at(machine: Machine) -> None:
    machine.outputs["bluetoothctl show"] = "Controller 11:22\n\tPowered: yes\n"
    machine.outputs["bluetoothctl devices Connected"] = ""
    machine.process(20, "bluetoothd", "/usr/libexec/bluetooth/bluetoothd")
    machine.write("/sys/class/bluetooth/hci0/address", "x")
    machine.write("/sys/bus/usb-serial/devices/ttyUSB0/latency_timer", "1\n")
    machine.outputs[SHOW] = UNIT
    machine.write("/dev/ttyUSB7")
    machine.write("/sys/bus/usb-serial/devices/ttyUSB7/latency_timer", "1\n")
    machine.outputs[COMMAND] = json.dumps({"inverters": {"barn": QUIET}})
    found = examine(case(SERIAL + RADIO + INVERTER + BESIDE), machine.host())
    assert [one for one in found if one.finding.verdict in {Verdict.PROBLEM, Verdict.ADVICE}] == []
    assert {one.check for one in found} == set(checks())


def test_whatever_is_no_ok_says_what_to_do(machine: Machine) -> None:
    machine.outputs.clear()
    machine.can(up=False)
    found = examine(case(SERIAL + RADIO + INVERTER), machine.host())
    assert all(one.finding.do for one in found if one.finding.verdict in {Verdict.PROBLEM, Verdict.ADVICE})


def test_a_machine_without_anything_gives_no_traceback(tmp_path: Path) -> None:
    for subject in (Case(), case(SERIAL + RADIO + INVERTER)):
        empty = Machine(tmp_path / str(id(subject)))
        empty.outputs.clear()
        empty.root = tmp_path / "nothing"
        assert examine(subject, empty.host())


# The command


def run(monkeypatch: pytest.MonkeyPatch, machine: Machine, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr("bridge.doctor.this_host", machine.host)
    result = CliRunner().invoke(app, ["doctor", *arguments])
    return result.exit_code, result.output


def file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return str(path)


def test_it_ends_with_0_when_there_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, tmp_path: Path
) -> None:
    code, output = run(monkeypatch, machine, file(tmp_path, SERIAL + INVERTER))
    assert code == 0
    assert output.endswith("no problem found\n")


def test_it_ends_with_1_when_there_is_one(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, tmp_path: Path
) -> None:
    machine.can(up=False)
    code, output = run(monkeypatch, machine, file(tmp_path, SERIAL + INVERTER))
    assert code == 1
    assert "can_interface: can0: the interface is down\n         -> sudo ip link set can0" in output
    assert output.endswith("1 problems found\n")


def test_a_wrong_configuration_is_a_finding_and_the_machine_is_still_looked_at(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, tmp_path: Path
) -> None:
    code, output = run(monkeypatch, machine, file(tmp_path, SERIAL + "[bank]\nnonsense = 1\n"), "--json")
    found = [json.loads(line) for line in output.splitlines()]
    assert code == 1
    assert [one["check"] for one in found if one["verdict"] == "problem"] == ["configuration"]
    assert {one["check"] for one in found} >= {"service", "gateways"}
    assert found[0].keys() == {"check", "verdict", "looked_at", "saw", "do"}


def test_used_wrongly_it_ends_with_2(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    assert run(monkeypatch, machine, "/no/such/file.toml")[0] == 2
    assert run(monkeypatch, machine, "--no-such-option")[0] == 2


def test_without_a_file_the_machine_alone_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    machine.process(30, "ModemManager", "/usr/sbin/ModemManager")
    code, output = run(monkeypatch, machine)
    assert code == 0
    assert "port_grabbers: ModemManager: running" in output


def test_the_case_of_a_file_keeps_its_problems(tmp_path: Path) -> None:
    made = case_of(Path(file(tmp_path, "[packs.x]\n")))
    assert made.config is None
    assert made.problems
