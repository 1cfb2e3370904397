from __future__ import annotations

import math

import pytest

from bridge.errors import BridgeBug
from bridge.sinks.quantities import QUANTITIES, Rounding, filled, steps, values_of
from tests.sinks.helpers import decision


def test_every_quantity_has_a_value_and_every_value_is_a_quantity() -> None:
    assert values_of(decision()).keys() == QUANTITIES.keys()


def test_ratios_become_percent() -> None:
    values = values_of(decision(bank={"soc": 0.5, "soh": 0.25}))
    assert (values["soc_pct"], values["soh_pct"]) == (50, 25)


def test_what_is_not_known_stays_unknown() -> None:
    unknown = dict.fromkeys(("voltage_v", "current_a", "soc", "soh", "temperature_c"))
    values = values_of(decision(bank=dict(unknown)))
    measured = ("voltage_v", "current_a", "soc_pct", "soc_hires_pct", "soh_pct", "temperature_c", "activity")
    assert {values[name] for name in measured} == {None}
    assert None not in {value for name, value in values.items() if "_limit_" in name or "module" in name}


def test_what_follows_from_two_values_needs_both() -> None:
    values = values_of(decision(bank={"cell_max_v": 3.4, "cell_max_index": 3}))
    assert (values["cell_delta_v"], values["cell_max_label"]) == (None, None)


@pytest.mark.parametrize(
    ("pack", "cell", "label"), [("a", 1, "a-1"), ("garage", 16, "garag-16"), ("", 5, "-5")]
)
def test_a_label_is_pack_and_cell_in_eight_letters(pack: str, cell: int, label: str) -> None:
    values = values_of(decision(bank={"cell_max_pack": pack, "cell_max_index": cell}))
    assert values["cell_max_label"] == label


@pytest.mark.parametrize(
    ("current_a", "activity"), [(0.0, 1), (0.09, 1), (-0.09, 1), (0.1, 2), (-0.1, 3), (None, None)]
)
def test_activity_follows_the_current(current_a: float | None, activity: float | None) -> None:
    assert values_of(decision(bank={"current_a": current_a}))["activity"] == activity


def test_the_installed_capacity_is_the_rated_one_or_else_the_learnt_one() -> None:
    assert values_of(decision(bank={"design_ah": 280.0, "full_ah": 271.0}))["installed_ah"] == 280.0
    assert values_of(decision(bank={"full_ah": 271.0}))["installed_ah"] == 271.0


def test_kelvin_are_273_more() -> None:
    values = values_of(decision(bank={"temperature_max_c": 25.0, "temperature_min_c": None}))
    assert (values["temperature_max_k"], values["temperature_min_k"]) == (298.0, None)


def test_packs_that_are_not_heard_are_offline() -> None:
    values = values_of(decision(bank={"pack_count": 3, "packs_online": 2}))
    assert (values["modules_total"], values["modules_offline"]) == (3, 1)


def test_modules_are_the_packs_that_are_heard() -> None:
    assert values_of(decision(bank={"pack_count": 3, "packs_online": 2}))["module_count"] == 2


def test_the_first_substitute_that_knows_a_value_gives_it() -> None:
    assert filled({"a": None, "b": 2.0}, ["a", "b"], {"a": 5.0}, {"a": 6.0}) == {"a": 5.0, "b": 2.0}


def test_a_known_zero_is_not_replaced() -> None:
    assert filled({"a": 0.0}, ["a"], {"a": 5.0}) == {"a": 0.0}


def test_without_a_substitute_there_is_no_set_of_values() -> None:
    assert filled({"a": None, "b": 2.0}, ["a", "b"]) is None


def test_what_is_only_wanted_is_left_out_while_unknown() -> None:
    assert filled({"a": None, "b": 2.0}, ["b"], wanted=["a", "b"]) == {"b": 2.0}
    assert filled({"a": None, "b": 2.0}, ["b"], {"a": 5.0}, wanted=["a"]) == {"a": 5.0, "b": 2.0}


def test_what_nobody_needs_may_stay_unknown() -> None:
    assert filled({"a": None, "b": 2.0}, ["b"]) == {"b": 2.0}


@pytest.mark.parametrize(
    ("value", "step", "rounding", "expected"),
    [
        (56.0, 0.1, Rounding.DOWN, 560),
        (0.3, 0.1, Rounding.DOWN, 3),
        (55.99, 0.1, Rounding.DOWN, 559),
        (55.91, 0.1, Rounding.UP, 560),
        (0.7, 0.1, Rounding.UP, 7),
        (-12.34, 0.1, Rounding.NEAREST, -123),
        (-0.05, 0.1, Rounding.DOWN, -1),
        (100.0, -0.1, Rounding.NEAREST, -1000),
        (1e308, 0.1, Rounding.DOWN, math.inf),
        (-1e308, 0.1, Rounding.UP, -math.inf),
    ],
)
def test_steps(value: float, step: float, rounding: Rounding, expected: float) -> None:
    assert steps(value, step, rounding) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_steps(value: float) -> None:
    with pytest.raises(BridgeBug, match="no number"):
        steps(value, 0.1, Rounding.DOWN)
