"""Services that talk to every new serial port because it might be a modem or a braille display."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bridge.doctor.contract import Case, Finding, advice, ok, problem
from bridge.doctor.host import Host

GRABBERS: Mapping[str, tuple[str, str]] = {
    "ModemManager": (
        "it sends modem commands to serial adapters when they appear",
        'sudo systemctl disable --now ModemManager, or a udev rule with ENV{ID_MM_DEVICE_IGNORE}="1"',
    ),
    "brltty": (
        "it takes CH340 and CP210x adapters for braille displays and removes their ports",
        "sudo systemctl disable --now brltty, or remove the package brltty",
    ),
}
"""By the process's name: what it does, and what to do."""


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Whether one of them runs, where there is a port that it could take."""
    if case.config is not None and not case.serial_ports():
        return
    running = {process.name for process in host.processes()}
    for name, (does, do) in GRABBERS.items():
        if name in running:
            say = advice if case.config is None else problem
            yield say(name, f"running: {does}", do)
    if not running & GRABBERS.keys():
        yield ok("services that grab serial ports", f"none of {', '.join(GRABBERS)} is running")
