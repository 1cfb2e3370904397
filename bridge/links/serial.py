"""Serial ports, and what stands in for one: `socket://host:port`, `rfc2217://host:port`, a pty.

The only importer of pyserial. The event loop reads a port that it can wait for; any other kind that
pyserial opens, on any platform, has a reader's thread. Writing may block, and has a thread always; a
thread shares nothing with the event loop but the calls that hand over bytes and the news that the port
failed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import serial

from bridge.errors import LinkError
from bridge.protocols.contract import Payload

READ_TIMEOUT_S = 0.2  # how long closing may take on ports whose read cannot be cancelled
WRITE_TIMEOUT_S = 1.0
CHUNK_BYTES = 512

# pyserial raises TypeError where its own close() took the descriptor from under a read.
FAILURES = (serial.SerialException, OSError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Framing:
    """What a byte looks like on the wire. parity: "none", "even" or "odd"."""

    baudrate: int
    parity: str = "none"
    stop_bits: int = 1


class SerialLink:
    """One port. `run` holds it open; a failure ends `run` with LinkError."""

    def __init__(self, url: str, baudrate: int, framing: Framing | None = None) -> None:
        self.url = url
        self.baudrate = baudrate
        self._framing = framing or Framing(baudrate)
        self._open: OpenPort | None = None

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        """Open the port, call `up`, hand over what arrives until the port fails or we are cancelled."""
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()

        def fail(error: Exception) -> None:
            if not failed.done():
                failed.set_exception(LinkError(f"{self.url}: {error}"))

        writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"write {self.url}")
        try:
            port = await loop.run_in_executor(writer, self._open_port)
        except FAILURES as error:
            raise LinkError(f"{self.url}: {error}") from error
        self._open = opened = self._opened(port, writer, fail)
        reader = self._reader(opened, receive)
        try:
            up()
            await failed
        finally:
            self._open = None
            opened.close()
            if reader is not None:
                await asyncio.to_thread(reader.join)
            port.close()

    def write(self, payload: Payload) -> None:
        """Queue bytes; while the port is not open they are lost, as on a cut wire."""
        if self._open is not None and isinstance(payload, bytes):
            self._open.write(payload)

    def _reader(self, opened: OpenPort, receive: Callable[[Payload], None]) -> threading.Thread | None:
        """Begin to read; in a thread, where the event loop can't."""
        if opened.begin(receive):
            return None
        reader = threading.Thread(target=opened.read, args=(receive,), name=f"read {self.url}")
        reader.start()
        return reader

    def _opened(
        self, port: serial.Serial, writer: ThreadPoolExecutor, fail: Callable[[Exception], None]
    ) -> OpenPort:
        return OpenPort(port, writer, fail)

    def _open_port(self) -> serial.Serial:
        return serial.serial_for_url(
            self.url,
            baudrate=self._framing.baudrate,
            parity=self._framing.parity[0].upper(),
            stopbits=self._framing.stop_bits,
            timeout=READ_TIMEOUT_S,
            write_timeout=WRITE_TIMEOUT_S,
            exclusive=None if "://" in self.url else True,
        )


class OpenPort:
    """A port while it is open, and the threads that may block on it. Made in the event loop."""

    def __init__(
        self, port: serial.Serial, writer: ThreadPoolExecutor, fail: Callable[[Exception], None]
    ) -> None:
        self.port = port
        self.writer = writer
        self.loop = asyncio.get_running_loop()
        self._closing = threading.Event()
        self._fail = fail
        self._watched: int | None = None

    def close(self) -> None:
        """Make the threads end: soon, and without waiting for them."""
        self._closing.set()
        self._unwatch()
        self.writer.shutdown(wait=False, cancel_futures=True)
        if hasattr(self.port, "cancel_read"):
            self.port.cancel_read()

    def begin(self, receive: Callable[[Payload], None]) -> bool:
        """Have the event loop read the port; whether it can."""
        try:
            self._watched = self.port.fileno()
            self.port.timeout = 0  # never wait in the event loop, whatever it was told
            self.loop.add_reader(self._watched, self._readable, receive)
        except (*FAILURES, AttributeError, NotImplementedError):
            self._watched, self.port.timeout = None, READ_TIMEOUT_S
            return False
        return True

    def _readable(self, receive: Callable[[Payload], None]) -> None:
        try:
            chunk = self._all_there(self.port.read(1))
        except FAILURES as error:
            self._unwatch()  # it would be found readable for ever
            self.failed(error)
        else:
            if chunk:
                receive(chunk)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self.loop.remove_reader(self._watched)
            self._watched = None

    def read(self, receive: Callable[[Payload], None]) -> None:
        """The reader's thread."""
        try:
            while not self._closing.is_set():
                if chunk := self.port.read(1):  # waits
                    self.deliver(receive, self._all_there(chunk))
                self.idle()
        except FAILURES as error:
            self.failed(error)

    def _all_there(self, chunk: bytes) -> bytes:
        """With what has come meanwhile, which is not to be an event of its own; a socket only says that
        there is something, or that it is closed. What was read before that still counts.
        """
        with suppress(*FAILURES):  # the next read finds it too
            while len(chunk) < CHUNK_BYTES and (waiting := self.port.in_waiting):
                chunk += self.port.read(min(CHUNK_BYTES - len(chunk), waiting))
        return chunk

    def deliver(self, receive: Callable[[Payload], None], chunk: bytes) -> None:
        """Hand over to the event loop what has arrived."""
        self.loop.call_soon_threadsafe(receive, chunk)

    def idle(self) -> None:
        """Between two reads."""

    def write(self, chunk: bytes) -> None:
        """Have the writer's thread write."""
        self.writer.submit(self._write, chunk)

    def failed(self, error: Exception) -> None:
        """Tell the event loop that the port is of no use any more."""
        if not self._closing.is_set():
            self.loop.call_soon_threadsafe(self._fail, error)

    def _write(self, chunk: bytes) -> None:
        try:
            self.port.write(chunk)
        except FAILURES as error:
            self.failed(error)
