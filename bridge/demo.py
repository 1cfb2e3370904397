"""The main job on simulated hardware: everything between the packs' bytes and the bus is the real thing.

Three simulated packs answer in JBD's own bytes behind pseudo-terminals; the serial source polls
them; the engine decides; the CAN sink sends on python-can's in-process bus; a simulated inverter at
its other end knows nothing but the frames that it receives. Only cells and inverter are made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bridge import config as configuration
from bridge import profiles
from bridge.assembly import assemble
from bridge.errors import ConfigError
from bridge.gateway import Gateway
from bridge.links.can import CanPort
from bridge.model import CanFrame
from bridge.profiles import Rs485Profile
from bridge.protocols.contract import Options, Payload, load
from bridge.sim.asking import AskingTerminal
from bridge.sim.demand import alternating
from bridge.sim.demo import DEMO_PACKS, demo_plant
from bridge.sim.device import PtyPack
from bridge.sim.inverter import Inverter
from bridge.sim.plant import Plant
from bridge.sim.polling import PollingInverter
from bridge.status import snapshot

CHANNEL = "packbridge-demo"
STEP_S = 0.1
REPORT_EVERY_S = 1.0
CHARGE_A, DISCHARGE_A = 180.0, 150.0
BLOCK_S = 15.0

# Limits rise faster here than anybody should let them: twenty seconds are to show something.
BANK = """
[gateway]
name = "demo"

[bank]
rise_after_s = 1
rise_pct_per_s = 50
"""

PACK = """
[packs.{name}]
bms = "jbd"
port = "{port}"
cells = {cells}
capacity_ah = {capacity_ah}
rated_charge_current_a = {charge_a}
rated_discharge_current_a = {discharge_a}
"""

INVERTER = """
[inverters.house]
profile = "{profile}"
interface = "virtual"
channel = "{channel}"
"""
ASKING = """
[inverters.house]
profile = "{profile}"
port = "{port}"
"""


@dataclass(frozen=True, slots=True)
class Kill:
    """Cut a pack's line at a time. pack: its number from 1, its name, or "all"."""

    pack: str
    at_s: float


def parse_kill(text: str) -> Kill:
    """`2@5`, `medium@5` or `all@5` as a `Kill`; raises ConfigError for anything else."""
    pack, at, seconds = text.partition("@")
    names = [spec.name for spec in DEMO_PACKS]
    numbers = [str(number) for number in range(1, len(names) + 1)]
    try:
        at_s = float(seconds)
    except ValueError:
        at_s = -1.0
    if not at or at_s < 0 or pack not in ["all", *numbers, *names]:
        allowed = ", ".join(["all", *numbers, *names])
        raise ConfigError(f"--kill-pack {text}: write PACK@SECONDS, as in 2@5; PACK is one of {allowed}")
    return Kill(pack, at_s)


class Demo:
    """One run of the demo. `report()` may be called at any time while it runs."""

    def __init__(self, profile: str, kills: list[Kill], stop_sender_s: float | None) -> None:
        self._profile = profile
        self._kills = kills
        self._stop_sender_s = stop_sender_s

    async def run(self, seconds: float | None, show: Callable[[dict[str, object]], None]) -> int:
        """Run for so long (None: until a signal); show() gets a report each second. The exit code."""
        loop = asyncio.get_running_loop()
        plant = demo_plant()
        lines = [
            PtyPack(load("jbd").device(Options(cells=pack.spec.cells)), pack.reading, seed=number)
            for number, pack in enumerate(plant.bank.packs)
        ]
        ports = [line.path for line in lines]
        demand = alternating(CHARGE_A, DISCHARGE_A, block_s=BLOCK_S)
        profile = profiles.find(self._profile)
        inverter: Inverter | PollingInverter
        if isinstance(profile, Rs485Profile):
            inverter = PollingInverter(profile, demand)
            far_end = AskingTerminal(inverter, profile.baudrate)
            runtime = assemble(configuration.parse(config_text(self._profile, ports, far_end.path), "demo"))
            speak, quiet = far_end.run, far_end.close
        else:
            runtime = assemble(configuration.parse(config_text(self._profile, ports), "demo"))
            inverter = Inverter(profile, demand, dialect=runtime.gateway.sinks["house"].dialect)
            speak, quiet = partial(_on_bus, inverter, profile.bitrate), runtime.senders["house"].stop
        gateway = runtime.gateway
        started_s = loop.time()

        def report() -> dict[str, object]:
            now = loop.time()
            picture = snapshot(gateway, now)
            return picture | {"t": round(now - started_s, 2), "inverter": inverter.view()}

        def at(when_s: float | None, action: Callable[[], None]) -> None:
            if when_s is not None:
                loop.call_at(started_s + when_s, action)

        for kill in self._kills:
            for line in _chosen(kill.pack, lines):
                at(kill.at_s, line.kill)
        at(self._stop_sender_s, quiet)
        at(seconds, runtime.stop)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(_live(plant, inverter)),
                    group.create_task(speak()),
                    group.create_task(_show(gateway, report, show)),
                ]
                code = await runtime.run()
                for task in tasks:
                    task.cancel()
            return code
        finally:
            for line in lines:
                line.kill()


def config_text(profile: str, ports: list[str], asking: str | None = None) -> str:
    """The demo's configuration, as a person would write it. asking: the port of an inverter on RS485."""
    packs = "".join(
        PACK.format(
            name=spec.name,
            port=port,
            cells=spec.cells,
            capacity_ah=spec.capacity_ah,
            charge_a=spec.rated_charge_a,
            discharge_a=spec.rated_discharge_a,
        )
        for spec, port in zip(DEMO_PACKS, ports, strict=True)
    )
    if asking is not None:
        return BANK + packs + ASKING.format(profile=profile, port=asking)
    return BANK + packs + INVERTER.format(profile=profile, channel=CHANNEL)


async def _live(plant: Plant, inverter: Inverter | PollingInverter) -> None:
    """The simulated world: cells that follow the inverter's current."""
    loop = asyncio.get_running_loop()
    next_s = loop.time()
    while True:
        now = loop.time()
        plant.advance(now, inverter.step(now, plant.bus_voltage_v))
        next_s = max(next_s + STEP_S, now)
        await asyncio.sleep(next_s - now)


async def _on_bus(inverter: Inverter, bitrate: int) -> None:
    """The inverter's end of the CAN bus."""
    loop = asyncio.get_running_loop()
    port = CanPort("virtual", CHANNEL, bitrate)

    def receive(payload: Payload) -> None:
        if isinstance(payload, CanFrame):
            for answer in inverter.received(payload, loop.time()):
                port.write(answer)

    async with asyncio.TaskGroup() as group:
        group.create_task(port.run(lambda: None, receive))
        while True:
            for frame in inverter.asks(loop.time()):
                port.write(frame)
            await asyncio.sleep(STEP_S)


async def _show(
    gateway: Gateway, report: Callable[[], dict[str, object]], show: Callable[[dict[str, object]], None]
) -> None:
    """A report each second, until the gateway says its last word."""
    loop = asyncio.get_running_loop()
    next_s = loop.time() + REPORT_EVERY_S
    while True:
        await asyncio.sleep(next_s - loop.time())
        next_s += REPORT_EVERY_S
        if gateway.stopping:
            return
        show(report())


def _chosen(pack: str, lines: list[PtyPack]) -> list[PtyPack]:
    if pack == "all":
        return lines
    names = [spec.name for spec in DEMO_PACKS]
    return [lines[names.index(pack) if pack in names else int(pack) - 1]]
