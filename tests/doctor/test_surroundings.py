"""The service, the gateways that run, and what they keep."""

from __future__ import annotations

import pytest

from bridge.doctor import Verdict
from tests.doctor.machine import SERIAL, SHOW, UNIT, Machine, case

GATEWAY = ("/usr/bin/python3", "/usr/bin/packbridge", "run", "/etc/packbridge.toml")


def test_a_good_unit_is_fine(machine: Machine) -> None:
    machine.outputs[SHOW] = UNIT
    assert [one.verdict for one in machine.look("service", case())] == [Verdict.OK]


@pytest.mark.parametrize(
    ("old", "new", "saw"),
    [
        ("WatchdogUSec=10s", "WatchdogUSec=0", "no watchdog"),
        ("WatchdogUSec=10s", "WatchdogUSec=infinity", "no watchdog"),
        ("Type=notify", "Type=simple", "its watchdog is not fed"),
        ("Restart=always", "Restart=no", "after an error it stays down"),
        ("UnitFileState=enabled", "UnitFileState=disabled", "does not start with the machine"),
    ],
)
def test_a_unit_that_lacks_something_is_told(machine: Machine, old: str, new: str, saw: str) -> None:
    machine.outputs[SHOW] = UNIT.replace(old, new)
    (found,) = machine.problems("service", case())
    assert saw in found.saw


def test_a_machine_without_the_unit_is_advised(machine: Machine) -> None:
    machine.outputs[SHOW] = "LoadState=not-found\nWatchdogUSec=0\n"
    assert [one.verdict for one in machine.look("service", case())] == [Verdict.ADVICE]


def test_two_gateways_with_one_file_are_one_too_many(machine: Machine) -> None:
    machine.process(40, "packbridge", *GATEWAY)
    assert machine.problems("gateways", case()) == []
    machine.process(41, "packbridge", *GATEWAY)
    (found,) = machine.problems("gateways", case())
    assert "processes 40, 41" in found.saw


def test_a_second_one_that_only_listens_is_fine(machine: Machine) -> None:
    machine.process(40, "packbridge", *GATEWAY)
    machine.process(41, "packbridge", *GATEWAY, "--shadow")
    assert machine.problems("gateways", case()) == []


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ((), Verdict.OK),
        (("--log-level", "debug"), Verdict.ADVICE),
        (("--log-level=error",), Verdict.ADVICE),
        (("--log-level",), Verdict.OK),
    ],
)
def test_what_a_running_gateway_logs_is_looked_at(
    machine: Machine, words: tuple[str, ...], verdict: Verdict
) -> None:
    machine.process(40, "packbridge", *GATEWAY, *words)
    assert [one.verdict for one in machine.look("gateways", case())] == [verdict]


def test_a_folder_that_may_be_made_is_fine(machine: Machine) -> None:
    (found,) = machine.look("state_folder", case())
    assert (found.verdict, found.looked_at) == (Verdict.OK, "/home/me/.local/state/packbridge")


def test_a_folder_that_may_not_be_written_is_a_problem(machine: Machine) -> None:
    machine.write("/var/lib/packbridge/state.json")
    machine.forbidden.add("/var/lib/packbridge")
    machine.environment["STATE_DIRECTORY"] = "/var/lib/packbridge"
    (found,) = machine.problems("state_folder", case())
    assert found.looked_at == "/var/lib/packbridge"


def test_a_folder_from_the_file_goes_before_the_systems(machine: Machine) -> None:
    machine.environment["STATE_DIRECTORY"] = "/var/lib/packbridge"
    text = SERIAL + '[gateway]\nstate_dir = "/srv/packbridge"\n'
    assert machine.look("state_folder", case(text))[0].looked_at == "/srv/packbridge"
