"""What a sink can say: the quantities of a decision by the names that signals and registers carry.

Dialects are data, so this is the one place where a name on a wire meets the model. Each quantity
also says which way it is rounded: a limit toward less current, whatever the dialect's step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from bridge.errors import BridgeBug
from bridge.model import Decision

DUST_STEPS = 1e-9  # 56.0 / 0.1 is 559.9999999999999: nearer to a step than this is on the step


class Rounding(Enum):
    """Which of the two neighbouring steps a value takes."""

    DOWN = "down"
    UP = "up"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a quantity behaves on its way to a wire. limit: never negative; a decision always has it."""

    rounding: Rounding = Rounding.NEAREST
    limit: bool = False


QUANTITIES: Mapping[str, Quantity] = {
    "charge_voltage_limit_v": Quantity(Rounding.DOWN, limit=True),
    "discharge_voltage_limit_v": Quantity(Rounding.UP, limit=True),
    "charge_current_limit_a": Quantity(Rounding.DOWN, limit=True),
    "discharge_current_limit_a": Quantity(Rounding.DOWN, limit=True),
    "charge_enabled": Quantity(),
    "discharge_enabled": Quantity(),
    "force_charge_2": Quantity(),  # to be charged before it shuts down: the bit that Pylontech advises
    "full_charge_request": Quantity(),
    "voltage_v": Quantity(),
    "current_a": Quantity(),
    "soc_pct": Quantity(Rounding.DOWN),
    "soh_pct": Quantity(),
    "temperature_c": Quantity(),
    "module_count": Quantity(),
}
"""Every name that a quantity signal of a dialect may have."""

HELD = frozenset({"voltage_v", "soc_pct", "soh_pct", "temperature_c"})
"""What changes slowly: while it is unknown, its last known value is the best to show."""

Values = Mapping[str, float | None]


def values_of(decision: Decision) -> dict[str, float | None]:
    """The decision by quantity names; None for a measured value that is not known."""
    bank = decision.bank
    return {
        "charge_voltage_limit_v": decision.charge_voltage_limit_v,
        "discharge_voltage_limit_v": decision.discharge_voltage_limit_v,
        "charge_current_limit_a": decision.charge_current_limit_a,
        "discharge_current_limit_a": decision.discharge_current_limit_a,
        "charge_enabled": decision.charge_enabled,
        "discharge_enabled": decision.discharge_enabled,
        "force_charge_2": decision.force_charge,
        "full_charge_request": decision.full_charge_request,
        "voltage_v": bank.voltage_v,
        "current_a": bank.current_a,
        "soc_pct": _percent(bank.soc),
        "soh_pct": _percent(bank.soh),
        "temperature_c": bank.temperature_c,
        "module_count": bank.packs_online,
    }


def filled(
    values: Values, names: Iterable[str], *substitutes: Mapping[str, float]
) -> dict[str, float] | None:
    """The named values, unknown ones by the first substitute that has them; None if one stays unknown."""
    full: dict[str, float] = {}
    for name in names:
        value = next(
            (source[name] for source in (values, *substitutes) if source.get(name) is not None), None
        )
        if value is None:
            return None
        full[name] = value
    return full


def steps(value: float, step: float, rounding: Rounding) -> float:
    """`value` in whole steps. A float, because what does not fit one is +-inf: clamp before `int`.

    Raises BridgeBug if value is not a finite number.
    """
    if not math.isfinite(value):
        raise BridgeBug(f"{value} is no number to send")
    exact = value / step
    if math.isinf(exact):
        return exact
    nearest = round(exact)
    if rounding is Rounding.NEAREST or abs(exact - nearest) <= DUST_STEPS:
        return nearest
    return math.floor(exact) if rounding is Rounding.DOWN else math.ceil(exact)


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else ratio * 100
