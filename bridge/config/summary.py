"""A configuration in a few aligned lines, with the limits that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

from bridge import profiles
from bridge.battery.topology import as_one
from bridge.config.ceiling import bank_units, ceiling, pack_ceiling
from bridge.config.settings import CanInverter, Config, InverterConfig
from bridge.model import Limit, PackSettings, Topology

COLUMNS = ("pack", "bms", "cells", "Ah", "charge A at most", "discharge A at most", "port")


def summary(config: Config) -> list[str]:
    """Packs with the rule that limits each, the bank, the inverters."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for pack in config.packs:
        own = pack.settings
        most = [pack_ceiling(own, limit) for limit in (Limit.CCL, Limit.DCL)]
        amps = [f"{constraint.value:g} ({constraint.rule})" for constraint in most]
        rows.append(
            (
                pack.name,
                pack.bms,
                f"{own.cells} {own.chemistry.upper()}",
                f"{own.capacity_ah:g}",
                *amps,
                pack.port,
            )
        )
    return [*_aligned(rows), *_balancers(config), *_bank(config), *_inverters(config)]


def _balancers(config: Config) -> list[str]:
    return [
        f"balancer of {pack.name}: {pack.balancer.bms}, {pack.balancer.port}"
        for pack in config.packs
        if pack.balancer is not None
    ]


def _bank(config: Config) -> list[str]:
    best = ceiling(config)
    cvl, dvl = f"{best.charge_voltage_limit_v:.1f} V", f"{best.discharge_voltage_limit_v:.1f} V"
    ccl, dcl = f"{best.charge_current_limit_a:g} A", f"{best.discharge_current_limit_a:g} A"
    count = f"{len(config.packs)} pack" + "s" * (len(config.packs) != 1)
    return [
        f"bank: {count}, {sum(unit.capacity_ah for unit in bank_units(config)):g} Ah",
        *_wiring(config),
        f"  charge: CVL at most {cvl}, CCL at most {ccl}",
        f"  discharge: DVL at least {dvl}, DCL at most {dcl}",
    ]


def _wiring(config: Config) -> list[str]:
    """The tree of a bank that is not just packs in parallel, two blanks a level."""
    wired = config.bank.topology
    return [] if wired is None else _part(wired, {pack.name: pack.settings for pack in config.packs}, 1)


def _part(part: str | Topology, packs: dict[str, PackSettings], depth: int) -> list[str]:
    if isinstance(part, str):
        return [f"{'  ' * depth}{part}"]
    own = as_one(part, packs)
    given = "" if part.given_name is None else f"{part.given_name}, "
    lines = [f"{'  ' * depth}{given}in {part.wiring}: {own.cells} cells, {own.capacity_ah:g} Ah"]
    return lines + [line for child in part.children for line in _part(child, packs, depth + 1)]


def _inverters(config: Config) -> list[str]:
    return [_inverter(inverter) for inverter in config.inverters]


def _inverter(inverter: InverterConfig) -> str:
    if isinstance(inverter, CanInverter):
        profile = profiles.load(inverter.profile)
        where = f"{inverter.interface} {inverter.channel} at {profile.bitrate // 1000} kbit/s"
        return f"inverter {inverter.name}: {profile.name} ({profile.family}), {where}"
    asking = profiles.asking(inverter.profile)
    where = f"{inverter.port}, answering at {inverter.baudrate or asking.baudrate} baud"
    return f"inverter {inverter.name}: {asking.name} ({asking.family}), {where}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
