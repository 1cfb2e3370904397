"""The curves of a file: what is one, who may use it, and what none may do."""

from __future__ import annotations

import pytest

from bridge.battery.curve_presets import CURVE_SETS
from bridge.config import parse
from bridge.model import Curves, NamedCurve
from tests.config.samples import GOOD, complaints, spoilt


def using(names: str, tables: str = "", more: str = "") -> str:
    return spoilt("cells = 16", f"cells = 16\n{more}\ncurves = {names}") + tables


def chosen(text: str) -> Curves:
    return parse(text, "c.toml").packs[0].settings.curves


MINE = """
[curves.mine]
charge_by_temperature_c = [[0, 0], [5, 0.1], [20, 0.4], [55, 0]]
charge_by_soc_pct = [[90, 1], [99, 0.1]]
"""


def test_without_a_choice_the_chemistry_decides() -> None:
    assert chosen(GOOD) == Curves()


def test_a_preset_is_chosen_by_its_name() -> None:
    curves = chosen(using('["eve-lf280k"]'))
    preset = CURVE_SETS["eve-lf280k"].curves["charge_by_temperature_c"]
    assert curves.charge_by_temperature_c == NamedCurve("eve-lf280k", preset)
    assert curves.charge_by_cell_v is None


def test_of_two_sets_with_the_same_curve_the_later_goes_first() -> None:
    curves = chosen(using('["eve-lf280k", "mine"]', MINE))
    assert curves.charge_by_temperature_c is not None
    assert curves.charge_by_temperature_c.name == "mine"
    assert curves.discharge_by_temperature_c is not None
    assert curves.discharge_by_temperature_c.name == "eve-lf280k"
    assert curves.charge_by_soc_pct == NamedCurve("mine", ((90, 1), (99, 0.1)))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    (problem,) = complaints(using('["eve-280"]', MINE))
    assert problem.startswith('c.toml:10: pack.curves: unknown curves "eve-280"; known: alpha-apl48-50, ')
    assert "mine" in problem


def test_a_preset_for_other_cells_is_refused() -> None:
    problem, _ = complaints(using('["eve-lf280k"]', more='chemistry = "nmc"'))  # of garage, of attic
    assert problem == (
        'c.toml:10: pack.curves: "eve-lf280k" is for LFP cells, garage has NMC; leave it out, or write '
        "curves of your own from the cells' data sheet"
    )


def test_a_table_with_the_name_of_a_preset_is_refused() -> None:
    (problem,) = complaints(GOOD + "[curves.eve-lf280k]\ncharge_by_soc_pct = [[90, 1]]\n")
    assert "curves.eve-lf280k: a preset has this name" in problem


@pytest.mark.parametrize(
    "points",
    [
        "[]",
        "3",
        '"eve"',
        "[[0, 0], 5]",
        "[[0, 0, 0]]",
        "[[0, true]]",
        "[[5, 0], [0, 0.1]]",
        "[[0, -0.1]]",
        "[[0, 11]]",
        "[[0, nan]]",
        "[[500, 0]]",
        "[[0, 0], [0, 0.1], [0, 0.2]]",
    ],
)
def test_what_is_no_curve_is_refused_in_one_sentence(points: str) -> None:
    (problem,) = complaints(GOOD + f"[curves.mine]\ncharge_by_temperature_c = {points}\n")
    assert problem.startswith("c.toml:27: curves.mine.charge_by_temperature_c: found ")
    assert "allowed: points [x, y], x rising from -50 to 100, y from 0 to 10; write for example " in problem


@pytest.mark.parametrize(
    ("curve", "where"),
    [
        ("charge_by_temperature_c = [[-5, 0.1], [20, 0.5]]", "at or below 0 degC"),
        ("charge_by_temperature_c = [[5, 0.1], [20, 0.5]]", "at or below 0 degC"),
        ("charge_by_temperature_c = [[-10, 0], [10, 0.5]]", "at or below 0 degC"),
        ("charge_by_cell_v = [[3.4, 1], [3.6, 0]]", "at cell_max_v = 3.55 (the default) or above"),
        (
            "charge_by_cell_v = [[3.4, 1], [3.55, 1], [3.55, 0]]",
            "at cell_max_v = 3.55 (the default) or above",
        ),
        ("discharge_by_cell_v = [[2.7, 0], [3.1, 1]]", "at cell_min_v = 2.8 (the default) or below"),
    ],
)
def test_a_curve_that_gives_current_past_a_hard_stop_is_refused(curve: str, where: str) -> None:
    problems = complaints(using('["mine"]', f"[curves.mine]\n{curve}\n"))
    assert [f"it gives garage current {where}" in problems[0], len(problems)] == [True, 2]  # garage and attic
    assert problems[0].startswith("c.toml:29: curves.mine.")


@pytest.mark.parametrize(
    "curve",
    [
        "charge_by_temperature_c = [[0, 0], [0, 0.05], [20, 0.5]]",
        "charge_by_cell_v = [[3.4, 1], [3.55, 0]]",
        "discharge_by_cell_v = [[2.8, 0], [2.8, 0.2], [3.1, 1]]",
        "charge_by_mosfet_c = [[60, 1]]",
    ],
)
def test_a_curve_that_ends_at_the_hard_stop_is_right(curve: str) -> None:
    assert complaints(using('["mine"]', f"[curves.mine]\n{curve}\n")) == []


def test_titanate_may_have_a_curve_for_the_cold() -> None:
    table = "[curves.mine]\ncharge_by_temperature_c = [[-30, 0], [-10, 0.2], [20, 1]]\n"
    assert complaints(using('["mine"]', table, 'chemistry = "lto"')) == []


@pytest.mark.parametrize("value", ['"eve-lf280k"', "[3]", "3"])
def test_curves_of_a_pack_are_a_list_of_names(value: str) -> None:
    (problem,) = complaints(using(value))
    assert 'allowed: a list of names; write for example curves = ["eve-lf280k"]' in problem


@pytest.mark.parametrize("name", sorted(CURVE_SETS))
def test_every_preset_is_right_for_a_pack_of_every_chemistry_that_it_is_for(name: str) -> None:
    for chemistry in CURVE_SETS[name].chemistries:
        assert complaints(using(f'["{name}"]', more=f'chemistry = "{chemistry}"')) == []
    assert CURVE_SETS[name].source
