"""Random banks, the same for the same seed: what people wire together without asking anybody.

Two to four packs of 100 to 314 Ah, ratings as boards are sold, paths whose resistance differs up to
four times, states of charge up to 12 % to either side, polls of 1 to 5 s, sensors that err a
little, an inverter that follows within 1 to 5 s. A load in turns of 20 s, then some minutes of a
constant one, so that the calm of the limits shows. Every fourth bank is charged until it is full or
discharged until it is nearly empty, with a cell ahead and states of charge that lie closer together.
"""

from __future__ import annotations

from random import Random
from typing import Any

from bridge.errors import ConfigError
from bridge.sim.chance import stream
from bridge.sim.scenario import Scenario, build

PREFIX = "random"
DURATION_S, STEADY_FROM_S = 1200.0, 840.0
CAPACITIES_AH = (100.0, 120.0, 150.0, 200.0, 230.0, 280.0, 304.0, 314.0)
BOARDS_A = (50.0, 80.0, 100.0, 120.0, 150.0, 200.0)
PATH_MOHM = (3.5, 14.0)
SOC_SPREAD_PCT, EDGE_SPREAD_PCT = 12.0, 2.0
EDGE_EVERY = 4
RUNNER_PCT = 1.2
LARGEST_C_RATE = 0.8


def drawn(seed: int, number: int) -> Scenario:
    """The number-th bank of a seed."""
    return build(table(seed, number), f"{PREFIX}-{seed}-{number}")


def named(name: str) -> Scenario:
    """`random-SEED-NUMBER` as its scenario; raises ConfigError for anything else."""
    prefix, _, rest = name.partition("-")
    seed, _, number = rest.partition("-")
    if prefix != PREFIX or not seed.isdecimal() or not number.isdecimal():
        raise ConfigError(f"{name}: write random-SEED-NUMBER, as in random-1-17")
    return drawn(int(seed), int(number))


def table(seed: int, number: int) -> dict[str, Any]:
    """The same bank as a scenario file would hold it."""
    chance = stream("bank", seed, number)
    mean_pct, charging = chance.uniform(30.0, 70.0), chance.random() < 0.4
    packs = {name: _pack(chance, mean_pct) for name in "abcd"[: chance.randint(2, 4)]}
    if number % EDGE_EVERY == EDGE_EVERY - 1:
        _move_to_edge(chance, packs, charging=charging)
    full_a = sum(pack["rated_current_a"] for pack in packs.values()) * (1.0 if charging else -1.0)
    return {
        "title": f"Random bank {number} of seed {seed}",
        "duration_s": DURATION_S,
        "dt_s": 1.0,
        "seed": seed * 1_000_003 + number,
        "measure_from_s": 90.0,
        "packs": packs,
        "inverter": {"limit_tau_s": chance.choice((1.0, 3.0, 5.0))},
        "demand": [
            {
                "kind": "blocks", "current_a": round(full_a, 1), "to_s": STEADY_FROM_S,
                "full_share": round(chance.uniform(0.75, 0.9), 3),
            },
            {"kind": "constant", "current_a": round(0.9 * full_a, 1), "from_s": STEADY_FROM_S},
        ],
    }  # fmt: skip


def _pack(chance: Random, mean_pct: float) -> dict[str, Any]:
    capacity_ah = chance.choice(CAPACITIES_AH)
    low_mohm, high_mohm = PATH_MOHM
    poll_s = chance.choice((1.0, 1.5, 2.0, 3.0, 5.0))
    return {
        "capacity_ah": capacity_ah,
        "rated_current_a": chance.choice([a for a in BOARDS_A if a <= LARGEST_C_RATE * capacity_ah]),
        "soc_pct": round(mean_pct + chance.uniform(-SOC_SPREAD_PCT, SOC_SPREAD_PCT), 2),
        "path_mohm": round(low_mohm * (high_mohm / low_mohm) ** chance.random(), 2),
        "temperature_c": round(chance.uniform(18.0, 30.0), 1),
        "current_gain_pct": round(chance.uniform(-1.5, 1.5), 2),
        "current_offset_a": round(chance.uniform(-0.4, 0.4), 2),
        "soc_error_pct": round(chance.uniform(-3.0, 3.0), 2),
        "weak_capacity_pct": round(chance.uniform(0.0, 3.0), 2),
        "poll_period_s": poll_s,
        "ocp_delay_s": chance.choice((5.0, 8.0, 10.0)),
    }


def _move_to_edge(chance: Random, packs: dict[str, dict[str, Any]], *, charging: bool) -> None:
    mean_pct = chance.uniform(88.0, 95.0) if charging else chance.uniform(15.0, 22.0)
    for pack in packs.values():
        pack["soc_pct"] = round(mean_pct + chance.uniform(-EDGE_SPREAD_PCT, EDGE_SPREAD_PCT), 2)
    unlike = chance.choice(list(packs.values()))
    unlike["runner_soc_pct"] = round(chance.uniform(0.0, RUNNER_PCT), 2)
    unlike["balance_a"] = chance.choice((0.1, 1.0))
