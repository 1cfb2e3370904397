"""`packbridge dump lint`: what is wrong in a dump, for its inverter. The work is in `bridge.dump`."""

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
from bridge.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from bridge.dump.lint import Finding, Opened
    from bridge.dump.rule import Rule

EPILOG = """[b]Examples[/b]

packbridge dump lint dump.log

packbridge dump lint dump.log --profile victron-gx

packbridge dump lint dump.log --without gap --without foreign-ids

packbridge dump lint dump.log --json | jq -r 'select(.severity == "error") | .text'

packbridge dump lint --rules

Exit codes: 0 nothing has to be done, 1 warnings or errors, 2 used wrongly."""

EXIT_FOUND = 1
STYLES = {"error": "red", "warning": "yellow", "note": "bright_black"}


def lint(
    files: Files = None,
    profile: Annotated[
        str | None, typer.Option(help="The inverter it is meant for.", show_default=False)
    ] = None,
    dialect: Annotated[str | None, typer.Option(help="The dialect it is in.", show_default=False)] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave this rule out.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding.")] = False,
    list_rules: Annotated[bool, typer.Option("--rules", help="List the rules and end.")] = False,
    form: Form = None,
    since: Since = None,
    until: Until = None,
    ids: Ids = None,
    interface: Interface = None,
    channel: Channel = "can0",
    bitrate: Bitrate = 500_000,
) -> None:
    """Say what is wrong, why it matters to this inverter, and what to do.

    Without --profile or --dialect it is guessed what the dump is; that is
    said on standard error. A finding that repeats is said once, with the
    worst frame, its line, and how often from when to when.
    """
    need_numpy()
    from bridge.dump import lint as linting

    if list_rules:
        for name, rule in linting.rules().items():
            typer.echo(f"{rule.severity:8} {name}: {rule.finds}")
        raise typer.Exit
    rules = _rules(without or [])
    asked = Frames(
        files=files or [], form=form, since=since, until=until, ids=ids,
        interface=interface, channel=channel, bitrate=bitrate,
    )  # fmt: skip
    with told() as reading:
        opened = linting.opened(asked.blocks(reading), linting.case_of(profile, dialect))
        _say_case(opened)
        if opened.case is None:
            raise typer.Exit(EXIT_FOUND)
        linter = linting.Linter(opened.case, rules)
        for block in opened.blocks:
            linter.add(block)
        findings = linter.findings()
    for finding in findings:
        typer.echo(json.dumps(finding.report()) if as_json else _shown(finding, linter.begin_s))
    counted = linting.counted(findings)
    if not as_json:
        typer.echo(f"{counted.errors} errors, {counted.warnings} warnings, {counted.notes} notes")
    raise typer.Exit(0 if counted.clean else EXIT_FOUND)


def _rules(without: list[str]) -> dict[str, Rule]:
    from bridge.dump import lint as linting

    rules = dict(linting.rules())
    for name in without:
        if rules.pop(name, None) is None and name not in linting.rules():
            known = ", ".join(linting.rules())
            raise ConfigError(f"unknown rule {name!r}; known: {known}{did_you_mean(name, linting.rules())}")
    return rules


def _say_case(opened: Opened) -> None:
    case, guessed = opened.case, opened.guessed
    if case is None:
        typer.echo("nothing in these frames is known; --profile says what they should be", err=True)
    elif guessed is not None:
        like = [one.profile.name for one in guessed.candidates[0].families if one.like]
        others = f", one of {', '.join(like)}" if len(like) > 1 else ""
        profile = f" for {case.profile.name}{others}" if case.profile else ""
        typer.echo(f"taken for {case.tongue.shown}{profile}; --profile says what it should be", err=True)


def _shown(finding: Finding, begin_s: float | None) -> str:
    severity = typer.style(f"{finding.severity:8}", fg=STYLES[finding.severity])
    lines = [f"{severity} {finding.rule}: {finding.text}"]
    if finding.frame is not None:
        place = f"line {finding.line}" if finding.line else ""
        place = " ".join(part for part in (finding.source, place) if part)
        lines.append(f"         {finding.frame}{_at(finding, begin_s)}{f', {place}' if place else ''}")
    lines += [f"         {finding.why}", f"         -> {finding.do}"]
    return "\n".join(lines)


def _at(finding: Finding, begin_s: float | None) -> str:
    """When it was, from the begin of the log, and how often."""
    often = "" if finding.count == 1 else f", {finding.count} times"
    if finding.time_s is None or finding.first_s is None or finding.last_s is None or begin_s is None:
        return often
    at = f" at {finding.time_s - begin_s:.3f} s"
    if finding.count == 1:
        return at
    return f"{at}{often} from {finding.first_s - begin_s:.3f} to {finding.last_s - begin_s:.3f} s"
