"""The bank behind a clock, with cells that may live faster than it.

Only the cells hurry: charge, polarisation and heat run `speed` times as fast. The delays of the
BMSs stay on the clock, like the gateway and the inverter that they are there to be measured
against; otherwise a hurried over-current trip would come before any inverter could obey.
"""

from __future__ import annotations

from math import ceil

from bridge.sim.bank import ParallelBank

LONGEST_STEP_S = 0.5  # of a cell's time; no steeper than the knees of the curve forgive


class Plant:
    """A bank that lives along with the time it is given."""

    def __init__(self, bank: ParallelBank, *, speed: float = 1.0) -> None:
        self.bank = bank
        self.speed = speed
        self._now: float | None = None

    @property
    def bus_voltage_v(self) -> float:
        """Voltage on the common bus, V; 0 if no pack feeds it."""
        return self.bank.last.bus_v

    @property
    def current_a(self) -> float:
        """What really flows into the bank, A; less than was asked for where switches are open."""
        return self.bank.last.total_a

    def advance(self, now: float, inverter_current_a: float) -> None:
        """Live until `now` with this current asked for; the first call only sets the clock."""
        elapsed_s = 0.0 if self._now is None else now - self._now
        self._now = now
        if elapsed_s <= 0:
            self.bank.last = self.bank.solve(inverter_current_a)
            return
        steps = ceil(elapsed_s * self.speed / LONGEST_STEP_S)
        dt_s = elapsed_s / steps
        for _ in range(steps):
            self.bank.step(inverter_current_a, dt_s, cells_dt_s=dt_s * self.speed)
