"""A Bluetooth link with the driver of its pack on it, joined as the gateway joins them."""

from __future__ import annotations

import asyncio

from bridge.links.ble import BleLink, Turn
from bridge.model import PackSample
from bridge.protocols.contract import Options, Payload, load
from bridge.sources.bus import Bus, Output, Reopen, Sampled, Unit, Write

PATIENCE_S = 60.0  # an emulated machine on a busy host is slow


class Talk:
    """A conversation with one pack: what it gave, and how the link went."""

    def __init__(self, bms: str, device: str, turn: Turn | None = None) -> None:
        entry = load(bms)
        assert entry.spec.ble is not None
        self.samples: list[PackSample] = []
        self.reopen: list[str] = []
        self.ups = 0
        self._unit = Unit("pack", entry.session(Options()), period_s=1.0)
        self._bus = Bus(entry.spec, entry.decoder(), [self._unit])
        self._link = BleLink(device, entry.spec.ble, turn=turn)
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start the link; it runs until it fails or `close`."""
        self.task = asyncio.create_task(self._link.run(self._up, self._received))
        self.task.add_done_callback(lambda _: self._changed.set())

    async def close(self) -> None:
        assert self.task is not None
        if self._timer is not None:
            self._timer.cancel()
        self.task.cancel()
        await asyncio.wait([self.task])

    async def sampled(self, count: int = 1) -> PackSample:
        """Wait until `count` more samples have come; the last."""
        wanted = len(self.samples) + count
        async with asyncio.timeout(PATIENCE_S):
            while len(self.samples) < wanted:
                await self._change()
                assert self.task is not None
                if self.task.done():
                    self.task.result()
        return self.samples[-1]

    async def reopened(self) -> str:
        """Wait until the driver asks for a new connection; why."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.reopen:
                await self._change()
        return self.reopen[0]

    async def failed(self) -> str:
        """Wait until the link fails; how."""
        assert self.task is not None
        await asyncio.wait([self.task], timeout=PATIENCE_S)
        return str(self.task.exception())

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _up(self) -> None:
        self.ups += 1
        self._take(self._bus.link_up(self._loop.time()))

    def _received(self, payload: Payload) -> None:
        self._take(self._bus.received(payload, self._loop.time()))

    def _take(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Write(payload):
                    self._link.write(payload)
                case Sampled(_, sample):
                    self.samples.append(sample)
                case Reopen(reason):
                    self.reopen.append(reason)
        self._changed.set()
        if self._timer is not None:
            self._timer.cancel()
        at_s = max(self._bus.next_wakeup(), self._loop.time())
        if at_s < float("inf"):
            self._timer = self._loop.call_at(at_s, lambda: self._take(self._bus.wake(self._loop.time())))
