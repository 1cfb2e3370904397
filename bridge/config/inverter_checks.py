"""What must hold for an inverter: a known profile, an interface that there is, a bus of its own."""

from __future__ import annotations

from collections.abc import Iterator

from bridge import profiles
from bridge.config import ports
from bridge.config.division_checks import check_division
from bridge.config.draft import Draft
from bridge.config.schema import InverterTable
from bridge.config.sentences import Problem, describe, missing
from bridge.config.wiring_checks import TALL, tallest
from bridge.errors import ConfigError

REQUIRED = ("profile", "interface", "channel")


def check_inverters(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong with the inverters."""
    for name, table in draft.file.inverters.items():
        yield from _complete(draft, name, table)
        yield from _profile_fits(draft, name, table)
        yield from _interface_known(name, table)
    yield from _one_bus_each(draft)
    yield from check_division(draft)


def _complete(draft: Draft, name: str, table: InverterTable) -> Iterator[Problem]:
    for key in REQUIRED:
        path = ("inverters", name, key)
        if getattr(table, key) is None and path not in draft.unreadable:
            yield Problem(path, missing(InverterTable, key))


def _profile_fits(draft: Draft, name: str, table: InverterTable) -> Iterator[Problem]:
    if table.profile is None:
        return
    try:
        profile = profiles.load(draft.profile(table.profile))
    except ConfigError as error:
        yield from (Problem(("inverters", name, "profile"), text) for text in error.problems)
        return
    if profile.battery == "low-voltage" and (cells := tallest(draft)) > TALL:
        yield Problem(
            ("inverters", name, "profile"),
            f"{profile.name} is for inverters with a low-voltage battery, and {cells:g} cells stand in "
            f"series; such an inverter takes at most {TALL}: correct the profile or the wiring",
        )


def _interface_known(name: str, table: InverterTable) -> Iterator[Problem]:
    if table.interface is not None and (unknown := ports.unknown_interface(table.interface)) is not None:
        yield Problem(("inverters", name, "interface"), unknown)


def _one_bus_each(draft: Draft) -> Iterator[Problem]:
    first: dict[tuple[str, str], str] = {}
    for name, table in draft.file.inverters.items():
        if table.interface is None or table.channel is None:
            continue
        other = first.setdefault((table.interface, table.channel), name)
        if other != name:
            yield Problem(
                ("inverters", name, "channel"),
                f"found {describe(table.channel)}, the bus of {other} too; two senders of the same messages "
                "on one bus disturb each other; write one entry for the inverters that share a bus",
            )
