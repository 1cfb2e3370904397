from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.model import Alarm
from bridge.sim import shelf
from bridge.sim.blame import MOVING_S, Comings, circulates, excused
from bridge.sim.converter import ConverterSpec
from bridge.sim.world import run
from tests.sim.scenarios import lumped, side_by_side, small

OFF = [{"kind": "pack_off", "pack": "a", "at_s": 100.0, "for_s": 1000.0}]


@pytest.mark.parametrize(
    ("spec", "alarms"),
    [
        (ConverterSpec(), set()),
        (ConverterSpec(ignores_ccl=True), set()),
        (ConverterSpec(ignores_cvl=True), set()),
        (
            ConverterSpec(ignores_ccl=True, ignores_cvl=True),
            {Alarm.CHARGE_OVERCURRENT, Alarm.CELL_OVERVOLTAGE},
        ),
        (ConverterSpec(ignores_dcl=True), {Alarm.DISCHARGE_OVERCURRENT}),
    ],
)
def test_only_who_could_not_have_prevented_a_trip_is_excused(spec: ConverterSpec, alarms: set[Alarm]) -> None:
    assert excused(spec) == alarms


def test_an_inverter_that_obeys_nothing_is_nobodys_trip_and_one_that_hears_cvl_is() -> None:
    deaf = replace(shelf.get("obeys-nothing"), duration_s=2400.0)
    hears = replace(deaf, inverter=replace(deaf.inverter, ignores_cvl=False))
    for policy in ("sum", "oracle"):
        found = run(deaf, policy)
        assert found.trips == 0
        assert found.trips_excused >= 1
        assert found.clean
    found = run(hears, "sum")
    assert found.trips >= 1
    assert found.trips_excused == 0


def test_what_circulates_in_an_idle_bank_is_no_limits_fault() -> None:
    high, low = lumped("high", soc=0.9, path_ohm=0.003), lumped("low", soc=0.1, path_ohm=0.003)
    circuit = side_by_side(high, low)
    idle_a = -circuit.parts()[0][1]
    assert idle_a > 50.0
    assert circulates(circuit, 1, +60.0, 0.9 * idle_a)
    assert circulates(circuit, 0, -60.0, 0.9 * idle_a)
    assert not circulates(circuit, 0, +60.0, 0.9 * idle_a)
    assert not circulates(circuit, 1, +60.0, 1.1 * idle_a)


@pytest.mark.parametrize(("bank_a", "hurts"), [(0.0, False), (150.0, True)])
def test_a_pack_is_wronged_by_current_through_the_bank_only(bank_a: float, hurts: bool) -> None:
    # Between 40 % and 90 % some 40 A circulate: more than the small pack may take by itself.
    packs: dict[str, dict[str, Any]] = {
        "large": {"soc_pct": 90.0},
        "small": {"soc_pct": 40.0, "rated_charge_current_a": 25.0 if bank_a == 0 else 60.0},
    }
    demand = [{"kind": "constant", "current_a": bank_a}]
    found = run(small(packs, demand=demand, duration_s=120.0), "sum")
    assert found.peak_ratio > 1.1
    assert (found.overcurrent_events > 0) is hurts


def test_packs_come_and_go_by_events_and_for_a_while_after() -> None:
    comings = Comings(small({"a": {}}, events=OFF), side_by_side(lumped()))
    seen = {now: comings.lately(now) for now in (0.0, 99.0, 100.0, 399.0, 400.0, 1100.0, 1399.0, 1500.0)}
    assert [now for now, lately in seen.items() if lately] == [100.0, 399.0, 1100.0, 1399.0]


def test_a_board_that_opens_by_itself_is_a_membership_change() -> None:
    pack = lumped()
    comings = Comings(small({"a": {}}), side_by_side(pack))
    assert not comings.lately(10.0)
    pack.bms.lock(charge=True, discharge=False)
    assert comings.lately(20.0)
    assert not comings.lately(20.0 + MOVING_S)


def test_a_counter_that_jumps_is_not() -> None:
    events = [{"kind": "soc_reads", "pack": "a", "at_s": 200.0, "soc_pct": 90.0}]
    found = run(small({"a": {}}, events=events), "sum")
    assert found.soc_step_any_pct > 20.0
    assert found.soc_step_max_pct == 0.0


def test_a_silent_pack_that_is_dropped_is_a_step_for_who_does_not_glide() -> None:
    lost = [{"kind": "link_lost", "pack": "b", "at_s": 200.0, "for_s": 200.0}]
    scenario = small({"a": {}, "b": {"soc_pct": 40.0}}, events=lost)
    assert run(scenario, "sum").soc_step_max_pct > 5.0
    assert run(scenario, "ours").soc_step_max_pct <= 1.0
