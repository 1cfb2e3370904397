"""Who is who in a dump, for a configuration: which channel is which wire, and what stands in for packs.

A dump has no serial lines. Where none of the configured packs is on CAN, the battery that speaks in the
dump is taken for all of them together: one pack that speaks `pylontech-can`, with the cells, ratings and
fuses of the configured packs as they are wired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.battery.topology import as_one
from bridge.config import CanInverter, Config, PackConfig
from bridge.errors import ConfigError
from bridge.links.opening import can_place, kind_of
from bridge.model import Topology, Wiring
from bridge.protocols.contract import Options, load

STAND_IN = "battery"
STAND_IN_BMS = "pylontech-can"
STAND_IN_PORT = "can:dump:battery"


@dataclass(frozen=True, slots=True)
class Cast:
    """A configuration fit for a dump. links: for each channel of the dump, the wires that hear it.

    notes: what was assumed, for a person.
    """

    config: Config
    links: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


def cast(config: Config, channels: Sequence[str], mapped: Mapping[str, str]) -> Cast:
    """Who is who. mapped: channels of the configuration to those of the dump. Raises ConfigError."""
    notes: list[str] = []
    on_can = [pack for pack in config.packs if kind_of(pack.port) == "can"]
    places = {pack.link: can_place(pack.port)[1] for pack in on_can}
    places |= {one.link: one.channel for one in config.inverters if isinstance(one, CanInverter)}
    found, problems = _channels(places, channels, mapped)
    if problems:
        raise ConfigError(*problems)
    if not on_can:
        bus = next((found[one.link] for one in config.inverters if one.link in found), None)
        if bus is None:
            raise ConfigError(
                "neither a pack nor an inverter of the configuration is on CAN: nothing fits a dump"
            )
        config = _with_stand_in(config)
        found = {config.packs[0].link: bus, **found}
        notes.append(_stand_in_note(config.packs[0], bus))
    elif len(on_can) < len(config.packs):
        silent = ", ".join(pack.name for pack in config.packs if pack not in on_can)
        notes.append(f"{silent}: not on CAN, so silent here; the limits are those without")
    for link, channel in found.items():
        users = [pack.name for pack in config.packs if pack.link == link]
        users += [inverter.name for inverter in config.inverters if inverter.link == link]
        notes.append(f"{channel} of the dump is {link} of the configuration: {', '.join(users)}")
    links: dict[str, tuple[str, ...]] = {}
    for link, channel in found.items():
        links[channel] = (*links.get(channel, ()), link)
    return Cast(config, links, tuple(notes))


def _channels(
    places: Mapping[str, str], channels: Sequence[str], mapped: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The dump's channel for each wire, and what keeps some from having one."""
    found: dict[str, str] = {}
    problems = [
        f"--map {name}=...: the configuration has no such bus; it has {', '.join(places.values())}"
        for name in mapped
        if name not in places.values()
    ]
    for link, place in places.items():
        wanted = mapped.get(place, place)
        if wanted in channels:
            found[link] = wanted
        elif place not in mapped and len(channels) == 1:
            found[link] = channels[0]
        else:
            problems.append(
                f"{link}: the dump has no channel {wanted!r} but {', '.join(channels)}; "
                f"say which it is: --map {place}=CHANNEL"
            )
    return found, problems


def _with_stand_in(config: Config) -> Config:
    there = {pack.name: pack.settings for pack in config.packs if not pack.settings.excluded}
    wiring = config.bank.topology or Topology(Wiring.PARALLEL, tuple(there))
    settings = replace(as_one(wiring, there), name=STAND_IN)
    pack = PackConfig(
        settings=settings,
        bms=STAND_IN_BMS,
        port=STAND_IN_PORT,
        baudrate=load(STAND_IN_BMS).spec.baudrate,
        options=Options(cells=settings.cells),
    )
    return replace(config, packs=(pack,), bank=replace(config.bank, topology=None))


def _stand_in_note(pack: PackConfig, bus: str) -> str:
    one = pack.settings
    return (
        f"no configured pack is on CAN: the battery on {bus} is taken for one pack, {STAND_IN}, that speaks "
        f"{STAND_IN_BMS}, with {one.cells} cells in series, {one.capacity_ah:g} Ah, "
        f"{one.charge_carry_a:g} A charging and {one.discharge_carry_a:g} A discharging"
    )
