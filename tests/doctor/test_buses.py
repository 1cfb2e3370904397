"""CAN interfaces as `ip` shows them."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.doctor import Verdict
from tests.doctor.machine import Machine, case

PASSIVE: dict[str, Any] = {"state": "ERROR-PASSIVE"}


def test_an_interface_that_is_not_there_is_told_with_those_that_are(machine: Machine) -> None:
    (machine.root / "sys/class/net/can0").rename(machine.root / "sys/class/net/can7")
    (found,) = machine.problems("can_interface", case())
    assert (found.saw, found.do[-4:]) == ("there is no such CAN interface", "can7")


@pytest.mark.parametrize(
    ("settings", "saw"),
    [
        ({"up": False}, "the interface is down"),
        ({"bittiming": {"bitrate": 250000}}, "its bit rate is 250000, but 500000 is needed"),
        ({"ctrlmode": ["LISTEN-ONLY"]}, "it only listens: nothing can be sent"),
    ],
)
def test_a_wrong_setting_is_told_with_the_command_that_puts_it_right(
    machine: Machine, settings: dict[str, Any], saw: str
) -> None:
    machine.can(**settings)
    (found,) = machine.problems("can_interface", case())
    assert found.saw.startswith(saw)
    assert "ip link set can0 up type can bitrate 500000 restart-ms 100" in found.do


def test_a_virtual_bus_has_nothing_to_be_set(machine: Machine) -> None:
    machine.can(kind="vcan")
    found = [
        one for name in ("can_interface", "can_restart", "can_errors") for one in machine.look(name, case())
    ]
    assert [(one.verdict, one.saw) for one in found] == [(Verdict.OK, "up; vcan has no bit rate")]


def test_without_ip_nothing_is_claimed(machine: Machine) -> None:
    machine.outputs.clear()
    names = ("can_interface", "can_restart", "can_errors", "can_silence")
    found = [one for name in names for one in machine.look(name, case())]
    assert [one.verdict for one in found] == [Verdict.UNKNOWN]


@pytest.mark.parametrize("output", ["", "null", "[]", "[7]", '[{"linkinfo": 3, "flags": "UP"}]', "{"])
def test_whatever_ip_says_is_no_traceback(machine: Machine, output: str) -> None:
    machine.outputs["ip -details -json link show can0"] = output
    for name in ("can_interface", "can_restart", "can_errors", "can_silence"):
        machine.look(name, case())


def test_an_interface_that_stays_off_after_bus_off_is_told(machine: Machine) -> None:
    machine.can(restart_ms=0, queue=5)
    found = machine.look("can_restart", case())
    assert [one.verdict for one in found] == [Verdict.PROBLEM, Verdict.ADVICE]
    assert "restart-ms 100" in found[0].do
    assert "txqueuelen" in found[1].do


def test_an_interface_made_of_a_serial_port_is_never_given_a_restart_ms(machine: Machine) -> None:
    (machine.root / "sys/class/net/can0/device/uevent").unlink()
    (machine.root / "sys/class/net/can0/device").rmdir()
    machine.can(restart_ms=0)
    (found,) = machine.look("can_restart", case())
    assert (found.verdict, found.saw) == (
        Verdict.ADVICE,
        "made of a serial port: it does not come back by itself after bus-off",
    )
    machine.can(restart_ms=0, state="BUS-OFF")
    assert machine.look("can_errors", case())[0].do.endswith(
        "sudo ip link set can0 down; sudo ip link set can0 up"
    )
    machine.can(up=False)
    assert "restart-ms" not in machine.look("can_interface", case())[0].do


@pytest.mark.parametrize(
    ("info", "verdict", "saw"),
    [
        ({}, Verdict.OK, "error-active; no errors counted"),
        ({"berr_counter": {"tx": 0, "rx": 3}}, Verdict.ADVICE, "error-active; error counters"),
        ({"state": "ERROR-WARNING"}, Verdict.PROBLEM, "many errors"),
        (
            PASSIVE | {"berr_counter": {"tx": 128, "rx": 0}},
            Verdict.PROBLEM,
            "error-passive for what it sends: nobody",
        ),
        (
            PASSIVE | {"berr_counter": {"tx": 0, "rx": 135}},
            Verdict.PROBLEM,
            "error-passive for what it receives",
        ),
        (PASSIVE | {"berr_counter": None}, Verdict.PROBLEM, "error-passive; its driver does not tell"),
        ({"state": "BUS-OFF"}, Verdict.PROBLEM, "bus-off: the controller has left the bus"),
    ],
)
def test_the_controllers_state_is_told_with_what_it_points_at(
    machine: Machine, info: dict[str, Any], verdict: Verdict, saw: str
) -> None:
    machine.can(**info)
    (found,) = machine.look("can_errors", case())
    assert (found.verdict, found.saw[: len(saw)]) == (verdict, saw)


def test_a_bus_off_in_the_past_is_not_forgotten(machine: Machine) -> None:
    machine.can(bus_off=3)
    assert "3 times in bus-off" in machine.look("can_errors", case())[-1].saw


def test_a_bus_on_which_nobody_was_heard_is_told(machine: Machine) -> None:
    machine.write("/sys/class/net/can0/statistics/rx_packets", "0\n")
    (found,) = machine.look("can_silence", case())
    assert found.saw == "nothing was ever heard here, 240 frames were sent"
