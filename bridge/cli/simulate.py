"""`packbridge sim run` and `packbridge sim bench`: whole banks in virtual time, judged by their plant."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bridge.sim.bench import Outcome
    from bridge.sim.metrics import Metrics
    from bridge.sim.scenario import Scenario

RUN_EPILOG = """[b]Examples[/b]

packbridge sim run s1-unlike-cables

packbridge sim run s1-unlike-cables --policy sum --png sum.png

packbridge sim run examples/scenarios/day.toml --json

packbridge sim run random-1-17 --bytes

A scenario is the path of a file, the name of one that comes with packbridge, or random-SEED-NUMBER.
Exit codes: 0 done, 1 with --check if a pack was wronged (over-current or a trip), 2 used wrongly."""

BENCH_EPILOG = """[b]Examples[/b]

packbridge sim bench

packbridge sim bench --random 1000 --seed 1

packbridge sim bench --only "s*" --json > bench.json

Exit codes: 0 done, 1 with --check if packbridge wronged a pack, 2 used wrongly."""

POINTS = 2000  # a plot shows no more


def run(
    scenario: str = typer.Argument(..., metavar="SCENARIO", help="A file, a name, or random-SEED-NUMBER."),
    policy: str = typer.Option("ours", metavar="POLICY", help="ours, sum, nmin or oracle."),
    whole_chain: bool = typer.Option(
        False, "--bytes", help="Ours with everything: JBD bytes in, CAN frames out. Slower."
    ),
    png: Path | None = typer.Option(None, help="Draw the run into this file (extra: plot)."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object instead of a table."),
    check: bool = typer.Option(False, "--check", help="End with 1 if a pack was wronged."),
) -> None:
    """Run one scenario in virtual time and say how its packs fared."""
    from bridge.errors import ConfigError
    from bridge.sim import shelf, world
    from bridge.sim.trace import Trace

    if whole_chain and policy != "ours":
        raise ConfigError(f"--bytes: {policy} has no bytes; leave one of the two out")
    found = shelf.get(scenario)
    trace = Trace(found.duration_s / POINTS) if png else None
    metrics = world.run(found, "ours-bytes" if whole_chain else policy, trace)
    best = world.run(found, "oracle")
    fraction = metrics.energy_wh / best.energy_wh if best.energy_wh > 0 else 1.0
    if png is not None and trace is not None:
        from bridge.sim.plots import draw

        draw(trace, f"{found.title}: {policy}", png)
    if as_json:
        picture = {"scenario": found.name, "policy": policy, "fraction": fraction, **metrics.report()}
        typer.echo(json.dumps(picture))
    else:
        _say(found, policy, metrics, fraction)
    raise typer.Exit(1 if check and not metrics.clean else 0)


def bench(
    random: int = typer.Option(0, min=0, metavar="N", help="So many random banks besides."),
    seed: int = typer.Option(1, min=0, help="Which random banks."),
    only: str = typer.Option("*", metavar="PATTERN", help="Scenarios whose names match, * for all."),
    scenarios: Path | None = typer.Option(None, metavar="DIR", help="Another folder of scenarios."),
    jobs: int = typer.Option(0, min=0, help="Processes; 0 takes one a core."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object instead of tables."),
    as_markdown: bool = typer.Option(False, "--markdown", help="Print the tables as a page shows them."),
    check: bool = typer.Option(False, "--check", help="End with 1 if ours wronged a pack."),
) -> None:
    """Run packbridge, and what others do, over all scenarios, and compare them."""
    from fnmatch import fnmatch

    from rich.console import Console
    from rich.progress import Progress

    from bridge.sim import bench as benches
    from bridge.sim import draw, shelf

    names = [str(path) for path in shelf.paths(scenarios) if fnmatch(path.stem, only)]
    names += [f"{draw.PREFIX}-{seed}-{number}" for number in range(random)]
    stderr = Console(stderr=True)
    with Progress(console=stderr, disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task("scenarios", total=len(names))
        outcomes = benches.bench(names, jobs or benches.cores(), lambda: progress.advance(task))
    if as_json:
        typer.echo(json.dumps(benches.report(outcomes)))
    elif as_markdown:
        typer.echo(benches.markdown(outcomes))
    else:
        _show(outcomes)
    clean = all(one.policies["ours"].clean for one in outcomes if "ours" in one.policies)
    raise typer.Exit(1 if check and not clean else 0)


def _say(scenario: Scenario, policy: str, metrics: Metrics, fraction: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{scenario.title}: {policy}", show_header=False)
    full = "never" if metrics.full_s is None else f"after {metrics.full_s / 60:.0f} min"
    for name, value in (
        ("over-current events", f"{metrics.overcurrent_events}"),
        ("trips", f"{metrics.trips}"),
        ("highest current / limit", f"{metrics.peak_ratio:.2f}"),
        ("energy", f"{metrics.energy_wh / 1000:.2f} kWh"),
        ("of what was to be had", f"{100 * fraction:.1f} %"),
        ("cells", f"{metrics.cell_min_v:.3f} to {metrics.cell_max_v:.3f} V"),
        ("99 % full", full),
        ("largest step of SoC", f"{metrics.soc_step_max_pct:.2f} %"),
        (
            "reversals of limits",
            f"{metrics.reversals_per_h:.1f} per h, {metrics.reversals_steady} while steady",
        ),
        ("reversals of CVL", f"{metrics.cvl_reversals}"),
        ("computed in", f"{metrics.wall_s:.1f} s"),
    ):
        table.add_row(name, value)
    Console().print(table)


def _show(outcomes: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    from bridge.sim.bench import total
    from bridge.sim.policies import NAMES

    console = Console()
    named = [one for one in outcomes if not one.name.startswith("random-")]
    each = Table(title="fraction / over-current events / trips")
    each.add_column("scenario")
    for policy in NAMES:
        each.add_column(policy, justify="right")
    for one in named:
        each.add_row(one.name, *(one.cell(policy) for policy in NAMES))
    table = Table(title=f"{len(outcomes)} scenarios, {len(outcomes) - len(named)} of them random")
    for column in ("policy", "events", "trips", "fraction", "least", "SoC step %", "reversals/h", "not run"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for policy in NAMES:
        found = total(outcomes, policy)
        if found is not None:
            table.add_row(
                policy, f"{found.overcurrent_events}", f"{found.trips}", f"{found.fraction_mean:.3f}",
                f"{found.fraction_min:.3f}", f"{found.soc_step_max_pct:.2f}",
                f"{found.limit_reversals_per_h:.1f}", f"{sum(policy in one.not_run for one in outcomes)}",
            )  # fmt: skip
    if named:
        console.print(each)
    console.print(table)
