"""A cycle kept by a thread, for buses whose kernel does not keep one.

python-can's own cyclic tasks are not used: after a stall they send what they missed in a burst, and
they can't be told to stop by themselves. `CyclicSender` keeps absolute deadlines, never queues more
than one cycle, and falls silent unless it is armed again.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.errors import LinkError
from bridge.links import slices
from bridge.model import CanFrame
from bridge.sinks.schedule import MIN_GAP_S, Due, Schedule

FINISH_VALID_S = 3.0
INTERVALS_KEPT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderStatistics:
    """Counters since the sender was made.

    cycles: sent in full. missed_cycles: slots that passed while we were late. dropped_cycles: given
    up in their middle, because the interface took no more or because they had become too old.
    interval_error_*_s: of neighbouring cycles against the period, absolute, over the last 1024.
    """

    armed: bool
    cycles: int
    frames: int
    missed_cycles: int
    dropped_cycles: int
    send_errors: int
    expiries: int
    last_error: str | None
    interval_error_p50_s: float | None
    interval_error_p99_s: float | None
    interval_error_max_s: float | None


@dataclass(frozen=True, slots=True)
class _Step:
    """What a sender does next. completes: it is the last frame of its cycle; ends: of the last cycle."""

    frame: CanFrame | None = None
    completes: bool = False
    ends: bool = False
    expired: bool = False


class CyclicSender:
    """Sends one cycle of frames each period, from a thread of its own, for as long as it is armed.

    send: hands a frame to the bus, raises LinkError. spacing_s: between any two frames, at least.
    repeat_gap_s: between two frames of one identifier, where the inverter takes them no faster.
    on_expired, on_error: called in the sender's thread, the latter once for each cycle that was dropped.
    The thread starts with the first `arm`; `stop` ends it for good.
    """

    def __init__(  # noqa: PLR0913  # three say what to send and when, the others have defaults
        self,
        send: Callable[[CanFrame], None],
        period_s: float,
        spacing_s: float = 0.0,
        *,
        repeat_gap_s: float = 0.0,
        on_expired: Callable[[], None] | None = None,
        on_error: Callable[[LinkError], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        name: str = "cyclic sender",
    ) -> None:
        self._send = send
        self._period_s = period_s
        self._spacing_s = spacing_s
        self._on_expired = on_expired
        self._on_error = on_error
        self._clock = clock
        self._whole = repeat_gap_s > 0  # what is urgent goes as a cycle of its own, when that may come
        self._schedule = Schedule(period_s, repeat_gap_s or MIN_GAP_S)
        self._frames: tuple[CanFrame, ...] = ()
        self._left: deque[CanFrame] = deque()  # of the cycle that is being sent
        self._ahead = 0  # so many of them, in front, go out of their turn
        self._frame_s = -math.inf  # when the next of them may go
        self._begin_s = 0.0
        self._last = False  # the cycle that is armed is the last one
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._finished = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._counts = dict.fromkeys(("cycles", "frames", "dropped_cycles", "send_errors", "expiries"), 0)
        self._last_error: str | None = None
        self._interval_errors_s: deque[float] = deque(maxlen=INTERVALS_KEPT)

    # What the gateway calls: bridge.links.sender.Sender

    def arm(self, frames: Sequence[CanFrame], valid_for_s: float, *, urgent: Sequence[CanFrame] = ()) -> None:
        """Send these from now on, and fall silent in valid_for_s unless armed again. None: at once.

        urgent: those of the frames that carry a limit which fell. What was not armed before of them goes
        out of its turn, as soon as the spacing allows, and the phase stays. Where an identifier has a
        gap, a whole cycle is sent as soon as the last one is so old. A cycle that has begun is else
        finished as it was.
        """
        with self._lock:
            if self._last or self._stopped.is_set():
                return
            before, self._frames = self._frames, tuple(frames)
            if not self._frames:
                self._schedule.disarm()
            else:
                now = self._clock()
                going = self._schedule.live(now)
                self._schedule.arm(now, valid_for_s, urgent=self._whole and bool(urgent))
                if urgent and going and not self._whole:
                    self._hurry([frame for frame in urgent if frame not in before], now)
        self._go_on()

    def finish(self, frames: Sequence[CanFrame]) -> None:
        """Send these once, as a whole cycle, then be silent for good. Returns at once."""
        with self._lock:
            if self._last or self._stopped.is_set():
                return
            self._frames, self._last = tuple(frames), True
            self._clear()
            if self._frames:
                self._schedule.arm(self._clock(), FINISH_VALID_S, urgent=True)
            else:
                self._end()
        self._go_on()

    def wait_finished(self, timeout_s: float) -> bool:
        """Block until the last cycle is out, or given up; whether it ended in time."""
        return self._finished.wait(timeout_s)

    def stop(self) -> None:
        """Be silent at once and for good."""
        with self._lock:
            self._end()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def statistics(self) -> SenderStatistics:
        """What was sent so far, and how well."""
        with self._lock:
            errors_s = sorted(self._interval_errors_s)
            return SenderStatistics(
                armed=self._schedule.live(self._clock()),
                missed_cycles=self._schedule.missed,
                last_error=self._last_error,
                interval_error_p50_s=_quantile(errors_s, 0.50),
                interval_error_p99_s=_quantile(errors_s, 0.99),
                interval_error_max_s=_quantile(errors_s, 1.0),
                **self._counts,
            )

    # The thread

    def step(self, now: float) -> float | None:
        """Do what is due at `now`, one frame at the most; when to be called again, None if not armed."""
        with self._lock:
            step = self._next(now)
        if step.expired and self._on_expired is not None:
            self._on_expired()
        if step.frame is not None:
            self._put(step.frame, step)
        with self._lock:
            return self._frame_s if self._left else self._schedule.next_s()

    def _run(self) -> None:
        slices.ask_for()
        while not self._stopped.is_set():
            wake_s = self.step(self._clock())
            wait_s = None if wake_s is None else wake_s - self._clock()
            if wait_s is None or wait_s > 0:
                self._wake.wait(wait_s)
            self._wake.clear()

    def _next(self, now: float) -> _Step:
        """What is due. Called with the lock held, as everything below but `_put`."""
        if self._left and (not self._schedule.live(now) or now - self._begin_s > self._period_s):
            self._drop()
        if not self._left:
            due = self._schedule.due(now)
            if due is Due.EXPIRED:
                self._counts["expiries"] += 1
                return _Step(expired=True)
            if due is Due.CYCLE:
                self._begin(now)
        if not self._left or now < self._frame_s:
            return _Step()
        self._frame_s = now + self._spacing_s
        frame = self._left.popleft()
        if self._ahead:
            self._ahead -= 1
            return _Step(frame)
        return _Step(frame, completes=not self._left, ends=self._last)

    def _begin(self, now: float) -> None:
        self._left.extend(self._frames)
        self._begin_s = now
        if (error_s := self._schedule.interval_error_s) is not None:
            self._interval_errors_s.append(abs(error_s))

    def _hurry(self, urgent: Sequence[CanFrame], now: float) -> None:
        """Put these in front. A cycle under way goes on with what is armed, for an older value must not
        follow them; so never more than one cycle is queued.
        """
        left = [frame.key for frame in self._left]
        under_way = left[self._ahead :]
        first = [one for one in self._frames if one in urgent or one.key in left[: self._ahead]]
        rest = self._frames[len(self._frames) - len(under_way) :]
        if [frame.key for frame in rest] != under_way:
            self._drop()
            rest = ()
        elif not left:
            self._begin_s = now
        rest = tuple(frame for frame in rest if frame not in first)
        self._left = deque([*first, *rest])
        self._ahead = len(first) if rest or not under_way else 0

    def _put(self, frame: CanFrame, step: _Step) -> None:
        """Send a frame; where that fails the rest of its cycle is dropped, never queued."""
        try:
            self._send(frame)
        except LinkError as error:
            with self._lock:
                self._counts["send_errors"] += 1
                self._last_error = str(error)
                self._drop()
                if step.ends:
                    self._end()
            if self._on_error is not None:
                self._on_error(error)
            return
        with self._lock:
            self._counts["frames"] += 1
            self._counts["cycles"] += step.completes
            if step.completes and step.ends:
                self._end()

    def _drop(self) -> None:
        self._clear()
        self._counts["dropped_cycles"] += 1

    def _clear(self) -> None:
        self._left.clear()
        self._ahead = 0

    def _end(self) -> None:
        self._clear()
        self._schedule.disarm()
        self._stopped.set()
        self._finished.set()
        self._wake.set()

    def _go_on(self) -> None:
        if self._thread.ident is None and not self._stopped.is_set():
            self._thread.start()
        self._wake.set()


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of them don't exceed; None if there is none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
