"""A serial port on which others ask and we answer: when an answer begins is as important as what it says.

A half-duplex pair has one speaker at a time. So an answer has a window: it does not begin before the
line was silent for long enough, not after the asking side has stopped waiting, and not at all if anything
was heard meanwhile. It waits in the writer's own thread, so that no other work can delay it or be delayed.
"""

from __future__ import annotations

import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import serial

from bridge.links import slices
from bridge.links.serial import FAILURES, Framing, OpenPort, SerialLink
from bridge.protocols.contract import Payload

if TYPE_CHECKING:
    from bridge.events import Window

COUNT_EVERY_S = 1.0
TIOCGICOUNT = 0x545D  # linux/asm-generic/ioctls.h; struct serial_icounter_struct of linux/serial.h
_COUNTERS = struct.Struct("20i")
_FRAME = 6  # its place in that struct


class Hearer(Protocol):
    """Whom such a port tells what happens, from its own threads: the calls must return at once."""

    def heard(self, chunk: bytes, at_s: float) -> None:
        """Bytes arrived; at_s: monotonic seconds, when the last of them was there."""
        ...

    def replied(self, after_s: float | None, problem: str | None) -> None:
        """An answer began so long after its question; or it did not, and why: "late" or "busy"."""
        ...

    def miscounted(self, framing_errors: int) -> None:
        """The port could not make out so many bytes so far."""
        ...


class AnsweringPort(SerialLink):
    """One port, to be answered on. What it hears goes to `on`, and not to `receive`.

    driver_enable: "auto", "rts-high" or "rts-low", see `bridge.config.settings.Rs485Inverter`.
    """

    def __init__(self, url: str, framing: Framing, on: Hearer, driver_enable: str = "auto") -> None:
        super().__init__(url, framing.baudrate, framing)
        self._on = on
        self._driver_enable = driver_enable

    def reply(self, data: bytes, window: Window) -> None:
        """Say this within its window, or never; while the port is not open it is lost."""
        if isinstance(self._open, _OpenAnsweringPort):
            self._open.reply(data, window)

    def _opened(
        self, port: serial.Serial, writer: ThreadPoolExecutor, fail: Callable[[Exception], None]
    ) -> OpenPort:
        rts = None if self._driver_enable == "auto" else self._driver_enable == "rts-high"
        return _OpenAnsweringPort(port, writer, fail, self._on, rts)


class _OpenAnsweringPort(OpenPort):
    """The port while it is open.

    rts: the level of our RTS line while we speak; None if the adapter needs none.
    """

    def __init__(  # what its link has, for its two threads
        self,
        port: serial.Serial,
        writer: ThreadPoolExecutor,
        fail: Callable[[Exception], None],
        on: Hearer,
        rts: bool | None,  # noqa: FBT001  # a level of a wire, not a choice
    ) -> None:
        super().__init__(port, writer, fail)
        self._on = on
        self._rts = None if rts is None or _kernel_switches(port, rts) else rts
        if self._rts is not None:
            port.rts = not self._rts
        self._heard_s = 0.0
        self._arrival = threading.Event()
        self._counted_before = framing_errors(port) or 0  # the driver's count outlives us
        self._framing_errors = 0
        self._count_at_s = 0.0

    def reply(self, data: bytes, window: Window) -> None:
        with suppress(RuntimeError):  # closed this very moment
            self.writer.submit(self._reply, data, window)

    def deliver(self, receive: Callable[[Payload], None], chunk: bytes) -> None:  # noqa: ARG002  # see below
        """Our hearer is told the time too, so that a busy event loop does not make a question younger."""
        self._heard_s = at_s = time.monotonic()
        self._arrival.set()
        self._on.heard(chunk, at_s)

    def begin(self, receive: Callable[[Payload], None]) -> bool:  # noqa: ARG002
        """A question does not wait for the event loop."""
        return False

    def read(self, receive: Callable[[Payload], None]) -> None:
        slices.ask_for()
        with suppress(RuntimeError):  # as in `reply`
            self.writer.submit(slices.ask_for)
        super().read(receive)

    def idle(self) -> None:
        """Between two reads: has the driver counted anything?"""
        now = time.monotonic()
        if now < self._count_at_s:
            return
        self._count_at_s = now + COUNT_EVERY_S
        counted = (framing_errors(self.port) or 0) - self._counted_before
        if counted > self._framing_errors:
            self._framing_errors = counted
            self._on.miscounted(counted)

    def _reply(self, data: bytes, window: Window) -> None:
        self._arrival.clear()
        while (wait_s := window.earliest_s - time.monotonic()) > 0 and self._heard_s <= window.heard_s:
            self._arrival.wait(wait_s)
        begun_s = time.monotonic()
        if self._heard_s > window.heard_s or begun_s > window.latest_s:
            self._on.replied(None, "busy" if self._heard_s > window.heard_s else "late")
            return
        try:
            self._speak(data)
        except FAILURES as error:
            self.failed(error)
        else:
            self._on.replied(begun_s - window.heard_s, None)

    def _speak(self, data: bytes) -> None:
        if self._rts is None:
            self.port.write(data)
            return
        self.port.rts = self._rts
        try:
            self.port.write(data)
            self.port.flush()  # until the last bit is out
        finally:
            self.port.rts = not self._rts


def _kernel_switches(port: serial.Serial, rts: bool) -> bool:  # noqa: FBT001  # as above
    """Whether the port's driver switches the RTS line itself, to the bit; most USB adapters' can't."""
    from serial.rs485 import RS485Settings

    try:
        port.rs485_mode = RS485Settings(rts_level_for_tx=rts, rts_level_for_rx=not rts)
    except (*FAILURES, NotImplementedError, AttributeError):
        return False
    return True


def framing_errors(port: serial.Serial) -> int | None:
    """How many bytes with a wrong stop bit the driver has counted; None if it does not say."""
    if not sys.platform.startswith("linux"):
        return None
    import fcntl

    try:
        raw = fcntl.ioctl(port.fileno(), TIOCGICOUNT, bytes(_COUNTERS.size))
    except (OSError, AttributeError, ValueError):
        return None  # a pty, a socket, or a driver that does not count
    return int(_COUNTERS.unpack(raw)[_FRAME])
