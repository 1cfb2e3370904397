"""Packs that nobody has configured yet: how to reach one, whether to believe it, who it is.

The one idea: nothing is known of such a pack but what it says itself, so what it says must hold
together. It is judged by the gateway's own plausibility checks, with its own number of cells in the
place of the configured one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from math import inf

from bridge.battery.plausibility import Plausibility
from bridge.conversation import Line, held
from bridge.errors import LinkError
from bridge.links.backoff import Backoff
from bridge.links.link import Link
from bridge.links.opening import kind_of
from bridge.model import PackInfo, PackSample, PackSettings
from bridge.protocols.contract import Entry, NoReply, Options, Session, Spec
from bridge.sources.bus import Bus, Informed, Reopen, Sampled, Unit
from bridge.sources.sources import REOPEN_AFTER

Links = Callable[[str, Spec, int | None], Link]
"""From port, protocol and baud rate to a link: `Opener.link`, or a test's own."""

PERIOD_S = 1.0
INFO_PATIENCE_S = 3.0  # for names and limits, once there is a sample
FAILURES_MAX = 3  # of a pack that answers at all; one that doesn't is given up after the first
LARGEST_BOARD_A = 500.0
NOMINAL_CELL_V = 3.2
CELLS_MAX = 32


@dataclass(frozen=True, slots=True)
class Way:
    """How a pack is reached. extra: what its session is to be told beside its address."""

    port: str
    entry: Entry
    baudrate: int | None = None
    address: int | None = None
    extra: tuple[tuple[str, bool], ...] = ()

    @property
    def bms(self) -> str:
        """The protocol's name."""
        return self.entry.name

    @property
    def rate(self) -> int | None:
        """The baud rate; None where there is none."""
        return (self.baudrate or self.entry.spec.baudrate) if kind_of(self.port) == "serial" else None

    @property
    def spec(self) -> Spec:
        """The protocol's wire, over this kind of port."""
        return self.entry.spec.over(kind_of(self.port))

    def options(self) -> Options:
        """What its session and its device are told."""
        address = self.entry.spec.address if self.address is None else self.address
        device = self.port.removeprefix("ble:").partition("?")[0]
        mac = device if kind_of(self.port) == "ble" else None
        return Options(address=address, mac=mac, extra=dict(self.extra))

    def unit(self, period_s: float = PERIOD_S) -> Unit:
        """The conversation with it."""
        return Unit(str(self), self.entry.session(self.options()), period_s)

    def bus(self, *units: Unit) -> Bus:
        """The driver for its wire."""
        reopen_after = REOPEN_AFTER.get(kind_of(self.port))
        return Bus(self.spec, self.entry.decoder(), units, baudrate=self.rate, reopen_after=reopen_after)

    def __str__(self) -> str:
        rate = "" if self.rate is None else f" at {self.rate}"
        return f"{self.bms}{rate}" + ("" if self.address is None else f", address {self.address}")


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a pack said: a sample that can be true, and who it is, if it told."""

    sample: PackSample
    info: PackInfo | None = None


@dataclass(slots=True)
class Judge:
    """Believes a sample as the gateway would, of a pack whose settings nobody knows yet.

    Its own number of cells stands for the configured one, and the largest boards that are made for
    its rating. heard: what was not believed, by kind.
    """

    heard: Counter[str] = field(default_factory=Counter)
    _cells: int = 0
    _checks: Plausibility | None = None

    def believed(self, sample: PackSample, now: float) -> PackSample | None:
        """What can be true of a sample; None if it tells nothing that can."""
        cells = len(sample.cell_voltages_v) or self._cells or _cells_by_voltage(sample.voltage_v)
        if not 1 <= cells <= CELLS_MAX:
            self.heard["implausible: number of cells"] += 1
            return None
        if self._checks is None or cells != self._cells:
            self._cells, self._checks = cells, Plausibility(_settings(cells))
        before = self._checks.counters.copy()
        verdict = self._checks.check(sample, now)
        found = self._checks.counters - before
        self.heard.update({f"implausible: {kind}": count for kind, count in found.items()})
        return verdict.sample if verdict.plausible else None


def _settings(cells: int) -> PackSettings:
    return PackSettings(
        name="unknown",
        cells=cells,
        capacity_ah=LARGEST_BOARD_A,
        rated_charge_current_a=LARGEST_BOARD_A,
        rated_discharge_current_a=LARGEST_BOARD_A,
        period_s=PERIOD_S,
    )


def _cells_by_voltage(voltage_v: float | None) -> int:
    return 0 if voltage_v is None else round(voltage_v / NOMINAL_CELL_V)


async def meet(line: Line, way: Way, until_s: float, heard: Counter[str]) -> Meeting | None:
    """A believable sample of a pack, and who it is; None if there is no such pack.

    Ends early when nothing answers. heard: takes what came instead, by kind. Raises LinkError.
    """
    visit = _Visit(way.unit(), until_s)
    loop = asyncio.get_running_loop()
    async with aclosing(line.talk([way.bus(visit.unit)], until_s, lambda: visit.ended(loop.time()))) as told:
        async for output in told:
            if isinstance(output, Reopen):
                break
            visit.take(output, loop.time())
    heard.update(visit.unit.statistics.errors + visit.judge.heard)
    if visit.sample is None:
        return None
    return Meeting(visit.sample, visit.info or known(visit.unit.session))


@dataclass(slots=True)
class _Visit:
    """A first conversation: a sample, then names and limits, then a sample that knows of them."""

    unit: Unit
    until_s: float
    judge: Judge = field(default_factory=Judge)
    sample: PackSample | None = None
    info: PackInfo | None = None
    _rejected: int = 0
    _samples_before: int | None = None

    def take(self, output: Sampled | Informed, now: float) -> None:
        """Something was said. What comes before the pack answered anything may be another's late answer."""
        if isinstance(output, Informed):
            self.info = output.info
        elif self.unit.statistics.round_trips_s:
            sample = self.judge.believed(output.sample, now)
            self._rejected += sample is None
            if self.sample is None and sample is not None:
                self.until_s = min(self.until_s, now + INFO_PATIENCE_S)
                self.unit.due_s = self.until_s  # until then the wire belongs to names and limits
            self.sample = sample or self.sample

    def ended(self, now: float) -> bool:
        """Whether there is nothing more to wait for."""
        unit = self.unit
        if self.sample is None:
            patience = FAILURES_MAX if unit.statistics.round_trips_s else 1
            return unit.failures >= patience or self._rejected >= FAILURES_MAX
        if unit.session.streams or now >= self.until_s:
            return True
        if unit.info_due_s <= now:
            return False
        if self._samples_before is None:
            self._samples_before = unit.statistics.samples
            unit.due_s = now
        return unit.statistics.samples > self._samples_before or unit.failures > 0


def known(session: Session) -> PackInfo | None:
    """What a session can say of its pack without asking, as those of streams can after their opening."""
    script = session.info()
    try:
        next(script)
    except (StopIteration, NoReply) as end:
        value = end.value if isinstance(end, StopIteration) else None
        return value if isinstance(value, PackInfo) else None
    script.close()
    return None


async def follow(way: Way, links: Links) -> AsyncGenerator[Meeting | LinkError, None]:
    """Samples of one pack for as long as they are wanted; whatever fails is tried again.

    A LinkError is handed out, not raised, once for each failed attempt.
    """
    judge, backoff = Judge(), Backoff()
    while True:
        try:
            async with (
                held(links(way.port, way.entry.spec, way.rate)) as line,
                aclosing(_meetings(line, way, judge)) as meetings,
            ):
                async for meeting in meetings:
                    backoff.reset()
                    yield meeting
        except LinkError as error:
            yield error
        await asyncio.sleep(backoff.next_s())


async def _meetings(line: Line, way: Way, judge: Judge) -> AsyncGenerator[Meeting, None]:
    """What can be believed of a pack, over one connection. Raises LinkError when that is stuck."""
    unit = way.unit()
    info: PackInfo | None = None
    async with aclosing(line.talk([way.bus(unit)], inf)) as outputs:
        async for output in outputs:
            if isinstance(output, Reopen):
                raise LinkError(f"{way.port}: {output.reason}")
            if isinstance(output, Informed):
                info = output.info
            elif (sample := judge.believed(output.sample, asyncio.get_running_loop().time())) is not None:
                info = info or (known(unit.session) if unit.session.streams else None)
                yield Meeting(sample, info)
