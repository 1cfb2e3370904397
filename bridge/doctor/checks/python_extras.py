"""Python packages that the configuration needs and a plain installation does not bring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bridge.config.settings import CanInverter, Rs485Inverter
from bridge.doctor.contract import Case, Finding, ok, problem
from bridge.doctor.host import Host
from bridge.links.opening import can_place, kind_of

OF_INTERFACE: Mapping[str, tuple[str, str]] = {
    "gs_usb": ("gs_usb", "python-can[gs-usb]"),
    "canalystii": ("canalystii", "python-can[canalystii]"),
    "cantact": ("cantact", "python-can[cantact]"),
    "udp_multicast": ("msgpack", "python-can[multicast]"),
    "nican": ("nican", "python-can[nixnet]"),
}
"""By python-can's interface: the module it imports, and what installs it."""


def look(case: Case, host: Host) -> Iterable[Finding]:
    """Each that is missing, with what to install."""
    if case.config is None:
        return
    needed = {"bleak": ("Bluetooth", "packbridge[ble]")} if case.radios() else {}
    if any(
        isinstance(one, Rs485Inverter) and _dialect(one.profile) == "modbus" for one in case.config.inverters
    ):
        needed["pymodbus"] = ("Modbus", "packbridge[modbus]")
    interfaces = {one.interface for one in case.config.inverters if isinstance(one, CanInverter)}
    interfaces |= {can_place(port)[0] for _, port in case.ports() if kind_of(port) == "can"}
    for interface in sorted(interfaces & OF_INTERFACE.keys()):
        module, package = OF_INTERFACE[interface]
        needed[module] = (f"the CAN interface {interface}", package)
    missing = {module: why for module, why in needed.items() if not host.has_module(module)}
    for module, (what, package) in missing.items():
        yield problem(what, f"needs the Python module {module}, which is missing", f'pip install "{package}"')
    if not missing:
        yield ok("Python packages", "everything that the configuration uses is installed")


def _dialect(profile: str) -> str:
    from bridge.profiles import find

    return find(profile).dialect
