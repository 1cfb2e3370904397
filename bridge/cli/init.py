"""`packbridge init`: from nothing to a checked configuration, question by question.

One idea: what can hurt a battery is asked and never assumed. A question has a default only where any
answer is safe; `--yes` takes those defaults without asking and asks the others all the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bridge.cli.check import check
from bridge.cli.scan import SECONDS, listed, look, nothing, refuse_to_overwrite, show
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.found import Found
    from bridge.model import Chemistry

EXIT_NOTHING = 1
LIFEPO4 = "lifepo4"  # the other name of LFP

EPILOG = """[b]Examples[/b]

packbridge init

packbridge init --ports /dev/ttyUSB0 my-bank.toml

Exit codes: 0 the file is written and right, 1 no pack was found, 2 used wrongly."""


def init(
    config: Path = typer.Argument(Path("config.toml"), help="The file to write."),
    ports: list[str] = typer.Option([], metavar="PORT", help="Only these ports, as for packbridge scan."),
    seconds: float = typer.Option(SECONDS, min=1.0, help="The most that the search may take."),
    ble: bool | None = typer.Option(
        None, "--ble/--no-ble", help="Bluetooth. Default: unless PORTs are named."
    ),
    can: bool | None = typer.Option(None, "--can/--no-can", help="CAN. Default: unless PORTs are named."),
    yes: bool = typer.Option(False, "--yes", help="Take safe defaults without asking."),
    force: bool = typer.Option(False, "--force", help="Replace a file that is there."),
) -> None:
    """Ask what cannot be measured, find the packs, write the configuration and check it.

    Ratings are asked for each pack and have no default: look at the data
    sheets, cables and fuses before you start.
    """
    from bridge.survey import Plan

    refuse_to_overwrite(config, force=force)
    inverter = _ask_inverter(yes=yes)
    spared = [inverter.place["port"]] if "port" in inverter.place else []
    plan = Plan(ports=listed(ports), seconds=seconds, ble=ble, can=can, spared=spared)
    cells = round(_ask_number("Cells in series in each pack", least=1, most=32))
    chemistry = _ask_chemistry()
    report = look(plan)
    found = _fitting(report.found, cells)
    if not found:
        typer.echo(nothing(report), err=True)
        raise typer.Exit(EXIT_NOTHING)
    show(found, lines=False)
    packs = [_ask_pack(one, number, cells, yes=yes) for number, one in enumerate(found, start=1)]
    config.write_text(_text(inverter, packs, chemistry), encoding="utf-8")
    check([config], no_ports=True)
    typer.echo(f"next: packbridge check {config} && packbridge run {config}")


@dataclass(frozen=True, slots=True)
class _Inverter:
    """place: the keys that say where it is."""

    profile: str
    place: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Pack:
    found: Found
    name: str
    values: dict[str, float]


def _ask_inverter(*, yes: bool) -> _Inverter:
    """Which inverter, on which bus. A wrong bus is silent, so it may have a default; a profile may not."""
    from bridge import profiles

    known = profiles.names()
    for number, name in enumerate(known, start=1):
        typer.echo(f"{number}. {name}: {profiles.find(name).family}")
    profile = ""
    while profile not in known:
        answer = str(typer.prompt("Inverter (number or name)"))
        position = int(answer) - 1 if answer.isdecimal() else -1
        profile = known[position] if 0 <= position < len(known) else answer
        if profile not in known:
            typer.echo(f"{answer}: none of these")
    if profiles.find(profile).transport == "rs485":
        return _Inverter(profile, {"port": str(typer.prompt("Serial port that the inverter is on"))})
    return _Inverter(profile, {"interface": "socketcan", "channel": _ask_channel(yes=yes)})


def _ask_channel(*, yes: bool) -> str:
    from bridge.surroundings import can_ports

    up, down = can_ports()
    likely = next(iter([*up, *down]), "can:can0").removeprefix("can:")
    return likely if yes else str(typer.prompt("CAN interface that the inverter is on", default=likely))


def _ask_chemistry() -> Chemistry:
    """Asked without a default: the wrong one would charge and discharge the cells to the wrong voltages."""
    from bridge.model import Chemistry

    known = ", ".join(Chemistry)
    answer = str(typer.prompt(f"Cell chemistry ({known})")).strip().lower()
    if answer not in {LIFEPO4, *Chemistry}:
        raise ConfigError(
            f"found {answer!r}; known are {known} (LFP is LiFePO4), and cells of another kind would be "
            "charged and discharged to the wrong voltages; packbridge can't run them"
        )
    return Chemistry.LFP if answer == LIFEPO4 else Chemistry(answer)


def _fitting(found: Sequence[Found], cells: int) -> list[Found]:
    """The packs of this bank; what contradicts the person's own count is left out and said."""
    packs: list[Found] = []
    for one in found:
        if one.accessory:
            typer.echo(f"{one.way.port}: {one.way.entry.spec.maker}: not a pack; see docs/configuration.md")
        elif one.cells not in {None, cells}:
            typer.echo(f"{one.way.port}: left out: it has {one.cells} cells, you said {cells}", err=True)
        else:
            packs.append(one)
    return packs


def _ask_pack(found: Found, number: int, cells: int, *, yes: bool) -> _Pack:
    typer.echo(f"\nPack {number}: {found.way} on {found.way.port}")
    name = f"pack{number}"
    if not yes:
        name = _ask_name(name)
    known_ah = found.capacity_ah
    if yes and known_ah is not None:
        capacity_ah = known_ah
    else:
        capacity_ah = _ask_number("Capacity, Ah", default=known_ah, most=10_000)
    values: dict[str, float] = {"cells": cells, "capacity_ah": capacity_ah}
    for way in ("charge", "discharge"):
        text = f"What its BMS, cells and cable may carry all day, {way}, A (data sheet)"
        values[f"rated_{way}_current_a"] = _ask_number(text, most=2000)
    fuse_a = _ask_number("Fuse in its cable, A (0: none)", least=0, most=2000)
    return _Pack(found, name, values | ({"fuse_a": fuse_a} if fuse_a else {}))


def _ask_name(default: str) -> str:
    while True:
        name = str(typer.prompt("Name", default=default)).strip()
        if name.replace("-", "").replace("_", "").isalnum() and name.isascii() and len(name) <= 32:
            return name
        typer.echo("1 to 32 letters, digits, - or _")


def _ask_number(text: str, *, default: float | None = None, least: float = 0.1, most: float) -> float:
    """A number within bounds; asked again until it is one."""
    while True:
        answer = str(typer.prompt(text, default=None if default is None else f"{default:g}"))
        try:
            number = float(answer.replace(",", "."))
        except ValueError:
            number = -1.0
        if least <= number <= most:
            return number
        typer.echo(f"{answer}: allowed are {least:g} to {most:g}")


def _text(inverter: _Inverter, packs: Sequence[_Pack], chemistry: Chemistry) -> str:
    from bridge.found import configuration, pack_lines

    keys = {"profile": inverter.profile, **inverter.place}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    table = "\n".join(["[inverters.house]", *lines, ""])
    kind = f"chemistry = {json.dumps(chemistry)}"
    return configuration(
        ([*pack_lines(one.found, one.name, one.values), kind] for one in packs), inverter=table
    )
