"""What `ip` says of a CAN interface. Source: iproute2, ip/iplink_can.c."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.doctor.host import Host
from bridge.surroundings import can_ports

BITRATE_FIXED = frozenset({"vcan", "vxcan"})
"""Kinds of interfaces without a wire, and so without a bit rate and errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanLink:
    """One interface; None stands for what its driver does not tell.

    serial: made of a serial port by slcand. Such a driver can't restart its controller: down and up can, and
    a restart-ms would make the kernel call what is not there (Linux, drivers/net/can/slcan: no do_set_mode).
    """

    name: str
    kind: str
    serial: bool
    up: bool
    queue: int | None
    modes: frozenset[str]
    state: str | None
    bitrate: int | None
    restart_ms: int | None
    tx_errors: int | None
    rx_errors: int | None
    bus_offs: int | None


def can_link(host: Host, name: str) -> CanLink | None:
    """An interface as it is now; None if there is none, or nobody to ask."""
    shown = host.json("ip", "-details", "-json", "link", "show", name)
    if not isinstance(shown, list) or not shown:
        return None
    link = _table(shown[0])
    info = _table(link.get("linkinfo"))
    data, statistics = _table(info.get("info_data")), _table(info.get("info_xstats"))
    errors = _table(data.get("berr_counter"))
    kind = str(info.get("info_kind", "can"))
    return CanLink(
        name=name,
        kind=kind,
        serial=kind == "can" and not host.path(f"/sys/class/net/{name}/device").exists(),
        up="UP" in _texts(link.get("flags")),
        queue=_number(link.get("txqlen")),
        modes=_texts(data.get("ctrlmode")),
        state=None if data.get("state") is None else str(data["state"]),
        bitrate=_number(_table(data.get("bittiming")).get("bitrate")),
        restart_ms=_number(data.get("restart_ms")),
        tx_errors=_number(errors.get("tx")),
        rx_errors=_number(errors.get("rx")),
        bus_offs=_number(statistics.get("bus_off")),
    )


def names(host: Host) -> list[str]:
    """The CAN interfaces of the machine."""
    up, down = can_ports(host.path("/sys/class/net"))
    return [port.removeprefix("can:") for port in sorted(up + down)]


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset()


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
