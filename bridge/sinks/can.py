"""The CAN sink of one inverter: decisions in, cycles of frames out, and what is heard of it.

Pure: it opens nothing and reads no clock. What the inverter says changes the status and nothing
else. Sending must not depend on it: some never send 0x305, and emulated batteries do.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict, dataclass

from bridge import profiles
from bridge.model import CanFrame, Decision
from bridge.profiles import Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.dialect import Dialect
from bridge.sinks.encoder import Encoder
from bridge.sinks.policy import Guard, settle
from bridge.sinks.quantities import HELD, filled, values_of

ECHO_DEPTH = 8  # cycles: what the interface echoes is that old at the most
OTHER_SENDER_S = 10.0  # two slow periods of genuine packs, so that a steady alarm does not flicker


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStatus:
    """What is known of the inverter's side of the bus.

    inverter_heard: an answer came within the profile's time; None if this make answers nothing.
    answer_age_s: of the last one; None if there was none. other_sender: somebody else sends our
    frames: two batteries on one bus. malformed: frames with a known identifier that can't be what
    it stands for, by length or identifier format. foreign: frames that are neither.
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

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return asdict(self)


class CanSink:
    """One inverter. Raises ConfigError if its profile does not fit its dialect.

    ceiling_v: the bank's highest CVL, above which no policy of the profile may go.
    """

    def __init__(
        self, name: str, profile: Profile, dialect: Dialect | None = None, *, ceiling_v: float = math.inf
    ) -> None:
        self.name = name
        self.profile = profile
        self.dialect = dialect or dialects.load(profiles.dialect_path(profile))
        self.sent: Decision | None = None
        self._ceiling_v = ceiling_v
        self._encoder = Encoder(profile, self.dialect)
        self._known: dict[str, float | str] = {}
        self._last_voltage_v: float | None = None
        self._lost_since_s: float | None = None
        self._silent: str | None = None
        self._sent_data: dict[tuple[int, bool], deque[bytes]] = {
            key: deque(maxlen=ECHO_DEPTH) for key in self._encoder.ids
        }
        self._answers = {(answer.id, answer.extended): answer for answer in profile.answers}
        self._answered_s: dict[tuple[int, bool], float] = {}
        self._other_s = -math.inf
        self._counts = dict.fromkeys(("answers", "other_sender_frames", "echoes", "malformed", "foreign"), 0)

    def frames(self, decision: Decision, guard: Guard) -> tuple[CanFrame, ...]:
        """One cycle for this decision; empty where silence is the right thing to say.

        guard: the last word on every limit; called once, after the profile's policies. Raises
        BridgeBug for a limit that is negative or no number: nothing is sent then.
        """
        if decision.bank.voltage_v is not None:
            self._last_voltage_v = decision.bank.voltage_v
        final = settle(decision, self.profile, guard, self._ceiling_v, self._last_voltage_v)
        values = values_of(final)
        self._known |= {name: value for name in HELD if (value := values.get(name)) is not None}
        full = filled(
            values, self._encoder.required, self._known, self.profile.unknown, wanted=self._encoder.names
        )
        self._silent = self._reason_for_silence(decision, known=full is not None)
        if full is None or self._silent is not None:
            return ()
        cycle = self._encoder.encode(full, final.protections, final.warnings)
        self._remember(cycle)
        self.sent = final
        return cycle

    def received(self, frame: CanFrame, now: float) -> None:
        """Take notice of a frame from the bus, our own echo included."""
        key, mirrored = (frame.can_id, frame.extended), (frame.can_id, not frame.extended)
        if answer := self._answers.get(key):
            if len(frame.data) != answer.length:
                self._counts["malformed"] += 1
                return
            self._counts["answers"] += 1
            self._answered_s[key] = now
        elif key in self._sent_data:
            self._ours(frame.data, self._sent_data[key], now)
        elif mirrored in self._answers or mirrored in self._sent_data:
            self._counts["malformed"] += 1
        else:
            self._counts["foreign"] += 1

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
            **self._counts,
        )

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
            sent = self._sent_data[frame.can_id, frame.extended]
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
