"""What must hold for every profile and every dialect there is, also for those added later."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import cantools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import profiles
from bridge.model import Alarm, CanFrame, Decision
from bridge.profiles import Profile, Range
from bridge.sim.demand import fixed
from bridge.sim.inverter import VITAL, Inverter
from bridge.sinks import dialect as dialects
from bridge.sinks.can import CanSink
from bridge.sinks.dialect import Dialect, Kind, Signal
from bridge.sinks.quantities import QUANTITIES, Rounding, values_of
from tests.sinks.helpers import conversation, decision, unguarded

SHIPPED = profiles.folders()[-1]
PROFILES = [SHIPPED / "inverters" / f"{name}.toml" for name in profiles.can()]
DIALECTS = sorted((SHIPPED / "dialects").glob("*.dbc"))

every_profile = pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
every_dialect = pytest.mark.parametrize("path", DIALECTS, ids=lambda path: path.stem)


few = settings(max_examples=10, deadline=None)  # times fifty profiles
DUST = 1e-6
STEP_S = 0.125


@cache
def _loaded(path: str) -> tuple[Profile, Dialect]:
    profile = profiles.load(path)
    return profile, dialects.of_profile(profile)


@cache
def _dialect(path: str) -> Dialect:
    return dialects.load(Path(path))


@cache
def _cantools(path: str) -> Any:
    return cantools.database.load_file(path)


def sink_of(path: object) -> CanSink:
    return CanSink("contract", *_loaded(str(path)))


def decoded(dialect: Dialect, frames: tuple[CanFrame, ...]) -> dict[str, object]:
    return {name: value for frame in frames for name, value in dialect.decode(frame).items()}


def test_there_are_profiles_and_dialects() -> None:
    assert len(PROFILES) >= 48
    assert len(DIALECTS) >= 22


@every_dialect
def test_a_dialect_loads_and_somebody_uses_it(path: object) -> None:
    loaded = dialects.load(path)  # type: ignore[arg-type]  # parametrize does not say what it gives
    assert loaded.name in {profiles.load(str(one)).dialect for one in PROFILES}


@every_dialect
@few
@given(data=st.binary(min_size=8, max_size=8))
def test_cantools_reads_any_data_of_a_dialect_as_we_do(path: object, data: bytes) -> None:
    for message in _dialect(str(path)).messages.values():
        reader = _cantools(str(path)).get_message_by_name(message.name)
        if message.selector is not None:
            data = bytes(1) + data[1:]  # cantools refuses a page that there is not
        theirs = reader.decode(data[: message.length])
        ours = _dialect(str(path)).decode(CanFrame(message.can_id, data, message.extended))
        numbers = [
            one.name
            for one in message.on_page(message.pages[0])
            if one.kind in {Kind.QUANTITY, Kind.CONSTANT}
        ]
        compared = [name for name in numbers if name in ours]
        assert [ours[name] for name in compared] == pytest.approx(
            [theirs[name] for name in compared], abs=1e-6
        )
        assert len(numbers) - len(compared) <= data.count(0xFF) + data.count(0x80)


@every_profile
def test_a_cycle_can_be_read_back(path: object) -> None:
    sink = sink_of(path)
    found = decoded(sink.dialect, conversation(sink, decision()))
    assert found["charge_current_limit_a"] == pytest.approx(100.0, abs=1.0)
    assert found["discharge_current_limit_a"] == pytest.approx(150.0, abs=1.0)
    assert found["charge_voltage_limit_v"] == pytest.approx(56.0, abs=0.1)


@every_profile
def test_no_current_stays_no_current(path: object) -> None:
    sink = sink_of(path)
    stop = decision(charge_enabled=False, discharge_enabled=False)
    found = decoded(sink.dialect, conversation(sink, stop))
    assert all(float(found[name]) <= 0.1 for name in found if "current_limit" in name)  # type: ignore[arg-type]
    assert not found.get("charge_enabled")
    assert not found.get("discharge_enabled")
    assert float(found["charge_voltage_limit_v"]) >= 53.1  # type: ignore[arg-type]


@every_profile
def test_voltage_and_soc_are_enough_to_be_heard(path: object) -> None:
    sink = sink_of(path)
    unknown = dict.fromkeys(("current_a", "soh", "temperature_c"))
    found = decoded(sink.dialect, conversation(sink, decision(bank=unknown)))
    assert {"charge_voltage_limit_v", "charge_current_limit_a", "soc_pct", "voltage_v"} <= found.keys()


@every_profile
@pytest.mark.parametrize("unknown", ["voltage_v", "soc"])
def test_no_voltage_and_no_soc_is_ever_made_up(path: object, unknown: str) -> None:
    assert conversation(sink_of(path), decision(bank={unknown: None})) == ()


@every_profile
def test_the_largest_decision_fits(path: object) -> None:
    sink = sink_of(path)
    huge = decision(
        bank={"voltage_v": 1e9, "current_a": -1e9, "soc": 1e9, "soh": 1e9, "temperature_c": 1e9},
        charge_voltage_limit_v=1e9,
        discharge_voltage_limit_v=1e9,
        charge_current_limit_a=1e9,
        discharge_current_limit_a=1e9,
    )
    found = decoded(sink.dialect, conversation(sink, huge))
    assert all(float(found[name]) >= 0 for name in QUANTITIES if "_limit_" in name and name in found)  # type: ignore[arg-type]


@every_profile
def test_no_two_cycles_are_further_apart_than_genuine_packs_are(path: object) -> None:
    profile: Profile = profiles.load(str(path))
    assert profile.period_s <= 2.0


@every_profile
def test_we_are_silent_before_the_decision_is_older_than_any_inverter_may_use(path: object) -> None:
    assert profiles.load(str(path)).dead_man_s <= 10.0


@every_profile
def test_names_and_texts_fit_and_sources_are_named(path: object) -> None:
    profile = profiles.load(str(path))
    assert profile.sources
    assert profile.wiring.pins
    assert profile.menu


def test_no_quantity_has_two_scales_in_one_dialect() -> None:
    for path in DIALECTS:
        scales: dict[str, set[object]] = {}
        for message in dialects.load(path).messages.values():
            for signal in message.signals:
                scales.setdefault(signal.name, set()).add((signal.scale, signal.offset, signal.unit))
        assert {name for name, found in scales.items() if len(found) > 1} == set(), path.stem


# Round trip


def decisions(largest: float) -> st.SearchStrategy[Decision]:
    """Decisions with everything known, up to values of that size."""
    amount, either = st.floats(0, largest), st.floats(-largest, largest)
    bank = st.fixed_dictionaries(
        {
            "voltage_v": amount, "current_a": either, "soc": st.floats(0, 1), "soh": st.floats(0, 1),
            "remaining_ah": amount, "full_ah": amount, "design_ah": amount, "cycles": st.integers(0, 10**6),
            "cell_max_v": amount, "cell_min_v": amount, "cell_max_index": st.integers(1, 32),
            "cell_min_index": st.integers(1, 32), "cell_max_pack": st.text(), "cell_min_pack": st.text(),
            "temperature_c": either, "temperature_max_c": either, "temperature_min_c": either,
            "cells": st.integers(0, 10**4), "pack_count": st.integers(0, 10**6),
        }
    )  # fmt: skip
    return st.builds(
        lambda bank, **changes: decision(bank=bank, **changes),
        bank=bank,
        charge_voltage_limit_v=amount,
        discharge_voltage_limit_v=amount,
        charge_current_limit_a=amount,
        discharge_current_limit_a=amount,
        charge_enabled=st.booleans(),
        discharge_enabled=st.booleans(),
        force_charge=st.booleans(),
        full_charge_request=st.booleans(),
        protections=st.frozensets(st.sampled_from(Alarm)),
        warnings=st.frozensets(st.sampled_from(Alarm)),
    )


def numbers_of(sink: CanSink) -> dict[str, Signal]:
    said = {can_id + sink.profile.id_offset for can_id in sink.profile.sent_ids}
    messages = (one for one in sink.dialect.messages.values() if one.ours and one.can_id in said)
    return {one.name: one for each in messages for one in each.signals if one.kind is Kind.QUANTITY}


def expected(sink: CanSink, signal: Signal) -> float:
    """What was decided, inside what frame and profile allow."""
    assert sink.sent is not None
    values: dict[str, Any] = values_of(sink.sent)
    value = float(values[signal.name])
    if above := sink.profile.above.get(signal.name):
        value = max(value, values[above.of] + above.by)
    given_range = sink.profile.ranges.get(signal.name, Range())
    for low, high in ((signal.minimum, signal.maximum), (given_range.min, given_range.max)):
        value = value if low is None else max(value, low)
        value = value if high is None else min(value, high)
    return value


def check_round_trip(sink: CanSink, given_decision: Decision) -> None:
    found = decoded(sink.dialect, conversation(sink, given_decision))
    for name, signal in numbers_of(sink).items():
        wanted, said = expected(sink, signal), float(found[name])  # type: ignore[arg-type]
        step = sink.profile.steps.get(name, abs(signal.scale))
        rounding = QUANTITIES[name].rounding
        slack = 1e-9 * abs(wanted)  # what a float of this size can't tell apart
        within = step / 2 if rounding is Rounding.NEAREST else step
        assert abs(said - wanted) <= within + DUST + slack, name
        assert rounding is not Rounding.DOWN or said <= wanted + DUST, name
        assert rounding is not Rounding.UP or said >= min(wanted, highest(signal)) - DUST, name


def highest(signal: Signal) -> float:
    """The largest value that a signal's bits and its bounds can say."""
    ends = [raw * signal.scale + signal.offset for raw in signal.raw_range]
    return min(max(ends), math.inf if signal.maximum is None else signal.maximum)


@every_profile
@few
@given(given_decision=decisions(500.0))
def test_a_decision_comes_back_within_a_step_and_on_the_safe_side(
    path: object, given_decision: Decision
) -> None:
    check_round_trip(sink_of(path), given_decision)


@every_profile
@few
@given(given_decision=decisions(1e12))
def test_a_wild_decision_is_clamped_and_never_wraps(path: object, given_decision: Decision) -> None:
    check_round_trip(sink_of(path), given_decision)


@every_profile
@few
@given(given_decision=decisions(500.0))
def test_no_limit_is_higher_on_the_wire_than_decided(path: object, given_decision: Decision) -> None:
    sink = sink_of(path)
    found: dict[str, Any] = decoded(sink.dialect, conversation(sink, given_decision))
    next_to_nothing_a = sink.profile.ranges.get("charge_current_limit_a", Range()).min or 0.0
    for direction in ("charge", "discharge"):
        enabled = getattr(given_decision, f"{direction}_enabled")
        decided_a = getattr(given_decision, f"{direction}_current_limit_a") if enabled else 0.0
        assert found[f"{direction}_current_limit_a"] <= max(decided_a, next_to_nothing_a) + DUST
    if found["charge_current_limit_a"] > next_to_nothing_a:
        assert found["charge_voltage_limit_v"] <= given_decision.charge_voltage_limit_v + DUST
    if found["discharge_current_limit_a"] > next_to_nothing_a and "discharge_voltage_limit_v" in found:
        assert (
            found["discharge_voltage_limit_v"] >= min(given_decision.discharge_voltage_limit_v, 3276.7) - DUST
        )


@every_profile
@few
@given(times=st.floats(0.5, 3.0), data=st.data())
def test_a_limit_that_does_not_fit_is_clamped_and_reported(
    path: object, times: float, data: st.DataObject
) -> None:
    sink = sink_of(path)
    name = data.draw(st.sampled_from(["charge_current_limit_a", "discharge_current_limit_a"]))
    signal = numbers_of(sink)[name]
    most_a = min(highest(signal), sink.profile.ranges.get(name, Range()).max or math.inf)
    changes: dict[str, Any] = {name: times * most_a}
    conversation(sink, decision(**changes))
    assert (name in sink.status(0.0).clamped) is (
        times > 1 + 1e-9 and times * most_a >= most_a + signal.scale
    )


# A simulated inverter with the profile's time-outs


@every_profile
def test_an_inverter_lives_on_the_cycle_and_faults_when_it_stops(path: object) -> None:
    sink = sink_of(path)
    profile = sink.profile
    inverter = Inverter(profile, fixed(80.0), dialect=sink.dialect)
    now, next_s, heard_s = 0.0, 0.0, dict.fromkeys(VITAL, 0.0)
    while now < 60.0:
        told = [reply for frame in inverter.asks(now) for reply in sink.received(frame, now, unguarded)]
        if now >= next_s:
            told += sink.frames(decision(time_s=now), unguarded)
            next_s += profile.period_s
        for frame in (*told, *sink.due(now, unguarded)):
            heard_s |= dict.fromkeys(VITAL & sink.dialect.decode(frame).keys(), now)
            for answer in inverter.received(frame, now):
                sink.received(answer, now)
        inverter.step(now, 53.12)
        assert not inverter.fault
        now += STEP_S
    assert inverter.current_a == pytest.approx(80.0)
    assert inverter.view()["alarms"] == []
    speaks = bool(profile.answers) or any(not poll.seldom for poll in profile.polls)
    assert bool(sink.status(now).inverter_heard) is speaks
    inverter.step(min(heard_s.values()) + profile.comm_fault_s - DUST, 53.12)
    assert not inverter.fault
    inverter.step(min(heard_s.values()) + profile.comm_fault_s + DUST, 53.12)
    assert (inverter.fault, inverter.current_a) == (True, 0.0)
