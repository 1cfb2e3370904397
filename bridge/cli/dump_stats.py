"""`packbridge dump stats`: who sends how often, and how full the bus is. The work is in `bridge.dump`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, cast

import typer

from bridge.cli.dumps import (
    Bitrate,
    Channel,
    Files,
    Form,
    Frames,
    Ids,
    Interface,
    Since,
    Until,
    need_numpy,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

EPILOG = """[b]Examples[/b]

packbridge dump stats dump.log

packbridge dump stats dump.log --bitrate 250000 --json | jq .load_pct

timeout -s INT 60 packbridge dump stats --interface socketcan --channel can0

Exit codes: 0 there were frames, 1 there were none, 2 used wrongly."""

EXIT_NOTHING = 1
MILLISECONDS_TO_S = 10.0
TIMES = ("period_p50_s", "period_p99_s", "period_min_s", "period_max_s", "jitter_s")
ROW = "{:>8} {:>9} {:>9} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10}"
HEAD = ROW.format("id", "count", "bytes", "share", "period", "p99", "least", "most", "jitter")


def stats(
    files: Files = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each channel.")] = False,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
    interface: Interface = None,
    channel: Channel = "can0",
    bitrate: Bitrate = 500_000,
) -> None:
    """Count a dump: each identifier's periods and jitter, and the bus load.

    The load counts every bit of every frame on the wire, stuff bits too, at
    the bit rate that is given; the peak is that of the busiest second. Periods are
    told to one percent; the jitter is their standard deviation.
    """
    need_numpy()
    from bridge.dump.stats import record, statistics

    asked = Frames(
        files=files or [], form=form, since=since, until=until, ids=ids,
        interface=interface, channel=channel, bitrate=bitrate,
    )  # fmt: skip
    with told() as reading:
        found = statistics(asked.blocks(reading))
        for name in sorted(found):
            counted = record(found[name], bitrate)
            if as_json:
                typer.echo(json.dumps(counted))
            else:
                _print(counted)
    raise typer.Exit(0 if found else EXIT_NOTHING)


def _print(counted: Mapping[str, object]) -> None:
    typer.echo(_summary(counted))
    typer.echo(HEAD)
    for one in cast("list[Mapping[str, object]]", counted["ids"]):
        lengths = " ".join(map(str, cast("list[int]", one["lengths"])))
        times = [_time(one[key]) for key in TIMES]
        share = f"{one['share_pct']} %"
        typer.echo(ROW.format(one["id"], one["count"], lengths, share, *times))


def _summary(counted: Mapping[str, object]) -> str:
    said = [f"{counted['channel'] or 'bus'}: {counted['frames']} frames"]
    if counted["duration_s"] is not None:
        said.append(f"in {counted['duration_s']:.1f} s")
    if counted["load_pct"] is not None:
        said.append(f"load {counted['load_pct']} % of {counted['bitrate']} bit/s")
    if counted["peak_load_pct"] is not None:
        said.append(f"peak {counted['peak_load_pct']} %")
    others = ("error_frames", "remote_frames", "fd_frames")
    said += [f"{counted[key]} {key.replace('_', ' ')}" for key in others if counted[key]]
    if counted["times_back"]:
        said.append(f"time goes back {counted['times_back']} times")
    return ", ".join(said)


def _time(value: object) -> str:
    if value is None:
        return "-"
    seconds = cast(float, value)
    return f"{1000 * seconds:.1f} ms" if seconds < MILLISECONDS_TO_S else f"{seconds:.1f} s"
