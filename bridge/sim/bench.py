"""Runs all policies over many scenarios, on all cores, and says what each policy is worth.

A scenario is one job: the oracle first, whose energy the others are measured against, then each
policy. Figures over all scenarios:

    overcurrent_events, trips   sums
    fraction_mean, fraction_min of energy / the oracle's energy, at most 1 a scenario: what was got by
                                overloading a pack does not make up for what was not
    soc_step_max_pct            the largest
    limit_reversals_per_h       in steady times, over all of them together
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bridge.errors import ConfigError
from bridge.sim import shelf
from bridge.sim.draw import PREFIX
from bridge.sim.metrics import Metrics
from bridge.sim.policies import NAMES
from bridge.sim.scenario import Scenario
from bridge.sim.world import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One scenario: what the oracle did, what each policy did, and why one could not be run."""

    name: str
    oracle: Metrics
    policies: dict[str, Metrics]
    not_run: dict[str, str]

    def fraction(self, policy: str) -> float:
        """Energy relative to the oracle's; 1 where there was none to be had."""
        if self.oracle.energy_wh <= 0:
            return 1.0
        return self.policies[policy].energy_wh / self.oracle.energy_wh

    def cell(self, policy: str) -> str:
        """A policy's figures in short: fraction / over-current events / trips."""
        metrics = self.policies.get(policy)
        if metrics is None:
            return "not run"
        return f"{self.fraction(policy):.3f} / {metrics.overcurrent_events} / {metrics.trips}"

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return {
            "oracle": self.oracle.report(),
            **{
                name: {"fraction": self.fraction(name), **metrics.report()}
                for name, metrics in self.policies.items()
            },
            **({"not_run": self.not_run} if self.not_run else {}),
        }


class Total(NamedTuple):
    """One policy over all scenarios that it could be run in."""

    overcurrent_events: int
    trips: int
    fraction_mean: float
    fraction_min: float
    soc_step_max_pct: float
    limit_reversals_per_h: float


def outcome(scenario: Scenario, policies: Sequence[str] = NAMES) -> Outcome:
    """One scenario under all policies. What the gateway's configuration refuses is said, not raised."""
    oracle = run(scenario, "oracle")
    done: dict[str, Metrics] = {}
    refused: dict[str, str] = {}
    for policy in policies:
        try:
            done[policy] = run(scenario, policy)
        except ConfigError as error:
            refused[policy] = str(error)
    return Outcome(name=scenario.name, oracle=oracle, policies=done, not_run=refused)


def bench(names: Iterable[str], jobs: int, progress: Callable[[], None]) -> list[Outcome]:
    """The outcomes of scenarios, in the order of their names as given; progress() after each."""
    ordered = list(names)
    longest_first = sorted(ordered, key=_effort, reverse=True)
    found: dict[str, Outcome] = {}
    if jobs == 1:
        for name in longest_first:
            found[name] = _job(name)[1]
            progress()
    else:
        # A fresh interpreter each: whoever calls may have threads, a progress bar for one.
        with multiprocessing.get_context("spawn").Pool(jobs, _leave_interrupts) as pool:
            for name, done in pool.imap_unordered(_job, longest_first):
                found[name] = done
                progress()
    return [found[name] for name in ordered]


def total(outcomes: Sequence[Outcome], policy: str) -> Total | None:
    """A policy's figures over all scenarios; None if it could be run in none."""
    ran = [one for one in outcomes if policy in one.policies]
    if not ran:
        return None
    metrics = [one.policies[policy] for one in ran]
    fractions = [min(1.0, one.fraction(policy)) for one in ran]
    steady_h = sum(one.steady_h for one in metrics)
    return Total(
        overcurrent_events=sum(one.overcurrent_events for one in metrics),
        trips=sum(one.trips for one in metrics),
        fraction_mean=sum(fractions) / len(fractions),
        fraction_min=min(fractions),
        soc_step_max_pct=max(one.soc_step_max_pct for one in metrics),
        limit_reversals_per_h=sum(one.reversals_steady for one in metrics) / steady_h if steady_h else 0.0,
    )


def report(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The whole bench as JSON can carry it."""
    totals = {policy: total(outcomes, policy) for policy in NAMES}
    return {
        "policies": {policy: found._asdict() for policy, found in totals.items() if found is not None},
        "scenarios": {one.name: one.report() for one in outcomes},
    }


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The bench as the two tables of docs/simulation.md."""
    named = [one for one in outcomes if not one.name.startswith(PREFIX)]
    lines = [
        f"{len(outcomes)} scenarios, {len(outcomes) - len(named)} of them random:",
        "",
        "| policy | over-current events | trips | fraction, mean | least | SoC step | reversals per h |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{policy}` | {one.overcurrent_events} | {one.trips} | {one.fraction_mean:.3f} | "
        f"{one.fraction_min:.3f} | {one.soc_step_max_pct:.1f} % | {one.limit_reversals_per_h:.1f} |"
        for policy in NAMES
        if (one := total(outcomes, policy)) is not None
    ]
    lines += [
        "", "By scenario: fraction / over-current events / trips.", "",
        f"| scenario | {' | '.join(f'`{policy}`' for policy in NAMES)} |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    return "\n".join(lines + [f"| {one.name} | {' | '.join(map(one.cell, NAMES))} |" for one in named])


def cores() -> int:
    """How many jobs can run at once."""
    return os.cpu_count() or 1


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process; the one that was asked ends the others without their tracebacks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _job(name: str) -> tuple[str, Outcome]:
    return name, outcome(shelf.get(name))


def _effort(name: str) -> float:
    scenario = shelf.get(name)
    return scenario.duration_s / min(scenario.dt_s, scenario.cycle_s) * len(scenario.packs)
