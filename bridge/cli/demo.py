"""`packbridge demo`: the whole gateway on simulated hardware, as a live table or as JSON lines."""

from __future__ import annotations

import asyncio
import json

import typer


def demo(
    seconds: float | None = typer.Option(None, min=0.5, help="End after so long; without it, on Ctrl-C."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON line a second instead of a table."),
    inverter: str = typer.Option("deye-lv", metavar="PROFILE", help="The inverter to feed."),
    kill_pack: list[str] = typer.Option(
        [],
        metavar="PACK@SECONDS",
        help="Cut a pack's line (1, 2, 3, a name, or all) at that time. May repeat.",
    ),
    stop_sender: float | None = typer.Option(
        None, metavar="SECONDS", min=0, help="Stop sending to the inverter at that time, as a dead gateway."
    ),
) -> None:
    """Three simulated packs through to a simulated inverter, with the real gateway in between."""
    from bridge.demo import Demo, parse_kill
    from bridge.logs import configure

    run = Demo(inverter, [parse_kill(one) for one in kill_pack], stop_sender)
    if as_json:
        configure("warning")
        raise typer.Exit(asyncio.run(run.run(seconds, _print)))
    from rich.console import Console
    from rich.live import Live

    from bridge.cli.tables import overview

    configure("error")
    with Live(console=Console(), refresh_per_second=4, transient=False) as live:
        code = asyncio.run(run.run(seconds, lambda picture: live.update(overview(picture))))
    raise typer.Exit(code)


def _print(picture: dict[str, object]) -> None:
    typer.echo(json.dumps(picture))


EPILOG = """[b]Examples[/b]

packbridge demo

packbridge demo --seconds 20 --json

packbridge demo --seconds 20 --kill-pack 2@5

packbridge demo --seconds 20 --kill-pack all@5

packbridge demo --seconds 20 --stop-sender 8"""
