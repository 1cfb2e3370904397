"""The last step before any sink. Whatever the rules said, no limit leaves that a hard limit forbids.

It shares no code with the rules and reads the packs' samples itself, so that a mistake must be made
twice to get out. It only ever lowers: limits and permissions; it adds alarms. A sink calls it again
after its profile's policies: calling it twice changes nothing, and a decision that is in order passes
through as the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import fsum, inf, isfinite

from bridge.model import Alarm, BankSettings, Constraint, Decision, Limit, Member, PackSample, PackSettings

DECISION_MAX_AGE_S = 3.0
_SLACK_V = 1e-6  # a voltage that means its bound may differ from it in the last digit
_CELLS, _PROBES = "a cell is at its limit, or cannot be read", "too cold or too hot"
_Join = Callable[[Iterable[float]], float]
_Bounds = tuple[float, float]
_Side = tuple[str, float, str | None]
"""A pack as one direction of current sees it: its name, what it adds, A, and why the bank must carry none."""


def guard(decision: Decision, members: Sequence[Member], bank: BankSettings, now: float) -> Decision:
    """`decision`, lowered to what `members` and the user's settings allow at `now`.

    Each limit that had to be lowered (DVL: raised) says so in a first constraint of the rule "guard".
    A pack that the user has taken out of service is none of them.
    """
    packs = [(m.settings, m.sample) for m in members if not m.settings.excluded]
    heard = [
        (own, s, _cells_v(own, s), _range(s.temperatures_c))
        for own, s in packs
        if s is not None and abs(now - s.time_s) <= own.lost_after_s
    ]
    is_old = not abs(now - decision.time_s) <= DECISION_MAX_AGE_S
    silence = "the decision is too old" if is_old else None if heard else "no pack is heard"
    cvl, dvl = decision.charge_voltage_limit_v, decision.discharge_voltage_limit_v
    no_charge = silence or (None if _is_limit(cvl) else "there is no charge voltage limit")
    no_discharge = silence or (None if _is_limit(dvl) else "there is no discharge voltage limit")
    if bank.topology is not None:
        rated = {own.name: float(own.series_rated) for own, _ in packs}
        if _wired(bank, rated, _rated_string, min) < 0:
            no_discharge = no_discharge or "a pack of a string is not series_rated"
    charging, discharging = [_charging(*pack) for pack in heard], [_discharging(*pack) for pack in heard]
    charge_cap = _cap(bank, charging, bank.max_charge_current_a, no_charge)
    discharge_cap = _cap(bank, discharging, bank.max_discharge_current_a, no_discharge)
    ceiling_v = _wired(bank, {own.name: own.charge_ceiling_v for own, _ in packs}, fsum, min)
    floor_v = _wired(bank, {own.name: own.cells * own.cell_min_v for own, _ in packs}, fsum, max)
    fixed = [
        *_lowered(Limit.CVL, cvl, (ceiling_v, "no cell above its maximum"), _SLACK_V),
        *_lowered(Limit.CCL, decision.charge_current_limit_a, charge_cap),
        *_lowered(Limit.DCL, decision.discharge_current_limit_a, discharge_cap),
    ]
    if not _is_limit(dvl) or dvl < floor_v - _SLACK_V:
        fixed.append(_reason(Limit.DVL, floor_v, "no cell below its minimum"))
    return _applied(decision, fixed, frozenset({Alarm.BMS_COMMUNICATION} if is_old else ()))


def _charging(own: PackSettings, said: PackSample, cells_v: _Bounds, probes_c: _Bounds) -> _Side:
    adds_a = own.charge_carry_a if said.charge_allowed is True else 0.0
    mild = own.temperature_min_charge_c < probes_c[0] and probes_c[1] < own.temperature_max_charge_c
    end = _CELLS if not cells_v[1] < own.charge_stop_v else None if mild else _PROBES
    return own.name, adds_a, None if said.charge_fet_on is False else end


def _discharging(own: PackSettings, said: PackSample, cells_v: _Bounds, probes_c: _Bounds) -> _Side:
    adds_a = own.discharge_carry_a if said.discharge_allowed is True else 0.0
    mild = own.temperature_min_discharge_c < probes_c[0] and probes_c[1] < own.temperature_max_discharge_c
    end = _CELLS if not own.cell_min_v < cells_v[0] else None if mild else _PROBES
    return own.name, adds_a, None if said.discharge_fet_on is False else end


def _cells_v(own: PackSettings, said: PackSample) -> _Bounds:
    """The least and the greatest cell; of a pack that gives no cells, their mean is judged."""
    volts = said.cell_voltages_v or (None if said.voltage_v is None else said.voltage_v / own.cells,)
    return (-inf, inf) if None in volts else _range(volts)


def _range(values: Sequence[float | None]) -> _Bounds:
    """The least and the greatest known value; of none, inside everything; what is not finite is all over."""
    known = [value for value in values if value is not None]
    if not known:
        return inf, -inf
    return (min(known), max(known)) if isfinite(sum(known)) else (-inf, inf)


def _cap(
    bank: BankSettings, sides: Sequence[_Side], maximum_a: float | None, stop: str | None
) -> tuple[float, str]:
    """The bound on a current, with its text."""
    ends = [f"{name}: {end}" for name, _, end in sides if end is not None]
    if stop is not None or ends:
        return 0.0, stop or ends[0]
    together_a = _wired(bank, {name: adds_a for name, adds_a, _ in sides}, min, fsum)
    if maximum_a is not None and maximum_a < together_a:
        return maximum_a, "the bank's own limit"
    return together_a, "the packs that permit it, together"


def _rated_string(packs: Iterable[float]) -> float:
    """Below 0 if one of these packs, which are in series, is not rated for that (0)."""
    return 1.0 if min(packs) > 0 else -1.0


def _wired(bank: BankSettings, of_pack: Mapping[str, float], series: _Join, parallel: _Join) -> float:
    """A value of the bank from those of its packs; a pack that is not among them has 0."""
    if bank.topology is None:
        return parallel(of_pack.values() or (0.0,))
    return bank.topology.fold(lambda name: of_pack.get(name, 0.0), series, parallel)


def _is_limit(value: object) -> bool:
    return isinstance(value, (int, float)) and isfinite(value) and value >= 0


def _lowered(limit: Limit, value: float, cap: tuple[float, str], slack: float = 0.0) -> Sequence[Constraint]:
    if not _is_limit(value):
        return (_reason(limit, 0.0, f"{value} is not a limit"),)
    return (_reason(limit, *cap),) if value > cap[0] + slack else ()


def _reason(limit: Limit, value: float, text: str) -> Constraint:
    return Constraint(limit=limit, value=value, rule="guard", text=text)


def _applied(decision: Decision, fixed: Sequence[Constraint], alarms: frozenset[Alarm]) -> Decision:
    """The decision with the limits that `fixed` names, and no permission without a limit."""
    values = {c.limit: c.value for c in fixed}
    ccl = values.get(Limit.CCL, decision.charge_current_limit_a)
    dcl = values.get(Limit.DCL, decision.discharge_current_limit_a)
    wants_charge = decision.charge_enabled or decision.force_charge or decision.full_charge_request
    idle = (ccl <= 0 and wants_charge) or (dcl <= 0 and decision.discharge_enabled)
    if not fixed and not idle and alarms <= decision.protections & decision.warnings:
        return decision
    reasons = {c.limit: (c, *decision.constraints.get(c.limit, ())) for c in fixed}
    return decision._replace(
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
        constraints={**decision.constraints, **reasons},
    )
