"""One look around: which ports to search, all of them side by side, and what could not be searched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.errors import ConfigError, LinkError
from bridge.found import Found
from bridge.links.opening import Opener, kind_of
from bridge.links.radio import Radio
from bridge.meeting import Links
from bridge.scanning import find_all, find_devices
from bridge.search import Search
from bridge.surroundings import Device, can_ports, in_the_air, lasting_name, serial_ports

AIR_SHARE = 0.25  # of the time, to hear who is there; the rest is for talking to them
AIR_MAX_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where to look. ports: only these; without any, all of this machine. ble, can: None is "if there are
    no ports named". seconds: for everything together. bms: only these. spared: ports that are somebody
    else's, an inverter's that asks there; they are not searched.
    """

    seconds: float
    ports: Sequence[str] = ()
    ble: bool | None = None
    can: bool | None = None
    bms: Sequence[str] = ()
    spared: Sequence[str] = ()

    def wants(self, kind: str) -> bool:
        """Whether all that there is of "ble" or "can" is to be searched."""
        choice = self.ble if kind == "ble" else self.can
        return not self.ports if choice is None else choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """found: in the order of the ports. searched: the ports. problems: what was left out, and why.

    heard: what came from a port where nothing was found, by port.
    """

    found: list[Found] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    heard: dict[str, list[str]] = field(default_factory=dict)


def bleak() -> Radio:
    """The system's Bluetooth. Raises ConfigError if the library is not installed."""
    from bridge.links.radio import Bleak

    return Bleak(None)


async def survey(
    plan: Plan,
    progress: Callable[[str, str], None],
    *,
    links: Links | None = None,
    radio: Callable[[], Radio] = bleak,
) -> Report:
    """Search everything in the plan. links, radio: how ports are opened and the air is heard."""
    ports, problems = _ports(plan)
    search = Search(plan.seconds, bms=plan.bms, links=links or Opener().link, progress=progress)
    search.begin()
    wired = [port for port in ports if kind_of(port) != "ble"]
    aerial = [port for port in ports if kind_of(port) == "ble"]
    shares = await asyncio.gather(find_all(search, wired), _by_radio(search, plan, aerial, radio, problems))
    found = [one for share in shares for one in share]
    fruitful = {one.way.port for one in found}
    heard = {port: search.account(port, silence=False) for port in search.heard if port not in fruitful}
    return Report(
        found=found,
        searched=[*search.heard],
        problems=[*problems, *search.problems.values()],
        heard={port: lines for port, lines in heard.items() if lines},
    )


def _ports(plan: Plan) -> tuple[list[str], list[str]]:
    """The ports to search, and what is wrong with others."""
    ports = [lasting_name(port) for port in plan.ports] or serial_ports()
    problems: list[str] = []
    if plan.wants("can"):
        up, down = can_ports()
        ports += [port for port in up if port not in ports]
        problems += [f"{port}: the interface is down; sudo ip link set {port[4:]} up ..." for port in down]
    spared = {lasting_name(port) for port in plan.spared}
    return [port for port in dict.fromkeys(ports) if port not in spared], problems


async def _by_radio(
    search: Search, plan: Plan, ports: Sequence[str], radio: Callable[[], Radio], problems: list[str]
) -> list[Found]:
    """One thing after the other: listening to all and talking to one disturb each other."""
    devices = await _heard(search, plan, radio, problems) if plan.wants("ble") else []
    found = [found for port in ports for found in await find_all(search, [port])]
    return found + await find_devices(search, (device for device in devices if device.port not in ports))


async def _heard(search: Search, plan: Plan, radio: Callable[[], Radio], problems: list[str]) -> list[Device]:
    search.progress("Bluetooth", "listening")
    try:
        return await in_the_air(radio(), min(AIR_MAX_S, AIR_SHARE * plan.seconds), bms=plan.bms)
    except ConfigError as error:
        if plan.ble:
            raise
        problems.append(f"Bluetooth was left out: {error}")
    except LinkError as error:
        problems.append(str(error))
    return []
