"""`packbridge why` and `packbridge status`: what a running gateway does, and for which reasons."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from bridge.cli.asking import GATEWAY, JSON, SOCKET, Answered, as_json, number, one, place, several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table


class LimitName(StrEnum):
    """The limits as people call them."""

    CCL = "ccl"
    DCL = "dcl"
    CVL = "cvl"
    DVL = "dvl"


WHY_EPILOG = """[b]Examples[/b]

packbridge why

packbridge why ccl

packbridge why --json --gateway cellar

Exit codes: 0 told, 1 no gateway is running, 2 used wrongly."""

STATUS_EPILOG = """[b]Examples[/b]

packbridge status

packbridge status --json

Exit codes: 0 told, 1 no gateway is running, 2 used wrongly."""


def why(
    limit: LimitName | None = typer.Argument(None, help="Only this limit."),
    gateway: str | None = GATEWAY,
    socket: Path | None = SOCKET,
    json: bool = JSON,
) -> None:
    """Why the limits of a running gateway are not higher: every reason, the binding one first."""
    from bridge.control.requests import LIMITS, Why

    found = several(place(gateway, socket), Why(None if limit is None else LIMITS[limit.value]))
    if json:
        as_json(found)
        return
    from rich.console import Console

    console = Console()
    for entry in found:
        console.print(_table(entry))


def status(gateway: str | None = GATEWAY, socket: Path | None = SOCKET, json: bool = JSON) -> None:
    """Packs, bank, limits and inverters of a running gateway, once."""
    from bridge.control.requests import Status

    picture = one(place(gateway, socket), Status())
    if json:
        as_json(picture)
        return
    from rich.console import Console

    from bridge.cli.tables import overview

    Console().print(overview(picture))


def _table(entry: Answered) -> Table:
    from rich.table import Table
    from rich.text import Text

    unit = str(entry["unit"])
    title = f"{str(entry['limit']).upper()} is {number(entry['value'], '.1f')} {unit}{_parts(entry, unit)}"
    table = Table(title=title, title_justify="left", expand=False)
    table.add_column(unit, justify="right")
    for column in ("rule", "pack"):
        table.add_column(column)
    table.add_column("cell", justify="right")
    table.add_column("age s", justify="right")
    table.add_column("because")
    for rank, reason in enumerate(cast("Sequence[Answered]", entry["constraints"])):
        table.add_row(
            number(reason.get("value"), ".1f"),
            str(reason.get("rule", "")),
            str(reason.get("pack", "")),
            str(reason.get("cell", "")),
            number(reason["age_s"], ".1f") if "age_s" in reason else "",
            Text(str(reason.get("text", ""))),
            style="bold" if rank == 0 else None,
        )
    return table


def _parts(entry: Answered, unit: str) -> str:
    """What each inverter was told, where there are several."""
    parts = cast(Answered, entry.get("inverters") or {})
    if len(parts) < 2:
        return ""
    return "; " + ", ".join(f"{name} is told {number(value, '.1f')} {unit}" for name, value in parts.items())
