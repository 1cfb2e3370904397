"""Inverters that ask over RS485, in a file: what is right, and what is said of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge import profiles
from bridge.config import Config, Rs485Inverter, parse, preflight
from bridge.config.summary import summary
from bridge.errors import ConfigError
from tests.config.samples import GOOD, complaints

PORT = "/dev/serial/by-id/usb-inverter"
ASKING = GOOD.replace(
    'profile = "deye-lv"\ninterface = "socketcan"\nchannel = "can0"',
    f'profile = "axpert-pyl"\nport = "{PORT}"',
)
BESIDE = GOOD + f'\n[inverters.barn]\nprofile = "axpert-pyl"\nport = "{PORT}"\n'


def config(more: str = "") -> Config:
    return parse(ASKING + more, "c.toml")


def test_an_inverter_that_asks_needs_a_profile_and_a_port() -> None:
    (inverter,) = config().inverters
    assert inverter == Rs485Inverter(name="house", profile="axpert-pyl", port=PORT)
    assert inverter.link == PORT


def test_baud_rate_address_and_who_switches_the_adapter_may_be_said() -> None:
    (inverter,) = config('baudrate = 115200\naddress = 3\ndriver_enable = "rts-low"\n').inverters
    assert isinstance(inverter, Rs485Inverter)
    assert (inverter.baudrate, inverter.address, inverter.driver_enable) == (115200, 3, "rts-low")


def test_one_gateway_has_both_kinds_at_once() -> None:
    assert [type(one).__name__ for one in parse(BESIDE, "c.toml").inverters] == [
        "CanInverter",
        "Rs485Inverter",
    ]


def test_the_summary_says_where_it_answers() -> None:
    assert summary(config("baudrate = 115200\n"))[-1].endswith(f"{PORT}, answering at 115200 baud")
    assert summary(config())[-1].startswith("inverter house: axpert-pyl (Voltronic Axpert")


def test_a_profile_that_nobody_tried_is_warned_of() -> None:
    (warning,) = parse(ASKING.replace("axpert-pyl", "axpert-lib"), "c.toml").warnings
    assert "made from documents and tried by nobody" in warning


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (
            'interface = "socketcan"\n',
            'interface: found "socketcan", but axpert-pyl is on RS485, and reached by port; remove it',
        ),
        ("baudrate = 9\n", "baudrate: found 9; allowed: a whole number from 1200 to 1000000"),
        ('driver_enable = "rts"\n', 'driver_enable: found "rts"; allowed: one of "auto", "rts-high"'),
        ("address = 200\n", "address: found 200; allowed for pylontech-rs485: "),
        ("adress = 2\n", 'Did you mean "address"?'),
    ],
)
def test_a_key_that_can_not_stand_is_named_with_its_line(more: str, complaint: str) -> None:
    (problem,) = complaints(ASKING + more)
    assert problem.startswith(f"c.toml:{ASKING.count(chr(10)) + 1}: inverters.house.")
    assert complaint in problem


@pytest.mark.parametrize("key", ["port", "baudrate", "address", "driver_enable"])
def test_keys_of_a_port_are_refused_on_can(key: str) -> None:
    value = {"port": f'"{PORT}"', "baudrate": "9600", "address": "1", "driver_enable": '"auto"'}[key]
    (problem,) = complaints(GOOD + f"{key} = {value}\n")
    assert "deye-lv is on CAN, and reached by interface and channel; remove it" in problem


def test_without_a_port_it_is_asked_for() -> None:
    (problem,) = complaints(ASKING.replace(f'port = "{PORT}"\n', ""))
    assert "inverters.house.port: missing; " in problem


@pytest.mark.parametrize(
    ("port", "complaint"),
    [
        ("ttyUSB0", 'write the full path, as in "/dev/ttyUSB0"'),
        ("can:can0", "found a CAN bus; axpert-pyl is on RS485; write a device path"),
        ("ble:AA:BB:CC:DD:EE:FF", "found a Bluetooth device; axpert-pyl is on RS485"),
        ("http://10.0.0.1:80", "that scheme is not supported"),
    ],
)
def test_what_is_no_serial_port_is_refused(port: str, complaint: str) -> None:
    (problem,) = complaints(ASKING.replace(PORT, port))
    assert "inverters.house.port: " in problem
    assert complaint in problem


def test_two_inverters_on_one_port_are_refused() -> None:
    second = f'\n[inverters.barn]\nprofile = "srne-pyl"\nport = "{PORT}"\n'
    (problem,) = complaints(ASKING + second)
    assert f'inverters.barn.port: found "{PORT}", the port of house too' in problem


def test_a_pack_on_the_port_of_an_inverter_is_refused() -> None:
    (problem,) = complaints(ASKING.replace("/dev/ttyUSB1", PORT))
    assert f'packs.attic.port: found "{PORT}", the port of the inverter house, which asks there' in problem


def test_two_gateways_can_not_answer_one_inverter() -> None:
    (problem,) = complaints(ASKING + '\n[redundancy]\nrole = "active"\n')
    assert "axpert-pyl asks over RS485, where two gateways would answer at once" in problem


def test_a_dialect_that_can_not_do_what_a_profile_wants_is_said(tmp_path: Path) -> None:
    text = profiles.find("axpert-pyl").path.read_text("utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('asks = "axpert"', 'aks = "axpert"'), "utf-8")
    (problem,) = complaints(ASKING.replace('"axpert-pyl"', f'"{path}"'))
    assert "options.aks: unknown option; pylontech-rs485 knows: asks" in problem


@pytest.mark.parametrize(("wired", "complained"), [("", 0), ("parallel", 0), ("series", 1)])
def test_packs_in_series_are_not_shown_as_batteries_side_by_side(
    tmp_path: Path, wired: str, complained: int
) -> None:
    path = tmp_path / "mine.toml"
    text = profiles.find("axpert-pyl").path.read_text("utf-8")
    path.write_text(text.replace('asks = "axpert"', 'asks = "axpert"\npose = "each"'), "utf-8")
    topology = f'[bank]\ntopology = {{ {wired} = ["garage", "attic"] }}' if wired else "[bank]"
    found = complaints(ASKING.replace("[bank]", topology).replace('"axpert-pyl"', f'"{path}"'))

    said = [one for one in found if "inverters.house.profile: " in one]
    assert len(said) == complained
    assert all('mine.toml: options.pose: found "each"' in one for one in said)
    assert all("garage, attic stand in series" in one for one in said)
    assert all(one.endswith('write pose = "one" there') for one in said)


def test_a_port_that_is_not_there_is_found_before_the_start() -> None:
    text = ASKING.replace("/dev/ttyUSB0", "socket://h:1").replace("/dev/ttyUSB1", "socket://h:2")
    with pytest.raises(ConfigError, match=r"inverters\.house\.port: found .*there is no such device"):
        preflight(parse(text.replace(PORT, "/dev/no-such-port"), "c.toml"))
