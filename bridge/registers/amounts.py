"""What a register may say: the bank's quantities by their names, and a few that follow from them.

One idea: what follows is worked out here, of the values that the inverter is told, behind the guard and
the profile's ranges; so a power can't allow what the current beside it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bridge.model import Alarm
from bridge.responders.picture import Module, Picture
from bridge.sinks.quantities import CHARGING, DISCHARGING, IDLE, QUANTITIES, Quantity, Rounding

FULL_PCT = 100.0
MINUTES_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class Said:
    """What one answer is made of. numbers: what is known, by name."""

    numbers: Mapping[str, float]
    picture: Picture

    def flag(self, name: str) -> bool:
        """Whether it is certain."""
        return bool(self.numbers.get(name, False))


_DERIVED: Mapping[str, Quantity] = {
    "power_w": Quantity(),
    "power_size_w": Quantity(),  # whichever way it flows
    "charge_power_limit_w": Quantity(Rounding.DOWN, limit=True),  # at the present voltage
    "discharge_power_limit_w": Quantity(Rounding.DOWN, limit=True),
    "charging_a": Quantity(),  # 0 while discharging
    "discharging_a": Quantity(),  # 0 while charging
    "cell_mean_v": Quantity(),
    "mosfet_temperature_c": Quantity(),
    "minutes_left": Quantity(Rounding.DOWN),  # at the present current; nothing while not discharging
}
NUMBERS: Mapping[str, Quantity] = {
    **{name: quantity for name, quantity in QUANTITIES.items() if not quantity.text},
    **_DERIVED,
}
"""Every name that a number of a register map may have."""

FLAGS = frozenset(
    {
        "charge_enabled", "discharge_enabled", "charge_forbidden", "discharge_forbidden", "stopped",
        "faulted", "force_charge_2", "full_charge_request", "charging", "discharging", "full",
    }
)  # fmt: skip
"""Every name that a bit of a register map may have."""

LISTS: Mapping[str, Callable[[Module], Sequence[float | None]]] = {
    "cell_voltages_v": lambda whole: whole.cell_voltages_v,
    "temperatures_c": lambda whole: whole.temperatures_c,
}
"""Every name that a list of a register map may have."""


def said_of(picture: Picture) -> Said:
    """The picture as register maps speak of it."""
    numbers = {name: float(value) for name, value in picture.values.items() if not isinstance(value, str)}
    return Said(numbers | _known(_follows(numbers, picture)), picture)


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _follows(numbers: Mapping[str, float], picture: Picture) -> dict[str, float | None]:
    voltage_v, current_a = numbers.get("voltage_v"), numbers.get("current_a")
    activity = numbers.get("activity", IDLE)
    return {
        **_powers(numbers, voltage_v, current_a),
        **_switches(numbers, picture),
        "activity": activity,
        "charging": activity == CHARGING,
        "discharging": activity == DISCHARGING,
        "charging_a": None if current_a is None else max(0.0, current_a),
        "discharging_a": None if current_a is None else max(0.0, -current_a),
        "cell_mean_v": _mean(picture.whole.cell_voltages_v),
        "mosfet_temperature_c": picture.whole.mosfet_temperature_c,
        "minutes_left": _minutes(numbers.get("remaining_ah"), current_a),
        "full": numbers.get("soc_pct", 0.0) >= FULL_PCT or Alarm.FULLY_CHARGED in picture.warnings,
    }


def _switches(numbers: Mapping[str, float], picture: Picture) -> dict[str, float | None]:
    """What is not certainly allowed is forbidden, and a limit of 0 forbids too."""
    charge, discharge = (
        bool(numbers.get(f"{name}_enabled")) and numbers.get(f"{name}_current_limit_a", 0.0) > 0
        for name in ("charge", "discharge")
    )
    stopped = not (charge or discharge)
    return {
        "charge_enabled": charge,
        "discharge_enabled": discharge,
        "charge_forbidden": not charge,
        "discharge_forbidden": not discharge,
        "stopped": stopped,
        "faulted": stopped and bool(picture.protections),
    }


def _powers(
    numbers: Mapping[str, float], voltage_v: float | None, current_a: float | None
) -> dict[str, float | None]:
    power_w = None if voltage_v is None or current_a is None else voltage_v * current_a
    found = {"power_w": power_w, "power_size_w": None if power_w is None else abs(power_w)}
    for name in ("charge", "discharge"):
        limit_a = numbers.get(f"{name}_current_limit_a")
        found[f"{name}_power_limit_w"] = None if limit_a is None or voltage_v is None else limit_a * voltage_v
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _minutes(remaining_ah: float | None, current_a: float | None) -> float | None:
    if remaining_ah is None or current_a is None or current_a >= 0:
        return None
    return min(MINUTES_MAX, 60 * remaining_ah / -current_a)
