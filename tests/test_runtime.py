"""The shell's own order of things, with an engine that only listens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import cast

from bridge.events import Action, Event, Received, Tick
from bridge.gateway import Gateway
from bridge.runtime import Runtime


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


class Hurried(Listener):
    """One that wants to be woken at once after whatever it hears."""

    def handle(self, event: Event, now: float) -> list[Action]:
        self.wakes_s = inf if isinstance(event, Tick) else now
        return super().handle(event, now)


def ran(engine: Listener, story: Callable[[Runtime], Awaitable[None]]) -> list[Event]:
    """What it heard after its start."""

    async def whole() -> None:
        runtime = Runtime(cast(Gateway, engine), {}, {}, engine=engine)
        task = asyncio.create_task(runtime.run(signals=False))
        await asyncio.sleep(0)
        engine.heard.clear()
        await story(runtime)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())
    return engine.heard


def test_a_question_is_taken_before_what_is_queued_already() -> None:
    packs = [Received(f"pack{number}", b"sample") for number in range(3)]
    questions = [Received("house", b"first"), Received("house", b"second")]

    async def story(runtime: Runtime) -> None:
        loop = asyncio.get_running_loop()
        for pack in packs:
            loop.call_soon_threadsafe(runtime.dispatch, pack)
        for question in questions:
            runtime.put_first(question)
            loop.call_soon_threadsafe(runtime.take_first)
        await asyncio.sleep(0)

    assert ran(Listener(), story) == [*questions, *packs]


def test_a_wake_up_that_is_due_comes_behind_what_is_queued_already() -> None:
    packs = [Received(f"pack{number}", b"sample") for number in range(3)]

    async def story(runtime: Runtime) -> None:
        loop = asyncio.get_running_loop()
        for pack in packs:
            loop.call_soon_threadsafe(runtime.dispatch, pack)
        for _ in range(3):
            await asyncio.sleep(0)

    assert ran(Hurried(), story) == [*packs, Tick()]


def test_a_wake_up_that_is_due_is_not_put_off_by_what_goes_on_arriving() -> None:
    pack = Received("pack", b"sample")

    async def story(runtime: Runtime) -> None:
        for _ in range(10):
            runtime.dispatch(pack)
            await asyncio.sleep(0)

    assert ran(Hurried(), story).count(Tick()) >= 4
