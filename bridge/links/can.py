"""CAN buses through python-can: a port that is held open, and a sender that keeps a cycle going.

The only importer of python-can's buses. Its own cyclic tasks are not used: after a stall they send
what they missed in a burst, and they can't be told to stop by themselves. `CyclicSender` keeps
absolute deadlines, never queues more than one cycle, and falls silent unless it is armed again.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

import can

from bridge.errors import LinkError
from bridge.model import CanFrame
from bridge.protocols.contract import Payload
from bridge.sinks.schedule import MIN_GAP_S, Due, Schedule

RECEIVE_TIMEOUT_S = 0.2  # how long closing may take
FINISH_VALID_S = 3.0
INTERVALS_KEPT = 1024

# Backends let through what their libraries raise: OSError from sockets and serial ports, ValueError
# and TypeError from arguments and from bytes that they can't parse, ImportError for a missing driver,
# NotImplementedError for an interface that there is not.
FAILURES = (can.CanError, OSError, ValueError, TypeError, ImportError, NotImplementedError)

# Error classes of linux/can/error.h, and bits of data[1] for "controller problems".
ERR_CONTROLLER, ERR_NO_ACK, ERR_BUS_OFF, ERR_RESTARTED = 0x04, 0x20, 0x40, 0x100
CONTROLLER_WARNING, CONTROLLER_PASSIVE, CONTROLLER_ACTIVE = 0x0C, 0x30, 0x40


class BusHealth(StrEnum):
    """What the controller says of its bus; `ok` also where the interface can't say."""

    OK = "ok"
    WARNING = "warning"  # errors are counted
    PASSIVE = "passive"  # so many that it may no longer disturb others
    BUS_OFF = "bus-off"  # so many that it has left the bus


@dataclass(slots=True)
class PortStatistics:
    """Counters since the port was made."""

    received: int = 0
    sent: int = 0
    send_errors: int = 0
    error_frames: int = 0
    no_acknowledge: int = 0
    bus_offs: int = 0
    remote_frames: int = 0
    fd_frames: int = 0
    health: BusHealth = BusHealth.OK


def _ignore(_health: BusHealth) -> None:
    """For who does not ask."""


class CanPort:
    """One CAN bus. `run` holds it open; a failure ends `run` with LinkError.

    interface, channel, extra: python-can's. on_health: called in the event loop when the bus's
    health changes; python-can can't restart a controller in bus-off, the kernel's restart-ms can.
    """

    def __init__(
        self,
        interface: str,
        channel: str,
        bitrate: int,
        extra: Mapping[str, str | int | float | bool] | None = None,
        *,
        on_health: Callable[[BusHealth], None] = _ignore,
    ) -> None:
        self.name = f"{interface}:{channel}"
        self.statistics = PortStatistics()
        self._arguments = {"interface": interface, "channel": channel, "bitrate": bitrate} | dict(extra or {})
        self._on_health = on_health
        self._open: _OpenBus | None = None

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        """Open the bus, call `up`, hand over what arrives until the bus fails or we are cancelled."""
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()

        def fail(error: Exception) -> None:
            if not failed.done():
                failed.set_exception(LinkError(f"{self.name}: {error}"))

        writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"write {self.name}")
        try:
            bus = await loop.run_in_executor(writer, self._open_bus)
        except FAILURES as error:
            writer.shutdown(wait=False)
            raise LinkError(f"{self.name}: {error}") from error
        self._open = opened = _OpenBus(bus, writer, self.statistics, loop, fail, self._on_health)
        self.statistics.health = BusHealth.OK  # what an earlier controller said is over
        reader = threading.Thread(target=opened.read, args=(receive,), name=f"read {self.name}")
        reader.start()
        try:
            up()
            await failed
        finally:
            self._open = None
            opened.closing.set()
            writer.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(reader.join)
            with contextlib.suppress(*FAILURES):
                bus.shutdown()

    def write(self, payload: Payload) -> None:
        """Queue a frame, from the event loop; while the bus is not open it is lost, as on a cut wire."""
        if (opened := self._open) is not None and isinstance(payload, CanFrame):
            opened.write(payload)

    def send(self, frame: CanFrame) -> None:
        """Send a frame now, from any thread; raises LinkError if it can't be handed to the interface."""
        if (opened := self._open) is None:
            raise LinkError(f"{self.name}: the bus is not open")
        try:
            opened.send(frame)
        except FAILURES as error:
            raise LinkError(f"{self.name}: {error}") from error

    def _open_bus(self) -> can.BusABC:
        return can.Bus(ignore_config=True, **self._arguments)  # type: ignore[arg-type]  # what each backend takes differs


@dataclass(slots=True)
class _OpenBus:
    """A bus while it is open, shared by its threads. lock: not every backend may be sent on by two."""

    bus: can.BusABC
    writer: ThreadPoolExecutor
    statistics: PortStatistics
    loop: asyncio.AbstractEventLoop
    fail: Callable[[Exception], None]
    on_health: Callable[[BusHealth], None]
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, receive: Callable[[Payload], None]) -> None:
        """The receiving thread."""
        try:
            while not self.closing.is_set():
                message = self.bus.recv(RECEIVE_TIMEOUT_S)
                if message is not None:
                    self._received(message, receive)
        except FAILURES as error:
            if not self.closing.is_set():
                self.loop.call_soon_threadsafe(self.fail, error)

    def write(self, frame: CanFrame) -> None:
        self.writer.submit(self._write, frame)

    def send(self, frame: CanFrame) -> None:
        message = can.Message(
            arbitration_id=frame.can_id, is_extended_id=frame.extended, data=frame.data, check=True
        )
        try:
            with self.lock:
                self.bus.send(message, timeout=0)
        except FAILURES:
            self.statistics.send_errors += 1
            raise
        self.statistics.sent += 1

    def _write(self, frame: CanFrame) -> None:
        with contextlib.suppress(*FAILURES):  # counted; the reader notices if the bus is gone
            self.send(frame)

    def _received(self, message: can.Message, receive: Callable[[Payload], None]) -> None:
        if message.is_error_frame:
            self._error(message)
        elif message.is_remote_frame:
            self.statistics.remote_frames += 1
        elif message.is_fd:
            self.statistics.fd_frames += 1
        else:
            self.statistics.received += 1
            frame = CanFrame(message.arbitration_id, bytes(message.data), message.is_extended_id)
            self.loop.call_soon_threadsafe(receive, frame)

    def _error(self, message: can.Message) -> None:
        self.statistics.error_frames += 1
        if message.arbitration_id & ERR_NO_ACK:
            self.statistics.no_acknowledge += 1
        health = health_after(self.statistics.health, message.arbitration_id, bytes(message.data))
        if health is self.statistics.health:
            return
        self.statistics.health = health
        if health is BusHealth.BUS_OFF:
            self.statistics.bus_offs += 1
        self.loop.call_soon_threadsafe(self.on_health, health)


def health_after(before: BusHealth, error_class: int, data: bytes) -> BusHealth:
    """The bus's health after a SocketCAN error frame.  Source: linux/can/error.h."""
    if error_class & ERR_BUS_OFF:
        return BusHealth.BUS_OFF
    if error_class & ERR_RESTARTED:
        return BusHealth.OK
    if error_class & ERR_CONTROLLER and len(data) > 1:
        if data[1] & CONTROLLER_PASSIVE:
            return BusHealth.PASSIVE
        if data[1] & CONTROLLER_WARNING:
            return BusHealth.WARNING
        if data[1] & CONTROLLER_ACTIVE:
            return BusHealth.OK
    return before


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

    send: hands a frame to the bus, raises LinkError. on_expired, on_error: called in the sender's
    thread, the latter once for each cycle that was dropped. The thread starts with the first `arm`;
    `stop` ends it for good.
    """

    def __init__(  # noqa: PLR0913  # three say what to send and when, the others have defaults
        self,
        send: Callable[[CanFrame], None],
        period_s: float,
        spacing_s: float = 0.0,
        *,
        min_gap_s: float = MIN_GAP_S,
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
        self._schedule = Schedule(period_s, min_gap_s)
        self._frames: tuple[CanFrame, ...] = ()
        self._left: deque[CanFrame] = deque()  # of the cycle that is being sent
        self._frame_s = 0.0  # when the next of them is due
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

    def arm(self, frames: Sequence[CanFrame], valid_for_s: float, *, urgent: bool = False) -> None:
        """Send these from now on, and fall silent in valid_for_s unless armed again. None: at once.

        urgent: a limit fell; send a cycle as soon as the last one is 0.2 s old, and keep the phase.
        A cycle that has begun is finished as it was.
        """
        with self._lock:
            if self._last or self._stopped.is_set():
                return
            self._frames = tuple(frames)
            if self._frames:
                self._schedule.arm(self._clock(), valid_for_s, urgent=urgent)
            else:
                self._schedule.disarm()
        self._go_on()

    def finish(self, frames: Sequence[CanFrame]) -> None:
        """Send these once, as a whole cycle, then be silent for good. Returns at once."""
        with self._lock:
            if self._last or self._stopped.is_set():
                return
            self._frames, self._last = tuple(frames), True
            self._left.clear()
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
        self._frame_s += self._spacing_s
        return _Step(self._left.popleft(), completes=not self._left, ends=self._last)

    def _begin(self, now: float) -> None:
        self._left.extend(self._frames)
        self._begin_s = self._frame_s = now
        if (error_s := self._schedule.interval_error_s) is not None:
            self._interval_errors_s.append(abs(error_s))

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
        self._left.clear()
        self._counts["dropped_cycles"] += 1

    def _end(self) -> None:
        self._left.clear()
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
