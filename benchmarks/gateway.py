"""How fast the gateway is: decoding, and from a sample to the bus. The cycle: see `can_cycle`.

Run by hand: `python -m benchmarks.gateway [--samples N] [--json]`. Machines are noisy, so the decoder is
measured beside a plain checksum over the same bytes, and each part of the way with the thread's own CPU time.

From a sample to the bus: a JBD board and a serial CAN adapter are played by another process, over
pseudo-terminals, so that nothing of theirs is counted. The cells rise until the charge limit has fallen
to nothing, recover, and rise again. Counted is each sample whose limit does not wait for the cycle, from
before the reply's last byte is written to when the frame with the lower limit is read at the adapter's
end; however late that is, it is counted for the sample that caused it. The kernel hands on what is in a
pseudo-terminal when it has the time; "in the gateway" leaves that out at both ends. A profile may want
time between two frames, and then a sample that meets a cycle under way waits for it: so Deye's is measured
as it is, and without its spacing. On a machine that others use too, `chrt -f 10` in front keeps them off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import tempfile
import threading
import time
import tty
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import can
from can.interfaces.slcan import slcanBus
from rich.console import Console
from rich.table import Table

from bridge import config as configuration
from bridge import profiles
from bridge.assembly import assemble
from bridge.cli.run import quiet
from bridge.events import Action, Event, Received
from bridge.logs import configure
from bridge.model import CanFrame, Reading
from bridge.protocols.contract import Message, Options, load
from bridge.runtime import Runtime

VECTORS = Path(__file__).parent.parent / "tests" / "vectors" / "jbd.json"
PROFILE = "deye-lv"
CELLS = 16
LIMITS = 0x351
REST_V, TAPER_V, STEP_V = 3.40, 3.470, 0.001  # over the second the charge limit falls to nothing
FALLS = 22  # steps up to there
RESTS = 30  # samples, until the limit has risen again
WARM_UP_S = 4.0
MATCH_S = 1.0  # a frame that comes later than this belongs to no sample

CONFIG = """
[gateway]
name = "benchmark"
control = "off"

[bank]
rise_after_s = 1
rise_pct_per_s = 100

[packs.one]
bms = "jbd"
port = "{board}"
cells = 16
capacity_ah = 280
rated_current_a = 140
period_s = 0.1

[inverters.house]
profile = "{profile}"
interface = "slcan"
channel = "{adapter}"
"""


class Spread(NamedTuple):
    """Percentiles of a measured figure, all in ms."""

    p50: float
    p90: float
    p99: float
    most: float
    samples: int


def spread(values_s: Sequence[float]) -> Spread:
    ordered = sorted(1e3 * value for value in values_s)
    last = len(ordered) - 1
    return Spread(
        ordered[last // 2], ordered[int(0.9 * last)], ordered[int(0.99 * last)], ordered[last], len(ordered)
    )


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
    """A JBD board whose cells rise and recover; notes when each new voltage left it."""

    def __init__(self, near: int) -> None:
        super().__init__(daemon=True)
        self._near = near
        self.left_s: list[float] = []
        self._device = load("jbd").device(Options(cells=CELLS))
        self._started_s = time.monotonic()
        self._count = 0

    def run(self) -> None:
        while True:
            request = os.read(self._near, 512)
            asks_cells = request[2:3] == b"\x04"
            for answer in self._device.receive(request, self._reading()):
                assert isinstance(answer, bytes)
                if asks_cells:
                    self._count += time.monotonic() - self._started_s > WARM_UP_S
                    self.left_s.append(time.monotonic())
                os.write(self._near, answer)

    def _reading(self) -> Reading:
        step = self._count % (FALLS + RESTS)
        cell_v = TAPER_V + step * STEP_V if 0 < step <= FALLS else REST_V
        return Reading(
            voltage_v=CELLS * cell_v, current_a=20.0 + self._count % 7 / 10, soc_pct=80, remaining_ah=224.0,
            full_ah=280.0, design_ah=280.0, cycles=10, cell_count=CELLS, cell_voltages_v=(cell_v,) * CELLS,
            temperatures_c=(25.0, 25.0), charge_fet_on=True, discharge_fet_on=True, balancing=False,
            protections=frozenset(), warnings=frozenset(),
        )  # fmt: skip


Came = tuple[float, str]
"""When a frame came, and its data in hexadecimal digits."""


class Adapter(threading.Thread):
    """A serial CAN adapter; notes when each frame with limits came, and what it said."""

    def __init__(self, near: int) -> None:
        super().__init__(daemon=True)
        self._near = near
        self.came: list[Came] = []

    def run(self) -> None:
        pending = ""
        while True:
            pending += os.read(self._near, 4096).decode("ascii")
            now = time.monotonic()
            *said, pending = pending.split("\r")
            self.came += [(now, one[5:]) for one in said if one.startswith(f"t{LIMITS:X}")]


def play(end: Connection) -> None:
    """The process with the other ends: says where they are, and at last what they noted."""
    ends = [os.openpty() for _ in range(2)]
    for _, far in ends:
        tty.setraw(far)
    (board_near, board_far), (adapter_near, adapter_far) = ends
    board, adapter = Board(board_near), Adapter(adapter_near)
    board.start()
    adapter.start()
    end.send((os.ttyname(board_far), os.ttyname(adapter_far)))
    end.recv()
    end.send((board.left_s, adapter.came))


WHOLE = 2  # the rows that are not of parts


class Lap:
    """What an event and the decision after it cost: seconds by part, of the clock and this thread's CPU."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.wall_s: defaultdict[str, float] = defaultdict(float)
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        self.armed_s = 0.0
        self.limits = ""  # as the adapter is to be given them


class Stopwatch:
    """Stands around an engine and before its sender: measures the parts of what follows from each event
    after which a limit does not wait.
    """

    def __init__(self, runtime: Runtime, *, parts: bool) -> None:
        self.laps: list[Lap] = []
        self.handed: list[Came] = []  # to the adapter's driver, and taken by it
        self._lap = Lap(0.0)
        gateway = runtime.gateway
        sink = gateway.sinks["house"]
        timed: Sequence[tuple[object, str, str]] = (
            (gateway.sources, "received", "decode"),
            (gateway.aggregator, "heard", "decide"),
            (gateway.aggregator, "decide", "decide"),
            (sink, "frames", "encode"),
            (gateway, "handle", "engine"),
        )
        for owner, name, part in timed if parts else ():
            with suppress(AttributeError):  # what is compiled is not to be measured from outside
                setattr(owner, name, self._timed(getattr(owner, name), part))
        for bus, name in ((slcanBus, "send"),):
            setattr(bus, name, self._noted(getattr(bus, name)))
        self._engine, self._sender = gateway, runtime.senders["house"]
        runtime.engine, runtime.senders["house"] = self, self
        self.next_wakeup = self._engine.next_wakeup
        self.finish, self.stop = self._sender.finish, self._sender.stop
        self.wait_finished = self._sender.wait_finished

    def handle(self, event: Event, now: float) -> list[Action]:
        if isinstance(event, Received):  # what is decided on the wake-up behind it is of its lap
            self._lap = Lap(time.monotonic())
        return self._engine.handle(event, now)

    def arm(self, frames: Sequence[CanFrame], valid_for_s: float, *, urgent: Sequence[CanFrame] = ()) -> None:
        self._lap.armed_s = time.monotonic()
        if limits := [one.data.hex().upper() for one in urgent if one.can_id == LIMITS]:
            self._lap.limits = limits[0]
            self.laps.append(self._lap)
        self._sender.arm(frames, valid_for_s, urgent=urgent)

    def _noted(self, send: Callable[..., None]) -> Callable[..., None]:
        def noted(bus: slcanBus, message: can.Message, timeout: float | None = None) -> None:
            send(bus, message, timeout)
            if message.arbitration_id == LIMITS:
                self.handed.append((time.monotonic(), message.data.hex().upper()))

        return noted

    def _timed(self, call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            wall_s, cpu_s = time.monotonic(), time.thread_time()
            try:
                return call(*arguments)
            finally:
                self._lap.cpu_s[part] += time.thread_time() - cpu_s
                self._lap.wall_s[part] += time.monotonic() - wall_s

        return timed


def latency(profile: str, samples: int, *, parts: bool) -> dict[str, Spread]:
    """The whole way, and its parts, for at least so many samples."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    peers = context.Process(target=play, args=(theirs,), daemon=True)
    peers.start()
    board, adapter = ours.recv()
    watches: list[Stopwatch] = []

    async def gateway() -> None:
        config = CONFIG.format(board=board, adapter=adapter, profile=profile)
        runtime = assemble(configuration.parse(config, "benchmark"))
        watches.append(Stopwatch(runtime, parts=parts))
        quiet()
        running = asyncio.create_task(runtime.run(signals=False))
        while len(watches[0].laps) < samples and not running.done():
            await asyncio.sleep(0.5)
        runtime.stop()
        await running

    asyncio.run(gateway())
    ours.send(None)
    left_s, came = ours.recv()
    peers.join()
    return rows_of(watches[0], left_s, came, parts=parts)


def rows_of(
    watch: Stopwatch, left_s: Sequence[float], came: Sequence[Came], *, parts: bool
) -> dict[str, Spread]:
    """Each figure over all samples. A limit that never came counts for as long as it was looked for."""
    rows: dict[str, list[float]] = {}
    for lap in watch.laps:
        begin_s = max(one for one in left_s if one < lap.now)
        end_s, handed_s = (
            next((at_s for at_s, data in noted if at_s > begin_s and data == lap.limits), begin_s + MATCH_S)
            for noted in (came, watch.handed)
        )
        row = {
            "sample to frame": end_s - begin_s,
            "in the gateway": handed_s - lap.now,
            "wire, thread, loop": lap.now - begin_s,
            "decode": lap.wall_s["decode"],
            "decide": lap.wall_s["decide"],
            "encode": lap.wall_s["encode"],
            "rest of the engine": lap.wall_s["engine"]
            - sum(lap.wall_s[one] for one in ("decode", "decide", "encode")),
            "to the sender": lap.armed_s - lap.now - lap.wall_s["engine"],
            "sender, adapter's driver": handed_s - lap.armed_s,
            "wire": end_s - handed_s,
            "CPU decode": lap.cpu_s["decode"],
            "CPU decide": lap.cpu_s["decide"],
            "CPU encode": lap.cpu_s["encode"],
            "CPU engine in all": lap.cpu_s["engine"],
        }
        for name, value_s in row.items() if parts else list(row.items())[:WHOLE]:
            rows.setdefault(name, []).append(value_s)
    return {name: spread(values_s) for name, values_s in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=300, help="at least so many for each profile")
    parser.add_argument("--whole", action="store_true", help="without the parts, which take time too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    options = parser.parse_args()
    configure("error")
    decode = decoding()
    found: dict[str, dict[str, Spread]] = {}
    with tempfile.TemporaryDirectory() as folder:
        unspaced = Path(folder) / f"{PROFILE}-unspaced.toml"
        written = profiles.load(PROFILE).path.read_text()
        unspaced.write_text(re.sub(r"^spacing_s = .*$", "spacing_s = 0.0", written, flags=re.MULTILINE))
        for name, profile in (("unspaced", str(unspaced)), ("as it is", PROFILE)):
            found[f"{PROFILE}, {name}"] = latency(profile, options.samples, parts=not options.whole)
    if options.json:
        report = {name: {part: one._asdict() for part, one in rows.items()} for name, rows in found.items()}
        print(json.dumps({"decode_us": decode, "sample_to_frame_ms": report}))
        return
    console = Console()
    console.print(
        f"JBD: {decode['message_us']:.2f} us a message, {decode['ratio']:.0f} times a plain sum of its bytes"
    )
    for name, rows in found.items():
        table = Table(f"{name}; ms", "p50", "p90", "p99", "max", "count")
        for part, one in rows.items():
            table.add_row(part, *(f"{value:.3f}" for value in one[:-1]), str(one.samples))
        console.print(table)


if __name__ == "__main__":
    main()
