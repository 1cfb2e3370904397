"""Serial ports, Bluetooth and the packages behind them."""

from __future__ import annotations

import os

import pytest

from bridge.doctor import Case, Verdict
from tests.doctor.machine import INVERTER, RADIO, SERIAL, USB, Machine, case

BLE = case(RADIO + INVERTER)


def radio(machine: Machine, *, powered: str = "yes", connected: str = "") -> None:
    machine.write("/sys/class/bluetooth/hci0/address", "x")
    machine.process(20, "bluetoothd", "/usr/libexec/bluetooth/bluetoothd")
    machine.outputs["bluetoothctl show"] = f"Controller 11:22 host [default]\n\tPowered: {powered}\n"
    machine.outputs["bluetoothctl devices Connected"] = connected


def test_a_port_that_is_not_there_is_told_with_those_that_are(machine: Machine) -> None:
    (machine.root / USB[1:]).unlink()
    machine.link("/dev/serial/by-id/other", "../../ttyUSB0")
    (found,) = machine.problems("serial_ports", case())
    assert found.looked_at == f"{USB} (left)"
    assert found.do.endswith("/dev/serial/by-id/other, /dev/ttyUSB0")


def test_a_link_that_leads_nowhere_is_no_port(machine: Machine) -> None:
    (machine.root / "dev/ttyUSB0").unlink()
    assert [one.saw for one in machine.problems("serial_ports", case())] == ["there is no such device"]


def test_a_port_of_another_group_says_how_to_join_it(machine: Machine) -> None:
    machine.forbidden.add("/dev/ttyUSB0")
    (found,) = machine.problems("serial_ports", case())
    assert "usermod -aG" in found.do


def test_a_numbered_port_is_advised_its_lasting_name(machine: Machine) -> None:
    (found,) = machine.look("serial_ports", case(SERIAL.replace(USB, "/dev/ttyUSB0") + INVERTER))
    assert (found.verdict, f'port = "{USB}"' in found.do) == (Verdict.ADVICE, True)


def test_the_adapter_of_an_slcan_inverter_is_a_serial_port_too(machine: Machine) -> None:
    slcan = INVERTER.replace("socketcan", "slcan").replace("can0", "/dev/ttyACM7@115200")
    (found,) = machine.problems("serial_ports", case(SERIAL + slcan))
    assert found.looked_at == "/dev/ttyACM7 (house)"


def test_a_program_that_has_the_port_open_is_named(machine: Machine) -> None:
    machine.process(77, "minicom", "minicom", "-D", "/dev/ttyUSB0", opened=["/dev/null", "/dev/ttyUSB0"])
    (found,) = machine.problems("serial_users", case())
    assert found.saw == "in use by minicom (process 77)"


def test_a_running_gateway_may_have_it_open(machine: Machine) -> None:
    machine.process(78, "packbridge", "/usr/bin/packbridge", "run", "c.toml", opened=["/dev/ttyUSB0"])
    (found,) = machine.look("serial_users", case())
    assert found.verdict is Verdict.ADVICE


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is hidden from root")
def test_what_cannot_be_seen_is_said(machine: Machine) -> None:
    machine.hidden(1)
    assert Verdict.UNKNOWN in [one.verdict for one in machine.look("serial_users", case())]


@pytest.mark.parametrize(("text", "verdict"), [("16\n", Verdict.ADVICE), ("1\n", Verdict.OK)])
def test_a_slow_latency_timer_is_advised_against(machine: Machine, text: str, verdict: Verdict) -> None:
    machine.write("/sys/bus/usb-serial/devices/ttyUSB0/latency_timer", text)
    assert [one.verdict for one in machine.look("usb_latency", case())] == [verdict]


def test_a_chip_without_a_timer_is_no_matter(machine: Machine) -> None:
    assert machine.look("usb_latency", case()) == []


@pytest.mark.parametrize("name", ["ModemManager", "brltty"])
def test_a_service_that_grabs_ports_is_a_problem_where_there_are_some(machine: Machine, name: str) -> None:
    machine.process(30, name, f"/usr/sbin/{name}")
    assert [one.looked_at for one in machine.problems("port_grabbers", case())] == [name]
    assert machine.look("port_grabbers", BLE) == []


def test_without_a_pack_in_the_air_no_radio_is_asked_for(machine: Machine) -> None:
    names = ("bluetooth_adapter", "bluetooth_service", "bluetooth_connections")
    assert [finding for name in names for finding in machine.look(name, case())] == []


def test_a_machine_without_an_adapter_is_told(machine: Machine) -> None:
    assert [one.saw for one in machine.problems("bluetooth_adapter", BLE)] == ["there is none"]


def test_another_adapter_than_the_wanted_one_is_told(machine: Machine) -> None:
    machine.write("/sys/class/bluetooth/hci1/address", "x")
    assert machine.problems("bluetooth_adapter", BLE)[0].looked_at == "Bluetooth adapter hci0"


@pytest.mark.parametrize(
    ("soft", "hard", "saw"),
    [("1", "0", "blocked by rfkill"), ("1", "1", "switched off by a hardware switch or the firmware")],
)
def test_a_blocked_adapter_is_told(machine: Machine, soft: str, hard: str, saw: str) -> None:
    radio(machine)
    for name, text in (("type", "bluetooth"), ("name", "hci0"), ("soft", soft), ("hard", hard)):
        machine.write(f"/sys/class/rfkill/rfkill0/{name}", text + "\n")
    assert [one.saw for one in machine.look("bluetooth_adapter", BLE)] == [saw]


def test_an_adapter_that_is_off_is_told(machine: Machine) -> None:
    radio(machine, powered="no")
    assert [one.saw for one in machine.problems("bluetooth_adapter", BLE)] == ["switched off"]


def test_without_bluetoothctl_nothing_is_claimed(machine: Machine) -> None:
    radio(machine)
    del machine.outputs["bluetoothctl show"]
    assert [one.verdict for one in machine.look("bluetooth_adapter", BLE)] == [Verdict.UNKNOWN]


def test_a_service_that_does_not_run_is_told(machine: Machine) -> None:
    assert [one.looked_at for one in machine.problems("bluetooth_service", BLE)] == ["bluetoothd"]


def test_a_connection_that_was_left_behind_is_told_unless_a_gateway_runs(machine: Machine) -> None:
    radio(machine, connected="Device AA:BB:CC:DD:EE:FF xiaoxiang\nDevice 00:11:22:33:44:55 mouse\n")
    (found,) = machine.problems("bluetooth_connections", BLE)
    assert "bluetoothctl disconnect AA:BB:CC:DD:EE:FF" in found.do
    machine.process(78, "python3", "python3", "-m", "bridge", "run", "c.toml")
    assert machine.problems("bluetooth_connections", BLE) == []


def test_a_missing_package_is_told_with_its_name(machine: Machine) -> None:
    machine.missing |= {"bleak", "gs_usb"}
    usb = INVERTER.replace("socketcan", "gs_usb").replace("can0", "0")
    found = machine.problems("python_extras", case(RADIO + usb))
    assert [one.do for one in found] == ['pip install "packbridge[ble]"', 'pip install "python-can[gs-usb]"']
    assert machine.problems("python_extras", case()) == []
    assert machine.look("python_extras", Case()) == []
