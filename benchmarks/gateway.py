"""How fast the gateway is: decoding, and from a sample to the bus. The cycle: see `can_cycle`.

Run by hand: `python benchmarks/gateway.py [--seconds N] [--json]`. Machines are noisy, so the decoder is
measured beside a plain checksum over the same bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import threading
import time
import tty
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import can
from rich.console import Console
from rich.table import Table

from bridge import config as configuration
from bridge.assembly import assemble
from bridge.logs import configure
from bridge.model import Reading
from bridge.protocols.contract import Message, Options, load

VECTORS = Path(__file__).parent.parent / "tests" / "vectors" / "jbd.json"
CELLS = 16
SETTLE_S = 4.0  # until the limits have risen and a fall can be seen
TAPER_V = (3.470, 3.545)  # over this the charge limit falls to nothing
STEP_V = 0.001

CONFIG = """
[gateway]
name = "benchmark"

[bank]
rise_after_s = 1
rise_pct_per_s = 100

[packs.one]
bms = "jbd"
port = "{port}"
cells = 16
capacity_ah = 280
rated_current_a = 140
period_s = 0.25

[inverters.house]
profile = "deye-lv"
interface = "virtual"
channel = "benchmark"
"""


class Spread(NamedTuple):
    """Percentiles of a measured figure, all in ms."""

    p50: float
    p99: float
    most: float
    samples: int


def spread(values_s: Sequence[float]) -> Spread:
    ordered = sorted(1e3 * value for value in values_s)
    last = len(ordered) - 1
    return Spread(ordered[last // 2], ordered[int(0.99 * last)], ordered[last], len(ordered))


def best_us(work: Callable[[], object], rounds: int = 7, loops: int = 200) -> float:
    """The best of some rounds, in microseconds a call: the code's cost without the machine's noise."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(loops):
            work()
        times.append((time.perf_counter() - begin) / loops)
    return 1e6 * min(times)


def decoding() -> dict[str, float]:
    """Microseconds a JBD message, framing included, over real captures; beside a plain sum of the bytes."""
    frames = [
        bytes.fromhex("".join(vector["chunks_hex"]))
        for vector in json.loads(VECTORS.read_text())
        if vector["expect"].get("command") in {3, 4}
    ]
    decoder = load("jbd").decoder()
    assert sum(isinstance(one, Message) for frame in frames for one in decoder.feed(frame)) == len(frames)
    message_us = best_us(lambda: [decoder.feed(frame) for frame in frames]) / len(frames)
    sum_us = best_us(lambda: [sum(frame) for frame in frames]) / len(frames)
    return {"message_us": message_us, "plain_sum_us": sum_us, "ratio": message_us / sum_us}


class Board(threading.Thread):
    """A JBD board on a pty whose cells rise after a while; notes when each new voltage left it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._near, far = os.openpty()
        tty.setraw(far)
        self.path = os.ttyname(far)
        self.left_s: list[float] = []
        self._device = load("jbd").device(Options(cells=CELLS))
        self._started_s = time.monotonic()
        self._cell_v = 3.40

    def run(self) -> None:
        while True:
            request = os.read(self._near, 512)
            asks_cells = request[2:3] == b"\x04"
            if asks_cells and time.monotonic() - self._started_s > SETTLE_S:
                self._cell_v = min(TAPER_V[1], max(TAPER_V[0], self._cell_v) + STEP_V)
            for answer in self._device.receive(request, self._reading()):
                assert isinstance(answer, bytes)
                if asks_cells:
                    self.left_s.append(time.monotonic())
                os.write(self._near, answer)

    def _reading(self) -> Reading:
        return Reading(
            voltage_v=CELLS * self._cell_v, current_a=20.0, soc_pct=80, remaining_ah=224.0, full_ah=280.0,
            design_ah=280.0, cycles=10, cell_count=CELLS, cell_voltages_v=(self._cell_v,) * CELLS,
            temperatures_c=(25.0, 25.0), charge_fet_on=True, discharge_fet_on=True, balancing=False,
            protections=frozenset(), warnings=frozenset(),
        )  # fmt: skip


def latency(seconds: float) -> Spread:
    """From the reply's last byte at the port to the frame with the lower limit at the inverter's end."""
    board = Board()
    board.start()
    seen: list[tuple[float, int]] = []

    def listen(bus: can.BusABC) -> None:
        while (message := bus.recv(2.0)) is not None:
            if message.arbitration_id == 0x351:
                seen.append((time.monotonic(), int.from_bytes(message.data[2:4], "little")))

    async def gateway() -> None:
        runtime = assemble(configuration.parse(CONFIG.format(port=board.path), "benchmark"))
        asyncio.get_running_loop().call_later(seconds, runtime.stop)
        await runtime.run(signals=False)

    with can.Bus(interface="virtual", channel="benchmark") as bus:
        listener = threading.Thread(target=listen, args=(bus,))
        listener.start()
        asyncio.run(gateway())
        listener.join()
    falls = [now_s for (_, before), (now_s, after) in pairwise(seen) if 0 < after < before]
    return spread([fall_s - max(left_s for left_s in board.left_s if left_s < fall_s) for fall_s in falls])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each figure is measured")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    configure("error")
    decode = decoding()
    to_frame = latency(SETTLE_S + options.seconds)
    if options.json:
        report = {"decode_us": decode, "sample_to_frame_ms": to_frame._asdict()}
        print(json.dumps(report))
        return
    console = Console()
    console.print(
        f"JBD: {decode['message_us']:.2f} us a message, {decode['ratio']:.0f} times a plain sum of its bytes"
    )
    table = Table("figure, ms", "p50", "p99", "max", "count")
    cells = (f"{to_frame.p50:.3f}", f"{to_frame.p99:.3f}", f"{to_frame.most:.3f}", str(to_frame.samples))
    table.add_row("sample to frame", *cells)
    console.print(table)


if __name__ == "__main__":
    main()
