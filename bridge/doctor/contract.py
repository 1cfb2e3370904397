"""What a check is given and what it answers: the contract of every file in `checks/`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from bridge.config.settings import CanInverter, Rs485Inverter
from bridge.links.opening import can_place, kind_of

if TYPE_CHECKING:
    from bridge.config import Config
    from bridge.doctor.host import Host


class Verdict(StrEnum):
    """How a finding is to be taken; only a problem makes the command fail."""

    OK = "ok"
    ADVICE = "advice"  # it works, and could be better
    UNKNOWN = "unknown"  # it could not be seen from here
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at. do: what to do about it; empty where all is well."""

    verdict: Verdict
    looked_at: str
    saw: str
    do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is examined. config: None if no file was given or it cannot be used; problems: of the file."""

    path: str | None = None
    config: Config | None = None
    problems: tuple[str, ...] = ()

    def ports(self) -> list[tuple[str, str]]:
        """(whose, port) of all packs and their balancers."""
        if self.config is None:
            return []
        found = [(pack.name, pack.port) for pack in self.config.packs]
        extras = [(f"{one.name}'s balancer", one.balancer.port) for one in self.config.packs if one.balancer]
        return found + extras

    def serial_ports(self) -> dict[str, list[str]]:
        """The serial devices of this machine that are used, and by whom."""
        found: dict[str, list[str]] = {}
        for name, port in self.ports():
            if kind_of(port) == "serial" and port.startswith("/"):
                found.setdefault(port, []).append(name)
        for one in self.config.inverters if self.config else ():
            if isinstance(one, Rs485Inverter) and one.port.startswith("/"):
                found.setdefault(one.port, []).append(one.name)
            elif isinstance(one, CanInverter) and one.interface == "slcan" and one.channel.startswith("/"):
                found.setdefault(one.channel.partition("@")[0], []).append(one.name)
        return found

    def radios(self) -> list[tuple[str, str]]:
        """(whose, port) of everything that is reached by Bluetooth."""
        return [(name, port) for name, port in self.ports() if kind_of(port) == "ble"]

    def can_buses(self) -> dict[str, int]:
        """The SocketCAN interfaces that are used, with the bit rate that is needed."""
        if self.config is None:
            return {}
        from bridge import profiles
        from bridge.protocols.contract import load

        found = {
            one.channel: profiles.load(one.profile).bitrate
            for one in self.config.inverters
            if isinstance(one, CanInverter) and one.interface == "socketcan"
        }
        for pack in self.config.packs:
            if kind_of(pack.port) == "can" and can_place(pack.port)[0] == "socketcan":
                found.setdefault(can_place(pack.port)[1], load(pack.bms).spec.bitrate)
        return found


class Check(Protocol):
    """A module in `checks/`. Its docstring's first line says what it looks at."""

    def look(self, case: Case, host: Host) -> Iterable[Finding]:
        """What is found; nothing where there is nothing of its kind."""
        ...


def ok(looked_at: str, saw: str) -> Finding:
    """All is well."""
    return Finding(Verdict.OK, looked_at, saw)


def advice(looked_at: str, saw: str, do: str) -> Finding:
    """It works, and could be better."""
    return Finding(Verdict.ADVICE, looked_at, saw, do)


def unknown(looked_at: str, saw: str, do: str = "") -> Finding:
    """It could not be seen."""
    return Finding(Verdict.UNKNOWN, looked_at, saw, do)


def problem(looked_at: str, saw: str, do: str) -> Finding:
    """Something must be put right."""
    return Finding(Verdict.PROBLEM, looked_at, saw, do)
