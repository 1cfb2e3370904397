"""The asyncio shell around the engine: links, senders, signals and the clock. No decisions.

One task a link, each supervised: what fails is reported to the engine, logged once, and tried again
with back-off. Everything that happens becomes an event for `Gateway.handle`, in the one thread of
the event loop; the actions that come back are carried out at once. If the engine itself fails, the
shell stops feeding the senders: their frames expire, the bus falls silent, and the process ends
with an error for the service manager to restart it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol, runtime_checkable

import structlog

from bridge.control.server import ControlServer
from bridge.errors import LinkError
from bridge.events import (
    Action,
    Alive,
    Answer,
    Arm,
    Asked,
    Event,
    Finish,
    Level,
    LinkDown,
    LinkUp,
    Received,
    Report,
    Restart,
    Save,
    Send,
    Stop,
    Tick,
    Window,
)
from bridge.gateway import Gateway
from bridge.links.backoff import Backoff
from bridge.links.link import Link
from bridge.links.sender import Sender
from bridge.state import Keeper, StateFile
from bridge.systemd import Notifier

EXIT_OK = 0
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h
FINISH_TIMEOUT_S = 3.0
HELD_S = 30.0  # a connection that lasted so long was a good one: the next back-off starts short


class Engine(Protocol):
    """What the shell asks of an engine: the gateway itself, or what stands around it."""

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event in; the actions are to be carried out in order."""
        ...

    def next_wakeup(self) -> float:
        """When a `Tick` is due at the latest."""
        ...


@runtime_checkable
class Answering(Protocol):
    """A link on which what we say has its time."""

    def reply(self, data: bytes, window: Window) -> None:
        """Say this within its window, or never; never blocks and never raises."""
        ...


class Runtime:
    """Runs one gateway until it is told to stop. Everything here happens in one event loop.

    engine: what stands around the gateway and takes its events; the gateway itself if there is none.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # all that a gateway has to do with the world
        self,
        gateway: Gateway,
        links: Mapping[str, Link],
        senders: Mapping[str, Sender],
        notifier: Notifier | None = None,
        state: StateFile | None = None,
        control: ControlServer | None = None,
        *,
        engine: Engine | None = None,
    ) -> None:
        self.gateway = gateway
        self.engine = engine or gateway
        self.senders = dict(senders)
        self._links = dict(links)
        self._answering = {name: link for name, link in links.items() if isinstance(link, Answering)}
        self._notifier = notifier or Notifier("")
        self._control = control
        self._log = structlog.get_logger()
        self._state = state
        self._keeper = None if state is None else Keeper(state, self._not_kept)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[int] | None = None

    async def run(self, *, signals: bool = True) -> int:
        """Run until `stop` or a signal; the process's exit code."""
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
        self._restore(loop.time())
        supervisors = [asyncio.create_task(self._supervise(name)) for name in self._links]
        await self._listen()
        self._notifier.tell("READY=1")
        self.dispatch(Tick())
        try:
            code = await self._ended
            self._notifier.tell("STOPPING=1")
            if code == EXIT_OK:
                await self._finish()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._control is not None:
                self._control.close()
            for task in supervisors:
                task.cancel()
            await asyncio.gather(*supervisors, return_exceptions=True)
            for sender in self.senders.values():
                sender.stop()
        return code

    def stop(self) -> None:
        """End cleanly: limits to zero, one last full cycle, silence."""
        self._end(EXIT_OK)

    def answer(self, event: Event) -> None:
        """Take what happened on the line of an inverter that asks, in the thread that heard it: it does not
        wait long, and the event loop may be amid a decision.
        """
        if self._ended is None or self._ended.done():
            return
        loop = self._ended.get_loop()
        try:
            for action in self.gateway.polled.took(event, loop.time()) or ():
                if isinstance(action, Send):
                    self._send(action)
        except Exception:  # noqa: BLE001  # as in `dispatch`
            self._log.exception("engine_failed", event_type=type(event).__name__)
            loop.call_soon_threadsafe(self._end, EXIT_BUG)

    def dispatch(self, event: Event) -> None:
        """Give the engine an event and carry out what it answers."""
        if self._ended is None or self._ended.done():
            return
        now = asyncio.get_running_loop().time()
        try:
            actions = self.engine.handle(event, now)
        except Exception:  # noqa: BLE001  # the supervisor's one right: to end what has gone wrong
            self._log.exception("engine_failed", event_type=type(event).__name__)
            self._end(EXIT_BUG)
            return
        for action in actions:
            self._do(action)
        self._schedule()

    # Actions

    def _do(self, action: Action) -> None:
        match action:
            case Send():
                self._send(action)
            case Restart(link, reason):
                self._log.warning("link_restart", link=link, reason=reason)
                if task := self._tasks.get(link):
                    task.cancel()
            case Arm(sink, frames, valid_for_s, urgent):
                self.senders[sink].arm(frames, valid_for_s, urgent=urgent)
                self._notifier.tell("WATCHDOG=1")
            case Alive():
                self._notifier.tell("WATCHDOG=1")
            case Finish(sink, frames):
                self.senders[sink].finish(frames)
            case Save(state) if self._keeper is not None:
                self._keeper.keep(state)
            case Report(level, event, fields):
                self._report(level, event, fields)
            case Answer(client, reply):
                assert self._control is not None  # it asked
                self._control.answer(client, reply)

    def _send(self, send: Send) -> None:
        if send.window is None:
            self._links[send.link].write(send.payload)
        elif isinstance(send.payload, bytes):
            self._answering[send.link].reply(send.payload, send.window)

    # What a restart must not lose

    def _restore(self, now: float) -> None:
        if self._state is None:
            return
        kept = self._state.load()
        if kept.problem is not None:
            self._log.warning("state_not_restored", problem=kept.problem)
        self.gateway.restore(kept.state, now, kept.away_s)

    def _not_kept(self, problem: str) -> None:
        self._log.warning("state_not_saved", problem=problem)

    def _report(self, level: Level, event: str, fields: Mapping[str, object]) -> None:
        getattr(self._log, level.value)(event, **fields)

    def _schedule(self) -> None:
        """A wake-up that is due stays due, however much arrives meanwhile."""
        loop = asyncio.get_running_loop()
        at_s = max(self.engine.next_wakeup(), loop.time())
        if self._timer is not None:
            if self._timer.when() <= at_s:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.dispatch(Tick())

    async def _listen(self) -> None:
        """The control socket is a convenience: without it everything else runs."""
        if self._control is None:
            return
        try:
            await self._control.open(lambda client, request: self.dispatch(Asked(client, request)))
        except LinkError as error:
            self._log.warning("control_unavailable", reason=str(error))
        else:
            self._log.info("control_listening", path=str(self._control.path))

    # Links

    async def _supervise(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        while True:
            started_s = loop.time()
            self._tasks[name] = asyncio.create_task(self._hold_open(name), name=f"link {name}")
            try:
                await asyncio.shield(self._tasks[name])
            except asyncio.CancelledError:
                if not self._tasks[name].cancelled():  # it is we who are to end
                    self._tasks[name].cancel()
                    with suppress(asyncio.CancelledError, LinkError):
                        await self._tasks[name]
                    raise
                self.dispatch(LinkDown(name, "restarted"))
            except LinkError as error:
                self.dispatch(LinkDown(name, str(error)))
            except Exception as error:  # noqa: BLE001  # a bug in one link must not end the others
                self._log.exception("link_failed", link=name)
                self.dispatch(LinkDown(name, f"internal error: {error!r}"))
            if loop.time() - started_s > HELD_S:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    async def _hold_open(self, name: str) -> None:
        await self._links[name].run(
            lambda: self.dispatch(LinkUp(name)),
            lambda payload: self.dispatch(Received(name, payload)),
        )

    # The end

    def _end(self, code: int) -> None:
        """Begin to end; asked a second time, or for a bad reason: end at once."""
        if self._ended is None or self._ended.done():
            return
        loop = asyncio.get_running_loop()
        wait_s = 0.0
        if code == EXIT_OK and not self.gateway.stopping:
            self.dispatch(Stop())
            wait_s = self.gateway.polled.last_word_s(loop.time())
        if wait_s > 0:
            loop.call_later(wait_s, self._over, code)
        else:
            self._over(code)

    def _over(self, code: int) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(code)

    async def _finish(self) -> None:
        """Wait until each sender has sent its last cycle; a stuck bus may not hold us, nor a stuck disk."""
        waits = [
            asyncio.to_thread(sender.wait_finished, FINISH_TIMEOUT_S) for sender in self.senders.values()
        ]
        await asyncio.gather(*waits)
        if self._keeper is not None:
            await self._keeper.finish()
