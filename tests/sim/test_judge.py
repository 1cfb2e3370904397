from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.model import sample_of
from bridge.sim.judge import NOTHING, Rights, asked, at_temperature
from tests.sim.scenarios import lumped


@pytest.mark.parametrize(
    ("temperature_c", "charge_a", "discharge_a"),
    [
        (25.0, 50.0, 50.0),
        (6.0, 100 * (0.12 + 0.2 * 0.08), 50.0),
        (0.0, 0.0, 50.0),
        (-15.0, 0.0, 15.0),
        (52.5, 12.5, 50.0),
        (60.0, 0.0, 0.0),
    ],
)
def test_temperature_bounds_what_a_pack_may_carry(
    temperature_c: float, charge_a: float, discharge_a: float
) -> None:
    allowed = at_temperature(lumped().spec, temperature_c, temperature_c)
    assert allowed.charge_a == pytest.approx(charge_a)
    assert allowed.discharge_a == pytest.approx(discharge_a)


def test_the_worse_of_two_temperatures_holds() -> None:
    assert at_temperature(lumped().spec, 3.0, 25.0) == at_temperature(lumped().spec, 3.0, 3.0)
    assert at_temperature(lumped().spec, 25.0, 57.0) == at_temperature(lumped().spec, 57.0, 57.0)


def test_rights_follow_the_temperature() -> None:
    pack = lumped()
    rights = Rights(pack)
    assert rights.look().charge_a == 50.0
    pack.temperature_c = -1.0
    assert rights.look().charge_a == 0.0


def test_high_and_low_cells_taper_what_a_sample_asks_for() -> None:
    pack = lumped()
    sample = sample_of(pack.reading(), 0.0)
    high = replace(sample, cell_voltages_v=(3.51, *[3.4] * 15))
    low = replace(sample, cell_voltages_v=(3.00, *[3.2] * 15))
    assert asked(pack.spec, sample) == (50.0, 50.0)
    assert asked(pack.spec, high).charge_a == pytest.approx(25.0)
    assert asked(pack.spec, low).discharge_a == pytest.approx(15.0)


def test_an_open_switch_asks_for_nothing() -> None:
    pack = lumped()
    pack.bms.lock(charge=True, discharge=False)
    assert asked(pack.spec, sample_of(pack.reading(), 0.0)) == (0.0, 50.0)


def test_what_a_sample_does_not_say_counts_as_nothing() -> None:
    pack = lumped()
    sample = sample_of(pack.reading(), 0.0)
    assert asked(pack.spec, replace(sample, temperatures_c=(None, None))) == NOTHING
    assert asked(pack.spec, replace(sample, cell_voltages_v=())) == NOTHING
