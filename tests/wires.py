"""Links that lead to simulated packs, for tests in an event loop whose waits take no time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.errors import LinkError
from bridge.links.link import Link
from bridge.model import Reading
from bridge.protocols.contract import Device, Options, Payload, Spec, load
from tests.links.test_ble import play

__all__ = ["Board", "Said", "World", "board", "play", "reading"]

TURNAROUND_S = 0.02


def reading(cells: int = 16, current_a: float = -12.3) -> Reading:
    """A pack at half charge, in words that every protocol has."""
    return Reading(
        voltage_v=round(3.3 * cells, 2), current_a=current_a, soc_pct=50, soh_pct=100, remaining_ah=50.0,
        full_ah=100.0, design_ah=100.0, cycles=10, cell_count=cells, cell_voltages_v=(3.3,) * cells,
        temperatures_c=(21.0, 22.0), mosfet_temperature_c=25.0, charge_fet_on=True, discharge_fet_on=True,
        charge_allowed=True, discharge_allowed=True, balancing=False, protections=frozenset(),
        warnings=frozenset(), charge_voltage_limit_v=round(3.5 * cells, 1),
        discharge_voltage_limit_v=round(2.8 * cells, 1), charge_current_limit_a=80.0,
        discharge_current_limit_a=80.0,
    )  # fmt: skip


@dataclass
class Board:
    """A simulated board on a wire. rate: the only baud rate at which it hears. spoil: what becomes of
    an answer. deaf: how many requests it sleeps through. tick_s: how often it talks by itself.
    """

    device: Device
    reading: Callable[[], Reading] = reading
    rate: int | None = None
    late_s: float = TURNAROUND_S
    spoil: Callable[[Payload], Payload] = lambda answer: answer
    deaf: int = 0
    tick_s: float | None = None

    def answers(self, payload: Payload) -> list[Payload]:
        if self.deaf:
            self.deaf -= 1
            return []
        return [self.spoil(answer) for answer in self.device.receive(payload, self.reading())]

    def says(self) -> list[Payload]:
        tick = getattr(self.device, "tick")  # noqa: B009  # not every device has it
        return [self.spoil(said) for said in tick(self.reading())]


def board(bms: str, address: int | None = None, **extra: str | int | float | bool) -> Board:
    """A board that hears at its protocol's own rate."""
    entry = load(bms)
    options = Options(address=entry.spec.address if address is None else address, extra=extra)
    rate = None if entry.spec.links == ("can",) else entry.spec.baudrate
    talks = entry.session(Options(address=address)).streams
    return Board(entry.device(options), rate=rate, tick_s=0.5 if talks else None)


class Said(NamedTuple):
    """What was sent: where, how fast, for which protocol's sake the port was open, and when."""

    port: str
    rate: int | None
    payload: Payload
    time_s: float


@dataclass
class World:
    """Ports with boards on them. missing: ports that cannot be opened, and how often that is so."""

    ports: Mapping[str, Sequence[Board]]
    missing: dict[str, int] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    opened: list[tuple[str, int | None]] = field(default_factory=list)

    def link(self, port: str, spec: Spec, rate: int | None) -> Link:
        """As `Opener.link`."""
        del spec
        return _Wire(self, port, rate)


@dataclass
class _Wire:
    world: World
    port: str
    rate: int | None
    receive: Callable[[Payload], None] | None = None

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        if self.world.missing.get(self.port, 0):
            self.world.missing[self.port] -= 1
            raise LinkError(f"{self.port}: no such port")
        self.world.opened.append((self.port, self.rate))
        self.receive = receive
        talking = [asyncio.create_task(self._talk(one)) for one in self._boards() if one.tick_s]
        try:
            up()
            await asyncio.get_running_loop().create_future()
        finally:
            self.receive = None
            for task in talking:
                task.cancel()

    def write(self, payload: Payload) -> None:
        loop = asyncio.get_running_loop()
        self.world.said.append(Said(self.port, self.rate, payload, loop.time()))
        for one in self._boards():
            for answer in one.answers(payload):
                loop.call_later(one.late_s, self._arrive, answer)

    def _boards(self) -> list[Board]:
        return [one for one in self.world.ports.get(self.port, ()) if one.rate in {None, self.rate}]

    def _arrive(self, payload: Payload) -> None:
        if self.receive is not None:
            self.receive(payload)

    async def _talk(self, one: Board) -> None:
        assert one.tick_s is not None
        while True:
            await asyncio.sleep(one.tick_s)
            for said in one.says():
                self._arrive(said)
