"""`packbridge profiles`: which inverters are known, and how to wire and set one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from bridge.profile_tables import Family
    from bridge.profiles import AnyProfile, Profile, Rs485Profile

EVIDENCE = {
    "field": "proven in the field",
    "project": "one project in the field",
    "document": "from a document, untested",
}

OVER = {"can": "CAN", "rs485": "RS485"}

app = typer.Typer(no_args_is_help=True, help="The inverters that packbridge knows.")


@app.command(
    "list",
    epilog="""[b]Examples[/b]

packbridge profiles list

packbridge profiles list --json""",
)
def list_profiles(
    as_json: bool = typer.Option(False, "--json", help="One JSON array, for machines."),
) -> None:
    """All profiles that can be named in a configuration, your own included."""
    from rich.console import Console
    from rich.table import Table

    from bridge import profiles

    loaded = [profiles.find(name) for name in profiles.names()]
    if as_json:
        keys = ("name", "family", "transport", "dialect", "evidence")
        typer.echo(json.dumps([{key: getattr(one, key) for key in keys} for one in loaded]))
        return
    table = Table("name", "family", "over", "dialect", "evidence", box=None)
    for one in loaded:
        table.add_row(one.name, one.family, OVER[one.transport], one.dialect, EVIDENCE[one.evidence])
    Console().print(table)


@app.command(
    "show",
    epilog="""[b]Examples[/b]

packbridge profiles show deye-lv

packbridge profiles show ./my-inverter.toml --json""",
)
def show_profile(
    name: str = typer.Argument(..., help="A profile's name, or the path of one."),
    as_json: bool = typer.Option(False, "--json", help="The whole profile, for machines."),
) -> None:
    """A sheet for the person who wires the inverter and sets its menu."""
    from rich.console import Console

    from bridge import profiles

    profile = profiles.find(name)
    if as_json:
        found = {"name": profile.name, "path": str(profile.path)}
        typer.echo(json.dumps(found | profile.model_dump(mode="json")))
        return
    Console().print(_sheet(profile), soft_wrap=False)


@app.command(
    "schema",
    epilog="""[b]Examples[/b]

packbridge profiles schema > profile.schema.json

packbridge profiles schema --registers > registers.schema.json""",
)
def print_schema(
    registers: bool = typer.Option(False, "--registers", help="Of a Modbus register map instead."),
) -> None:
    """The JSON Schema of a profile, for editors that check and complete while you write one."""
    from bridge import profiles
    from bridge.registers import maps

    typer.echo(json.dumps(maps.schema() if registers else profiles.schema(), indent=2))


def _sheet(profile: AnyProfile) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=f"{profile.name}: {profile.family}",
        title_justify="left",
        show_header=False,
        box=None,
        padding=(0, 1),
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for heading, lines in _sections(profile).items():
        table.add_row(heading, Text("\n".join(lines)))
    return table


def _sections(profile: AnyProfile) -> dict[str, list[str]]:
    """What a sheet says, the cable first; most of it is alike for both kinds of line."""
    wiring = profile.wiring
    how = _can_sections(profile) if profile.transport == "can" else _rs485_sections(profile)
    return {
        "Socket": [wiring.socket],
        "Pins": [f"{pin}  {meaning}" for pin, meaning in wiring.pins.items()],
        "Bus": [f"{how.pop('speed')[0]}; {wiring.termination}"],
        "": list(wiring.notes),
        "Menu": [f"{number}. {step}" for number, step in enumerate(profile.menu, start=1)] + _named(profile),
        **how,
        "Limits": [f"its current is judged by the highest limit of the last {profile.reaction_s:g} s"],
        "No current": _no_current(profile),
        "Alarms": [profile.alarm_effect or "what it makes of them is not known"],
        "If we stop": _silence(profile),
        "Beware": [f"- {quirk}" for quirk in profile.quirks] or ["nothing known"],
        "Evidence": [EVIDENCE[profile.evidence], *(f"- {source}" for source in profile.sources)],
        "File": [str(profile.path)],
    }


def _named(profile: AnyProfile) -> list[str]:
    return [] if profile.menu_evidence == "known" else ["(no source has these names: the menu may differ)"]


def _can_sections(profile: Profile) -> dict[str, list[str]]:
    return {
        "speed": [f"{profile.bitrate // 1000} kbit/s"],
        "Dialect": [profile.dialect, *_speech(profile)],
        "Names": [f"{name}: {value!r}" for name, value in profile.constants.items()] or ["none"],
        "Answers": [
            f"{_hex([one.id])} about every {one.period_s:g} s; missed after {one.may_be_late_s:g} s"
            for one in profile.answers
        ]
        or ["nothing"],
    }


def _rs485_sections(profile: Rs485Profile) -> dict[str, list[str]]:
    address = "the dialect's own" if profile.address is None else f"{profile.address}"
    return {
        "speed": [
            (
                f"RS485, {profile.baudrate} baud, 8 data bits, parity {profile.parity}, "
                f"{profile.stop_bits} stop bit{'s' * (profile.stop_bits > 1)}"
            )
        ],
        "Dialect": [profile.dialect, *(f"{key}: {value}" for key, value in profile.options.items())],
        "Address": [f"{address}, at which it looks for its battery"],
        "It asks": [
            (
                f"about every {profile.poll_s:g} s{_assumed(profile.poll_evidence)}; "
                f"the whole answer must be there within {1000 * profile.reply_within_s:g} ms"
                f"{_assumed(profile.reply_evidence)}"
            ),
            (
                f"our answer begins {1000 * profile.turnaround_s:g} to {1000 * profile.answer_within_s:g} ms "
                "after the question, or not at all"
            ),
        ],
    }


def _assumed(evidence: str) -> str:
    return "" if evidence == "known" else " (assumed: no source states it)"


def _hex(ids: Iterable[int]) -> str:
    return " ".join(f"0x{can_id:X}" for can_id in ids)


def _speech(profile: Profile) -> list[str]:
    """What is sent when, and in which form."""
    lines = []
    if profile.order:
        unasked = ", while it does not ask" if profile.cycle_only_unasked else ""
        lines.append(f"every {profile.period_s:g} s{unasked}: {_hex(profile.order)}")
    lines += [f"every {group.period_s:g} s: {_hex(group.order)}" for group in profile.slow]
    for poll in profile.polls:
        if poll.send:
            when = f" in state {', '.join(poll.when)}" if poll.when else ""
            then = f", then {poll.then}" if poll.then else ""
            lines.append(f"to {_hex([poll.id])} {poll.data or '..'}{when}: {_hex(poll.send)}{then}")
    lines.append("every frame of 8 bytes" if profile.pad_to else "frames of their genuine lengths")
    if profile.id_offset:
        lines.append(f"0x{profile.id_offset:X} is added to these identifiers")
    if profile.waits_for_inverter:
        lines.append("nothing before the inverter was heard")
    return lines


def _no_current(profile: Family) -> list[str]:
    lines = ["CVL stays at the battery's voltage" if profile.stop == "pack-voltage" else "CVL as decided"]
    charge = profile.ranges.get("charge_current_limit_a")
    least_a = None if charge is None else charge.min
    lines.append("CCL and DCL 0" if not least_a else f"CCL and DCL {least_a:g} A, because 0 is ignored")
    for name, within in profile.ranges.items():
        ends = ["" if end is None else f"{end:g}" for end in (within.min, within.max)]
        lines.append(f"{name} is kept to {ends[0]}..{ends[1]}")
    if profile.cells_assumed is not None:
        lines.append(f"it takes the battery for {profile.cells_assumed} cells in series")
    return lines


def _silence(profile: AnyProfile) -> list[str]:
    fault = f", shown as {profile.comm_fault_shown}" if profile.comm_fault_shown else ""
    lines = [f"we are silent {profile.dead_man_s:g} s after the last decision;"]
    if profile.transport == "rs485" and profile.stale == "silence":
        lines.append("and as soon as all packs are lost;")
    if profile.silence_after_s is not None:
        lines.append(f"and {profile.silence_after_s:g} s after all packs were lost;")
    known = _assumed(profile.comm_fault_evidence)
    return [*lines, f"the inverter reports a fault {profile.comm_fault_s:g} s later{known}{fault}"]
