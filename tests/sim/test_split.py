from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sim.split import DIODE_V, Branch, split

STIFF = Branch(emf_v=52.8, resistance_ohm=0.010)
SOFT = Branch(emf_v=52.8, resistance_ohm=0.030)


def charge_only(emf_v: float, resistance_ohm: float = 0.010) -> Branch:
    return Branch(emf_v=emf_v, resistance_ohm=resistance_ohm, discharge_on=False)


def discharge_only(emf_v: float, resistance_ohm: float = 0.010) -> Branch:
    return Branch(emf_v=emf_v, resistance_ohm=resistance_ohm, charge_on=False)


def opened(emf_v: float = 52.8) -> Branch:
    return Branch(emf_v=emf_v, resistance_ohm=0.010, charge_on=False, discharge_on=False)


branches = st.builds(
    Branch,
    emf_v=st.floats(40.0, 58.0),
    resistance_ohm=st.floats(0.003, 0.1),
    charge_on=st.booleans(),
    discharge_on=st.booleans(),
)


def test_equal_voltages_divide_by_conductance() -> None:
    assert split([STIFF, SOFT], 100.0).currents_a == pytest.approx((75.0, 25.0))


def test_unequal_voltages_circulate_at_zero_current() -> None:
    result = split([STIFF, Branch(emf_v=53.0, resistance_ohm=0.010)], 0.0)
    assert result.currents_a == pytest.approx((10.0, -10.0))
    assert result.bus_v == pytest.approx(52.9)


@given(st.lists(branches, min_size=1, max_size=6), st.floats(-500.0, 500.0))
def test_currents_sum_to_the_demand_as_far_as_switches_allow(packs: list[Branch], demand_a: float) -> None:
    result = split(packs, demand_a)
    if not any(pack.charge_on for pack in packs):
        demand_a = min(demand_a, 0.0)
    if not any(pack.discharge_on for pack in packs):
        demand_a = max(demand_a, 0.0)
    assert result.total_a == pytest.approx(demand_a, abs=1e-6)


@given(st.lists(branches, min_size=1, max_size=6), st.floats(-500.0, 500.0))
def test_every_conducting_pack_obeys_kirchhoff_and_no_other_could_conduct(
    packs: list[Branch], demand_a: float
) -> None:
    result = split(packs, demand_a)
    for pack, current_a in zip(packs, result.currents_a, strict=True):
        behind_v = pack.emf_v + current_a * pack.resistance_ohm
        if current_a > 0:
            assert pack.charge_on
            drop_v = 0.0 if pack.discharge_on else DIODE_V
            assert result.bus_v == pytest.approx(behind_v + drop_v, abs=1e-3)
        elif current_a < 0:
            assert pack.discharge_on
            drop_v = 0.0 if pack.charge_on else DIODE_V
            assert result.bus_v == pytest.approx(behind_v - drop_v, abs=1e-3)
        else:
            assert not pack.charge_on or result.bus_v <= pack.kink_v + 1e-9
            assert not pack.discharge_on or result.bus_v >= pack.kink_v - 1e-9


@given(st.lists(branches, min_size=1, max_size=5), st.floats(-400.0, 400.0), st.floats(0.0, 100.0))
def test_more_charging_current_never_lowers_the_bus(
    packs: list[Branch], demand_a: float, more_a: float
) -> None:
    assert split(packs, demand_a + more_a).bus_v >= split(packs, demand_a).bus_v - 1e-9


def test_a_pack_whose_charge_switch_is_open_takes_no_charge() -> None:
    assert split([STIFF, discharge_only(52.8)], 100.0).currents_a == pytest.approx((100.0, 0.0))


def test_a_pack_whose_charge_switch_is_open_helps_only_when_the_bus_is_a_diode_below_it() -> None:
    assert split([STIFF, discharge_only(52.8)], -69.0).currents_a == pytest.approx((-69.0, 0.0))
    assert split([STIFF, discharge_only(52.8)], -90.0).currents_a == pytest.approx((-80.0, -10.0))


def test_a_pack_whose_discharge_switch_is_open_is_charged_through_its_diode() -> None:
    assert split([STIFF, charge_only(52.8)], 90.0).currents_a == pytest.approx((80.0, 10.0))
    assert split([STIFF, charge_only(52.8)], -100.0).currents_a == pytest.approx((-100.0, 0.0))


def test_an_open_pack_carries_nothing_and_changes_nothing() -> None:
    assert split([STIFF, opened()], 50.0) == split([STIFF, opened(40.0)], 50.0)
    assert split([STIFF, opened()], 50.0).currents_a == pytest.approx((50.0, 0.0))


def test_a_bus_that_nobody_feeds_has_no_voltage() -> None:
    assert split([opened(), charge_only(52.8)], -50.0).bus_v == 0.0
    assert split([opened(), charge_only(52.8)], -50.0).total_a == 0.0


def test_a_bus_fed_through_a_diode_alone_lies_a_diode_below() -> None:
    result = split([discharge_only(52.8), discharge_only(52.0)], 30.0)
    assert result.bus_v == pytest.approx(52.8 - DIODE_V)
    assert result.total_a == pytest.approx(0.0)
