"""The last step before any sink. Whatever the rules said, no limit leaves that a hard limit forbids.

It shares no code with the rules and reads the packs' samples itself, so that a mistake must be made
twice to get out. It only ever lowers: limits and permissions; it adds alarms. A sink calls it again
after its profile's policies: calling it twice changes nothing, and a decision that is in order passes
through as the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import fsum, inf, isfinite
from typing import NamedTuple

from bridge.model import NO_ALARMS, Alarm, BankSettings, Constraint, Decision, Limit, Member, PackSample

DECISION_MAX_AGE_S = 3.0
_Join = Callable[[Sequence[float]], float]
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
    rated = [float(m.settings.series_rated) for m in members]
    if _wired(bank, members, rated, _one_unrated, min) < 0:
        no_discharge = no_discharge or "a pack of a string is not series_rated"
    charge_cap = min(_caps(bank, [_charging(m, s) for m, s in heard], bank.max_charge_current_a, no_charge))
    discharge_cap = min(
        _caps(bank, [_discharging(m, s) for m, s in heard], bank.max_discharge_current_a, no_discharge)
    )
    tallest_v = [m.settings.charge_ceiling_v for m in members]
    lowest_v = [m.settings.cells * m.settings.cell_min_v for m in members]
    ceiling_v = _wired(bank, members, tallest_v, fsum, min)
    floor_v = _wired(bank, members, lowest_v, fsum, max)
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


def _wired(
    bank: BankSettings, members: Sequence[Member], values: Sequence[float], series: _Join, parallel: _Join
) -> float:
    """A value of the bank from those of its packs; a pack that is not among them has 0."""
    if bank.topology is None:
        return parallel(values or (0.0,))
    of_pack = {member.name: value for member, value in zip(members, values, strict=True)}
    return bank.topology.fold(lambda name: of_pack.get(name, 0.0), series, parallel)


def _one_unrated(packs: Sequence[float]) -> float:
    """Below 0 if one of these packs, which are in series, is not rated for that (0)."""
    return 1.0 if min(packs) > 0 else -1.0


def _caps(
    bank: BankSettings, sides: Sequence[_Side], maximum_a: float | None, stop: str | None
) -> Iterator[tuple[float, str]]:
    """Every bound on a current, with its text."""
    packs = [side.member for side in sides]
    yield _wired(bank, packs, [side.rated_a for side in sides], min, fsum), "the packs together"
    if stop is not None:
        yield 0.0, stop
    if maximum_a is not None:
        yield maximum_a, "the bank's own limit"
    if not _wired(bank, packs, [float(side.allowed is True) for side in sides], min, max):
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
