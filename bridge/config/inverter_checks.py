"""What must hold for an inverter: a known profile, and a bus or a port of its own that goes with it."""

from __future__ import annotations

from collections.abc import Iterator

from bridge import profiles
from bridge.config import ports
from bridge.config.division_checks import check_division
from bridge.config.draft import Draft
from bridge.config.schema import InverterTable
from bridge.config.sentences import Problem, describe, missing
from bridge.config.wiring_checks import TALL, in_series, tallest
from bridge.errors import ConfigError
from bridge.links.opening import kind_of
from bridge.profiles import AnyProfile, Rs485Profile
from bridge.sinks.rs485 import port_of

CAN_KEYS = ("interface", "channel")
PORT_KEYS = ("port", "baudrate", "address", "driver_enable")


def check_inverters(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong with the inverters."""
    for name, table in draft.file.inverters.items():
        profile, faults = _profile(draft, name, table)
        yield from faults
        yield from _complete(draft, name, table, profile)
        yield from _keys_of_transport(name, table, profile)
        yield from _not_too_tall(draft, name, profile)
        yield from _interface_known(name, table)
        yield from _port_possible(name, table, profile)
        yield from _dialect_willing(name, table, profile)
        yield from _no_strings_apart(draft, name, profile)
    yield from _one_bus_each(draft)
    yield from check_division(draft)


def overridden(profile: Rs485Profile, baudrate: int | None, address: int | None) -> Rs485Profile:
    """The profile with what the configuration says of the line instead."""
    said = {"baudrate": baudrate, "address": address}
    return profile.model_copy(update={key: value for key, value in said.items() if value is not None})


def _profile(draft: Draft, name: str, table: InverterTable) -> tuple[AnyProfile | None, list[Problem]]:
    """The profile, if it can be used, and what is wrong with it."""
    if table.profile is None:
        return None, []
    try:
        return profiles.find(draft.profile(table.profile)), []
    except ConfigError as error:
        return None, [Problem(("inverters", name, "profile"), text) for text in error.problems]


def _complete(draft: Draft, name: str, table: InverterTable, profile: AnyProfile | None) -> Iterator[Problem]:
    on_port = isinstance(profile, Rs485Profile) or (profile is None and table.port is not None)
    for key in ("profile", *(("port",) if on_port else CAN_KEYS)):
        path = ("inverters", name, key)
        if getattr(table, key) is None and path not in draft.unreadable:
            yield Problem(path, missing(InverterTable, key))


def _not_too_tall(draft: Draft, name: str, profile: AnyProfile | None) -> Iterator[Problem]:
    if profile is not None and profile.battery == "low-voltage" and (cells := tallest(draft)) > TALL:
        yield Problem(
            ("inverters", name, "profile"),
            f"{profile.name} is for inverters with a low-voltage battery, and {cells:g} cells stand in "
            f"series; such an inverter takes at most {TALL}: correct the profile or the wiring",
        )


def _keys_of_transport(name: str, table: InverterTable, profile: AnyProfile | None) -> Iterator[Problem]:
    """A key that would do nothing is refused like a misspelt one."""
    if profile is None:
        return
    on_port = isinstance(profile, Rs485Profile)
    where = "RS485, and reached by port" if on_port else "CAN, and reached by interface and channel"
    for key in CAN_KEYS if on_port else PORT_KEYS:
        if (value := getattr(table, key)) is not None:
            text = f"found {describe(value)}, but {profile.name} is on {where}; remove it"
            yield Problem(("inverters", name, key), text)


def _interface_known(name: str, table: InverterTable) -> Iterator[Problem]:
    if table.interface is not None and (unknown := ports.unknown_interface(table.interface)) is not None:
        yield Problem(("inverters", name, "interface"), unknown)


def _port_possible(name: str, table: InverterTable, profile: AnyProfile | None) -> Iterator[Problem]:
    if table.port is None or not isinstance(profile, Rs485Profile):
        return
    kind = kind_of(table.port)
    if (fault := ports.fault(table.port, ("serial",))) is not None:
        yield Problem(("inverters", name, "port"), fault)
    elif kind != "serial":
        yield Problem(
            ("inverters", name, "port"),
            f"found {ports.KINDS[kind]}; {profile.name} is on RS485; write {ports.forms(('serial',))}",
        )


def _dialect_willing(name: str, table: InverterTable, profile: AnyProfile | None) -> Iterator[Problem]:
    """What the dialect says of the profile's options, and of the address."""
    if not isinstance(profile, Rs485Profile):
        return
    for blamed, checked in (("profile", profile), ("address", overridden(profile, None, table.address))):
        try:
            port_of(checked)
        except ConfigError as error:
            texts = [text.removeprefix(f"{profile.path}: address: ") for text in error.problems]
            yield from (Problem(("inverters", name, blamed), f"found {text}") for text in texts)
            return


def _no_strings_apart(draft: Draft, name: str, profile: AnyProfile | None) -> Iterator[Problem]:
    """An inverter takes batteries that answer side by side for batteries in parallel."""
    if not isinstance(profile, Rs485Profile) or profile.options.get("pose") != "each":
        return
    if strings := [pack.name for pack in draft.packs if pack.name in in_series(draft)]:
        yield Problem(
            ("inverters", name, "profile"),
            f'{profile.path}: options.pose: found "each", one battery for each pack, but '
            f"{', '.join(strings)} stand in series; an inverter would add up their capacities and take the "
            'voltage of one for the bank\'s; write pose = "one" there',
        )


def _one_bus_each(draft: Draft) -> Iterator[Problem]:
    first: dict[object, str] = {}
    for name, table in draft.file.inverters.items():
        if table.interface is not None and table.channel is not None:
            other = first.setdefault((table.interface, table.channel), name)
            if other != name:
                yield Problem(
                    ("inverters", name, "channel"),
                    f"found {describe(table.channel)}, the bus of {other} too; two senders of the same "
                    "messages on one bus disturb each other; write one entry for the inverters that share "
                    "a bus",
                )
        elif table.port is not None and ports.fault(table.port) is None:
            other = first.setdefault(ports.wire(table.port), name)
            if other != name:
                yield Problem(
                    ("inverters", name, "port"),
                    f"found {describe(table.port)}, the port of {other} too; each inverter is the master of "
                    "its pair and would talk into the other's answers; give each its own port",
                )
