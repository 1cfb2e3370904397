from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.config import Config, parse, preflight, require_inverter
from bridge.config.preflight import serial_ports
from bridge.errors import ConfigError
from tests.config.samples import GOOD, one, spoilt

CAN, ETHERNET = "280", "1"
UP, DOWN = "0x40081", "0x40080"


@pytest.fixture
def port() -> Iterator[str]:
    """A character device that may be read and written."""
    master, slave = os.openpty()
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """The kernel's list of interfaces: a bus that is up, one that is down, and something else."""
    for name, kind, flags in [("can0", CAN, UP), ("can1", CAN, DOWN), ("eth0", ETHERNET, UP)]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(kind + "\n")
        (tmp_path / name / "flags").write_text(flags + "\n")
    return tmp_path


def config(port: str, channel: str = "can0", interface: str = "socketcan") -> Config:
    text = spoilt("/dev/ttyUSB0", port).replace("/dev/ttyUSB1", "socket://10.0.0.2:8899")
    return parse(text.replace('"can0"', f'"{channel}"').replace("socketcan", interface), "c.toml")


def complaints(wanted: Config, network: Path) -> list[str]:
    try:
        preflight(wanted, network)
    except ConfigError as error:
        return list(error.problems)
    return []


def test_ports_that_are_there_pass_and_network_addresses_are_not_tried(port: str, network: Path) -> None:
    assert complaints(config(port), network) == []


def test_a_missing_port_is_named_with_the_ones_that_exist(network: Path) -> None:
    listed = ", ".join(serial_ports()) or "none"
    assert complaints(config("/dev/no-such-port"), network) == [
        (
            'c.toml:12: packs.garage.port: found "/dev/no-such-port": there is no such device; '
            f"serial ports here: {listed}; plug it in, or write one of these"
        )
    ]


def test_a_file_is_not_a_port(tmp_path: Path, network: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    (problem,) = complaints(config(str(path)), network)
    assert problem.startswith(f'c.toml:12: packs.garage.port: found "{path}": that is not a serial device; ')


def test_a_port_without_permission_names_the_group_to_join(
    port: str, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert complaints(config(port), network) == [
        (
            f'c.toml:12: packs.garage.port: found "{port}": this user may not read and write it; '
            f"add the user to its group: sudo usermod -aG {Path(port).group()} $USER, then log in again"
        )
    ]


def test_a_port_under_pack_is_blamed_there(network: Path) -> None:
    text = spoilt("cells = 16", 'cells = 16\nport = "/dev/no-such-port"').replace(
        'port = "/dev/ttyUSB0"\n', ""
    )
    problem = complaints(parse(text.replace("/dev/ttyUSB1", "socket://10.0.0.2:8899"), "c.toml"), network)[0]
    assert problem.startswith("c.toml:9: pack.port: found ")


def test_a_missing_can_interface_is_named_with_the_ones_that_exist(port: str, network: Path) -> None:
    assert complaints(config(port, "can7"), network) == [
        (
            'c.toml:25: inverters.house.channel: found "can7": there is no such CAN interface; there are: '
            "can0, can1; "
            "plug in the adapter, or write one of these"
        )
    ]


def test_a_can_interface_that_is_down_is_said_with_the_command(port: str, network: Path) -> None:
    assert complaints(config(port, "can1"), network) == [
        (
            'c.toml:25: inverters.house.channel: found "can1": the interface is down; '
            "switch it on: sudo ip link set can1 up type can bitrate 500000"
        )
    ]


def test_an_adapter_behind_a_serial_port_is_looked_for(port: str, network: Path) -> None:
    apart = "socket://10.0.0.3:8899"
    assert complaints(config(apart, f"{port}@115200", "slcan"), network) == []
    (problem,) = complaints(config(apart, "/dev/no-such-port@115200", "slcan"), network)
    assert problem.startswith("c.toml:25: inverters.house.channel: found ")


def test_adapters_that_only_their_driver_knows_are_left_to_it(port: str, network: Path) -> None:
    assert complaints(config(port, "anything", "virtual"), network) == []


def test_all_ports_are_complained_of_at_once(network: Path) -> None:
    places = [problem.split(": ")[0] for problem in complaints(config("/dev/no-such-port", "can7"), network)]
    assert places == ["c.toml:12", "c.toml:25"]


def test_a_gateway_without_an_inverter_has_nobody_to_send_to() -> None:
    with pytest.raises(ConfigError, match=r"c\.toml: inverters: there is no inverter; write a table"):
        require_inverter(parse(GOOD[: GOOD.index("[inverters")], "c.toml"))


def test_a_gateway_with_an_inverter_is_fine(port: str) -> None:
    require_inverter(config(port))


def pack_alone(bms: str, port: str, more: str = "") -> Config:
    return parse(one(bms, port, more), "c.toml")


def test_a_packs_can_interface_is_looked_for_and_its_own_bit_rate_said(network: Path) -> None:
    assert complaints(pack_alone("daly-can", "can:can0"), network) == []
    assert complaints(pack_alone("daly-can", "can:can1"), network) == [
        (
            'c.toml:3: packs.garage.port: found "can:can1": the interface is down; '
            "switch it on: sudo ip link set can1 up type can bitrate 250000"
        )
    ]


def test_a_packs_can_adapter_behind_a_serial_port_is_looked_for(network: Path) -> None:
    (problem,) = complaints(pack_alone("daly-can", "can:slcan:/dev/no-such-port"), network)
    assert problem.startswith(
        'c.toml:3: packs.garage.port: found "can:slcan:/dev/no-such-port": there is no '
    )


@pytest.fixture
def no_bleak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


@pytest.mark.usefixtures("no_bleak")
def test_bluetooth_without_its_library_says_what_to_install(network: Path) -> None:
    assert complaints(pack_alone("jk", "ble:JK-1"), network) == [
        (
            'c.toml:3: packs.garage.port: found "ble:JK-1": Bluetooth needs bleak; '
            'install it: pip install "packbridge[ble]"'
        )
    ]


@pytest.mark.usefixtures("no_bleak")
def test_a_balancers_port_is_looked_at_too(port: str, network: Path) -> None:
    balancer = '[packs.garage.balancer]\nbms = "neey"\nport = "ble:GW-1"'
    (problem,) = complaints(pack_alone("jbd", port, balancer), network)
    assert problem.startswith('c.toml:9: packs.garage.balancer.port: found "ble:GW-1": Bluetooth needs ')


def test_bluetooth_with_its_library_is_left_to_the_radio(network: Path) -> None:
    pytest.importorskip("bleak")
    assert complaints(pack_alone("jk", "ble:JK-1"), network) == []


def test_an_example_is_never_ready_to_run(port: str, network: Path) -> None:
    text = "[gateway]\nexample = true\n" + one("jbd", port)
    assert complaints(parse(text, "c.toml"), network) == [
        (
            "c.toml:2: gateway.example: this file is an example, with ports, ratings and fuses that are not "
            "yours; write your own, then remove this line"
        )
    ]
