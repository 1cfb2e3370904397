"""CAN buses through python-can: a port that is held open, and what its controller says of the bus.

What repeats a cycle on them is in `cyclic` and `bcm`; what tools without an event loop use, in `can_wire` and
`listening`. Nobody else imports python-can's buses.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields

import can

from bridge.errors import LinkError
from bridge.events import BusCounters
from bridge.links.error_frames import BusHealth, errors_in, health_after
from bridge.model import CanFrame
from bridge.protocols.contract import Payload

RECEIVE_TIMEOUT_S = 0.2  # how long closing may take

# Backends let through what their libraries raise: OSError from sockets and serial ports, ValueError
# and TypeError from arguments and from bytes that they can't parse, ImportError for a missing driver,
# NotImplementedError for an interface that there is not.
FAILURES = (can.CanError, OSError, ValueError, TypeError, ImportError, NotImplementedError)

KEPT_BY_THE_KERNEL = frozenset({"socketcan"})
"""Interfaces whose controller goes on as it is when we close them."""
COUNT_EVERY_S = 1.0
WAITING_MAX = 2000  # frames that wait for the event loop; a full bus brings 10 000 a second at the most


@dataclass(slots=True)
class PortStatistics:
    """Counters since the port was made."""

    received: int = 0
    heard: int = 0
    sent: int = 0
    send_errors: int = 0
    error_frames: int = 0
    no_acknowledge: int = 0
    bus_offs: int = 0
    remote_frames: int = 0
    fd_frames: int = 0
    bits: int = 0
    dropped: int = 0
    protocol_errors: int = 0
    overruns: int = 0
    deaf: bool = False
    tx_errors: int | None = None
    rx_errors: int | None = None
    health: BusHealth = BusHealth.OK

    def counters(self) -> BusCounters:
        """The same at this moment, as an event carries it."""
        return BusCounters(
            **{item.name: getattr(self, item.name) for item in fields(BusCounters) if item.name != "health"},
            health=self.health.value,
        )


def _ignore(_news: object) -> None:
    """For who does not ask."""


class CanPort:
    """One CAN bus. `run` holds it open; a failure ends `run` with LinkError.

    interface, channel, extra: python-can's. on_health: called in the event loop when the bus's
    health changes; python-can can't restart a controller in bus-off, the kernel's restart-ms can.
    on_counted: called there once a second while it is open. Where the kernel owns the controller, closing
    and opening leaves that as it is, and so what is known of its health, unless the interface went down.
    """

    def __init__(  # noqa: PLR0913  # three say which bus, the others have defaults
        self,
        interface: str,
        channel: str,
        bitrate: int,
        extra: Mapping[str, str | int | float | bool] | None = None,
        *,
        on_health: Callable[[BusHealth], None] = _ignore,
        on_counted: Callable[[BusCounters], None] = _ignore,
    ) -> None:
        self.name = f"{interface}:{channel}"
        self._lasts = interface in KEPT_BY_THE_KERNEL
        self._failed = False
        self.statistics = PortStatistics()
        self._arguments = {"interface": interface, "channel": channel, "bitrate": bitrate} | dict(extra or {})
        self._on_health = on_health
        self._on_counted = on_counted
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
        opened = _OpenBus(bus, writer, self.statistics, loop, fail, self._on_health, self._on_counted)
        self._open = opened
        known = self.statistics.health
        if self._failed or not self._lasts:  # an interface that went down starts its controller when up
            self.statistics.health, self.statistics.deaf = BusHealth.OK, False
        reader = threading.Thread(target=opened.read, args=(receive,), name=f"read {self.name}")
        reader.start()
        try:
            up()
            if {known, self.statistics.health} != {BusHealth.OK}:
                self._on_health(self.statistics.health)
            await failed
        finally:
            self._open, self._failed = None, failed.done() and not failed.cancelled()
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
    on_counted: Callable[[BusCounters], None]
    taken: int = 0  # frames, by the event loop
    handed: int = 0  # to it, by the receiving thread
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, receive: Callable[[Payload], None]) -> None:
        """The receiving thread."""
        try:
            count_s = time.monotonic() + COUNT_EVERY_S
            while not self.closing.is_set():
                message = self.bus.recv(RECEIVE_TIMEOUT_S)
                if message is not None:
                    self._received(message, receive)
                if (now := time.monotonic()) >= count_s:
                    count_s = now + COUNT_EVERY_S
                    self.loop.call_soon_threadsafe(self.on_counted, self.statistics.counters())
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
            self.statistics.heard += message.is_rx  # the kernel hands back what this machine sends
            self.statistics.bits += (67 if message.is_extended_id else 47) + 8 * len(message.data)
            if self.handed - self.taken >= WAITING_MAX:
                self.statistics.dropped += 1
                return
            self.handed += 1
            frame = CanFrame(message.arbitration_id, bytes(message.data), message.is_extended_id)
            self.loop.call_soon_threadsafe(self._take, receive, frame)

    def _take(self, receive: Callable[[Payload], None], frame: CanFrame) -> None:
        self.taken += 1
        receive(frame)

    def _error(self, message: can.Message) -> None:
        errors = errors_in(message.arbitration_id, bytes(message.data))
        self.statistics.error_frames += 1
        self.statistics.no_acknowledge += errors.no_acknowledge
        self.statistics.protocol_errors += errors.protocol
        self.statistics.overruns += errors.overrun
        if errors.counters is not None:
            self.statistics.tx_errors, self.statistics.rx_errors = errors.counters
        health = health_after(self.statistics.health, message.arbitration_id, bytes(message.data))
        self.statistics.deaf = health is not BusHealth.OK and (errors.deaf or self.statistics.deaf)
        if health is self.statistics.health:
            return
        self.statistics.health = health
        if health is BusHealth.BUS_OFF:
            self.statistics.bus_offs += 1
        self.loop.call_soon_threadsafe(self.on_health, health)
