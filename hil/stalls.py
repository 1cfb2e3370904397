"""When this machine stood still: lateness that no program on it can be blamed for.

An emulated processor stops whenever its host has something else to do. A thread on each processor sleeps
for a moment again and again and notes when it woke up late. A test that has to keep a bound in real time
takes off what fell into its stretch, and keeps the bound itself.
"""

from __future__ import annotations

import os
import threading
import time

TICK_S = 0.02
LATE_S = 0.02  # what any machine may be late


class Stalls:
    """Watches from now until `close`."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []  # begin and end, by the clock of the day
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(cpu,), daemon=True) for cpu in os.sched_getaffinity(0)
        ]
        for thread in self._threads:
            thread.start()

    def within_s(self, begin_s: float, end_s: float) -> float:
        """How long a processor stood still in a stretch, by `time.time`; where two did at once, once."""
        total_s, counted_s = 0.0, begin_s
        for since_s, until_s in sorted([*self.seen]):
            last_s = min(until_s, end_s)
            total_s += max(0.0, last_s - max(since_s, counted_s))
            counted_s = max(counted_s, last_s)
        return total_s

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})  # of this thread
        while not self._over.is_set():
            due_s = time.monotonic() + TICK_S
            time.sleep(TICK_S)
            late_s = time.monotonic() - due_s
            if late_s > LATE_S:
                now = time.time()
                self.seen.append((now - late_s, now))
