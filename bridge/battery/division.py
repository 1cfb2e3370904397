"""One bank's current limits, divided over several inverters.

Each inverter hears only its own limit and uses all of it, so the parts together are the bank's limit
at most, whatever the inverters do. All is worked out in whole tenths of an ampere and rounded down.
An inverter that is not heard keeps its part: it may well draw.

    fixed       the shares of the configuration; without any, equal ones
    priority    the first takes what it can carry, the next what is left; equals in equal parts
    use         in proportion to what each inverter says that it carries, moving slowly; equal
                parts unless every inverter says so
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import floor, inf, isfinite
from typing import Final

from bridge.model import Constraint, Decision, Limit

TENTHS: Final = 10  # of an ampere
_ROUNDING: Final = 1e-6  # of a tenth: floats that mean a whole number of them
RESERVED: Final = 0.25  # of the parts by use, dealt out equally: who carries nothing must be able to begin
SHIFT_PER_S: Final = 0.01  # how fast parts by use move: slower than any inverter follows
STEP_MAX_S: Final = 3.0
CURRENTS: Final = (Limit.CCL, Limit.DCL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """One inverter. share: of the bank's limit, 0..1; None for an equal part of what is left over.
    priority: 1 is served first. max_*_current_a: what it can carry itself.
    """

    name: str
    share: float | None = None
    priority: int = 1
    max_charge_current_a: float | None = None
    max_discharge_current_a: float | None = None

    def most_a(self, limit: Limit) -> float:
        """What it can carry in that direction, A."""
        most_a = self.max_charge_current_a if limit is Limit.CCL else self.max_discharge_current_a
        return inf if most_a is None else most_a


class Division:
    """Deals out decisions. split: "fixed", "priority" or "use"."""

    def __init__(self, takers: Sequence[Taker], split: str = "fixed") -> None:
        self._takers = tuple(takers)
        self._split = split
        self._shares = _equal(takers) if split == "use" else fixed_shares(takers)
        self._takes_all = len(takers) == 1 and takers[0].share is None and _has_no_limit(takers[0])
        self._now = inf

    def parts(
        self, decision: Decision, now: float, used_a: Mapping[str, float | None] | None = None
    ) -> dict[str, Decision]:
        """The decision for each inverter. used_a: the battery current that each says it carries, A."""
        if self._takes_all:
            return {taker.name: decision for taker in self._takers}
        if self._split == "use":
            self._follow(used_a or {}, now)
        dealt = {limit: self._deal(getattr(decision, limit.value), limit) for limit in CURRENTS}
        return {
            taker.name: _part(decision, {limit: dealt[limit][taker.name] for limit in CURRENTS}, taker.name)
            for taker in self._takers
        }

    def _deal(self, total_a: float, limit: Limit) -> dict[str, float]:
        if self._split == "priority":
            return by_priority(total_a, self._takers, limit)
        return by_share(total_a, self._takers, self._shares, limit)

    def _follow(self, used_a: Mapping[str, float | None], now: float) -> None:
        """Move the shares toward what is used; both directions count, because either needs the room."""
        elapsed_s = min(max(0.0, now - self._now), STEP_MAX_S)
        self._now = now
        wanted = _wanted(self._takers, used_a)
        away = max(abs(wanted[name] - share) for name, share in self._shares.items())
        part = 1.0 if away <= 0 else min(1.0, SHIFT_PER_S * elapsed_s / away)
        self._shares = {name: share + part * (wanted[name] - share) for name, share in self._shares.items()}


def fixed_shares(takers: Sequence[Taker]) -> dict[str, float]:
    """The shares of the configuration; who has none gets an equal part of what the others leave."""
    left = max(0.0, 1.0 - sum(taker.share for taker in takers if taker.share is not None))
    without = sum(taker.share is None for taker in takers)
    return {taker.name: left / without if taker.share is None else taker.share for taker in takers}


def by_share(
    total_a: float, takers: Sequence[Taker], shares: Mapping[str, float], limit: Limit
) -> dict[str, float]:
    """Each one's share of the total, rounded down, A."""
    total = left = _tenths(total_a)
    parts = {}
    for taker in takers:
        part = min(left, floor(total * shares[taker.name] + _ROUNDING), _tenths(taker.most_a(limit), total))
        left -= part
        parts[taker.name] = part / TENTHS
    return parts


def by_priority(total_a: float, takers: Sequence[Taker], limit: Limit) -> dict[str, float]:
    """First come, first served; what an equal cannot carry goes to the next in the row, A."""
    left = _tenths(total_a)
    parts = dict.fromkeys([taker.name for taker in takers], 0.0)
    for _, group in groupby(sorted(takers, key=lambda one: one.priority), key=lambda one: one.priority):
        equals = sorted(group, key=lambda one: one.most_a(limit))  # the smallest first leaves no rest
        for number, taker in enumerate(equals):
            part = min(left // (len(equals) - number), _tenths(taker.most_a(limit), left))
            left -= part
            parts[taker.name] = part / TENTHS
    return parts


def _has_no_limit(taker: Taker) -> bool:
    return taker.max_charge_current_a is None and taker.max_discharge_current_a is None


def _equal(takers: Sequence[Taker]) -> dict[str, float]:
    return {taker.name: 1.0 / len(takers) for taker in takers}


def _wanted(takers: Sequence[Taker], used_a: Mapping[str, float | None]) -> dict[str, float]:
    amps = {
        taker.name: abs(a) for taker in takers if (a := used_a.get(taker.name)) is not None and isfinite(a)
    }
    total_a = sum(amps.values())
    if len(amps) < len(takers) or total_a <= 0:
        return _equal(takers)
    return {name: RESERVED / len(takers) + (1.0 - RESERVED) * a / total_a for name, a in amps.items()}


def _part(decision: Decision, amps: Mapping[Limit, float], name: str) -> Decision:
    ccl, dcl = amps[Limit.CCL], amps[Limit.DCL]
    constraints = dict(decision.constraints)
    for limit, part_a in amps.items():
        total_a = getattr(decision, limit.value)
        if part_a < total_a:
            text = f"{name}: its part of the bank's {total_a:.1f} A"
            mine = Constraint(limit=limit, value=part_a, rule="division", text=text)
            constraints[limit] = (mine, *constraints.get(limit, ()))
    return decision._replace(
        charge_current_limit_a=ccl,
        discharge_current_limit_a=dcl,
        charge_enabled=decision.charge_enabled and ccl > 0,
        discharge_enabled=decision.discharge_enabled and dcl > 0,
        force_charge=decision.force_charge and ccl > 0,
        full_charge_request=decision.full_charge_request and ccl > 0,
        constraints=constraints,
    )


def _tenths(amps: float, most: int | None = None) -> int:
    """Whole tenths at or below; `most` stands for what is not finite."""
    if not isfinite(amps):
        return most or 0
    return max(0, floor(amps * TENTHS + _ROUNDING))
