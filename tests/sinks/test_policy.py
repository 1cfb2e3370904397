from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeBug
from bridge.model import Decision
from bridge.profiles import Range
from bridge.sinks.can import CanSink
from bridge.sinks.policy import settle
from tests.sinks.helpers import by_hand, decision, deye, encode, profile, sent, unguarded

everyday = st.builds(
    lambda bank, **changes: decision(bank=bank, **changes),
    bank=st.fixed_dictionaries({"voltage_v": st.floats(40, 60), "soc": st.floats(0, 1)}),
    charge_voltage_limit_v=st.floats(40, 60),
    discharge_voltage_limit_v=st.floats(40, 60),
    charge_current_limit_a=st.floats(0.1, 500),
    discharge_current_limit_a=st.floats(0.1, 500),
    force_charge=st.booleans(),
    full_charge_request=st.booleans(),
)


@given(everyday)
def test_a_decision_that_allows_both_directions_passes_unchanged(given_decision: Decision) -> None:
    assert settle(given_decision, deye(), unguarded) == given_decision


def test_a_direction_that_is_off_gets_no_current() -> None:
    found = sent(decision(charge_enabled=False, discharge_enabled=False))
    assert (found["charge_current_limit_a"], found["discharge_current_limit_a"]) == (0.0, 0.0)


def test_a_direction_without_current_is_off() -> None:
    found = sent(decision(charge_current_limit_a=0.0, discharge_current_limit_a=0.0))
    assert (found["charge_enabled"], found["discharge_enabled"]) == (False, False)


def test_directions_are_switched_off_separately() -> None:
    found = sent(decision(charge_enabled=False))
    assert (found["charge_enabled"], found["discharge_enabled"]) == (False, True)
    assert (found["charge_current_limit_a"], found["discharge_current_limit_a"]) == (0.0, 150.0)


def test_nobody_is_asked_to_charge_a_battery_that_must_not_be_charged() -> None:
    found = sent(decision(charge_enabled=False, force_charge=True, full_charge_request=True))
    assert (found["force_charge_2"], found["full_charge_request"]) == (False, False)


# Stop, for Deye: stuartpittaway/diyBMSv4ESP32 issue 216


@pytest.mark.parametrize(
    ("voltage_v", "decided_v", "expected_v"),
    [
        (53.28, 50.0, 53.2),  # below the battery: it would discharge to reach it
        (53.28, 0.0, 53.2),  # no voltage at all does not mean stop to a Deye
        (53.28, 53.28, 53.2),
        (53.28, 56.0, 56.0),  # a pack at full charge keeps its CVL too
        (None, 50.0, 50.0),  # not known: nothing is made up
    ],
)
def test_stop_keeps_cvl_at_the_battery(voltage_v: float | None, decided_v: float, expected_v: float) -> None:
    stopped = decision(
        bank={"voltage_v": voltage_v}, charge_current_limit_a=0.0, charge_voltage_limit_v=decided_v
    )
    assert settle(stopped, deye(), unguarded).charge_voltage_limit_v == pytest.approx(expected_v, abs=0.09)
    if voltage_v is not None:
        assert sent(stopped)["charge_voltage_limit_v"] == expected_v


def test_charging_being_off_counts_as_stop_too() -> None:
    stopped = decision(charge_enabled=False, charge_voltage_limit_v=0.0)
    assert sent(stopped)["charge_voltage_limit_v"] == 53.1


@pytest.mark.parametrize(("voltage_v", "expected_v"), [(None, 52.7), (51.0, 51.0)])
def test_a_battery_that_is_not_heard_is_taken_to_have_its_last_voltage(
    voltage_v: float | None, expected_v: float
) -> None:
    stopped = decision(bank={"voltage_v": voltage_v}, charge_current_limit_a=0.0, charge_voltage_limit_v=0.0)
    assert settle(stopped, deye(), unguarded, last_voltage_v=52.7).charge_voltage_limit_v == expected_v


def test_while_there_is_current_a_low_cvl_stays_what_was_decided() -> None:
    assert sent(decision(charge_voltage_limit_v=50.0))["charge_voltage_limit_v"] == 50.0


def test_stop_never_goes_above_the_banks_ceiling() -> None:
    stopped = decision(bank={"voltage_v": 70.0}, charge_current_limit_a=0.0, charge_voltage_limit_v=50.0)
    assert settle(stopped, deye(), unguarded, ceiling_v=56.8).charge_voltage_limit_v == 56.8


def test_a_ceiling_below_the_decision_does_not_raise_it_either() -> None:
    stopped = decision(bank={"voltage_v": 70.0}, charge_current_limit_a=0.0, charge_voltage_limit_v=57.0)
    assert settle(stopped, deye(), unguarded, ceiling_v=56.8).charge_voltage_limit_v == 57.0


def test_other_inverters_hear_the_decided_cvl_at_stop() -> None:
    stopped = decision(charge_current_limit_a=0.0, charge_voltage_limit_v=50.0)
    assert settle(stopped, profile(stop="decided"), unguarded).charge_voltage_limit_v == 50.0


# The ends of SoC


@pytest.mark.parametrize(
    ("soc", "charge_a", "discharge_a", "expected_pct"),
    [
        (1.0, 100.0, 100.0, 99),
        (1.0, 0.0, 100.0, 100),
        (0.0, 100.0, 100.0, 1),
        (0.004, 100.0, 100.0, 1),
        (1.0, 0.5, 100.0, 99),
        (0.0, 100.0, 0.5, 1),
        (0.0, 100.0, 0.0, 0),
        (0.57, 100.0, 100.0, 57),
    ],
)
def test_soc_ends_are_held_where_the_profile_asks_for_it(
    soc: float, charge_a: float, discharge_a: float, expected_pct: int
) -> None:
    used = profile(hold_soc_ends=True)
    end = decision(bank={"soc": soc}, charge_current_limit_a=charge_a, discharge_current_limit_a=discharge_a)
    assert sent(end, used)["soc_pct"] == expected_pct


def test_soc_ends_are_left_to_the_battery_otherwise() -> None:
    assert sent(decision(bank={"soc": 1.0}))["soc_pct"] == 100
    assert sent(decision(bank={"soc": 0.0}))["soc_pct"] == 0


def test_an_unknown_soc_is_not_held() -> None:
    unknown = decision(bank={"soc": None})
    assert settle(unknown, profile(hold_soc_ends=True), unguarded).bank.soc is None


# Ranges

SUNNY = profile(
    ranges={
        "charge_voltage_limit_v": Range(min=41.0, max=63.0),
        "discharge_voltage_limit_v": Range(min=41.0, max=48.0),
    },
    stop="decided",
)


def test_a_cvl_below_what_can_be_said_ends_charging() -> None:
    found = sent(decision(charge_voltage_limit_v=40.0), SUNNY)
    assert found["charge_voltage_limit_v"] == 41.0
    assert (found["charge_current_limit_a"], found["charge_enabled"]) == (0.0, False)
    assert found["discharge_current_limit_a"] == 150.0


def test_a_dvl_above_what_can_be_said_ends_discharging() -> None:
    found = sent(decision(discharge_voltage_limit_v=48.1), SUNNY)
    assert found["discharge_voltage_limit_v"] == 48.0
    assert (found["discharge_current_limit_a"], found["discharge_enabled"]) == (0.0, False)
    assert found["charge_current_limit_a"] == 100.0


def test_the_ends_of_a_range_are_in_it() -> None:
    edge = decision(charge_voltage_limit_v=41.0, discharge_voltage_limit_v=48.0)
    assert settle(edge, SUNNY, unguarded) == edge


def test_on_the_safe_side_of_a_range_current_goes_on() -> None:
    found = sent(decision(charge_voltage_limit_v=64.0, discharge_voltage_limit_v=40.0), SUNNY)
    assert (found["charge_voltage_limit_v"], found["discharge_voltage_limit_v"]) == (63.0, 41.0)
    assert (found["charge_enabled"], found["discharge_enabled"]) == (True, True)


# The guard


def test_the_guard_sees_what_the_policies_made() -> None:
    seen: list[Decision] = []

    def guard(settled: Decision) -> Decision:
        seen.append(settled)
        return settled

    settle(decision(charge_enabled=False, charge_voltage_limit_v=0.0), deye(), guard)
    assert [(one.charge_voltage_limit_v, one.charge_current_limit_a) for one in seen] == [(53.1, 0.0)]


def test_what_the_guard_forbids_is_not_sent() -> None:
    stopped = settle(decision(), deye(), lambda settled: settled._replace(charge_current_limit_a=0.0))
    assert (stopped.charge_current_limit_a, stopped.charge_enabled) == (0.0, False)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize(
    "name",
    [
        "charge_voltage_limit_v",
        "discharge_voltage_limit_v",
        "charge_current_limit_a",
        "discharge_current_limit_a",
    ],
)
def test_what_is_no_limit_is_a_bug_before_and_after_the_guard(name: str, value: float) -> None:
    changes: dict[str, Any] = {name: value, "charge_enabled": False, "discharge_enabled": False}
    bad = decision(**changes)
    with pytest.raises(BridgeBug, match=name):
        encode(bad)
    with pytest.raises(BridgeBug, match=name):
        settle(decision(), deye(), lambda _: bad)


# SoC for inverters that heed nothing else: dalathegreat/Battery-Emulator issue 1534


@pytest.mark.parametrize(
    ("charge_a", "discharge_a", "soc_pct"),
    [(100.0, 150.0, 57), (0.0, 150.0, 100), (100.0, 0.0, 0), (0.0, 0.0, 57)],
)
def test_an_inverter_that_heeds_soc_alone_is_stopped_by_it_in_one_direction(
    charge_a: float, discharge_a: float, soc_pct: int
) -> None:
    changes: dict[str, Any] = {"charge_current_limit_a": charge_a, "discharge_current_limit_a": discharge_a}
    one = CanSink("house", profile(soc_says_stop=True))
    found = by_hand(one.frames(decision(**changes), unguarded))
    assert found["soc_pct"] == soc_pct
    assert by_hand(one.frames(decision(bank={"soc": None}), unguarded))["soc_pct"] == 57


def test_a_false_soc_is_not_said_before_the_true_one_is_known() -> None:
    one = CanSink("house", profile(soc_says_stop=True))
    assert one.frames(decision(bank={"soc": None}, charge_current_limit_a=0.0), unguarded) == ()
