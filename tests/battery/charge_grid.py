"""The charge voltage against inverters of every temper: lag, poll, obedience, cells in series, offset.

The tests run a part of it; `python -m tests.battery.charge_grid` runs all of it and prints the figures.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import NamedTuple

from bridge.sim.scenario import build
from bridge.sim.trace import Trace
from bridge.sim.world import run

TARGET_V = 3.455


class Case(NamedTuple):
    """One inverter and one bank of two packs. tau_s: the inverter's lag; deaf: to CCL."""

    tau_s: float
    poll_s: float
    deaf: bool
    cells: int
    offset_v: float


class Outcome(NamedTuple):
    """trips: of boards. peak_v: the highest cell. minutes: to 99 %; None if never. turns: of CVL."""

    trips: int
    peak_v: float
    minutes: float | None
    turns: int
    stages: tuple[str | None, ...]


GRID = [
    Case(*one)
    for one in product((1.0, 3.0, 5.0), (1.0, 2.0, 5.0), (False, True), (4, 8, 16), (-0.3, 0.0, 0.3))
]


def outcome(case: Case, hours: float = 4.0) -> Outcome:
    """150 A of sun into two packs at 92 %, one of whose cells is 1.2 % ahead; a step is a second."""
    scenario = build(
        {
            "title": "grid",
            "duration_s": hours * 3600.0,
            "dt_s": 1.0,
            "cycle_s": 1.0,
            "pack": {
                "cells": case.cells,
                "capacity_ah": 280.0,
                "rated_current_a": 140.0,
                "soc_pct": 92.0,
                "path_mohm": 6.0 * case.cells / 16,
                "balance_a": 1.0,
                "soc_spread_pct": 0.1,
                "poll_period_s": case.poll_s,
            },
            "packs": {"a": {"runner_soc_pct": 1.2}, "b": {"path_mohm": 8.0 * case.cells / 16}},
            "inverter": {
                "limit_tau_s": case.tau_s,
                "voltage_offset_v": case.offset_v,
                "ignores_ccl": case.deaf,
            },
            "demand": [{"kind": "constant", "current_a": 150.0}],
        },
        "grid",
    )
    trace = Trace(10.0)
    found = run(scenario, "ours", trace)
    stages = dict.fromkeys(moment.said.stage for moment in trace.moments if moment.said is not None)
    minutes = None if found.full_s is None else found.full_s / 60.0
    return Outcome(found.trips, found.cell_max_v, minutes, found.cvl_reversals, tuple(stages))


def main() -> None:
    """The whole grid, with both cores."""
    with ProcessPoolExecutor(2) as pool:
        for case, found in zip(GRID, pool.map(outcome, GRID), strict=True):
            sys.stdout.write(f"{case} {found}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
