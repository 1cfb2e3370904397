from __future__ import annotations

import pytest

from bridge.battery.curves import CHARGE_C_RATE, DISCHARGE_C_RATE, DISCHARGE_TAPER, at


@pytest.mark.parametrize(
    ("temperature_c", "rate"),
    [
        (-30, 0),
        (-0.001, 0),
        (0, 0),
        (2.5, 0.085),
        (5, 0.12),
        (20, 0.5),
        (45, 0.5),
        (47.5, 0.375),
        (55, 0),
        (80, 0),
    ],
)
def test_charging_rate_over_temperature(temperature_c: float, rate: float) -> None:
    assert at(CHARGE_C_RATE, temperature_c) == pytest.approx(rate)


def test_just_above_freezing_a_twentieth_of_the_capacity_may_be_charged() -> None:
    assert at(CHARGE_C_RATE, 0.001) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("temperature_c", "rate"), [(-20, 0), (-15, 0.15), (0, 0.5), (25, 1), (55, 0.5), (60, 0)]
)
def test_discharging_rate_over_temperature(temperature_c: float, rate: float) -> None:
    assert at(DISCHARGE_C_RATE, temperature_c) == pytest.approx(rate)


def test_discharge_taper_has_the_points_of_lfp() -> None:
    assert [at(DISCHARGE_TAPER, v - 2.80) for v in (2.70, 2.80, 2.90, 3.00, 3.10, 3.30)] == pytest.approx(
        [0, 0, 0.1, 0.3, 1, 1]
    )
