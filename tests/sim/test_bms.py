from __future__ import annotations

import pytest

from bridge.model import Alarm
from bridge.sim.bms import Bms, Measured, lfp_protections


def looks(
    *,
    cell_max_v: float = 3.3,
    cell_min_v: float = 3.3,
    current_a: float = 0.0,
    temperature_c: float = 22.0,
    other_c: float | None = None,
) -> Measured:
    return Measured(
        voltage_v=52.8, current_a=current_a, cell_voltages_v=(cell_min_v, cell_max_v),
        temperatures_c=(temperature_c, temperature_c if other_c is None else other_c),
        cell_max_v=cell_max_v, cell_min_v=cell_min_v,
    )  # fmt: skip


def board() -> Bms:
    return Bms(lfp_protections(charge_a=100.0, discharge_a=100.0))


def run(bms: Bms, measured: Measured, seconds: float) -> Bms:
    for _ in range(round(seconds / 0.25)):
        bms.step(measured, 0.25)
    return bms


def test_a_board_starts_with_both_switches_closed() -> None:
    bms = board()
    assert (bms.charge_on, bms.discharge_on, bms.protections) == (True, True, frozenset())


@pytest.mark.parametrize(
    ("measured", "delay_s", "alarm", "switches"),
    [
        (looks(cell_max_v=3.66), 1.0, Alarm.CELL_OVERVOLTAGE, (False, True)),
        (looks(cell_min_v=2.49), 2.0, Alarm.CELL_UNDERVOLTAGE, (True, False)),
        (looks(current_a=115.5), 8.0, Alarm.CHARGE_OVERCURRENT, (False, True)),
        (looks(current_a=-115.5), 8.0, Alarm.DISCHARGE_OVERCURRENT, (True, False)),
        (looks(temperature_c=60.5), 2.0, Alarm.CHARGE_OVERTEMPERATURE, (False, True)),
        (looks(temperature_c=-0.5), 2.0, Alarm.CHARGE_UNDERTEMPERATURE, (False, True)),
    ],
)
def test_each_protection_trips_after_its_delay_and_not_before(
    measured: Measured, delay_s: float, alarm: Alarm, switches: tuple[bool, bool]
) -> None:
    bms = run(board(), measured, delay_s - 0.25)
    assert bms.protections == frozenset()
    bms.step(measured, 0.25)
    assert bms.protections == {alarm}
    assert (bms.charge_on, bms.discharge_on) == switches


@pytest.mark.parametrize(
    ("measured", "alarms"),
    [
        (looks(temperature_c=66.0), {Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE}),
        (looks(temperature_c=-21.0), {Alarm.CHARGE_UNDERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE}),
    ],
)
def test_extreme_temperatures_open_both_switches(measured: Measured, alarms: set[Alarm]) -> None:
    bms = run(board(), measured, 2.0)
    assert bms.protections == alarms
    assert (bms.charge_on, bms.discharge_on) == (False, False)


@pytest.mark.parametrize(
    ("one_c", "other_c", "switches"),
    [
        (61.0, 22.0, (False, True)),
        (22.0, 61.0, (False, True)),
        (-1.0, 22.0, (False, True)),
        (22.0, 66.0, (False, False)),
        (-21.0, 22.0, (False, False)),
    ],
)
def test_one_extreme_probe_is_enough(one_c: float, other_c: float, switches: tuple[bool, bool]) -> None:
    bms = run(board(), looks(temperature_c=one_c, other_c=other_c), 2.0)
    assert (bms.charge_on, bms.discharge_on) == switches


def test_what_is_only_just_allowed_never_trips() -> None:
    bms = run(board(), looks(cell_max_v=3.65, cell_min_v=2.50, current_a=114.9), 60.0)
    assert bms.protections == frozenset()


def test_an_interruption_starts_the_delay_again() -> None:
    bms = run(board(), looks(current_a=120.0), 7.0)
    run(bms, looks(), 0.25)
    run(bms, looks(current_a=120.0), 7.0)
    assert bms.charge_on


def test_over_voltage_holds_until_the_cell_has_fallen_to_its_release() -> None:
    bms = run(board(), looks(cell_max_v=3.70), 1.0)
    run(bms, looks(cell_max_v=3.43), 600.0)
    assert not bms.charge_on
    run(bms, looks(cell_max_v=3.41), 0.25)
    assert bms.charge_on


def test_over_current_is_tried_again_after_a_minute() -> None:
    bms = run(board(), looks(current_a=-130.0), 8.0)
    run(bms, looks(), 59.75)
    assert not bms.discharge_on
    run(bms, looks(), 0.25)
    assert bms.discharge_on


def test_a_lock_opens_its_direction_until_it_is_taken_back() -> None:
    bms = board()
    bms.lock(charge=True, discharge=False)
    assert (bms.charge_on, bms.discharge_on) == (False, True)
    assert bms.protections == {Alarm.FET_LOCKED}
    bms.lock(charge=False, discharge=False)
    assert (bms.charge_on, bms.discharge_on, bms.protections) == (True, True, frozenset())
