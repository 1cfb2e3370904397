"""`packbridge clear-faults`, `hand-over` and `take-over`: one word from a person to a running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import typer

from bridge.cli.asking import GATEWAY, SOCKET, one, place

CLEAR_EPILOG = """[b]Examples[/b]

packbridge status

packbridge clear-faults

Look first: a fault is what no BMS has ended by itself. What is still wrong acts on, and is latched again.
Exit codes: 0 done, 1 no gateway is running, 2 used wrongly."""

PAIR_EPILOG = """[b]Examples[/b]

packbridge hand-over

packbridge take-over --gateway spare

For two gateways on one bus, see [redundancy] in the configuration.
Exit codes: 0 asked, 1 no gateway is running, 2 used wrongly or refused."""


def clear_faults(gateway: str | None = GATEWAY, socket: Path | None = SOCKET) -> None:
    """Let current flow again after a fault that a person has looked at."""
    from bridge.control.requests import ClearFaults

    cleared = cast(list[str], one(place(gateway, socket), ClearFaults())["cleared"])
    typer.echo("\n".join(f"cleared: {text}" for text in cleared) or "there was no latched fault")


def hand_over(gateway: str | None = GATEWAY, socket: Path | None = SOCKET) -> None:
    """Of two gateways on a bus, let the other one send."""
    from bridge.control.requests import GiveCycle

    one(place(gateway, socket), GiveCycle())
    typer.echo("asked; packbridge status shows who sends")


def take_over(gateway: str | None = GATEWAY, socket: Path | None = SOCKET) -> None:
    """Of two gateways on a bus, send from this one."""
    from bridge.control.requests import TakeCycle

    one(place(gateway, socket), TakeCycle())
    typer.echo("asked; packbridge status shows who sends")
