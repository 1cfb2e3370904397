"""A gateway behind a real control socket, in a loop of its own, at a time that the test sets."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import TracebackType

from bridge import config, profiles
from bridge.control.requests import Request
from bridge.control.server import ControlServer
from bridge.events import Action, Answer, Asked, Report, Tick
from bridge.gateway import Gateway
from bridge.sinks.can import CanSink
from tests.battery.story import changed, well

PACKS = ("large", "small")
CONFIG = """
[gateway]
name = "cellar"

[bank]
rise_after_s = 1
rise_pct_per_s = 100

[pack]
bms = "jbd"
cells = 16

[packs.large]
port = "/dev/one"
capacity_ah = 280
rated_current_a = 140

[packs.small]
port = "/dev/two"
capacity_ah = 100
rated_current_a = 50

[inverters.house]
profile = "deye-lv"
interface = "virtual"
channel = "one"
share = 0.6

[inverters.barn]
profile = "victron-gx"
interface = "virtual"
channel = "two"
"""


class Served:
    """`with Served(path)`: a gateway of two well packs that listens at path."""

    def __init__(self, path: Path, name: str = "cellar") -> None:
        self.path = path
        self.now = 1000.0
        self.asked: list[Request] = []
        self.reports: list[Report] = []
        self.currents_a = dict.fromkeys(PACKS, 0.0)
        sinks = {
            one: CanSink(one, profiles.load(profile), ceiling_v=56.8)
            for one, profile in (("house", "deye-lv"), ("barn", "victron-gx"))
        }
        text = CONFIG.replace('"cellar"', f'"{name}"')
        self.gateway = Gateway(config.parse(text, "test"), sinks, self.now)
        self.silent = False  # the engine says nothing any more
        self._server = ControlServer(path, name)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Served:
        self._thread.start()
        self._on_loop(self._open())
        self.run(60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._on_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, seconds: int) -> None:
        """Let virtual time pass; both packs speak each second."""
        self._on_loop(self._run(seconds))

    async def _run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            for pack in PACKS:
                cell_v = 3.30 + 0.001 * (self.now % 3)
                sample = changed(well(self.now, cell_v), current_a=self.currents_a[pack])
                self.gateway.aggregator.heard(pack, sample, self.now)
            self._carry_out(self.gateway.handle(Tick(), self.now))

    async def _open(self) -> None:
        await self._server.open(self._ask)

    async def _close(self) -> None:
        self._server.close()
        await asyncio.sleep(0)

    def _ask(self, client: int, request: Request) -> None:
        self.asked.append(request)
        if not self.silent:
            self._carry_out(self.gateway.handle(Asked(client, request), self.now))

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Answer):
                self._server.answer(action.client, action.reply)
            elif isinstance(action, Report):
                self.reports.append(action)

    def _on_loop(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)
