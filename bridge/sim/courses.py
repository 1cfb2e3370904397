"""Courses of a day: what sun and house ask of the bank over hours, as functions of time alone.

Like every `demand.Demand` a course gives a current in A, charging positive, for the seconds since the
start, and gives the same answer to the same question. `at_h` is the time of day at the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sin

from bridge.sim.chance import stream
from bridge.sim.demand import Demand

DAY_S = 86400.0
HOUR_S = 3600.0
EDGE_S = 3.0  # a cloud's edge takes so long to pass over a roof


def together(parts: Sequence[Demand]) -> Demand:
    """The sum of several courses."""
    return lambda elapsed_s: sum([part(elapsed_s) for part in parts])


def blocks(
    full_a: float, *, block_s: float = 20.0, full_share: float = 0.85, rest_max: float = 0.5, seed: int = 1
) -> Demand:
    """Turns of block_s, each at full_a with the chance full_share, else at 0 to rest_max of it."""
    known: dict[int, float] = {}

    def wanted_a(elapsed_s: float) -> float:
        block = int(elapsed_s // block_s)
        if block not in known:
            chance = stream("blocks", seed, block)
            is_full = chance.random() < full_share
            known[block] = full_a * (1.0 if is_full else chance.uniform(0.0, rest_max))
        return known[block]

    return wanted_a


def steps(points: Sequence[tuple[float, float]], *, repeat_s: float | None = None) -> Demand:
    """From each (time_s, current_a) on, that current; nothing before the first."""

    def wanted_a(elapsed_s: float) -> float:
        at_s = elapsed_s if repeat_s is None else elapsed_s % repeat_s
        current_a = 0.0
        for time_s, value_a in points:
            if at_s < time_s:
                break
            current_a = value_a
        return current_a

    return wanted_a


def sun(peak_a: float, *, at_h: float, rise_h: float = 6.0, set_h: float = 20.0) -> Demand:
    """The bell of a clear day, every day."""

    def wanted_a(elapsed_s: float) -> float:
        hour = (elapsed_s / HOUR_S + at_h) % 24.0
        if not rise_h < hour < set_h:
            return 0.0
        return peak_a * sin(pi * (hour - rise_h) / (set_h - rise_h)) ** 2

    return wanted_a


def clouds(
    clear: Demand, *, shade: float = 0.25, shaded_share: float = 0.4, block_s: float = 90.0, seed: int = 1
) -> Demand:
    """A course under a broken sky: in some turns only `shade` of it is left; edges take seconds."""
    known: dict[int, float] = {}

    def light(block: int) -> float:
        if block not in known:
            known[block] = shade if stream("clouds", seed, block).random() < shaded_share else 1.0
        return known[block]

    def wanted_a(elapsed_s: float) -> float:
        block, into_s = divmod(elapsed_s, block_s)
        now, before = light(int(block)), light(int(block) - 1)
        passed = min(1.0, into_s / EDGE_S)
        return clear(elapsed_s) * (before + (now - before) * passed)

    return wanted_a


HOUSE = (0.25, 0.2, 0.2, 0.2, 0.2, 0.3, 0.6, 0.8, 0.5, 0.4, 0.4, 0.5, 0.6, 0.4, 0.4, 0.4, 0.5, 0.7, 0.9,
         1.0, 0.9, 0.7, 0.5, 0.3)  # fmt: skip
"""An ordinary house over the hours of a day, relative to its evening."""


def house(peak_a: float, *, at_h: float, block_s: float = 60.0, seed: int = 1) -> Demand:
    """A house that asks peak_a (negative) in the evening, in turns of block_s of 30 to 170 % of its usual."""
    known: dict[int, float] = {}

    def wanted_a(elapsed_s: float) -> float:
        block = int(elapsed_s // block_s)
        if block not in known:
            known[block] = stream("house", seed, block).uniform(0.3, 1.7)
        hour = int(elapsed_s / HOUR_S + at_h) % 24
        return peak_a * HOUSE[hour] * known[block]

    return wanted_a
