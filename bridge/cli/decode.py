"""`packbridge decode PROTOCOL`: for a person with a capture in hand. The work is in `bridge.decoding`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from bridge.errors import ConfigError

EPILOG = """[b]Examples[/b]

echo dd0400080f450f3d0f370f3dfec677 | packbridge decode jbd

packbridge decode jbd capture.txt | jq .cell_voltages_v

candump can0 | packbridge decode daly-can

Exit codes: 0 any message was decoded, 1 none was, 2 used wrongly."""


def decode(
    protocol: Annotated[
        str, typer.Argument(help="The BMS's protocol, as in the configuration: jbd, daly-a5, ...")
    ],
    file: Annotated[
        Path | None,
        typer.Argument(help="The capture; standard input if there is none, or '-'.", show_default=False),
    ] = None,
) -> None:
    """Say what the bytes of a BMS mean: one JSON object a line.

    Each line of input is a chunk from the BMS in hex, <HEX or just HEX;
    >HEX is a chunk that was sent to it. Chunks need not be whole frames.
    For CAN protocols the lines are candump's. Blank lines and lines that
    start with # are passed over. Bytes that could not be used are said as
    {"error": KIND, "bytes": N}; lines that are no chunks are complained of
    on standard error.
    """
    from bridge.decoding import BadLine, decoded
    from bridge.protocols.contract import load

    entry = load(protocol)
    any_message = False
    with _lines(file) as lines:
        for item in decoded(lines, entry):
            if isinstance(item, BadLine):
                typer.echo(json.dumps(item.record()), err=True)
                continue
            any_message = any_message or "message" in item
            typer.echo(json.dumps(item))
    raise typer.Exit(0 if any_message else 1)


@contextlib.contextmanager
def _lines(file: Path | None) -> Iterator[Iterable[str]]:
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
