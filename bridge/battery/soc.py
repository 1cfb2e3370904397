"""The bank's state of charge: one number for many packs, that knows its weakest pack and never jumps.

`soc_mode` says how the packs' values become one: `weighted` by capacity over the packs that count;
`weighted_edges` the same, but toward empty it gives way to the lowest pack, because that one trips
first and leaves its load to the rest; `min` is the lowest pack always. When packs come or go the shown
value glides to the new one at `soc_glide_pct_per_min`; when none is left, it stays where it was.

100 % is shown only when the bank is full and 0 % only when it is empty, because inverters act on both.
While a cell holds discharging back, no more than 5 % is shown, whatever the packs say: a house that is
told 40 % and gets no current is told a lie. That too is approached, not jumped to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import fsum, inf
from typing import Final, NamedTuple

from bridge.battery.context import Pack
from bridge.battery.coulombs import Counter, restored, saved
from bridge.battery.facts import Facts
from bridge.battery.full import pack_full
from bridge.battery.timing import elapsed_s
from bridge.model import Alarm, AlarmCause, BankSettings, PackSettings, Severity

FOLLOW_PER_S: Final = 0.01  # while the packs stay the same
STEP_MAX_S: Final = 3.0
# Of the lowest pack: from where on, and where only it counts.
LOW_BEGINS: Final = 0.15
LOW_ENDS: Final = 0.05
ALMOST_FULL: Final = 0.99
ALMOST_EMPTY: Final = 0.01
# A stop by voltage above so much charge is a contradiction.
STOPPED_ABOVE: Final = 0.10
STOPPED_SHOWS: Final = 0.05


class StateOfCharge:
    """The shown value, which has a memory, and the counters of all packs."""

    def __init__(self, settings: BankSettings | None = None) -> None:
        own = BankSettings() if settings is None else settings
        self._mode = own.soc_mode
        self._glide_per_s = own.soc_glide_pct_per_min / 6000.0
        self._counters: dict[str, Counter] = {}
        self._soc: float | None = None
        self._now = inf
        self._parts: tuple[tuple[str, bool], ...] = ()
        self._gliding = False
        self._contradicted = False

    def heard(self, facts: Facts) -> None:
        """A trusted sample, digested."""
        self._counters.setdefault(facts.settings.name, Counter()).take(facts, full=pack_full(facts))

    def counted(self, pack: str) -> float | None:
        """What our own counter of a pack says, 0..1; None before it has begun."""
        counter = self._counters.get(pack)
        return None if counter is None else counter.soc

    def state(self) -> dict[str, object]:
        """What to keep over a restart, as JSON can carry it."""
        return {"counters": saved(self._counters)}

    def restore(self, state: object) -> None:
        """Go on from what `state` gave; what does not fit is left out. Call it before anything is heard."""
        counters = state.get("counters") if isinstance(state, Mapping) else None
        if isinstance(counters, Mapping):
            self._counters = {str(name): restored(one) for name, one in counters.items()}

    def follow(self, packs: Sequence[Pack], now: float, *, settled: bool) -> float | None:
        """The value to show at `now`, 0..1, edges apart. settled: False while the bank starts, when every
        pack is news.
        """
        passed_s = elapsed_s(self._now, now, STEP_MAX_S)
        self._now = now
        known = _known(packs)
        if not known:
            return self._soc
        target = self._target(known)
        self._note(known, contradicted=target > STOPPED_ABOVE and any(map(_stops, packs)))
        if self._soc is None or not settled:
            self._soc = target
        step = (self._glide_per_s if self._gliding else FOLLOW_PER_S) * passed_s
        if self._contradicted:
            target, step = STOPPED_SHOWS, FOLLOW_PER_S * passed_s
        if self._soc != target:
            self._soc = min(max(target, self._soc - step), self._soc + step)
        self._gliding = self._gliding and self._soc != target
        return self._soc

    def causes(self, packs: Sequence[Pack]) -> Iterator[AlarmCause]:
        """Where what is said of the charge cannot be true; as of the last `follow`."""
        for pack in packs:
            name = pack.member.settings.name
            if not pack.counts:
                continue
            counter = self._counters.get(name)
            if counter is not None and counter.drifted:
                yield _drift(name, counter.contradiction)
            if self._contradicted and _stops(pack):
                yield _drift(name, "a cell is at its lower stop while the bank is said to be above 10 %")

    def _note(self, known: Sequence[_Part], *, contradicted: bool) -> None:
        """What is news, so that the shown value glides."""
        parts = tuple([(part.own.name, part.leads) for part in known])
        if parts != self._parts or (self._contradicted and not contradicted):
            self._gliding = True
        self._parts, self._contradicted = parts, contradicted

    def _target(self, known: Sequence[_Part]) -> float:
        # A pack that cannot be discharged any more has left its load to the others already.
        lowest = min([part.soc for part in known if part.leads] or [part.soc for part in known])
        if self._mode == "min":
            return lowest
        charges = [part.own.capacity_ah * part.soc for part in known]
        mean = fsum(charges) / fsum([part.own.capacity_ah for part in known])
        if self._mode == "weighted" or lowest >= LOW_BEGINS:
            return mean
        weight = max(0.0, (lowest - LOW_ENDS) / (LOW_BEGINS - LOW_ENDS))
        return weight * mean + (1.0 - weight) * lowest


def within_edges(
    soc: float | None, packs: Sequence[Pack], discharge_limit_a: float, *, full: bool
) -> float | None:
    """100 % only when the bank is full, 0 % only when discharging has ended because a pack is empty."""
    if soc is None:
        return None
    if soc > ALMOST_FULL and not full:
        soc = ALMOST_FULL
    if soc < ALMOST_EMPTY and not (discharge_limit_a <= 0 and _empty(packs)):
        soc = ALMOST_EMPTY
    return soc


class _Part(NamedTuple):
    """A pack's SoC as a part of the bank's. leads: it can be the one that is empty first."""

    own: PackSettings
    soc: float
    leads: bool


def _known(packs: Sequence[Pack]) -> list[_Part]:
    """The packs whose SoC is part of the bank's."""
    return [
        _Part(pack.member.settings, soc, pack.facts is None or pack.facts.discharge_switch_on is not False)
        for pack in packs
        if pack.counts and (soc := pack.soc) is not None
    ]


def _stops(pack: Pack) -> bool:
    """Whether this pack is why the bank may not be discharged."""
    facts = pack.facts
    return (
        facts is not None
        and facts.discharge_stopped
        and pack.counts
        and facts.discharge_switch_on is not False
    )


def _empty(packs: Sequence[Pack]) -> bool:
    return any(_stops(pack) for pack in packs) or all(part.soc <= 0 for part in _known(packs))


def _drift(pack: str, text: str) -> AlarmCause:
    return AlarmCause(alarm=Alarm.SOC_DRIFT, severity=Severity.WARNING, text=f"{pack}: {text}", pack=pack)
