"""What an inverter needs to hear a decision rightly: its profile's rules, around the guard's last call.

Before the guard stands what may raise a value (the voltage that "stop" is said with), after it only
what lowers a current. A decision that allows current in both directions and lies in the profile's
ranges passes through unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from bridge.errors import BridgeBug
from bridge.model import Decision, Limit
from bridge.profile_tables import Family, Range
from bridge.sinks.quantities import STOPPING_SOC, Rounding, steps

STEPS_PER_V = 10  # every known dialect's CVL has steps of 0.1 V
FULL, ALMOST_FULL = 1.0, 0.99
ALMOST_EMPTY = 0.01
ANY = Range()

Guard = Callable[[Decision], Decision]


def settle(
    decision: Decision,
    profile: Family,
    guard: Guard,
    ceiling_v: float = math.inf,
    last_voltage_v: float | None = None,
) -> Decision:
    """The decision as this inverter is to hear it.

    ceiling_v: the CVL that no policy may exceed. last_voltage_v: of the bank, for when it is not known:
    a Victron GX that hears a CVL of 0 takes it for over-voltage and empties the battery.
    Raises BridgeBug if a limit is negative or no number, before or after the guard.
    """
    decision = _consistent(_sound(decision))
    if profile.stop == "pack-voltage":
        decision = _stop_at_pack_voltage(decision, ceiling_v, last_voltage_v)
    if profile.hold_soc_ends:
        decision = _hold_soc_ends(decision)
    return _consistent(_in_range(_sound(guard(decision)), profile))


def stopped_by_soc(values: Mapping[str, float | str], decision: Decision) -> Mapping[str, float | str]:
    """The values with an SoC that ends the one direction in which no current is allowed.

    For inverters that go on at a limit of 0 (dalathegreat/Battery-Emulator issue 1534). With both directions
    off it stays true: whichever end it claimed would be an invitation to the other one.
    """
    charge, discharge = decision.charge_current_limit_a > 0, decision.discharge_current_limit_a > 0
    if charge == discharge:
        return values
    end_pct = 100.0 if discharge else 0.0
    return {**values, **dict.fromkeys(STOPPING_SOC & values.keys(), end_pct)}


def _sound(decision: Decision) -> Decision:
    for limit in Limit:
        value = getattr(decision, limit.value)
        if not (math.isfinite(value) and value >= 0):
            raise BridgeBug(f"{limit.value}: {value} is no limit; a limit is a finite number, 0 or more")
    return decision


def _consistent(decision: Decision) -> Decision:
    """A direction that is off has limit 0, and a limit of 0 is off: some inverters read only one."""
    charge = decision.charge_enabled and decision.charge_current_limit_a != 0
    discharge = decision.discharge_enabled and decision.discharge_current_limit_a != 0
    return _without(decision, charge=not charge, discharge=not discharge)


def _stop_at_pack_voltage(decision: Decision, ceiling_v: float, last_voltage_v: float | None) -> Decision:
    """Without charging, a CVL that is not below the battery: Deye would discharge to reach it.

    Nothing can be charged by it, because CCL is 0 in the same frame.
    """
    voltage_v = last_voltage_v if decision.bank.voltage_v is None else decision.bank.voltage_v
    if decision.charge_current_limit_a > 0 or voltage_v is None:
        return decision
    stop_v = min(steps(voltage_v, 1 / STEPS_PER_V, Rounding.DOWN) / STEPS_PER_V, ceiling_v)
    if decision.charge_voltage_limit_v >= stop_v:
        return decision
    return decision._replace(charge_voltage_limit_v=stop_v)


def _hold_soc_ends(decision: Decision) -> Decision:
    """100 % only when charging is over and 0 % only when discharging is: inverters stop there."""
    soc = decision.bank.soc
    if soc is None:
        return decision
    if soc >= FULL and decision.charge_current_limit_a > 0:
        soc = ALMOST_FULL
    if soc < ALMOST_EMPTY and decision.discharge_current_limit_a > 0:
        soc = ALMOST_EMPTY
    return decision._replace(bank=decision.bank._replace(soc=soc))


def _in_range(decision: Decision, profile: Family) -> Decision:
    """No charging below the lowest CVL that can be sent, no discharging above the highest DVL."""
    charge = profile.ranges.get("charge_voltage_limit_v", ANY)
    discharge = profile.ranges.get("discharge_voltage_limit_v", ANY)
    return _without(
        decision,
        charge=charge.min is not None and decision.charge_voltage_limit_v < charge.min,
        discharge=discharge.max is not None and decision.discharge_voltage_limit_v > discharge.max,
    )


def _without(decision: Decision, *, charge: bool, discharge: bool) -> Decision:
    """The decision with the named directions switched off.

    Requests to charge go with the charging: Deye answers one from the grid, and no source says that
    it minds CCL then.
    """
    if charge:
        decision = decision._replace(
            charge_enabled=False,
            charge_current_limit_a=0.0,
            force_charge=False,
            full_charge_request=False,
        )
    if discharge:
        decision = decision._replace(discharge_enabled=False, discharge_current_limit_a=0.0)
    return decision
