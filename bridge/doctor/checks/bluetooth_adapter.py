"""The Bluetooth adapter: there, switched on, and not blocked."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, ok, problem, unknown
from bridge.doctor.host import Host


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Everything between a pack in the air and this machine; nothing where no pack is reached so."""
    if not case.radios():
        return
    adapters = [path.name for path in host.under("/sys/class/bluetooth", "hci*") if ":" not in path.name]
    if not adapters:
        do = "plug one in, or switch on the built-in one (on a Raspberry Pi: no dtoverlay=disable-bt)"
        yield problem("Bluetooth adapter", "there is none", do)
        return
    for name in _wanted(case) - set(adapters):
        do = f"plug it in, or write one of these in the port: {', '.join(adapters)}"
        yield problem(f"Bluetooth adapter {name}", "there is no such adapter", do)
    blocked = list(_blocked(host))
    yield from blocked
    if not blocked:
        yield _power(host, adapters)


def _wanted(case: Case) -> set[str]:
    parts = (port.partition("?adapter=")[2] for _, port in case.radios())
    return {name for name in parts if name}


def _blocked(host: Host) -> Iterable[Finding]:
    """Rfkill. Source: Linux, Documentation/ABI/stable/sysfs-class-rfkill."""
    for folder in host.under("/sys/class/rfkill"):
        here = host.shown(folder)
        if host.text(f"{here}/type") != "bluetooth":
            continue
        name = host.text(f"{here}/name") or folder.name
        if host.text(f"{here}/hard") == "1":
            yield problem(name, "switched off by a hardware switch or the firmware", "switch it on there")
        elif host.text(f"{here}/soft") == "1":
            yield problem(name, "blocked by rfkill", "sudo rfkill unblock bluetooth")


def _power(host: Host, adapters: list[str]) -> Finding:
    name = ", ".join(adapters)
    shown = host.run(("bluetoothctl", "show"))
    if shown is None or "Powered:" not in shown:
        return unknown(
            name, "whether it is switched on could not be asked", "install bluez, which has bluetoothctl"
        )
    if "Powered: yes" in shown:
        return ok(name, "there, not blocked, switched on")
    return problem(
        name, "switched off", "bluetoothctl power on; AutoEnable=true in /etc/bluetooth/main.conf keeps it"
    )
