from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ConfigError
from bridge.sim import draw, shelf
from bridge.sim.policies import config_of
from bridge.sim.scenario import load
from tests.sim.scenarios import small

FILES = shelf.paths()
GOOD = """
title = "two"
duration_s = 60

[pack]
capacity_ah = 100

[packs.a]
soc_pct = 50

[packs.b]
soc_pct = 40

[[demand]]
kind = "constant"
current_a = -20
"""


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path)
    return tuple(problem.replace(str(path), "bad.toml") for problem in error.value.problems)


def test_there_are_many_scenarios() -> None:
    assert len(FILES) >= 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_scenario_can_be_read_and_says_what_it_is_about(path: Path) -> None:
    scenario = load(path)
    assert scenario.name == path.stem
    assert len(scenario.about) > 30
    assert scenario.measure_from_s < scenario.duration_s
    assert scenario.demand


@pytest.mark.parametrize("path", [path for path in FILES if path.stem[0] == "s" and path.stem[1].isdigit()])
def test_the_gateway_takes_the_packs_of_a_flat_scenario(path: Path) -> None:
    scenario = load(path)
    assert [pack.name for pack in config_of(scenario).packs] == [plan.spec.name for plan in scenario.packs]


def test_a_packs_own_values_go_over_the_shared_ones() -> None:
    scenario = small({"a": {"soc_pct": 20.0}, "b": {}})
    assert [plan.spec.soc for plan in scenario.packs] == [0.2, 0.6]


def test_a_rating_for_one_direction_goes_over_that_for_both() -> None:
    spec = small({"a": {"rated_charge_current_a": 70.0}}).packs[0].spec
    assert (spec.rated_charge_a, spec.rated_discharge_a) == (70.0, 100.0)


def test_a_tree_knows_its_cells() -> None:
    tree = {"parallel": [{"series": ["a", "b"]}, "c"]}
    packs: dict[str, dict[str, Any]] = {"a": {"cells": 8}, "b": {"cells": 8}, "c": {"cells": 16}}
    scenario = small(packs, topology=tree)
    assert scenario.cells == 16
    assert not scenario.is_flat
    assert list(scenario.topology.names()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("soc_pct = 50", "soc = 50", "bad.toml:9: packs.a.soc: unknown key; known: "),
        ("soc_pct = 40", "soc_pct = 400", "bad.toml:12: packs.b.soc_pct: found 400; "),
        ("capacity_ah = 100", "capacity_ah = -1", "bad.toml:6: pack.capacity_ah: found -1; "),
        ("duration_s = 60", "", "bad.toml: duration_s: missing"),
        ('"constant"', '"constnat"', "demand[0].kind: found 'constnat'; "),
        ("[[demand]]", "[inverter]\nlag_s = 1\n[[demand]]", "bad.toml:15: inverter.lag_s: unknown key"),
        ("[[demand]]", '[[events]]\nkind="frozen"\npack="c"\nat_s=1\n[[demand]]',
         "bad.toml: events[0].pack: unknown pack 'c'; known: a, b"),
        ('title = "two"', 'title = "two"\ntopology = { series = ["a", "x"] }', "topology: unknown pack 'x'"),
        ('title = "two"', 'title = "two"\ntopology = { series = ["a"] }', "12: packs.b: not in the topology"),
        ('title = "two"', 'title = "two"\ntopology = { series = ["a", "b", "a"] }', "a is there 2 times"),
        ('title = "two"', 'title = "two"\ntopology = { ring = ["a", "b"] }', "topology: write { series"),
        ('title = "two"', 'title = "two"\ntopology = { series = [] }', "topology.series: write a list"),
        ('title = "two"', "title = two", "bad.toml: not TOML: "),
    ],
)  # fmt: skip
def test_a_complaint_names_file_and_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(expected in problem for problem in found), found


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("soc_pct = 50", "soc = 50").replace("soc_pct = 40", "socpct = 40")
    assert len(problems(tmp_path, text)) == 2


def test_what_is_wrong_for_all_packs_is_said_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, GOOD.replace("capacity_ah = 100", "capacity_ah = 0"))) == 1


def test_a_file_that_is_not_there_or_not_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "odd.toml")


def test_a_random_bank_is_the_same_for_the_same_number() -> None:
    assert draw.drawn(3, 14) == draw.drawn(3, 14)
    assert draw.drawn(3, 14) != draw.drawn(3, 15)
    assert draw.drawn(4, 14) != draw.drawn(3, 14)


def test_random_banks_are_as_wide_as_they_should_be() -> None:
    banks = [draw.drawn(1, number) for number in range(200)]
    packs = [plan.spec for bank in banks for plan in bank.packs]
    assert {len(bank.packs) for bank in banks} == {2, 3, 4}
    assert {bank.demand[0].current_a > 0 for bank in banks} == {True, False}
    assert min(pack.capacity_ah for pack in packs) == 100.0
    assert max(pack.capacity_ah for pack in packs) == 314.0
    assert max(pack.path_ohm for pack in packs) > 3 * min(pack.path_ohm for pack in packs)
    middle = [plan.spec.soc for n, bank in enumerate(banks) if n % 4 != 3 for plan in bank.packs]
    assert all(0.15 < soc < 0.85 for soc in middle)


def test_every_fourth_random_bank_is_near_full_or_empty_and_heads_for_it() -> None:
    banks = [draw.drawn(1, number) for number in range(3, 200, 4)]
    full = [bank for bank in banks if bank.demand[0].current_a > 0]
    empty = [bank for bank in banks if bank.demand[0].current_a < 0]
    assert len(full) > 10
    assert len(empty) > 10
    assert all(0.85 < plan.spec.soc < 0.98 for bank in full for plan in bank.packs)
    assert all(0.12 < plan.spec.soc < 0.25 for bank in empty for plan in bank.packs)
    assert any(like.soc > 0.005 for bank in full for plan in bank.packs for like in plan.spec.likes)


def test_a_scenario_is_found_by_name_path_and_number() -> None:
    assert shelf.get("one-pack") == shelf.get(str(shelf.folder() / "one-pack.toml"))
    assert shelf.get("random-3-14") == draw.drawn(3, 14)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one-pakc", 'Did you mean "one-pack"'),
        ("random-x", "random-SEED-NUMBER"),
        ("no/where.toml", "No such file"),
    ],
)
def test_a_scenario_that_is_not_there_is_said(name: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        shelf.get(name)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no scenario there"):
        shelf.paths(tmp_path)
