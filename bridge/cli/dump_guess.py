"""`packbridge dump guess`: which dialect a dump is in, and who speaks it. The work is in `bridge.dump`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

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
    from collections.abc import Iterator

    from bridge.dump.guess import Candidate, Guess

EPILOG = """[b]Examples[/b]

packbridge dump guess dump.log

packbridge dump guess dump.log --since 2m --until 3m --all

packbridge dump guess dump.log --json | jq -r '.candidates[0].dialect'

Exit codes: 0 something is known of it, 1 nothing, 2 used wrongly."""

EXIT_NOTHING = 1


def guess(
    files: Files = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="The evidence of every candidate, not of the best alone.")
    ] = False,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
    interface: Interface = None,
    channel: Channel = "can0",
    bitrate: Bitrate = 500_000,
) -> None:
    """Say which dialect this is, which battery and which inverter, and why.

    Candidates are ranked by the sum of what speaks for and against them.
    Dialects that look the same on the wire are said to. A few seconds of a
    dump are enough, and frames of other devices do not matter.
    """
    need_numpy()
    from bridge.dump import guess as guessing
    from bridge.dump.survey import survey

    asked = Frames(
        files=files or [], form=form, since=since, until=until, ids=ids,
        interface=interface, channel=channel, bitrate=bitrate,
    )  # fmt: skip
    with told() as reading:
        found = guessing.guess(survey(asked.blocks(reading)))
    if as_json:
        typer.echo(json.dumps(found.report()))
    else:
        typer.echo("\n".join(_lines(found, everything=everything)))
    raise typer.Exit(0 if found.candidates else EXIT_NOTHING)


def _lines(found: Guess, *, everything: bool) -> Iterator[str]:
    from bridge.dump.block import id_text

    if not found.candidates:
        yield f"nothing of {found.frames} frames is known"
    tied = [one for one in found.candidates if one.tied]
    if tied:
        yield f"the same on the wire, and not to be told apart: {', '.join(one.tongue.shown for one in tied)}"
    for number, candidate in enumerate(found.candidates):
        yield f"{candidate.tongue.shown}, {candidate.score:+.1f} points{_families(candidate)}"
        if everything or not number:
            yield from (f"  {one.points:+6.2f}  {one.text}" for one in candidate.evidence)
            yield from (f"  battery: {text}" for text in found.battery if not number)
            yield from (f"  inverter: {text}" for text in found.inverter if not number)
    if found.unknown:
        yield f"in no dialect: {' '.join(id_text(key) for key in found.unknown)}"


def _families(candidate: Candidate) -> str:
    likely = [one.profile.name for one in candidate.families if one.like]
    if not likely:
        return ": a battery's own, no inverter profile sends it"
    return f": as for {', '.join(likely)}"
