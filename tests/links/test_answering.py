"""When an answer begins, on real pseudo-terminals. What must not happen is timed, never how fast it is."""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from bridge.events import Window
from bridge.links import answering
from bridge.links.answering import AnsweringPort
from bridge.links.serial import Framing
from tests.links.test_serial import LONG_S, Terminal, terminal

__all__ = ["terminal"]


class Told(NamedTuple):
    after_s: float | None
    problem: str | None


@dataclass
class Hearer:
    chunks: list[tuple[bytes, float]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    framing: list[int] = field(default_factory=list)

    def heard(self, chunk: bytes, at_s: float) -> None:
        self.chunks.append((chunk, at_s))

    def replied(self, after_s: float | None, problem: str | None) -> None:
        self.told.append(Told(after_s, problem))

    def miscounted(self, framing_errors: int) -> None:
        self.framing.append(framing_errors)


async def until(wanted: object) -> None:
    end_s = time.monotonic() + LONG_S
    while not (wanted() if callable(wanted) else wanted):
        assert time.monotonic() < end_s
        await asyncio.sleep(0.002)


def received(terminal: Terminal, wait_s: float) -> bytes:
    if not select.select([terminal.near], [], [], wait_s)[0]:
        return b""
    return os.read(terminal.near, 4096)


def with_port(terminal: Terminal, story: Coroutine[None, None, None], port: AnsweringPort) -> None:
    async def both() -> None:
        up = asyncio.Event()
        task = asyncio.create_task(port.run(up.set, lambda _: None))
        await asyncio.wait_for(up.wait(), LONG_S)
        await story
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(both())


def port_on(terminal: Terminal, hearer: Hearer, driver_enable: str = "auto") -> AnsweringPort:
    return AnsweringPort(terminal.path, Framing(9600), hearer, driver_enable)


def test_a_chunk_is_heard_with_its_time(terminal: Terminal) -> None:
    hearer = Hearer()

    async def story() -> None:
        before_s = time.monotonic()
        os.write(terminal.near, b"ask")
        await until(lambda: b"".join(chunk for chunk, _ in hearer.chunks) == b"ask")
        times_s = [at_s for _, at_s in hearer.chunks]
        assert before_s <= times_s[0] <= times_s[-1] <= time.monotonic()

    with_port(terminal, story(), port_on(terminal, hearer))


def test_an_answer_waits_for_its_window(terminal: Terminal) -> None:
    hearer = Hearer()
    port = port_on(terminal, hearer)

    async def story() -> None:
        now = time.monotonic()
        port.reply(b"answer", Window(now, now + 0.1, now + LONG_S))
        assert await asyncio.to_thread(received, terminal, LONG_S) == b"answer"
        assert time.monotonic() >= now + 0.1
        await until(lambda: hearer.told)
        assert hearer.told[0].after_s is not None
        assert hearer.told[0].after_s >= 0.1

    with_port(terminal, story(), port)


def test_an_answer_that_is_late_is_never_said(terminal: Terminal) -> None:
    hearer = Hearer()
    port = port_on(terminal, hearer)

    async def story() -> None:
        now = time.monotonic()
        port.reply(b"too late", Window(now - 0.2, now - 0.19, now - 0.15))
        await until(lambda: hearer.told)
        assert hearer.told == [Told(None, "late")]
        assert received(terminal, 0.0) == b""

    with_port(terminal, story(), port)


def test_an_answer_is_given_up_when_somebody_speaks_before_it(terminal: Terminal) -> None:
    hearer = Hearer()
    port = port_on(terminal, hearer)

    async def story() -> None:
        now = time.monotonic()
        port.reply(b"answer", Window(now, now + LONG_S, now + 2 * LONG_S))
        os.write(terminal.near, b"x")
        await until(lambda: hearer.told)
        assert hearer.told == [Told(None, "busy")]
        assert received(terminal, 0.0) == b""

    with_port(terminal, story(), port)


def test_while_the_port_is_closed_an_answer_is_lost(terminal: Terminal) -> None:
    hearer = Hearer()
    port_on(terminal, hearer).reply(b"answer", Window(0.0, 0.0, 1e9))
    assert (received(terminal, 0.0), hearer.told) == (b"", [])


@pytest.mark.parametrize(("mode", "while_speaking"), [("rts-high", True), ("rts-low", False)])
def test_our_rts_line_says_that_we_speak_while_we_do(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, mode: str, while_speaking: bool
) -> None:
    import serial

    levels: list[bool] = []
    # A pseudo-terminal has no RTS: what would be switched is written down instead.
    monkeypatch.setattr(serial.Serial, "_update_rts_state", lambda self: levels.append(self._rts_state))
    hearer = Hearer()
    port = port_on(terminal, hearer, mode)

    async def story() -> None:
        now = time.monotonic()
        port.reply(b"answer", Window(now, now, now + LONG_S))
        assert await asyncio.to_thread(received, terminal, LONG_S) == b"answer"
        await until(lambda: hearer.told)
        assert levels[-3:] == [not while_speaking, while_speaking, not while_speaking]

    with_port(terminal, story(), port)


def test_bytes_with_wrong_stop_bits_are_told_where_the_driver_counts_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([70, 70, 73])  # what the driver has counted, other programs' included
    monkeypatch.setattr(answering, "framing_errors", lambda port: next(counts, 73))
    monkeypatch.setattr(answering, "COUNT_EVERY_S", 0.0)
    hearer = Hearer()

    async def story() -> None:
        while not hearer.framing:
            os.write(terminal.near, b"x")
            await asyncio.sleep(0.002)
        assert hearer.framing == [3]

    with_port(terminal, story(), port_on(terminal, hearer))


def test_a_pseudo_terminal_counts_nothing(terminal: Terminal) -> None:
    import serial

    with serial.Serial(terminal.path) as port:
        assert answering.framing_errors(port) is None
