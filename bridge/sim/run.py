"""`packbridge sim pack`: packs that live, behind ports that programs can open.

The cells are those of `bridge.sim.pack`, and everything that leaves is built by the protocol's own
`Device`, so whoever reads these ports sees what a real pack of that kind would say. Packs of a
protocol with addresses share one wire; others get a wire each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError
from bridge.links.opening import Opener, kind_of
from bridge.model import CanFrame, Reading
from bridge.protocols.contract import Device, Options
from bridge.sim.can_pack import CanPack, CanPacks
from bridge.sim.device import PtyPack, Terminal, Wire
from bridge.sim.order import Order, Trouble, addresses, check
from bridge.sim.pack import Pack, PackSpec
from bridge.sim.sleep import Sleep

STEP_S = 0.5
FIRST_STEP_S = 0.001
SLEEPS_AFTER_S = 20.0  # where a protocol does not say
FULL_CELL_V, EMPTY_CELL_V = 3.55, 2.80  # what a simulated board asks its inverter to stay between
TRIP = 1.15  # a simulated board's over-current setting, of its rating
MOSFET_WARMER_K = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """One wire with its packs. port: as `packbridge read` takes it. addresses: of the packs on it."""

    port: str
    bms: str
    baudrate: int | None
    addresses: tuple[int | None, ...]

    def record(self) -> dict[str, object]:
        """As JSON can carry it."""
        return {
            "port": self.port,
            "bms": self.bms,
            "baudrate": self.baudrate,
            "addresses": list(self.addresses),
        }


class Simulation:
    """Simulated packs on their wires, made in a running event loop. Raises ConfigError.

    packs: the cells and boards behind them. wirings: where they are found. `run` lets them live;
    `close` takes the wires away.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._entry = check(order)
        self._addresses = addresses(order, self._entry)
        self.packs = [_pack(order, number) for number in range(1, order.count + 1)]
        self._undo = ExitStack()
        self._can: CanPacks | None = None
        try:
            self.wirings = self._on_can() if kind_of(order.link) == "can" else self._on_terminals()
        except ConfigError:
            self._undo.close()
            raise

    def reading(self, number: int) -> Reading:
        """What the board of a pack, counted from 1, says at this moment."""
        pack, rated_a, cells = self.packs[number - 1], self._order.capacity_ah, self._order.cells
        return pack.reading() | Reading(
            soh_pct=100.0,
            mosfet_temperature_c=round(pack.cells[0].temperature_c + MOSFET_WARMER_K, 1),
            charge_voltage_limit_v=round(cells * FULL_CELL_V, 1),
            discharge_voltage_limit_v=round(cells * EMPTY_CELL_V, 1),
            charge_current_limit_a=rated_a if pack.bms.charge_on else 0.0,
            discharge_current_limit_a=rated_a if pack.bms.discharge_on else 0.0,
        )

    async def run(self, seconds: float | None = None, up: Callable[[], None] = lambda: None) -> None:
        """Live for so long, None: until cancelled. up: called when the packs can be reached."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if self._can is None:
                    up()
                    await self._live()
                    return
                living = asyncio.create_task(self._live())
                try:
                    await self._can.run(up)
                finally:
                    living.cancel()

    def close(self) -> None:
        """Take the wires and their names away."""
        self._undo.close()

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        while True:
            await asyncio.sleep(STEP_S)
            now = loop.time()
            for pack in self.packs:
                pack.step(_flowing_a(pack, self._order.current_a), now - before_s)
            before_s = now

    # Manners

    def _options(self, number: int) -> Options:
        """Every device takes of this what it knows: JBD the trip currents, JK the maximum, ..."""
        rated_a, order = self._order.capacity_ah, self._order
        trips = {"charge_ocp_a": TRIP * rated_a, "discharge_ocp_a": TRIP * rated_a}
        most = {"max_charge_a": rated_a, "max_discharge_a": rated_a}
        extra = {**trips, **most, "packs": order.count, **order.extra}
        return Options(address=self._addresses[number - 1], cells=order.cells, extra=extra)

    def _device(self, number: int) -> Device:
        return self._entry.device(self._options(number))

    def _talks(self, number: int) -> bool:
        session = self._entry.session(Options(address=self._addresses[number - 1]))
        return self._order.talks or session.streams

    def _sleep(self, number: int) -> Sleep | None:
        if self._order.trouble(number) is not Trouble.ASLEEP:
            return None
        return Sleep(self._entry.spec.sleeps_after_s or SLEEPS_AFTER_S)

    def _spoil(self, pack: PtyPack | CanPack, number: int) -> None:
        trouble = self._order.trouble(number)
        pack.silent = trouble is Trouble.DEAD
        pack.fault = None if trouble is None else trouble.fault

    # Wires

    def _on_terminals(self) -> list[Wiring]:
        shared, order = self._entry.spec.shared, self._order
        baudrate = order.baudrate or self._entry.spec.baudrate
        terminals = [Terminal(Wire(baudrate=order.baudrate)) for _ in range(1 if shared else order.count)]
        for terminal in terminals:
            self._undo.callback(terminal.close)
        packs = [
            self._pty_pack(number, terminals[0 if shared else number - 1])
            for number in range(1, order.count + 1)
        ]
        for pack, neighbour in zip(packs, packs[1:] + packs[:1], strict=True):
            pack.stranger = _last_answer(neighbour) if neighbour is not pack else None
        shares = [tuple(self._addresses)] if shared else [(one,) for one in self._addresses]
        return [
            Wiring(port=name, bms=order.bms, baudrate=baudrate, addresses=share)
            for name, share in zip(self._names(terminals), shares, strict=True)
        ]

    def _pty_pack(self, number: int, terminal: Terminal) -> PtyPack:
        pack = PtyPack(
            self._device(number),
            lambda: self.reading(number),
            seed=number,
            terminal=terminal,
            talks=self._talks(number),
            sleep=self._sleep(number),
        )
        self._undo.callback(pack.kill)
        self._spoil(pack, number)
        return pack

    def _names(self, terminals: Sequence[Terminal]) -> list[str]:
        """Their paths, or symlinks to them: the name that was asked for, numbered if there are several."""
        _, _, wanted = self._order.link.partition(":")
        if not wanted:
            return [terminal.path for terminal in terminals]
        several = len(terminals) > 1
        names = [f"{wanted}{number}" if several else wanted for number in range(len(terminals))]
        for name, terminal in zip(names, terminals, strict=True):
            self._link(Path(name), terminal.path)
        return names

    def _link(self, name: Path, path: str) -> None:
        try:
            if name.is_symlink() and not name.exists():
                name.unlink()  # a simulation that was killed left it behind
            name.symlink_to(path)
        except OSError as error:
            raise ConfigError(f"--link pty:{name}: {error.strerror}; write the path of a new file") from error
        self._undo.callback(name.unlink, missing_ok=True)

    def _on_can(self) -> list[Wiring]:
        order = self._order
        packs = [self._can_pack(number) for number in range(1, order.count + 1)]
        for pack, neighbour in zip(packs, packs[1:] + packs[:1], strict=True):
            pack.stranger = _last_frames(neighbour) if neighbour is not pack else None
        self._can = CanPacks(Opener().link(order.link, self._entry.spec), packs)
        return [Wiring(port=order.link, bms=order.bms, baudrate=None, addresses=tuple(self._addresses))]

    def _can_pack(self, number: int) -> CanPack:
        pack = CanPack(
            self._device(number),
            lambda: self.reading(number),
            seed=number,
            talks=self._talks(number),
            sleep=self._sleep(number),
        )
        self._spoil(pack, number)
        return pack


def _pack(order: Order, number: int) -> Pack:
    """A pack that has carried its current for a moment, so that its first report shows it."""
    spec = PackSpec(
        name=f"{order.bms}-{number}",
        capacity_ah=order.capacity_ah,
        soc=order.soc,
        rated_charge_a=order.capacity_ah,
        rated_discharge_a=order.capacity_ah,
        cells=order.cells,
    )
    pack = Pack(spec, seed=number)
    pack.step(order.current_a, FIRST_STEP_S)
    return pack


def _flowing_a(pack: Pack, asked_a: float) -> float:
    """What really flows: nothing against an open switch."""
    open_switch = (asked_a > 0 and not pack.bms.charge_on) or (asked_a < 0 and not pack.bms.discharge_on)
    return 0.0 if open_switch else asked_a


def _last_answer(pack: PtyPack) -> Callable[[], bytes]:
    return lambda: pack.last_answer


def _last_frames(pack: CanPack) -> Callable[[], Sequence[CanFrame]]:
    return lambda: pack.last_frames
