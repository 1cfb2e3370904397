"""What the verbs of `packbridge dump` share: where frames come from, and which are wanted."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.dump.block import Block
    from bridge.dump.problems import Problems

STDIN = "-"

Files = Annotated[
    list[str] | None,
    typer.Argument(
        help="Logs in any form, gzip and zstd too, one after the other; '-' is standard input.",
        show_default=False,
    ),
]
Form = Annotated[
    str | None,
    typer.Option(help="How the logs are written, if the content should not decide.", show_default=False),
]
Since = Annotated[
    str | None,
    typer.Option(help="From here: 90s or 1h30m from the start, or 2024-05-01 12:00:30.", show_default=False),
]
Until = Annotated[str | None, typer.Option(help="To here, in the same words.", show_default=False)]
Ids = Annotated[
    list[str] | None,
    typer.Option("--id", help="Only these: 351, 350-35F; !305 leaves one out.", show_default=False),
]
Interface = Annotated[
    str | None,
    typer.Option(help="Listen to a bus instead: python-can's interface, as socketcan.", show_default=False),
]
Channel = Annotated[str, typer.Option(help="Which bus of the interface.")]
Bitrate = Annotated[int, typer.Option(help="Of the bus, bit/s.")]
Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile", help="Read it as this inverter does; several may be named.", show_default=False
    ),
]
Dialects = Annotated[
    list[str] | None,
    typer.Option("--dialect", help="Read it in this dialect; several may be named.", show_default=False),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Where frames come from, as it was asked for on the command line."""

    files: list[str] = field(default_factory=list)
    form: str | None = None
    since: str | None = None
    until: str | None = None
    ids: list[str] | None = None
    interface: str | None = None
    channel: str = "can0"
    bitrate: int = 500_000

    def blocks(self, reading: Reading) -> Iterator[Block]:
        """The wanted frames, from the files, standard input or a bus, until the reading is to end.

        Raises ConfigError and LinkError.
        """
        from bridge.dump.reading import read
        from bridge.dump.selection import Selection, ids_of, selected, time_of

        ids, without = ids_of(self.ids or ())
        selection = Selection(
            since_s=None if self.since is None else time_of(self.since),
            until_s=None if self.until is None else time_of(self.until),
            ids=ids,
            without_ids=without,
        )
        if self.interface is None:
            blocks = read(self.files or [STDIN], reading.problems, selection, form=self.form)
        else:
            blocks = selected(self._live(reading.problems), selection)
        return reading.until_asked(blocks)

    def _live(self, problems: Problems) -> Iterator[Block]:
        from bridge.dump.live import gathered
        from bridge.links.listening import listen

        assert self.interface is not None
        source = f"{self.interface}:{self.channel}"
        return gathered(listen(self.interface, self.channel, self.bitrate), source, problems)


def need_numpy() -> None:
    """Raises ConfigError that says what to install, where numpy is missing."""
    if importlib.util.find_spec("numpy") is None:
        raise ConfigError("packbridge dump needs numpy: pip install 'packbridge[dump]'")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a command reads: the problems that were met, and whether somebody asked it to end."""

    problems: Problems
    asked: threading.Event = field(default_factory=threading.Event)

    def until_asked(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """The blocks until the reading is asked to end."""
        for block in blocks:
            yield block
            if self.asked.is_set():
                return


def unheard() -> Reading:
    """A reading whose problems nobody is told of: they were told, or will be."""
    from bridge.dump.problems import Problems

    return Reading(Problems())


@contextlib.contextmanager
def told(*, at_once: bool = False) -> Iterator[Reading]:
    """A reading whose problems are said on standard error in the end.

    Ctrl-C and SIGTERM end it as a log's end does, and a second one
    raises KeyboardInterrupt, as the first does with at_once.
    """
    reading = unheard()

    def ask(*_: object) -> None:
        if at_once or reading.asked.is_set():
            raise KeyboardInterrupt
        reading.asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield reading
    finally:
        for number, former in before.items():
            signal.signal(number, former)
        for problem in reading.problems.first:
            typer.echo(f"{problem}: no frame", err=True)
        if (more := reading.problems.count - len(reading.problems.first)) > 0:
            typer.echo(f"and {more} more lines that are no frames", err=True)
