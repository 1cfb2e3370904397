"""The service manager: whether it starts the gateway again when that ends, hangs or the machine boots."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.doctor.contract import Case, Finding, advice, ok, problem, unknown
from bridge.doctor.host import Host

UNIT = "packbridge.service"
ASKED = "LoadState,UnitFileState,ActiveState,Type,Restart,WatchdogUSec"


def look(case: Case, host: Host) -> Iterable[Finding]:
    """The unit packbridge.service. Source: systemctl(1), systemd.service(5)."""
    shown = host.run(("systemctl", "show", UNIT, f"--property={ASKED}"))
    if shown is None:
        yield unknown(UNIT, "systemd could not be asked")
        return
    unit = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if unit.get("LoadState") != "loaded":
        do = "install packbridge as a service; docs/running.md shows a unit"
        yield advice(UNIT, "there is no such service: nothing starts the gateway again", do)
        return
    faults = list(_faults(unit))
    yield from faults
    if not faults:
        yield ok(UNIT, f"{unit.get('ActiveState', '')}, with a watchdog of {unit.get('WatchdogUSec')}")


def _faults(unit: dict[str, str]) -> Iterable[Finding]:
    edit = f"sudo systemctl edit {UNIT}, under [Service]: "
    if unit.get("WatchdogUSec") in {"0", "infinity", None}:
        yield problem(
            UNIT, "no watchdog: a gateway that hangs stays hung", edit + "Type=notify and WatchdogSec=10"
        )
    elif unit.get("Type") not in {"notify", "notify-reload"}:
        yield problem(UNIT, f"Type={unit.get('Type')}: its watchdog is not fed", edit + "Type=notify")
    if unit.get("Restart") in {"no", None}:
        yield problem(UNIT, "Restart=no: after an error it stays down", edit + "Restart=always")
    if unit.get("UnitFileState") == "disabled":
        yield problem(UNIT, "it does not start with the machine", f"sudo systemctl enable {UNIT}")
