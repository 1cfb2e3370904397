"""`packbridge decode PROTOCOL`: for a person with a capture in hand. The work is in `bridge.decoding`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from bridge.decoding import BadLine, Record

EPILOG = """[b]Examples[/b]

echo dd0400080f450f3d0f370f3dfec677 | packbridge decode jbd

packbridge decode jbd capture.txt | jq .cell_voltages_v

candump can0 | packbridge decode daly-can

packbridge decode modbus --map growatt-1xsxxp exchange.txt

Exit codes: 0 any message was decoded, 1 none was, 2 used wrongly."""


def decode(
    protocol: Annotated[
        str,
        typer.Argument(
            help="A BMS's protocol, as in the configuration: jbd, daly-a5, ...; or what an inverter asks in, "
            "as in its profile: pylontech-rs485, modbus, ..."
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(help="The capture; standard input if there is none, or '-'.", show_default=False),
    ] = None,
    register_map: Annotated[
        str | None, typer.Option("--map", help="For modbus: whose registers, by name or path.")
    ] = None,
) -> None:
    """Say what the bytes of a BMS mean: one JSON object a line.

    Each line of input is a chunk from the BMS in hex, <HEX or just HEX;
    >HEX is a chunk that was sent to it. Chunks need not be whole frames.
    For CAN protocols the lines are candump's. Blank lines and lines that
    start with # are passed over. Bytes that could not be used are said as
    {"error": KIND, "bytes": N}; lines that are no chunks are complained of
    on standard error. Of the dialects that inverters ask in, both directions
    are told.
    """
    from bridge.decoding import BadLine

    decoded = _decoder(protocol, register_map)
    any_message = False
    with lines_of(file) as lines:
        for item in decoded(lines):
            if isinstance(item, BadLine):
                typer.echo(json.dumps(item.record()), err=True)
                continue
            any_message = any_message or "message" in item
            typer.echo(json.dumps(item))
    raise typer.Exit(0 if any_message else 1)


def _decoder(name: str, register_map: str | None) -> Callable[[Iterable[str]], Iterable[Record | BadLine]]:
    """How the lines of a capture are read. Raises ConfigError for a name that is neither's."""
    from bridge.decoding import decoded, exchanged
    from bridge.protocols import contract
    from bridge.responders import contract as responders

    dialects, protocols = responders.names(), contract.names()
    if name in dialects:
        return partial(exchanged, exchange=responders.exchange(name, register_map))
    if register_map is not None:
        raise ConfigError(f"--map goes with modbus; {name} has no register maps")
    if name in protocols:
        return partial(decoded, entry=contract.load(name))
    known = sorted({*dialects, *protocols})
    raise ConfigError(f"unknown protocol {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}")


@contextlib.contextmanager
def lines_of(file: Path | None) -> Iterator[Iterable[str]]:
    """The lines of a file or of standard input; what is not UTF-8 shows as bad hex, not as an error."""
    if file is None or str(file) == "-":
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="replace")
        yield sys.stdin
        return
    try:
        opened = file.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    with opened as lines:
        yield lines
