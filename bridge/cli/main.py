"""The command `packbridge`: every verb in one place, each imported only when it runs."""

from __future__ import annotations

import sys

import typer

from bridge import __version__
from bridge.cli import (
    check,
    curves,
    decode,
    demo,
    doctor,
    dump,
    encode,
    init,
    lease,
    orders,
    pack,
    profiles,
    read,
    run,
    scan,
    sim,
    why,
)
from bridge.errors import ConfigError, LinkError

EXIT_MISUSE = 2
EXIT_LINK = 1

app = typer.Typer(
    name="packbridge",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A headless gateway between DIY battery packs and commercial inverters.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"packbridge {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show and end."),
) -> None:
    """Options of the command itself."""


app.command(epilog=demo.EPILOG)(demo.demo)
app.command(epilog=run.EPILOG)(run.run)
app.command(epilog=check.EPILOG)(check.check)
app.command(epilog=doctor.EPILOG)(doctor.doctor)
app.command(epilog=curves.EPILOG)(curves.curves)
app.command(epilog=decode.EPILOG)(decode.decode)
app.command(epilog=encode.EPILOG)(encode.encode)
app.command(epilog=scan.EPILOG)(scan.scan)
app.command(epilog=read.EPILOG)(read.read)
app.command(epilog=init.EPILOG)(init.init)
app.command(epilog=why.WHY_EPILOG)(why.why)
app.command(epilog=why.STATUS_EPILOG)(why.status)
app.add_typer(lease.app, name="lease")
app.add_typer(pack.app, name="pack")
app.command("clear-faults", epilog=orders.CLEAR_EPILOG)(orders.clear_faults)
app.command("hand-over", epilog=orders.PAIR_EPILOG)(orders.hand_over)
app.command("take-over", epilog=orders.PAIR_EPILOG)(orders.take_over)
app.add_typer(profiles.app, name="profiles")
app.add_typer(sim.app, name="sim")
app.add_typer(dump.app, name="dump")


def main() -> None:
    """Run the command; errors that a person can mend are said in a sentence, without a traceback."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        sys.exit(EXIT_MISUSE)
    except LinkError as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_LINK)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing is left to say
        sys.exit(0)


if __name__ == "__main__":
    main()
