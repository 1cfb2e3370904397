"""How even a cycle of six frames is on the bus, and what it costs: ours beside python-can's own.

    python benchmarks/can_cycle.py                       the thread, on python-can's virtual bus
    python benchmarks/can_cycle.py --channel vcan0       the kernel's broadcast manager, on SocketCAN
    python benchmarks/can_cycle.py --channel vcan0 --busy

Run by hand. Each figure is measured beside python-can's `send_periodic` in the same run: |gap between
two cycles - period| as the other end of the bus sees it (SocketCAN: by the kernel's time stamps), and
this process's CPU time for each cycle, both with the listener's share in it. --busy: the interpreter
is blocked for 100 ms again and again, as by a long garbage collection; python-can's SocketCAN tasks
are the kernel's too, and so are not disturbed either, but they end for no one who hangs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import can
from rich.console import Console
from rich.table import Table

from bridge.links.bcm import BcmSender
from bridge.links.cyclic import CyclicSender
from bridge.links.sender import Sender
from bridge.model import CanFrame

PERIODS_S = (1.0, 0.1, 0.01)
FRAMES = [CanFrame(can_id, bytes(8)) for can_id in (0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E)]
REARM_S = 0.5  # as the engine's decisions do
VALID_S = 3.0
LONG = [(7 * i) % 1_000_003 for i in range(700_000)]  # sorting it takes about 100 ms


class Figures(NamedTuple):
    """Interval errors in ms, CPU time in us, and how many gaps were measured."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_us: float
    gaps: int


def message(frame: CanFrame) -> can.Message:
    return can.Message(arbitration_id=frame.can_id, data=frame.data, is_extended_id=False)


def block(until_s: float) -> None:
    """Keep the interpreter to oneself for about 100 ms, again and again."""
    while time.monotonic() < until_s:
        begin_s = time.monotonic()
        sorted(LONG)  # one call of C code: no other thread gets a turn in it
        time.sleep(max(0.05, time.monotonic() - begin_s))


def listen(bus: can.BusABC, seconds: float) -> list[float]:
    """When the first frame of each cycle came."""
    heard: list[float] = []
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        one = bus.recv(left_s)
        if one is not None and one.arbitration_id == FRAMES[0].can_id:
            heard.append(one.timestamp)
    return heard


async def ours(
    near: can.BusABC, channel: str | None, period_s: float, far: can.BusABC, seconds: float
) -> list[float]:
    def send(frame: CanFrame) -> None:
        near.send(message(frame))

    sender: Sender = CyclicSender(send, period_s) if channel is None else BcmSender(channel, period_s, send)
    listening = asyncio.create_task(asyncio.to_thread(listen, far, seconds))
    while not listening.done():
        sender.arm(FRAMES, VALID_S)
        await asyncio.wait([listening], timeout=REARM_S)
    sender.stop()
    return listening.result()


async def stock(near: can.BusABC, period_s: float, far: can.BusABC, seconds: float) -> list[float]:
    tasks = [near.send_periodic(message(frame), period_s) for frame in FRAMES]
    heard = await asyncio.to_thread(listen, far, seconds)
    for task in tasks:
        task.stop()
    return heard


def measure(channel: str | None, period_s: float, seconds: float, *, own: bool, busy: bool) -> Figures:
    interface = "virtual" if channel is None else "socketcan"
    with (
        can.Bus(interface=interface, channel=channel or "cycle") as near,
        can.Bus(interface=interface, channel=channel or "cycle") as far,
    ):
        if busy:
            threading.Thread(target=block, args=(time.monotonic() + seconds,), daemon=True).start()
        begin_s = time.process_time()
        run = ours(near, channel, period_s, far, seconds) if own else stock(near, period_s, far, seconds)
        heard = asyncio.run(run)
        used_s = time.process_time() - begin_s
    return figures([after - before for before, after in pairwise(heard)], period_s, used_s)


def figures(gaps_s: Sequence[float], period_s: float, used_s: float) -> Figures:
    errors_ms = sorted(1e3 * abs(gap_s - period_s) for gap_s in gaps_s)
    last = len(errors_ms) - 1
    return Figures(
        errors_ms[last // 2],
        errors_ms[int(0.99 * last)],
        errors_ms[last],
        1e6 * used_s / len(gaps_s),
        len(gaps_s),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--channel", help="a SocketCAN interface; without it, a virtual bus")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each figure is measured")
    parser.add_argument("--busy", action="store_true", help="block the interpreter meanwhile")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    rows: dict[str, Figures] = {}
    for period_s in PERIODS_S:
        for name, own in (("packbridge", True), ("python-can", False)):
            seconds = max(options.seconds, 5 * period_s)
            rows[f"{name} {period_s:g} s"] = measure(
                options.channel, period_s, seconds, own=own, busy=options.busy
            )
    if options.json:
        print(json.dumps({name: one._asdict() for name, one in rows.items()}))
        return
    table = Table("cycle", *Figures._fields)
    for name, one in rows.items():
        table.add_row(name, *(f"{value:.3f}" for value in one[:-2]), f"{one.cpu_us:.0f}", str(one.gaps))
    Console().print(table)


if __name__ == "__main__":
    main()
