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
    assert {name for name, value in values.items() if value is None} == {
        "voltage_v",
        "current_a",
        "soc_pct",
        "soh_pct",
        "temperature_c",
    }


def test_modules_are_the_packs_that_are_heard() -> None:
    assert values_of(decision(bank={"pack_count": 3, "packs_online": 2}))["module_count"] == 2


def test_the_first_substitute_that_knows_a_value_gives_it() -> None:
    assert filled({"a": None, "b": 2.0}, ["a", "b"], {"a": 5.0}, {"a": 6.0}) == {"a": 5.0, "b": 2.0}


def test_a_known_zero_is_not_replaced() -> None:
    assert filled({"a": 0.0}, ["a"], {"a": 5.0}) == {"a": 0.0}


def test_without_a_substitute_there_is_no_set_of_values() -> None:
    assert filled({"a": None, "b": 2.0}, ["a", "b"]) is None


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
