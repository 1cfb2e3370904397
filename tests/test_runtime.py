"""The shell's own order of things, with an engine that only listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import cast

from bridge.events import Action, Event, Received, Send, Tick, Window
from bridge.gateway import Gateway
from bridge.links.link import Link
from bridge.protocols.contract import Payload
from bridge.runtime import EXIT_BUG, Runtime

QUESTION = Received("house", b"question")
PATIENCE_S = 10.0


class Listener:
    """An engine that keeps what it is given."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.wakes_s = inf

    def handle(self, event: Event, now: float) -> list[Action]:
        self.heard.append(event)
        return []

    def next_wakeup(self) -> float:
        return self.wakes_s


class Asked(Listener):
    """One that has an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.polled = self
        self.stopping = False

    def took(self, event: Event, now: float) -> list[Action]:
        return [Send("house", b"answer", Window(now, now, now + 1.0))]


class Line:
    """What is said on an inverter's line."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.answered = threading.Event()

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        await asyncio.Event().wait()

    def write(self, payload: Payload) -> None:
        raise AssertionError

    def reply(self, data: bytes, window: Window) -> None:
        self.said.append(data)
        self.answered.set()


class Hurried(Listener):
    """One that wants to be woken at once after whatever it hears."""

    def handle(self, event: Event, now: float) -> list[Action]:
        self.wakes_s = inf if isinstance(event, Tick) else now
        return super().handle(event, now)


def ran(
    engine: Listener,
    story: Callable[[Runtime, asyncio.Task[int]], Awaitable[None]],
    links: Mapping[str, Link] | None = None,
) -> list[Event]:
    """What it heard after its start."""

    async def whole() -> None:
        runtime = Runtime(cast(Gateway, engine), links or {}, {}, engine=engine)
        task = asyncio.create_task(runtime.run(signals=False))
        await asyncio.sleep(0)
        engine.heard.clear()
        await story(runtime, task)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())
    return engine.heard


def test_a_question_is_answered_while_a_decision_is_under_way() -> None:
    said = Line()

    class Deciding(Asked):
        """Its decision lasts until a question that came meanwhile is answered."""

        def handle(self, event: Event, now: float) -> list[Action]:
            if isinstance(event, Received):
                asking = threading.Thread(target=runtimes[0].answer, args=(QUESTION,))
                asking.start()
                assert said.answered.wait(PATIENCE_S)
                asking.join()
            return super().handle(event, now)

    async def story(runtime: Runtime, task: asyncio.Task[int]) -> None:
        runtimes.append(runtime)
        runtime.dispatch(Received("pack", b"sample"))

    runtimes: list[Runtime] = []
    assert ran(Deciding(), story, {"house": said}) == [Received("pack", b"sample")]
    assert said.said == [b"answer"]


def test_who_cannot_answer_any_more_ends() -> None:
    said = Line()

    class Broken(Asked):
        def took(self, event: Event, now: float) -> list[Action]:
            raise ZeroDivisionError

    async def story(runtime: Runtime, task: asyncio.Task[int]) -> None:
        await asyncio.to_thread(runtime.answer, QUESTION)
        assert await asyncio.wait_for(asyncio.shield(task), PATIENCE_S) == EXIT_BUG
        runtime.gateway.polled.took = Asked().took  # type: ignore[method-assign]
        await asyncio.to_thread(runtime.answer, QUESTION)

    ran(Broken(), story, {"house": said})
    assert said.said == []


def test_a_wake_up_that_is_due_comes_behind_what_is_queued_already() -> None:
    packs = [Received(f"pack{number}", b"sample") for number in range(3)]

    async def story(runtime: Runtime, task: asyncio.Task[int]) -> None:
        loop = asyncio.get_running_loop()
        for pack in packs:
            loop.call_soon_threadsafe(runtime.dispatch, pack)
        for _ in range(3):
            await asyncio.sleep(0)

    assert ran(Hurried(), story) == [*packs, Tick()]


def test_a_wake_up_that_is_due_is_not_put_off_by_what_goes_on_arriving() -> None:
    pack = Received("pack", b"sample")

    async def story(runtime: Runtime, task: asyncio.Task[int]) -> None:
        for _ in range(10):
            runtime.dispatch(pack)
            await asyncio.sleep(0)

    assert ran(Hurried(), story).count(Tick()) >= 4
