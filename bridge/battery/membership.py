"""Which packs belong to the bank at the moment, and how sure that is.

Every pack has a seat from the start and never loses it. What is heard moves it along

    unknown -> joining -> active            3 plausible samples; at start no waiting: the packs are
                                            on the bus already, the gateway only learns of them
    active -> stale -> lost                 silence; a link that reports itself down is silence at once
    any -> isolated                         both switches off: it has left the bus, and said so
    any -> quarantine                       3 implausible samples in a row
    lost, isolated, quarantine -> joining   taken back in over `join_s`
    stale -> what it was                    3 plausible samples
    excluded                                for good, by the user's word: heard and shown, no member

A pack that returns must fit to the bus: as long as its voltage is outside the join window (`apart`), the
time of joining begins again. That holds for every pack alike, there is no main one.

`Standing.certainty` is what the limits are drawn with: 1 is a pack that the bank may count on, 0 one
that may or may not be on the bus, and a pack that returns rises from 0 to 1. Its last data keeps its
age throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple

from bridge.battery.plausibility import Verdict
from bridge.battery.timing import fresh_s
from bridge.model import Member, PackInfo, PackSample, PackSettings, PackState

CONFIRM_SAMPLES: Final = 3
DISTRUST_SAMPLES: Final = 3
QUARANTINE_S: Final = 60.0


class Standing(NamedTuple):
    """A member, how far the bank may count on it (0..1), and whether its SoC and voltage count."""

    member: Member
    certainty: float
    counts: bool


def both_off(sample: PackSample | None) -> bool:
    """Whether the pack has said that no current can flow in either direction."""
    return sample is not None and sample.charge_fet_on is False and sample.discharge_fet_on is False


class Membership:
    """The seats of all configured packs. Packs are named as in their settings; an unknown name is a bug."""

    def __init__(self, packs: Sequence[PackSettings], join_s: float) -> None:
        self._seats = {pack.name: _Seat(pack, join_s) for pack in packs}
        self._in_service = [self._seats[pack.name] for pack in packs if not pack.excluded]

    def heard(self, pack: str, verdict: Verdict, now: float) -> bool:
        """A sample of `pack` was judged; says whether it is the pack's trusted sample from here on."""
        seat = self._seats[pack]
        seat.advance(now)
        return seat.heard(verdict, now)

    def link(self, pack: str, *, up: bool, now: float) -> None:
        """The way to `pack` was found broken, or is whole again. Only samples restore trust."""
        seat = self._seats[pack]
        seat.link_up = up
        seat.advance(now)

    def informed(self, pack: str, info: PackInfo) -> None:
        """`pack` said who it is and what its BMS is set to."""
        self._seats[pack].info = info

    def apart(self, pack: str, *, apart: bool) -> None:
        """Whether `pack` is too far from the bus to join it."""
        self._seats[pack].apart = apart

    def standings(self, now: float) -> tuple[Standing, ...]:
        """Every pack in service as it stands at `now`, in the order of the configuration."""
        return tuple([seat.standing(now) for seat in self._in_service])

    def members(self, now: float) -> tuple[Member, ...]:
        """Every pack as it stands at `now`, in the order of the configuration."""
        return tuple([seat.standing(now).member for seat in self._seats.values()])


class _Seat:
    """One pack's place: its state, its last trusted sample, and what it takes to move on."""

    def __init__(self, settings: PackSettings, join_s: float) -> None:
        self.info: PackInfo | None = None
        self.link_up = True
        self.apart = False
        self._settings = settings
        self._join_s = join_s
        self._fresh_s = fresh_s(settings)
        self._state = PackState.EXCLUDED if settings.excluded else PackState.UNKNOWN
        self._before = PackState.UNKNOWN  # what it was before it fell silent
        self._sample: PackSample | None = None
        self._heard_s = -inf  # when anything new was said, believed or not
        self._plausible = 0  # samples in a row
        self._implausible = 0
        self._since_s = -inf  # begin of the present run of plausible samples
        self._returning = False  # whether joining takes join_s

    def standing(self, now: float) -> Standing:
        self.advance(now)
        sample = self._sample
        age_s = None if sample is None else max(0.0, now - sample.time_s)
        member = Member(self._settings, self._state, sample, age_s, self.info)
        return Standing(member, self._certainty(now), self._counts())

    def advance(self, now: float) -> None:
        """What silence alone does to the state."""
        if self._state is PackState.EXCLUDED:
            return
        if self._state is PackState.QUARANTINE:
            if now - self._heard_s > self._settings.lost_after_s:
                self._fall(PackState.LOST)
            return
        if self._sample is None or self._state is PackState.LOST:
            return
        age_s = now - self._sample.time_s
        if age_s > self._settings.lost_after_s:
            self._fall(PackState.LOST)
        elif self._state is not PackState.STALE and (age_s > self._fresh_s or not self.link_up):
            self._before = self._state
            self._fall(PackState.STALE)

    def heard(self, verdict: Verdict, now: float) -> bool:
        self.link_up = True
        if verdict.sample is None:
            return False
        if now - self._heard_s > self._fresh_s:
            self._plausible = self._implausible = 0
        self._heard_s = now
        if self._state is PackState.EXCLUDED:
            self._sample = verdict.sample
            return True
        self._count(plausible=verdict.plausible, now=now)
        if self._implausible >= DISTRUST_SAMPLES:
            self._state = PackState.QUARANTINE
        if not self._may_take_in(now):
            return False
        self._sample = verdict.sample
        self._state = self._next(now)
        return True

    def _count(self, *, plausible: bool, now: float) -> None:
        if not plausible:
            self._plausible = 0
            self._implausible += 1
            return
        if self._plausible == 0:
            self._since_s = now
        self._plausible += 1
        self._implausible = 0

    def _may_take_in(self, now: float) -> bool:
        """Out of trust, one plausible sample leads back; out of quarantine, a minute of them."""
        if self._state is PackState.QUARANTINE:
            return self._plausible > 0 and now - self._since_s >= QUARANTINE_S
        return self._plausible > 0 or self._state not in {PackState.UNKNOWN, PackState.LOST}

    def _next(self, now: float) -> PackState:
        """Where a sample that was taken in leads."""
        if both_off(self._sample):
            return PackState.ISOLATED
        match self._state:
            case PackState.UNKNOWN:
                return PackState.JOINING
            case PackState.LOST | PackState.ISOLATED | PackState.QUARANTINE:
                return self._join_again(now)
            case PackState.STALE if self._plausible >= CONFIRM_SAMPLES:
                return self._resumed(now)
            case PackState.JOINING if self._joined(now):
                return PackState.ACTIVE
            case state:
                return state

    def _resumed(self, now: float) -> PackState:
        if self._before is PackState.ACTIVE or (self._before is PackState.JOINING and not self._returning):
            return PackState.ACTIVE
        return self._join_again(now)

    def _join_again(self, now: float) -> PackState:
        self._returning = True
        self._since_s = now
        return PackState.JOINING

    def _joined(self, now: float) -> bool:
        if self._returning and self.apart:
            self._since_s = now
            return False
        confirmed = self._plausible >= CONFIRM_SAMPLES
        return confirmed and (not self._returning or now - self._since_s >= self._join_s)

    def _fall(self, state: PackState) -> None:
        self._state = state
        self._plausible = 0

    def _certainty(self, now: float) -> float:
        if self._state is PackState.ACTIVE:
            return 1.0
        if self._state is not PackState.JOINING or not self._returning or self._plausible < CONFIRM_SAMPLES:
            return 0.0
        if self.apart:
            return 0.0
        return min(1.0, (now - self._since_s) / self._join_s) if self._join_s > 0 else 1.0

    def _counts(self) -> bool:
        if both_off(self._sample):
            return False
        if self._state is PackState.JOINING:
            return not self._returning or self._plausible >= CONFIRM_SAMPLES
        return self._state is PackState.ACTIVE or self._state is PackState.STALE
