"""Small scenarios for tests, and short cuts to run them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.sim.circuit import Circuit
from bridge.sim.lumped import LumpedPack
from bridge.sim.lumped_spec import LumpedSpec
from bridge.sim.scenario import Scenario, build
from bridge.sim.sensor import EXACT
from bridge.sim.tree import Leaf, Parallel

PACK: dict[str, Any] = {
    "capacity_ah": 280.0,
    "rated_current_a": 100.0,
    "soc_pct": 60.0,
    "soc_spread_pct": 0.0,
}
DEMAND = ({"kind": "constant", "current_a": -150.0},)


def small(packs: Mapping[str, Mapping[str, Any]], **more: Any) -> Scenario:
    """A scenario of ten minutes with these packs; further tables and keys go over the usual."""
    written = {
        "title": "small",
        "duration_s": 600.0,
        "pack": PACK | more.pop("pack", {}),
        "packs": {name: dict(pack) for name, pack in packs.items()},
        "demand": list(DEMAND),
    }
    return build(written | more, "small")


def lumped(name: str = "a", *, dt_s: float = 0.5, **more: Any) -> LumpedPack:
    """A pack with exact sensors."""
    usual: dict[str, Any] = {
        "capacity_ah": 100.0, "soc": 0.5, "rated_charge_a": 50.0, "rated_discharge_a": 50.0, "sensors": EXACT,
    }  # fmt: skip
    return LumpedPack(LumpedSpec(name=name, **(usual | more)), dt_s)


def side_by_side(*packs: LumpedPack) -> Circuit:
    """Packs in parallel."""
    return Circuit(Parallel(*(Leaf(pack) for pack in packs)))
