"""`packbridge scan`: what is connected to this machine. The work is in `bridge.survey` and `scanning`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import typer

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from bridge.found import Found
    from bridge.survey import Plan, Report

EXIT_NOTHING = 1
SECONDS = 60.0
PIPE_WIDTH = 240  # a file has no width; its lines are not to be folded

EPILOG = """[b]Examples[/b]

packbridge scan

packbridge scan --write config.toml

packbridge scan --ports /dev/ttyUSB0,/dev/ttyUSB1 --seconds 20

packbridge scan --ports can:can0 --json

packbridge scan --ports socket://192.168.1.20:8899 --bms jbd

Exit codes: 0 something was found, 1 nothing was, 2 used wrongly."""


def scan(
    ports: list[str] = typer.Option(
        [], metavar="PORT", help="Only these, with commas between them or one by one: /dev/..., can:can0, ..."
    ),
    bms: list[str] = typer.Option([], metavar="NAME", help="Only these protocols."),
    seconds: float = typer.Option(SECONDS, min=1.0, help="The most that it may take."),
    ble: bool | None = typer.Option(
        None, "--ble/--no-ble", help="Bluetooth. Default: unless PORTs are named."
    ),
    can: bool | None = typer.Option(None, "--can/--no-can", help="CAN. Default: unless PORTs are named."),
    write: Path | None = typer.Option(None, metavar="FILE", help="Write a configuration with what is found."),
    force: bool = typer.Option(False, "--force", help="Let --write replace a file that is there."),
    as_json: bool = typer.Option(False, "--json", help="One JSON line for each pack, for machines."),
) -> None:
    """Find the packs on serial ports, CAN buses and Bluetooth, without changing anything on them.

    Every protocol asks its own question for reading, nothing else. A port that
    another program holds open is left alone.
    """
    from bridge.found import draft
    from bridge.protocols.contract import load
    from bridge.survey import Plan

    for name in bms:
        load(name)
    if write is not None:
        refuse_to_overwrite(write, force=force)
    plan = Plan(ports=listed(ports), bms=bms, seconds=seconds, ble=ble, can=can)
    report = look(plan)
    for found in report.found if as_json else ():
        typer.echo(json.dumps(found.record()))
    if not as_json and report.found:
        show(report.found, lines=write is None)
    if not report.found:
        typer.echo(nothing(report), err=True)
        raise typer.Exit(EXIT_NOTHING)
    if write is not None:
        write.write_text(draft(report.found), encoding="utf-8")
        typer.echo(f"{write}: written; packbridge check {write} says what is still to be filled in", err=True)


def listed(ports: Sequence[str]) -> list[str]:
    """The ports of an option that takes commas and repeats. Raises ConfigError for what is none."""
    from bridge.config import ports as forms

    found = [port.strip() for text in ports for port in text.split(",") if port.strip()]
    if faults := [fault for port in found if (fault := forms.fault(port)) is not None]:
        raise ConfigError(*faults)
    return found


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raises ConfigError before anything is searched if the result could not be written."""
    if path.exists() and not force:
        raise ConfigError(f"{path}: is there already; write another name, or --force to replace it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}")


def look(plan: Plan) -> Report:
    """Survey with a progress bar on a terminal; complaints go to stderr."""
    from bridge.survey import survey

    with _progress(plan.seconds) as progress:
        report = asyncio.run(survey(plan, progress))
    for problem in report.problems:
        typer.echo(problem, err=True)
    for port, lines in report.heard.items():
        typer.echo(f"{port}: something talks there, but no pack was understood", err=True)
        for line in lines:
            typer.echo(f"  {line}", err=True)
    return report


def nothing(report: Report) -> str:
    """What to say when no pack was found."""
    searched = ", ".join(report.searched) or "nothing: there are no ports"
    return (
        f"no pack was found; searched: {searched}; is the pack awake, is A on A and B on B, does another "
        "program hold the port, is the maker's app connected?"
    )


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[str, str], None]]:
    """A bar that fills with the time that a search may take; only where a person looks on."""
    if not sys.stderr.isatty():
        yield lambda _port, _what: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=seconds)
        began_s = monotonic()

        def progress(port: str, what: str) -> None:
            bar.update(task, completed=monotonic() - began_s, description=f"{port}: {what}")

        yield progress


# What was found


def show(found: Sequence[Found], *, lines: bool) -> None:
    """A table, and the lines of a configuration below it."""
    from rich.console import Console

    from bridge.found import pack_lines

    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(_table(found))
    for number, one in enumerate(found if lines else (), start=1):
        typer.echo("\n" + "\n".join(pack_lines(one, f"pack{number}")))


def _table(found: Sequence[Found]) -> Table:
    from rich.table import Table

    table = Table(box=None)
    for column in ("maker", "model", "firmware"):
        table.add_column(column)
    for column in ("cells", "SoC %", "V"):
        table.add_column(column, justify="right")
    for column in ("protocol", "port", "address"):
        table.add_column(column, overflow="fold")
    for one in found:
        record = one.record()
        table.add_row(
            *(_text(record[key]) for key in ("maker", "model", "firmware")),
            _text(one.cells),
            _text(record["soc_pct"], ".0f"),
            _text(record["voltage_v"], ".2f"),
            f"{one.way.bms}" + ("" if one.way.rate is None else f" at {one.way.rate}"),
            one.way.port,
            _text(record["address"]),
        )
    return table


def _text(value: object, form: str = "") -> str:
    if value is None:
        return "-"
    text = format(value, form)
    return "".join(char for char in text if char.isprintable())
