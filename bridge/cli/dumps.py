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

    def blocks(self, problems: Problems) -> Iterator[Block]:
        """The wanted frames, from the files, standard input or a bus. Raises ConfigError and LinkError."""
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
            return _until_asked_to_end(read(self.files or [STDIN], problems, selection, form=self.form))
        return _until_asked_to_end(selected(self._live(problems), selection))

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


@contextlib.contextmanager
def told() -> Iterator[Problems]:
    """Problems that are said on standard error in the end."""
    from bridge.dump.problems import Problems

    problems = Problems()
    try:
        yield problems
    finally:
        for problem in problems.first:
            typer.echo(f"{problem}: no frame", err=True)
        if (more := problems.count - len(problems.first)) > 0:
            typer.echo(f"and {more} more lines that are no frames", err=True)


def _until_asked_to_end(blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks until Ctrl-C or SIGTERM, which end a log as its end does; a second Ctrl-C acts at once."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for block in blocks:
            yield block
            if asked.is_set():
                return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
