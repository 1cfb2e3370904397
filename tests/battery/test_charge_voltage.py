from __future__ import annotations

from itertools import pairwise

import pytest

from bridge.battery.charge_voltage import ChargeVoltage, Highest, Lead, Loop

LOOP = Loop(cells=16, charge_v=3.45, floor_v=3.30, taper_v=3.47, max_v=3.55, delay_s=7.0)
TOP_V = 16 * 3.45


def led(voltage: ChargeVoltage, cells_v: list[float], bus_v: float = 54.0, step_s: float = 1.0) -> Lead:
    for i, cell_v in enumerate(cells_v):
        lead = voltage.step(Highest(cell_v, ("a",), 1), bus_v, TOP_V, 1000.0 + i * step_s)
    return lead


def test_below_the_target_the_stage_has_its_voltage() -> None:
    assert led(ChargeVoltage(LOOP, TOP_V), [3.40] * 60) == (TOP_V, 1.0, 3.40)


def test_a_cell_above_the_target_lowers_the_voltage_steadily() -> None:
    voltage = ChargeVoltage(LOOP, TOP_V)
    seen = [led(voltage, [3.465]).voltage_v]
    seen += [
        voltage.step(Highest(3.465, ("a",), 1), 54.0, TOP_V, 1000.0 + i).voltage_v for i in range(1, 400)
    ]

    assert seen == sorted(seen, reverse=True)
    assert seen[10] == pytest.approx(TOP_V - 10 * 0.35 * 16 / 7 * 0.010)
    assert seen[-1] == 16 * 3.30


def test_a_cell_that_rises_is_met_before_it_is_there() -> None:
    slow = led(ChargeVoltage(LOOP, TOP_V), [3.40 + 0.0001 * i for i in range(400)])
    fast = led(ChargeVoltage(LOOP, TOP_V), [3.40 + 0.003 * i for i in range(14)])

    assert slow.predicted_v == pytest.approx(3.441, abs=0.001)
    assert slow.voltage_v == TOP_V
    assert fast.predicted_v > 3.46
    assert fast.voltage_v < TOP_V


def test_a_cell_that_will_be_far_too_high_takes_the_voltage_below_what_the_bank_has() -> None:
    held, cut = (led(ChargeVoltage(LOOP, TOP_V), [cell_v], bus_v=54.3) for cell_v in (3.4765, 3.51))

    assert held.voltage_v == pytest.approx(54.3, abs=0.001)
    assert cut.voltage_v == pytest.approx(54.3 - 2.5 * (0.06 - 0.02625))
    assert cut.factor == pytest.approx(0.5)


def test_at_its_maximum_no_current_is_left() -> None:
    assert led(ChargeVoltage(LOOP, TOP_V), [3.55]).factor == 0.0


def test_a_step_of_the_current_is_no_slope_for_ever() -> None:
    assert led(ChargeVoltage(LOOP, TOP_V), [3.33, 3.43]).predicted_v == pytest.approx(3.49)


def test_another_highest_cell_because_a_pack_came_is_no_slope() -> None:
    voltage = ChargeVoltage(LOOP, TOP_V)
    voltage.step(Highest(3.35, ("a",), 1), 54.0, TOP_V, 1000.0)

    assert voltage.step(Highest(3.44, ("b",), 2), 54.0, TOP_V, 1001.0).predicted_v == 3.44


def test_a_pack_that_comes_does_not_hide_how_the_highest_cell_rises() -> None:
    """Nor one that goes: it is the same cell before and after."""
    voltage = ChargeVoltage(LOOP, TOP_V)
    voltage.step(Highest(3.35, ("a",), 1), 54.0, TOP_V, 1000.0)

    assert voltage.step(Highest(3.36, ("a",), 2), 54.0, TOP_V, 1001.0).predicted_v > 3.36


def test_of_two_cells_as_high_either_may_be_the_one_that_stays() -> None:
    for stays in ("a", "b"):
        voltage = ChargeVoltage(LOOP, TOP_V)
        voltage.step(Highest(3.35, ("a", "b"), 2), 54.0, TOP_V, 1000.0)

        assert voltage.step(Highest(3.36, (stays,), 1), 54.0, TOP_V, 1001.0).predicted_v > 3.36


def test_the_voltage_comes_back_slowly_and_never_above_the_top() -> None:
    voltage = ChargeVoltage(LOOP, 53.0)
    seen = [voltage.step(Highest(3.36, ("a",), 1), 53.0, TOP_V, 1000.0 + i).voltage_v for i in range(150)]

    assert all(0 <= b - a <= 0.02 + 1e-9 for a, b in pairwise(seen))
    assert seen[-1] == TOP_V


def test_a_long_pause_earns_no_long_rise() -> None:
    voltage = ChargeVoltage(LOOP, 53.0)
    voltage.step(Highest(3.36, ("a",), 1), 53.0, TOP_V, 1000.0)

    assert voltage.step(Highest(3.36, ("a",), 1), 53.0, TOP_V, 9000.0).voltage_v == pytest.approx(53.06)


def test_the_dead_band_is_wider_than_the_step_that_goes_out() -> None:
    for cells, step_v in ((4, 0.025), (16, 0.00625)):
        loop = Loop(cells=cells, charge_v=3.45, floor_v=3.30, taper_v=3.47, max_v=3.55, delay_s=7.0)
        for cell_v, moves in ((3.4585, -1), (3.457, 0), (3.4555 - step_v, 0), (3.4545 - step_v, 1)):
            voltage = ChargeVoltage(loop, cells * 3.40)
            for i in range(3):
                lead = voltage.step(Highest(cell_v, ("a",), 1), None, cells * 3.45, 1000.0 + i)
            assert (lead.voltage_v > cells * 3.40) - (lead.voltage_v < cells * 3.40) == moves


def test_it_goes_on_from_what_was_published() -> None:
    voltage = ChargeVoltage(LOOP, TOP_V)
    voltage.step(Highest(3.36, ("a",), 1), 53.0, TOP_V, 1000.0)
    voltage.published(54.0)

    assert voltage.step(Highest(3.36, ("a",), 1), 53.0, TOP_V, 1001.0).voltage_v == pytest.approx(54.22)
