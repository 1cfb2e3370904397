"""What a pack's chemistry means for its defaults, its ranges and its neighbours."""

from __future__ import annotations

import pytest

from bridge.config import parse
from bridge.model import Chemistry, PackSettings
from tests.config.samples import GOOD, complaints, spoilt


def settings(text: str) -> PackSettings:
    return parse(text, "c.toml").packs[0].settings


def of(chemistry: str, more: str = "") -> str:
    return spoilt("cells = 16", f'cells = 16\nchemistry = "{chemistry}"\n{more}')


@pytest.mark.parametrize(
    ("chemistry", "charge_v", "max_v", "min_v", "coldest_c"),
    [("lfp", 3.45, 3.55, 2.80, 0.0), ("nmc", 4.10, 4.17, 3.10, 0.0), ("lto", 2.60, 2.70, 1.85, -10.0)],
)
def test_what_is_not_written_follows_from_the_chemistry(
    chemistry: str, charge_v: float, max_v: float, min_v: float, coldest_c: float
) -> None:
    own = settings(of(chemistry))
    assert own.chemistry is Chemistry(chemistry)
    assert (own.cell_charge_v, own.cell_max_v, own.cell_min_v) == (charge_v, max_v, min_v)
    assert own.temperature_min_charge_c == coldest_c


def test_what_is_written_goes_first() -> None:
    own = settings(of("nmc", "cell_charge_v = 4.05"))
    assert (own.cell_charge_v, own.cell_max_v) == (4.05, 4.17)


@pytest.mark.parametrize(
    ("chemistry", "key", "value", "allowed"),
    [
        ("lfp", "cell_max_v", 3.66, "from 2 to 3.65 V"),
        ("lfp", "cell_min_v", 1.9, "from 2 to 3.65 V"),
        ("nmc", "cell_min_v", 2.4, "from 2.5 to 4.25 V"),
        ("lto", "cell_charge_v", 2.9, "from 1.5 to 2.85 V"),
        ("lto", "cell_max_v", 3.55, "from 1.5 to 2.85 V"),
    ],
)
def test_a_voltage_that_its_cells_do_not_bear_is_refused(
    chemistry: str, key: str, value: float, allowed: str
) -> None:
    problems = complaints(of(chemistry, f"{key} = {value}"))
    assert [
        f"pack.{key}: found {value}; allowed for {chemistry.upper()} cells: {allowed}" in one
        for one in problems
    ] == [True]


@pytest.mark.parametrize(("key", "value"), [("cell_max_v", 4.25), ("cell_min_v", 2.5)])
def test_the_ends_of_a_range_are_allowed(key: str, value: float) -> None:
    assert complaints(of("nmc", f"{key} = {value}")) == []


def test_an_unknown_chemistry_is_refused_once() -> None:
    (problem,) = complaints(of("lipo", "cell_max_v = 4.2"))
    assert problem == (
        'c.toml:9: pack.chemistry: found "lipo"; allowed: one of "lfp", "nmc", "lto"; '
        'write for example chemistry = "lfp"'
    )


def test_packs_of_unlike_chemistry_on_one_bus_bar_are_refused() -> None:
    (problem,) = complaints(spoilt("= 100\nrated", '= 100\nchemistry = "nmc"\nrated'))
    assert problem == (
        "c.toml:19: packs.attic.chemistry: attic has NMC cells, garage LFP; no charge voltage is right "
        "for both; take one of them off this bus bar, or correct the word"
    )


def test_titanate_may_be_charged_in_the_cold_without_a_warning_but_not_below_its_own_end() -> None:
    text = of("lto", "temperature_min_charge_c = -20")
    assert parse(text, "c.toml").warnings == ()
    (problem,) = complaints(of("lto", "temperature_min_charge_c = -31"))
    assert "allowed: a number from -30 to 45 (degC)" in problem


def test_nmc_below_freezing_is_warned_of_as_lfp_is() -> None:
    (warning, *_) = parse(of("nmc", "temperature_min_charge_c = -1"), "c.toml").warnings
    assert "plates lithium in NMC cells" in warning


def test_a_file_without_a_chemistry_is_of_lfp() -> None:
    assert settings(GOOD).chemistry is Chemistry.LFP
