"""What this machine has, told by folders that look like its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.protocols.contract import load
from bridge.surroundings import Device, can_ports, lasting_name, like_its_kind


def test_a_device_has_the_name_that_survives_another_socket(tmp_path: Path) -> None:
    tty = tmp_path / "ttyUSB0"
    tty.touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-FTDI-A10").symlink_to(tty)
    assert lasting_name(str(tty), by_id) == str(by_id / "usb-FTDI-A10")
    assert lasting_name(str(by_id / "usb-FTDI-A10"), by_id) == str(by_id / "usb-FTDI-A10")


@pytest.mark.parametrize("port", ["/dev/ttyNONE", "socket://10.0.0.1:8899", "can:can0"])
def test_a_port_without_such_a_name_keeps_its_own(port: str, tmp_path: Path) -> None:
    assert lasting_name(port, tmp_path) == port


def test_can_interfaces_are_told_apart_by_whether_they_are_up(tmp_path: Path) -> None:
    for name, kind, flags in (
        ("can0", "280", "0x40081"),
        ("can1", "280", "0x40080"),
        ("eth0", "1", "0x1003"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(f"{kind}\n")
        (tmp_path / name / "flags").write_text(f"{flags}\n")
    assert can_ports(tmp_path) == (["can:can0"], ["can:can1"])


def test_a_machine_without_networks_has_no_can(tmp_path: Path) -> None:
    assert can_ports(tmp_path / "none") == ([], [])


@pytest.mark.parametrize(
    ("bms", "name", "like"),
    [("jbd", "JBD-SP04", True), ("jbd", "JK-B2A", False), ("jk", "JK_PB2", True), ("jk-pb", "JK-B2A", False),
     ("jbd", None, False)],
)  # fmt: skip
def test_a_name_is_like_those_of_its_kind(bms: str, name: str | None, like: bool) -> None:
    assert like_its_kind(load(bms).spec, name) is like


def test_a_device_is_a_port_with_its_adapter() -> None:
    assert Device("AA:BB:CC:DD:EE:FF", "JBD-1").port == "ble:AA:BB:CC:DD:EE:FF"
    assert Device("AA:BB:CC:DD:EE:FF", "JBD-1", "hci1").port == "ble:AA:BB:CC:DD:EE:FF?adapter=hci1"
