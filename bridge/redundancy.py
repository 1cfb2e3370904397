"""Who of two gateways on one bus sends the cycle: a pure machine, events in, moves out.

Both compute everything; one sends. Each says a few times a period, in a frame of its own, who it is and
which part it plays. The rules, which must hold together:

1. Silence is the only permission. Who does not send takes over when the other one's presence was not
   heard for most of a period, and no frame of a cycle for more than one: a gateway that hangs may
   still have a cycle armed in its kernel, and one whose frames are on the bus is not gone. Two cycles
   are never two periods apart then: the last was at most one period old when the silence began.
2. Two that send end at once. Who sends and hears that somebody with a higher rank sends too, falls
   silent in that moment. Ranks differ always: priority first, then a number drawn at the start.
3. Who was away listens first. After a start, after the bus was gone, and after we were frozen ourselves,
   nothing that was known is worth anything.
4. Only who has something to say may speak: a gateway that knows no voltage yet leaves the cycle to the
   other, whatever their ranks are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

FORMAT = 0xB1  # of a presence frame; another one is not ours to read
LENGTH = 8
READY, TOLD = 0x01, 0x02

# In periods of the cycle.
SAY_EVERY = 0.25
SILENCE = 0.8  # of presence
CYCLE_SILENCE = 1.25  # of the cycle's frames, which come in one burst a period
FIRST_SILENCE: Mapping[str, float] = {"active": 1.25, "standby": 2.0}  # longer than one cycle: rule 3
DEFER = 0.25  # to somebody of a higher rank who may be about to take over
HEARD_LATELY = 1.0
FROZEN = 1.5  # without an event for so long, we were not running; and at least
FROZEN_S = 0.5  # for so long, which is more than a busy interpreter's pause
CLAIM_AFTER = 10.0  # ready for so long before the cycle is claimed back, so that it does not flap


class Part(Enum):
    """What a gateway does. Values as in the frame."""

    STANDBY = 0
    ACTIVE = 1
    CLAIMING = 2  # does not send, and asks the other to stop


class Move(StrEnum):
    """What the machine wants done with the cycle."""

    BEGIN = "begin"
    CEASE = "cease"


@dataclass(frozen=True, slots=True)
class Say:
    """Put this presence on the bus."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What one gateway says of itself. node: drawn at its start. told: a person asks, not the rank."""

    part: Part
    priority: int
    node: int
    ready: bool
    told: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        """Who of two that send goes on."""
        return self.priority, self.node

    def encode(self) -> bytes:
        """As it stands in the frame."""
        flags = READY * self.ready | TOLD * self.told
        head = bytes((FORMAT, self.part.value, self.priority, flags)) + self.node.to_bytes(3, "little")
        return head + bytes((_check(head),))


def decode(data: bytes) -> Presence | None:
    """The presence in a frame; None for anything else."""
    if len(data) != LENGTH or data[0] != FORMAT or data[7] != _check(data[:7]) or data[1] > 2:
        return None
    return Presence(
        part=Part(data[1]),
        priority=data[2],
        node=int.from_bytes(data[4:7], "little"),
        ready=bool(data[3] & READY),
        told=bool(data[3] & TOLD),
    )


def _check(data: bytes) -> int:
    return ~sum(data) & 0xFF


@dataclass(slots=True, kw_only=True)
class Redundancy:
    """One bus. Feed it with what happens, at the latest at `next_s()`; moves are to be made in order.

    role: "active" or "standby", who begins when both start. take_back: claim the cycle from a lower
    rank. node: 24 bits, drawn at the start.
    """

    role: str
    priority: int
    node: int
    period_s: float
    take_back: bool = False
    up: bool = False
    part: Part = Part.STANDBY
    peer: Presence | None = None
    peer_s: float = -math.inf
    _ready_s: float = math.inf
    _alive_s: float = -math.inf  # when somebody else last said that it sends
    _cycle_s: float = -math.inf  # when a frame of its cycle was last seen
    _given_s: float = -math.inf  # when the other one said that it has stopped
    _patience: float = 0.0
    _told: bool = False
    _deferring: bool = False  # a person took the cycle away: not ours to claim
    _say_s: float = -math.inf
    _last_s: float = -math.inf
    _moves: list[Move | Say] = field(default_factory=list)

    # Events

    def link(self, now: float, *, up: bool) -> list[Move | Say]:
        """The bus came, or went."""
        self._begin_event(now)
        self.up = up
        self._listen(now)
        return self._done(now)

    def ready(self, now: float, *, ready: bool) -> list[Move | Say]:
        """Whether there is a cycle that we could send."""
        self._begin_event(now)
        if ready is not math.isfinite(self._ready_s):
            self._ready_s = now if ready else math.inf
            self._say_s = -math.inf
            if not ready:
                self._cease(now)
        return self._done(now)

    def heard(self, data: bytes, now: float) -> list[Move | Say]:
        """A frame with the presence's identifier."""
        self._begin_event(now)
        presence = decode(data)
        if presence is not None and presence.node != self.node:
            self._meet(presence, now)
        return self._done(now)

    def cycle(self, now: float) -> list[Move | Say]:
        """Somebody's frame of a cycle; our own may come back, so it says nothing while we send."""
        self._begin_event(now)
        if self.part is not Part.ACTIVE:
            self._cycle_s, self._patience = now, SILENCE
        return self._done(now)

    def hand_over(self, now: float) -> bool:
        """A person wants the other one to send; whether there is one that can. `tick` makes the moves."""
        there = self.peer is not None and self.peer.ready and now - self.peer_s < self._s(HEARD_LATELY)
        if self.part is not Part.ACTIVE or not there:
            return False
        self._deferring = True
        self._cease(now)
        return True

    def take_over(self, now: float) -> bool:
        """A person wants us to send; whether we could."""
        if self.part is Part.ACTIVE or not math.isfinite(self._ready_s):
            return False
        self._told, self._deferring = True, False
        self.part, self._say_s = Part.CLAIMING, -math.inf
        return now >= self._ready_s

    def tick(self, now: float) -> list[Move | Say]:
        """Time has passed."""
        self._begin_event(now)
        return self._done(now)

    def next_s(self) -> float:
        """When a `tick` is due at the latest."""
        if not self.up:
            return math.inf
        waits = [self._say_s + self._s(SAY_EVERY)]
        if self.part is not Part.ACTIVE:
            waits.append(self._due_s(self._last_s))
        return max(self._last_s, min(waits))

    # Rules

    def _meet(self, other: Presence, now: float) -> None:
        before, self.peer, self.peer_s = self.peer, other, now
        if other.part is Part.ACTIVE:
            self._alive_s, self._patience = now, SILENCE
            if self.part is Part.ACTIVE and other.rank > self._rank:
                self._cease(now)
            elif self.part is Part.ACTIVE:
                self._say_s = -math.inf  # it should hear of us soon, to fall silent
        elif other.part is Part.CLAIMING and (other.told or other.rank > self._rank):
            if self.part is Part.ACTIVE:
                self._deferring = other.told
                self._cease(now)
            elif self.part is Part.CLAIMING and other.rank > self._rank:
                self.part, self._told = Part.STANDBY, False
        elif before is not None and before.node == other.node and before.part is Part.ACTIVE:
            self._alive_s = self._cycle_s = -math.inf  # it has stopped, and says so: no need to wait
            self._given_s = now

    def _done(self, now: float) -> list[Move | Say]:
        """What every event ends with: taking over if it is time, and saying where we stand."""
        if self.up:
            self._claim(now)
            if self.part is not Part.ACTIVE and now >= self._due_s(now):
                self.part, self._told, self._deferring, self._say_s = Part.ACTIVE, False, False, -math.inf
                self._speak(now)  # first of all, so that another one who is about to does not
                self._moves.append(Move.BEGIN)
            self._speak(now)
        moves, self._moves = self._moves, []
        return moves

    def _due_s(self, now: float) -> float:
        """When we take over if nothing is heard until then."""
        silent_s = max(self._alive_s + self._s(self._patience), self._cycle_s + self._s(CYCLE_SILENCE))
        due_s = max(silent_s, self._ready_s + self._s(SAY_EVERY))
        peer = self.peer
        rival = peer is not None and peer.ready and now - self.peer_s < self._s(HEARD_LATELY)
        told = self.part is Part.CLAIMING and self._told
        if rival and peer is not None and peer.rank > self._rank and not told:
            given = now - self._given_s < self._s(HEARD_LATELY)  # it will not want it back at once
            return due_s if given else due_s + self._s(DEFER)
        return due_s

    def _claim(self, now: float) -> None:
        peer = self.peer
        if self.part is not Part.STANDBY or not self.take_back or self._deferring or peer is None:
            return
        lower_sends = peer.part is Part.ACTIVE and peer.rank < self._rank
        if lower_sends and now - self._ready_s >= self._s(CLAIM_AFTER):
            self.part, self._say_s = Part.CLAIMING, -math.inf

    def _cease(self, now: float) -> None:
        """Fall silent at once, and give the other one its time."""
        if self.part is Part.ACTIVE:
            self._moves.append(Move.CEASE)
        self.part, self._told = Part.STANDBY, False
        self._alive_s, self._patience, self._say_s = now, SILENCE, -math.inf

    def _listen(self, now: float) -> None:
        """Begin anew: nobody was heard, and somebody may be there."""
        self._cease(now)
        self.peer, self.peer_s, self._deferring = None, -math.inf, False
        self._patience = FIRST_SILENCE[self.role]

    def _begin_event(self, now: float) -> None:
        if self.up and now - self._last_s > max(FROZEN_S, self._s(FROZEN)):
            self._listen(now)
        self._last_s = now

    def _speak(self, now: float) -> None:
        if now < self._say_s + self._s(SAY_EVERY):
            return
        self._say_s = now
        ready = math.isfinite(self._ready_s)
        mine = Presence(part=self.part, priority=self.priority, node=self.node, ready=ready, told=self._told)
        self._moves.append(Say(mine.encode()))

    @property
    def _rank(self) -> tuple[int, int]:
        return self.priority, self.node

    def _s(self, periods: float) -> float:
        return periods * self.period_s
