"""What the house and the sun ask of the inverter: a current for each moment, charging positive.

A demand is a pure function of the time since the inverter started, so asking twice, or in another
order, gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.sim.chance import stream

Demand = Callable[[float], float]
"""Seconds since the start -> wanted current, A."""


def fixed(current_a: float) -> Demand:
    """Always the same current, A."""
    return lambda _: current_a


def alternating(charge_a: float, discharge_a: float, *, block_s: float = 10.0, seed: int = 1) -> Demand:
    """PV surplus and house load in turns of `block_s`, each between 60 and 100 % of the current given
    for it (both positive), drawn anew for each turn.
    """

    def wanted_a(elapsed_s: float) -> float:
        block = int(elapsed_s // block_s)
        share = stream("demand", seed, block).uniform(0.6, 1.0)
        return share * charge_a if block % 2 == 0 else -share * discharge_a

    return wanted_a
