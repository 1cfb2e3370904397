"""A pack whose current has gone while the others took it over: it has left, whatever its flags say.

Some boards open and report it seconds later, or never. The mark of it is a current that is there in one
sample and gone in the next two, while the others, heard after that, carry at least half of it more.
A load that ends, or turns, leaves no such mark.

Suspicion only makes a pack uncertain (see `sharing`): the limits then hold both if it conducts and if it
does not, so that a wrong suspicion costs service and never safety. It ends when the pack carries current
again, when it says itself that a switch is open, and when it is the last one: then there is nobody to
tell it by.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bridge.battery.context import Pack
from bridge.battery.facts import Facts
from bridge.model import Alarm, AlarmCause, Severity

# The least current, and share of the rating, whose loss says anything.
TELLING_A: Final = 5.0
TELLING_RATIO: Final = 0.04
GONE: Final = 0.2  # of what it was: no more than this is left
TAKEN_OVER: Final = 0.5  # of what is gone: the others carry at least so much more
CONFIRM_SAMPLES: Final = 2
REMEMBERED: Final = 4  # samples
SILENT_S: Final = 10.0  # others that were silent for so long before cannot have taken anything over


@dataclass(slots=True)
class _Track:
    """One pack's last (time, current), and where a suspicion stands."""

    samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    lost_a: float = 0.0  # the current that was there and is gone; 0 without a suspicion
    before_s: float = 0.0  # when it was there last
    gone_s: float = 0.0  # when it was gone first
    count: int = 0  # samples since then; of a suspect, samples with current
    suspect: bool = False


class SilentTrips:
    """Watches all packs of a bank. Feed it every trusted sample."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._suspects: set[str] = set()

    def heard(self, facts: Facts) -> None:
        """A trusted sample, digested."""
        sample, own = facts.sample, facts.settings
        track = self._tracks.setdefault(own.name, _Track())
        if sample.charge_fet_on is False or sample.discharge_fet_on is False:
            self._acquit(own.name, track)  # it says so itself
        if sample.current_a is None:
            return
        least_a = max(TELLING_A, TELLING_RATIO * own.rated_discharge_current_a)
        if track.suspect:
            track.count = track.count + 1 if abs(sample.current_a) >= GONE * least_a else 0
            if track.count >= CONFIRM_SAMPLES:
                self._acquit(own.name, track)
        elif track.lost_a:
            self._weigh(own.name, track, sample.current_a)
        elif track.samples and _gone(track.samples[-1][1], sample.current_a, least_a):
            track.before_s, track.lost_a = track.samples[-1]
            track.gone_s, track.count = sample.time_s, 1
        track.samples.append((sample.time_s, sample.current_a))

    def suspects(self, packs: Sequence[Pack], *, excludes: bool) -> frozenset[str]:
        """The packs that are made uncertain. excludes: whether a lost pack is off by the user's word."""
        if not self._suspects:
            return frozenset()
        for pack in packs:
            away = pack.open_switch or (excludes and not pack.trusted)
            if not away and pack.member.name not in self._suspects:
                return frozenset(self._suspects)
        return frozenset()

    def causes(self) -> list[AlarmCause]:
        """A warning for every suspect."""
        if not self._suspects:
            return []
        return [_cause(name, self._tracks[name].lost_a) for name in sorted(self._suspects)]

    def _weigh(self, name: str, track: _Track, current_a: float) -> None:
        """Whether the current is still gone, and who carries it."""
        if abs(current_a) > GONE * abs(track.lost_a):
            self._acquit(name, track)
            return
        track.count += 1
        taken_a = self._taken_over(name, track)
        if track.count < CONFIRM_SAMPLES or (taken_a is None and track.count < 2 * REMEMBERED):
            return
        if taken_a is not None and taken_a >= TAKEN_OVER:
            track.suspect, track.count = True, 0
            self._suspects.add(name)
        else:
            self._acquit(name, track)

    def _taken_over(self, name: str, track: _Track) -> float | None:
        """How much of the lost current the others carry more than before; None before all were heard."""
        more_a = 0.0
        for other, theirs in self._tracks.items():
            if other == name or not theirs.samples:
                continue
            time_s, after_a = theirs.samples[-1]
            if track.before_s - time_s > SILENT_S:
                continue  # it says nothing these days
            if time_s < track.gone_s:
                return None
            before_a = [a for t, a in theirs.samples if t <= track.before_s]
            more_a += after_a - (before_a[-1] if before_a else after_a)
        return more_a / track.lost_a

    def _acquit(self, name: str, track: _Track) -> None:
        track.lost_a, track.count, track.suspect = 0.0, 0, False
        self._suspects.discard(name)


def _gone(before_a: float, after_a: float, least_a: float) -> bool:
    return abs(before_a) >= least_a and abs(after_a) <= GONE * abs(before_a)


def _cause(name: str, lost_a: float) -> AlarmCause:
    alarm = Alarm.CHARGE_FET_FAULT if lost_a > 0 else Alarm.DISCHARGE_FET_FAULT
    text = f"{name}: its {abs(lost_a):.0f} A went over to the others; it is taken to be off"
    return AlarmCause(alarm=alarm, severity=Severity.WARNING, text=text, pack=name)
