"""`packbridge dump whatif`: what we would have sent beside what was. The work is in `bridge.dump.whatif`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from bridge.cli.dumps import Files, Form, Frames, Ids, Since, Until, need_numpy, told
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.dump.whatif import News, Outcome

EXIT_DIFFERS = 1
SHOWN_NEWS = 20
SHOWN_REASONS = 3

EPILOG = """[b]Examples[/b]

packbridge dump whatif dump.log --config config.toml

packbridge dump whatif dump.log --config config.toml --json | jq 'select(.event == "shadow_differs")'

packbridge dump whatif rack-and-inverter.log --config config.toml --map can1=vcan1 --map can0=vcan0

packbridge dump whatif dump.log --config config.toml --since 10m --until 12m

Exit codes: 0 nothing differs, 1 something does, 2 used wrongly."""


def whatif(
    files: Files = None,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
    config: Path = typer.Option(..., help="The configuration that would have been running."),
    mapped: list[str] = typer.Option(
        [], "--map", metavar="BUS=CHANNEL", help="A bus of the configuration is this channel of the dump."
    ),
    warm_up: float | None = typer.Option(
        None, min=0.0, metavar="SECONDS", help="Lived through before the dump; else what limits need to rise."
    ),
    as_json: bool = typer.Option(False, "--json", help="Differences as JSON lines, the summary last."),
) -> None:
    """Play a dump to the real engine in virtual time, and compare, signal by signal.

    Packs of the configuration that are on CAN are heard in the dump. If
    none is, the battery that speaks there is taken for all of them
    together, as one pack that speaks pylontech-can: its measurements are
    then ours, and so are its own limits, which can only lower ours.
    """
    need_numpy()
    from bridge import config as configuration
    from bridge.dump.channels import begun
    from bridge.dump.roles import cast as roles_of
    from bridge.dump.whatif import whatif as played

    loaded = configuration.load(config)
    configuration.require_inverter(loaded)
    source = Frames(files=files or [], form=form, since=since, until=until, ids=ids)
    with told() as reading:
        there, blocks = begun(source.blocks(reading))
        if not there:
            raise ConfigError("there is no frame in it that is wanted")
        roles = roles_of(loaded, there, dict(_pair(word) for word in mapped))
        outcome = played(blocks, roles, warm_up_s=warm_up)
    for note in outcome.notes:
        typer.echo(note, err=True)
    if as_json:
        for news in outcome.news:
            typer.echo(json.dumps(news.record()))
        typer.echo(json.dumps(outcome.record()))
    else:
        _tell(outcome)
    raise typer.Exit(EXIT_DIFFERS if outcome.differs else 0)


def _pair(word: str) -> tuple[str, str]:
    bus, _, channel = word.partition("=")
    if not bus or not channel:
        raise ConfigError(
            f"--map {word}: write BUS=CHANNEL, a bus of the configuration and a channel of the dump"
        )
    return bus, channel


def _tell(outcome: Outcome) -> None:
    from rich.console import Console
    from rich.text import Text

    from bridge.cli.shadow import table

    console = Console()
    for name, rows in outcome.rows.items():
        console.print(table(name, [row for row in rows if row["differing"]], outcome.heard[name]))
        agreed = [str(row["signal"]) for row in rows if row["readings"] and not row["differing"]]
        console.print(Text(f"never different: {', '.join(agreed) or 'none'}"), soft_wrap=True)
        if unsaid := [str(row["signal"]) for row in rows if not row["readings"]]:
            console.print(Text(f"only we would say: {', '.join(unsaid)}"), soft_wrap=True)
        if (why := outcome.silent.get(name)) is not None:
            console.print(f"{name}: we would be silent: {why}", style="yellow")
    if not outcome.samples:
        console.print("no pack was understood in the dump, so there was nothing to decide from", style="red")
    for line in _timeline(outcome):
        console.print(Text(line), soft_wrap=True)
    console.print(Text("our limits at the end, and why:", style="bold"))
    for line in _reasons(outcome):
        console.print(Text(line), soft_wrap=True)
    lasted_s = (outcome.last_s or 0.0) - (outcome.first_s or 0.0)
    verdict = "something differs" if outcome.differs else "nothing differs"
    console.print(f"{outcome.frames} frames in {lasted_s:.1f} s: {verdict}")


def _timeline(outcome: Outcome) -> Iterator[str]:
    for news in outcome.news[:SHOWN_NEWS]:
        yield _line(news)
    if (more := len(outcome.news) - SHOWN_NEWS + outcome.more_news) > 0:
        yield f"... and {more} more; --json has them"


def _line(news: News) -> str:
    found = news.report.fields
    unit = str(found["unit"])
    if news.report.event == "shadow_agrees":
        return f"{_moment(news.time_s)} {found['signal']} agrees again after {found['differed_s']} s"
    because = f", because {news.because}" if news.because else ""
    return (
        f"{_moment(news.time_s)} {found['signal']}: theirs {_said(found['theirs'], unit)}, "
        f"ours {_said(found['ours'], unit)}{because}"
    )


def _said(value: object, unit: str) -> str:
    shown = "nothing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{shown} {unit}" if unit and value is not None else shown


def _moment(time_s: float) -> str:
    from bridge.dump.reading import ABSOLUTE_S

    if time_s < ABSOLUTE_S:
        return f"{time_s:.1f} s"
    return datetime.fromtimestamp(time_s, UTC).astimezone().strftime("%m-%d %H:%M:%S")


def _reasons(outcome: Outcome) -> Iterator[str]:
    for key, found in outcome.why.items():
        constraints = cast("list[dict[str, object]]", found["constraints"])
        yield f"  {key} {found['value']:g}"
        for one in constraints[:SHOWN_REASONS]:
            pack = f" ({one['pack']})" if one.get("pack") else ""
            yield f"      {one['value']:g}: {one['rule']}{pack}: {one['text']}"
