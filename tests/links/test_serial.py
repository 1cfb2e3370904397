"""The serial link over real pseudo-terminals and loopback sockets."""

from __future__ import annotations

import asyncio
import io
import os
import threading
import tty
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import serial

from bridge.errors import LinkError
from bridge.links.serial import CHUNK_BYTES, OpenPort, SerialLink
from bridge.protocols.contract import Payload

LONG_S = 5.0  # how long a test may wait for what should come at once


class Terminal:
    """A pseudo-terminal: `path` for the link, `near` for the test."""

    def __init__(self) -> None:
        self.near, self._far = os.openpty()
        tty.setraw(self._far)
        self.path = os.ttyname(self._far)
        self.open = True

    def unplug(self) -> None:
        if self.open:
            self.open = False
            os.close(self.near)
            os.close(self._far)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.unplug()


class Running:
    """A link that runs until the test ends, and what it said."""

    def __init__(self, link: SerialLink) -> None:
        self.received = b""
        self.chunks: list[bytes] = []
        self.up = asyncio.Event()
        self.changed = asyncio.Event()
        self.task = asyncio.create_task(link.run(self.up.set, self._receive))

    def _receive(self, payload: Payload) -> None:
        assert isinstance(payload, bytes)
        self.received += payload
        self.chunks.append(payload)
        self.changed.set()

    async def opened(self) -> None:
        await asyncio.wait_for(self.up.wait(), LONG_S)

    async def heard(self, size: int) -> bytes:
        while len(self.received) < size:
            await asyncio.wait_for(self.changed.wait(), LONG_S)
            self.changed.clear()
        return self.received

    async def ended(self) -> BaseException | None:
        await asyncio.wait([self.task], timeout=LONG_S)
        assert self.task.done()
        return self.task.exception()

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task], timeout=LONG_S)
        assert self.task.done()


def test_bytes_cross_in_both_directions(terminal: Terminal) -> None:
    async def story() -> None:
        link = SerialLink(terminal.path, 9600)
        running = Running(link)
        await running.opened()
        os.write(terminal.near, b"\xdd\x03\x00")
        assert await running.heard(3) == b"\xdd\x03\x00"
        link.write(b"\xdd\xa5\x03")
        assert await asyncio.to_thread(os.read, terminal.near, 3) == b"\xdd\xa5\x03"
        await running.close()

    asyncio.run(story())


def test_what_arrived_together_is_handed_over_together(terminal: Terminal) -> None:
    async def story() -> None:
        running = Running(SerialLink(terminal.path, 9600))
        await running.opened()
        os.write(terminal.near, b"\x01\x03\x00\x13\x00\x10\xb5\xc3")
        await running.heard(8)
        assert running.chunks == [b"\x01\x03\x00\x13\x00\x10\xb5\xc3"]
        await running.close()

    asyncio.run(story())


def test_an_unplugged_adapter_ends_the_run_with_the_port_named(terminal: Terminal) -> None:
    async def story() -> None:
        running = Running(SerialLink(terminal.path, 9600))
        await running.opened()
        terminal.unplug()
        error = await running.ended()
        assert isinstance(error, LinkError)
        assert terminal.path in str(error)

    asyncio.run(story())


def test_a_missing_port_is_a_link_error_with_the_port_named() -> None:
    async def story() -> None:
        error = await Running(SerialLink("/dev/does-not-exist", 9600)).ended()
        assert isinstance(error, LinkError)
        assert "/dev/does-not-exist" in str(error)

    asyncio.run(story())


def test_two_programs_cannot_share_one_port(terminal: Terminal) -> None:
    async def story() -> None:
        first = Running(SerialLink(terminal.path, 9600))
        await first.opened()
        assert isinstance(await Running(SerialLink(terminal.path, 9600)).ended(), LinkError)
        await first.close()

    asyncio.run(story())


def test_bytes_written_while_the_port_is_closed_are_lost_without_an_error(terminal: Terminal) -> None:
    link = SerialLink(terminal.path, 9600)
    link.write(b"lost")

    async def story() -> None:
        running = Running(link)
        await running.opened()
        await running.close()
        link.write(b"lost too")

    asyncio.run(story())
    os.set_blocking(terminal.near, False)
    with pytest.raises(BlockingIOError):
        os.read(terminal.near, 1)


def test_a_serial_server_on_the_network_is_a_port_too() -> None:
    async def story() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(4))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        link = SerialLink(f"socket://127.0.0.1:{port}", 9600)
        running = Running(link)
        await running.opened()
        link.write(b"ping")
        assert await running.heard(4) == b"ping"
        assert isinstance(await running.ended(), LinkError)
        server.close()

    asyncio.run(story())


class Told:
    """A port that has bytes, says of so many at a time that they are there, and is unplugged then."""

    def __init__(self, data: bytes, tells: int) -> None:
        self._data = data
        self._tells = tells

    @property
    def in_waiting(self) -> int:
        return min(self._tells, len(self._data))

    def read(self, size: int) -> bytes:
        if not self._data:
            raise serial.SerialException("unplugged")
        taken, self._data = self._data[:size], self._data[size:]
        return taken


@pytest.mark.parametrize("tells", [1, 7, 4096])
def test_what_has_come_is_one_event_however_the_port_tells_of_it(tells: int) -> None:
    data = bytes(range(256)) * 4

    async def story() -> None:
        chunks: list[Payload] = []
        failures: list[Exception] = []
        port: Any = Told(data, tells)
        with ThreadPoolExecutor(1) as writer:
            OpenPort(port, writer, failures.append).read(chunks.append)
        await asyncio.sleep(0)
        assert chunks == [data[:CHUNK_BYTES], data[CHUNK_BYTES:]]
        assert len(failures) == 1

    asyncio.run(story())


class HungUp(Told):
    """A socket whose other side said its last word and went: its end is something to read too."""

    @property
    def in_waiting(self) -> int:
        return 1


def test_the_last_word_before_the_end_is_heard() -> None:
    async def story() -> None:
        chunks: list[Payload] = []
        failures: list[Exception] = []
        port: Any = HungUp(b"last", 0)
        with ThreadPoolExecutor(1) as writer:
            OpenPort(port, writer, failures.append).read(chunks.append)
        await asyncio.sleep(0)
        assert chunks == [b"last"]
        assert len(failures) == 1

    asyncio.run(story())


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read ")]


def test_the_event_loop_reads_what_it_can_wait_for(terminal: Terminal) -> None:
    async def story() -> None:
        running = Running(SerialLink(terminal.path, 9600))
        await running.opened()
        assert readers() == []
        os.write(terminal.near, b"hello")
        assert await running.heard(5) == b"hello"
        terminal.unplug()
        assert isinstance(await running.ended(), LinkError)

    asyncio.run(story())


def test_a_port_that_cannot_be_waited_for_has_a_thread(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_number(self: serial.Serial) -> int:
        raise io.UnsupportedOperation

    async def story() -> None:
        running = Running(SerialLink(terminal.path, 9600))
        await running.opened()
        assert readers() == [f"read {terminal.path}"]
        os.write(terminal.near, b"hello")
        assert await running.heard(5) == b"hello"
        terminal.unplug()
        assert isinstance(await running.ended(), LinkError)
        assert readers() == []

    monkeypatch.setattr(serial.Serial, "fileno", no_number)
    asyncio.run(story())
