"""Looks whether the ports of a configuration are there and may be used, without opening any.

A port that is in use by a running gateway is therefore fine, and nothing on a wire is disturbed.
What lies behind a network address or an adapter that only its driver knows is left to the links.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bridge.config import ports
from bridge.config.sentences import describe
from bridge.config.settings import Config, InverterConfig, PackConfig
from bridge.errors import ConfigError

BY_ID = Path("/dev/serial/by-id")
NETWORK = Path("/sys/class/net")
ARPHRD_CAN = "280"
"""The hardware type of a CAN interface in sysfs; linux/if_arp.h."""
IFF_UP = 1
"""The flag of an interface that is switched on; linux/if.h."""


def preflight(config: Config, network: Path = NETWORK) -> None:
    """Raises ConfigError with every port that is missing, unusable or not permitted.

    network: where the kernel lists its network interfaces.
    """
    found = [_of_pack(config, pack) for pack in config.packs if ports.is_device(pack.port)]
    found += [_of_inverter(config, inverter, network) for inverter in config.inverters]
    if problems := [problem for problem in found if problem is not None]:
        raise ConfigError(*dict.fromkeys(problems))


def require_inverter(config: Config) -> None:
    """Raises ConfigError if there is nobody to send to, which only `packbridge check` accepts."""
    if not config.inverters:
        text = "there is no inverter; write a table [inverters.NAME] with profile, interface and channel"
        raise ConfigError(config.source.problem(("inverters",), text))


def serial_ports() -> list[str]:
    """The serial ports of this machine, those with a name that stays first."""
    from serial.tools.list_ports import comports

    by_id = sorted(str(path) for path in BY_ID.glob("*"))
    return by_id + sorted(port.device for port in comports())


def _of_pack(config: Config, pack: PackConfig) -> str | None:
    if (fault := device_fault(Path(pack.port))) is None:
        return None
    here = ("packs", pack.name, "port")
    key = here if here in config.source.lines else ("pack", "port")
    return config.source.problem(key, f"found {describe(pack.port)}: {fault}")


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


def _of_inverter(config: Config, inverter: InverterConfig, network: Path) -> str | None:
    match inverter.interface:
        case "socketcan":
            fault = _socketcan_fault(inverter.channel, network)
        case "slcan" if ports.is_device(inverter.channel):
            fault = device_fault(Path(inverter.channel.partition("@")[0]))
        case _:
            fault = None
    if fault is None:
        return None
    key = ("inverters", inverter.name, "channel")
    return config.source.problem(key, f"found {describe(inverter.channel)}: {fault}")


def _socketcan_fault(channel: str, network: Path) -> str | None:
    buses = sorted(_can_buses(network))
    if channel not in buses:
        listed = ", ".join(buses) or "none"
        return (
            f"there is no such CAN interface; there are: {listed}; plug in the adapter, or write one of these"
        )
    if not int((network / channel / "flags").read_text(), 16) & IFF_UP:
        return f"the interface is down; switch it on: sudo ip link set {channel} up type can bitrate 500000"
    return None


def _can_buses(network: Path) -> Iterator[str]:
    for kind in network.glob("*/type"):
        if kind.read_text().strip() == ARPHRD_CAN:
            yield kind.parent.name
