"""How fast dumps are decoded to Parquet, counted and linted, and in how much memory, from 1e5 to 1e7 frames.

Run by hand: `python -m benchmarks.dump [--frames N ...] [--json]`. A candump log of a Pylontech rack and an
inverter's answer is made; each figure is a process of its own on one core, the best of five. Time is that of
the processor, without imports. `times` is how many times quicker than python-can's reader with cantools,
measured in the same session on the first 1e5 frames; counting lines stands beside, as a measure of the
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

DIALECT, PROFILE = "pylontech-lv", "deye-lv"
SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
JUDGED = 100_000  # frames for python-can and cantools, which are linear and slow
ROUNDS = 5
KB_IN_MB = 1024


def made(path: Path, frames: int) -> Path:
    """A log of so many frames, seven a cycle, with values that drift as a battery's do."""
    chance = random.Random(1)
    voltage, time_s = 5300, 1_700_000_000.0
    with path.open("w") as file:
        for cycle in range(-(-frames // 7)):
            voltage = max(4400, min(5700, voltage + chance.choice((-1, 0, 0, 0, 1))))
            current = chance.randrange(-500, 500) & 0xFFFF
            soc = 20 + cycle // 500 % 80
            data = (
                f"351#3002{chance.randrange(900, 1000).to_bytes(2, 'little').hex()}DC05CC01",
                f"355#{soc:02X}006300",
                f"356#{voltage.to_bytes(2, 'little').hex()}{current.to_bytes(2, 'little').hex()}E600",
                "359#0000000004504E",
                "35C#C000",
                "35E#50594C4F4E202020",
                "305#0000000000000000",
            )
            lines = []
            for one in data[: frames - 7 * cycle]:
                time_s += 0.14 + chance.random() * 0.001
                lines.append(f"({time_s:.6f}) can0 {one.upper()}\n")
            file.write("".join(lines))
    return path


def parquet(path: Path) -> Callable[[], int]:
    import pyarrow as pa
    import pyarrow.parquet  # so that it counts as an import

    from bridge.dump.decoding import chosen
    from bridge.dump.problems import Problems
    from bridge.dump.reading import read
    from bridge.dump.tables import write_parquet

    pa.set_cpu_count(1)
    decoding = chosen(dialects=[DIALECT])
    return lambda: write_parquet(read([str(path)], Problems()), decoding, path.with_suffix(".parquet"))


def stats(path: Path) -> Callable[[], int]:
    from bridge.dump.problems import Problems
    from bridge.dump.reading import read
    from bridge.dump.stats import statistics

    return lambda: sum(one.frames for one in statistics(read([str(path)], Problems())).values())


def lint(path: Path) -> Callable[[], int]:
    from bridge.dump import lint as linting
    from bridge.dump.problems import Problems
    from bridge.dump.reading import read

    case = linting.case_of(PROFILE, None)
    assert case is not None  # it is named

    def linted() -> int:
        linter, frames = linting.Linter(case), 0
        for block in read([str(path)], Problems()):
            linter.add(block)
            frames += len(block.time_s)
        linter.findings()
        return frames

    return linted


def count_lines(path: Path) -> Callable[[], int]:
    def counted() -> int:
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 21), b""))

    return counted


def judge(path: Path) -> Callable[[], int]:
    import can
    import cantools
    from cantools.database.can import Database

    from bridge.dump.decoding import dialect_paths

    database = cantools.database.load_file(dialect_paths()[DIALECT])
    assert isinstance(database, Database)

    def run() -> int:
        with can.LogReader(path) as reader:
            decoded = (database.decode_message(one.arbitration_id, bytes(one.data)) for one in reader)
            return sum(1 for _ in decoded)

    return run


WORK = {"parquet": parquet, "stats": stats, "lint": lint, "lines": count_lines, "judge": judge}


def measured(work: str, path: Path) -> dict[str, float]:
    """The best of some processes that do only this: nanoseconds a frame, and megabytes at most."""
    found = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-m", "benchmarks.dump", "--work", work, "--log", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    return min(found, key=lambda one: one["ns"])


def work(name: str, path: Path) -> None:
    """One measurement, in a process of its own."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run = WORK[name](path)
    before_s = time.process_time()
    frames = run()
    spent_s = time.process_time() - before_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KB_IN_MB
    print(json.dumps({"ns": spent_s / frames * 1e9, "peak_mb": peak_mb, "frames": frames}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.log)
        return
    with tempfile.TemporaryDirectory() as folder:
        judged = measured("judge", made(Path(folder) / "judge.log", JUDGED))
        print(f"python-can and cantools: {judged['ns'] / 1000:.1f} us a frame, {judged['peak_mb']:.0f} MB")
        print(HEAD)
        for frames in options.frames:
            log = made(Path(folder) / "dump.log", frames)
            figures = {name: measured(name, log) for name in ("lines", "parquet", "stats", "lint")}
            for figure in figures.values():
                figure["times"] = judged["ns"] / figure["ns"]
            if options.json:
                print(json.dumps({"frames": frames, "judge": judged, **figures}))
            else:
                print(row(frames, figures))


def row(frames: int, figures: dict[str, dict[str, float]]) -> str:
    cells = [f"{frames:>10}", f"{figures['lines']['ns']:>9.1f}"]
    for name in ("parquet", "stats", "lint"):
        one = figures[name]
        cells.append(
            f"{one['ns']:>9.0f} {1000 / one['ns']:>7.2f} {one['times']:>6.0f} {one['peak_mb']:>6.0f}"
        )
    return "  ".join(cells)


HEAD = "\n".join(
    (
        f"{'':>10}  {'lines':>9}  {'decode --parquet':>31}  {'stats':>31}  {'lint':>31}",
        f"{'frames':>10}  {'ns':>9}" + f"  {'ns':>9} {'M/s':>7} {'times':>6} {'MB':>6}" * 3,
    )
)

if __name__ == "__main__":
    main()
