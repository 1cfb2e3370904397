"""Packs of every chemistry through the real engine: to both ends, and nothing trips on the way."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.sim.world import run
from tests.sim.scenarios import small

CELLS = {"lfp": 16, "nmc": 14, "lto": 20}


def pack(chemistry: str, soc_pct: float, temperature_c: float) -> dict[str, Any]:
    return {
        "chemistry": chemistry,
        "cells": CELLS[chemistry],
        "capacity_ah": 100,
        "rated_current_a": 50,
        "soc_pct": soc_pct,
        "temperature_c": temperature_c,
    }


@pytest.mark.parametrize("chemistry", sorted(CELLS))
@pytest.mark.parametrize(("soc_pct", "wanted_a"), [(90.0, 100.0), (8.0, -100.0)])
@pytest.mark.parametrize("temperature_c", [-4.0, 25.0])
def test_no_pack_is_wronged_at_either_end_warm_or_cold(
    chemistry: str, soc_pct: float, wanted_a: float, temperature_c: float
) -> None:
    packs = {name: pack(chemistry, soc_pct, temperature_c) for name in ("a", "b")}
    demand = [{"kind": "steps", "points": [[0, wanted_a]]}]
    metrics = run(small(packs, demand=demand, duration_s=1800.0, dt_s=1.0), "ours")
    assert (metrics.overcurrent_events, metrics.trips) == (0, 0)


def test_only_titanate_takes_charge_below_freezing() -> None:
    demand = [{"kind": "steps", "points": [[0, 40.0]]}]
    taken = {
        chemistry: run(small({"a": pack(chemistry, 50.0, -4.0)}, demand=demand, dt_s=1.0), "ours").energy_wh
        for chemistry in CELLS
    }
    assert taken["lto"] > 0
    assert max(taken["lfp"], taken["nmc"]) < 1.0
