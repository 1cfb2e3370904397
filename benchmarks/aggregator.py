"""What a decision costs, for 1 to 256 packs of 16 cells, and where its time goes.

Run by hand: `python -m benchmarks.aggregator [--json] [--plain] [--profile]`. A wheel carries this code
compiled, a checkout does not: both are measured, the wheel's first, after the half minute that compiling
takes. Times are of this process alone, but a machine is as fast as it is at that moment, so each figure
stands beside a plain loop over the same cells, measured in the same turn: the ratio is what can be compared
between machines. Whether cost grows linearly is the slope of its logarithm over that of the number of packs:
1 is linear.

Every decision is made a second after the last, and all packs have been heard anew: nothing of it could
have been kept. The bank is in order, and its inverter obeys; one that does not costs a little more.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import math
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bridge.battery import aggregator
from bridge.battery.aggregator import Aggregator
from bridge.model import BankSettings, PackSample, PackSettings

ROOT = Path(__file__).parents[1]
COMPILED = not str(aggregator.__file__).endswith(".py")
CELLS = 16
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ROUNDS, ROUND_S = 40, 0.01
GOAL_US = 50.0  # for one pack
WARM_UP = 90  # decisions, until limits have risen
BAR = 40
PROFILED, PROFILE_CALLS = 14, 2000


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a bank of so many packs, in microseconds, the best of some rounds each. loop_us: a plain pass over
    all its cells for the highest, the lowest and the sum.
    """

    packs: int
    decision_us: float
    sample_us: float
    loop_us: float

    @property
    def ratio(self) -> float:
        """A decision in plain loops over the cells."""
        return self.decision_us / self.loop_us


class Bank:
    """A bank that works, warmed up, and time that goes on."""

    def __init__(self, packs: int) -> None:
        self.settings = [_pack(number) for number in range(packs)]
        self.samples = [_sample(number) for number in range(packs)]
        self.aggregator = Aggregator(self.settings, BankSettings(ready_within_s=1.0))
        self.now = 1000.0
        at_work, self.samples = self.samples, [replace(sample, current_a=0.0) for sample in self.samples]
        for _ in range(WARM_UP):
            self.second()
        self.samples = at_work
        self.second()

    def second(self) -> None:
        """All packs are heard, and one decision is made."""
        self.hear()
        self.decide()

    def hear(self) -> None:
        """All packs are heard, a second later."""
        self.now += 1.0
        for own, sample in zip(self.settings, self.samples, strict=True):
            # Counting up, or the boards would be taken for frozen.
            self.aggregator.heard(
                own.name, replace(sample, time_s=self.now, remaining_ah=self.now % 100), self.now
            )

    def decide(self) -> None:
        """One decision."""
        self.aggregator.decide(self.now)

    def loop(self) -> float:
        """The least that could be done with all these cells."""
        high_v, low_v, sum_v = 0.0, 10.0, 0.0
        for sample in self.samples:
            for cell_v in sample.cell_voltages_v:
                assert cell_v is not None
                high_v = max(high_v, cell_v)
                low_v = min(low_v, cell_v)
                sum_v += cell_v
        return high_v + low_v + sum_v


def _pack(number: int) -> PackSettings:
    return PackSettings(
        name=f"pack{number}",
        cells=CELLS,
        capacity_ah=280.0,
        rated_charge_current_a=140.0,
        rated_discharge_current_a=140.0,
    )


def _sample(number: int) -> PackSample:
    cells_v = tuple(round(3.30 + 0.001 * ((7 * i + number) % 11), 3) for i in range(CELLS))
    return PackSample(
        time_s=0.0,
        voltage_v=round(sum(cells_v), 2),
        current_a=20.0 + number % 5,
        soc=0.6,
        cell_voltages_v=cells_v,
        temperatures_c=(24.0, 25.5),
        charge_fet_on=True,
        discharge_fet_on=True,
        charge_allowed=True,
        discharge_allowed=True,
    )


def measured(packs: int) -> Cost:
    """The cost of a bank of so many packs. The parts take turns, so that all see the same machine."""
    bank = Bank(packs)
    times = max(1, int(ROUND_S / sum(_seconds_s(bank, 3))))
    rounds = [(*_seconds_s(bank, times), _loop_s(bank, times)) for _ in range(ROUNDS)]
    sample_us, decision_us, loop_us = (1e6 * min(spent_s) for spent_s in zip(*rounds, strict=True))
    return Cost(packs, decision_us, sample_us / packs, loop_us)


def _seconds_s(bank: Bank, times: int) -> tuple[float, float]:
    """What hearing all packs, and the decision after it, take; the mean of so many."""
    hearing_s = deciding_s = 0.0
    for _ in range(times):
        began_s = time.process_time()
        bank.hear()
        heard_s = time.process_time()
        bank.decide()
        hearing_s, deciding_s = hearing_s + heard_s - began_s, deciding_s + time.process_time() - heard_s
    return hearing_s / times, deciding_s / times


def _loop_s(bank: Bank, times: int) -> float:
    began_s = time.process_time()
    for _ in range(times):
        bank.loop()
    return (time.process_time() - began_s) / times


def exponent(costs: Sequence[Cost]) -> float:
    """The slope of log(cost) over log(packs), from where a decision's fixed part no longer shows."""
    points = [(math.log(c.packs), math.log(c.decision_us)) for c in costs if c.packs >= 8] or [(0.0, 0.0)]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 1.0


def shown(costs: Sequence[Cost]) -> Table:
    """The curve."""
    table = Table(
        title=f"a decision, packs of {CELLS} cells, {'compiled' if COMPILED else 'plain Python'}",
        caption=f"grows as packs^{exponent(costs):.2f}",
    )
    for column in ("packs", "decision us", "us a pack", "sample us", "plain loop us", "ratio"):
        table.add_column(column, justify="right")
    table.add_column("us a pack")
    most_us = max(cost.decision_us / cost.packs for cost in costs)
    for cost in costs:
        each_us = cost.decision_us / cost.packs
        table.add_row(
            f"{cost.packs}", f"{cost.decision_us:.1f}", f"{each_us:.1f}", f"{cost.sample_us:.1f}",
            f"{cost.loop_us:.1f}", f"{cost.ratio:.1f}", "█" * max(1, round(BAR * each_us / most_us)),
        )  # fmt: skip
    return table


def profiled(packs: int) -> None:
    """Print where the time of decisions, and of the samples before them, goes."""
    bank = Bank(packs)
    for title, work in (("decisions", bank.decide), ("samples", bank.hear)):
        profile = cProfile.Profile()
        profile.enable()
        for _ in range(PROFILE_CALLS):
            work()
        profile.disable()
        print(f"{title}, {packs} packs")
        pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(PROFILED)


def report(costs: Sequence[Cost]) -> dict[str, object]:
    """The curve as JSON can carry it."""
    one = costs[0]
    return {
        "cells": CELLS,
        "goal_us": GOAL_US,
        "compiled": COMPILED,
        "one_pack_us": one.decision_us,
        "exponent": exponent(costs),
        "curve": [{**asdict(cost), "ratio": cost.ratio} for cost in costs],
    }


def as_in_a_wheel(arguments: Sequence[str]) -> None:
    """The same in another process, with the code compiled."""
    import hatch_build

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        Console(stderr=True).print("compiling, which takes half a minute ...")
        for made, where in hatch_build.compiled(ROOT, place).items():
            assert made == str(place / where)  # beside its source, where it is found first
        shutil.copytree(ROOT / "benchmarks", place / "benchmarks")
        command = [sys.executable, "-m", "benchmarks.aggregator", "--plain", *arguments]
        subprocess.run(command, cwd=place, check=True)


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="a JSON object instead of each table")
    parser.add_argument("--profile", action="store_true", help="where the time goes, for 1 and 16 packs")
    parser.add_argument("--plain", action="store_true", help="only this code, as it is")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="no more packs than this")
    options = parser.parse_args()
    if options.profile:
        for packs in (1, 16):
            profiled(packs)
        return
    if not options.plain:
        as_in_a_wheel([f"--most={options.most}", *(["--json"] if options.json else [])])
    costs = [measured(packs) for packs in SIZES if packs <= options.most]
    if options.json:
        print(json.dumps(report(costs)))
    else:
        Console(width=110).print(shown(costs), highlight=False)


if __name__ == "__main__":
    main()
