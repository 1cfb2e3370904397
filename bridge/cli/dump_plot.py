"""`packbridge dump plot`: a dump as a picture. The work is in `bridge.dump`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.dump.picture import Picture

EXIT_NOTHING = 1

EPILOG = """[b]Examples[/b]

packbridge dump plot dump.log

packbridge dump plot dump.log --out dump.png

packbridge dump plot monday.log tuesday.log.gz --html dump.html

packbridge dump plot dump.log --profile victron-gx --out dump.svg

Exit codes: 0 drawn, 1 the battery says nothing that can be drawn, 2 used wrongly."""


def plot(
    files: list[str] = typer.Argument(..., help="Dumps in any form, one after the other; '-' is stdin."),
    out: Path | None = typer.Option(None, help="A file to draw into: .png or .svg (needs matplotlib)."),
    html: Path | None = typer.Option(None, help="A page to write: one file, to zoom and hover in a browser."),
    profile: str | None = typer.Option(None, metavar="NAME", help="Read as what this inverter is sent."),
    dialect: str | None = typer.Option(
        None, metavar="NAME", help="Read in this dialect; else it is guessed."
    ),
    channel: str | None = typer.Option(
        None, metavar="NAME", help="Of a dump of several buses; else the first."
    ),
    gap: float = typer.Option(3.0, min=0.1, metavar="SECONDS", help="Silences from here on are shaded."),
) -> None:
    """Voltages, currents, limits, charge, alarms and gaps over time.

    Without a file to write, a chart for the terminal. Peaks are never
    lost: however long the dump, the extremes of each stretch are drawn.
    """
    from bridge.dump.channels import one_channel
    from bridge.dump.picture import draw
    from bridge.dump.problems import Problems
    from bridge.dump.reading import read
    from bridge.dump.understood import understood

    if out is not None:
        from bridge.dump.plot_file import check

        check(out)
    problems = Problems()
    there, blocks = one_channel(read(files, problems), channel)
    if len(there) > 1 and channel is None:
        typer.echo(f"drawn is {there[0]}; there are also {', '.join(there[1:])}: --channel NAME", err=True)
    decoding, guessed, blocks = understood(blocks, profile, dialect)
    if guessed is not None:
        typer.echo(
            f"read as {guessed.tongue.shown}, which was guessed; --dialect NAME says otherwise", err=True
        )
    shown = draw(blocks, decoding, gap)
    for line in _complaints(problems):
        typer.echo(line, err=True)
    if not shown.panels:
        raise ConfigError(f"nothing in it can be drawn as {shown.dialect}: packbridge dump guess says more")
    _show(shown, out, html)


def _show(shown: Picture, out: Path | None, html: Path | None) -> None:
    if out is not None:
        from bridge.dump.plot_file import save

        save(shown, out)
        typer.echo(f"drawn into {out}", err=True)
    if html is not None:
        from bridge.dump import plot_page

        plot_page.save(shown, html)
        typer.echo(f"written to {html}: open it in a browser", err=True)
    if out is None and html is None:
        from rich.console import Console

        from bridge.cli.picture_view import picture

        console = Console()
        console.print(picture(shown, console.width))


def _complaints(problems: object) -> Iterator[str]:
    from bridge.dump.problems import Problems

    assert isinstance(problems, Problems)
    if problems.count:
        yield from (str(one) for one in problems.first)
        yield f"{problems.count} lines are no frames"
