"""What a configuration allows at the very most: the limits of a bank whose packs are all at their best.

They are not worked out again here: the battery's own rules are asked about a pack that is charged,
warm and willing. Everything that is measured can only lower these; nothing raises them.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.battery.facts import Memory
from bridge.battery.pack_rules import pack_limits
from bridge.battery.tapers import Way
from bridge.battery.topology import not_series_rated, units
from bridge.config.settings import Config
from bridge.config.wiring_checks import together
from bridge.model import Constraint, Curve, Limit, PackSample, PackSettings

WARM_C = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The four limits at their best. Of the discharge voltage that is the lowest value."""

    charge_voltage_limit_v: float
    discharge_voltage_limit_v: float
    charge_current_limit_a: float
    discharge_current_limit_a: float


def ceiling(config: Config) -> Ceiling:
    """The packs' currents as the wiring joins them, within the bank's own limits; the voltages of the most
    careful pack or string.
    """
    bank, on_bus_bar = config.bank, bank_units(config)
    return Ceiling(
        charge_voltage_limit_v=min(unit.cells * unit.cell_charge_v for unit in on_bus_bar),
        discharge_voltage_limit_v=max(unit.cells * unit.cell_min_v for unit in on_bus_bar),
        charge_current_limit_a=_bank_a(config, Limit.CCL, bank.max_charge_current_a),
        discharge_current_limit_a=_bank_a(config, Limit.DCL, bank.max_discharge_current_a),
    )


def bank_units(config: Config) -> list[PackSettings]:
    """What hangs on the bus bar: packs, and strings of packs as if each were one."""
    return units(config.bank.topology, _in_service(config))


def highest_v(config: Config) -> float:
    """The voltage that no bank of these packs may ever exceed, V; 0 without packs."""
    return min((unit.charge_ceiling_v for unit in bank_units(config)), default=0.0)


def pack_ceiling(pack: PackSettings, limit: Limit) -> Constraint:
    """The most that may flow into (CCL) or out of (DCL) a pack, A, and the rule that says so."""
    tapers = Memory(pack).fixed.tapers
    way = tapers.charge if limit is Limit.CCL else tapers.discharge
    at_best = [
        pack_limits(Memory(pack).facts(_sample(pack, way, temperature_c))).current(limit)[0]
        for temperature_c in _temperatures(way)
    ]
    return max(at_best, key=lambda constraint: constraint.value)


def _in_service(config: Config) -> list[PackSettings]:
    return [pack.settings for pack in config.packs if not pack.settings.excluded]


def _bank_a(config: Config, limit: Limit, own_a: float | None) -> float:
    packs, wired = {pack.name: pack for pack in _in_service(config)}, config.bank.topology
    amps = {name: pack_ceiling(pack, limit).value for name, pack in packs.items()}
    together_a = together(wired, amps)
    if limit is Limit.DCL and wired is not None and not_series_rated(wired, packs):
        together_a = 0.0
    return together_a if own_a is None else min(together_a, own_a)


def _temperatures(way: Way) -> list[float]:
    """Where the curve over temperature may have its maximum inside the window; a warm one first."""
    low_c, high_c = way.window_c
    all_c = [WARM_C, *[x for x, _ in way.by_temperature.points], (low_c + high_c) / 2]
    return [c for c in all_c if low_c < c < high_c]


def _sample(pack: PackSettings, way: Way, temperature_c: float) -> PackSample:
    """A pack at its best but for its temperature."""
    cell_v = _best_x(way.by_cell.points)
    return PackSample(
        time_s=0.0,
        voltage_v=pack.cells * cell_v,
        current_a=0.0,
        soc=None if way.by_soc is None else _best_x(way.by_soc.points) / 100.0,
        cell_voltages_v=(cell_v,) * pack.cells,
        temperatures_c=(temperature_c,),
        charge_allowed=True,
        discharge_allowed=True,
    )


def _best_x(points: Curve) -> float:
    return max(points, key=lambda point: point[1])[0]
