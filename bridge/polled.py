"""The engine's part for inverters that ask over RS485: whose line it is, and what is to be said of it.

Pure, as the engine is, but not its event loop's alone: a question may be answered in the thread that
heard it, while a decision is being made. An answer is made of what was decided last, of the packs as
they were then, and of the time that has passed since; a lock keeps each line's own state whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from threading import Lock

from bridge.battery.guard import guard
from bridge.config import Config
from bridge.events import Action, Event, Level, LineCounted, Received, Replied, Report, Send
from bridge.line_watch import LineWatch
from bridge.model import Decision, Member
from bridge.sinks.rs485 import Moment, Rs485Sink

WATCH_EVERY_S = 1.0
LAST_WORD_POLLS = 1.5  # how many of its periods an inverter is given to hear that all is over
LAST_WORD_AT_MOST_S = 3.0


class Polled:
    """All inverters of a gateway that ask. sinks: by the inverters' names."""

    def __init__(self, config: Config, sinks: Mapping[str, Rs485Sink], now: float) -> None:
        self.sinks = dict(sinks)
        self._lock = Lock()
        self._bank = config.bank
        self._members: Sequence[Member] = ()
        self._by_link = {one.link: self.sinks[one.name] for one in config.inverters if one.name in sinks}
        self._watches = {name: LineWatch(name, now) for name in sinks}
        self._watch_at_s = now
        self._said: dict[str, tuple[bool | None, str | None]] = {}
        self._clamped: dict[str, set[str]] = {name: set() for name in sinks}

    def took(self, event: Event, now: float) -> list[Action] | None:
        """What follows from an event that is about one of these lines; None if it is about none. For any
        thread.
        """
        if not isinstance(event, Received | Replied | LineCounted):
            return None
        sink = self._by_link.get(event.link)
        if sink is None:
            return None
        with self._lock:
            match event:
                case Replied(_, after_s, problem):
                    sink.replied(after_s, problem)
                case LineCounted(_, framing_errors):
                    sink.miscounted(framing_errors)
                case Received(link, payload, at_s) if isinstance(payload, bytes):
                    heard_s = now if at_s is None else at_s
                    replies = sink.received(payload, heard_s, now, self._moment(now))
                    return [Send(link, reply.data, reply.window) for reply in replies]
        return []

    def decided(self, parts: Mapping[str, Decision], members: Sequence[Member]) -> None:
        """From now on, answers are made of this. members: all packs, as they were then."""
        if not self.sinks:
            return
        with self._lock:
            self._members = members
            for name, sink in self.sinks.items():
                sink.decided(parts[name])

    def wake(self, now: float) -> list[Action]:
        """What time alone brings: requests that were cut off, and what is worth a line in the log."""
        if not self.sinks:
            return []
        with self._lock:
            for sink in self.sinks.values():
                sink.wake(now)
            if now < self._watch_at_s:
                return []
            self._watch_at_s = now + WATCH_EVERY_S
            return [action for name in self.sinks for action in self._news(name, now)]

    def next_s(self) -> float:
        """When `wake` should be called at the latest; inf if never."""
        if not self.sinks:
            return math.inf
        return min(self._watch_at_s, *[one.next_s() for one in self.sinks.values()])

    def last_word_s(self, now: float) -> float:
        """How long to go on answering after the end, so that each inverter hears of it."""
        with self._lock:
            waits = [
                min(LAST_WORD_AT_MOST_S, LAST_WORD_POLLS * one.profile.poll_s)
                for one in self.sinks.values()
                if one.status(now).inverter_heard
            ]
        return max(waits, default=0.0)

    def report(self, now: float) -> dict[str, dict[str, object]]:
        """Each inverter's line, as JSON can carry it."""
        with self._lock:
            return {
                name: sink.status(now).report() | {"troubles": self._watches[name].report()}
                for name, sink in self.sinks.items()
            }

    def _moment(self, now: float) -> Moment:
        """The packs as they were heard, judged at `now`."""
        members, bank = self._members, self._bank
        return Moment(lambda decision: guard(decision, members, bank, now), members)

    def _news(self, name: str, now: float) -> Sequence[Action]:
        status = self.sinks[name].status(now)
        reports = self._watches[name].seen(status, now)
        before = self._said.get(name, (None, None))
        self._said[name] = (status.inverter_heard, status.silent)
        if status.inverter_heard is not before[0] and status.inverter_heard is not None:
            level = Level.INFO if status.inverter_heard else Level.WARNING
            fields: dict[str, object] = {"inverter": name, "heard": status.inverter_heard}
            reports.append(Report(level, "inverter", fields))
        if status.silent != before[1]:
            level = Level.WARNING if status.silent else Level.INFO
            fields = {"inverter": name, "sending": status.silent is None, "why": status.silent or ""}
            reports.append(Report(level, "sending", fields))
        if further := set(status.clamped) - self._clamped[name]:
            self._clamped[name] |= further
            values = ", ".join(sorted(further))
            reports.append(Report(Level.WARNING, "clamped", {"inverter": name, "values": values}))
        return reports
