"""The CAN sink of one inverter: decisions in, frames out, and what is heard of it.

Pure: it opens nothing and reads no clock. Frames leave in three ways: as a cycle that is armed with each
decision, as answers to what the inverter asks, and seldom, unasked. All three are made of the last
decision, guarded anew at that moment, and of none once it is older than the profile's dead_man_s.
What else the inverter says changes the status and nothing else. Sending must not depend on it where
the dialect does not: some never send 0x305, and emulated batteries do.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from bridge.model import CanFrame, Decision
from bridge.profiles import Answer, Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.dialect import Dialect
from bridge.sinks.encoder import Encoder
from bridge.sinks.policy import Guard, settle, stopped_by_soc
from bridge.sinks.quantities import HELD, Known, filled, values_of
from bridge.sinks.rounds import Rounds
from bridge.sinks.talk import Talk

ECHO_DEPTH = 8  # cycles: what the interface echoes is that old at the most
UNASKED_PERIODS = 2.5  # so long without a question, a cycle goes out instead
NOT_HEARD = "the inverter was not heard yet, and its dialect waits for it"
OTHER_SENDER_S = 10.0  # two slow periods of genuine packs, so that a steady alarm does not flicker


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStatus:
    """What is known of the inverter's side of the bus.

    inverter_heard: an answer came within the profile's time; None if this make answers nothing.
    answer_age_s: of the last one; None if there was none. other_sender: somebody else sends our
    frames: two batteries on one bus. malformed: frames with a known identifier that can't be what
    it stands for, by length or identifier format. foreign: frames that are neither. replies: frames
    that answered polls. handshake: its state, where there is one. clamped: quantities that are larger
    than the wire can say, and go as the largest.
    """

    profile: str
    inverter_heard: bool | None
    answer_age_s: float | None
    answers: int
    other_sender: bool
    other_sender_frames: int
    echoes: int
    malformed: int
    foreign: int
    silent: str | None
    replies: int
    handshake: str | None
    clamped: tuple[str, ...]

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return asdict(self)


class CanSink:
    """One inverter. Raises ConfigError if its profile does not fit its dialect.

    dialect: None reads the profile's own. ceiling_v: the bank's highest CVL, above which no policy of
    the profile may go. sent: the last decision as the inverter was to hear it.
    """

    def __init__(
        self, name: str, profile: Profile, dialect: Dialect | None = None, *, ceiling_v: float = math.inf
    ) -> None:
        self.name = name
        self.profile = profile
        self.dialect = dialect or dialects.of_profile(profile)
        self.sent: Decision | None = None
        self._ceiling_v = ceiling_v
        self._encoder = Encoder(profile, self.dialect)
        self._talk = Talk(profile)
        self._rounds = Rounds(profile)
        self._decided: Decision | None = None
        self._known: dict[str, float | str] = {}
        self._last_voltage_v: float | None = None
        self._lost_since_s: float | None = None
        self._silent: str | None = None
        self._clamped: dict[tuple[int, ...], frozenset[str]] = {}  # by the frames that it concerns
        self._sent_data: dict[tuple[int, bool], deque[bytes]] = {
            key: deque(maxlen=ECHO_DEPTH) for key in self._encoder.ids
        }
        self._answers: dict[tuple[int, bool], Answer] = {
            (answer.id, answer.extended): answer for answer in (*profile.polls, *profile.answers)
        }
        self._answered_s: dict[tuple[int, bool], float] = {}
        self._other_s = self._replied_s = -math.inf
        self._counts = dict.fromkeys(
            ("answers", "other_sender_frames", "echoes", "malformed", "foreign", "replies"), 0
        )

    def frames(self, decision: Decision, guard: Guard) -> tuple[CanFrame, ...]:
        """One cycle for this decision; empty where silence is the right thing to say.

        guard: the last word on every limit; called once, after the profile's policies. Raises
        BridgeBug for a limit that is negative or no number: nothing is sent then.
        """
        self._decided = decision
        frames = self._made(decision, guard, self.profile.order)
        if self._silent is None and not self._talk.may_speak(decision.time_s):
            self._silent = NOT_HEARD
        if self._silent is not None or self._asked(decision.time_s):
            return ()
        return frames

    def limiting(self, frames: Iterable[CanFrame]) -> tuple[CanFrame, ...]:
        """Those that say a limit, that a direction is off, or an alarm."""
        return tuple(one for one in frames if one.key in self._encoder.limiting)

    def last_word(self, decision: Decision, guard: Guard) -> tuple[CanFrame, ...]:
        """`frames` before a silence; where all is said in answers, those that the inverter was given."""
        if not self._answered_s or not self.profile.polls:
            return self.frames(decision, guard)
        polled = max((poll.send for poll in self.profile.polls), key=len)
        return self._made(decision, guard, self.profile.order or polled)

    def received(self, frame: CanFrame, now: float, guard: Guard | None = None) -> tuple[CanFrame, ...]:
        """Take notice of a frame from the bus, our own echo included; the frames to answer it with.

        guard: as for `frames`, of `now`; without one nothing is answered.
        """
        key, mirrored = frame.key, (frame.can_id, not frame.extended)
        if answer := self._answers.get(key):
            if len(frame.data) != answer.length:
                self._counts["malformed"] += 1
                return ()
            return self._heard(key, frame.data, now, guard)
        if key in self._sent_data:
            self._ours(frame.data, self._sent_data[key], now)
        elif mirrored in self._answers or mirrored in self._sent_data:
            self._counts["malformed"] += 1
        else:
            self._counts["foreign"] += 1
        return ()

    def due(self, now: float, guard: Guard) -> tuple[CanFrame, ...]:
        """The slow frames that are due at `now`."""
        if not self.profile.slow:
            return ()
        decision = self._live(now)
        if decision is None or self._silent is not None or not self._talk.may_speak(now):
            self._rounds.hold(now)
            return ()
        order = self._rounds.due(now)
        return self._made(decision, guard, order) if order else ()

    def next_s(self) -> float:
        """When `due` should be asked again at the latest; inf if never."""
        return self._rounds.next_s()

    def status(self, now: float) -> SinkStatus:
        """What is known of the other side at `now`."""
        ages = {key: now - at_s for key, at_s in self._answered_s.items()}
        heard = any(age_s <= self._answers[key].may_be_late_s for key, age_s in ages.items())
        return SinkStatus(
            profile=self.profile.name,
            inverter_heard=heard if self._answers else None,
            answer_age_s=min(ages.values(), default=None),
            other_sender=now - self._other_s <= OTHER_SENDER_S,
            silent=self._silent,
            handshake=self._talk.now_in(now),
            clamped=tuple(sorted({name for names in self._clamped.values() for name in names})),
            **self._counts,
        )

    def _heard(
        self, key: tuple[int, bool], data: bytes, now: float, guard: Guard | None
    ) -> tuple[CanFrame, ...]:
        """A frame of the inverter; an answer is made of the last decision, and only while that is fresh."""
        self._counts["answers"] += 1
        self._answered_s[key] = now
        reply, decision = self._talk.heard(key, data, now), self._live(now)
        if reply is None or decision is None or guard is None:
            return ()
        frames = self._made(decision, guard, reply.ids, reply.state)
        self._counts["replies"] += len(frames)
        if frames:
            self._replied_s = now
        return frames

    def _asked(self, now: float) -> bool:
        """Whether answers stand in for the cycle."""
        unasked_s = now - self._replied_s
        return self.profile.cycle_only_unasked and unasked_s < UNASKED_PERIODS * self.profile.period_s

    def _live(self, now: float) -> Decision | None:
        """The last decision, while it may still be acted on."""
        decision = self._decided
        fresh = decision is not None and 0 <= now - decision.time_s < self.profile.dead_man_s
        return decision if fresh else None

    def _made(
        self, decision: Decision, guard: Guard, order: tuple[int, ...], state: str | None = None
    ) -> tuple[CanFrame, ...]:
        """Frames for this decision, settled and guarded; empty if there is a reason for silence."""
        if decision.bank.voltage_v is not None:
            self._last_voltage_v = decision.bank.voltage_v
        final = settle(decision, self.profile, guard, self._ceiling_v, self._last_voltage_v)
        full = self._full(final)
        self._silent = self._reason_for_silence(decision, known=full is not None)
        if full is None or self._silent is not None:
            return ()
        state = self._talk.state if state is None else state
        frames = self._encoder.encode(full, final.protections, final.warnings, order=order, state=state)
        self._clamped[order] = frozenset(self._encoder.clamped)
        self._remember(frames)
        self.sent = final
        return frames

    def _full(self, final: Decision) -> Known | None:
        """All values that the frames need, unknown ones as they were last, or as the profile says."""
        values = values_of(final)
        self._known |= {name: value for name in HELD if (value := values.get(name)) is not None}
        needed = self._encoder.required
        full = filled(values, needed, self._known, self.profile.unknown, wanted=self._encoder.names)
        return stopped_by_soc(full, final) if full is not None and self.profile.soc_says_stop else full

    def _ours(self, data: bytes, sent: deque[bytes], now: float) -> None:
        """A frame with one of our identifiers: an echo if we sent just that lately, else a rival.

        Interfaces differ in what they echo and in whether they say so, and a real second battery
        differs from us in its measurements at the latest.
        """
        if data in sent:
            self._counts["echoes"] += 1
        else:
            self._counts["other_sender_frames"] += 1
            self._other_s = now

    def _remember(self, cycle: tuple[CanFrame, ...]) -> None:
        for frame in cycle:
            sent = self._sent_data[frame.key]
            if frame.data in sent:
                sent.remove(frame.data)
            sent.append(frame.data)

    def _reason_for_silence(self, decision: Decision, *, known: bool) -> str | None:
        if decision.bank.packs_online > 0:
            self._lost_since_s = None
        elif self._lost_since_s is None:
            self._lost_since_s = decision.time_s
        if not known:
            return "voltage or SoC of the bank is not yet known"
        limit_s = self.profile.silence_after_s
        if limit_s is not None and self._lost_since_s is not None:
            lost_s = decision.time_s - self._lost_since_s
            if lost_s >= limit_s:
                return f"all packs lost for {limit_s:g} s: the profile asks for silence"
        return None
