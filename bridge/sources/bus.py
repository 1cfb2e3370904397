"""Drives the poll scripts of all packs on one link. Pure: time comes in, bytes go out as values.

One idea: a link carries one conversation at a time. Whoever is due first speaks, through the script
that its protocol module wrote; everything about time (deadlines, retries, the gap between messages,
waking a sleeping board, giving up half a frame, leaving a dead pack alone for a while so that it
does not slow its neighbours) is decided here, once, for every protocol.

A reply may take longer than the timeout on a slow wire, so bytes that keep arriving extend the
deadline, up to a bound: a babbling neighbour must not hold the bus for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from bridge.model import CanFrame, PackInfo, PackSample, Reading, sample_of
from bridge.protocols.contract import (
    Decoder,
    Drop,
    Dropped,
    Message,
    NoReply,
    Payload,
    Request,
    Script,
    Session,
    Spec,
)
from bridge.sources.statistics import Statistics

INFO_PERIOD_S = 600.0
OVERHEARD_INFO_PERIOD_S = 10.0  # what costs no request, because the pack says it to somebody else
INFO_PATIENCE_S = 10.0
BITS_PER_BYTE = 10  # 8N1
LONGEST_REPLY_S = 2.0  # bytes may extend a deadline by this much; 300 bytes take 0.31 s at 9600 baud
MISSED_PERIODS = 3  # a stream that is silent for so many periods has ended
BACKOFF_MAX_S = 2.0
SHARED_BACKOFF_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Write:
    """Send this on the link."""

    payload: Payload


@dataclass(frozen=True, slots=True)
class Sampled:
    """A pack gave a complete sample."""

    pack: str
    sample: PackSample


@dataclass(frozen=True, slots=True)
class Informed:
    """A pack said who it is and what it is set to: for the first time, or something else than before."""

    pack: str
    info: PackInfo


@dataclass(frozen=True, slots=True)
class Reopen:
    """The conversation is stuck in a way that only a new connection mends."""

    reason: str


Output = Write | Sampled | Informed | Reopen


@dataclass(slots=True)
class Unit:
    """One pack on the link: its conversation, when it is due, and how it went so far."""

    pack: str
    session: Session
    period_s: float
    due_s: float = 0.0
    info_due_s: float = 0.0
    opened: bool = False
    failures: int = 0
    heard_s: float | None = None
    part_s: float | None = None
    info: PackInfo | None = None
    statistics: Statistics = field(default_factory=Statistics)


@dataclass(slots=True)
class _Job:
    """A script under way, and the request that it waits for."""

    unit: Unit
    kind: str
    script: Script[None] | Script[PackInfo | None] | Script[Reading]
    request: Request
    tries_left: int
    timeout_s: float
    sent_s: float | None = None
    deadline_s: float = 0.0
    oldest_s: float | None = None


class Bus:
    """All packs on one link. Call `wake` at `next_wakeup()` and after every other event.

    baudrate: of the wire, None where bytes take no time. reopen_after: once no pack on the link has
    answered for so many polls each, a new connection is asked for; None: never.
    """

    def __init__(
        self,
        spec: Spec,
        decoder: Decoder,
        units: Sequence[Unit],
        *,
        baudrate: int | None = None,
        reopen_after: int | None = None,
    ) -> None:
        self.spec = spec
        self.units = tuple(units)
        self._decoder = decoder
        self._reopen_after = reopen_after
        self._byte_s = BITS_PER_BYTE / baudrate if baudrate else 0.0
        self._up = False
        self._job: _Job | None = None
        self._free_s = 0.0
        self._received_s: float | None = None
        self._incomplete = False
        self._concluded: list[Output] = []  # by scripts that had nothing to ask

    # Events

    def link_up(self, now: float) -> list[Output]:
        """The link is open; every conversation starts again from its opening."""
        self._up = True
        self._job = None
        self._free_s = now
        self._received_s = None
        self._incomplete = False
        self._decoder.reset()
        for unit in self.units:
            unit.opened = False
            unit.failures = 0
            unit.due_s = unit.info_due_s = now
            unit.heard_s = now
            unit.part_s = None
        return self.wake(now)

    def link_down(self) -> None:
        """The link is gone; whatever was under way is void."""
        self._up = False
        self._job = None

    def received(self, payload: Payload, now: float) -> list[Output]:
        """Something arrived."""
        self._received_s = now
        self._incomplete = True
        if self._job is not None and self._job.sent_s is not None:
            self._extend(self._job, now)
        outputs = self._take(self._decoder.feed(payload), now)
        return outputs + self.wake(now)

    def wake(self, now: float) -> list[Output]:
        """Whatever is due at `now`."""
        if not self._up:
            return []
        outputs: list[Output] = []
        if now >= self._silence_ends():
            self._incomplete = False
            outputs += self._take(self._decoder.reset(), now)
        job = self._job
        if job is not None and job.sent_s is not None and now >= job.deadline_s:
            outputs += self._timed_out(job, now)
        outputs += self._stalled(now) + self._unanswered()
        if self._job is None:
            self._job = self._next_job(now)
            outputs += self._concluded
            self._concluded = []
        if self._job is not None and self._job.sent_s is None and now >= self._free_s:
            outputs.append(self._send(self._job, now))
        return outputs

    def next_wakeup(self) -> float:
        """When `wake` has something to do again; infinity while the link is down."""
        if not self._up:
            return float("inf")
        times = [self._silence_ends()]
        if self._job is None:
            times += [min(self._due(unit), self._info_due(unit)) for unit in self.units]
            times += [self._silent_at(unit) for unit in self.units if self._streams(unit)]
        elif self._job.sent_s is None:
            times.append(self._free_s)
        else:
            times.append(self._job.deadline_s)
        return min(times)

    # What arrives

    def _take(self, items: Iterable[Message | Dropped], now: float) -> list[Output]:
        outputs: list[Output] = []
        for item in items:
            if isinstance(item, Dropped):
                outputs += self._dropped(item, now)
            elif self._answers(item):
                outputs += self._answered(item, now)
            else:
                outputs += self._unasked(item, now)
        return outputs

    def _answers(self, message: Message) -> bool:
        job = self._job
        if job is None or job.sent_s is None or message.name != job.request.reply:
            return False
        return job.request.address is None or message.address == job.request.address

    def _answered(self, message: Message, now: float) -> list[Output]:
        job = self._job
        assert job is not None
        assert job.sent_s is not None
        job.unit.statistics.round_trips_s.append(now - job.sent_s)
        job.unit.heard_s = now
        job.oldest_s = now if job.oldest_s is None else job.oldest_s
        self._free_s = now + self.spec.gap_s
        return self._advance(job, lambda: job.script.send(message), now)

    def _unasked(self, message: Message, now: float) -> list[Output]:
        """A message that answers nothing: part of a stream, or a reply that came too late."""
        outputs: list[Output] = []
        for unit in self.units:
            reading = unit.session.collect(message)
            if not self._streams(unit):
                continue
            unit.part_s = now if unit.part_s is None else unit.part_s
            if reading is not None:
                unit.heard_s = now
                unit.statistics.samples += 1
                outputs.append(Sampled(unit.pack, sample_of(reading, unit.part_s)))
                unit.part_s = None
        if self._job is not None and not any(self._streams(unit) for unit in self.units):
            self._job.unit.statistics.error("unexpected", f"unexpected message {message.name}")
        return outputs

    def _dropped(self, dropped: Dropped, now: float) -> list[Output]:
        job = self._job
        concerned = [job.unit] if job is not None else self.units
        for unit in concerned:
            text = f"{dropped.reason}: {dropped.detail or f'{dropped.size} bytes'}"
            unit.statistics.error(dropped.reason.value, text)
        if dropped.reason is Drop.REFUSED and job is not None and job.sent_s is not None:
            return self._failed(job, "refused", now)
        return []

    # Scripts

    def _next_job(self, now: float) -> _Job | None:
        """What is most overdue. Limits and names wait for an idle moment, but not for ever."""
        late = [unit for unit in self.units if self._info_due(unit) + INFO_PATIENCE_S <= now]
        due = sorted((unit for unit in self.units if self._due(unit) <= now), key=self._due)
        idle = [unit for unit in self.units if self._info_due(unit) <= now]
        for unit, info in [*((unit, True) for unit in late), *((unit, False) for unit in due)] or [
            (unit, True) for unit in idle
        ]:
            job = self._begin(unit, now, info=info)
            if job is not None:
                return job
        return None

    def _begin(self, unit: Unit, now: float, *, info: bool) -> _Job | None:
        """The unit's next script, advanced to its first request; None if it has nothing to ask."""
        script: Script[None] | Script[PackInfo | None] | Script[Reading]
        if info:
            kind, script = "info", unit.session.info()
        elif not unit.opened:
            kind, script = "open", unit.session.open()
        else:
            kind, script = "poll", unit.session.poll()
            unit.statistics.polls += 1
        try:
            request = next(script)
        except StopIteration as stop:
            self._concluded += self._result(unit, kind, stop.value, None, now)
            return self._begin(unit, now, info=False) if kind == "open" and self._due(unit) <= now else None
        job = _Job(unit, kind, script, request, 0, 0.0)
        self._prepare(job, request, asleep=self._asleep(now))
        return job

    def _prepare(self, job: _Job, request: Request, *, asleep: bool = False) -> None:
        job.request = request
        job.sent_s = None
        job.timeout_s = self.spec.reply_timeout_s if request.timeout_s is None else request.timeout_s
        job.tries_left = request.tries
        if asleep:
            job.tries_left = max(job.tries_left, self.spec.wake_tries)
            job.timeout_s = self.spec.wake_timeout_s

    def _advance(self, job: _Job, step: Callable[[], Request], now: float) -> list[Output]:
        """Runs a script one step: its next request is prepared, or its result handed out."""
        try:
            request = step()
        except StopIteration as stop:
            self._job = None
            return self._result(job.unit, job.kind, stop.value, job.oldest_s, now)
        except NoReply as failure:
            self._job = None
            self._give_up(job, str(failure), now)
            return []
        self._prepare(job, request)
        return []

    def _result(
        self, unit: Unit, kind: str, value: object, oldest_s: float | None, now: float
    ) -> list[Output]:
        """What a script that ended gives. oldest_s: when its first answer came; None if it asked nothing."""
        self._finished(unit, kind, now)
        if kind == "info":
            if oldest_s is None:
                unit.info_due_s = now + OVERHEARD_INFO_PERIOD_S
            return self._news(unit, value)
        if kind != "poll" or not isinstance(value, dict) or oldest_s is None:
            return []
        unit.statistics.samples += 1
        reading: Reading = value  # type: ignore[assignment]  # a poll script returns a Reading
        return [Sampled(unit.pack, sample_of(reading, oldest_s))]

    def _news(self, unit: Unit, value: object) -> list[Output]:
        if not isinstance(value, PackInfo) or value == unit.info:
            return []
        unit.info = value
        return [Informed(unit.pack, value)]

    def _finished(self, unit: Unit, kind: str, now: float) -> None:
        unit.failures = 0
        if kind == "open":
            unit.opened = True
            unit.heard_s = now
        elif kind == "info":
            unit.info_due_s = now + INFO_PERIOD_S
        else:
            unit.due_s += unit.period_s
            if now - unit.due_s > MISSED_PERIODS * unit.period_s:  # skip what was missed, keep the phase
                unit.due_s = now + unit.period_s - (now - unit.due_s) % unit.period_s

    def _timed_out(self, job: _Job, now: float) -> list[Output]:
        if job.tries_left > 0:
            job.sent_s = None
            return []
        self._incomplete = False
        outputs = self._take(self._decoder.reset(), now)
        if self._job is not job or job.sent_s is None:
            return outputs  # the answer stood behind a broken frame
        job.unit.statistics.error("no_reply", f"no reply to {_shown(job.request.data)}")
        return outputs + self._failed(job, f"no reply to {_shown(job.request.data)}", now)

    def _failed(self, job: _Job, why: str, now: float) -> list[Output]:
        self._free_s = max(self._free_s, now + self.spec.gap_s)
        return self._advance(job, lambda: job.script.throw(NoReply(why)), now)

    def _give_up(self, job: _Job, why: str, now: float) -> None:
        """The script could not do without the answer. The pack waits, longer each time."""
        unit = job.unit
        unit.statistics.last_error = why
        if job.kind == "info":
            unit.info_due_s = now + INFO_PERIOD_S
            return
        unit.failures += 1
        longest = SHARED_BACKOFF_MAX_S if len(self.units) > 1 else BACKOFF_MAX_S
        wait_s = min(unit.period_s * 2 ** min(unit.failures - 1, 10), max(longest, unit.period_s))
        unit.due_s = now + wait_s

    # Time

    def _send(self, job: _Job, now: float) -> Write:
        job.tries_left -= 1
        job.sent_s = now
        job.deadline_s = now + self._wire_s(job.request.data) + job.timeout_s
        self._decoder.sent(job.request.data)
        return Write(job.request.data)

    def _silence_ends(self) -> float:
        """When a frame that is not complete by then never will be; infinity if none is under way."""
        if not self._incomplete or self._received_s is None:
            return float("inf")
        return self._received_s + self.spec.silence_s

    def _extend(self, job: _Job, now: float) -> None:
        assert job.sent_s is not None
        latest = job.sent_s + job.timeout_s + LONGEST_REPLY_S
        job.deadline_s = min(latest, max(job.deadline_s, now + self.spec.silence_s))

    def _wire_s(self, payload: Payload) -> float:
        return 0.0 if isinstance(payload, CanFrame) else len(payload) * self._byte_s

    def _asleep(self, now: float) -> bool:
        if self.spec.sleeps_after_s is None:
            return False
        return self._received_s is None or now - self._received_s > self.spec.sleeps_after_s

    def _due(self, unit: Unit) -> float:
        if self._streams(unit) and unit.opened:
            return float("inf")
        return unit.due_s

    def _info_due(self, unit: Unit) -> float:
        """When the limits and names of a pack are to be read: never before its first sample."""
        return unit.info_due_s if unit.opened and unit.statistics.samples else float("inf")

    def _streams(self, unit: Unit) -> bool:
        return unit.session.streams

    def _silent_at(self, unit: Unit) -> float:
        silent_s = MISSED_PERIODS * unit.period_s
        return (unit.heard_s or 0.0) + max(silent_s, self.spec.reply_timeout_s)

    def _stalled(self, now: float) -> list[Output]:
        """A stream that has dried up is opened anew, over a new connection."""
        for unit in self.units:
            if self._streams(unit) and unit.opened and now >= self._silent_at(unit):
                unit.heard_s = now
                unit.statistics.error("silent", f"silent for {MISSED_PERIODS} periods")
                return [Reopen(f"{unit.pack}: silent for {MISSED_PERIODS} periods")]
        return []

    def _unanswered(self) -> list[Output]:
        """A module or a network server may hang while its connection stands."""
        if self._reopen_after is None or any(unit.failures < self._reopen_after for unit in self.units):
            return []
        for unit in self.units:
            unit.failures = 0
        return [Reopen(f"no answer to {self._reopen_after} polls")]


def _shown(payload: Payload) -> str:
    if isinstance(payload, CanFrame):
        return f"{payload.can_id:X}#{payload.data.hex().upper()}"
    return payload.hex(" ").upper()
