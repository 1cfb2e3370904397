"""What must hold for how a pack, or a pack's balancer, is reached: protocol, port and what the two ask for.

One idea: a protocol says in its `Spec` what it runs over and which options it knows; a key that would do
nothing is refused like a misspelt one. At the end its session is made for a try, so that what only
the protocol can judge is found here too, and not when the gateway runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bridge.config import ports
from bridge.config.draft import OPTION, PackDraft
from bridge.config.sentences import Problem, describe, example, missing
from bridge.errors import ConfigError, did_you_mean
from bridge.links.opening import kind_of
from bridge.protocols import contract

OWN_KEYS = frozenset({"password", "mac"})
"""Options that are keys of the pack itself."""


def check_link(link: PackDraft) -> list[Problem]:
    """Everything that is wrong with how it is reached."""
    found = [*_complete(link), *_protocol_known(link), *_port_possible(link)]
    if (spec := spec_of(link)) is None:
        return found
    found += _port_spoken_over(link, spec)
    found += _baudrate_usable(link)
    found += _address_possible(link, spec)
    found += _mac_usable(link, spec)
    found += _password_usable(link, spec)
    found += _options_known(link, spec)
    return found or _session_willing(link, spec)


def check_is_pack(pack: PackDraft) -> Iterator[Problem]:
    """An accessory alone is no pack: it knows neither the current nor what the BMS permits."""
    bms = pack.text("bms")
    if spec_of(pack) is not None and _is_accessory(bms or ""):
        yield Problem(
            pack.at("bms"),
            f"{bms} is an accessory and no BMS: it knows neither current nor permission; write here what "
            f"the pack's BMS speaks, and {bms} below [packs.{pack.name}.balancer]",
        )


def check_is_accessory(balancer: PackDraft) -> Iterator[Problem]:
    """Only what the protocols mark as an accessory can add to another pack's readings."""
    bms = balancer.text("bms")
    if spec_of(balancer) is not None and not _is_accessory(bms or ""):
        known = ", ".join(name for name in contract.names() if _is_accessory(name))
        yield Problem(
            balancer.at("bms"),
            f"{bms} is a BMS and no accessory; accessories are: {known}; give a pack of its own a table "
            "[packs.NAME]",
        )


def spec_of(link: PackDraft) -> contract.Spec | None:
    """The wire of its protocol; None if there is no such protocol (its own complaint)."""
    try:
        return contract.load(link.text("bms") or "").spec
    except ConfigError:
        return None


def usable_port(link: PackDraft) -> str | None:
    """Its port, if its form is right."""
    port = link.text("port")
    return None if port is None or ports.fault(port) else port


def _is_accessory(bms: str) -> bool:
    return contract.load(bms).accessory


def _complete(link: PackDraft) -> Iterator[Problem]:
    for key in ("bms", "port"):
        if link.lacks(key):
            yield Problem(link.at(key), missing(link.table, key))


def _protocol_known(link: PackDraft) -> Iterator[Problem]:
    if (name := link.text("bms")) is None:
        return
    try:
        contract.load(name)
    except ConfigError as error:
        yield from (Problem(link.at("bms"), text) for text in error.problems)


def _port_possible(link: PackDraft) -> Iterator[Problem]:
    if (port := link.text("port")) is None:
        return
    spec = spec_of(link)
    if (fault := ports.fault(port, ports.FORMS if spec is None else spec.links)) is not None:
        yield Problem(link.at("port"), fault)


def _port_spoken_over(link: PackDraft, spec: contract.Spec) -> Iterator[Problem]:
    port = usable_port(link)
    if port is not None and (kind := kind_of(port)) not in spec.links:
        yield Problem(
            link.at("port"),
            f"found {ports.KINDS[kind]}; {link.text('bms')} is spoken over: {', '.join(spec.links)}; "
            f"write {ports.forms(spec.links)}",
        )


def _baudrate_usable(link: PackDraft) -> Iterator[Problem]:
    port, baudrate = usable_port(link), link.number("baudrate")
    if port is not None and baudrate is not None and kind_of(port) != "serial":
        text = f"found {baudrate}; {ports.KINDS[kind_of(port)]} has no baud rate; remove it"
        yield Problem(link.at("baudrate"), text)


def _address_possible(link: PackDraft, spec: contract.Spec) -> Iterator[Problem]:
    address, bms = link.number("address"), link.text("bms")
    if address is None:
        return
    if spec.addresses is None:
        yield Problem(link.at("address"), f"found {address}; {bms} has no addresses; remove it")
    elif address == 0 and 0 not in spec.addresses and "listen" in spec.options:
        if not link.listens:
            yield Problem(
                link.at("address"),
                f"found 0, a master, which can only be listened to; allowed for {bms}: "
                f"{_range(spec.addresses)}, and 0 with listen = true below its options",
            )
    elif address not in spec.addresses:
        yield Problem(link.at("address"), f"found {address}; allowed for {bms}: {_range(spec.addresses)}")


def _range(addresses: range) -> str:
    return f"{addresses[0]} to {addresses[-1]}"


def _mac_usable(link: PackDraft, spec: contract.Spec) -> Iterator[Problem]:
    port, mac = usable_port(link), link.text("mac")
    if mac is None:
        return
    in_port = ports.bluetooth_address(port) if port is not None else None
    if "mac" not in spec.options:
        yield Problem(link.at("mac"), f"{link.text('bms')} does not ask for it; remove it")
    elif (normal := ports.normal_mac(mac)) is None:
        text = f"found {describe(mac)}; allowed: six pairs of hexadecimal digits; write for example "
        yield Problem(link.at("mac"), text + example(link.table, "mac"))
    elif in_port is not None and normal != in_port:
        yield Problem(link.at("mac"), f"found {describe(mac)}, but port says {in_port}; remove one of them")


def _password_usable(link: PackDraft, spec: contract.Spec) -> Iterator[Problem]:
    """Nothing here, nor in what sessions say, may show the password."""
    port, bms = usable_port(link), link.text("bms")
    if link.text("password") is None:
        return
    if "password" not in spec.options:
        yield Problem(link.at("password"), f"{bms} is read without a password; remove it")
    elif "mac" in spec.options and link.lacks("mac") and port and ports.bluetooth_address(port) is None:
        yield Problem(
            link.at("mac"),
            f"missing; with a password {bms} needs the address of the radio module; write for example "
            f"{example(link.table, 'mac')}, or the address in port",
        )


def _options_known(link: PackDraft, spec: contract.Spec) -> Iterator[Problem]:
    known = [name for name in spec.options if name not in OWN_KEYS]
    for name in link.options:
        if name in OWN_KEYS & spec.options.keys():
            text = f"not an option but a key of its own; write it below [{'.'.join(link.path)}]"
            yield Problem(link.at(OPTION + name), text)
        elif name not in known:
            listed = ", ".join(known) or "none"
            yield Problem(
                link.at(OPTION + name),
                f"unknown option; {link.text('bms')} knows: {listed}{did_you_mean(name, known)}",
            )


def _session_willing(link: PackDraft, spec: contract.Spec) -> list[Problem]:
    """What the protocol says to these options. Its complaints begin with the name of what they are about."""
    if usable_port(link) is None or link.unreadable:
        return []
    try:
        contract.load(link.text("bms") or "").session(link.for_session(spec))
    except ConfigError as error:
        return [Problem(_blamed(link, text), text) for text in error.problems]
    return []


def _blamed(link: PackDraft, text: str) -> tuple[str, ...]:
    named = re.match(r"[a-z_]+", text)
    name = named[0] if named else ""
    if name in link.options:
        return link.at(OPTION + name)
    return link.at(name) if name in link.table.model_fields else link.path
