"""`packbridge dump serial`: captures of serial lines. The work is in `bridge.dump`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.dump.codecs import Codec
    from bridge.dump.exchange import Turn
    from bridge.dump.serial_capture import Chunk
    from bridge.dump.serial_guess import Candidate

EXIT_NOTHING = 1
SURE = 0.5  # of the bytes: what explains less is not taken without being asked for
SHOWN_BYTES = 24
DEFAULT_BAUDRATE = 9600

app = typer.Typer(no_args_is_help=True, help="Captures of serial lines, both directions, with times.")

FILE = typer.Argument(None, help="The capture; standard input if there is none, or '-'.", show_default=False)
BMS = typer.Option(None, "--bms", metavar="NAME", help="The codec; without it, the best of all is taken.")
JSON = typer.Option(False, "--json", help="For machines.")

DECODE_EPILOG = """[b]Examples[/b]

packbridge dump serial decode capture.txt

packbridge dump serial decode capture.txt --bms jbd --json | jq .cell_voltages_v

Exit codes: 0 any message was decoded, 1 none was, 2 used wrongly."""

STATS_EPILOG = """[b]Examples[/b]

packbridge dump serial stats capture.txt

packbridge dump serial stats capture.txt --bms jk-pb --json | jq .unanswered

Exit codes: 0 any message was decoded, 1 none was, 2 used wrongly."""

GUESS_EPILOG = """[b]Examples[/b]

packbridge dump serial guess capture.txt

cat capture.txt | packbridge dump serial guess --json

Exit codes: 0 something fits, 1 nothing does, 2 used wrongly."""

RECORD_EPILOG = """[b]Examples[/b]

packbridge dump serial record /dev/ttyUSB0 --bms jk-pb > capture.txt

packbridge dump serial record /dev/ttyUSB0 --baudrate 19200 --seconds 60 --out capture.txt

Exit codes: 0 something was heard, 1 nothing was or the port failed, 2 used wrongly."""


@app.callback()
def group() -> None:
    """Lines are `<HEX` from the device, `>HEX` to it, with a time in front if there is one.

    Times are (SECONDS), ISO 8601 or a time of day; logs of ESPHome's
    uart_debug are read as they are.
    """


@app.command("decode", epilog=DECODE_EPILOG)
def decode(file: Path | None = FILE, bms: str | None = BMS, as_json: bool = JSON) -> None:
    """Every chunk, and below it what became certain with it."""
    from bridge.dump.exchange import turns

    chunks = _chunks(file)
    codec = _codec(chunks, bms)
    any_message = False
    for turn in turns(chunks, codec):
        any_message |= _show(turn, as_json=as_json)
    raise typer.Exit(0 if any_message else EXIT_NOTHING)


@app.command("stats", epilog=STATS_EPILOG)
def stats(file: Path | None = FILE, bms: str | None = BMS, as_json: bool = JSON) -> None:
    """Turnaround times, questions without an answer, errors, and how often each message came."""
    from bridge.dump.serial_stats import statistics

    chunks = _chunks(file)
    found = statistics(chunks, _codec(chunks, bms))
    if as_json:
        typer.echo(json.dumps(found))
    else:
        from bridge.cli.serial_view import tell

        tell(found)
    raise typer.Exit(0 if found["messages"] else EXIT_NOTHING)


@app.command("guess", epilog=GUESS_EPILOG)
def guess(file: Path | None = FILE, as_json: bool = JSON) -> None:
    """Which codec the capture fits, the best first, and why."""
    from bridge.dump.serial_guess import guess as guessed

    found = guessed(_chunks(file))
    for candidate in found:
        typer.echo(json.dumps(candidate.record()) if as_json else _why(candidate))
    if not found:
        typer.echo("nothing here reads a message in it: is it whole, and is the baud rate right?", err=True)
    raise typer.Exit(0 if found else EXIT_NOTHING)


@app.command("record", epilog=RECORD_EPILOG)
def record(
    port: str = typer.Argument(..., help="/dev/..., socket://HOST:PORT or rfc2217://HOST:PORT."),
    bms: str | None = typer.Option(None, "--bms", metavar="NAME", help="Take the baud rate of this codec."),
    baudrate: int | None = typer.Option(None, min=300, help=f"Without --bms: {DEFAULT_BAUDRATE}."),
    seconds: float | None = typer.Option(None, min=0.1, help="End after so long; without it, on Ctrl-C."),
    out: Path | None = typer.Option(None, help="A file to write; without it, standard output."),
) -> None:
    """Write down what passes on a line. It only listens: not a byte is sent.

    On an RS485 pair both directions pass and look alike: all lines are `<`.
    """
    from bridge.config import ports
    from bridge.dump.codecs import codec
    from bridge.links.opening import kind_of
    from bridge.links.serial import SerialLink

    if kind_of(port) != "serial":
        raise ConfigError(f"{port}: only serial lines are recorded here; a bus is by packbridge dump record")
    if (fault := ports.fault(port, {"serial"})) is not None:
        raise ConfigError(fault)
    rate = baudrate or (codec(bms).baudrate if bms else DEFAULT_BAUDRATE)
    heard = asyncio.run(_listen(SerialLink(port, rate), seconds, out))
    typer.echo(f"{heard} chunks at {rate} baud", err=True)
    raise typer.Exit(0 if heard else EXIT_NOTHING)


async def _listen(link: object, seconds: float | None, out: Path | None) -> int:
    from math import inf
    from time import time

    from bridge.dump.serial_capture import written
    from bridge.dump.serial_recording import record as listen
    from bridge.links.link import Link

    loop, task, heard = asyncio.get_running_loop(), asyncio.current_task(), 0
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)

    def take(chunk: Chunk) -> None:
        nonlocal heard
        heard += 1
        print(written(chunk), file=stream, flush=True)

    with ExitStack() as stack, suppress(asyncio.CancelledError):
        try:
            stream = sys.stdout if out is None else stack.enter_context(out.open("w", encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{out}: {error.strerror}; name a file that can be written") from error
        offset_s = time() - loop.time()
        await listen(cast(Link, link), seconds or inf, take, loop_time=loop.time, clock_offset_s=offset_s)
    return heard


def _chunks(file: Path | None) -> list[Chunk]:
    """The capture; lines that are none are complained of on stderr."""
    from bridge.cli.decode import lines_of
    from bridge.decoding import BadLine
    from bridge.dump.serial_capture import read

    chunks = []
    with lines_of(file) as lines:
        for item in read(lines):
            if isinstance(item, BadLine):
                typer.echo(f"line {item.number}: no chunk: {item.text[:80]}", err=True)
            else:
                chunks.append(item)
    if not chunks:
        raise ConfigError(f"{file or 'standard input'}: no line of it is a chunk; write <HEX or >HEX")
    return chunks


def _codec(chunks: list[Chunk], bms: str | None) -> Codec:
    """The one that is asked for, or the best; said on stderr where it is a guess."""
    from bridge.dump.codecs import codec
    from bridge.dump.serial_guess import guess as guessed

    if bms is not None:
        return codec(bms)
    found = guessed(chunks)
    if not found or found[0].explained < SURE:
        best = f"; the nearest is {_why(found[0])}" if found else ""
        raise ConfigError(f"no codec fits{best}. Name one: --bms NAME")
    typer.echo(f"read as {_why(found[0])}", err=True)
    return codec(found[0].name)


def _why(candidate: Candidate) -> str:
    dropped = ", ".join(f"{reason} {size} bytes" for reason, size in candidate.dropped.items())
    return (
        f"{candidate.name} ({candidate.maker}): {candidate.messages} messages "
        f"({', '.join(candidate.kinds)}), {100 * candidate.explained:.0f} % of the bytes"
        f"{', dropped: ' + dropped if dropped else ''}"
    )


def _show(turn: Turn, *, as_json: bool) -> bool:
    from bridge.dump.exchange import sentence

    found = list(turn.records())
    if as_json:
        for one in found:
            typer.echo(json.dumps(one))
    else:
        if (chunk := turn.chunk) is not None:
            time = "" if chunk.time_s is None else f"{chunk.time_s:.3f} "
            more = "..." if len(chunk.data) > SHOWN_BYTES else ""
            typer.echo(f"{time}{'>' if chunk.sent else '<'} {chunk.data[:SHOWN_BYTES].hex(' ')}{more}")
        for one in found:
            typer.echo(f"    {sentence(one)}")
    return any("message" in one for one in found)
