"""`packbridge dump replay`: a dump onto a bus again. The work is in `bridge.dump.replaying`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from bridge.cli.dumps import STDIN, Files, Form, Frames, Ids, Since, Until, need_numpy, told, unheard
from bridge.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from bridge.dump.block import Block
    from bridge.dump.replaying import Key, Player, Rounds, Summary, Target
    from bridge.links.can_wire import CanWire

EXIT_FAILED = 1
INTERRUPTED = "interrupted"

EPILOG = """[b]Examples[/b]

packbridge dump replay dump.log --interface socketcan --channel vcan0

packbridge dump replay dump.log.gz --interface slcan --channel /dev/ttyACM0 --speed 10 --id !305

packbridge dump replay dump.log --interface virtual --channel test --loop --since 10m --until 12m

packbridge dump replay two-buses.log --interface socketcan --map can0=vcan0 --map can1=vcan1

Exit codes: 0 all was sent, 1 the bus failed or somebody else sends the same, 2 used wrongly."""


def replay(
    files: Files = None,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
    interface: str = typer.Option(..., help="python-can's: socketcan, slcan, gs_usb, virtual, ..."),
    channel: str | None = typer.Option(None, help="The bus: can0, vcan0, /dev/ttyACM0, ..."),
    bitrate: int = typer.Option(
        500_000, min=10_000, help="Of adapters that are told it; SocketCAN has its own."
    ),
    speed: float = typer.Option(1.0, min=0.001, help="2 is twice as fast."),
    loop: bool = typer.Option(False, "--loop", help="Again and again, until Ctrl-C."),
    times: int = typer.Option(1, min=1, help="How often."),
    mapped: list[str] = typer.Option([], "--map", metavar="FROM=TO", help="A channel of the dump to a bus."),
    listen: float = typer.Option(
        3.0, min=0.0, metavar="SECONDS", help="How long to look who is there first."
    ),
    force: bool = typer.Option(False, "--force", help="Send even if somebody else sends the same."),
    as_json: bool = typer.Option(False, "--json", help="The summary as JSON."),
) -> None:
    """Send a dump's frames again, with their own timing, onto any bus of python-can.

    Each frame has its moment since the start, so hours do not drift. It
    listens first, and while it sends: where somebody else sends one of
    the same identifiers it stops, for two batteries on one bus are
    dangerous.
    """
    need_numpy()
    from bridge.dump.replaying import Player, Rounds, keys_of
    from bridge.links.can_wire import SystemClock

    source = Frames(files=files or [], form=form, since=since, until=until, ids=ids)
    piped = not files or STDIN in files
    if piped and (loop or times > 1):
        raise ConfigError("standard input can be read only once: --loop and --times need files")
    buses, target = _targets(lambda: source.blocks(unheard()), channel, mapped, piped=piped)
    with ExitStack() as stack:
        reading = stack.enter_context(told(at_once=True))
        rounds = Rounds(
            lambda: source.blocks(reading), target, speed=speed, rounds=math.inf if loop else times
        )
        wires = {name: _wire(stack, interface, name, bitrate) for name in buses}
        player = Player(wires, SystemClock(), alone=not force)
        planned = {} if piped or force else keys_of(source.blocks(unheard()), target)
        summary = _play(player, rounds, planned, 0.0 if force else listen)
    _tell(summary, as_json=as_json)
    raise typer.Exit(0 if summary.ended in {"done", INTERRUPTED} else EXIT_FAILED)


def _wire(stack: ExitStack, interface: str, channel: str, bitrate: int) -> CanWire:
    from bridge.links.can_wire import CanWire

    wire = CanWire(interface, channel, bitrate)
    stack.callback(wire.close)
    return wire


def _play(player: Player, rounds: Rounds, planned: dict[str, set[Key]], listen_s: float) -> Summary:
    from bridge.dump.replaying import Summary

    summary = Summary()
    try:
        if listen_s:
            typer.echo(f"listening for {listen_s:g} s first", err=True)
        player.listen(listen_s, planned)
        player.play(rounds, summary)
    except LinkError as error:
        summary.ended = str(error)
    except KeyboardInterrupt:
        summary.ended = INTERRUPTED
    summary.skipped, summary.rounds = rounds.skipped, rounds.done
    return summary


def _targets(
    begin: Callable[[], Iterator[Block]], channel: str | None, mapped: list[str], *, piped: bool
) -> tuple[list[str], Target]:
    """The buses, and which of them each channel of the dump goes to."""
    if mapped and channel is not None:
        raise ConfigError("--channel and --map say the same: write --map FROM=TO for each bus")
    if mapped:
        pairs = dict(_pair(word) for word in mapped)
        return list(dict.fromkeys(pairs.values())), pairs.get
    if channel is None:
        raise ConfigError("which bus? --channel NAME, or --map FROM=TO for each channel of the dump")
    if not piped:
        _one_bus(begin())
    return [channel], lambda _: channel


def _pair(word: str) -> tuple[str, str]:
    source, _, target = word.partition("=")
    if not source or not target:
        raise ConfigError(f"--map {word}: write FROM=TO, a channel of the dump and a bus")
    return source, target


def _one_bus(blocks: Iterator[Block]) -> None:
    from bridge.dump.channels import begun

    there, _ = begun(blocks)
    if not there:
        raise ConfigError("there is no frame in it that is wanted")
    if len(there) > 1:
        raise ConfigError(
            f"the dump has several buses ({', '.join(there)}): write --map FROM=TO for those that are wanted"
        )


def _tell(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(summary.record()))
        return
    by_bus = ", ".join(f"{count} on {name}" for name, count in summary.sent.items())
    typer.echo(f"{summary.ended}: {summary.sent.total()} frames{f' ({by_bus})' if by_bus else ''}")
    typer.echo(
        f"took {summary.took_s:.3f} s of planned {summary.planned_s:.3f} s; {summary.late} frames were late "
        f"by more than 10 ms, the latest by {1000 * summary.latest_s:.1f} ms; rounds: {summary.rounds}"
    )
    if summary.tries_again:
        typer.echo(f"the interface was full {summary.tries_again} times")
    if summary.skipped:
        typer.echo("not sent: " + ", ".join(f"{count} {why}" for why, count in summary.skipped.items()))
