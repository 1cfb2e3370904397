from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import profiles
from bridge.errors import ConfigError
from bridge.model import Alarm, CanFrame
from bridge.sinks.offline import OfflineEncoder, candump, parse
from tests.sinks.helpers import by_hand, deye, profile

EVERYDAY: dict[str, Any] = {
    "voltage_v": 52.1,
    "current_a": -12.3,
    "soc_pct": 61,
    "soh_pct": 99,
    "temperature_c": 21.5,
    "charge_voltage_limit_v": 56.0,
    "discharge_voltage_limit_v": 44.8,
    "charge_current_limit_a": 100,
    "discharge_current_limit_a": 120,
    "charge_enabled": True,
    "discharge_enabled": True,
    "force_charge": False,
    "alarms": [],
    "module_count": 3,
}
LEAST = (
    "voltage_v",
    "soc_pct",
    "charge_voltage_limit_v",
    "charge_current_limit_a",
    "discharge_current_limit_a",
)
STEPS = {
    "voltage_v": 0.01,
    "current_a": 0.1,
    "soc_pct": 1,
    "soh_pct": 1,
    "temperature_c": 0.1,
    "charge_voltage_limit_v": 0.1,
    "discharge_voltage_limit_v": 0.1,
    "charge_current_limit_a": 0.1,
    "discharge_current_limit_a": 0.1,
}


@cache
def encoder() -> OfflineEncoder:
    return OfflineEncoder(deye())


def line(**changes: object) -> str:
    return json.dumps(EVERYDAY | changes)


def sent(text: str) -> dict[str, Any]:
    (cycle,) = encoder().cycles([text])
    assert cycle.problems == ()
    return by_hand(tuple(frame for _, frame in cycle.frames))


def complaints(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.problems


def test_every_value_of_a_line_arrives() -> None:
    found = sent(line())
    for name in STEPS:
        assert found[name] == EVERYDAY[name]
    assert (found["charge_enabled"], found["discharge_enabled"], found["force_charge_2"]) == (
        True,
        True,
        False,
    )
    assert found["module_count"] == 3


normal = st.fixed_dictionaries(
    {
        "voltage_v": st.floats(40, 60),
        "current_a": st.floats(-500, 500),
        "soc_pct": st.floats(0, 100),
        "soh_pct": st.floats(0, 100),
        "temperature_c": st.floats(-40, 80),
        "charge_voltage_limit_v": st.floats(40, 60),
        "discharge_voltage_limit_v": st.floats(40, 60),
        "charge_current_limit_a": st.floats(0.1, 1000),
        "discharge_current_limit_a": st.floats(0.1, 1000),
        "force_charge": st.booleans(),
        "module_count": st.integers(0, 255),
    }
)


@given(normal)
def test_a_normal_decision_comes_back_within_a_step_and_on_the_safe_side(decided: dict[str, Any]) -> None:
    found = sent(line(**decided))
    for name, step in STEPS.items():
        assert abs(found[name] - decided[name]) < step + 1e-6
    for name in ("charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a", "soc_pct"):
        assert found[name] <= decided[name] + 1e-9
    assert found["discharge_voltage_limit_v"] >= decided["discharge_voltage_limit_v"] - 1e-9
    assert found["force_charge_2"] == decided["force_charge"]
    assert found["module_count"] == decided["module_count"]


wild = st.floats(0, 1e12) | st.integers(0, 10**20)


@given(volts=wild, charge_a=wild, discharge_a=wild, soc_pct=st.floats(-1e9, 1e9), count=st.integers(0, 10**9))
def test_a_wild_decision_is_clamped_and_never_wraps(
    volts: float, charge_a: float, discharge_a: float, soc_pct: float, count: int
) -> None:
    found = sent(
        line(
            charge_voltage_limit_v=volts,
            charge_current_limit_a=charge_a,
            discharge_current_limit_a=discharge_a,
            soc_pct=soc_pct,
            module_count=count,
        )
    )
    assert min(charge_a, 3276.7) - 0.11 < found["charge_current_limit_a"] <= charge_a + 1e-9
    assert min(discharge_a, 3276.7) - 0.11 < found["discharge_current_limit_a"] <= discharge_a + 1e-9
    assert found["charge_voltage_limit_v"] <= max(volts, 52.1) + 1e-9
    assert 0 <= found["soc_pct"] <= 100
    assert found["module_count"] == min(count, 255)


def test_the_least_line_is_enough_and_enables_follow_the_limits() -> None:
    found = sent(json.dumps({name: EVERYDAY[name] for name in LEAST} | {"discharge_current_limit_a": 0}))
    assert (found["charge_enabled"], found["discharge_enabled"]) == (True, False)
    assert (found["temperature_c"], found["soh_pct"], found["current_a"]) == (25.0, 100, 0.0)
    assert (found["discharge_voltage_limit_v"], found["module_count"]) == (0.0, 0)


@pytest.mark.parametrize(("limit_a", "enabled"), [(0, False), (0.5, True), (100, True)])
def test_an_enable_that_is_not_stated_follows_its_limit(limit_a: float, enabled: bool) -> None:
    least = {name: EVERYDAY[name] for name in LEAST}
    limits = {"charge_current_limit_a": limit_a, "discharge_current_limit_a": limit_a}
    decided = parse(json.dumps(least | limits))
    assert (decided.charge_enabled, decided.discharge_enabled) == (enabled, enabled)


def test_no_request_and_no_alarm_is_made_up() -> None:
    decided = parse(json.dumps({name: EVERYDAY[name] for name in LEAST}))
    assert (decided.force_charge, decided.full_charge_request) == (False, False)
    assert (decided.protections, decided.warnings) == (frozenset(), frozenset())


@pytest.mark.parametrize("name", ["current_a", "soh_pct", "temperature_c"])
def test_a_measured_value_may_be_unknown(name: str) -> None:
    unknown = {"current_a": 0.0, "soh_pct": 100, "temperature_c": 25.0}
    assert sent(line(**{name: None}))[name] == unknown[name]


def test_nothing_is_remembered_from_line_to_line() -> None:
    first, second = encoder().cycles([line(), line(temperature_c=None)])
    assert by_hand(tuple(frame for _, frame in first.frames))["temperature_c"] == 21.5
    assert by_hand(tuple(frame for _, frame in second.frames))["temperature_c"] == 25.0


def test_a_value_that_the_profile_has_no_substitute_for_is_missing() -> None:
    (cycle,) = OfflineEncoder(profile(unknown={"soh_pct": 100.0})).cycles([line(temperature_c=None)])
    assert cycle.problems == ("temperature_c: missing",)


def test_alarms_and_warnings_are_told_apart() -> None:
    decided = parse(line(alarms=["cell_overvoltage"], warnings=["soc_low", "fire"]))
    assert decided.protections == {Alarm.CELL_OVERVOLTAGE}
    assert decided.warnings == {Alarm.SOC_LOW, Alarm.FIRE}


def test_what_a_dialect_has_no_room_for_may_be_said_too() -> None:
    more = {"remaining_ah": 170, "full_ah": 280.0, "design_ah": None, "cell_max_v": 3.31, "cell_min_v": 3.29}
    decided = parse(line(**more, temperature_max_c=24.0, temperature_min_c=22, cycles=12))
    bank = decided.bank
    assert (bank.remaining_ah, bank.full_ah, bank.design_ah) == (170, 280.0, None)
    assert (bank.cell_max_v, bank.cell_min_v, bank.cycles) == (3.31, 3.29, 12)
    assert (bank.temperature_max_c, bank.temperature_min_c) == (24.0, 22)


# Lines that can't be used


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"charge_curent_limit_a": 5}, 'Did you mean "charge_current_limit_a"?'),
        ({"voltage_v": "52.1"}, 'voltage_v: "52.1" is not a number'),
        ({"voltage_v": None}, "voltage_v: null is not a number"),
        ({"soc_pct": None}, "soc_pct: null is not a number"),
        ({"soc_pct": True}, "soc_pct: true is not a number"),
        ({"temperature_c": float("nan")}, "temperature_c: NaN is not a finite number"),
        ({"charge_voltage_limit_v": float("inf")}, "charge_voltage_limit_v: Infinity is not a finite number"),
        ({"charge_voltage_limit_v": 10**400}, "is not a finite number"),
        ({"charge_current_limit_a": -0.1}, "charge_current_limit_a: -0.1 is negative; a limit is 0 or more"),
        ({"discharge_voltage_limit_v": -1}, "discharge_voltage_limit_v: -1 is negative"),
        ({"discharge_current_limit_a": None}, "discharge_current_limit_a: null is not a number"),
        ({"charge_enabled": 1}, "charge_enabled: 1 is neither true nor false"),
        ({"charge_enabled": None}, "charge_enabled: null is neither true nor false"),
        ({"alarms": "cell_overvoltage"}, 'alarms: "cell_overvoltage" is not a list of names'),
        ({"alarms": ["cell_overvoltag"]}, 'Did you mean "cell_overvoltage"?'),
        ({"warnings": [1]}, "has an unknown alarm, 1"),
        ({"warnings": [["fire"]]}, "has an unknown alarm"),
        ({"module_count": 1.5}, "module_count: 1.5 is not a whole number of 0 or more"),
        ({"module_count": -1}, "module_count: -1 is not a whole number"),
        ({"module_count": False}, "module_count: false is not a whole number"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(changes: dict[str, object], complaint: str) -> None:
    (problem,) = complaints(line(**changes))
    assert complaint in problem


@pytest.mark.parametrize("name", LEAST)
def test_a_needed_value_that_is_not_there_is_named(name: str) -> None:
    assert complaints(json.dumps({key: value for key, value in EVERYDAY.items() if key != name})) == (
        f"{name}: missing",
    )


@pytest.mark.parametrize(
    "text", ["nonsense", "[1, 2]", "3", "null", "{", '{"voltage_v": 1} x', "[" * 100_000]
)
def test_what_is_no_json_object_is_refused(text: str) -> None:
    (problem,) = complaints(text)
    assert problem.startswith("not ")


def test_a_key_that_stands_twice_is_refused() -> None:
    (problem,) = complaints('{"voltage_v": 52, "voltage_v": 53}')
    assert "voltage_v stands twice" in problem


def test_all_problems_of_a_line_come_at_once() -> None:
    assert len(complaints('{"voltage": 52.1, "soc_pct": "full", "charge_current_limit_a": -1}')) == 6


@given(
    st.text(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


# Times


def test_the_frames_of_a_cycle_are_spaced_and_the_cycles_a_period_apart() -> None:
    first, second = encoder().cycles([line(), line()])
    assert [round(time_s, 6) for time_s, _ in first.frames] == [0.0, 0.01, 0.02, 0.03, 0.04, 0.05]
    assert [round(time_s, 6) for time_s, _ in second.frames] == [1.0, 1.01, 1.02, 1.03, 1.04, 1.05]


def test_a_line_that_cannot_be_used_leaves_a_gap_and_the_rest_goes_on() -> None:
    cycles = list(encoder().cycles([line(), "nonsense", line()]))
    assert [(cycle.line, len(cycle.frames), len(cycle.problems)) for cycle in cycles] == [
        (1, 6, 0),
        (2, 0, 1),
        (3, 6, 0),
    ]
    assert cycles[2].frames[0][0] == 2.0


def test_blank_lines_are_no_lines() -> None:
    cycles = list(encoder().cycles(["", line(), "  \n", line()]))
    assert [(cycle.line, cycle.frames[0][0]) for cycle in cycles] == [(2, 0.0), (4, 1.0)]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (CanFrame(0x351, b"\x30\x02\xff"), "(1.010000) can0 351#3002FF"),
        (CanFrame(0x5, b""), "(1.010000) can0 005#"),
        (CanFrame(0x4210, b"\x01", extended=True), "(1.010000) can0 00004210#01"),
    ],
)
def test_frames_are_written_as_candump_writes_them(frame: CanFrame, expected: str) -> None:
    assert candump(1.01, "can0", frame) == expected


@pytest.mark.parametrize("name", profiles.can())
def test_every_profile_can_be_tried_without_a_bus(name: str) -> None:
    used = profiles.load(name)
    (cycle,) = OfflineEncoder(used).cycles([line()])
    assert cycle.problems == ()
    assert {frame.can_id - used.id_offset for _, frame in cycle.frames} >= {*used.order} - {*used.optional}
