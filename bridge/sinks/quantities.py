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
from bridge.model import Bank, Decision

DUST_STEPS = 1e-9  # 56.0 / 0.1 is 559.9999999999999: nearer to a step than this is on the step


class Rounding(Enum):
    """Which of the two neighbouring steps a value takes."""

    DOWN = "down"
    UP = "up"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a quantity behaves on its way to a wire.

    limit: never negative; a decision always has it. text: ASCII letters, not a number.
    """

    rounding: Rounding = Rounding.NEAREST
    limit: bool = False
    text: bool = False


QUANTITIES: Mapping[str, Quantity] = {
    "charge_voltage_limit_v": Quantity(Rounding.DOWN, limit=True),
    "discharge_voltage_limit_v": Quantity(Rounding.UP, limit=True),
    "charge_current_limit_a": Quantity(Rounding.DOWN, limit=True),
    "discharge_current_limit_a": Quantity(Rounding.DOWN, limit=True),
    "on_grid_charge_current_limit_a": Quantity(Rounding.DOWN, limit=True),  # where it is said apart
    "on_grid_discharge_current_limit_a": Quantity(Rounding.DOWN, limit=True),
    "charge_enabled": Quantity(),
    "discharge_enabled": Quantity(),
    "charge_forbidden": Quantity(),  # the same the other way round
    "discharge_forbidden": Quantity(),
    "stopped": Quantity(),  # neither direction
    "faulted": Quantity(),  # neither direction, and an alarm is why
    "force_charge_2": Quantity(),  # to be charged before it shuts down: the bit that Pylontech advises
    "full_charge_request": Quantity(),
    "voltage_v": Quantity(),
    "current_a": Quantity(),
    "soc_pct": Quantity(Rounding.DOWN),
    "soc_hires_pct": Quantity(Rounding.DOWN),
    "soh_pct": Quantity(),
    "remaining_ah": Quantity(Rounding.DOWN),
    "full_ah": Quantity(Rounding.DOWN),
    "installed_ah": Quantity(),
    "remaining_wh": Quantity(Rounding.DOWN),  # at the present voltage
    "remaining_fine_wh": Quantity(Rounding.DOWN),  # where a dialect says the same twice, in two steps
    "full_wh": Quantity(Rounding.DOWN),
    "cycles": Quantity(),
    "cell_count": Quantity(),
    "cell_max_v": Quantity(),
    "cell_min_v": Quantity(),
    "cell_max_tenths_v": Quantity(),  # the same, once in steps of 0.1 V
    "cell_min_tenths_v": Quantity(),
    "cell_delta_v": Quantity(),
    "cell_max_number": Quantity(),  # of the cell in its pack, from 1
    "cell_min_number": Quantity(),
    "cell_max_label": Quantity(text=True),
    "cell_min_label": Quantity(text=True),
    "temperature_c": Quantity(),
    "temperature_max_c": Quantity(),
    "temperature_min_c": Quantity(),
    "temperature_max_k": Quantity(),  # 273 more than degC, as all that use it do
    "temperature_min_k": Quantity(),
    "activity": Quantity(),  # 1 idle, 2 charging, 3 discharging
    "activity_idle_last": Quantity(),  # 1 charging, 2 discharging, 3 idle
    "charging": Quantity(),  # whether the current is positive
    "module_count": Quantity(),  # packs that are heard
    "modules_blocking_charge": Quantity(),
    "modules_blocking_discharge": Quantity(),
    "modules_offline": Quantity(),
    "modules_total": Quantity(),
}
"""Every name that a quantity signal of a dialect may have."""

HELD = frozenset(
    {
        "voltage_v", "soc_pct", "soc_hires_pct", "soh_pct", "remaining_ah", "full_ah", "installed_ah",
        "cycles", "cell_max_v", "cell_min_v", "cell_delta_v",
        "temperature_c", "temperature_max_c", "temperature_min_c", "temperature_max_k", "temperature_min_k",
        "remaining_wh", "remaining_fine_wh", "full_wh", "cell_max_tenths_v", "cell_min_tenths_v",
    }
)  # fmt: skip
"""What changes slowly: while it is unknown, its last known value is the best to show."""

LIMITING = frozenset({name for name, one in QUANTITIES.items() if one.limit}) | {
    "charge_enabled", "discharge_enabled", "charge_forbidden", "discharge_forbidden", "stopped", "faulted",
}  # fmt: skip
"""What holds an inverter back."""

STOPPING_SOC = frozenset({"soc_pct", "soc_hires_pct"})
"""What stops those that heed nothing else."""

Known = Mapping[str, float | str]
Values = Mapping[str, float | str | None]

LABEL_LETTERS = 8
IDLE_A = 0.1  # the smallest current that the wires can say
IDLE, CHARGING, DISCHARGING = 1.0, 2.0, 3.0
IDLE_LAST = {IDLE: 3.0, CHARGING: 1.0, DISCHARGING: 2.0}


def values_of(decision: Decision) -> dict[str, float | str | None]:
    """The decision by quantity names; None for a measured value that is not known."""
    return {
        "charge_voltage_limit_v": decision.charge_voltage_limit_v,
        "discharge_voltage_limit_v": decision.discharge_voltage_limit_v,
        "charge_current_limit_a": decision.charge_current_limit_a,
        "discharge_current_limit_a": decision.discharge_current_limit_a,
        "on_grid_charge_current_limit_a": decision.charge_current_limit_a,
        "on_grid_discharge_current_limit_a": decision.discharge_current_limit_a,
        **_switches(decision),
        "force_charge_2": decision.force_charge,
        "full_charge_request": decision.full_charge_request,
        **_measured(decision.bank),
        **_extremes(decision.bank),
        "module_count": decision.bank.packs_online,
        "modules_blocking_charge": decision.bank.packs_blocking_charge,
        "modules_blocking_discharge": decision.bank.packs_blocking_discharge,
        "modules_offline": max(0, decision.bank.pack_count - decision.bank.packs_online),
        "modules_total": decision.bank.pack_count,
    }


def filled(
    values: Values, required: Iterable[str], *substitutes: Known, wanted: Iterable[str] = ()
) -> dict[str, float | str] | None:
    """The named values, unknown ones by the first substitute that has them.

    None if a required one stays unknown; one that is only wanted is left out then.
    """
    full: dict[str, float | str] = {}
    for name in {*required, *wanted}:
        value = values.get(name)
        if value is None:
            value = next((source[name] for source in substitutes if name in source), None)
        if value is not None:
            full[name] = value
    return full if all(name in full for name in required) else None


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


def _switches(decision: Decision) -> dict[str, float | str | None]:
    stopped = not (decision.charge_enabled or decision.discharge_enabled)
    return {
        "charge_enabled": decision.charge_enabled,
        "discharge_enabled": decision.discharge_enabled,
        "charge_forbidden": not decision.charge_enabled,
        "discharge_forbidden": not decision.discharge_enabled,
        "stopped": stopped,
        "faulted": stopped and bool(decision.protections),
    }


def _measured(bank: Bank) -> dict[str, float | str | None]:
    return {
        "voltage_v": bank.voltage_v,
        "current_a": bank.current_a,
        "soc_pct": _percent(bank.soc),
        "soc_hires_pct": _percent(bank.soc),
        "soh_pct": _percent(bank.soh),
        "remaining_ah": bank.remaining_ah,
        "full_ah": bank.full_ah,
        "installed_ah": bank.full_ah if bank.design_ah is None else bank.design_ah,
        "remaining_wh": (remaining_wh := _energy_wh(bank.remaining_ah, bank.voltage_v)),
        "remaining_fine_wh": remaining_wh,
        "full_wh": _energy_wh(bank.full_ah, bank.voltage_v),
        "cycles": bank.cycles,
        "cell_count": bank.cells,
        "temperature_c": bank.temperature_c,
        "activity": (activity := _activity(bank.current_a)),
        "activity_idle_last": None if activity is None else IDLE_LAST[activity],
        "charging": None if activity is None else activity == CHARGING,
    }


def _extremes(bank: Bank) -> dict[str, float | str | None]:
    high_v, low_v = bank.cell_max_v, bank.cell_min_v
    return {
        "cell_max_v": high_v,
        "cell_min_v": low_v,
        "cell_max_tenths_v": high_v,
        "cell_min_tenths_v": low_v,
        "cell_delta_v": None if high_v is None or low_v is None else high_v - low_v,
        "cell_max_number": bank.cell_max_index,
        "cell_min_number": bank.cell_min_index,
        "cell_max_label": _label(bank.cell_max_pack, bank.cell_max_index),
        "cell_min_label": _label(bank.cell_min_pack, bank.cell_min_index),
        "temperature_max_c": bank.temperature_max_c,
        "temperature_min_c": bank.temperature_min_c,
        "temperature_max_k": _kelvin(bank.temperature_max_c),
        "temperature_min_k": _kelvin(bank.temperature_min_c),
    }


def _label(pack: str | None, cell: int | None) -> str | None:
    """Where a cell is, as `garage-7`; a long name loses its end, so that the cell's number stays."""
    if pack is None or cell is None:
        return None
    number = f"-{cell}"
    return pack[: LABEL_LETTERS - len(number)].encode("ascii", "replace").decode("ascii") + number


def _activity(current_a: float | None) -> float | None:
    if current_a is None:
        return None
    if abs(current_a) < IDLE_A:
        return IDLE
    return CHARGING if current_a > 0 else DISCHARGING


def _energy_wh(charge_ah: float | None, voltage_v: float | None) -> float | None:
    return None if charge_ah is None or voltage_v is None else charge_ah * voltage_v


def _kelvin(temperature_c: float | None) -> float | None:
    return None if temperature_c is None else temperature_c + 273


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else ratio * 100
