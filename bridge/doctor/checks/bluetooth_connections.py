"""Bluetooth connections that were left behind: a pack takes one, and is silent to everybody else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, advice, ok, problem
from bridge.doctor.host import Host

ADDRESS = re.compile("(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Which of the configuration's devices are connected while no gateway runs."""
    wanted = {found[0]: name for name, port in case.radios() if (found := ADDRESS.search(port.upper()))}
    if not wanted:
        return
    shown = host.run(("bluetoothctl", "devices", "Connected"))
    if shown is None:
        return  # bluetooth_adapter says that nothing can be asked
    connected = [address for address in ADDRESS.findall(shown.upper()) if address in wanted]
    running = any(process.is_gateway for process in host.processes())
    for address in connected:
        looked_at = f"{address} ({wanted[address]})"
        if running:
            yield ok(looked_at, "connected, and a gateway is running")
        else:
            do = f"bluetoothctl disconnect {address}; also close the maker's app on every phone"
            yield problem(looked_at, "connected, but no gateway is running", do)
    if not connected and running:
        yield advice(
            ", ".join(wanted), "no connection, though a gateway is running", "look into its log for the link"
        )
    elif not connected:
        yield ok(", ".join(wanted), "no connection was left behind")
