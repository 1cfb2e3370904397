from __future__ import annotations

from pathlib import Path

import pytest

from bridge.sim import bench
from bridge.sim.bench import Outcome
from bridge.sim.metrics import Metrics
from tests.sim.scenarios import small

TINY = """
title = "tiny {number}"
duration_s = 120
measure_from_s = 20
[packs.a]
path_mohm = {number}
[packs.b]
[[demand]]
kind = "constant"
current_a = -100
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (3, 9):
        (tmp_path / f"tiny-{number}.toml").write_text(TINY.format(number=number))
    return tmp_path


def metrics(**values: float) -> Metrics:
    usual = {
        "overcurrent_events": 0, "trips": 0, "trips_excused": 0, "energy_wh": 100.0, "peak_ratio": 1.0,
        "soc_step_max_pct": 0.1, "soc_step_any_pct": 0.1,
        "reversals": 0, "reversals_steady": 0, "hours": 1.0, "steady_h": 0.5, "cvl_reversals": 0,
        "cell_max_v": 3.4, "cell_min_v": 3.2, "full_s": None, "soc_end": 0.5,
    }  # fmt: skip
    return Metrics(**(usual | values))  # type: ignore[arg-type]  # by name, all numbers but one


def outcome(name: str, **policies: Metrics) -> Outcome:
    return Outcome(name=name, oracle=metrics(), policies=policies, not_run={})


def test_figures_are_taken_over_all_scenarios() -> None:
    outcomes = [
        outcome("one", ours=metrics(overcurrent_events=2, trips=1, energy_wh=90.0, reversals_steady=3)),
        outcome("two", ours=metrics(energy_wh=130.0, soc_step_max_pct=0.7, steady_h=1.0)),
        outcome("three", ours=metrics(energy_wh=80.0, trips=4)),
    ]
    found = bench.total(outcomes, "ours")
    assert found is not None
    assert found.overcurrent_events == 2
    assert found.trips == 5
    assert found.fraction_mean == pytest.approx((0.9 + 1.0 + 0.8) / 3)
    assert found.fraction_min == 0.8
    assert found.soc_step_max_pct == 0.7
    assert found.limit_reversals_per_h == pytest.approx(3 / 2.0)


def test_what_was_not_run_counts_for_nothing() -> None:
    outcomes = [outcome("one", ours=metrics()), outcome("two")]
    assert bench.total(outcomes, "ours") == bench.total(outcomes[:1], "ours")
    assert bench.total(outcomes, "sum") is None


def test_no_energy_to_be_had_is_no_loss() -> None:
    nothing = Outcome(
        name="n", oracle=metrics(energy_wh=0.0), policies={"ours": metrics(energy_wh=0.0)}, not_run={}
    )
    assert nothing.fraction("ours") == 1.0


def test_what_the_gateway_refuses_is_said_and_the_others_run() -> None:
    found = bench.outcome(small({"a": {}}, config={"no_such_key": 1}, duration_s=60.0))
    assert sorted(found.policies) == ["nmin", "sum"]
    assert "no_such_key" in found.not_run["ours"]


def test_the_report_has_the_keys_that_readers_expect() -> None:
    report = bench.report([bench.outcome(small({"a": {}}, duration_s=60.0))])
    assert list(report) == ["policies", "scenarios"]
    policies = report["policies"]
    assert isinstance(policies, dict)
    assert list(policies) == ["ours", "sum", "nmin"]
    for figures in policies.values():
        assert list(figures) == [
            "overcurrent_events", "trips", "fraction_mean", "fraction_min", "soc_step_max_pct",
            "limit_reversals_per_h",
        ]  # fmt: skip


def test_two_processes_find_what_one_does(folder: Path) -> None:
    names = [str(folder / "tiny-9.toml"), str(folder / "tiny-3.toml")]
    seen: list[int] = []
    alone = bench.bench(names, 1, lambda: seen.append(1))
    together = bench.bench(names, 2, lambda: seen.append(2))
    assert [one.name for one in alone] == ["tiny-9", "tiny-3"]
    assert seen == [1, 1, 2, 2]
    for one, two in zip(alone, together, strict=True):
        assert one.policies["ours"].energy_wh == two.policies["ours"].energy_wh
        assert one.policies["sum"].peak_ratio == two.policies["sum"].peak_ratio
