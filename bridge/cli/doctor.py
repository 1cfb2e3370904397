"""`packbridge doctor`: what is wrong around the gateway, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bridge.doctor import Examined

EXIT_FOUND = 1
STYLES = {"ok": "green", "advice": "yellow", "unknown": "bright_black", "problem": "red"}


def doctor(
    config: Path | None = typer.Argument(
        None,
        help="The configuration file; without one only the machine is looked at.",
        exists=True,
        dir_okay=False,
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a finding."),
) -> None:
    """Look at ports, buses, radios and services, and say what to do. Opens no port, changes nothing."""
    from bridge.doctor import examine, this_host
    from bridge.doctor.examination import case

    found = examine(case(config), this_host())
    for examined in found:
        typer.echo(json.dumps(examined.report()) if as_json else _shown(examined))
    problems = sum(examined.finding.verdict == "problem" for examined in found)
    if not as_json:
        typer.echo(f"{problems} problems found" if problems else "no problem found")
    if problems:
        raise typer.Exit(EXIT_FOUND)


def _shown(examined: Examined) -> str:
    finding = examined.finding
    verdict = typer.style(f"{finding.verdict:8}", fg=STYLES[finding.verdict])
    line = f"{verdict} {examined.check}: {finding.looked_at}: {finding.saw}"
    return f"{line}\n         -> {finding.do}" if finding.do else line


EPILOG = """[b]Examples[/b]

packbridge doctor

packbridge doctor config.toml

packbridge doctor config.toml --json

Exit codes: 0 nothing found, 1 something must be put right, 2 used wrongly."""
