"""`packbridge lease`: hold a limit of a running gateway down for a while."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.cli.asking import GATEWAY, JSON, SOCKET, Answered, as_json, number, one, place, several

if TYPE_CHECKING:
    from bridge.model import Limit

app = typer.Typer(
    no_args_is_help=True, help="Hold a limit down for a while: a tariff, a generator, a person."
)

VALUE_A = typer.Argument(..., min=0, metavar="AMPERES", help="The limit is this at most.")
TTL = typer.Option(..., "--ttl", metavar="TIME", help="For how long, as in 90s, 15m, 1h30m; 24h at most.")
REASON = typer.Option("", "--reason", metavar="TEXT", help="Why; packbridge why shows it.")
NAME = typer.Option("cli", "--name", help="Asking again with the same name renews.")

EPILOG = """[b]Examples[/b]

packbridge lease ccl 50 --ttl 15m --reason tariff

packbridge lease dcl 0 --ttl 2h --name generator

packbridge lease list

packbridge lease drop generator

A lease can only lower, ends by itself, and is not kept over a restart.
Exit codes: 0 done, 1 no gateway is running, 2 used wrongly or refused."""


@app.command("ccl", epilog=EPILOG)
def ccl(
    amperes: float = VALUE_A,
    ttl: str = TTL,
    reason: str = REASON,
    name: str = NAME,
    gateway: str | None = GATEWAY,
    socket: Path | None = SOCKET,
) -> None:
    """Charge with no more than this."""
    from bridge.model import Limit

    _grant(Limit.CCL, amperes, ttl, reason, name, place(gateway, socket))


@app.command("dcl", epilog=EPILOG)
def dcl(
    amperes: float = VALUE_A,
    ttl: str = TTL,
    reason: str = REASON,
    name: str = NAME,
    gateway: str | None = GATEWAY,
    socket: Path | None = SOCKET,
) -> None:
    """Discharge with no more than this."""
    from bridge.model import Limit

    _grant(Limit.DCL, amperes, ttl, reason, name, place(gateway, socket))


@app.command("cvl", epilog=EPILOG)
def cvl(
    volts: float = typer.Argument(..., min=0, help="Charge to no more than this."),
    ttl: str = TTL,
    reason: str = REASON,
    name: str = NAME,
    gateway: str | None = GATEWAY,
    socket: Path | None = SOCKET,
) -> None:
    """Charge to no more than this voltage."""
    from bridge.model import Limit

    _grant(Limit.CVL, volts, ttl, reason, name, place(gateway, socket))


@app.command("list")
def standing(gateway: str | None = GATEWAY, socket: Path | None = SOCKET, json: bool = JSON) -> None:
    """What is leased at the moment."""
    from bridge.control.requests import ListLeases

    leases = several(place(gateway, socket), ListLeases())
    if json:
        as_json(leases)
        return
    for lease in leases:
        typer.echo(_line(lease))
    if not leases:
        typer.echo("nothing is leased")


@app.command("drop")
def drop(
    name: str = typer.Argument(..., help="The name that it was asked for with."),
    gateway: str | None = GATEWAY,
    socket: Path | None = SOCKET,
) -> None:
    """End all leases of a name. The limits rise again as after any other reason: late and slowly."""
    from bridge.control.requests import DropLease

    for lease in several(place(gateway, socket), DropLease(name)):
        typer.echo(f"dropped {_line(lease)}")


def _grant(limit: Limit, value: float, ttl: str, reason: str, name: str, path: Path) -> None:
    from bridge.battery.leases import LeaseRequest
    from bridge.cli.durations import seconds
    from bridge.control.requests import SetLease

    wanted = LeaseRequest(name=name, limit=limit, value=value, ttl_s=seconds(ttl, "--ttl"), reason=reason)
    typer.echo(_line(one(path, SetLease(wanted))))


def _line(lease: Answered) -> str:
    from bridge.cli.durations import shown

    left_s = lease["left_s"]
    assert isinstance(left_s, int | float)
    why = f": {lease['reason']}" if lease["reason"] else ""
    limit, value = str(lease["limit"]).upper(), number(lease["value"], "g")
    return f"{lease['name']}: {limit} at most {value} {lease['unit']} for {shown(left_s)}{why}"
