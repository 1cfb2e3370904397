"""How a conversation on a serial line went, for a person."""

from __future__ import annotations

from typing import cast

from rich.console import Console
from rich.table import Table


def tell(found: dict[str, object]) -> None:
    """The statistics for a person."""
    console = Console()
    lasted = "no times" if found["duration_s"] is None else f"{found['duration_s']:g} s"
    console.print(
        f"{found['codec']}: {lasted}, {found['bytes_received']} bytes received, {found['bytes_sent']} sent"
    )
    if found["questions"]:
        console.print(
            f"{found['questions']} questions, {found['unanswered']} without an answer "
            f"({found['garbled']} of them garbled), {found['late']} answered after the driver's patience "
            f"of {found['reply_timeout_s']:g} s"
        )
        for key, text in (("first_byte", "until the first byte"), ("complete", "until the message is whole")):
            if isinstance(times := found[key], dict):
                console.print(f"  {text}, ms: " + ", ".join(f"{n[:-3]} {v}" for n, v in times.items()))
    else:
        console.print("nothing in it was sent: turnaround times are not known")
    for key, columns in (
        ("messages", ("message", "address", "count", "period")),
        ("without_answer", ("request", "unanswered", "asked")),
    ):
        rows = cast("list[dict[str, object]]", found[key])
        if rows:
            table = Table(*columns)
            for row in rows:
                table.add_row(*(_cell(row[column]) for column in columns))
            console.print(table)
    for reason, one in cast("dict[str, dict[str, int]]", found["errors"]).items():
        console.print(f"{reason}: {one['count']} times, {one['bytes']} bytes")


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name[:-3]} {number} ms" for name, number in value.items())
    return "-" if value is None else str(value)
