"""What a configuration allows at the very most: the limits of a bank whose packs are all at their best.

They are not worked out again here: the battery's own rules are asked about a pack that is charged,
warm and willing. Everything that is measured can only lower these; nothing raises them.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.battery.facts import Memory
from bridge.battery.pack_rules import pack_limits
from bridge.config.settings import Config
from bridge.model import Constraint, Limit, PackSample, PackSettings

WARM_C = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The four limits at their best. Of the discharge voltage that is the lowest value."""

    charge_voltage_limit_v: float
    discharge_voltage_limit_v: float
    charge_current_limit_a: float
    discharge_current_limit_a: float


def ceiling(config: Config) -> Ceiling:
    """Sums of the packs' currents within the bank's own limits; the most careful pack's voltages."""
    packs, bank = [pack.settings for pack in config.packs], config.bank
    return Ceiling(
        charge_voltage_limit_v=min(pack.cells * pack.cell_charge_v for pack in packs),
        discharge_voltage_limit_v=max(pack.cells * pack.cell_min_v for pack in packs),
        charge_current_limit_a=_bank_a(packs, Limit.CCL, bank.max_charge_current_a),
        discharge_current_limit_a=_bank_a(packs, Limit.DCL, bank.max_discharge_current_a),
    )


def pack_ceiling(pack: PackSettings, limit: Limit) -> Constraint:
    """The most that may flow into (CCL) or out of (DCL) a pack, A, and the rule that says so."""
    return pack_limits(Memory(pack).facts(_at_its_best(pack, limit))).current(limit)[0]


def _bank_a(packs: list[PackSettings], limit: Limit, own_a: float | None) -> float:
    sum_a = sum(pack_ceiling(pack, limit).value for pack in packs)
    return sum_a if own_a is None else min(sum_a, own_a)


def _at_its_best(pack: PackSettings, limit: Limit) -> PackSample:
    if limit is Limit.CCL:
        low_c, high_c = pack.temperature_min_charge_c, pack.temperature_max_charge_c
    else:
        low_c, high_c = pack.temperature_min_discharge_c, pack.temperature_max_discharge_c
    return PackSample(
        time_s=0.0,
        voltage_v=pack.cells * pack.cell_charge_v,
        current_a=0.0,
        cell_voltages_v=(pack.cell_charge_v,) * pack.cells,
        temperatures_c=(WARM_C if low_c < WARM_C < high_c else (low_c + high_c) / 2,),
        charge_allowed=True,
        discharge_allowed=True,
    )
