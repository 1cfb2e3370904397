"""What was found, as JSON and as a configuration that a person can complete."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.config import parse
from bridge.errors import ConfigError
from bridge.found import Found, configuration, draft, pack_lines, rated_a, record
from bridge.meeting import Meeting, Way
from bridge.model import Alarm, PackInfo, PackSample, Ratings, sample_of
from bridge.protocols.contract import load
from tests.wires import reading

PORT = "/dev/ttyUSB0"
SAMPLE = sample_of(reading(), 12.0)
SILENT = replace(SAMPLE, charge_current_limit_a=None, discharge_current_limit_a=None)
INFO = PackInfo(
    model="JBD-SP25", firmware="2.0", serial="17", ratings=Ratings(charge_ocp_a=60.0, discharge_ocp_a=110.0)
)


def found(
    bms: str = "jbd", sample: PackSample = SILENT, info: PackInfo | None = INFO, *, address: int | None = None
) -> Found:
    return Found(Way(PORT, load(bms), address=address), Meeting(sample, info))


def test_a_record_says_where_and_who_in_the_models_names_and_percent() -> None:
    said = record(found().way, Meeting(replace(SAMPLE, warnings=frozenset({Alarm.SOC_LOW})), INFO))
    assert (said["port"], said["bms"], said["baudrate"]) == (PORT, "jbd", 9600)
    assert (said["model"], said["firmware"], said["soc_pct"]) == ("JBD-SP25", "2.0", 50.0)
    assert said["cell_voltages_v"] == [3.3] * 16
    assert said["warnings"] == ["soc_low"]
    assert said["ratings"] == {"charge_ocp_a": 60.0, "discharge_ocp_a": 110.0}
    assert "time_s" not in said
    json.dumps(said)


# Ratings


def test_a_rating_stays_below_what_trips_and_what_cells_stand() -> None:
    assert rated_a(found(), "charge") == 48.0  # 0.8 of 60 A
    assert rated_a(found(), "discharge") == 50.0  # half of 100 Ah


def test_a_limit_that_the_pack_reports_is_not_exceeded() -> None:
    assert rated_a(found(sample=replace(SILENT, charge_current_limit_a=20.5)), "charge") == 20.0


def test_a_limit_of_zero_is_no_rating_but_a_moment() -> None:
    assert rated_a(found(sample=replace(SILENT, charge_current_limit_a=0.0)), "charge") == 48.0
    assert rated_a(found(info=None, sample=replace(SILENT, charge_current_limit_a=0.0)), "charge") is None


@pytest.mark.parametrize("info", [None, PackInfo(model="K16")])
def test_a_pack_that_says_nothing_of_it_has_no_rating(info: PackInfo | None) -> None:
    assert rated_a(found(info=info), "charge") is None


def test_without_a_capacity_nothing_is_known_of_the_cells_so_there_is_no_rating() -> None:
    sample = replace(SILENT, design_ah=None, full_ah=None)
    assert rated_a(found(sample=sample), "charge") is None


# The configuration


def test_a_file_of_packs_that_say_everything_is_right_as_it_is() -> None:
    config = parse(draft([found("jk-pb", address=1), found("jk-pb", address=4)]), "c.toml")
    assert [pack.options.address for pack in config.packs] == [1, 4]
    assert {pack.settings.rated_charge_current_a for pack in config.packs} == {48.0}
    assert {pack.settings.capacity_ah for pack in config.packs} == {100.0}


def complaints(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse(text, "c.toml")
    return list(raised.value.problems)


def test_a_rating_that_nobody_said_is_left_to_the_person_with_a_sentence() -> None:
    text = draft([found("daly-a5", info=None)])
    assert "# rated_current_a =" in text.splitlines()
    assert "a guess would be dangerous" in text
    (problem,) = complaints(text)
    assert "packs.pack1.rated_current_a: missing" in problem
    completed = text.replace("# rated_current_a =", "rated_current_a = 100")
    assert parse(completed, "c.toml").packs[0].settings.rated_charge_current_a == 100.0


def test_what_only_one_direction_says_is_written_and_the_other_asked_for() -> None:
    info = PackInfo(ratings=Ratings(charge_ocp_a=60.0))
    lines = pack_lines(found(info=info), "left")
    assert "rated_charge_current_a = 48" in lines
    assert "# rated_discharge_current_a =" in lines


def test_cells_and_capacity_that_nobody_said_are_left_to_the_person() -> None:
    sample = replace(SAMPLE, cell_voltages_v=(), design_ah=None, full_ah=None)
    problems = complaints(draft([found("jbd", sample, None)]))
    assert [problem.split(": ")[1] for problem in problems] == [
        "packs.pack1.cells",
        "packs.pack1.capacity_ah",
        "packs.pack1.rated_current_a",
    ]


def test_an_unusual_rate_and_an_address_are_written() -> None:
    lines = pack_lines(Found(Way(PORT, load("jk-modbus"), 9600, 3), Meeting(SILENT, INFO)), "left")
    assert {"baudrate = 9600", "address = 3"} <= set(lines)
    assert "baudrate" not in "".join(pack_lines(found(), "left"))


def test_packs_beside_another_master_are_only_listened_to() -> None:
    way = Way(PORT, load("jk-pb"), address=0, extra=(("listen", True),))
    text = draft([Found(way, Meeting(SILENT, INFO), "another master asks")])
    assert "# Beware: another master asks" in text
    assert parse(text, "c.toml").packs[0].options.extra == {"listen": True}


def test_an_accessory_is_written_as_a_comment_to_put_below_its_pack() -> None:
    balancer = PackSample(time_s=1.0, cell_voltages_v=(3.3,) * 16)
    one = Found(Way("ble:A4:C1:38:00:00:01", load("neey")), Meeting(balancer))
    assert one.accessory
    lines = pack_lines(one, "pack2")
    assert all(line.startswith("# ") for line in lines)
    whole = draft([found("jk-pb", address=1)]) + "\n".join(line[2:] for line in lines[1:])
    assert parse(whole.replace("packs.NAME", "packs.pack1"), "c.toml").packs[0].balancer is not None


@pytest.mark.parametrize("name", ['x"\ny = 1', "A\\B", "\x1b[31mred"])
def test_what_a_pack_calls_itself_cannot_write_into_the_file(name: str, tmp_path: Path) -> None:
    info = replace(INFO, model=name, firmware=name)
    one = Found(Way(f"/dev/{name}", load("jbd")), Meeting(SILENT, info))
    assert parse(draft([one]), "c.toml").packs[0].port == f"/dev/{name}"


def test_what_a_person_said_stands_in_the_place_of_what_was_found() -> None:
    said = {"cells": 16, "capacity_ah": 90.0, "rated_current_a": 45.0}
    config = parse(configuration([pack_lines(found("daly-a5", info=None), "attic", said)]), "c.toml")
    assert config.packs[0].name == "attic"
    assert config.packs[0].settings.capacity_ah == 90.0
