"""`packbridge dump decode`: what every frame of a dump means. The work is in `bridge.dump`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from bridge.cli.dumps import (
    Bitrate,
    Channel,
    Dialects,
    Files,
    Form,
    Frames,
    Ids,
    Interface,
    Profiles,
    Since,
    Until,
    need_numpy,
    told,
)
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.dump.block import Block
    from bridge.dump.decoding import Decoding
    from bridge.dump.meaning import Frame
    from bridge.dump.moment import Picture

EPILOG = """[b]Examples[/b]

packbridge dump decode dump.log --dialect pylontech-lv

packbridge dump decode dump.log --profile deye-lv --json | jq .signals.soc_pct

candump -ta can0 | packbridge dump decode --profile victron-gx --changes

packbridge dump decode dump.log --profile deye-lv --at 1m30s

packbridge dump decode month.log.gz --profile deye-lv --parquet month.parquet

Exit codes: 0 any frame was decoded, 1 none was, 2 used wrongly."""

EXIT_NOTHING = 1


def decode(
    files: Files = None,
    profile: Profiles = None,
    dialect: Dialects = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a table as CSV instead.", show_default=False)
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write a table as Parquet instead.", show_default=False)
    ] = None,
    changes: Annotated[bool, typer.Option("--changes", help="Only what differs from before.")] = False,
    at: Annotated[
        str | None,
        typer.Option(help="All that was known at this time, as --since has it.", show_default=False),
    ] = None,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
    interface: Interface = None,
    channel: Channel = "can0",
    bitrate: Bitrate = 500_000,
) -> None:
    """Say what every frame of a CAN dump means, beside its raw bytes.

    Without --profile and --dialect, every dialect is tried: a frame that
    means different things to them is shown with each meaning and the
    dialects that have it. Frames of no dialect are shown as they are.
    """
    need_numpy()
    from bridge.dump import decoding, moment
    from bridge.dump.selection import time_of

    chosen = decoding.chosen(profile or (), dialect or ())
    asked = Frames(
        files=files or [], form=form, since=since, until=until, ids=ids,
        interface=interface, channel=channel, bitrate=bitrate,
    )  # fmt: skip
    with told() as reading:
        blocks = asked.blocks(reading)
        if at is not None:
            decoded = _show(moment.picture(blocks, chosen, time_of(at)), chosen, as_json=as_json)
        elif csv is not None or parquet is not None:
            decoded = _write(blocks, chosen, csv, parquet)
        else:
            decoded = _print(_frames(blocks, chosen, changes=changes), chosen, as_json=as_json)
    raise typer.Exit(0 if decoded else EXIT_NOTHING)


def _frames(blocks: Iterable[Block], chosen: Decoding, *, changes: bool) -> Iterator[Frame]:
    from bridge.dump.meaning import Changes, frames

    if not changes:
        for block in blocks:
            yield from frames(block, chosen)
        return
    changed = Changes()
    for block in blocks:
        for frame in frames(changed.rows(block), chosen):
            if (left := changed.frame(frame)) is not None:
                yield left


def _print(frames: Iterable[Frame], chosen: Decoding, *, as_json: bool) -> bool:
    """Print the frames one by one; whether any had a meaning."""
    any_meaning = False
    named = len(chosen.dialects) > 1
    for frame in frames:
        any_meaning = any_meaning or bool(frame.meanings)
        lines = map(json.dumps, frame.records()) if as_json else frame.text(named=named)
        sys.stdout.write("\n".join(lines) + "\n")
    return any_meaning


def _show(seen: Picture, chosen: Decoding, *, as_json: bool) -> bool:
    for frame in seen.frames:
        age_s = round(seen.at_s - frame.time_s, 6)
        if as_json:
            for record in frame.records():
                typer.echo(json.dumps({**record, "age_s": age_s}))
        else:
            typer.echo(f"{age_s:9.3f} s ago  " + "\n".join(frame.text(named=len(chosen.dialects) > 1)))
    return any(frame.meanings for frame in seen.frames)


def _write(blocks: Iterable[Block], chosen: Decoding, csv: Path | None, parquet: Path | None) -> bool:
    from bridge.dump import tables

    if csv is not None and parquet is not None:
        raise ConfigError("--csv and --parquet: one at a time, because the log is read only once")
    rows = (
        tables.write_parquet(blocks, chosen, parquet)
        if parquet is not None
        else tables.write_csv(blocks, chosen, cast(Path, csv))
    )
    return rows > 0
