"""Several inverters: their parts are the bank's limit at most, whatever is configured."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.battery.division import Division, Taker, by_priority, by_share, fixed_shares
from bridge.model import Bank, Decision, Limit
from bridge.sinks.quantities import Rounding, steps

AMPS = st.floats(0, 2000)
MOST = st.none() | st.floats(0.1, 2000)


def told(ccl: float = 100.0, dcl: float = 100.0) -> Decision:
    return Decision(
        time_s=0.0, bank=Bank(), charge_voltage_limit_v=55.2, discharge_voltage_limit_v=44.8,
        charge_current_limit_a=ccl, discharge_current_limit_a=dcl, charge_enabled=ccl > 0,
        discharge_enabled=dcl > 0, force_charge=ccl > 0,
    )  # fmt: skip


@st.composite
def takers(draw: st.DrawFn) -> list[Taker]:
    count = draw(st.integers(1, 6))
    weights = draw(st.lists(st.floats(0.01, 1), min_size=count, max_size=count))
    with_share = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    total = sum(weights)
    return [
        Taker(
            name=str(i), share=weights[i] / total if with_share[i] else None,
            priority=draw(st.integers(1, 3)),
            max_charge_current_a=draw(MOST), max_discharge_current_a=draw(MOST),
        )
        for i in range(count)
    ]  # fmt: skip


@given(
    takers(),
    st.sampled_from(["fixed", "priority", "use"]),
    st.lists(st.tuples(AMPS, AMPS), min_size=1),
    st.data(),
)
def test_the_parts_never_exceed_the_banks_limits_also_as_the_wire_carries_them(
    several: list[Taker], split: str, limits: list[tuple[float, float]], data: st.DataObject
) -> None:
    division = Division(several, split)
    for second, (ccl, dcl) in enumerate(limits):
        used = {one.name: data.draw(st.none() | st.floats(-300, 300)) for one in several}
        parts = division.parts(told(ccl, dcl), float(second), used)
        for limit, total_a in ((Limit.CCL, ccl), (Limit.DCL, dcl)):
            amps = [getattr(part, limit.value) for part in parts.values()]
            on_the_wire = [steps(a, 0.1, Rounding.DOWN) for a in amps]
            assert sum(on_the_wire) <= total_a * 10 + 1e-6
            assert all(a >= 0 for a in amps)
        for part in parts.values():
            assert part.charge_enabled == (part.charge_current_limit_a > 0)
            assert part.discharge_enabled == (part.discharge_current_limit_a > 0)


@given(takers(), st.sampled_from(["fixed", "priority"]), AMPS, AMPS)
def test_a_lower_limit_of_the_bank_raises_nobodys_part_by_shares(
    several: list[Taker], split: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    if split == "priority":
        several = [replace(taker, priority=number) for number, taker in enumerate(several, 1)]
    few, many = (Division(several, split).parts(told(a), 0.0) for a in (low, high))
    for name, part in few.items():
        assert part.charge_current_limit_a <= many[name].charge_current_limit_a


def test_fixed_shares_are_dealt_out_in_whole_tenths() -> None:
    takers = [Taker(name="house", share=0.6), Taker(name="barn", share=0.4)]
    assert by_share(100.3, takers, fixed_shares(takers), Limit.CCL) == {"house": 60.1, "barn": 40.1}


def test_without_shares_all_parts_are_equal_and_the_rest_is_nobodys() -> None:
    takers = [Taker(name=name) for name in "abc"]
    assert set(by_share(100.0, takers, fixed_shares(takers), Limit.CCL).values()) == {33.3}


def test_who_has_no_share_gets_what_the_others_leave() -> None:
    assert fixed_shares([Taker(name="a", share=0.5), Taker(name="b"), Taker(name="c")]) == {
        "a": 0.5, "b": 0.25, "c": 0.25,
    }  # fmt: skip


def test_the_first_takes_what_it_can_carry_and_the_next_what_is_left() -> None:
    takers = [Taker(name="barn", priority=2), Taker(name="house", priority=1, max_charge_current_a=80)]
    assert by_priority(100.0, takers, Limit.CCL) == {"house": 80.0, "barn": 20.0}
    assert by_priority(50.0, takers, Limit.CCL) == {"house": 50.0, "barn": 0.0}


def test_equals_share_evenly_and_pass_on_what_they_cannot_carry() -> None:
    takers = [Taker(name="a"), Taker(name="b", max_discharge_current_a=20), Taker(name="c")]
    assert by_priority(100.0, takers, Limit.DCL) == {"a": 40.0, "b": 20.0, "c": 40.0}


def test_an_inverter_without_a_part_is_not_enabled_and_is_not_asked_to_charge() -> None:
    takers = [Taker(name="house", max_charge_current_a=500), Taker(name="barn", priority=2)]
    barn = Division(takers, "priority").parts(told(40, 40), 0.0)["barn"]
    assert (barn.charge_current_limit_a, barn.charge_enabled, barn.force_charge) == (0.0, False, False)
    assert barn.constraints[Limit.CCL][0].text == "barn: its part of the bank's 40.0 A"


def test_a_lone_inverter_hears_the_banks_own_decision() -> None:
    decision = told()
    assert Division([Taker(name="house")]).parts(decision, 0.0)["house"] is decision


def test_a_lone_inverter_with_a_share_leaves_the_rest_to_what_is_not_ours() -> None:
    assert Division([Taker(name="a", share=0.5)]).parts(told(), 0.0)["a"].charge_current_limit_a == 50.0


def test_parts_by_use_move_slowly_toward_who_carries_more() -> None:
    division = Division([Taker(name="a"), Taker(name="b")], "use")
    used = {"a": 90.0, "b": 10.0}
    first = division.parts(told(), 0.0, used)["a"].charge_current_limit_a
    soon = division.parts(told(), 1.0, used)["a"].charge_current_limit_a
    for second in range(2, 120):
        late = division.parts(told(), float(second), used)
    assert first == 50.0
    assert 50.0 < soon <= 51.1
    assert late["a"].charge_current_limit_a == pytest.approx(80.0, abs=0.2)  # 12.5 + 75 % of 90
    assert late["b"].charge_current_limit_a == pytest.approx(20.0, abs=0.2)


def test_parts_by_use_are_equal_when_one_inverter_does_not_say() -> None:
    division = Division([Taker(name="a"), Taker(name="b")], "use")
    for second in range(60):
        parts = division.parts(told(), float(second), {"a": 90.0, "b": None})
    assert {part.charge_current_limit_a for part in parts.values()} == {50.0}


def test_what_is_no_number_is_nobodys_current() -> None:
    takers = [Taker(name="a"), Taker(name="b")]
    assert by_share(nan, takers, fixed_shares(takers), Limit.CCL) == {"a": 0.0, "b": 0.0}
