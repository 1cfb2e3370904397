from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.sim.converter import Command, Converter, ConverterSpec

DT_S = 0.5
BANK_V, BANK_OHM = 53.0, 0.01


def bank(voltage_v: float) -> float:
    return (voltage_v - BANK_V) / BANK_OHM


def command(ccl: float = 100.0, dcl: float = 100.0, cvl: float = 60.0, dvl: float = 40.0) -> Command:
    return Command(
        charge_voltage_limit_v=cvl,
        discharge_voltage_limit_v=dvl,
        charge_current_limit_a=ccl,
        discharge_current_limit_a=dcl,
    )


def run(
    one: Converter, wanted_a: float, seconds: float, current_at: Callable[[float], float] = bank
) -> list[float]:
    return [one.step(wanted_a, current_at) for _ in range(round(seconds / DT_S))]


def fresh(said: Command | None = None, **spec: float) -> Converter:
    one = Converter(ConverterSpec(**spec), DT_S)  # type: ignore[arg-type]  # floats and flags by name
    one.hear(said or command())
    return one


def test_it_does_nothing_before_it_hears_a_battery() -> None:
    assert set(run(Converter(ConverterSpec(), DT_S), -80.0, 10.0)) == {0.0}


@pytest.mark.parametrize("wanted_a", [80.0, -80.0])
def test_what_is_wanted_and_allowed_flows(wanted_a: float) -> None:
    assert run(fresh(), wanted_a, 10.0)[-1] == pytest.approx(wanted_a, abs=0.1)


def test_limits_hold_both_ways() -> None:
    assert run(fresh(), 300.0, 30.0)[-1] == pytest.approx(100.0)
    assert run(fresh(), -300.0, 30.0)[-1] == pytest.approx(-100.0)


def test_a_falling_limit_is_followed_with_the_lag() -> None:
    one = fresh(limit_tau_s=5.0)
    run(one, -100.0, 30.0)
    one.hear(command(dcl=0.0))
    currents_a = run(one, -100.0, 5.0)
    assert currents_a[-1] == pytest.approx(-100.0 / 2.718, rel=0.01)


def test_the_load_is_followed_at_once() -> None:
    assert run(fresh(limit_tau_s=5.0, load_tau_s=0.5), -100.0, 30.0)[-1] == pytest.approx(-100.0)
    one = fresh(limit_tau_s=5.0)
    run(one, -100.0, 30.0)
    assert run(one, 0.0, 2.0)[-1] == pytest.approx(0.0, abs=2.0)


def test_the_bus_is_held_at_the_charge_voltage() -> None:
    assert run(fresh(command(cvl=53.5)), 100.0, 60.0)[-1] == pytest.approx(50.0)


def test_an_offset_holds_it_elsewhere() -> None:
    assert run(fresh(command(cvl=53.5), voltage_offset_v=0.3), 100.0, 60.0)[-1] == pytest.approx(80.0)


def test_a_bank_above_the_charge_voltage_is_not_charged() -> None:
    assert run(fresh(command(cvl=52.0)), 100.0, 60.0)[-1] == 0.0


def test_the_bus_is_not_drawn_below_the_discharge_voltage() -> None:
    assert run(fresh(command(dvl=52.8)), -100.0, 60.0)[-1] == pytest.approx(-20.0)


def test_the_disobedient_ignore_what_they_are_told() -> None:
    low = command(ccl=10.0, dcl=10.0, cvl=53.2)
    assert run(fresh(low, ignores_ccl=True), 100.0, 60.0)[-1] == pytest.approx(20.0)
    assert run(fresh(low, ignores_cvl=True), 100.0, 60.0)[-1] == pytest.approx(10.0)
    assert run(fresh(low, ignores_dcl=True), -100.0, 60.0)[-1] == pytest.approx(-100.0)


def test_small_steps_of_a_limit_are_not_taken_but_a_stop_is() -> None:
    one = fresh(limit_step_a=5.0)
    run(one, -300.0, 30.0)
    one.hear(command(dcl=96.0))
    assert run(one, -300.0, 30.0)[-1] == pytest.approx(-100.0)
    one.hear(command(dcl=94.0))
    assert run(one, -300.0, 30.0)[-1] == pytest.approx(-94.0, abs=0.1)
    coarse = fresh(command(dcl=3.0), limit_step_a=5.0)
    coarse.hear(command(dcl=0.0))
    assert run(coarse, -300.0, 60.0)[-1] == pytest.approx(0.0, abs=0.01)


def test_small_steps_of_the_voltage_are_not_taken() -> None:
    one = fresh(command(cvl=53.5), voltage_step_v=0.2)
    one.hear(command(cvl=53.4))
    assert run(one, 100.0, 60.0)[-1] == pytest.approx(50.0)
    one.hear(command(cvl=53.2))
    assert run(one, 100.0, 60.0)[-1] == pytest.approx(20.0, abs=0.1)


def test_a_ramp_bounds_every_change() -> None:
    currents_a = run(fresh(ramp_a_per_s=10.0), -100.0, 5.0)
    assert currents_a[-1] == pytest.approx(-50.0, abs=2.0)


def test_an_overshoot_goes_beyond_and_comes_back() -> None:
    one = fresh(overshoot=0.25)
    run(one, -20.0, 60.0)
    currents_a = run(one, -80.0, 60.0)
    assert min(currents_a) < -88.0
    assert currents_a[-1] == pytest.approx(-80.0, abs=0.5)


def test_a_charge_that_tapers_off_ends_until_the_voltage_has_fallen() -> None:
    one = fresh(command(cvl=53.5), tail_current_a=8.0)
    nearly_full: Callable[[float], float] = lambda volts: (volts - 53.45) / BANK_OHM  # noqa: E731
    rested: Callable[[float], float] = lambda volts: (volts - 53.2) / BANK_OHM  # noqa: E731
    emptier: Callable[[float], float] = lambda volts: (volts - 52.5) / BANK_OHM  # noqa: E731
    assert run(one, 100.0, 5.0, nearly_full)[-1] == 0.0
    assert run(one, 100.0, 5.0, rested)[-1] == 0.0
    assert run(one, 100.0, 30.0, emptier)[-1] == pytest.approx(100.0)
