"""`packbridge run`: the gateway on real hardware, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bridge.config import Config


GARBAGE_AFTER = 20_000  # objects; nearly all of ours go by themselves, and looking for the others takes time
SWITCH_INTERVAL_S = 0.00005  # a thread whose moment has come waits as long for the one that decides


class LogLevel(StrEnum):
    """The levels that a log can be cut off at."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def run(
    config: Path = typer.Argument(..., help="The configuration file."),
    log_level: LogLevel | None = typer.Option(None, help="How much to log; overrides the file's own."),
    log_json: bool = typer.Option(False, "--log-json", help="Log JSON lines, for machines."),
    shadow: bool = typer.Option(
        False, "--shadow", help="Send nothing: compare with the battery that feeds the inverter now."
    ),
    as_json: bool = typer.Option(False, "--json", help="With --shadow: differences as JSON lines."),
) -> None:
    """Read the packs, feed the inverters, log to stderr. SIGTERM or Ctrl-C ends it cleanly."""
    if as_json and not shadow:
        raise typer.BadParameter("--json goes with --shadow; for a log as JSON lines there is --log-json")
    from bridge import config as configuration
    from bridge.logs import configure

    loaded = configuration.load(config)
    configuration.require_inverter(loaded)
    configuration.preflight(loaded)
    log = loaded.gateway.log
    configure(log_level or log.level, "json" if log_json else log.format)
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if shadow:
        from bridge.cli.shadow import run_shadow

        raise typer.Exit(run_shadow(loaded, as_json=as_json))
    raise typer.Exit(asyncio.run(_run(loaded)))


async def _run(config: Config) -> int:
    from bridge.assembly import assemble
    from bridge.state import StateFile, directory
    from bridge.systemd import Notifier

    notifier = Notifier()
    state = StateFile(directory(config.gateway.state_dir, os.environ), config.gateway.name)
    try:
        runtime = assemble(config, notifier, state)
        quiet()
        return await runtime.run()
    finally:
        notifier.close()


def quiet() -> None:
    """Keep the interpreter from holding up an answer or a limit that fell; call it when all is loaded."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.set_threshold(GARBAGE_AFTER)
    gc.freeze()  # what was loaded stays; nobody looks through it again


EPILOG = """[b]Examples[/b]

packbridge check config.toml && packbridge run config.toml

packbridge run config.toml --log-json 2> gateway.log

packbridge run --shadow config.toml

Exit codes: 0 stopped cleanly, 2 the configuration cannot be used, 70 an internal error (restart it)."""
