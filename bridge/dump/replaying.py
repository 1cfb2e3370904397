"""When each frame of a dump is to be sent again, and the loop that does it.

The idea: deadlines are absolute. Each frame has its moment since the start of the replay, taken from the
log's own times, and waiting is always until a moment, never for a while; so what is late once is caught
up, and hours do not drift. The clock is an argument.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bridge.dump.block import ERROR, FD, REMOTE, Block, id_text
from bridge.errors import LinkError
from bridge.model import CanFrame

WITHOUT_TIMES_S = 0.01  # between frames of a log that has none
ALONE_S = 1.0  # after the last frame until the next round, where no identifier comes twice
LATE_S = 0.01
ECHO_DEPTH = 64  # frames of one identifier: what an interface hands back is that old at the most
LOOK_EVERY_S = 0.05  # at what is on the bus while there is nothing to send
TRY_AGAIN_S, GIVE_UP_S = 0.005, 1.0  # while the interface's queue is full

Key = tuple[int, bool]
Target = Callable[[str], str | None]
"""The bus for a channel of the dump; None: its frames are not sent."""


@dataclass(frozen=True, slots=True)
class Due:
    """A frame and when it is to be sent, in seconds since the start."""

    at_s: float
    channel: str
    frame: CanFrame
    remote: bool = False


class Wire(Protocol):
    """A bus to send on."""

    def send(self, frame: CanFrame, *, remote: bool = False) -> None:
        """Send now; raises LinkError."""
        ...

    def heard(self) -> list[CanFrame]:
        """What others said since the last time, without waiting."""
        ...


class Clock(Protocol):
    """Time, and waiting for it."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def wait_until(self, time_s: float) -> None:
        """Return at that time, or at once if it is over."""
        ...


class RivalError(LinkError):
    """Somebody else sends what we send: two senders on one bus."""


@dataclass(slots=True)
class Summary:
    """How it went. skipped: frames that were not sent, by reason."""

    sent: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    planned_s: float = 0.0
    took_s: float = 0.0
    late: int = 0
    latest_s: float = 0.0
    tries_again: int = 0
    ended: str = "done"

    def record(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return {
            "ended": self.ended,
            "sent": self.sent.total(),
            "sent_by_channel": dict(self.sent),
            "skipped": dict(self.skipped),
            "rounds": self.rounds,
            "planned_s": round(self.planned_s, 3),
            "took_s": round(self.took_s, 3),
            "late_frames": self.late,
            "latest_ms": round(1000 * self.latest_s, 1),
            "tries_again": self.tries_again,
        }


class Rounds:
    """The dump as it is to be sent: once, or again and again.

    begin: gives the blocks from their start. speed: 2 is twice as fast. rounds: inf is for ever.
    """

    def __init__(
        self,
        begin: Callable[[], Iterable[Block]],
        target: Target,
        *,
        speed: float = 1.0,
        rounds: float = 1,
    ) -> None:
        self._begin = begin
        self._target = target
        self._speed = speed
        self._rounds = rounds
        self.skipped: Counter[str] = Counter()
        self.done = 0

    def __iter__(self) -> Iterator[Due]:
        base_s = 0.0
        while self.done < self._rounds:
            measure = _Measure()
            for due in self._once(measure):
                yield Due(base_s + due.at_s, due.channel, due.frame, due.remote)
            if not measure.frames:
                return
            base_s += measure.length_s
            self.done += 1

    def _once(self, measure: _Measure) -> Iterator[Due]:
        at_s, before_s = 0.0, math.nan
        for block in self._begin():
            times, flags = block.time_s.tolist(), block.flags.tolist()
            for row, time_s in enumerate(times):
                channel = self._target(block.channels[block.channel[row]])
                if (why := _unsendable(flags[row], channel)) is not None:
                    self.skipped[why] += 1
                    continue
                assert channel is not None
                step_s = WITHOUT_TIMES_S if math.isnan(time_s) else time_s - before_s
                before_s = time_s
                if measure.frames and step_s > 0:  # a clock that was set back is no reason to wait
                    at_s += step_s / self._speed
                frame = block.frame(row)
                measure.note((frame.can_id, frame.extended), at_s)
                yield Due(at_s, channel, frame, bool(flags[row] & REMOTE))


def _unsendable(flags: int, channel: str | None) -> str | None:
    if channel is None:
        return "of another channel"
    if flags & ERROR:
        return "error frames"
    return "CAN FD frames" if flags & FD else None


@dataclass(slots=True)
class _Measure:
    """How long a round is: so that its first identifier goes on at its own period in the next."""

    frames: int = 0
    first: Key | None = None
    first_count: int = 0
    first_last_s: float = 0.0
    last_s: float = 0.0

    def note(self, key: Key, at_s: float) -> None:
        self.frames += 1
        self.last_s = at_s
        self.first = self.first or key
        if key == self.first:
            self.first_count += 1
            self.first_last_s = at_s

    @property
    def length_s(self) -> float:
        if self.first_count < 2:
            return self.last_s + ALONE_S
        return max(self.last_s, self.first_last_s * self.first_count / (self.first_count - 1))


class Player:
    """Sends what is due when it is due, and looks whether somebody else sends the same.

    alone: stop as soon as that is so.
    """

    def __init__(self, wires: Mapping[str, Wire], clock: Clock, *, alone: bool = True) -> None:
        self._wires = wires
        self._clock = clock
        self._alone = alone
        self._sent: dict[tuple[str, Key], deque[bytes]] = {}
        self._before: dict[str, set[Key]] = {name: set() for name in wires}

    def listen(self, seconds: float, planned: Mapping[str, set[Key]]) -> None:
        """Look who speaks before we do. Raises RivalError if it is what is planned to be sent."""
        end_s = self._clock.now() + seconds
        while True:
            for name, wire in self._wires.items():
                self._before[name] |= {(frame.can_id, frame.extended) for frame in wire.heard()}
            if (now := self._clock.now()) >= end_s:
                break
            self._clock.wait_until(min(end_s, now + LOOK_EVERY_S))
        for name, keys in self._before.items():
            if self._alone and (both := keys & planned.get(name, set())):
                raise RivalError(_rivals(name, both))

    def play(self, dues: Iterable[Due], summary: Summary) -> None:
        """All of it. Raises RivalError, and LinkError if a bus takes no frames."""
        start_s = self._clock.now()
        for due in dues:
            self._wait(start_s + due.at_s)
            late_s = self._clock.now() - start_s - due.at_s
            summary.late += late_s > LATE_S
            summary.latest_s = max(summary.latest_s, late_s)
            self._send(due, summary)
            summary.planned_s, summary.took_s = due.at_s, self._clock.now() - start_s
            summary.sent[due.channel] += 1

    def _wait(self, until_s: float) -> None:
        self._look()
        while (now := self._clock.now()) < until_s:
            self._clock.wait_until(min(until_s, now + LOOK_EVERY_S))
            self._look()

    def _send(self, due: Due, summary: Summary) -> None:
        key = due.frame.can_id, due.frame.extended
        if self._alone and key in self._before[due.channel]:
            raise RivalError(_rivals(due.channel, {key}))
        self._sent.setdefault((due.channel, key), deque(maxlen=ECHO_DEPTH)).append(due.frame.data)
        give_up_s = self._clock.now() + GIVE_UP_S
        while True:
            try:
                self._wires[due.channel].send(due.frame, remote=due.remote)
            except LinkError:
                if self._clock.now() >= give_up_s:
                    raise
                summary.tries_again += 1
                self._clock.wait_until(self._clock.now() + TRY_AGAIN_S)
            else:
                return

    def _look(self) -> None:
        for name, wire in self._wires.items():
            for frame in wire.heard():
                sent = self._sent.get((name, (frame.can_id, frame.extended)))
                if self._alone and sent is not None and frame.data not in sent:
                    raise RivalError(_rivals(name, {(frame.can_id, frame.extended)}))


def keys_of(blocks: Iterable[Block], target: Target) -> dict[str, set[Key]]:
    """The identifiers that would be sent on each bus."""
    found: dict[str, set[Key]] = {}
    for block in blocks:
        sendable = block.take((block.flags & (ERROR | FD)) == 0)
        for number, name in enumerate(sendable.channels):
            if (bus := target(name)) is not None:
                keys = np.unique(sendable.key[sendable.channel == number]).tolist()
                found.setdefault(bus, set()).update((key & 0xFFFFFFFF, bool(key >> 32)) for key in keys)
    return found


def _rivals(bus: str, keys: set[Key]) -> str:
    ids = ", ".join(id_text(can_id | extended << 32) for can_id, extended in sorted(keys))
    return (
        f"{bus}: somebody else sends {ids}. Two senders of one identifier are dangerous: who listens follows "
        "now one, now the other. Take the other away, leave these out (--id !NUMBER), or use --force"
    )
