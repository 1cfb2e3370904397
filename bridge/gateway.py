"""The engine: the whole state of a running gateway, and two calls. Events in, actions out.

It reads no clock, opens nothing and waits for nothing, so a recorded day replays to the same bits
and a test of an hour takes a moment. `runtime.py` is the thin shell that turns sockets, ports and
the clock into events, and carries the actions out.

What arrives asks for a decision at once, by `next_wakeup`; what has arrived already is heard first. So
a burst of samples is one decision and not one each, between which an inverter's question would wait.

The safety of the whole rests on what is *not* here: there is no timer that repeats an old decision.
Frames are armed for a bounded time with each fresh decision; when this engine stops deciding, for
whatever reason, the bus falls silent by itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from bridge.alarm_log import AlarmLog
from bridge.battery.aggregator import Aggregator
from bridge.battery.division import Division, Taker
from bridge.battery.guard import guard
from bridge.battery.obedience import REACTION_S
from bridge.bus_watch import BusWatch, oddities
from bridge.config import CanInverter, Config
from bridge.control.answers import answer, changes
from bridge.control.requests import Request
from bridge.events import (
    Action,
    Alive,
    Answer,
    Arm,
    Asked,
    BusCounted,
    Event,
    Expired,
    Finish,
    HealthChanged,
    Level,
    LinkDown,
    LinkUp,
    Received,
    Report,
    Restart,
    Save,
    Send,
    SendFailed,
    Stop,
    Tick,
)
from bridge.model import CanFrame, Decision, Limit, Member
from bridge.news import Causes, Standing
from bridge.polled import Polled
from bridge.profile_tables import Family
from bridge.protocols.contract import Payload
from bridge.sinks.can import CanSink
from bridge.sinks.rs485 import Rs485Sink
from bridge.sources.bus import Informed, Output, Reopen, Sampled, Write
from bridge.sources.sources import Sources

DECIDE_EVERY_S = 0.5  # ageing shrinks limits also while nothing arrives
BEHIND_S = 0.005  # what a decision brings besides its frames comes so much later: first they are to be sent
URGENT_FRACTION = 0.02  # of the limit on the bus: a fall by more than this does not wait for the cycle
URGENT_A = 1.0
REPEAT_AFTER_S = 60.0
SAVE_EVERY_S = 60.0

HEALTH_HELP = {
    "warning": "errors on the bus: check the termination (120 ohm at both ends) and the cable",
    "passive": "many errors: check that somebody else is on the bus, the bit rate, and CAN-H against CAN-L",
    "bus-off": "the controller has left the bus: check wiring and bit rate; "
    "restart-ms of the interface brings it back (ip link set can0 type can restart-ms 100), "
    "one that slcand made must be set down and up",
}
"""What to look at, by the controller's state."""


class Gateway:
    """The engine. Feed it with `handle`, at the latest at `next_wakeup()`."""

    def __init__(
        self,
        config: Config,
        sinks: Mapping[str, CanSink],
        now: float,
        polled: Mapping[str, Rs485Sink] | None = None,
    ) -> None:
        """sinks: of the inverters on CAN; polled: of those that ask over RS485. By name."""
        self.config = config
        self.sinks = dict(sinks)
        self.polled = Polled(config, polled or {}, now)
        profiles: list[Family] = [sink.profile for sink in self.sinks.values()]
        profiles += [sink.profile for sink in self.polled.sinks.values()]
        self.aggregator = Aggregator(
            [pack.settings for pack in config.packs],
            config.bank,
            charge=config.charge,
            reaction_s=max([profile.reaction_s for profile in profiles], default=REACTION_S),
        )
        self.sources = Sources(config.packs)
        self.buses = {  # a simulated bank has no sinks
            one.link: BusWatch(
                one.link, self.sinks[one.name].profile.bitrate, reopens=one.interface != "socketcan"
            )
            for one in config.inverters
            if isinstance(one, CanInverter) and one.name in self.sinks
        }
        self.decision: Decision | None = None
        self.stopping = False
        self.more: dict[str, Callable[[float], object]] = {}  # what stands around us adds to the status
        self._decide_at_s = now
        self._behind_s = math.inf  # when what a decision brings besides its frames is due
        self._undecided: set[str] = set()
        self._save_at_s = now + SAVE_EVERY_S
        self._kept_faults = self.aggregator.latched
        self._stage: str | None = None
        self._armed: dict[str, Decision] = {}
        self._states: dict[str, object] = {}
        self._alarms = AlarmLog()
        self._division = _division(config)
        self._causes = Causes()
        self._standing = Standing()
        self._down: set[str] = set()
        self._news: dict[str, tuple[bool | None, bool, str | None]] = {}
        self._odd: dict[str, set[str]] = {}
        self._rejected: dict[str, Counter[str]] = {}
        self._complaints: dict[tuple[object, ...], tuple[int, float]] = {}

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event in; the actions are to be carried out in order."""
        if isinstance(event, Stop):
            return self._stop(now)
        if (answers := self.polled.took(event, now)) is not None:
            return answers  # what is due besides has its own wake-up, at once
        is_due = now >= self._decide_at_s and not self.stopping
        if is_due and isinstance(event, Tick) and self._behind_s == math.inf:
            return self._decide(now)  # a limit that fell waits for nothing
        actions = self._take(event, now)
        if isinstance(event, Received):  # seldom alone: what it asks for is decided on the `Tick` behind it
            return actions
        actions += self.polled.wake(now)
        if self.stopping:
            return actions
        if now >= self._decide_at_s:
            actions += self._decide(now)
        return [*actions, *self._told(now), *self._seldom(now)]

    def restore(self, state: Mapping[str, object], now: float, away_s: float) -> None:
        """Before the first event: go on from what an earlier run asked to `Save`, so long ago."""
        self.aggregator.restore(state, now, away_s)
        self._kept_faults = self.aggregator.latched

    def next_wakeup(self) -> float:
        """When a `Tick` is due at the latest."""
        if self._undecided and not self.stopping:
            return self._decide_at_s  # nothing is due before what was heard
        sinks_s = (sink.next_s() for sink in self.sinks.values())
        own_s = math.inf if self.stopping else min(self._decide_at_s, self._behind_s)
        return min(own_s, self.sources.next_wakeup(), self.polled.next_s(), *sinks_s)

    def sent(self) -> dict[str, Decision | None]:
        """What each inverter was told last."""
        cyclic = {name: sink.sent for name, sink in self.sinks.items()}
        return cyclic | {name: sink.sent for name, sink in self.polled.sinks.items()}

    def members(self, now: float) -> tuple[Member, ...]:
        """All configured packs, as the battery sees them."""
        return self.aggregator.members(now)

    def _take(self, event: Event, now: float) -> list[Action]:
        match event:
            case LinkUp(link):
                return self._link_up(link, now)
            case LinkDown(link, reason):
                return self._link_down(link, reason, now)
            case Received(link, payload):
                return self._received(link, payload, now)
            case Expired(sink):
                self._armed.pop(sink, None)
                return [Report(Level.ERROR, "sender_expired", {"inverter": sink})]
            case SendFailed(sink, reason):
                return self._complain("send_failed", {"inverter": sink, "reason": reason}, now)
            case HealthChanged(link, health):
                return [_health_report(link, health)]
            case Asked(client, request):
                return self._asked(client, request, now)
            case BusCounted(link, counters):
                return self.buses[link].counted(counters, now) if link in self.buses else []
        return self._outputs(self.sources.wake(now), now)

    # Links

    def _link_up(self, link: str, now: float) -> list[Action]:
        actions: list[Action] = []
        if link in self.buses:
            self.buses[link].opened()
        if link in self._down:
            self._down.discard(link)
            actions.append(Report(Level.INFO, "link_up", {"link": link}))
        for pack in self.sources.packs_on(link):
            self.aggregator.link(pack, up=True, now=now)
        return actions + self._outputs(self.sources.link_up(link, now), now)

    def _link_down(self, link: str, reason: str, now: float) -> list[Action]:
        self.sources.link_down(link)
        for pack in self.sources.packs_on(link):
            self.aggregator.link(pack, up=False, now=now)
        self._decide_at_s = now
        if link in self._down:
            return []
        self._down.add(link)
        return [Report(Level.WARNING, "link_down", {"link": link, "reason": reason})]

    def _received(self, link: str, payload: Payload, now: float) -> list[Action]:
        actions: list[Action] = []
        if isinstance(payload, CanFrame):
            for inverter in self.config.inverters:
                if inverter.link == link:
                    guard = None if self.stopping else self._guard(now)
                    replies = self.sinks[inverter.name].received(payload, now, guard)
                    actions += [Send(link, frame) for frame in replies]
        return actions + self._outputs(self.sources.received(link, payload, now), now)

    def _seldom(self, now: float) -> list[Action]:
        """Frames that are no part of a cycle, and due."""
        return [
            Send(inverter.link, frame)
            for inverter in self.config.inverters
            if (sink := self.sinks.get(inverter.name)) is not None
            for frame in sink.due(now, self._guard(now))
        ]

    def _outputs(self, outputs: list[tuple[str, Output]], now: float) -> list[Action]:
        actions: list[Action] = []
        for link, output in outputs:
            match output:
                case Write(payload):
                    actions.append(Send(link, payload))
                case Sampled(pack, sample):
                    if pack in self._undecided and not self.stopping:  # what it said before also counts
                        actions += self._decide(now)
                    self._undecided.add(pack)
                    self.aggregator.heard(pack, sample, now)
                    self._decide_at_s = now
                    actions += self._rejections(pack, now)
                case Informed(pack, info):
                    self.aggregator.informed(pack, info)
                    fields = {"pack": pack, "model": info.model, "firmware": info.firmware}
                    actions.append(Report(Level.INFO, "pack_info", fields))
                case Reopen(reason):
                    actions.append(Restart(link, reason))
        return actions

    def _rejections(self, pack: str, now: float) -> list[Action]:
        """What was not believed of the last sample, by the names that it is counted under."""
        counts, before = self.aggregator.counters[pack], self._rejected.get(pack, Counter())
        if counts == before:
            return []
        self._rejected[pack] = Counter(counts)
        return [
            report
            for rejection in counts - before
            for report in self._complain("implausible", {"pack": pack, "rejection": rejection}, now)
        ]

    # Requests

    def _asked(self, client: int, request: Request, now: float) -> list[Action]:
        """What is asked for holds from the decision on that follows at once."""
        reply = Answer(client, answer(self, request, now))
        if changes(request):
            self._decide_at_s = now
        return [reply]

    # Decisions

    def _decide(self, now: float) -> list[Action]:
        self._decide_at_s = now + DECIDE_EVERY_S
        self._undecided.clear()
        self._behind_s = min(self._behind_s, now + BEHIND_S)
        decision = self.decision = self.aggregator.decide(now)
        actions: list[Action] = []
        parts = self._division.parts(decision, now)
        members = self.members(now)
        guarded = self._guard(now, members)
        for name, sink in self.sinks.items():
            part = parts[name]
            frames = sink.frames(part, guarded)
            urgent = sink.limiting(frames) if _fell(self._armed.get(name), part) else ()
            self._armed[name] = part
            actions.append(Arm(name, frames, sink.profile.dead_man_s, urgent))
        self.polled.decided(parts, members)
        return actions if self.sinks else [Alive()]

    def _told(self, now: float) -> list[Action]:
        """What is worth a line in the log, and what to remember, of what was decided last."""
        if self.decision is None or self._behind_s == math.inf:
            return []
        self._behind_s = math.inf
        return [*self._changes(self.decision, now), *self._inverters(now), *self._save(now)]

    def _save(self, now: float) -> list[Action]:
        """What the next run needs to know: once a minute, because a flash card does not live for ever, and at
        once when a fault was latched or cleared.
        """
        faults = self.aggregator.latched
        if now < self._save_at_s and faults == self._kept_faults:
            return []
        self._save_at_s, self._kept_faults = now + SAVE_EVERY_S, faults
        return [Save(self.aggregator.state())]

    def _stop(self, now: float) -> list[Action]:
        """The last word to every inverter: no current, both directions off. And what to remember."""
        self.stopping = True
        last = self.aggregator.decide(now)
        zero = last._replace(
            charge_current_limit_a=0.0,
            discharge_current_limit_a=0.0,
            charge_enabled=False,
            discharge_enabled=False,
            force_charge=False,
            full_charge_request=False,
        )
        self.decision = zero
        self.polled.decided(dict.fromkeys(self.polled.sinks, zero), self.members(now))
        last_words = [
            Finish(name, sink.last_word(zero, self._guard(now))) for name, sink in self.sinks.items()
        ]
        return [*last_words, Save(self.aggregator.state())]

    def _guard(self, now: float, members: Sequence[Member] | None = None) -> Callable[[Decision], Decision]:
        """The guard of this moment. members: all packs at `now`; looked at when they are needed if not given,
        because few frames are answered.
        """
        known = cache(lambda: self.members(now) if members is None else members)
        return lambda decision: guard(decision, known(), self.config.bank, now)

    def _complain(self, event: str, fields: Mapping[str, object], now: float) -> list[Action]:
        """A complaint that may repeat each second: said once a minute, with how often it came."""
        key = (event, *fields.values())
        count, said_s = self._complaints.get(key, (0, -math.inf))
        if now - said_s < REPEAT_AFTER_S:
            self._complaints[key] = count + 1, said_s
            return []
        self._complaints[key] = 0, now
        return [Report(Level.WARNING, event, {**fields, "repeats": count})]

    def _inverters(self, now: float) -> list[Action]:
        """What the other side of each bus does, where that changed. For the log: nothing depends on it."""
        reports: list[Action] = []
        for name, sink in self.sinks.items():
            status = sink.status(now)
            if status.clamped:
                values = ", ".join(status.clamped)
                reports += self._complain("clamped", {"inverter": name, "values": values}, now)
            reports += oddities(name, status, self._odd.setdefault(name, set()))
            news = (status.inverter_heard, status.other_sender, status.silent)
            if self._news.get(name) == news:
                continue
            before = self._news.get(name, (None, False, None))
            self._news[name] = news
            if status.inverter_heard is not before[0] and (status.inverter_heard or before[0]):
                level = Level.INFO if status.inverter_heard else Level.WARNING
                reports.append(
                    Report(level, "inverter", {"inverter": name, "heard": status.inverter_heard is True})
                )
            if status.other_sender is not before[1]:
                level = Level.ERROR if status.other_sender else Level.INFO
                help_text = "two batteries on one bus: take one away" if status.other_sender else ""
                fields = {"inverter": name, "present": status.other_sender, "help": help_text}
                reports.append(Report(level, "other_sender", fields))
            if status.silent != before[2]:
                level = Level.WARNING if status.silent else Level.INFO
                fields = {"inverter": name, "sending": status.silent is None, "why": status.silent or ""}
                reports.append(Report(level, "sending", fields))
        return reports

    def _changes(self, decision: Decision, now: float) -> list[Action]:
        """What is different from the last decision, for the log: states and binding constraints."""
        reports: list[Action] = []
        for member in self.members(now):
            if self._states.get(member.name) is not member.state:
                self._states[member.name] = member.state
                age_s = None if member.age_s is None else round(member.age_s, 2)
                fields = {"pack": member.name, "state": member.state.value, "age_s": age_s}
                reports.append(Report(Level.INFO, "pack_state", fields))
        if decision.stage != self._stage:
            self._stage = decision.stage
            reports.append(Report(Level.INFO, "charge_stage", {"stage": decision.stage}))
        reports += self._causes.news(decision, now)
        reports += self._standing.news(self.aggregator, now)
        return reports + self._alarms.changes(decision.alarm_causes)


def _division(config: Config) -> Division:
    takers = [
        Taker(
            name=one.name,
            share=one.share,
            priority=one.priority,
            max_charge_current_a=one.max_charge_current_a,
            max_discharge_current_a=one.max_discharge_current_a,
        )
        for one in config.inverters
    ]
    return Division(takers, config.bank.split)


def _health_report(link: str, health: str) -> Report:
    level = Level.WARNING if health in HEALTH_HELP else Level.INFO
    return Report(level, "can_health", {"link": link, "health": health, "help": HEALTH_HELP.get(health, "")})


def _fell(before: Decision | None, after: Decision) -> bool:
    """Whether a limit fell so far that the inverter should hear of it before the next cycle."""
    if before is None:
        return False
    return any(
        getattr(before, limit.value) - getattr(after, limit.value)
        > max(URGENT_A, URGENT_FRACTION * getattr(before, limit.value))
        for limit in (Limit.CVL, Limit.CCL, Limit.DCL)
    ) or (before.charge_enabled > after.charge_enabled or before.discharge_enabled > after.discharge_enabled)
