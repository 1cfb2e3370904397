"""Who may share a wire with whom, with the messages in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import parse
from tests.config.samples import complaints, one, spoilt


def test_two_packs_on_one_point_to_point_port_are_refused() -> None:
    assert complaints(spoilt("/dev/ttyUSB1", "/dev/ttyUSB0")) == [
        (
            'c.toml:17: packs.attic.port: found "/dev/ttyUSB0", the port of garage too; jbd is point to '
            "point; "
            "give each pack its own port"
        )
    ]


def test_two_names_of_one_port_are_one_port(tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to("/dev/ttyUSB0")
    (problem,) = complaints(spoilt("/dev/ttyUSB1", str(link)))
    assert problem.startswith("c.toml:17: packs.attic.port: found ")


@pytest.mark.parametrize("other", ["socket://HOST:8899/", "rfc2217://host:8899"])
def test_two_spellings_of_one_network_address_are_one_port(other: str) -> None:
    text = spoilt("/dev/ttyUSB1", other).replace("/dev/ttyUSB0", "socket://host:8899")
    (problem,) = complaints(text)
    assert problem.startswith("c.toml:17: packs.attic.port: found ")


SHARED = spoilt('"jbd"', '"party"').replace("/dev/ttyUSB1", "/dev/ttyUSB0")


@pytest.mark.usefixtures("more_protocols")
def test_packs_with_addresses_of_their_own_may_share_a_port() -> None:
    packs = parse(SHARED.replace("= 280", "= 280\naddress = 2"), "c.toml").packs
    assert [pack.options.address for pack in packs] == [2, 1]


@pytest.mark.usefixtures("more_protocols")
def test_packs_with_one_address_may_not_share_a_port() -> None:
    assert complaints(SHARED) == [
        (
            "c.toml:16: packs.attic.address: attic and garage share a port and have the same address 1; "
            "give each pack its own address, in its BMS and here"
        )
    ]


@pytest.mark.usefixtures("more_protocols")
def test_a_shared_port_has_one_baud_rate() -> None:
    assert complaints(SHARED.replace("= 280", "= 280\naddress = 2\nbaudrate = 9600")) == [
        (
            "c.toml:18: packs.attic.baudrate: found 19200, but garage on the same port has 9600; "
            "a port has one baud rate"
        )
    ]


@pytest.mark.usefixtures("more_protocols")
def test_a_shared_port_has_one_spelling(tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to("/dev/ttyUSB0")
    text = (
        spoilt('"jbd"', '"party"').replace("/dev/ttyUSB1", str(link)).replace("= 280", "= 280\naddress = 2")
    )
    (problem,) = complaints(text)
    assert problem.endswith(
        'another name for the port of garage; write the same in both: port = "/dev/ttyUSB0"'
    )


@pytest.mark.usefixtures("more_protocols")
def test_a_port_has_one_protocol() -> None:
    text = spoilt("capacity_ah = 100", 'capacity_ah = 100\nbms = "party"').replace("ttyUSB1", "ttyUSB0")
    assert complaints(text) == [
        (
            "c.toml:19: packs.attic.bms: party on the port of garage, which speaks jbd; one port, one "
            "protocol; "
            "give each its own port"
        )
    ]


@pytest.mark.usefixtures("more_protocols")
def test_where_one_pack_is_only_listened_to_all_are() -> None:
    text = SHARED.replace("= 280", "= 280\naddress = 2\noptions = { listen = true }")
    assert complaints(text) == [
        (
            "c.toml:18: packs.attic.options.listen: attic and garage share a port, and only one of them is "
            "listened to; where another master asks, nothing may be sent; write listen = true for all of its "
            "packs, or for none"
        )
    ]
    assert complaints(text.replace("[pack]", "[pack]\noptions.listen = true")) == []


def two(bms: str, first: str, second: str, more: str = "") -> str:
    return one(bms, first) + one(bms, second, more, name="attic")


@pytest.mark.parametrize(
    "second", ["ble:A4:C1:38:04:2D:BE", "ble:a4:c1:38:04:2d:be?adapter=hci1", "ble:A4-C1-38-04-2D-BE"]
)
def test_a_bluetooth_device_belongs_to_one_pack(second: str) -> None:
    assert complaints(two("daly-a5", "ble:A4:C1:38:04:2D:BE", second, "address = 2")) == [
        (
            f'c.toml:10: packs.attic.port: found "{second}", the device of garage too; a Bluetooth module '
            "takes one connection, and belongs to one pack; give each its own"
        )
    ]


def test_two_devices_on_one_bluetooth_adapter_are_two_wires() -> None:
    assert complaints(two("jk", "ble:JK-1?adapter=hci1", "ble:JK-2?adapter=hci1")) == []


def test_a_balancer_has_a_device_of_its_own() -> None:
    text = one("jbd", "ble:A4:C1:38:04:2D:BE", '[packs.garage.balancer]\nbms = "neey"\n')
    assert complaints(text + 'port = "ble:A4:C1:38:04:2D:BE"') == [
        (
            'c.toml:10: packs.garage.balancer.port: found "ble:A4:C1:38:04:2D:BE", the device of garage too; '
            "a Bluetooth module takes one connection, and belongs to one pack; give each its own"
        )
    ]


def test_packs_with_addresses_of_their_own_may_share_a_bus_however_it_is_written() -> None:
    text = two("daly-can", "can:can1", "can:socketcan:can1", "address = 2")
    assert [pack.link for pack in parse(text, "c.toml").packs] == ["socketcan:can1", "socketcan:can1"]


def test_packs_with_one_address_may_not_share_a_bus() -> None:
    (problem,) = complaints(two("daly-can", "can:can1", "can:can1"))
    assert problem.startswith(
        "c.toml:8: packs.attic.address: attic and garage share a port and have the same "
    )


def test_a_bus_has_one_protocol() -> None:
    (problem,) = complaints(one("daly-can", "can:can1") + one("jk-can", "can:can1", name="attic"))
    assert problem.startswith(
        "c.toml:9: packs.attic.bms: jk-can on the port of garage, which speaks daly-can"
    )


def test_two_packs_that_can_not_be_told_apart_may_not_share_a_bus() -> None:
    (problem,) = complaints(two("pylontech-can", "can:can1", "can:can1"))
    assert "pylontech-can is point to point" in problem


def test_an_adapter_behind_a_serial_port_is_one_whatever_rate_is_written_with_it() -> None:
    (problem,) = complaints(
        two("daly-can", "can:slcan:/dev/ttyACM0", "can:slcan:/dev/ttyACM0@115200", "address = 2")
    )
    assert problem == (
        'c.toml:10: packs.attic.port: found "can:slcan:/dev/ttyACM0@115200", another name for the port of '
        'garage; write the same in both: port = "can:slcan:/dev/ttyACM0"'
    )


def with_inverter(bms: str, port: str, interface: str = "socketcan", channel: str = "can0") -> str:
    inverter = f'[inverters.house]\nprofile = "./p.toml"\ninterface = "{interface}"\nchannel = "{channel}"\n'
    return one(bms, port) + inverter


@pytest.fixture
def slow_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile `./p.toml` like deye-lv, on a bus of 250 kbit/s."""
    text = (Path(__file__).parents[2] / "profiles" / "inverters" / "deye-lv.toml").read_text()
    (tmp_path / "p.toml").write_text(text.replace("bitrate = 500_000", "bitrate = 250_000"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("slow_bus")
@pytest.mark.parametrize("bms", ["daly-can", "jk-can"])
def test_a_pack_and_an_inverter_of_one_bit_rate_may_share_a_bus(bms: str) -> None:
    found = parse(with_inverter(bms, "can:can0"), "c.toml")
    assert found.packs[0].link == found.inverters[0].link


@pytest.mark.parametrize("bms", ["daly-can", "jk-can"])
def test_a_bus_has_one_bit_rate(bms: str) -> None:
    assert complaints(with_inverter(bms, "can:can0").replace("./p.toml", "deye-lv")) == [
        (
            f'c.toml:3: packs.garage.port: found "can:can0", the bus of house; {bms} runs at 250 kbit/s and '
            "deye-lv at 500 kbit/s; a bus has one bit rate; give the pack a CAN adapter of its own"
        )
    ]


def test_a_pack_that_speaks_the_inverters_dialect_may_not_be_on_its_bus() -> None:
    """It would read back what the inverter is told, and take that for what the pack says."""
    (problem,) = complaints(with_inverter("pylontech-can", "can:can0").replace("./p.toml", "deye-lv"))
    assert problem.startswith(
        'c.toml:3: packs.garage.port: found "can:can0", the bus of house; what house is told there (0x351, '
    )
    assert problem.endswith("would be taken for it; give the pack a CAN adapter of its own")
    apart = with_inverter("pylontech-can", "can:can1").replace("./p.toml", "deye-lv")
    assert complaints(apart) == []


def test_a_serial_pack_may_not_be_on_an_inverters_can_adapter() -> None:
    text = with_inverter("jbd", "/dev/ttyACM0", "slcan", "/dev/ttyACM0@115200").replace("./p.toml", "deye-lv")
    assert complaints(text) == [
        (
            'c.toml:3: packs.garage.port: found "/dev/ttyACM0", the CAN adapter of house; '
            "give the pack its own port"
        )
    ]


@pytest.mark.usefixtures("slow_bus")
def test_a_bus_that_is_shared_with_an_inverter_has_one_spelling() -> None:
    text = with_inverter("daly-can", "can:slcan:/dev/ttyACM0", "slcan", "/dev/ttyACM0@115200")
    (problem,) = complaints(text)
    assert problem.endswith(
        'another name for the bus of house; write the same in both: port = "can:slcan:/dev/ttyACM0@115200"'
    )
