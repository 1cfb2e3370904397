"""What must hold between values, with the messages in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import parse
from bridge.protocols import contract
from tests.config.samples import GOOD, complaints, spoilt


def warnings(text: str) -> list[str]:
    return list(parse(text, "c.toml").warnings)


def test_an_unknown_protocol_is_refused_with_the_known_ones() -> None:
    known = ", ".join(contract.names())
    assert complaints(spoilt('"jbd"', '"jdb"')) == [
        f"c.toml:9: pack.bms: unknown protocol 'jdb'; known: {known}. Did you mean \"jbd\"?"
    ]


def test_an_unknown_profile_is_refused_with_its_place() -> None:
    (problem,) = complaints(spoilt('"deye-lv"', '"dye-lv"'))
    assert problem.startswith("c.toml:23: inverters.house.profile: unknown profile")
    assert "deye-lv" in problem


def test_an_unknown_can_interface_is_refused_with_the_known_ones() -> None:
    (problem,) = complaints(spoilt('"socketcan"', '"sockecan"'))
    assert problem.startswith('c.toml:24: inverters.house.interface: unknown interface "sockecan"; known: ')
    assert problem.endswith('. Did you mean "socketcan"?')


def test_an_inverter_needs_all_its_keys() -> None:
    assert complaints(spoilt('channel = "can0"', "")) == [
        (
            "c.toml:22: inverters.house.channel: missing; allowed: a text in quotes; "
            'write for example channel = "can0"'
        )
    ]


def test_two_inverters_on_one_bus_are_refused() -> None:
    text = GOOD + '[inverters.barn]\nprofile = "deye-lv"\ninterface = "socketcan"\nchannel = "can0"\n'
    assert complaints(text) == [
        (
            'c.toml:29: inverters.barn.channel: found "can0", the bus of house too; two senders of the '
            "same messages "
            "on one bus disturb each other; write one entry for the inverters that share a bus"
        )
    ]


PORTS = [
    ("ttyUSB0", 'write the full path, as in "/dev/ttyUSB0"'),
    ("COM3", "write one of these"),
    ("ftp://host:21", "that scheme is not supported"),
    ("socket://host", 'write host and port number, as in "socket://192.168.1.20:8899"'),
    ("socket://host:port", 'write host and port number, as in "socket://192.168.1.20:8899"'),
    ("rfc2217://:4000", 'write host and port number, as in "rfc2217://192.168.1.20:8899"'),
    ("rfc2217://host:99999", 'write host and port number, as in "rfc2217://192.168.1.20:8899"'),
]


@pytest.mark.parametrize(("port", "advice"), PORTS)
def test_a_port_of_no_known_form_is_refused(port: str, advice: str) -> None:
    assert complaints(spoilt("/dev/ttyUSB0", port)) == [
        (
            f'c.toml:12: packs.garage.port: found "{port}"; allowed: a device path such as '
            f"/dev/serial/by-id/..., "
            f"socket://HOST:PORT or rfc2217://HOST:PORT; {advice}"
        )
    ]


@pytest.mark.parametrize(
    "port", ["/dev/serial/by-id/usb-1", "socket://10.0.0.2:8899", "rfc2217://[::1]:4000"]
)
def test_a_port_of_a_known_form_is_taken_as_it_is_written(port: str) -> None:
    assert parse(spoilt("/dev/ttyUSB0", port), "c.toml").packs[0].port == port


@pytest.mark.usefixtures("more_protocols")
def test_a_protocol_that_no_serial_port_carries_is_refused_on_one() -> None:
    assert complaints(spoilt('"jbd"', '"radio"'))[0] == (
        "c.toml:12: packs.garage.port: found a serial port; radio is spoken over: ble, can"
    )


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
def test_an_address_outside_the_protocols_range_is_refused() -> None:
    text = spoilt('"jbd"', '"party"').replace("= 280", "= 280\naddress = 16")
    assert complaints(text) == ["c.toml:14: packs.garage.address: found 16; allowed for party: 1 to 15"]


@pytest.mark.usefixtures("more_protocols")
def test_an_address_for_a_protocol_without_addresses_is_refused() -> None:
    text = spoilt('"jbd"', '"radio"').replace("= 280", "= 280\naddress = 3")
    assert "c.toml:14: packs.garage.address: found 3; radio has no addresses; remove it" in complaints(text)


def test_a_charge_voltage_over_cell_limit_times_cells_is_refused() -> None:
    assert complaints(spoilt("= 280", "= 280\ncell_charge_v = 3.6")) == [
        (
            "c.toml:14: packs.garage.cell_charge_v: cell_charge_v = 3.6 is above cell_max_v = 3.55 (the "
            "default) "
            "(CVL 57.6 V, allowed 56.8 V); write at most cell_charge_v = 3.55"
        )
    ]


def test_a_default_charge_voltage_over_a_written_limit_blames_the_limit() -> None:
    (problem,) = complaints(spoilt("= 280", "= 280\ncell_max_v = 3.4"))
    assert problem.startswith(
        "c.toml:14: packs.garage.cell_max_v: cell_charge_v = 3.45 (the default) is above"
    )


def test_a_shared_contradiction_is_said_once() -> None:
    (problem,) = complaints(spoilt("cells = 16", "cells = 16\ncell_charge_v = 3.6"))
    assert problem.startswith("c.toml:9: pack.cell_charge_v: ")


def test_a_lower_cell_limit_at_the_charge_voltage_is_refused() -> None:
    assert complaints(spoilt("= 280", "= 280\ncell_min_v = 3.45")) == [
        (
            "c.toml:14: packs.garage.cell_min_v: cell_min_v = 3.45 is not below cell_charge_v = 3.45 "
            "(the default); "
            "write a lower cell_min_v or a higher cell_charge_v"
        )
    ]


@pytest.mark.parametrize("way", ["charge", "discharge"])
def test_a_temperature_window_without_room_is_refused(way: str) -> None:
    (problem,) = complaints(
        spoilt("= 280", f"= 280\ntemperature_min_{way}_c = 20\ntemperature_max_{way}_c = 20")
    )
    assert problem == (
        f"c.toml:14: packs.garage.temperature_min_{way}_c: temperature_min_{way}_c = 20 is not below "
        f"temperature_max_{way}_c = 20; write a window with room in it"
    )


def test_a_pack_can_not_be_lost_before_it_is_stale() -> None:
    assert complaints(spoilt("= 280", "= 280\nperiod_s = 10")) == [
        (
            "c.toml:14: packs.garage.period_s: lost_after_s = 30 (the default) is too short for "
            "period_s = 10: "
            "a pack is fresh for 30 s; write a longer lost_after_s or a shorter period_s"
        )
    ]


@pytest.mark.parametrize(("way", "limit", "total"), [("charge", "CCL", 190), ("discharge", "DCL", 240)])
def test_a_bank_current_over_the_sum_of_ratings_is_refused(way: str, limit: str, total: int) -> None:
    text = spoilt("max_charge_current_a = 180", f"max_{way}_current_a = {total + 1}")
    assert complaints(text) == [
        (
            f"c.toml:5: bank.max_{way}_current_a: found {total + 1}; allowed: at most {total}, the sum "
            f"of the packs' "
            f"rated_{way}_current_a ({limit} over rating); write that or less, or leave it out"
        )
    ]


@pytest.mark.parametrize("limit_v", [56.9, 44.8, 3.45])
def test_a_bank_voltage_outside_cell_limits_times_cells_is_refused(limit_v: float) -> None:
    assert complaints(spoilt("max_charge_current_a = 180", f"charge_voltage_limit_v = {limit_v}")) == [
        (
            f"c.toml:5: bank.charge_voltage_limit_v: found {limit_v}; allowed: above 44.8 and at most 56.8 V "
            "(16 cells, cell_min_v = 2.8 (the default), cell_max_v = 3.55 (the default)); write a value "
            "between"
        )
    ]


def test_packs_with_different_cell_counts_are_refused() -> None:
    assert complaints(spoilt("= 100\nrated", "= 100\ncells = 15\nrated")) == [
        (
            "c.toml:19: packs.attic.cells: attic has 15 cells in series, garage has 16; packs in "
            "parallel must have the "
            "same number; correct the number, or take the pack off this bus bar"
        )
    ]


def test_a_fuse_below_the_rating_is_fine() -> None:
    assert warnings(spoilt("= 280", "= 280\nfuse_a = 125")) == []


def test_a_rating_far_above_the_capacity_is_warned_of() -> None:
    assert warnings(spoilt("= 280", "= 28\nfuse_a = 125").replace("= 140", "= 141")) == [
        f"c.toml:15: packs.garage.{key}: 141 A is over 5 times capacity (capacity_ah = 28); "
        "is one of the two wrong?"
        for key in ["rated_current_a"]
    ]


def test_charging_below_freezing_is_warned_of() -> None:
    assert warnings(spoilt("= 280", "= 280\ntemperature_min_charge_c = -5")) == [
        (
            "c.toml:14: packs.garage.temperature_min_charge_c: found -5; charging below 0 degC plates "
            "lithium in "
            "ordinary LFP cells and ruins them; keep this only if the cells' data sheet allows it"
        )
    ]


def test_a_file_without_an_inverter_is_warned_of() -> None:
    assert warnings(GOOD[: GOOD.index("[inverters")]) == [
        "c.toml: inverters: there is no inverter; `packbridge run` needs a table [inverters.NAME] to send to"
    ]
