"""The last step before any sink. Whatever the rules said, no limit leaves that a hard limit forbids.

It shares no code with the rules and reads the packs' samples itself, so that a mistake must be made
twice to get out. It only ever lowers: limits and permissions; it adds alarms. A sink calls it again
after its profile's policies: calling it twice changes nothing, and a decision that is in order passes
through as the same object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import fsum, inf, isfinite
from typing import NamedTuple

from bridge.model import NO_ALARMS, Alarm, BankSettings, Constraint, Decision, Limit, Member, PackSample

DECISION_MAX_AGE_S = 3.0
_SLACK_V = 1e-6  # a voltage that means its bound may differ from it in the last digit


class _Side(NamedTuple):
    """One pack as one direction of current sees it; cells and probes must be strictly inside."""

    member: Member
    sample: PackSample
    rated_a: float
    allowed: bool | None
    switch_on: bool | None
    cells_v: tuple[float, float]
    probes_c: tuple[float, float]


def guard(decision: Decision, members: Sequence[Member], bank: BankSettings, now: float) -> Decision:
    """`decision`, lowered to what `members` and the user's settings allow at `now`.

    Each limit that had to be lowered (DVL: raised) says so in a first constraint of the rule "guard".
    A pack that the user has taken out of service is none of them.
    """
    members = [m for m in members if not m.settings.excluded]
    heard = [
        (m, s)
        for m in members
        if (s := m.sample) is not None and abs(now - s.time_s) <= m.settings.lost_after_s
    ]
    is_old = not abs(now - decision.time_s) <= DECISION_MAX_AGE_S
    silence = "the decision is too old" if is_old else None if heard else "no pack is heard"
    cvl, dvl = decision.charge_voltage_limit_v, decision.discharge_voltage_limit_v
    no_charge = silence or (None if _is_limit(cvl) else "there is no charge voltage limit")
    no_discharge = silence or (None if _is_limit(dvl) else "there is no discharge voltage limit")
    charge_cap = min(_caps([_charging(m, s) for m, s in heard], bank.max_charge_current_a, no_charge))
    discharge_cap = min(
        _caps([_discharging(m, s) for m, s in heard], bank.max_discharge_current_a, no_discharge)
    )
    ceiling_v = min([m.settings.charge_ceiling_v for m in members], default=0.0)
    floor_v = max([m.settings.cells * m.settings.cell_min_v for m in members], default=0.0)
    fixed = [
        *_lowered(Limit.CVL, cvl, (ceiling_v, "no cell above its maximum"), _SLACK_V),
        *_lowered(Limit.CCL, decision.charge_current_limit_a, charge_cap),
        *_lowered(Limit.DCL, decision.discharge_current_limit_a, discharge_cap),
    ]
    if not _is_limit(dvl) or dvl < floor_v - _SLACK_V:
        fixed.append(
            Constraint(limit=Limit.DVL, value=floor_v, rule="guard", text="no cell below its minimum")
        )
    return _applied(decision, fixed, frozenset({Alarm.BMS_COMMUNICATION}) if is_old else NO_ALARMS)


def _charging(m: Member, s: PackSample) -> _Side:
    own = m.settings
    cells_v = (-inf, own.charge_stop_v)
    probes_c = (own.temperature_min_charge_c, own.temperature_max_charge_c)
    return _Side(m, s, own.charge_carry_a, s.charge_allowed, s.charge_fet_on, cells_v, probes_c)


def _discharging(m: Member, s: PackSample) -> _Side:
    own = m.settings
    cells_v = (own.cell_min_v, inf)
    probes_c = (own.temperature_min_discharge_c, own.temperature_max_discharge_c)
    return _Side(m, s, own.discharge_carry_a, s.discharge_allowed, s.discharge_fet_on, cells_v, probes_c)


def _caps(sides: Sequence[_Side], maximum_a: float | None, stop: str | None) -> Iterator[tuple[float, str]]:
    """Every bound on a current, with its text."""
    yield fsum([side.rated_a for side in sides]), "the packs together"
    if stop is not None:
        yield 0.0, stop
    if maximum_a is not None:
        yield maximum_a, "the bank's own limit"
    if not any(side.allowed is True for side in sides):
        yield 0.0, "no pack permits it"
    for side in sides:
        if side.switch_on is False:
            continue
        if not _cells_inside(side):
            yield 0.0, f"{side.member.name}: a cell is at its limit, or cannot be read"
        if not _inside(side.sample.temperatures_c, side.probes_c):
            yield 0.0, f"{side.member.name}: too cold or too hot"


def _cells_inside(side: _Side) -> bool:
    """Whether every cell is known and inside; of a pack that gives no cells, their mean."""
    cells_v, volts = side.sample.cell_voltages_v, side.sample.voltage_v
    if cells_v:
        return None not in cells_v and _inside(cells_v, side.cells_v)
    return volts is not None and _inside((volts / side.member.settings.cells,), side.cells_v)


def _inside(values: Sequence[float | None], bounds: tuple[float, float]) -> bool:
    """Whether every known value is strictly inside; what is not a number is not."""
    low, high = bounds
    return all(value is None or low < value < high for value in values)


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value) and value >= 0


def _lowered(limit: Limit, value: float, cap: tuple[float, str], slack: float = 0.0) -> Iterator[Constraint]:
    if not _is_limit(value):
        yield Constraint(limit=limit, value=0.0, rule="guard", text=f"{value} is not a limit")
    elif value > cap[0] + slack:
        yield Constraint(limit=limit, value=cap[0], rule="guard", text=cap[1])


def _applied(decision: Decision, fixed: Sequence[Constraint], alarms: frozenset[Alarm]) -> Decision:
    """The decision with the limits that `fixed` names, and no permission without a limit."""
    values = {c.limit: c.value for c in fixed}
    ccl = values.get(Limit.CCL, decision.charge_current_limit_a)
    dcl = values.get(Limit.DCL, decision.discharge_current_limit_a)
    wants_charge = decision.charge_enabled or decision.force_charge or decision.full_charge_request
    idle = (ccl <= 0 and wants_charge) or (dcl <= 0 and decision.discharge_enabled)
    if not fixed and not idle and alarms <= decision.protections & decision.warnings:
        return decision
    constraints = dict(decision.constraints)
    for c in fixed:
        constraints[c.limit] = (c, *constraints.get(c.limit, ()))
    return replace(
        decision,
        charge_voltage_limit_v=values.get(Limit.CVL, decision.charge_voltage_limit_v),
        discharge_voltage_limit_v=values.get(Limit.DVL, decision.discharge_voltage_limit_v),
        charge_current_limit_a=ccl,
        discharge_current_limit_a=dcl,
        charge_enabled=decision.charge_enabled and ccl > 0,
        discharge_enabled=decision.discharge_enabled and dcl > 0,
        force_charge=decision.force_charge and ccl > 0,
        full_charge_request=decision.full_charge_request and ccl > 0,
        protections=decision.protections | alarms,
        warnings=decision.warnings | alarms,
        constraints=constraints,
    )
