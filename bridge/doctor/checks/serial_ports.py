"""Serial ports: whether they are there, may be used by this user, and keep their names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bridge.doctor.contract import Case, Finding, advice, ok, problem
from bridge.doctor.host import Host

BY_ID = "/dev/serial/by-id"
PASSING = ("ttyUSB", "ttyACM")  # numbered in the order in which they were found


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Each serial port of the configuration."""
    for port, users in case.serial_ports().items():
        looked_at = f"{port} ({', '.join(users)})"
        if not host.device_path(port).exists():
            there = ", ".join(host.serial_names()) or "none"
            do = f"plug the adapter in, or write one of the serial ports that are here: {there}"
            yield problem(looked_at, "there is no such device", do)
        elif not host.may(host.device_path(port), os.R_OK | os.W_OK):
            yield problem(
                looked_at, "this user may not read and write it", _permission(host.device_path(port))
            )
        elif lasting := _lasting(port, host):
            do = f"write port = {lasting!r}, which stays the same after a restart and in another socket"
            yield advice(looked_at, "it may have another number after a restart", do.replace("'", '"'))
        else:
            yield ok(looked_at, "there, and may be used")


def _permission(path: Path) -> str:
    try:
        group = path.group()
    except (KeyError, OSError):
        group = "dialout"
    if group == "root":
        group = "dialout"
    return f"sudo usermod -aG {group} $USER, then log in again; for a service: SupplementaryGroups={group}"


def _lasting(port: str, host: Host) -> str | None:
    if not Path(port).name.startswith(PASSING) or Path(port).parent != Path("/dev"):
        return None
    links = host.under(BY_ID)
    return next((host.shown(link) for link in links if host.device(host.shown(link)) == Path(port)), None)
