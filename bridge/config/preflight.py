"""Looks whether the ports of a configuration are there and may be used, without opening any.

A port that is in use by a running gateway is therefore fine, and nothing on a wire is disturbed.
What lies behind a network address or an adapter that only its driver knows is left to the links.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bridge import profiles
from bridge.config import ports
from bridge.config.lines import Key
from bridge.config.sentences import describe
from bridge.config.settings import Config, InverterConfig, PackConfig, Rs485Inverter
from bridge.errors import ConfigError
from bridge.links.opening import can_place, kind_of
from bridge.protocols import contract

EXAMPLE = (
    "this file is an example, with ports, ratings and fuses that are not yours; write your own, then remove "
    "this line"
)

BY_ID = Path("/dev/serial/by-id")
NETWORK = Path("/sys/class/net")
ARPHRD_CAN = "280"
"""The hardware type of a CAN interface in sysfs; linux/if_arp.h."""
IFF_UP = 1
"""The flag of an interface that is switched on; linux/if.h."""


def preflight(config: Config, network: Path = NETWORK) -> None:
    """Raises ConfigError with every port that is missing, unusable or not permitted.

    A file that says of itself that it is an example is refused: its ports are somebody else's.
    network: where the kernel lists its network interfaces.
    """
    if config.gateway.example:
        raise ConfigError(config.source.problem(("gateway", "example"), EXAMPLE))
    found = [problem for pack in config.packs for problem in _of_pack(config, pack, network)]
    found += [_of_inverter(config, inverter, network) for inverter in config.inverters]
    if problems := [problem for problem in found if problem is not None]:
        raise ConfigError(*dict.fromkeys(problems))


def require_inverter(config: Config) -> None:
    """Raises ConfigError if there is nobody to send to, which only `packbridge check` accepts."""
    if not config.inverters:
        text = (
            "there is no inverter; write a table [inverters.NAME] with profile, interface and channel, "
            "or with profile and port"
        )
        raise ConfigError(config.source.problem(("inverters",), text))


def serial_ports() -> list[str]:
    """The serial ports of this machine, those with a name that stays first."""
    from serial.tools.list_ports import comports

    by_id = sorted(str(path) for path in BY_ID.glob("*"))
    return by_id + sorted(port.device for port in comports())


def _of_pack(config: Config, pack: PackConfig, network: Path) -> Iterator[str | None]:
    here = ("packs", pack.name, "port")
    key = here if here in config.source.lines else ("pack", "port")
    yield _said(config, key, pack.port, _port_fault(pack.port, pack.bms, network))
    if (balancer := pack.balancer) is not None:
        fault = _port_fault(balancer.port, balancer.bms, network)
        yield _said(config, ("packs", pack.name, "balancer", "port"), balancer.port, fault)


def _of_inverter(config: Config, inverter: InverterConfig, network: Path) -> str | None:
    if isinstance(inverter, Rs485Inverter):
        fault = device_fault(Path(inverter.port)) if ports.is_device(inverter.port) else None
        return _said(config, ("inverters", inverter.name, "port"), inverter.port, fault)
    bitrate = profiles.load(inverter.profile).bitrate
    fault = _can_fault(inverter.interface, inverter.channel, bitrate, network)
    return _said(config, ("inverters", inverter.name, "channel"), inverter.channel, fault)


def _said(config: Config, key: Key, found: str, fault: str | None) -> str | None:
    return None if fault is None else config.source.problem(key, f"found {describe(found)}: {fault}")


def _port_fault(port: str, bms: str, network: Path) -> str | None:
    match kind_of(port):
        case "ble":
            return bluetooth_fault()
        case "can":
            return _can_fault(*can_place(port), contract.load(bms).spec.bitrate, network)
        case _:
            return device_fault(Path(port)) if ports.is_device(port) else None


def bluetooth_fault() -> str | None:
    """Why no Bluetooth device can be reached, and what to do; None if it can be tried."""
    if importlib.util.find_spec("bleak") is None:
        return 'Bluetooth needs bleak; install it: pip install "packbridge[ble]"'
    return None


def device_fault(path: Path) -> str | None:
    """Why a serial device can't be used, and what to do; None if it can."""
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return "this user may not look into its folder; write a path under /dev"
    except OSError:
        listed = ", ".join(serial_ports()) or "none"
        return f"there is no such device; serial ports here: {listed}; plug it in, or write one of these"
    if not stat.S_ISCHR(mode):
        return f"that is not a serial device; serial ports here: {', '.join(serial_ports()) or 'none'}"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"this user may not read and write it; {_permission(path)}"
    return None


def _permission(path: Path) -> str:
    try:
        group = path.group()
    except KeyError:
        group = "dialout"
    return f"add the user to its group: sudo usermod -aG {group} $USER, then log in again"


def _can_fault(interface: str, channel: str, bitrate: int, network: Path) -> str | None:
    """Why a CAN bus can't be used; only what the kernel or a device path shows is known without opening."""
    if interface == "socketcan":
        return _socketcan_fault(channel, bitrate, network)
    if interface == "slcan" and ports.is_device(channel):
        return device_fault(Path(channel.partition("@")[0]))
    return None


def _socketcan_fault(channel: str, bitrate: int, network: Path) -> str | None:
    buses = sorted(_can_buses(network))
    if channel not in buses:
        listed = ", ".join(buses) or "none"
        return (
            f"there is no such CAN interface; there are: {listed}; plug in the adapter, or write one of these"
        )
    if not int((network / channel / "flags").read_text(), 16) & IFF_UP:
        return (
            f"the interface is down; switch it on: sudo ip link set {channel} up type can bitrate {bitrate}"
        )
    return None


def _can_buses(network: Path) -> Iterator[str]:
    for kind in network.glob("*/type"):
        if kind.read_text().strip() == ARPHRD_CAN:
            yield kind.parent.name
