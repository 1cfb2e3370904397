"""The whole gateway in virtual time: JBD bytes in, CAN frames out, nothing left out but the asyncio shell.

Where `policies.Ours` hands the engine finished samples, this answers the engine's own requests with
the bytes of a simulated board, at the line's speed, and reads its limits off the frames that a Deye
would receive. It is slower by the cost of all that; a test holds the two to the same figures.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from itertools import count

from bridge import profiles
from bridge.config import Config
from bridge.events import Action, Arm, Event, LinkDown, LinkUp, Received, Send, Tick
from bridge.gateway import Gateway
from bridge.model import PackSample, Reading
from bridge.protocols.contract import Options, load
from bridge.sim.converter import SILENT, Command
from bridge.sim.policies import Said
from bridge.sinks.can import CanSink

BITS_PER_BYTE = 10  # 8N1
TURNAROUND_S = 0.02


class Chain:
    """The engine with its wires. Reads what the boards measure when it is asked to decide."""

    listens = False

    def __init__(
        self, config: Config, readings: Mapping[str, Callable[[], Reading]], now: float = 0.0
    ) -> None:
        (inverter,) = config.inverters
        sink = CanSink(inverter.name, profiles.load(inverter.profile))
        self._gateway = Gateway(config, {inverter.name: sink}, now)
        self._sink = sink
        self._readings = readings
        self._packs = {pack.link: pack for pack in config.packs}
        self._links = {pack.name: pack.link for pack in config.packs}
        self._devices = {
            pack.link: load(pack.bms).device(Options(cells=pack.settings.cells)) for pack in config.packs
        }
        self._down: set[str] = set()
        self._due: list[tuple[float, int, Event | None]] = []
        self._order = count()
        self._armed: Arm | None = None
        self._armed_until_s = self._heard_s = now
        self._values: dict[str, object] = {}
        for link in [*self._packs, inverter.link]:
            self._at(now, LinkUp(link))
        self._at(now, None)

    def heard(self, pack: str, sample: PackSample, now: float) -> None:
        """It asks for itself."""

    def link(self, pack: str, *, up: bool, now: float) -> None:
        """See `policies.Policy`."""
        link = self._links[pack]
        self._at(now, LinkUp(link) if up else LinkDown(link, "gone"))
        (self._down.discard if up else self._down.add)(link)

    def decide(self, now: float) -> Said:
        """Let everything happen until `now`; what the inverter has received by then."""
        while (when_s := min(self._due[0][0], self._gateway.next_wakeup())) <= now:
            if self._due[0][0] <= when_s:
                event = heapq.heappop(self._due)[2]
                if event is None:
                    self._send_cycle(when_s)
                    continue
                if isinstance(event, Received) and event.link in self._down:
                    continue
            else:
                event = Tick()
            for action in self._gateway.handle(event, when_s):
                self._carry_out(action, when_s)
        decision = self._gateway.decision
        return Said(command=self._command(now), soc=None if decision is None else decision.bank.soc)

    def _at(self, when_s: float, event: Event | None) -> None:
        heapq.heappush(self._due, (when_s, next(self._order), event))

    def _carry_out(self, action: Action, now: float) -> None:
        match action:
            case Send(link, payload) if link in self._packs and link not in self._down:
                assert isinstance(payload, bytes)
                pack = self._packs[link]
                byte_s = BITS_PER_BYTE / pack.baudrate
                for answer in self._devices[link].receive(payload, self._readings[pack.name]()):
                    assert isinstance(answer, bytes)
                    wait_s = (len(payload) + len(answer)) * byte_s + TURNAROUND_S
                    self._at(now + wait_s, Received(link, answer))
            case Arm():
                self._armed, self._armed_until_s = action, now + action.valid_for_s
                if action.urgent:
                    self._transmit(now)

    def _send_cycle(self, now: float) -> None:
        self._transmit(now)
        self._at(now + self._sink.profile.period_s, None)

    def _transmit(self, now: float) -> None:
        if self._armed is None or now > self._armed_until_s or not self._armed.frames:
            return
        self._heard_s = now
        for frame in self._armed.frames:
            self._values.update(self._sink.dialect.decode(frame) or {})

    def _command(self, now: float) -> Command:
        if not self._values or now - self._heard_s > self._sink.profile.comm_fault_s:
            return SILENT
        return Command(
            charge_voltage_limit_v=self._number("charge_voltage_limit_v"),
            discharge_voltage_limit_v=self._number("discharge_voltage_limit_v"),
            charge_current_limit_a=self._current("charge"),
            discharge_current_limit_a=self._current("discharge"),
        )

    def _current(self, direction: str) -> float:
        allowed = self._values.get(f"{direction}_enabled") is not False
        return self._number(f"{direction}_current_limit_a") if allowed else 0.0

    def _number(self, name: str) -> float:
        value = self._values.get(name)
        return float(value) if isinstance(value, int | float) else 0.0
