"""CAN interfaces: there, up, and at the bit rate of what hangs on them."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.can_links import BITRATE_FIXED, CanLink, can_link, names
from bridge.doctor.contract import Case, Finding, ok, problem, unknown
from bridge.doctor.host import Host


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Each SocketCAN interface of the configuration."""
    for name, bitrate in case.can_buses().items():
        if not host.path(f"/sys/class/net/{name}").exists():
            there = ", ".join(names(host)) or "none"
            do = f"plug the adapter in, load its driver, or write one that is here: {there}"
            yield problem(name, "there is no such CAN interface", do)
        elif (link := can_link(host, name)) is None:
            yield unknown(name, "its settings could not be asked", "install iproute2, which has ip")
        else:
            yield _settings(link, bitrate)


def _settings(link: CanLink, bitrate: int) -> Finding:
    command = f"sudo ip link set {link.name}"
    again = f"{command} down; {command} up type can bitrate {bitrate}"
    again += "" if link.serial else " restart-ms 100"
    if not link.up:
        return problem(link.name, "the interface is down", again)
    if link.kind in BITRATE_FIXED:
        return ok(link.name, f"up; {link.kind} has no bit rate")
    if link.bitrate is None:
        return unknown(
            link.name, "up; its driver does not tell the bit rate", f"make sure that it is {bitrate}"
        )
    if link.bitrate != bitrate:
        return problem(link.name, f"its bit rate is {link.bitrate}, but {bitrate} is needed", again)
    if "LISTEN-ONLY" in link.modes:
        saw = "it only listens: nothing can be sent and nothing is acknowledged (right for --shadow only)"
        return problem(link.name, saw, f"{again} listen-only off")
    return ok(link.name, f"up at {link.bitrate} bit/s")
