"""Simulated packs on a CAN bus: what `PtyPack` is on a line of bytes.

One idea: a CAN controller throws broken frames away by itself, so what can go wrong there is that
frames are missing, short, late, or somebody else's; never that a bit of a good frame is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from bridge.links.link import Link
from bridge.model import CanFrame, Reading
from bridge.protocols.contract import Device, Payload, Talker
from bridge.sim.chance import stream
from bridge.sim.faults import Fault, extra_delay_s
from bridge.sim.sleep import Sleep

TURNAROUND_S = 0.005
FOREIGN_IDS = 0x7F0  # at the lower end of the priorities, where no protocol here has a frame


class CanPack:
    """One pack on a bus. fault and silent may be changed at any time.

    stranger: what another pack on the bus sent last, for `Fault.STRANGER`; without it, this pack's
    own frames before these. talks: a `Talker` also says what nobody asked for.
    """

    def __init__(  # noqa: PLR0913  # two say what it is, the others have defaults
        self,
        device: Device,
        reading: Callable[[], Reading],
        *,
        stranger: Callable[[], Sequence[CanFrame]] | None = None,
        seed: int = 1,
        talks: bool = False,
        sleep: Sleep | None = None,
    ) -> None:
        self._device = device
        self._reading = reading
        self._chance = stream("faults", seed)
        self._talker = device if talks and isinstance(device, Talker) else None
        self._sleep = sleep
        self.stranger = stranger
        self.fault: Fault | None = None
        self.silent = False
        self.last_frames: tuple[CanFrame, ...] = ()

    @property
    def tick_s(self) -> float | None:
        """How often it speaks by itself; None if it only answers."""
        return None if self._talker is None else self._talker.tick_s

    def hear(self, frame: CanFrame, now: float) -> list[CanFrame]:
        """What it sends because of a frame on the bus."""
        awake = self._sleep is None or self._sleep.hears(now)
        if self.silent or not awake:
            return []
        return self._sent(self._device.receive(frame, self._reading()))

    def tick(self, now: float) -> list[CanFrame]:
        """What it sends of its own accord."""
        awake = self._sleep is None or self._sleep.awake(now)
        if self._talker is None or self.silent or not awake:
            return []
        return self._sent(self._talker.tick(self._reading()))

    def _sent(self, payloads: Sequence[Payload]) -> list[CanFrame]:
        right = tuple(one for one in payloads if isinstance(one, CanFrame))
        other = self.stranger() if self.stranger else self.last_frames
        if right:
            self.last_frames = right
        match self.fault:
            case Fault.NOISE:
                return [self._foreign() for _ in right]
            case Fault.TRUNCATION:
                return [
                    replace(one, data=one.data[: self._chance.randrange(max(1, len(one.data)))])
                    for one in right
                ]
            case Fault.CHECKSUM:
                return [one for one in right if self._chance.random() < 0.5]
            case Fault.STRANGER:
                return list(other)
            case Fault.SLOW | None:
                return list(right)

    def _foreign(self) -> CanFrame:
        return CanFrame(FOREIGN_IDS + self._chance.randrange(16), self._chance.randbytes(8))


class CanPacks:
    """All simulated packs on one bus. `run` holds it open until it is cancelled."""

    def __init__(self, link: Link, packs: Sequence[CanPack]) -> None:
        self._link = link
        self._packs = tuple(packs)
        self._timers: set[asyncio.TimerHandle] = set()

    async def run(self, up: Callable[[], None] = lambda: None) -> None:
        """Answer and talk. Raises LinkError when the bus cannot be opened or fails."""
        try:
            await self._link.run(lambda: self._up(up), self._hear)
        finally:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()

    def _up(self, up: Callable[[], None]) -> None:
        for pack in self._packs:
            if pack.tick_s is not None:
                self._later(pack.tick_s, partial(self._tick, pack))
        up()

    def _hear(self, payload: Payload) -> None:
        now = asyncio.get_running_loop().time()
        for pack in self._packs:
            if isinstance(payload, CanFrame) and (frames := pack.hear(payload, now)):
                self._later(TURNAROUND_S + extra_delay_s(pack.fault), partial(self._send, frames))

    def _tick(self, pack: CanPack) -> None:
        assert pack.tick_s is not None
        self._later(pack.tick_s, partial(self._tick, pack))
        self._send(pack.tick(asyncio.get_running_loop().time()))

    def _send(self, frames: Sequence[CanFrame]) -> None:
        for frame in frames:
            self._link.write(frame)

    def _later(self, wait_s: float, action: Callable[[], None]) -> None:
        timer: asyncio.TimerHandle = asyncio.get_running_loop().call_later(
            wait_s, lambda: self._do(timer, action)
        )
        self._timers.add(timer)

    def _do(self, timer: asyncio.TimerHandle, action: Callable[[], None]) -> None:
        self._timers.discard(timer)
        action()
