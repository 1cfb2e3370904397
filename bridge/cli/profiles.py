"""`packbridge profiles`: which inverters are known, and how to wire and set one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from bridge.profiles import Profile

EVIDENCE = {
    "field": "proven in the field",
    "project": "one project in the field",
    "document": "from a document, untested",
}

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

    loaded = [profiles.load(name) for name in profiles.names()]
    if as_json:
        keys = ("name", "family", "transport", "dialect", "evidence")
        typer.echo(json.dumps([{key: getattr(one, key) for key in keys} for one in loaded]))
        return
    table = Table("name", "family", "dialect", "evidence", box=None)
    for one in loaded:
        table.add_row(one.name, one.family, one.dialect, EVIDENCE[one.evidence])
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

    profile = profiles.load(name)
    if as_json:
        found = {"name": profile.name, "path": str(profile.path)}
        typer.echo(json.dumps(found | profile.model_dump(mode="json")))
        return
    Console().print(_sheet(profile), soft_wrap=False)


def _sheet(profile: Profile) -> Table:
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


def _sections(profile: Profile) -> dict[str, list[str]]:
    wiring = profile.wiring
    fault = f", shown as {profile.comm_fault_shown}" if profile.comm_fault_shown else ""
    known = "" if profile.comm_fault_evidence == "known" else " (assumed: no source states it)"
    frames = " ".join(f"0x{can_id:X}" for can_id in profile.order)
    return {
        "Socket": [wiring.socket],
        "Pins": [f"{pin}  {meaning}" for pin, meaning in wiring.pins.items()],
        "Bus": [f"{profile.bitrate // 1000} kbit/s; {wiring.termination}"],
        "": list(wiring.notes),
        "Menu": [f"{number}. {step}" for number, step in enumerate(profile.menu, start=1)],
        "Dialect": [f"{profile.dialect}, every {profile.period_s:g} s: {frames}"],
        "Names": [f"{name}: {value!r}" for name, value in profile.constants.items()],
        "Answers": [
            f"0x{one.id:X} about every {one.period_s:g} s; missed after {one.may_be_late_s:g} s"
            for one in profile.answers
        ]
        or ["nothing"],
        "If we stop": [
            f"we are silent {profile.dead_man_s:g} s after the last decision;",
            f"the inverter reports a fault {profile.comm_fault_s:g} s later{known}{fault}",
        ],
        "Beware": [f"- {quirk}" for quirk in profile.quirks] or ["nothing known"],
        "Evidence": [EVIDENCE[profile.evidence], *(f"- {source}" for source in profile.sources)],
        "File": [str(profile.path)],
    }
