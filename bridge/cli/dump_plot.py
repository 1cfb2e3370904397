"""`packbridge dump plot`: a dump as a picture. The work is in `bridge.dump`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.cli.dumps import Files, Form, Frames, Ids, Since, Until, need_numpy, told
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.dump.picture import Picture

EPILOG = """[b]Examples[/b]

packbridge dump plot dump.log

packbridge dump plot dump.log --out dump.png

packbridge dump plot monday.log tuesday.log.gz --html dump.html

packbridge dump plot dump.log --profile victron-gx --out dump.svg

Exit codes: 0 drawn, 2 used wrongly, or nothing in it can be drawn."""


def plot(
    files: Files = None,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
    out: Path | None = typer.Option(None, help="A file to draw into: .png or .svg (needs matplotlib)."),
    html: Path | None = typer.Option(None, help="A page to write: one file, to zoom and hover in a browser."),
    profile: str | None = typer.Option(None, metavar="NAME", help="Read it as this inverter does."),
    dialect: str | None = typer.Option(None, metavar="NAME", help="Read it in this dialect; else guessed."),
    bus: str | None = typer.Option(
        None, metavar="CHANNEL", help="Of a dump of several buses; else the first."
    ),
    gap: float = typer.Option(3.0, min=0.1, metavar="SECONDS", help="Silences from here on are shaded."),
) -> None:
    """Voltages, currents, limits, charge, alarms and gaps over time.

    Without a file to write, a chart for the terminal. Peaks are never
    lost: however long the dump, the extremes of each stretch are drawn.
    """
    need_numpy()
    from bridge.dump.channels import one_channel
    from bridge.dump.picture import draw
    from bridge.dump.understood import understood

    if out is not None:
        from bridge.dump.plot_file import check

        check(out)
    source = Frames(files=files or [], form=form, since=since, until=until, ids=ids)
    with told() as reading:
        there, blocks = one_channel(source.blocks(reading), bus)
        if len(there) > 1 and bus is None:
            typer.echo(f"drawn is {there[0]}; there are also {', '.join(there[1:])}: --bus CHANNEL", err=True)
        decoding, guessed, blocks = understood(blocks, profile, dialect)
        if guessed is not None:
            name = guessed.tongue.shown
            typer.echo(f"read as {name}, which was guessed; --dialect NAME says otherwise", err=True)
        shown = draw(blocks, decoding, gap)
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
