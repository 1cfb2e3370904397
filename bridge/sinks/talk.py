"""What an inverter's frames make a battery say and become: polls, answers and handshakes.

The idea: every conversation of the known dialects is a table. A poll names a frame by its first bytes,
the frames that answer it, and the state that follows; a state is a few constants. So this one small
machine, which holds nothing but a state and two times, speaks them all. It says which frames are
wanted, never what is in them: values come from the decision of the moment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bridge.profiles import Poll, Profile

REPLY_GAP_S = 0.05  # a poll that comes faster than any inverter asks is not answered: a flood would double


@dataclass(frozen=True, slots=True)
class Reply:
    """Frames that answer a poll. ids: the dialect's identifiers. state: in which they are made."""

    ids: tuple[int, ...]
    state: str | None


class Talk:
    """The conversation with one inverter. state: of the handshake; None where there is none."""

    def __init__(self, profile: Profile) -> None:
        self._first = next(iter(profile.states), None)
        self._forget_s = math.inf if profile.forget_after_s is None else profile.forget_after_s
        self._waits = profile.waits_for_inverter
        self._rules: dict[tuple[int, bool], list[_Rule]] = {}
        for poll in profile.polls:
            self._rules.setdefault((poll.id, poll.extended), []).append(_Rule(poll))
        self._heard_s = -math.inf
        self.state = self._first

    def heard(self, key: tuple[int, bool], data: bytes, now: float) -> Reply | None:
        """Take one of the inverter's frames in; what it is to be answered with, if anything.

        key: identifier, and whether it has 29 bits. data: of the length that the profile says.
        """
        self._forget(now)
        self._heard_s = now
        for rule in self._rules.get(key, ()):
            if rule.fits(data, self.state):
                if now - rule.answered_s < REPLY_GAP_S:
                    return None
                rule.answered_s = now
                reply = Reply(rule.poll.send, self.state)
                self.state = rule.poll.then or self.state
                return reply if reply.ids else None
        return None

    def may_speak(self, now: float) -> bool:
        """Whether frames may be sent unasked."""
        return not self._waits or now - self._heard_s <= self._forget_s

    def now_in(self, now: float) -> str | None:
        """The state at `now`, after whatever silence there was."""
        self._forget(now)
        return self.state

    def _forget(self, now: float) -> None:
        if now - self._heard_s > self._forget_s:
            self.state = self._first


class _Rule:
    """A poll of the profile, with its bytes worked out. answered_s: when it last was."""

    def __init__(self, poll: Poll) -> None:
        self.poll = poll
        self.answered_s = -math.inf
        digits = enumerate(poll.data.split())
        self._bytes = tuple((index, int(text, 16)) for index, text in digits if text != "..")

    def fits(self, data: bytes, state: str | None) -> bool:
        """Whether it is about this frame, in this state."""
        if self.poll.when and state not in self.poll.when:
            return False
        return all(index < len(data) and data[index] == byte for index, byte in self._bytes)
