"""`packbridge sim inverter`: the inverter's side of an RS485 pair, for everybody who has a battery to try."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bridge.profiles import Rs485Profile
    from bridge.sim.polling import PollingInverter

EPILOG = """[b]Examples[/b]

packbridge sim inverter axpert-pyl

packbridge sim inverter srne-pyl --link /dev/ttyUSB0 --seconds 60

packbridge sim inverter growatt-spf-rs485 --current -40 --json

Exit codes: 0 ended as told, 1 the port failed, 2 used wrongly."""

BUS_V = 52.0
STEP_S = 0.1
SAY_EVERY_S = 1.0


def inverter(
    profile: str = typer.Argument(..., help="The inverter, of those on RS485: packbridge profiles list."),
    link: str = typer.Option("pty", help="pty, or a serial port with a battery on it."),
    current: float = typer.Option(0.0, help="The current that it wants, A, charging positive."),
    baudrate: int | None = typer.Option(None, min=1200, help="Instead of the profile's."),
    address: int | None = typer.Option(None, min=0, max=255, help="The battery that it asks."),
    seconds: float | None = typer.Option(None, min=0.1, help="End after so long; without it, on Ctrl-C."),
    as_json: bool = typer.Option(False, "--json", help="Say what it understood in JSON lines."),
) -> None:
    """An inverter that asks its battery as the real one does, until Ctrl-C.

    With --link pty the path to open is printed first: as port of an
    [inverters.NAME] in a configuration, or for any other battery. Each second
    it says what it believes of the battery, and whether it has given it up.
    """
    from bridge import profiles
    from bridge.config.inverter_checks import overridden

    asking = overridden(profiles.asking(profile), baudrate, address)
    asyncio.run(_run(asking, link, current, seconds, as_json=as_json))


async def _run(
    profile: Rs485Profile, link: str, current_a: float, seconds: float | None, *, as_json: bool
) -> None:
    from bridge.sim.asking import AskingTerminal, ask_on_port
    from bridge.sim.demand import fixed
    from bridge.sim.polling import PollingInverter

    one = PollingInverter(profile, fixed(current_a))
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    terminal = AskingTerminal(one, profile.baudrate) if link == "pty" else None
    if terminal is not None:
        typer.echo(
            json.dumps({"inverter": profile.name, "port": terminal.path}) if as_json else terminal.path
        )
    asking = ask_on_port(one, link, profile.baudrate) if terminal is None else terminal.run()
    tasks = {asyncio.create_task(asking), asyncio.create_task(_live(one, as_json=as_json))}
    try:
        ended, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for one_task in ended:
            one_task.result()
    except asyncio.CancelledError:
        return
    finally:
        for one_task in tasks:
            one_task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if terminal is not None:
            terminal.close()


async def _live(one: PollingInverter, *, as_json: bool) -> None:
    """Its power stage, and a line each second."""
    loop = asyncio.get_running_loop()
    say_at_s = loop.time() + SAY_EVERY_S
    while True:
        one.step(loop.time(), BUS_V)
        if loop.time() >= say_at_s:
            say_at_s += SAY_EVERY_S
            print(json.dumps(one.view()) if as_json else _line(one.view()), flush=True)  # noqa: T201
        await asyncio.sleep(STEP_S)


def _line(view: dict[str, object]) -> str:
    """What it believes, in one line."""
    from bridge.cli.asking import number

    parts = [
        f"CVL {number(view['charge_voltage_limit_v'], '.1f', ' V')}",
        f"CCL {number(view['charge_current_limit_a'], '.1f', ' A')}",
        f"DCL {number(view['discharge_current_limit_a'], '.1f', ' A')}",
        f"SoC {number(view['soc_pct'], '.0f', ' %')}",
        f"{number(view['voltage_v'], '.2f', ' V')}",
        f"{number(view['current_a'], '+.1f', ' A')}",
        f"answered {view['answered']} of {view['asked']}",
    ]
    parts += ["COMM FAULT"] if view["fault"] else []
    alarms = view["alarms"]
    return "   ".join([*parts, *(map(str, alarms) if isinstance(alarms, list) else ())])
