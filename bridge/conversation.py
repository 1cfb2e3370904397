"""One wire outside the gateway: the asyncio shell that drives one `Bus` after another over one link.

The one idea: a wire outlives what is said on it. A `Line` holds the link open, so a dozen protocols can
be tried on a port that is opened once; what is asked, and how often, stays with the protocols' scripts
and the driver, exactly as in the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from math import inf

from bridge.links.link import Link
from bridge.protocols.contract import Payload
from bridge.sources.bus import Bus, Informed, Reopen, Sampled, Write


class Line:
    """A link that is open. Made by `held`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._inbox: asyncio.Queue[tuple[Payload, float] | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._up = self._loop.create_future()
        self._task = asyncio.create_task(link.run(self._opened, self._receive))
        self._task.add_done_callback(lambda _: self._inbox.put_nowait(None))
        self.received = 0

    async def open(self) -> None:
        """Wait until it is. Raises LinkError if it cannot be opened."""
        await asyncio.wait([self._task, self._up], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()

    async def close(self) -> None:
        """Let go of the port; how it ended is of no interest any more."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()

    def write(self, payload: Payload) -> None:
        """Send."""
        self._link.write(payload)

    def discard(self) -> None:
        """Forget what came so far: late answers to somebody else."""
        while not self._inbox.empty():
            if self._inbox.get_nowait() is None:
                self._task.result()

    async def next(self, until_s: float) -> tuple[Payload, float] | None:
        """What comes next and when it came; None if nothing does until then. Raises LinkError."""
        try:
            async with asyncio.timeout_at(None if until_s == inf else until_s):
                heard = await self._inbox.get()
        except TimeoutError:
            return None
        if heard is None:
            self._task.result()
        return heard

    async def talk(
        self, buses: Sequence[Bus], until_s: float, done: Callable[[], bool] = lambda: False
    ) -> AsyncGenerator[Sampled | Informed | Reopen, None]:
        """Drive the buses until then, or until `done` says so after a step. Raises LinkError."""
        self.discard()
        outputs = [output for bus in buses for output in bus.link_up(self._loop.time())]
        try:
            while True:
                for output in outputs:
                    if isinstance(output, Write):
                        self.write(output.payload)
                    else:
                        yield output
                if done() or self._loop.time() >= until_s:
                    return
                heard = await self.next(min(until_s, *(bus.next_wakeup() for bus in buses)))
                outputs = []
                for bus in buses:
                    outputs += bus.wake(self._loop.time()) if heard is None else bus.received(*heard)
        finally:
            for bus in buses:
                bus.link_down()

    def _opened(self) -> None:
        if not self._up.done():
            self._up.set_result(None)

    def _receive(self, payload: Payload) -> None:
        self.received += 1
        self._inbox.put_nowait((payload, self._loop.time()))


@asynccontextmanager
async def held(link: Link) -> AsyncIterator[Line]:
    """The link, open for as long as the block lasts. Raises LinkError if it cannot be opened."""
    line = Line(link)
    try:
        await line.open()
        yield line
    finally:
        await line.close()
