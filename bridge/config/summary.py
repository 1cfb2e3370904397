"""A configuration in a few aligned lines, with the limits that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

from bridge import profiles
from bridge.config.ceiling import ceiling, pack_ceiling
from bridge.config.settings import Config
from bridge.model import Limit

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
        f"bank: {count}, {sum(pack.settings.capacity_ah for pack in config.packs):g} Ah",
        f"  charge: CVL at most {cvl}, CCL at most {ccl}",
        f"  discharge: DVL at least {dvl}, DCL at most {dcl}",
    ]


def _inverters(config: Config) -> list[str]:
    lines = []
    for inverter in config.inverters:
        profile = profiles.load(inverter.profile)
        lines.append(
            f"inverter {inverter.name}: {profile.name} ({profile.family}), "
            f"{inverter.interface} {inverter.channel} at {profile.bitrate // 1000} kbit/s"
        )
    return lines


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
