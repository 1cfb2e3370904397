"""What must hold between values, with the messages in full."""

from __future__ import annotations

import pytest

from bridge import profiles
from bridge.config import parse
from bridge.config.ceiling import ceiling
from tests.config.samples import GOOD, complaints, one, spoilt


def warnings(text: str) -> list[str]:
    return list(parse(text, "c.toml").warnings)


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


def test_a_bms_can_not_open_at_once_before_it_opens_late() -> None:
    assert complaints(spoilt("= 280", "= 280\nocp_a = 160\nocp_fast_a = 150")) == [
        (
            "c.toml:15: packs.garage.ocp_fast_a: ocp_fast_a = 150 is below ocp_a = 160, but a BMS opens at "
            "once at the higher of the two; exchange them"
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
            "c.toml:14: packs.garage.temperature_min_charge_c: found -5; charging at or below 0 degC plates "
            "lithium in LFP cells and ruins them: no curve allows it, so this has no effect; leave it out"
        )
    ]


def test_a_file_without_an_inverter_is_warned_of() -> None:
    assert warnings(GOOD[: GOOD.index("[inverters")]) == [
        "c.toml: inverters: there is no inverter; `packbridge run` needs a table [inverters.NAME] to send to"
    ]


def test_every_profile_that_nobody_has_tried_is_announced_and_no_other() -> None:
    announced = set()
    for name in profiles.can():
        if profiles.load(name).battery != "high-voltage":
            found = parse(GOOD.replace('profile = "deye-lv"', f'profile = "{name}"'), "test").warnings
            announced |= {name for warning in found if "tried by nobody" in warning}
    assert announced == {
        name
        for name in profiles.can()
        if (one := profiles.load(name)).evidence == "document" and one.battery != "high-voltage"
    }
    assert len(announced) > 2


def test_a_pack_that_is_excluded_gives_nothing_to_the_ceiling() -> None:
    config = parse(spoilt('port = "/dev/ttyUSB1"', 'port = "/dev/ttyUSB1"\nexcluded = true'), "c.toml")

    assert [pack.settings.excluded for pack in config.packs] == [False, True]
    assert ceiling(config).charge_current_limit_a == 140


def test_a_bank_of_excluded_packs_is_refused() -> None:
    (problem,) = complaints(one("jbd", "/dev/ttyUSB0", "excluded = true"))

    assert problem == (
        "c.toml:7: packs.garage.excluded: every pack is excluded, so there is no bank; "
        "take the key away from one that is in service"
    )


def test_soc_keys_reach_the_settings() -> None:
    text = spoilt("cells = 16", 'cells = 16\nsoc_source = "counter"')
    text = text.replace(
        "= 180", '= 180\nsoc_mode = "min"\nsoc_glide_pct_per_min = 3\njoin_window_v_per_cell = 0.01'
    )
    config = parse(text, "c.toml")

    assert {pack.settings.soc_source for pack in config.packs} == {"counter"}
    assert (config.bank.soc_mode, config.bank.soc_glide_pct_per_min) == ("min", 3)
    assert config.bank.join_window_v_per_cell == 0.01


def test_a_battery_of_other_cells_than_the_inverter_takes_for_granted_is_warned_of() -> None:
    text = GOOD.replace('profile = "deye-lv"', 'profile = "imeon"')
    (found,) = warnings(text)
    assert "imeon takes every battery for one of 15 cells in series, and this one has 16" in found
