"""`packbridge sim`: packs that are not there, for everybody who wants to try something without one."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING

import typer

from bridge.cli import sim_inverter, simulate

if TYPE_CHECKING:
    from bridge.sim.order import Order
    from bridge.sim.run import Simulation

app = typer.Typer(no_args_is_help=True, help="Simulated hardware, and whole banks in virtual time.")
app.command("run", epilog=simulate.RUN_EPILOG)(simulate.run)
app.command("inverter", epilog=sim_inverter.EPILOG)(sim_inverter.inverter)
app.command("bench", epilog=simulate.BENCH_EPILOG)(simulate.bench)

PACK_EPILOG = """[b]Examples[/b]

packbridge sim pack --bms jbd

packbridge sim pack --bms jk-pb --count 3 --link pty:/tmp/battery

packbridge sim pack --bms daly-a5 --cells 8 --soc 0.9 --current 40 --baudrate 9600

packbridge sim pack --bms jk-modbus --count 2 --fault 2:dead --json

packbridge sim pack --bms pylontech-can --link can:vcan0

Exit codes: 0 ended as told, 1 the port failed, 2 used wrongly."""


@app.callback()
def group() -> None:
    """Simulated hardware that speaks as the real one does."""


@app.command("pack", epilog=PACK_EPILOG)
def pack(
    bms: str = typer.Option(..., metavar="NAME", help="The protocol that it speaks."),
    link: str = typer.Option("pty", help="pty, pty:/path/of/a/symlink, or can:INTERFACE:CHANNEL."),
    cells: int = typer.Option(16, help="Cells in series."),
    soc: float = typer.Option(0.5, help="State of charge at the start, 0 to 1."),
    capacity_ah: float = typer.Option(100.0, help="What its cells hold."),
    count: int = typer.Option(1, min=1, max=32, help="How many; those with addresses share one wire."),
    address: int | None = typer.Option(None, help="Of the first pack; the others follow."),
    current: float = typer.Option(0.0, help="A, charging positive."),
    fault: list[str] = typer.Option(
        [],
        metavar="[PACK:]KIND",
        help="noise, truncate, checksum, stranger, slow, dead or asleep; 2:dead is the second pack's alone.",
    ),
    baudrate: int | None = typer.Option(None, min=300, help="Let bytes take the time that they would."),
    talk: bool = typer.Option(
        False, "--talk", help="Also say what nobody asks for (jk-pb: beside a master)."
    ),
    setting: list[str] = typer.Option(
        [],
        "--set",
        metavar="KEY=VALUE",
        help="For the protocol's simulator, as variant=JK02_24S. May repeat.",
    ),
    seconds: float | None = typer.Option(None, min=0.1, help="End after so long; without it, on Ctrl-C."),
    as_json: bool = typer.Option(False, "--json", help="Say where the packs are in JSON lines."),
) -> None:
    """One or several packs that live and answer, until Ctrl-C.

    What can be read is printed first: the path of a pseudo-terminal for each
    wire, or the CAN bus. Any program may open it, packbridge too.
    """
    from bridge.sim.order import Order, parse_extra, parse_troubles

    order = Order(
        bms=bms,
        link=link,
        cells=cells,
        soc=soc,
        capacity_ah=capacity_ah,
        count=count,
        current_a=current,
        address=address,
        baudrate=baudrate,
        troubles=parse_troubles(fault),
        talks=talk,
        extra=parse_extra(setting),
    )
    asyncio.run(_pack(order, seconds, as_json=as_json))


async def _pack(order: Order, seconds: float | None, *, as_json: bool) -> None:
    from bridge.sim.run import Simulation

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    simulation = Simulation(order)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await simulation.run(seconds, lambda: _say(simulation, as_json=as_json))
    except asyncio.CancelledError:
        return
    finally:
        simulation.close()


def _say(simulation: Simulation, *, as_json: bool) -> None:
    for wiring in simulation.wirings:
        print(json.dumps(wiring.record()) if as_json else wiring.port, flush=True)  # noqa: T201
