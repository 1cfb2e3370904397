"""How fast each protocol is decoded, and how near its polling comes to what the wire allows.

Run by hand: `python benchmarks/protocols.py [--seconds N] [--json] [NAME ...]`. A simulated pack answers over
a pseudo-terminal at the real baud rate, after the turnaround that its simulator gives; the real serial
link and the real driver poll it without a pause. The wire's limit is what the bytes of both directions
take, and what the device itself asks for: its turnaround, and the least gap between its reply and the next
request (`Spec.gap_s`, each with its source). `of it` is how many times longer a poll took. Decoding is
what one poll's replies cost, framing included, beside a plain sum of the same bytes in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from bridge.conversation import held
from bridge.links.link import Link
from bridge.links.opening import Opener
from bridge.protocols.contract import Decoder, Entry, Options, Payload, load, names
from bridge.sim.device import TURNAROUND_S
from bridge.sim.order import Order
from bridge.sim.run import Simulation
from bridge.sources.bus import Bus, Sampled, Unit

BITS_PER_BYTE = 10
CELLS = 16
SHARED_PACKS = 3
NO_PAUSE_S = 0.001
WARM_S = 2.0  # until every pack was opened; names and limits are read after 10 s
ROUNDS, LOOPS = 7, 100


@dataclass(frozen=True, slots=True)
class Figure:
    """One protocol with so many packs on a wire. us: microseconds a sample; None where nothing is polled."""

    protocol: str
    packs: int
    baudrate: int
    decode_us: float | None
    plain_sum_us: float | None
    polls_per_s: float
    wire_polls_per_s: float
    of_the_limit: float


class Counted:
    """A link that notes what crosses it, in both directions, with who said it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.crossed: list[tuple[bool, bytes]] = []

    async def run(self, up: Callable[[], None], receive: Callable[[Payload], None]) -> None:
        def note(payload: Payload) -> None:
            assert isinstance(payload, bytes)
            self.crossed.append((False, payload))
            receive(payload)

        await self._link.run(up, note)

    def write(self, payload: Payload) -> None:
        assert isinstance(payload, bytes)
        self.crossed.append((True, payload))
        self._link.write(payload)


async def measured(entry: Entry, packs: int, seconds: float) -> Figure:
    """Poll simulated packs on one wire as fast as it goes."""
    spec, baudrate = entry.spec, entry.spec.baudrate
    simulation = Simulation(Order(bms=entry.name, cells=CELLS, count=packs, baudrate=baudrate))
    living = asyncio.create_task(simulation.run())
    link = Counted(Opener().link(simulation.wirings[0].port, spec, baudrate))
    units = [
        Unit(str(address), entry.session(Options(address=address, cells=CELLS)), NO_PAUSE_S)
        for address in simulation.wirings[0].addresses
    ]
    bus = Bus(spec, entry.decoder(), units, baudrate=baudrate)
    loop = asyncio.get_running_loop()
    try:
        async with held(link) as line:
            samples, begin_s, end_s, warm_s = 0, 0.0, 0.0, loop.time() + WARM_S
            async for output in line.talk([bus], warm_s + 2 * seconds + WARM_S):
                if not isinstance(output, Sampled) or loop.time() < warm_s:
                    continue
                if not begin_s:
                    begin_s = loop.time()
                    link.crossed.clear()
                    continue
                samples, end_s = samples + 1, loop.time()
                if end_s - begin_s > seconds:
                    break
    finally:
        living.cancel()
        simulation.close()
    crossed = list(link.crossed)
    taken_s = (end_s - begin_s) / samples
    wire_bytes = sum(len(chunk) for _, chunk in crossed)
    requests = sum(sent for sent, _ in crossed)
    limit_s = (wire_bytes * BITS_PER_BYTE / baudrate + requests * (TURNAROUND_S + spec.gap_s)) / samples
    decode_us = best_us(lambda: replay(entry.decoder(), crossed)) / samples
    sum_us = best_us(lambda: [sum(chunk) for sent, chunk in crossed if not sent]) / samples
    return Figure(entry.name, packs, baudrate, decode_us, sum_us, 1 / taken_s, 1 / limit_s, taken_s / limit_s)


def replay(decoder: Decoder, crossed: list[tuple[bool, bytes]]) -> None:
    """Decode what was heard, with what was said in between; replies in one piece."""
    reply = b""
    for sent, chunk in crossed:
        if not sent:
            reply += chunk
            continue
        decoder.feed(reply)
        decoder.sent(chunk)
        reply = b""
    decoder.feed(reply)


def best_us(work: Callable[[], object]) -> float:
    """The best of some rounds, in microseconds a call: the code's cost without the machine's noise."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(LOOPS):
            work()
        times.append((time.perf_counter() - begin) / LOOPS)
    return 1e6 * min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "names", nargs="*", help="protocols; all that are polled over serial if none is given"
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each is polled")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of a table")
    options = parser.parse_args()
    figures = []
    for entry in map(load, options.names or names()):
        if "serial" not in entry.spec.links or entry.session(Options(cells=CELLS)).streams:
            continue
        for packs in (1, SHARED_PACKS) if entry.spec.shared else (1,):
            figures += [asyncio.run(measured(entry, packs, options.seconds))]
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures]))
        return
    table = Table(
        "protocol", "packs", "baud", "decode us", "plain sum us", "polls/s", "wire's limit/s", "of it"
    )
    for one in figures:
        table.add_row(
            one.protocol,
            str(one.packs),
            str(one.baudrate),
            f"{one.decode_us:.1f}",
            f"{one.plain_sum_us:.1f}",
            f"{one.polls_per_s:.2f}",
            f"{one.wire_polls_per_s:.2f}",
            f"{one.of_the_limit:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
