from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.battery.curves import CHARGE_C_RATE, at, capped, highest, plateau, zero_outside
from bridge.battery.facts import Memory
from bridge.battery.pack_rules import pack_limits
from bridge.battery.tapers import tapers
from bridge.model import (
    Chemistry,
    Constraint,
    Curves,
    NamedCurve,
    PackInfo,
    PackSample,
    PackSettings,
    Ratings,
)
from tests.battery.story import GARAGE, well, with_cell

NMC = replace(GARAGE, chemistry=Chemistry.NMC, cells=14, cell_charge_v=4.10, cell_max_v=4.17, cell_min_v=3.10)
LTO = replace(
    GARAGE,
    chemistry=Chemistry.LTO,
    cells=20,
    cell_charge_v=2.60,
    cell_max_v=2.70,
    cell_min_v=1.85,
    temperature_min_charge_c=-10.0,
    rated_charge_current_a=280.0,
)


def binding(
    settings: PackSettings, *samples: PackSample, ratings: Ratings | None = None
) -> tuple[Constraint, Constraint]:
    memory = Memory(settings)
    memory.informed(PackInfo(ratings=Ratings() if ratings is None else ratings))
    found = [pack_limits(memory.facts(sample)) for sample in samples][-1]
    return found.charge[0], found.discharge[0]


def amps(settings: PackSettings, *samples: PackSample, ratings: Ratings | None = None) -> tuple[float, float]:
    charge, discharge = binding(settings, *samples, ratings=ratings)
    return round(charge.value, 6), round(discharge.value, 6)


def cells(settings: PackSettings, cell_v: float, temperature_c: float = 25.0) -> PackSample:
    return well(cell_v=cell_v, cells=settings.cells, temperature_c=temperature_c)


@pytest.mark.parametrize(
    ("settings", "cell_v", "expected"),
    [
        (NMC, 4.12, (140, 140)),
        (NMC, 4.145, (70, 140)),
        (NMC, 4.17, (0, 140)),
        (NMC, 3.40, (140, 140)),
        (NMC, 3.30, (140, 42)),
        (NMC, 3.10, (140, 0)),
        (LTO, 2.63, (280, 140)),
        (LTO, 2.665, (140, 140)),
        (LTO, 2.70, (0, 140)),
        (LTO, 2.05, (280, 140)),
        (LTO, 1.92, (280, 14)),
        (LTO, 1.85, (280, 0)),
    ],
)
def test_each_chemistry_tapers_between_its_own_voltages(
    settings: PackSettings, cell_v: float, expected: tuple[float, float]
) -> None:
    assert amps(settings, cells(settings, cell_v)) == expected


@pytest.mark.parametrize(
    ("settings", "temperature_c", "charge_a"),
    [(NMC, 0.0, 0), (NMC, 5.0, 28), (NMC, 10.0, 56), (LTO, -10.0, 0), (LTO, -5.0, 98), (LTO, 0.0, 140)],
)
def test_titanate_is_charged_in_the_cold_and_nothing_else_is(
    settings: PackSettings, temperature_c: float, charge_a: float
) -> None:
    middle_v = (settings.cell_charge_v + settings.cell_min_v) / 2
    assert amps(settings, cells(settings, middle_v, temperature_c))[0] == charge_a


def choose(**curves: tuple[tuple[float, float], ...]) -> PackSettings:
    return replace(
        GARAGE, curves=Curves(**{key: NamedCurve("mine", points) for key, points in curves.items()})
    )


def test_a_chosen_curve_takes_the_place_of_the_chemistrys() -> None:
    settings = choose(charge_by_temperature_c=((0, 0), (20, 0.2)))
    assert amps(settings, well(temperature_c=10.0)) == (28, 140)
    assert amps(settings, well(temperature_c=30.0)) == (56, 140)


def test_the_window_of_temperatures_holds_over_every_curve() -> None:
    settings = choose(charge_by_temperature_c=((0, 0.5),), discharge_by_temperature_c=((0, 1),))
    assert amps(settings, well(temperature_c=0.0)) == (0, 140)
    assert amps(settings, well(temperature_c=55.0)) == (0, 140)
    assert amps(settings, well(temperature_c=60.0)) == (0, 0)


def test_the_stop_of_the_cells_holds_over_every_curve() -> None:
    settings = choose(charge_by_cell_v=((3.4, 1),), discharge_by_cell_v=((3.4, 1),))
    assert amps(settings, well(cell_v=3.55)) == (0, 140)
    assert amps(settings, well(cell_v=2.80)) == (140, 0)


def test_curves_over_the_switches_are_kept_apart_by_direction() -> None:
    settings = choose(charge_by_mosfet_c=((50, 1), (60, 0)))
    assert amps(settings, replace(well(), mosfet_temperature_c=55.0)) == (70, 140)


def test_a_curve_over_the_state_of_charge_restricts() -> None:
    settings = choose(charge_by_soc_pct=((80, 1), (100, 0)), discharge_by_soc_pct=((0, 0), (20, 1)))
    assert amps(settings, well(soc=0.9)) == (70, 140)
    assert amps(settings, well(soc=0.1)) == (140, 70)
    assert amps(settings, well(soc=0.5)) == (140, 140)
    constraint, _ = binding(settings, well(soc=0.9))
    assert (constraint.rule, constraint.text) == ("state_of_charge", "its charge at 90 %")


def test_an_unknown_state_of_charge_counts_as_the_worst() -> None:
    settings = choose(charge_by_soc_pct=((80, 1), (100, 0.1)))
    assert amps(settings, replace(well(), soc=None)) == (14, 140)
    assert amps(GARAGE, replace(well(), soc=None)) == (140, 140)


def test_a_bms_that_trips_early_moves_the_taper_with_the_stop() -> None:
    early = Ratings(cell_ovp_v=3.50, cell_uvp_v=3.00)
    assert amps(GARAGE, with_cell(well(), 7, 3.48), ratings=early)[0] == 0
    assert amps(GARAGE, with_cell(well(), 7, 3.44), ratings=early)[0] == 70
    assert amps(GARAGE, with_cell(well(), 7, 3.02), ratings=early)[1] == 0
    assert amps(GARAGE, with_cell(well(), 7, 3.12), ratings=early)[1] == 14


def test_a_bms_that_trips_late_moves_nothing() -> None:
    late = Ratings(cell_ovp_v=3.80, cell_uvp_v=2.20)
    assert tapers(GARAGE, late) == tapers(GARAGE, Ratings())


def test_discharging_ends_before_the_bms_opens_and_begins_again_well_above() -> None:
    ratings = Ratings(cell_uvp_v=2.90)
    before, at_stop, back = (with_cell(well(), 7, v) for v in (2.93, 2.92, 3.06))
    assert amps(GARAGE, before, ratings=ratings)[1] > 0
    assert amps(GARAGE, at_stop, ratings=ratings)[1] == 0
    assert amps(GARAGE, at_stop, back, ratings=ratings)[1] == 0
    assert amps(GARAGE, at_stop, with_cell(well(), 7, 3.08), ratings=ratings)[1] > 0


def test_fuses_of_one_direction_count_in_it_alone() -> None:
    fused = replace(GARAGE, charge_fuse_a=60.0, discharge_fuse_a=100.0, fuse_a=80.0)
    charge, discharge = binding(fused, well())
    assert (charge.value, charge.text) == (57.0, "95 % of its 60 A charge fuse")
    assert (discharge.value, discharge.text) == (76.0, "95 % of its 80 A fuse")


def test_a_plateau_is_where_a_curve_reaches_a_level_at_every_point() -> None:
    assert plateau(CHARGE_C_RATE, 0.5) == (20.0, 45.0)
    assert plateau(CHARGE_C_RATE, 0.2) == (10.0, 50.0)
    assert plateau(((3.47, 1.0), (3.55, 0.0)), 1.0) == (float("-inf"), 3.47)
    low, high = plateau(CHARGE_C_RATE, 0.6)
    assert not low < high


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(float("-inf"), 0.0, 0.0), (0.0, 1.0, 0.064), (55.0, float("inf"), 0.0), (20.0, 48.0, 0.5)],
)
def test_the_highest_value_knows_which_side_of_a_step_counts(
    low: float, high: float, expected: float
) -> None:
    assert highest(CHARGE_C_RATE, low, high) == pytest.approx(expected)


def test_what_is_drawn_has_the_rating_and_the_stops_in_it() -> None:
    drawn = capped(zero_outside(CHARGE_C_RATE, 5.0, 50.0), 0.3)
    assert [at(drawn, c) for c in (4.9, 5.0, 6.0, 14.0, 15.0, 30.0, 49.0, 50.1)] == pytest.approx(
        [0.0, 0.0, 0.136, 0.28, 0.3, 0.3, 0.3, 0.0]
    )
