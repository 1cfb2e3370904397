"""BMSs with separate ports: what must be said, and what their owners are told."""

from __future__ import annotations

import pytest

from bridge.config import parse
from tests.config.samples import complaints, spoilt


def wired(keys: str) -> str:
    return spoilt("= 280", f"= 280\n{keys}")


def test_separate_ports_must_say_where_the_inverter_hangs() -> None:
    (problem,) = complaints(wired('port_kind = "separate"'))
    assert problem.startswith("c.toml:11: packs.garage.bus_on: missing; a BMS with separate ports must say")


def test_a_common_port_has_no_other_place() -> None:
    (problem,) = complaints(wired('bus_on = "P"'))
    assert problem.startswith(
        'c.toml:14: packs.garage.bus_on: bus_on = "P" is for BMSs with separate ports; '
    )


@pytest.mark.parametrize("bus_on", ["P", "tied"])
def test_an_inverter_past_the_charge_switch_is_warned_of(bus_on: str) -> None:
    (warning,) = parse(wired(f'port_kind = "separate"\nbus_on = "{bus_on}"'), "c.toml").warnings
    assert warning.startswith("c.toml:15: packs.garage.bus_on: the BMS cannot end charging through P-")
    assert "charging ends at 3.5 V a cell" in warning


def test_an_inverter_past_the_discharge_switch_is_warned_of() -> None:
    (warning,) = parse(wired('port_kind = "separate"\nbus_on = "C"'), "c.toml").warnings
    assert "the BMS can end charging, but not discharging through C-" in warning


def test_the_charge_target_must_lie_below_the_earlier_stop() -> None:
    keys = 'port_kind = "separate"\nbus_on = "P"\ncell_charge_v = 3.5'
    (problem,) = complaints(wired(keys))
    assert problem.startswith(
        "c.toml:16: packs.garage.cell_charge_v: cell_charge_v = 3.5 is not below 3.5 V, where charging ends"
    )


def test_each_path_may_have_a_fuse_of_its_own() -> None:
    own = parse(wired("charge_fuse_a = 60\ndischarge_fuse_a = 125\nfuse_a = 130"), "c.toml").packs[0].settings
    assert (own.charge_carry_a, own.discharge_carry_a) == (60, 125)
