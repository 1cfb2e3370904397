"""Serial ports that another process holds open: two readers take each other's bytes away."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bridge.doctor.contract import Case, Finding, advice, ok, problem, unknown
from bridge.doctor.host import Host, Process


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Who has the configuration's serial ports open."""
    ports = {host.device(port): port for port in case.serial_ports() if host.device_path(port).exists()}
    if not ports:
        return
    processes = {process.pid: process for process in host.processes()}
    found, hidden = _open_files(host)
    used = set()
    for device, pid in found:
        if device in ports and (process := processes.get(pid)) is not None:
            used.add(device)
            yield _finding(ports[device], process)
    for device in ports.keys() - used:
        yield ok(ports[device], "no process that can be seen has it open")
    if hidden:
        saw = f"{hidden} processes of other users could not be looked into"
        yield unknown("open files", saw, "sudo packbridge doctor ... sees them too")


def _finding(port: str, process: Process) -> Finding:
    who = f"{process.name} (process {process.pid})"
    if process.is_gateway:
        return advice(
            port, f"in use by {who}, a running gateway", "stop it before anything else reads the port"
        )
    do = "end that program; a service: systemctl status with the process's number names it"
    return problem(port, f"in use by {who}", do)


def _open_files(host: Host) -> tuple[list[tuple[Path, int]], int]:
    """(device, process) of what is open, and how many processes do not show it."""
    found, hidden = [], 0
    for process in host.under("/proc", "[0-9]*"):
        try:
            links = sorted((process / "fd").iterdir())
        except PermissionError:
            hidden += 1
            continue
        except OSError:
            continue  # it has just ended
        for link in links:
            try:
                found.append((link.readlink(), int(process.name)))
            except OSError:
                continue  # just closed
    return found, hidden
