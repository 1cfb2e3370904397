"""`packbridge read`: one pack, one sample, or a live view of it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from typing import TYPE_CHECKING

import typer

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.meeting import Meeting, Way
    from bridge.search import Search

EXIT_NOTHING = 1
PATIENCE_S = {"serial": 60.0, "ble": 60.0, "can": 30.0}
PATIENCE_KNOWN_S = 15.0

Show = Callable[["Way", "Meeting | None", str | None], None]
"""Shows what was read, or the problem that keeps it from being read again."""


def read(
    port: str = typer.Argument(..., help="/dev/..., socket://HOST:PORT, ble:... or can:..."),
    bms: str | None = typer.Option(None, metavar="NAME", help="The protocol; without it, all are tried."),
    address: int | None = typer.Option(None, help="The pack's address, where packs share a wire."),
    baudrate: int | None = typer.Option(None, min=300, help="Only where it is not the protocol's own."),
    as_json: bool = typer.Option(False, "--json", help="One JSON line a sample, for machines."),
    watch: bool = typer.Option(False, "--watch", help="Go on until Ctrl-C."),
    timeout: float | None = typer.Option(None, metavar="SECONDS", min=0.1, help="How long to try."),
) -> None:
    """Read one pack and say what it says. Nothing is sent to it but the questions of its protocol."""
    from bridge.links.opening import kind_of
    from bridge.search import Search

    check(port, bms, address)
    seconds = timeout or (PATIENCE_KNOWN_S if bms else PATIENCE_S[kind_of(port)])
    search = Search(seconds, bms=(bms,) if bms else (), address=address, baudrate=baudrate, single=True)
    screen, show = _json() if as_json else _live() if watch else _once()
    with screen:
        code = asyncio.run(_read(search, port, show, watch=watch))
    raise typer.Exit(code)


def check(port: str, bms: str | None, address: int | None) -> None:
    """Raises ConfigError for what cannot be read whatever hangs there."""
    from bridge.config import ports
    from bridge.links.opening import kind_of
    from bridge.protocols.contract import load, names

    kind = kind_of(port)
    known = [load(name) for name in ([bms] if bms else names())]
    fitting = [entry for entry in known if kind in entry.spec.links]
    if not fitting:
        over = " or ".join(known[0].spec.links)
        raise ConfigError(f"{port}: {bms} runs over {over}, not over {kind}")
    if (fault := ports.fault(port, {kind})) is not None:
        raise ConfigError(fault)
    if address is not None and not any(address in (entry.spec.addresses or ()) for entry in fitting):
        raise ConfigError(f"--address {address}: {bms or 'no protocol'} has no such address")


async def _read(search: Search, port: str, show: Show, *, watch: bool) -> int:
    from bridge.scanning import find

    found = await find(search, port)
    while not (found or search.over or search.problems):
        found = await find(search, port)
    if not found:
        explain(search, port)
        return EXIT_NOTHING
    show(found[0].way, found[0].meeting, None)
    if watch:
        await _follow(found[0].way, show)
    return 0


async def _follow(way: Way, show: Show) -> None:
    """Every further sample, until Ctrl-C or SIGTERM."""
    from bridge.links.opening import Opener
    from bridge.meeting import Meeting, follow

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        async with aclosing(follow(way, Opener().link)) as meetings:
            async for one in meetings:
                if isinstance(one, Meeting):
                    show(way, one, None)
                else:
                    show(way, None, str(one))


def explain(search: Search, port: str) -> None:
    """Say on stderr what was tried, and what was heard instead of an answer."""
    if port in search.problems:
        typer.echo(search.problems[port], err=True)
        return
    typer.echo(f"{port}: no pack was found in {search.seconds:g} s", err=True)
    for line in search.account(port):
        typer.echo(f"  {line}", err=True)


# How it is shown


def _json() -> tuple[AbstractContextManager[object], Show]:
    def show(way: Way, meeting: Meeting | None, problem: str | None) -> None:
        from bridge.found import record

        if meeting is None:
            typer.echo(problem, err=True)
        else:
            typer.echo(json.dumps(record(way, meeting)))

    return nullcontext(), show


def _once() -> tuple[AbstractContextManager[object], Show]:
    def show(way: Way, meeting: Meeting | None, _problem: str | None) -> None:
        from rich.console import Console

        from bridge.cli.pack_view import picture

        assert meeting is not None, "one sample is one sample"
        Console().print(picture(way, meeting, 0.0))

    return nullcontext(), show


def _live() -> tuple[AbstractContextManager[object], Show]:
    """A picture that also ages while nothing comes."""
    from time import monotonic

    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

    from bridge.cli.pack_view import picture

    last: list[tuple[Way, Meeting]] = []
    problems: list[str | None] = [None]

    def show(way: Way, meeting: Meeting | None, problem: str | None) -> None:
        problems[:] = [problem]
        if meeting is not None:
            last[:] = [(way, meeting)]

    def now() -> RenderableType:
        if not last:
            return Text("looking for a pack ...")
        way, meeting = last[0]
        return picture(way, meeting, monotonic() - meeting.sample.time_s, problems[0])

    return Live(get_renderable=now, refresh_per_second=4), show


EPILOG = """[b]Examples[/b]

packbridge read /dev/ttyUSB0

packbridge read /dev/ttyUSB0 --bms jk-pb --address 2 --watch

packbridge read ble:A4:C1:38:04:2D:BE --bms jbd --json

packbridge read can:can0 --bms daly-can --json | jq .cell_voltages_v

Exit codes: 0 there was a sample, 1 there was none, 2 used wrongly."""
