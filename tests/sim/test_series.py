"""The gateway's own engine over simulated strings and groups: what is in the wiring is obeyed."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.sim.policies import config_of
from bridge.sim.scenario import Scenario
from bridge.sim.trace import Trace
from bridge.sim.world import run
from tests.sim.scenarios import small

STRINGS = {"parallel": [{"series": ["a", "b"]}, {"series": ["c", "d"]}]}
GROUPS = {"series": [{"parallel": ["a", "b"]}, {"parallel": ["c", "d"]}]}
FOUR = {"series": ["a", "b", "c", "d"]}
RATED = {"series_rated": True}
QUICK = {"rise_pct_per_s": 50.0, "rise_after_s": 1.0}


def bank(topology: dict[str, Any], packs: dict[str, dict[str, Any]] | None = None, **more: Any) -> Scenario:
    """Four packs of 200 Ah and 100 A, wired so."""
    cells = 4 if topology is FOUR else 8
    alike: dict[str, dict[str, Any]] = {name: {} for name in ("a", "b", "c", "d")}
    return small(
        alike | (packs or {}),
        pack={"cells": cells, "capacity_ah": 200.0, "config": RATED},
        topology=topology,
        config=QUICK,
        **more,
    )


@pytest.mark.parametrize("topology", [STRINGS, GROUPS, FOUR], ids=["strings", "groups", "four"])
@pytest.mark.parametrize("amps", [-250.0, 250.0])
def test_no_pack_of_any_wiring_is_overloaded(topology: dict[str, Any], amps: float) -> None:
    unlike = {"a": {"path_mohm": 9.0}, "c": {"soc_pct": 55.0}, "d": {"rated_current_a": 60.0}}
    metrics = run(bank(topology, unlike, demand=[{"kind": "constant", "current_a": amps}]), "ours")
    assert (metrics.overcurrent_events, metrics.trips) == (0, 0)
    assert 0.5 < metrics.peak_ratio <= 1.05
    assert metrics.energy_wh > 150


def test_a_string_is_charged_until_its_fullest_pack_is_full_and_no_further() -> None:
    # 3 % apart and nobody balances: what would be an over-voltage trip if the sum of voltages were watched.
    packs = {"b": {"soc_pct": 95.0}, "c": {"soc_pct": 98.0}, "a": {"soc_pct": 96.0}, "d": {"soc_pct": 95.0}}
    scenario = bank(
        FOUR, packs, duration_s=3600.0, dt_s=1.0, demand=[{"kind": "constant", "current_a": 60.0}]
    )
    metrics = run(scenario, "ours")
    assert (metrics.overcurrent_events, metrics.trips) == (0, 0)
    assert 3.43 < metrics.cell_max_v < 3.56
    assert metrics.soc_end > 0.98


def test_a_pack_that_opens_takes_its_string_along_and_the_other_string_goes_on() -> None:
    trace = Trace(0.5)
    scenario = bank(
        STRINGS,
        demand=[{"kind": "constant", "current_a": -90.0}],
        events=[{"kind": "pack_off", "pack": "d", "at_s": 300.0, "for_s": 250.0}],
        duration_s=500.0,
    )
    metrics = run(scenario, "ours", trace)
    assert (metrics.overcurrent_events, metrics.trips) == (0, 0)
    after = [moment for moment in trace.moments if moment.time_s > 320.0]
    assert after
    assert all(moment.bank_a == pytest.approx(-90.0, abs=1.0) for moment in after)
    assert all(moment.pack_a[3] == pytest.approx(0.0) for moment in after)


def test_the_gateway_is_told_the_wiring_of_the_scenario() -> None:
    topology = config_of(bank(STRINGS)).bank.topology
    assert topology is not None
    assert topology.name == "(a+b)|(c+d)"
