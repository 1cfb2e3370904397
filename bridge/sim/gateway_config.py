"""A scenario's bank as its owner would have written it into the gateway's configuration.

The gateway is told what an owner knows: capacities, ratings, cell counts, the chemistry. It is not told
resistances, states of charge, or which BMS errs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bridge.sim.scenario import Branching, PackPlan, Scenario

INVERTER = """
[inverters.house]
profile = "deye-lv"
interface = "virtual"
channel = "simulation"
"""


def config_text(scenario: Scenario) -> str:
    """The configuration as TOML."""
    lines = ["[gateway]", 'name = "simulation"', "", "[bank]"]
    lines += [f"{key} = {_toml(value)}" for key, value in scenario.config]
    if not scenario.is_flat:
        lines.append(f"topology = {topology(scenario.topology)}")
    for plan in scenario.packs:
        lines += ["", f"[packs.{plan.spec.name}]", *_pack(plan)]
    return "\n".join(lines) + "\n" + INVERTER


def port(pack: str) -> str:
    """The port at which a pack is said to be."""
    return f"/dev/sim-{pack}"


def topology(node: Branching | str) -> str:
    """A topology as the configuration writes it: nested lists under `series` and `parallel`."""
    if isinstance(node, str):
        return _toml(node)
    kind = "series" if node.series else "parallel"
    return f"{{ {kind} = [{', '.join(topology(child) for child in node.children)}] }}"


def _pack(plan: PackPlan) -> Iterator[str]:
    spec = plan.spec
    values: dict[str, str | int | float | bool] = {
        "bms": "jbd",
        "port": port(spec.name),
        "cells": spec.cells,
        "capacity_ah": spec.capacity_ah,
        "rated_charge_current_a": spec.rated_charge_a,
        "rated_discharge_current_a": spec.rated_discharge_a,
        "period_s": plan.poll_period_s,
    }
    if plan.chemistry != "lfp":
        values["chemistry"] = plan.chemistry
    for key, value in {**values, **dict(plan.config)}.items():
        yield f"{key} = {_toml(value)}"


def _toml(value: str | float) -> str:
    return json.dumps(value)  # the same for texts, numbers and booleans
