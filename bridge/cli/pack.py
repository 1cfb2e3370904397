"""`packbridge pack`: take a pack out of a running bank, and back in."""

from __future__ import annotations

from pathlib import Path
from time import sleep

import typer

from bridge.cli.asking import GATEWAY, SOCKET, Answered, number, one, place, several

app = typer.Typer(no_args_is_help=True, help="Take a pack out of a running bank, and back in.")

LOOK_EVERY_S = 1.0
EXIT_DROPPED = 1
EXIT_INTERRUPTED = 130

EPILOG = """[b]Examples[/b]

packbridge pack leave garage

packbridge pack leave garage --for 2h --no-wait

packbridge pack return garage

While it leaves, the whole bank goes to 0 A: packs in parallel share the current.
Exit codes: 0 it may be switched off, 1 no gateway is running or the request ended, 2 used wrongly or
refused, 130 interrupted."""


@app.command("leave", epilog=EPILOG)
def leave(
    name: str = typer.Argument(..., help="The pack's name in the configuration."),
    for_: str = typer.Option(
        "30m", "--for", metavar="TIME", help="Drop the request if it is still there then."
    ),
    wait: bool = typer.Option(True, help="Wait until it may be switched off."),
    gateway: str | None = GATEWAY,
    socket: Path | None = SOCKET,
) -> None:
    """Ask for no current, wait until this pack carries none, and say when it may be switched off."""
    from bridge.cli.durations import seconds, shown
    from bridge.control.requests import Leave

    path, ttl_s = place(gateway, socket), seconds(for_, "--for")
    departure = one(path, Leave(name, ttl_s))
    typer.echo(f"{name} is to leave: the bank goes to 0 A, for {shown(ttl_s)} at most")
    if not wait:
        return
    try:
        code = _wait(path, name, departure)
    except KeyboardInterrupt:
        typer.echo(f"\nThe request stands; to take it back: packbridge pack return {name}", err=True)
        code = EXIT_INTERRUPTED
    raise typer.Exit(code)


@app.command("return", epilog=EPILOG)
def come_back(
    name: str = typer.Argument(..., help="The pack's name in the configuration."),
    gateway: str | None = GATEWAY,
    socket: Path | None = SOCKET,
) -> None:
    """Let a pack that was to leave, or has left, count again. It joins like any pack that comes back."""
    from bridge.control.requests import Return

    departure = one(place(gateway, socket), Return(name))
    typer.echo(f"{name} counts again; it is {departure['state']}")


def _wait(path: Path, name: str, departure: Answered | None) -> int:
    """Show how it goes on; the exit code."""
    from bridge.control.requests import Departures

    shown = ""
    while departure is not None:
        if departure["phase"] == "ready":
            typer.echo(f"{name} may be switched off now; the bank stays at 0 A until it is off")
            return 0
        if departure["phase"] == "gone":
            typer.echo(f"{name} has left; the others go on without it")
            return 0
        line = f"  {name} is {departure['state']} and carries {number(departure['current_a'], '+.1f')} A"
        if line != shown:
            typer.echo(line)
            shown = line
        sleep(LOOK_EVERY_S)
        departure = next((one for one in several(path, Departures()) if one["pack"] == name), None)
    typer.echo(f"{name} was not empty in time, or was called back: it stays", err=True)
    return EXIT_DROPPED
