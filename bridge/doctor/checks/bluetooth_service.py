"""The Bluetooth service, without which no pack is reached by radio."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, ok, problem
from bridge.doctor.host import Host


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Whether bluetoothd runs, where a pack needs it."""
    if not case.radios():
        return
    if any(process.name == "bluetoothd" for process in host.processes()):
        yield ok("bluetoothd", "running")
    else:
        do = "sudo systemctl enable --now bluetooth; if there is no such unit, install bluez"
        yield problem("bluetoothd", "not running", do)
