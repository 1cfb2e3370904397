"""The second layer: a pack that carries more than it may, although the bank is within its limit.

Then its share is not what it was taken for, and its limit is counted with less until that shows to be
enough: 0.9 of it for every two samples in a row above 105 %, no less than half, and 1 % more a minute
after ten minutes without. Not counted is what no share explains: the seconds in which an inverter still
follows a limit that fell, or a circuit that changed, and an inverter that takes more than it was told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

from bridge.model import Alarm, AlarmCause, Constraint, Limit, Severity

if TYPE_CHECKING:
    from bridge.battery.context import Pack

# Of the limit, and what a sensor adds.
OVER: Final = 1.05
OVER_A: Final = 1.0
SAMPLES: Final = 2
DERATE: Final = 0.9
DERATE_MIN: Final = 0.5
CLEAN_S: Final = 600.0
RECOVERY_PER_S: Final = 0.01 / 60
REACTION_S: Final = 10.0  # the slowest inverter is given this long to follow
WARN_S: Final = 60.0

ALARMS: Mapping[Limit, Alarm] = {
    Limit.CCL: Alarm.CHARGE_OVERCURRENT,
    Limit.DCL: Alarm.DISCHARGE_OVERCURRENT,
}


@dataclass(slots=True)
class Recent:
    """The highest of the values within about the time that an inverter takes."""

    value: float = 0.0
    _since_s: float = -inf

    def take(self, value: float, now: float) -> None:
        """The value at `now`."""
        if value >= self.value or now - self._since_s > REACTION_S:
            self.value, self._since_s = value, now


@dataclass(slots=True)
class _Watch:
    """One pack in one direction. factor: of its limit. over_s: when it last carried too much."""

    limit_a: Recent = field(default_factory=Recent)
    samples: int = 0
    factor: float = 1.0
    over_s: float = -inf
    text: str = ""


class Overcurrent:
    """Watches every pack's current against its own limit."""

    def __init__(self) -> None:
        self._watches: dict[tuple[str, Limit], _Watch] = {}
        self._derated: set[tuple[str, Limit]] = set()
        self._heard_s: dict[str, float] = {}
        self._allowed = {Limit.CCL: Recent(), Limit.DCL: Recent()}
        self._now = -inf
        self._changed_s = -inf
        self.complaints: tuple[AlarmCause, ...] = ()

    def changed(self, now: float) -> None:
        """The circuit is another one; the inverter needs a moment to learn of it."""
        self._changed_s = now

    def allowed(self, limit: Limit, amps: float) -> None:
        """What the bank was allowed to carry."""
        self._allowed[limit].take(amps, self._now)

    def watch(self, packs: Sequence[Pack], total_a: float | None, now: float) -> None:
        """A new picture. total_a: what the bank carries; None if that is not known."""
        self._now = now
        if self._derated:
            self._recover(now)
        if now - self._changed_s <= REACTION_S:
            return
        for pack in packs:
            sample, name = pack.member.sample, pack.member.name
            if sample is None or sample.current_a is None or not pack.heard:
                continue
            if sample.time_s > self._heard_s.get(name, -inf):
                self._heard_s[name] = sample.time_s
                self._judge(pack, sample.current_a, total_a)

    def causes(self, pack: str, causes: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
        """A pack's causes in one direction, with what follows from its behaviour."""
        key = pack, causes[0].limit
        if key not in self._derated:
            return causes
        watch, first = self._watches[key], causes[0]
        cause = first._replace(
            value=watch.factor * first.value, rule="overcurrent_feedback", text=watch.text, cell=None
        )
        return (cause, *causes)

    def _judge(self, pack: Pack, current_a: float, total_a: float | None) -> None:
        """A new sample of a pack."""
        limit, amps = (Limit.CCL, current_a) if current_a > 0 else (Limit.DCL, -current_a)
        limit_a = pack.limits.current(limit)[0].value
        watch = self._watches.setdefault((pack.member.name, limit), _Watch())
        watch.limit_a.take(limit_a, self._now)
        is_over = amps > OVER * watch.limit_a.value + OVER_A
        if not is_over or limit_a <= 0 or not self._within(limit, total_a):
            watch.samples = 0
            return
        watch.samples += 1
        if watch.samples >= SAMPLES:
            self._derate(watch, amps, limit_a)
            self._derated.add((pack.member.name, limit))
            self._warn()

    def _within(self, limit: Limit, total_a: float | None) -> bool:
        """Whether the bank carries current in this direction, and no more than it was allowed."""
        if total_a is None:
            return True
        carried_a = total_a if limit is Limit.CCL else -total_a
        return 0.0 < carried_a <= OVER * self._allowed[limit].value + OVER_A

    def _derate(self, watch: _Watch, amps: float, limit_a: float) -> None:
        watch.samples = 0
        watch.factor = max(DERATE_MIN, DERATE * watch.factor)
        watch.over_s = self._now
        counted = f"counted with {100 * watch.factor:.0f} %"
        watch.text = f"carried {amps:.0f} A where {limit_a:.0f} A are allowed, {counted}"

    def _recover(self, now: float) -> None:
        for key in tuple(self._derated):
            watch = self._watches[key]
            clean_s = now - watch.over_s - CLEAN_S
            if clean_s > 0:
                watch.factor += RECOVERY_PER_S * clean_s
                watch.over_s += clean_s
            if watch.factor >= 1.0:
                watch.factor = 1.0
                self._derated.discard(key)
        self._warn()

    def _warn(self) -> None:
        self.complaints = tuple(
            [self._complaint(key) for key in sorted(self._derated) if self._is_recent(key)]
        )

    def _is_recent(self, key: tuple[str, Limit]) -> bool:
        return self._now - self._watches[key].over_s < WARN_S

    def _complaint(self, key: tuple[str, Limit]) -> AlarmCause:
        name, limit = key
        text = self._watches[key].text
        return AlarmCause(alarm=ALARMS[limit], severity=Severity.WARNING, text=text, pack=name)
