"""The sink of an inverter that asks over RS485: decisions and questions in, answers out.

Pure: it opens nothing and reads no clock. Every answer is made of the last decision, guarded anew at
that moment, and of none once that is older than the profile's dead_man_s: then there is silence, which
an inverter takes for a lost battery. Nothing is sent that was not asked for, so whatever hangs, we are
silent by nature.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from bridge.errors import ConfigError
from bridge.events import Window
from bridge.model import Decision, Member, Topology
from bridge.profiles import Rs485Profile
from bridge.responders import contract
from bridge.responders.contract import Ask, Dropped, Overheard, Picture, Port, Table
from bridge.sinks.echo import Echo
from bridge.sinks.line import Line, Rs485Status
from bridge.sinks.policy import Guard, settle, stopped_by_soc
from bridge.sinks.posing import picture_of
from bridge.sinks.quantities import HELD, QUANTITIES, Known, filled, values_of

VITAL = frozenset({"voltage_v", "soc_pct"})
HEARD_POLLS = 5.0  # without a question for so many of its periods, the inverter is not heard
HEARD_AT_LEAST_S = 10.0
ECHO_WITHIN_S = 0.05  # behind the last byte that we send
NO_DECISION = "there is no fresh decision"
NOT_KNOWN = "voltage or SoC of the bank is not yet known"


class Reply(NamedTuple):
    """An answer, and when it may begin."""

    data: bytes
    window: Window


class Moment(NamedTuple):
    """What an answer is made of besides the decision: the guard of that moment, and all packs."""

    guard: Guard
    members: Sequence[Member]


def port_of(profile: Rs485Profile) -> tuple[contract.Entry, Port[Table]]:
    """The profile's dialect, and the place on the line that it is to be made for. Raises ConfigError for
    what the dialect does not know or can't do.
    """
    try:
        entry = contract.load(profile.dialect)
    except ConfigError as error:
        raise ConfigError(*(f"{profile.path}: dialect: {text}" for text in error.problems)) from error
    try:
        options = entry.options.model_validate(dict(profile.options))
    except ValidationError as error:
        raise ConfigError(*_option_problems(profile, entry, error)) from error
    own = entry.spec.address if profile.address is None else profile.address
    allowed = entry.spec.addresses
    if own is not None and allowed is not None and own not in allowed:
        raise ConfigError(
            f"{profile.path}: address: {own}; allowed for {entry.name}: {allowed[0]} to {allowed[-1]}"
        )
    return entry, Port(own, options)


def _option_problems(profile: Rs485Profile, entry: contract.Entry, error: ValidationError) -> Iterator[str]:
    known = ", ".join(entry.options.model_fields) or "none"
    for one in error.errors():
        key = ".".join(map(str, ("options", *one["loc"])))
        if one["type"] == "extra_forbidden":
            yield f"{profile.path}: {key}: unknown option; {entry.name} knows: {known}"
        else:
            said = one["msg"].removeprefix("Value error, ").removeprefix("Input ")
            yield f"{profile.path}: {key}: {said}"


class Rs485Sink:
    """One inverter. Raises ConfigError if its profile does not fit its dialect.

    ceiling_v: the bank's highest CVL, above which no policy of the profile may go. wired: how the packs
    in service are. sent: the last decision as the inverter was to hear it.
    """

    def __init__(
        self,
        name: str,
        profile: Rs485Profile,
        *,
        ceiling_v: float = math.inf,
        wired: Topology | None = None,
    ) -> None:
        self.name = name
        self.profile = profile
        self.sent: Decision | None = None
        entry, port = port_of(profile)
        self._responder = entry.responder(port)
        self._silence_s = entry.spec.silence_s
        self._required = VITAL | self._responder.required
        self._ceiling_v = ceiling_v
        self._wired = wired
        self._decided: Decision | None = None
        self._known: dict[str, float | str] = {}
        self._last_voltage_v: float | None = None
        self._lost_since_s: float | None = None
        self._unknown = False
        self._told: Picture | None = None
        self._beyond: frozenset[str] = frozenset()
        self._echo = Echo()
        self._line = Line(profile.name, max(HEARD_AT_LEAST_S, HEARD_POLLS * profile.poll_s))

    def decided(self, decision: Decision) -> None:
        """From now on, answers are made of this."""
        self._decided = decision
        if decision.bank.voltage_v is not None:
            self._last_voltage_v = decision.bank.voltage_v
        if decision.bank.packs_online > 0:
            self._lost_since_s = None
        elif self._lost_since_s is None:
            self._lost_since_s = decision.time_s

    def received(self, chunk: bytes, at_s: float, now: float, moment: Moment) -> list[Reply]:
        """Take in what arrived at at_s; the answer to begin, if it ends with a question for us.

        A question with more behind it is not answered: its master waits no more, or never did.
        """
        found = self._after_silence(at_s)
        self._line.heard_s = at_s
        if rest := self._echo.without(chunk, at_s):
            found += self._responder.feed(rest)
        return self._taken(found, at_s, now, moment)

    def wake(self, now: float) -> None:
        """Time has passed: an incomplete request is given up. What comes to light so late is not answered."""
        for item in self._after_silence(now):
            self._line.count(item, now)

    def next_s(self) -> float:
        """When `wake` should be called at the latest; inf if never."""
        return math.inf if self._line.heard_s is None else self._line.heard_s + self._silence_s

    def replied(self, after_s: float | None, problem: str | None) -> None:
        """What became of the last answer: it began so long after the question, or not at all."""
        self._line.replied(after_s, problem)

    def miscounted(self, framing_errors: int) -> None:
        """The port could not make out so many bytes so far."""
        self._line.framing_errors = framing_errors

    def status(self, now: float) -> Rs485Status:
        """What is known of the other side at `now`."""
        silent, told = self._reason_for_silence(now), self._told
        clamped = self._beyond | self._responder.too_large(told) if told and not silent else ()
        return self._line.status(silent, self._echo.count, clamped, now)

    def _after_silence(self, now: float) -> list[Ask | Overheard | Dropped]:
        """What has become certain because the line was silent until `now`."""
        heard_s = self._line.heard_s
        if heard_s is None or now - heard_s < self._silence_s:
            return []
        self._line.heard_s = None
        held = self._echo.release()
        return [*(self._responder.feed(held) if held else ()), *self._responder.reset()]

    def _taken(
        self, found: Sequence[Ask | Overheard | Dropped], at_s: float, now: float, moment: Moment
    ) -> list[Reply]:
        for item in found:
            self._line.count(item, at_s)
        last = found[-1] if found else None
        if not isinstance(last, Ask) or not last.for_us:
            return []
        data = self._answer(last, now, moment)
        if not data:
            return []
        earliest_s, latest_s = at_s + self.profile.turnaround_s, at_s + self.profile.answer_within_s
        takes_s = len(data) * self.profile.bits_per_byte / self.profile.baudrate
        self._echo.sent(data, latest_s + takes_s + ECHO_WITHIN_S)
        self._line.answering(earliest_s + takes_s)
        return [Reply(data, Window(at_s, earliest_s, latest_s))]

    def _answer(self, ask: Ask, now: float, moment: Moment) -> bytes | None:
        self._unknown = False
        if self._decided is None or self._reason_for_silence(now) is not None:
            return None
        picture = self._picture(self._decided, moment)
        self._unknown = picture is None
        return None if picture is None else self._responder.answer(ask, picture)

    def _reason_for_silence(self, now: float) -> str | None:
        decision, profile = self._decided, self.profile
        if decision is None or not 0 <= now - decision.time_s < profile.dead_man_s:
            return NO_DECISION
        if self._lost_since_s is None:
            return NOT_KNOWN if self._unknown else None
        if profile.stale == "silence":
            return "all packs are lost: the profile asks for silence"
        limit_s = profile.silence_after_s
        if limit_s is not None and now - self._lost_since_s >= limit_s:
            return f"all packs lost for {limit_s:g} s: the profile asks for silence"
        return NOT_KNOWN if self._unknown else None

    def _picture(self, decision: Decision, moment: Moment) -> Picture | None:
        """What may be said at this moment; None while the bank's voltage or charge was never known."""
        final = settle(decision, self.profile, moment.guard, self._ceiling_v, self._last_voltage_v)
        values = values_of(final)
        self._known |= {name: value for name in HELD if (value := values.get(name)) is not None}
        full = filled(values, self._required, self._known, self.profile.unknown, wanted=QUANTITIES)
        if full is None:
            return None
        said = stopped_by_soc(full, final) if self.profile.soc_says_stop else full
        self.sent = final
        self._told = picture_of(final, self._in_range(said), moment.members, self._wired)
        return self._told

    def _in_range(self, values: Known) -> dict[str, float | str]:
        found, beyond = dict(values), set()
        for name, within in self.profile.ranges.items():
            value = found.get(name)
            if isinstance(value, int | float):
                low = -math.inf if within.min is None else within.min
                high = math.inf if within.max is None else within.max
                found[name] = min(high, max(low, value))
                if value > high:
                    beyond.add(name)
        self._beyond = frozenset(beyond)
        return found
