"""How soon an inverter that asks is answered: from its question's last byte to our first, in ms.

Run by hand: `python -m benchmarks.rs485 [--seconds N] [--packs N] [--json]`. The whole gateway runs as a
process of its own, polling its packs over pseudo-terminals; an inverter asks for Growatt's registers as
the real one does. Machines are noisy, so a bare pymodbus server that serves the same registers, with
nothing else to do, is asked in the same seconds, turn by turn. It answers as soon as it can; a half-duplex
line's turnaround, for which our answer waits on purpose, is in the first row and taken off in the second.
Packs and inverter are processes of their own too, so that they don't wait for each other. Another one asks
for the gateway's whole status over its control socket twice a second, as whatever shows or publishes it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import select
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.gateway import Spread, spread
from bridge import profiles
from bridge.control.client import ask
from bridge.control.requests import Status
from bridge.errors import BridgeError
from bridge.model import Reading
from bridge.protocols.contract import Options, load

PROFILE = "growatt-spf-rs485"
CELLS = 16
WARM_UP_S = 6.0
GAP_S = 0.03
LOOK_EVERY_S = 0.5
PATIENCE_S = 0.5
QUESTION = bytes.fromhex("010300130010B5C3")  # 16 registers from 0x0013, as an EG4 6500EX asks
ANSWER_BYTES = 37

HEAD = """
[gateway]
name = "benchmark"
state_dir = "{folder}"
control = "{folder}/control.sock"

[pack]
bms = "jbd"
cells = 16
capacity_ah = 280
rated_current_a = 140

[inverters.house]
profile = "{profile}"
port = "{port}"
"""
PACK = """
[packs.pack{number}]
port = "{port}"
"""

SERVER = """
import asyncio, sys
from pymodbus import FramerType
from pymodbus.server import StartAsyncSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice
block = SimData(0, count=200, values=7, datatype=DataType.REGISTERS)
asyncio.run(StartAsyncSerialServer(
    SimDevice(1, simdata=[block]), framer=FramerType.RTU, port=sys.argv[1], baudrate=9600
))
"""


class Near:
    """The near end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.fd, far = os.openpty()
        tty.setraw(far)
        self.path = os.ttyname(far)

    def ask(self, question: bytes, size: int) -> float | None:
        """From the question to the first byte of its answer, s; None if there is none."""
        begin_s = time.monotonic()
        os.write(self.fd, question)
        first_s, heard = None, b""
        while len(heard) < size:
            if not select.select([self.fd], [], [], PATIENCE_S)[0]:
                return None
            chunk = os.read(self.fd, 512)
            first_s = first_s or time.monotonic()
            heard += chunk
        return None if first_s is None else first_s - begin_s


class Boards:
    """JBD boards, each on a pseudo-terminal of its own, answered by one process."""

    def __init__(self, count: int) -> None:
        ends = [Near() for _ in range(count)]
        self._boards = {near.fd: load("jbd").device(Options(cells=CELLS)) for near in ends}
        self.paths = [near.path for near in ends]

    def run(self) -> None:
        while True:
            for fd in select.select(list(self._boards), [], [])[0]:
                for answer in self._boards[fd].receive(os.read(fd, 512), _reading()):
                    assert isinstance(answer, bytes)
                    os.write(fd, answer)


def _reading() -> Reading:
    """A pack that works; its current moves, or it would be taken for frozen."""
    return Reading(
        voltage_v=CELLS * 3.3, current_a=20.0 + time.monotonic() % 7 / 10,
        soc_pct=60, remaining_ah=168.0, full_ah=280.0, design_ah=280.0, cycles=10,
        cell_count=CELLS, cell_voltages_v=(3.3,) * CELLS,
        temperatures_c=(25.0, 25.0), charge_fet_on=True, discharge_fet_on=True, balancing=False,
        protections=frozenset(), warnings=frozenset(),
    )  # fmt: skip


def watch(control: Path) -> None:
    """Ask for all that is known, again and again."""
    while True:
        time.sleep(LOOK_EVERY_S)
        with suppress(BridgeError):  # it has not begun yet
            ask(control, Status())


def measured(seconds: float, packs: int) -> dict[str, object]:
    """Both, turn by turn: the gateway with all its packs, and the bare server."""
    boards, ours, theirs = Boards(packs), Near(), Near()
    context = multiprocessing.get_context("fork")
    answering = context.Process(target=boards.run, daemon=True)
    answering.start()
    with tempfile.TemporaryDirectory() as folder:
        text = HEAD.format(folder=folder, profile=PROFILE, port=ours.path)
        text += "".join(PACK.format(number=number, port=port) for number, port in enumerate(boards.paths, 1))
        looking = context.Process(target=watch, args=(Path(folder) / "control.sock",), daemon=True)
        looking.start()
        config = Path(folder) / "config.toml"
        config.write_text(text)
        run = [sys.executable, "-m", "bridge", "run", str(config), "--log-level", "error"]
        gateway = subprocess.Popen(run)
        server = subprocess.Popen([sys.executable, "-c", SERVER, theirs.path])
        try:
            time.sleep(WARM_UP_S)
            turns: dict[str, list[float | None]] = {"gateway": [], "pymodbus": []}
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                for name, near in (("gateway", ours), ("pymodbus", theirs)):
                    turns[name].append(near.ask(QUESTION, ANSWER_BYTES))
                    time.sleep(GAP_S)
        finally:
            gateway.kill()
            server.kill()
            answering.kill()
            looking.kill()
            gateway.wait()
            server.wait()
    turnaround_s = profiles.asking(PROFILE).turnaround_s
    return {
        "packs": packs,
        "turnaround_ms": 1000 * turnaround_s,
        "gateway": _figures(turns["gateway"]),
        "gateway, less its turnaround": _figures(turns["gateway"], turnaround_s),
        "pymodbus": _figures(turns["pymodbus"]),
    }


def _figures(asked: Sequence[float | None], less_s: float = 0.0) -> dict[str, float]:
    answered_s = [one - less_s for one in asked if one is not None]
    if not answered_s:
        raise SystemExit("no question was answered")
    found: Spread = spread(answered_s)
    return found._asdict() | {"asked": len(asked), "unanswered": sum(one is None for one in asked)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long is asked")
    parser.add_argument("--packs", type=int, default=16, help="how many packs the gateway polls meanwhile")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    report = measured(options.seconds, options.packs)
    if options.json:
        print(json.dumps(report))
        return
    table = Table("first byte after the last, ms", "p50", "p99", "max", "asked", "unanswered")
    for name, one in report.items():
        if not isinstance(one, dict):
            continue
        times = [f"{one[key]:.2f}" for key in ("p50", "p99", "most")]
        table.add_row(name, *times, str(one["asked"]), str(one["unanswered"]))
    Console().print(table)
    print(f"{options.packs} packs were polled; the turnaround is {report['turnaround_ms']:g} ms")


if __name__ == "__main__":
    main()
