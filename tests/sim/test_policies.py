from __future__ import annotations

import pytest

from bridge.model import sample_of
from bridge.sim.judge import Allowed
from bridge.sim.lumped import LumpedPack
from bridge.sim.metrics import Metrics
from bridge.sim.oracle import Oracle, cell_bounds_a
from bridge.sim.policies import Ours, Simple, add, config_of, smallest_times_n
from bridge.sim.scenario import Scenario
from bridge.sim.world import World, run
from tests.sim.scenarios import small

UNLIKE = {"a": {"path_mohm": 3.0}, "b": {"path_mohm": 12.0}}
STRINGS = {"parallel": [{"series": ["a", "b"]}, {"series": ["c", "d"]}]}
EIGHT = {"cells": 8, "rated_current_a": 100.0}


def feed(policy: Simple | Ours, scenario: Scenario, now: float, *, without: str = "") -> None:
    for plan in scenario.packs:
        if plan.spec.name != without:
            pack = LumpedPack(plan.spec, 0.5)
            policy.heard(plan.spec.name, sample_of(pack.reading(), now), now)


def test_the_simple_policies_add_and_multiply() -> None:
    limits = [Allowed(10.0, 100.0), Allowed(40.0, 30.0), Allowed(20.0, 50.0)]
    assert add(limits) == (70.0, 180.0)
    assert smallest_times_n(limits) == (30.0, 90.0)


def test_a_simple_policy_says_what_its_packs_ask_for() -> None:
    scenario = small({"a": {}, "b": {"rated_current_a": 60.0, "soc_pct": 40.0}})
    policy = Simple(scenario, add)
    feed(policy, scenario, 0.0)
    said = policy.decide(1.0)
    assert said.command.discharge_current_limit_a == 160.0
    assert said.command.charge_voltage_limit_v == pytest.approx(16 * 3.50)
    assert said.soc == pytest.approx(0.5)


def test_a_simple_policy_leaves_a_silent_pack_out_after_a_time() -> None:
    scenario = small({"a": {}, "b": {}})
    policy = Simple(scenario, add)
    feed(policy, scenario, 0.0)
    feed(policy, scenario, 25.0, without="b")
    assert policy.decide(29.0).command.discharge_current_limit_a == 200.0
    assert policy.decide(31.0).command.discharge_current_limit_a == 100.0
    assert policy.decide(60.0).command.discharge_current_limit_a == 0.0


def test_a_simple_policy_takes_the_least_of_a_string_and_nothing_of_half_of_one() -> None:
    packs = {"a": EIGHT, "b": EIGHT | {"rated_current_a": 70.0}, "c": EIGHT, "d": EIGHT}
    scenario = small(packs, topology=STRINGS)
    policy = Simple(scenario, add)
    feed(policy, scenario, 0.0)
    assert policy.decide(1.0).command.discharge_current_limit_a == 170.0
    feed(policy, scenario, 40.0, without="d")
    assert policy.decide(41.0).command.discharge_current_limit_a == 70.0


def test_ours_is_the_engine_with_the_owners_configuration() -> None:
    scenario = small(UNLIKE, config={"max_discharge_current_a": 77.0, "rise_pct_per_s": 100.0})
    assert [pack.settings.capacity_ah for pack in config_of(scenario).packs] == [280.0, 280.0]
    policy = Ours(scenario)
    for now in range(10):
        feed(policy, scenario, float(now))
        said = policy.decide(float(now))
    assert said.command.discharge_current_limit_a == 77.0
    assert said.soc == pytest.approx(0.6, abs=0.01)
    assert any("bank_maximum" in cause for cause in said.causes)


def loaded(metrics: Metrics) -> float:
    return metrics.peak_ratio


@pytest.mark.parametrize("current_a", [-1000.0, 1000.0])
def test_the_oracle_brings_the_worst_pack_to_its_limit_and_no_further(current_a: float) -> None:
    scenario = small(UNLIKE, demand=[{"kind": "constant", "current_a": current_a}], pack={"soc_pct": 50.0})
    assert loaded(run(scenario, "oracle")) == pytest.approx(1.0, abs=0.02)


def test_the_oracle_knows_circulating_currents() -> None:
    packs = {"low": {"soc_pct": 30.0, "path_mohm": 3.0}, "high": {"soc_pct": 80.0, "path_mohm": 3.0}}
    scenario = small(packs, demand=[{"kind": "constant", "current_a": 1000.0}])
    world = World(scenario, "oracle")
    assert loaded(world.run()) == pytest.approx(1.0, abs=0.02)
    low, high = world.circuit.packs
    assert low.current_a > high.current_a + 20.0


def test_the_oracle_keeps_every_cell_within_its_voltages() -> None:
    full = small(
        {"a": {"soc_pct": 97.0, "runner_soc_pct": 1.5}}, demand=[{"kind": "constant", "current_a": 90.0}]
    )
    assert run(full, "oracle").cell_max_v == pytest.approx(3.45, abs=0.01)
    empty = small({"a": {"soc_pct": 2.5}}, demand=[{"kind": "constant", "current_a": -90.0}])
    assert run(empty, "oracle").cell_min_v == pytest.approx(2.80, abs=0.02)


def test_an_oracle_that_must_survive_a_loss_leaves_the_rest_below_their_trips() -> None:
    scenario = small({"a": {}, "b": {}, "c": {}}, survive_loss=True)
    oracle = Oracle(World(scenario, "oracle").circuit, scenario)
    assert oracle.decide(0.0).command.discharge_current_limit_a == pytest.approx(2 * 0.97 * 115.0)
    two = small({"a": {}, "b": {}}, survive_loss=True)
    oracle = Oracle(World(two, "oracle").circuit, two)
    assert oracle.decide(0.0).command.discharge_current_limit_a == pytest.approx(0.97 * 115.0)


def test_an_oracle_reaches_an_inverter_that_hears_only_the_voltage() -> None:
    deaf = {"ignores_ccl": True, "voltage_offset_v": 0.3}
    scenario = small(UNLIKE, demand=[{"kind": "constant", "current_a": 500.0}], inverter=deaf)
    metrics = run(scenario, "oracle")
    assert metrics.clean
    assert metrics.peak_ratio == pytest.approx(1.0, abs=0.05)


def test_the_cells_bound_a_pack_on_the_side_that_they_are_near() -> None:
    from tests.sim.scenarios import lumped

    charge_a, discharge_a = cell_bounds_a(lumped(soc=1.001))
    assert charge_a == 0.0
    assert discharge_a > 100.0
