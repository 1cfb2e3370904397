"""What all commands that ask a running gateway have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

if TYPE_CHECKING:
    from bridge.control.requests import Request

Answered = Mapping[str, object]

GATEWAY = typer.Option(None, "--gateway", metavar="NAME", help="Which gateway, where several run.")
SOCKET = typer.Option(None, "--socket", metavar="PATH", help="Its control socket, if it is not found.")
JSON = typer.Option(False, "--json", help="Print JSON, for machines.")


def place(gateway: str | None, socket: Path | None) -> Path:
    """Where the gateway that is meant listens. Raises LinkError."""
    from bridge.control import client

    return client.find(gateway, socket)


def one(path: Path, request: Request) -> Answered:
    """An answer that is one object."""
    from bridge.control import client

    return cast(Answered, client.ask(path, request))


def several(path: Path, request: Request) -> Sequence[Answered]:
    """An answer that is a list of objects."""
    from bridge.control import client

    return cast(Sequence[Answered], client.ask(path, request))


def as_json(value: object) -> None:
    """Print an answer as it came."""
    typer.echo(json.dumps(value, indent=2))


def number(value: object, form: str, unit: str = "") -> str:
    """A number in a table; what is not there is a dash."""
    return "-" if not isinstance(value, int | float) else f"{value:{form}}{unit}"
