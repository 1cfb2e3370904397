"""Taking a pack out on purpose: no current first, then silence without alarm.

Packs in parallel share the current, so one pack carries none only while the bank carries none. A
request therefore moves through

    emptying   both limits of the bank are 0, until this pack carries next to nothing for a while, or
               nothing flows into or out of the bank and it only evens out with the others
    ready      it may be switched off; the limits stay 0, for it is still connected
    gone       it said that both switches are off, or fell silent when it was ready: the others go on
               as a bank without it

While a pack is heard and a switch of it is closed it is in the circuit like any other, whatever was
asked. A pack that speaks again soon was not switched off, only its wire was bad: it is emptied again.
Later it has come back: the request ends, and it is taken in like any pack that returns. A request
whose pack is still there after its time is dropped. Nothing is kept over a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import fsum, inf
from typing import Final

from bridge.battery.context import Pack
from bridge.battery.membership import Standing
from bridge.battery.timing import fresh_s
from bridge.errors import ConfigError, did_you_mean
from bridge.model import Constraint, Limit, Member, PackState

QUIET_A: Final = 1.0  # boards measure no finer
BANK_QUIET_A: Final = 5.0  # of all packs together: what an inverter consumes itself
EVENING_C_RATE: Final = 0.05  # what unlike packs push through each other; a switch that opens breaks some mV
QUIET_S: Final = 5.0
SOON_S: Final = 60.0  # a pack that speaks again within this was not away
TTL_MAX_S: Final = 24 * 3600.0

_SPEAKS: Final = frozenset({PackState.JOINING, PackState.ACTIVE, PackState.QUARANTINE})
_SILENT: Final = frozenset({PackState.STALE, PackState.LOST, PackState.UNKNOWN})


class Phase(StrEnum):
    """How far a pack is on its way out."""

    EMPTYING = "emptying"
    READY = "ready"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Departure:
    """One pack's request. until_s: when it is dropped if the pack is still there. since_s: when its
    current became next to nothing, or, of a pack that is gone, when it went; None until then.
    """

    pack: str
    phase: Phase
    until_s: float
    since_s: float | None = None


class Leaving:
    """All packs that are to leave, or have left."""

    def __init__(self) -> None:
        self._departures: dict[str, Departure] = {}

    def ask(self, pack: str, ttl_s: float, members: Iterable[Member], now: float) -> Departure:
        """Begin, or give a request more time. Raises ConfigError for a pack that cannot leave."""
        known = {member.name: member for member in members}
        _check(pack, ttl_s, known)
        before = self._departures.get(pack)
        phase, since_s = (Phase.EMPTYING, None) if before is None else (before.phase, before.since_s)
        departure = self._departures[pack] = Departure(pack, phase, now + ttl_s, since_s)
        return departure

    def end(self, pack: str) -> Departure:
        """The pack stays, or is back: it counts like any other again. Raises ConfigError if none is asked."""
        if pack not in self._departures:
            raise ConfigError(f"{pack} was not asked to leave")
        return self._departures.pop(pack)

    def standing(self) -> tuple[Departure, ...]:
        """All requests, oldest first."""
        return tuple(self._departures.values())

    def observe(self, standings: Sequence[Standing], now: float) -> None:
        """A new picture of all packs. Call it before each decision."""
        if not self._departures:
            return
        gone = self._gone()
        bank_a = _bank_a([one.member for one in standings if one.member.name not in gone])
        for standing in standings:
            before = self._departures.get(standing.member.name)
            if before is None:
                continue
            after = _next(before, standing.member, bank_a, now)
            if after is None:
                del self._departures[before.pack]
            else:
                self._departures[before.pack] = after

    def constraints(self) -> tuple[Constraint, ...]:
        """No current, as long as a pack that is to leave is still connected."""
        if not self._departures:
            return ()
        return tuple(
            [
                Constraint(limit=limit, value=0.0, rule="leaving", text=_text(one), pack=one.pack)
                for one in self._departures.values()
                if one.phase is not Phase.GONE
                for limit in (Limit.CCL, Limit.DCL)
            ]
        )

    def staying(
        self, packs: tuple[Pack, ...], packs_of: Callable[[str], Collection[str]]
    ) -> tuple[Pack, ...]:
        """What hangs on the bus bar, without what has left and is silent; never nothing. A string leaves with
        any of its packs. packs_of: the packs of a pack or string by its name.
        """
        if not self._departures:
            return packs
        gone = self._gone()
        away = [_is_silent(pack.member) and not gone.isdisjoint(packs_of(pack.member.name)) for pack in packs]
        return tuple([pack for pack, left in zip(packs, away, strict=True) if not left]) or packs

    def _gone(self) -> set[str]:
        return {one.pack for one in self._departures.values() if one.phase is Phase.GONE}


def _check(pack: str, ttl_s: float, known: dict[str, Member]) -> None:
    if pack not in known:
        raise ConfigError(
            f"no pack is called {pack}; there are: {', '.join(known)}{did_you_mean(pack, known)}"
        )
    if len(known) == 1:
        raise ConfigError(f"{pack} is the only pack; to switch it off, stop the gateway")
    if not 0 < ttl_s <= TTL_MAX_S:
        raise ConfigError(f"found {ttl_s:g} s; allowed: above 0 to {TTL_MAX_S:.0f} s (24 h)")
    state = known[pack].state
    if state in _SILENT or state is PackState.QUARANTINE:
        raise ConfigError(
            f"{pack} is {state.value}: nobody can say what it carries, and so when it may be switched off"
        )


def _next(departure: Departure, member: Member, bank_a: float, now: float) -> Departure | None:
    """Where one more look at the pack leads; None is the end of the request."""
    if member.state is PackState.ISOLATED:
        return (
            departure if departure.phase is Phase.GONE else replace(departure, phase=Phase.GONE, since_s=now)
        )
    if departure.phase is Phase.GONE:
        return _seen_again(departure, now) if member.state in _SPEAKS else departure
    if departure.phase is Phase.READY and _is_silent(member):
        return replace(departure, phase=Phase.GONE, since_s=now)
    if now >= departure.until_s:
        return None
    return _emptied(departure, member, bank_a)


def _seen_again(departure: Departure, now: float) -> Departure | None:
    assert departure.since_s is not None  # it went
    soon = now - departure.since_s < SOON_S and now < departure.until_s
    return replace(departure, phase=Phase.EMPTYING, since_s=None) if soon else None


def _emptied(departure: Departure, member: Member, bank_a: float) -> Departure:
    """Time is counted from sample to sample: an old one says nothing of now."""
    if not _is_quiet(member, bank_a):
        if departure.since_s is None:
            return departure
        return replace(departure, phase=Phase.EMPTYING, since_s=None)
    assert member.sample is not None  # it is quiet
    if departure.since_s is None:
        return replace(departure, since_s=member.sample.time_s)
    if departure.phase is Phase.EMPTYING and member.sample.time_s - departure.since_s >= QUIET_S:
        return replace(departure, phase=Phase.READY)
    return departure


def _bank_a(members: Sequence[Member]) -> float:
    """What all packs together carry, A; infinite if one of them that may conduct does not say."""
    conducting = [member for member in members if member.state is not PackState.ISOLATED]
    amps = [None if m.sample is None or _is_silent(m) else m.sample.current_a for m in conducting]
    return fsum([inf if a is None else a for a in amps])


def _is_quiet(member: Member, bank_a: float) -> bool:
    """Whether it is heard, and carries next to nothing, or only what evens it out with the others."""
    sample = member.sample
    if (
        sample is None
        or sample.current_a is None
        or member.state not in {PackState.ACTIVE, PackState.JOINING}
    ):
        return False
    evening_a = EVENING_C_RATE * member.settings.capacity_ah if abs(bank_a) < BANK_QUIET_A else 0.0
    if abs(sample.current_a) >= max(QUIET_A, evening_a):
        return False
    return (member.age_s or 0.0) <= fresh_s(member.settings)


def _is_silent(member: Member) -> bool:
    return member.state in _SILENT


def _text(departure: Departure) -> str:
    if departure.phase is Phase.READY:
        return f"{departure.pack} is to leave and may be switched off now"
    return f"{departure.pack} is to leave: no current until it carries none"
