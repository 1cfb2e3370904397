"""The shell's own order of things, with an engine that only listens."""

from __future__ import annotations

import asyncio
from math import inf
from typing import cast

from bridge.events import Action, Event, Received
from bridge.gateway import Gateway
from bridge.runtime import Runtime


class Listener:
    """An engine that keeps what it is given."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def handle(self, event: Event, now: float) -> list[Action]:
        self.heard.append(event)
        return []

    def next_wakeup(self) -> float:
        return inf


def test_a_question_is_taken_before_what_is_queued_already() -> None:
    engine = Listener()
    packs = [Received(f"pack{number}", b"sample") for number in range(3)]
    questions = [Received("house", b"first"), Received("house", b"second")]

    async def story() -> None:
        loop = asyncio.get_running_loop()
        runtime = Runtime(cast(Gateway, engine), {}, {}, engine=engine)
        task = asyncio.create_task(runtime.run(signals=False))
        await asyncio.sleep(0)
        engine.heard.clear()
        for pack in packs:
            loop.call_soon_threadsafe(runtime.dispatch, pack)
        for question in questions:
            runtime.put_first(question)
            loop.call_soon_threadsafe(runtime.take_first)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())

    assert engine.heard == [*questions, *packs]
