"""The forms that `port` can have, and when two of them are one wire."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from bridge.config.sentences import describe
from bridge.errors import ConfigError, did_you_mean
from bridge.links import ble
from bridge.links.opening import can_place, kind_of

URL_SCHEMES = ("socket", "rfc2217")
FORMS: Mapping[str, tuple[str, ...]] = {
    "serial": ("a device path such as /dev/serial/by-id/...", "socket://HOST:PORT", "rfc2217://HOST:PORT"),
    "ble": ("ble:AA:BB:CC:DD:EE:FF", "ble:NAME"),
    "can": ("can:can0", "can:INTERFACE:CHANNEL"),
}
"""How a port of each kind is written; the kinds are those of `Spec.links`."""
KINDS: Mapping[str, str] = {"serial": "a serial port", "ble": "a Bluetooth device", "can": "a CAN bus"}


def forms(links: Iterable[str]) -> str:
    """The forms of these kinds, for a sentence."""
    *most, last = [form for kind in FORMS if kind in links for form in FORMS[kind]]
    return f"{', '.join(most)} or {last}"


def is_device(port: str) -> bool:
    """Whether the port is a path on this machine."""
    return port.startswith("/")


def fault(port: str, links: Iterable[str] = FORMS) -> str | None:
    """What is wrong with a port's form, for a protocol that is spoken over `links`; None if nothing is."""
    try:
        if kind_of(port) == "ble":
            ble.parse(port)
            return None
        if kind_of(port) == "can":
            unknown = unknown_interface(can_place(port)[0])
            return unknown and f"found {describe(port)}; {unknown}"
    except ConfigError as error:
        return str(error)
    advice = None if is_device(port) else _advice(port)
    return advice and f"found {describe(port)}; allowed: {forms(links)}; {advice}"


def _advice(port: str) -> str | None:
    scheme, _, rest = port.partition("://")
    if rest and scheme in URL_SCHEMES:
        return None if endpoint(port) else f'write host and port number, as in "{scheme}://192.168.1.20:8899"'
    if rest:
        return "that scheme is not supported"
    return f'write the full path, as in "/dev/{port}"' if port.startswith("tty") else "write one of these"


def unknown_interface(interface: str) -> str | None:
    """What to say of a CAN interface that python-can does not know; None if it does."""
    from can.interfaces import VALID_INTERFACES

    if interface in VALID_INTERFACES:
        return None
    known = sorted(VALID_INTERFACES)
    text = f"unknown interface {describe(interface)}; known: {', '.join(known)}"
    return text + did_you_mean(interface, known)


def endpoint(port: str) -> tuple[str, int] | None:
    """Host and port number of a URL; None if either is missing."""
    try:
        host, number = urlsplit(port).hostname, urlsplit(port).port
    except ValueError:
        return None
    return (host, number) if host and number else None


def bluetooth_address(port: str) -> str | None:
    """The address in a port `ble:AA:BB:CC:DD:EE:FF`; None for any other."""
    if kind_of(port) != "ble":
        return None
    found = ble.parse(port)
    return found.device if found.is_mac else None


def normal_mac(mac: str) -> str | None:
    """A Bluetooth address as `AA:BB:CC:DD:EE:FF`; None if it is none."""
    try:
        return bluetooth_address(f"ble:{mac}")
    except ConfigError:
        return None


def wire(port: str) -> str:
    """What two spellings of one port have in common; the port has no `fault`.

    The device behind links, host and number of a URL, a Bluetooth device whatever its adapter, a CAN
    adapter whatever the rate that its channel is written with.
    """
    if kind_of(port) == "ble":
        return f"ble:{ble.parse(port).device}"
    if kind_of(port) == "can":
        interface, channel = can_place(port)
        device = channel.partition("@")[0]
        return os.path.realpath(device) if is_device(device) else f"{interface}:{channel}"
    if (place := endpoint(port)) is not None:
        return f"{place[0]}:{place[1]}"
    return os.path.realpath(port)
