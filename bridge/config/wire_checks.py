"""What must hold between those that share a wire: packs, balancers, and the inverters of a CAN bus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from bridge import profiles
from bridge.config import ports
from bridge.config.draft import OPTION, Draft, PackDraft
from bridge.config.link_checks import spec_of, usable_port
from bridge.config.sentences import Problem, describe
from bridge.errors import ConfigError
from bridge.links.opening import kind_of, wire_of
from bridge.model import CanFrame
from bridge.profiles import Profile
from bridge.protocols import contract
from bridge.protocols.contract import Message, Spec
from bridge.sinks import dialect as dialects


def check_wires(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong on one wire."""
    wired = [(ports.wire(port), link) for link in _links(draft) if (port := usable_port(link)) is not None]
    wired.sort(key=lambda pair: pair[0])
    for _, group in groupby(wired, key=lambda pair: pair[0]):
        first, *others = (link for _, link in group)
        heard = [first]
        for link in others:
            yield from _beside(link, heard)
            heard.append(link)
    for name, table in draft.file.inverters.items():
        yield from _on_port_of_inverter(wired, name, table.port)
    for name, port, profile in _inverters(draft):
        for link in (link for wire, link in wired if wire == ports.wire(port)):
            yield from _beside_inverter(link, name, port, profile)


def _links(draft: Draft) -> list[PackDraft]:
    found = [link for pack in draft.packs for link in (pack, pack.balancer) if link is not None]
    return [link for link in found if spec_of(link) is not None]


def _beside(link: PackDraft, heard: list[PackDraft]) -> Iterator[Problem]:
    """One more on a wire where others hang already."""
    first, spec = heard[0], spec_of(link)
    assert spec is not None
    if kind_of(_port(link)) == "ble":
        yield Problem(
            link.at("port"),
            f"found {describe(_port(link))}, the device of {first.name} too; a Bluetooth module takes one "
            "connection, and belongs to one pack; give each its own",
        )
    elif link.text("bms") != first.text("bms"):
        yield Problem(
            link.at("bms"),
            f"{link.text('bms')} on the port of {first.name}, which speaks {first.text('bms')}; "
            "one port, one protocol; give each its own port",
        )
    elif not spec.shared:
        yield Problem(
            link.at("port"),
            f"found {describe(_port(link))}, the port of {first.name} too; {link.text('bms')} is "
            "point to point; give each pack its own port",
        )
    elif (same := next((it for it in heard if _address(it, spec) == _address(link, spec)), None)) is not None:
        yield Problem(
            link.at("address"),
            f"{link.name} and {same.name} share a port and have the same address {_address(link, spec)}; "
            "give each pack its own address, in its BMS and here",
        )
    else:
        yield from _alike(link, first, spec)


def _alike(link: PackDraft, first: PackDraft, spec: Spec) -> Iterator[Problem]:
    """What two that may share a wire must have the same."""
    if wire_of(_port(link)) != wire_of(_port(first)):
        yield Problem(
            link.at("port"),
            f"found {describe(_port(link))}, another name for the port of {first.name}; "
            f"write the same in both: port = {describe(_port(first))}",
        )
    elif kind_of(_port(link)) == "serial" and _baudrate(link, spec) != _baudrate(first, spec):
        yield Problem(
            link.at("baudrate"),
            f"found {_baudrate(link, spec):g}, but {first.name} on the same port has "
            f"{_baudrate(first, spec):g}; a port has one baud rate",
        )
    elif link.listens != first.listens:
        yield Problem(
            link.at(f"{OPTION}listen"),
            f"{link.name} and {first.name} share a port, and only one of them is listened to; where another "
            "master asks, nothing may be sent; write listen = true for all of its packs, or for none",
        )


def _port(link: PackDraft) -> str:
    return link.text("port") or ""


def _address(link: PackDraft, spec: Spec) -> float | None:
    address = link.number("address")
    return spec.address if address is None else address


def _baudrate(link: PackDraft, spec: Spec) -> float:
    return link.number("baudrate") or spec.baudrate


def _on_port_of_inverter(
    wired: list[tuple[str, PackDraft]], name: str, port: str | None
) -> Iterator[Problem]:
    """Who asks on a pair is its master, and there is one: the inverter, or we."""
    if port is None or ports.fault(port) is not None:
        return
    for link in (link for wire, link in wired if wire == ports.wire(port)):
        yield Problem(
            link.at("port"),
            f"found {describe(_port(link))}, the port of the inverter {name}, which asks there; we could not "
            "ask a pack on the same pair; give the pack its own port",
        )


def _inverters(draft: Draft) -> Iterator[tuple[str, str, Profile]]:
    """(name, port, profile) of the inverters that are complete."""
    for name, table in draft.file.inverters.items():
        if table.interface and table.channel and table.profile:
            try:
                profile = profiles.load(draft.profile(table.profile))
            except ConfigError:
                continue  # its own complaint
            yield name, f"can:{table.interface}:{table.channel}", profile


def _beside_inverter(link: PackDraft, inverter: str, port: str, profile: Profile) -> Iterator[Problem]:
    """A pack on the bus of an inverter: they must not disturb each other, nor be taken for each other."""
    spec, bms = spec_of(link), link.text("bms")
    assert spec is not None
    if kind_of(_port(link)) != "can":
        text = f"found {describe(_port(link))}, the CAN adapter of {inverter}; give the pack its own port"
        yield Problem(link.at("port"), text)
    elif taken := _taken_for_a_pack(contract.load(bms or ""), profile):
        yield Problem(
            link.at("port"),
            f"found {describe(_port(link))}, the bus of {inverter}; what {inverter} is told there "
            f"({', '.join(taken)}) is what {bms} packs say too, and would be taken for it; "
            "give the pack a CAN adapter of its own",
        )
    elif wire_of(_port(link)) != wire_of(port):
        yield Problem(
            link.at("port"),
            f"found {describe(_port(link))}, another name for the bus of {inverter}; "
            f"write the same in both: port = {describe(port)}",
        )
    elif spec.bitrate != profile.bitrate:
        yield Problem(
            link.at("port"),
            f"found {describe(_port(link))}, the bus of {inverter}; {bms} runs at "
            f"{spec.bitrate // 1000} kbit/s and {profile.name} at {profile.bitrate // 1000} kbit/s; "
            "a bus has one bit rate; give the pack a CAN adapter of its own",
        )


def _taken_for_a_pack(protocol: contract.Entry, profile: Profile) -> list[str]:
    """Which of the frames that an inverter is sent a protocol would read as a pack's."""
    decoder, found = protocol.decoder(), []
    ours = dialects.of_profile(profile).messages
    for can_id, extended in sorted(ours):
        if can_id - profile.id_offset not in profile.sent_ids or not ours[can_id, extended].ours:
            continue
        frame = CanFrame(can_id, bytes(8), extended)
        if any(isinstance(item, Message) for item in decoder.feed(frame)):
            found.append(f"0x{can_id:X}")
    return found
