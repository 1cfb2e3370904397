"""A day of the cycle in virtual time: what decides, what sends, mishaps between them, and a second opinion.

Only the clock and the wire are made up. Times are multiples of 1/64 s, which floats hold exactly, so every
gap between two cycles can be compared for equality, however long the day.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from bridge.errors import LinkError
from bridge.links.cyclic import CyclicSender
from bridge.model import CanFrame

TICKS_PER_S = 64
PERIOD_S, SPACING_S, DEAD_MAN_S = 1.0, 1 / 64, 3.0
GAP_S = 0.25  # the least between an urgent cycle and its neighbours
BURST_S = 8 / 64  # no mishap begins while a cycle of six frames is under way
EVERY_S, APART_S = 60, 20  # mishaps: one a minute, and so long from each other
FIRST_ID = 0x351  # of a cycle


class Mishap(Enum):
    """What happens."""

    NOTHING = "nothing"
    FALL = "a limit falls and does not wait for its turn"
    STALL = "the interpreter stands still, as in a long garbage collection"
    HANG = "the engine decides no more, the sender's thread goes on"
    STOP = "the process is stopped"
    FULL = "the interface takes no frame for a period"


LASTS_S = {
    Mishap.NOTHING: (0.0, 0.0),
    Mishap.FALL: (0.0, 0.0),
    Mishap.STALL: (1 / 64, 2.5),
    Mishap.HANG: (0.5, 12.0),
    Mishap.STOP: (4.0, 12.0),
    Mishap.FULL: (1.0, 1.0),
}
"""The shortest and the longest."""


class Armed(NamedTuple):
    """One arming of the sender."""

    at_s: float
    urgent: bool


class Decider(Protocol):
    """What arms the sender."""

    def next_s(self) -> float:
        """When it wants to run."""
        ...

    def run(self, sender: CyclicSender, now: float) -> Iterator[Armed]:
        """Decide what is due at `now` and arm; what was armed."""
        ...

    def fall(self) -> None:
        """A limit is to fall with the next decision."""
        ...


@dataclass(slots=True)
class Day:
    """A sender, its wire and a decider, stepped through virtual time.

    begun_s: when a cycle's first frame went out. stalls: begin and end of what stood still.
    """

    decider: Decider
    now: float = 0.0
    begun_s: list[float] = field(default_factory=list)
    arms: list[Armed] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)
    full: list[tuple[float, float]] = field(default_factory=list)
    heard: Callable[[CanFrame], None] = lambda _frame: None
    sender: CyclicSender = field(init=False)
    _broken: bool = False

    def __post_init__(self) -> None:
        self.sender = CyclicSender(self._put, PERIOD_S, SPACING_S, repeat_gap_s=GAP_S, clock=lambda: self.now)
        self.sender._go_on = lambda: None  # type: ignore[method-assign]  # nobody but us takes its steps

    def live(self, hours: float, seed: int) -> Day:
        """So long, with a mishap a minute."""
        draw = random.Random(seed)
        for minute in range(round(hours * 3600 / EVERY_S)):
            begin_s = minute * EVERY_S + APART_S + draw.randrange(APART_S * TICKS_PER_S) / TICKS_PER_S
            self.run(begin_s)
            self.happen(draw.choice(list(Mishap)), draw)
        self.run(hours * 3600)
        return self

    def happen(self, mishap: Mishap, draw: random.Random) -> None:
        """One mishap, from now on."""
        if self.begun_s and self.now - self.begun_s[-1] < BURST_S:
            self.run(self.now + BURST_S)
        low_s, high_s = LASTS_S[mishap]
        lasts_s = round(draw.uniform(low_s, high_s) * TICKS_PER_S) / TICKS_PER_S
        if mishap is Mishap.FALL:
            self.decider.fall()
        elif mishap in {Mishap.STALL, Mishap.STOP}:
            self.stalls.append((self.now, self.now + lasts_s))
            self.now += lasts_s
            self._step()  # the thread is the first to wake up
        elif mishap is Mishap.HANG:
            self.run(self.now + lasts_s, hung=True)
        elif mishap is Mishap.FULL:
            self.full.append((self.now, self.now + lasts_s))
            self._broken = True
            self.run(self.now + lasts_s)
            self._broken = False

    def run(self, until_s: float, *, hung: bool = False) -> None:
        """Let time pass. hung: without decisions."""
        while True:
            wake_s = self._step()
            decide_s = math.inf if hung else self.decider.next_s()
            due_s = min(decide_s, math.inf if wake_s is None else wake_s)
            if due_s > until_s:
                self.now = until_s
                return
            self.now = max(self.now, due_s)
            if decide_s <= self.now:
                self.arms += self.decider.run(self.sender, self.now)

    def _step(self) -> float | None:
        while (wake_s := self.sender.step(self.now)) is not None and wake_s <= self.now:
            pass
        return wake_s

    def _put(self, frame: CanFrame) -> None:
        if self._broken:
            raise LinkError("the transmit buffer is full")
        if frame.can_id == FIRST_ID:
            self.begun_s.append(self.now)
        self.heard(frame)


class Expected:
    """When cycles should begin, told from the arms and the mishaps alone."""

    def __init__(self, day: Day) -> None:
        self.begun_s: list[float] = []
        self._stalls, self._full = day.stalls, day.full
        self._slot_s: float | None = None
        self._urgent_s, self._last_s, self._until_s = math.inf, -math.inf, -math.inf
        for armed in day.arms:
            self._advance(armed.at_s)
            self._arm(armed)
        self._advance(day.now)

    def _arm(self, armed: Armed) -> None:
        self._until_s = armed.at_s + DEAD_MAN_S
        soonest_s = max(armed.at_s, self._last_s + GAP_S)
        if self._slot_s is None:
            self._slot_s, self._urgent_s = soonest_s, math.inf
        elif armed.urgent:
            self._urgent_s = min(self._urgent_s, soonest_s)

    def _advance(self, to_s: float) -> None:
        while self._slot_s is not None:
            at_s = self._awake(min(self._slot_s, self._urgent_s))
            if min(at_s, self._awake(self._until_s)) > to_s:
                return
            if at_s >= self._until_s:
                self._slot_s = None
                return
            self._cycle(self._slot_s, at_s)

    def _cycle(self, slot_s: float, at_s: float) -> None:
        begin_s, end_s = _window(self._full, at_s)
        if not begin_s < at_s <= end_s:
            self.begun_s.append(at_s)
        self._last_s, self._urgent_s = at_s, math.inf
        while slot_s < at_s + GAP_S:
            slot_s += PERIOD_S
        self._slot_s = slot_s

    def _awake(self, due_s: float) -> float:
        """When what is due then can be done."""
        begin_s, end_s = _window(self._stalls, due_s)
        return end_s if begin_s < due_s < end_s else due_s


def _window(windows: list[tuple[float, float]], at_s: float) -> tuple[float, float]:
    """The last window that begins before a time."""
    number = bisect_left(windows, (at_s,))
    return windows[number - 1] if number else (-math.inf, -math.inf)
