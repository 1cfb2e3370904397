"""What we would have sent: the recorded buses played to the real engine, in virtual time.

The engine is the gateway's own, in shadow mode: it hears the packs, decides, and what it would send is
compared with what was sent. Two things make a dump a world to live in: packs that are asked questions
answer as they last answered the same question in the dump, if that is not long ago; and before the dump
begins, its first half minute is lived through for so long that limits have risen and nothing is still
settling, as it is for a gateway that has been running. Of a dump that is shorter than that, limits rise at
once: to repeat a few frames for minutes would look like a BMS that hangs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from bridge import profiles
from bridge.config import CanInverter
from bridge.config.ceiling import highest_v
from bridge.dump.answers import Answers, unknown_note
from bridge.dump.block import ERROR, FD, REMOTE, Block
from bridge.dump.roles import Cast
from bridge.events import Action, Event, LinkUp, Received, Report, Send, Tick
from bridge.gateway import Gateway
from bridge.model import CanFrame, Limit
from bridge.protocols.contract import load
from bridge.shadow import Shadow
from bridge.sinks.can import CanSink
from bridge.status import reason

FIRST_S = 30.0  # of the dump, lived through before it: longer than what counts as a BMS that hangs
LEAST_ROUND_S = 1.0
SHORT_WARM_UP_S = 15.0  # shorter than that
AT_ONCE_PCT_PER_S = 1e6
REPLY_S = 0.02
SETTLED_S = 60.0  # beyond what a limit takes to rise
KEPT = 500
TELLING = frozenset({"shadow_differs", "shadow_agrees"})
OF_LIMIT: Mapping[str, Limit] = {
    **{limit.value: limit for limit in Limit},
    "on_grid_charge_current_limit_a": Limit.CCL,
    "on_grid_discharge_current_limit_a": Limit.DCL,
    "charge_enabled": Limit.CCL,
    "charge_forbidden": Limit.CCL,
    "discharge_enabled": Limit.DCL,
    "discharge_forbidden": Limit.DCL,
}
"""Signals that a limit's reasons explain."""


@dataclass(frozen=True, slots=True)
class News:
    """A signal that began to differ, or ceased to. time_s: as in the dump. because: why ours is so."""

    time_s: float
    report: Report
    because: str | None

    def record(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        shown = {"event": self.report.event, "t": round(self.time_s, 6), **self.report.fields}
        return shown if self.because is None else shown | {"because": self.because}


@dataclass(slots=True)
class Outcome:
    """What came of it. rows: by inverter, as `Comparison.rows` has them. why: reasons at the end."""

    notes: tuple[str, ...]
    frames: int = 0
    first_s: float | None = None
    last_s: float | None = None
    samples: int = 0
    news: list[News] = field(default_factory=list)
    more_news: int = 0
    rows: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    why: dict[str, dict[str, object]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether a reading of any signal was beyond its tolerance for long enough to be said."""
        return any(one.report.event == "shadow_differs" for one in self.news)

    def record(self) -> dict[str, object]:
        """All but the news, as JSON can carry it."""
        return {
            "event": "whatif_summary",
            "differs": self.differs,
            "frames": self.frames,
            "first_t": self.first_s,
            "last_t": self.last_s,
            "pack_samples": self.samples,
            "notes": list(self.notes),
            "frames_of_battery": self.heard,
            "silent": self.silent,
            "inverters": self.rows,
            "why": self.why,
        }


Timed = tuple[float, str, CanFrame]
"""When in the dump, on which of its channels, what."""


def whatif(blocks: Iterable[Block], roles: Cast, *, warm_up_s: float | None = None) -> Outcome:
    """Play a dump to a configuration. warm_up_s: None takes as long as its limits need to rise."""
    frames = timed(blocks)
    begun = list(_first(frames))
    if not begun:
        return Outcome(roles.notes)
    if warm_up_s is None and begun[-1][0] - begun[0][0] < FIRST_S:
        roles, warm_up_s = _hurried(roles), SHORT_WARM_UP_S
    stage = _Stage(roles)
    stage.warm_up(begun, _rising_s(roles) if warm_up_s is None else warm_up_s)
    stage.play(chain(begun, frames))
    return stage.finish()


def _hurried(roles: Cast) -> Cast:
    bank = replace(roles.config.bank, rise_after_s=0.0, rise_pct_per_s=AT_ONCE_PCT_PER_S)
    note = f"the dump is shorter than {FIRST_S:g} s: limits rise at once here"
    return replace(roles, config=replace(roles.config, bank=bank), notes=(*roles.notes, note))


def timed(blocks: Iterable[Block]) -> Iterator[Timed]:
    """The data frames one by one; a log without times has one each 10 ms."""
    number = 0
    for block in blocks:
        usable = (block.flags & (ERROR | FD | REMOTE)) == 0
        channels, times = block.channel.tolist(), block.time_s.tolist()
        for row in usable.nonzero()[0].tolist():
            time_s = times[row]
            yield (
                (0.01 * number if math.isnan(time_s) else time_s),
                block.channels[channels[row]],
                block.frame(row),
            )
            number += 1


def _first(frames: Iterator[Timed]) -> Iterator[Timed]:
    """The first seconds; one frame more may be taken, which is played at its time like the others."""
    start_s: float | None = None
    for frame in frames:
        start_s = frame[0] if start_s is None else start_s
        yield frame
        if frame[0] - start_s >= FIRST_S:
            return


def _rising_s(roles: Cast) -> float:
    bank = roles.config.bank
    return bank.ready_within_s + bank.rise_after_s + 100.0 / bank.rise_pct_per_s + SETTLED_S


class _Stage:
    """The engine, its clock, and what answers it."""

    def __init__(self, roles: Cast) -> None:
        config = roles.config
        self._links = roles.links
        ceiling_v = highest_v(config)
        sinks = {
            one.name: CanSink(one.name, profiles.load(one.profile), ceiling_v=ceiling_v)
            for one in config.inverters
            if isinstance(one, CanInverter)
        }
        self._gateway = Gateway(config, sinks, 0.0)
        self._shadow = Shadow(self._gateway, self._told)
        self._asked = {
            pack.link: Answers() for pack in config.packs if not load(pack.bms).session(pack.options).streams
        }
        self._inverters = {one.link: one.name for one in config.inverters}
        self._now = 0.0
        self._offset_s = 0.0  # from the dump's clock to ours
        self._warming = True
        self._replies: list[tuple[float, str, CanFrame]] = []
        self.outcome = Outcome(roles.notes)

    def warm_up(self, begun: list[Timed], warm_s: float) -> None:
        """Live through the beginning again and again, without comparing."""
        for link in {link for links in self._links.values() for link in links}:
            self._event(LinkUp(link))
        start_s = begun[0][0]
        round_s = max(LEAST_ROUND_S, begun[-1][0] - start_s)
        rounds = int(-(-warm_s // round_s)) if warm_s > 0 else 0
        for number in range(rounds):
            for time_s, channel, frame in begun:
                self._until(number * round_s + max(0.0, time_s - start_s))
                self._hear(channel, frame)
        self._until(rounds * round_s)
        self._offset_s = self._now - start_s
        self._warming = False
        self.outcome.samples = -self._samples()  # only those that follow are counted

    def play(self, frames: Iterable[Timed]) -> None:
        """The dump itself."""
        for time_s, channel, frame in frames:
            self._until(time_s + self._offset_s)
            self._hear(channel, frame)
            self.outcome.frames += 1
            self.outcome.first_s = time_s if self.outcome.first_s is None else self.outcome.first_s
            self.outcome.last_s = time_s

    def finish(self) -> Outcome:
        """What came of it."""
        outcome, gateway = self.outcome, self._gateway
        outcome.rows = self._shadow.summary()
        outcome.heard = {name: one.frames for name, one in self._shadow.comparisons.items()}
        outcome.samples += self._samples()
        for link, answers in self._asked.items():
            if unknown := answers.never_answered():
                outcome.notes = (*outcome.notes, unknown_note(link, unknown))
        status = {name: sink.status(self._now) for name, sink in gateway.sinks.items()}
        outcome.silent = {name: one.silent for name, one in status.items() if one.silent is not None}
        if gateway.decision is not None:
            outcome.why = {
                limit.value: {
                    "value": round(getattr(gateway.decision, limit.value), 3),
                    "constraints": [reason(one) for one in gateway.decision.constraints.get(limit, ())],
                }
                for limit in Limit
            }
        return outcome

    def _samples(self) -> int:
        gateway = self._gateway
        return sum(gateway.sources.statistics(pack.name).samples for pack in gateway.config.packs)

    def _hear(self, channel: str, frame: CanFrame) -> None:
        for link in self._links.get(channel, ()):
            name = self._inverters.get(link)
            if self._warming and name is not None and self._shadow.comparisons[name].is_theirs(frame):
                continue
            if (answers := self._asked.get(link)) is not None:
                answers.note(frame, self._now)
                if name is None:
                    continue
            self._event(Received(link, frame))

    def _until(self, time_s: float) -> None:
        """Let time pass; a clock that was set back stands still."""
        while True:
            due = min([self._shadow.next_wakeup(), *(at_s for at_s, _, _ in self._replies)])
            if due >= time_s:
                self._now = max(self._now, time_s)
                return
            self._now = max(self._now, due)
            arrived = [one for one in self._replies if one[0] <= self._now]
            self._replies = [one for one in self._replies if one[0] > self._now]
            for _, link, frame in arrived:
                self._event(Received(link, frame))
            self._event(Tick())

    def _event(self, event: Event) -> None:
        for action in self._shadow.handle(event, self._now):
            self._do(action)

    def _do(self, action: Action) -> None:
        if not isinstance(action, Send) or not isinstance(action.payload, CanFrame):
            return
        if (answers := self._asked.get(action.link)) is not None:
            replies = answers.to(action.payload, self._now)
            self._replies += [(self._now + REPLY_S, action.link, frame) for frame in replies]

    def _told(self, report: Report) -> None:
        if self._warming or report.event not in TELLING:
            return
        if len(self.outcome.news) >= KEPT:
            self.outcome.more_news += 1
            return
        limit = OF_LIMIT.get(str(report.fields["signal"]))
        decision = self._gateway.decision
        reasons = decision.constraints.get(limit, ()) if decision is not None and limit is not None else ()
        because = reasons[0].text if reasons else None
        self.outcome.news.append(News(self._now - self._offset_s, report, because))
