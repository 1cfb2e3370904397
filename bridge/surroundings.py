"""Where packs may be found from this machine: its serial ports, its CAN buses, devices in the air."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from bridge.errors import LinkError
from bridge.links.radio import Peripheral, Radio
from bridge.protocols.contract import Spec, load, names

BY_ID = Path("/dev/serial/by-id")
NETWORK = Path("/sys/class/net")
ARPHRD_CAN = "280"  # the hardware type of a CAN interface; linux/if_arp.h
IFF_UP = 1  # linux/if.h


def serial_ports(by_id: Path = BY_ID) -> list[str]:
    """The serial ports of this machine, by the names that survive a reboot where they have one."""
    from serial.tools.list_ports import comports

    return sorted({lasting_name(port.device, by_id) for port in comports()})


def lasting_name(port: str, by_id: Path = BY_ID) -> str:
    """The name of a serial device that stays the same in another socket; itself if it has none."""
    if not port.startswith("/") or Path(port).is_relative_to(by_id):
        return port
    target = Path(port).resolve()
    return next((str(name) for name in sorted(by_id.glob("*")) if name.resolve() == target), port)


def can_ports(network: Path = NETWORK) -> tuple[list[str], list[str]]:
    """The kernel's CAN interfaces as ports: those that are up, and those that are down."""
    up: list[str] = []
    down: list[str] = []
    for kind in sorted(network.glob("*/type")):
        if kind.read_text().strip() == ARPHRD_CAN:
            flags = int((kind.parent / "flags").read_text(), 16)
            (up if flags & IFF_UP else down).append(f"can:{kind.parent.name}")
    return up, down


@dataclass(frozen=True, slots=True)
class Device:
    """Something in the air that calls itself like a pack."""

    address: str
    name: str
    adapter: str | None = None

    @property
    def port(self) -> str:
        """As `port` stands in a configuration."""
        return f"ble:{self.address}" + (f"?adapter={self.adapter}" if self.adapter else "")


def like_its_kind(spec: Spec, name: str | None) -> bool:
    """Whether devices of a protocol call themselves so."""
    return (
        spec.ble is not None and name is not None and any(fnmatchcase(name, form) for form in spec.ble.names)
    )


async def in_the_air(
    radio: Radio, seconds: float, adapter: str | None = None, bms: Iterable[str] = ()
) -> list[Device]:
    """The devices that call themselves like a pack. Raises LinkError if the radio does not work."""
    specs = [load(name).spec for name in (list(bms) or names())]
    found: dict[str, Device] = {}

    def heard(peripheral: Peripheral, name: str | None) -> None:
        if name is not None and any(like_its_kind(spec, name) for spec in specs):
            found[peripheral.address] = Device(peripheral.address, name, adapter)

    try:
        async with radio.scanner(heard):
            await asyncio.sleep(seconds)
    except radio.failures as error:
        raise LinkError(f"Bluetooth: {error}") from error
    return [found[address] for address in sorted(found)]
