"""`packbridge run --shadow`: what an existing battery says beside what we would, and nothing sent."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Column, Table

from bridge.assembly import assemble_shadow
from bridge.shadow import Shadow
from bridge.systemd import Notifier

if TYPE_CHECKING:
    from bridge.config import Config
    from bridge.events import Report

COLUMNS = ("theirs", "ours", "unit", "tolerance", "largest gap", "differed")


def run_shadow(config: Config, *, as_json: bool) -> int:
    """Listen until told to stop, then say how it compares; the exit code."""
    return asyncio.run(_run(config, as_json=as_json))


async def _run(config: Config, *, as_json: bool) -> int:
    notifier = Notifier()
    shadow: Shadow | None = None
    try:
        runtime = assemble_shadow(config, notifier, _line if as_json else None)
        assert isinstance(runtime.engine, Shadow)
        shadow = runtime.engine
        typer.echo("shadow mode: nothing is sent to any inverter; Ctrl-C ends it", err=True)
        return await runtime.run()
    finally:
        notifier.close()
        if shadow is not None:
            _finish(shadow, as_json=as_json)


def _line(report: Report) -> None:
    typer.echo(json.dumps({"event": report.event, **report.fields}))


def _finish(shadow: Shadow, *, as_json: bool) -> None:
    summary = shadow.summary()
    if as_json:
        typer.echo(json.dumps({"event": "shadow_summary", "inverters": summary}))
        return
    for name, rows in summary.items():
        Console().print(table(name, rows, shadow.comparisons[name].frames))


def table(name: str, rows: list[dict[str, object]], frames: int) -> Table:
    """What a battery said on an inverter's bus beside what we would, signal by signal."""
    found = Table(
        Column("signal", no_wrap=True),
        *COLUMNS,
        title=f"{name}: {frames} frames of the existing battery",
        title_justify="left",
        caption="differed: readings beyond the tolerance, of all; - was never said",
        caption_justify="left",
    )
    for row in rows:
        share = f"{row['differing']} of {row['readings']}"
        cells = (_shown(row[key]) for key in ("signal", "theirs", "ours", "unit", "tolerance", "largest"))
        found.add_row(*cells, share, style="yellow" if row["differs"] else None)
    return found


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
