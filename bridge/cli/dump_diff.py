"""`packbridge dump diff`: two dumps beside each other. The work is in `bridge.dump.diff`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.dumps import Form, Frames, Ids, Since, Until, need_numpy, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.dump.diff import Compared, Difference

EPILOG = """[b]Examples[/b]

packbridge dump diff before.log after.log

packbridge dump diff genuine.log gateway.log --profile deye-lv

packbridge dump diff before.log after.log --align start --json | jq 'select(.kind == "signal")'

Exit codes: 0 nothing differs, 1 something does, 2 used wrongly."""

EXIT_DIFFERENT = 1
ALIGNMENTS = ("auto", "start", "none")
HEADS = {
    "dialect": "dialects",
    "identifier": "identifiers that only one has, with the number of frames",
    "period": "periods (median)",
    "gap": "longest gaps",
    "length": "data bytes",
    "text": "texts",
    "constant": "constants",
    "bit": "bits, and alarms that are raised",
    "byte": "bytes, of bits that nothing describes",
    "signal": "signals, where they are furthest apart",
}


def diff(
    first: Annotated[str, typer.Argument(help="A log in any form; '-' is standard input.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    align: Annotated[
        str, typer.Option(help="auto: where both agree best; start: both begin together; none: by the clock.")
    ] = "auto",
    profile: Annotated[
        str | None, typer.Option(help="The inverter that both are meant for.", show_default=False)
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(help="The dialect that both are in.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a difference.")] = False,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
) -> None:
    """Say what differs: identifiers, periods, lengths, bits and the course of every signal.

    Without --profile or --dialect it is guessed what both are. Signals are
    compared at the same moments, after one dump was moved in time upon the
    other; differences of a step and of half a second are none.
    """
    need_numpy()
    from bridge.dump.alignment import Align
    from bridge.dump.diff import Side, compare
    from bridge.dump.lint import case_of
    from bridge.errors import ConfigError, did_you_mean

    if align not in ALIGNMENTS:
        known = ", ".join(ALIGNMENTS)
        raise ConfigError(f"--align: unknown {align!r}; known: {known}{did_you_mean(align, ALIGNMENTS)}")
    case = case_of(profile, dialect)
    with told() as reading:
        sides = [
            Side(Frames(files=[name], form=form, since=since, until=until, ids=ids).blocks(reading), name)
            for name in (first, second)
        ]
        found = compare(sides[0], sides[1], Align(align), case.tongue if case else None)
    for line in _records(found) if as_json else _lines(found, first, second):
        typer.echo(line)
    raise typer.Exit(EXIT_DIFFERENT if found.differences else 0)


def _records(found: Compared) -> Iterator[str]:
    return (json.dumps(one.report()) for one in found.differences)


def _lines(found: Compared, first: str, second: str) -> Iterator[str]:
    from bridge.dump.diff import by_kind

    yield _placed(found)
    kinds = by_kind(found.differences)
    for kind, head in HEADS.items():
        if kind in kinds:
            yield f"{head}: {first} | {second}"
            yield from (f"  {_shown(one, found.begin_s)}" for one in kinds[kind])
    if not found.differences:
        yield "nothing differs"


def _placed(found: Compared) -> str:
    """What they were read as, and how they were laid upon each other."""
    read_as = f"read as {found.tongue.shown}" if found.tongue else "in no common dialect"
    if found.offset is None:
        return read_as
    if found.begin_s is None:
        return f"{read_as}; not both have times, so frames were counted"
    by = f", where {', '.join(found.offset.by)} agree best" if found.offset.by else ""
    return (
        f"{read_as}; the second moved by {found.offset.seconds:+.2f} s{by}; {found.common_s:.0f} s in common"
    )


def _shown(one: Difference, begin_s: float | None) -> str:
    unit = f" {one.unit}" if one.unit else ""
    text = f"{one.about}: {_value(one.first)} | {_value(one.second)}{unit}"
    if one.largest is None or one.mean is None or one.share is None or one.at_s is None:
        return text
    at = f" at {one.at_s - begin_s:.1f} s" if begin_s is not None else ""
    often = f"{one.mean:+.3g} in the mean, apart {100 * one.share:.0f} % of the time"
    return f"{text} ({one.largest:+g}{at}; {often})"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return " ".join(str(one) for one in value)
    return repr(value) if isinstance(value, str) and "\0" in value else str(value)
