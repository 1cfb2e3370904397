"""Stands between the protocols and the battery: what cannot be true goes no further.

The one idea: a value that is not believed is replaced by the last one that was, for a bounded time
and with its honest age, and after that by None, which restricts. Nothing here ever widens a limit,
and every rejection is counted under its own name.

One trade is made on purpose. Single-read spikes of cell voltages are a known fault of BMS links
(Louisvdw/dbus-serialbattery, issue 1046). So a jump of more than 0.3 V in one sample that no step of
the current explains is held back, once: for that sample it neither raises nor lowers a limit. If it
was true, the stop comes one sample later, inside the seconds that a BMS's own over-voltage delay
takes. Everything smaller acts in its own sample.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from bridge.battery.cell_check import CELL_HIGH_V, CellCheck
from bridge.battery.rejections import Findings, Rejection
from bridge.battery.timing import fresh_s
from bridge.model import PackSample, PackSettings

TEMPERATURE_LOW_C: Final = -40.0
TEMPERATURE_HIGH_C: Final = 120.0
STEP_A: Final = 20.0  # a change of current from which on cell voltages may jump
FROZEN_AFTER: Final = 20  # identical samples in a row ...
FROZEN_CURRENT_A: Final = 5.0  # ... while more than this flows: nobody measures any more
# Boards trip at once at 2 to 3 times their rating; half as much again is noise.
OVERCURRENT_FACTOR: Final = 1.5 * 3.0
FLOAT_MAX: Final = sys.float_info.max
MOSFET: Final = -1  # the key of this probe; the cells' are 0, 1, ...
CLOCK_TOLERANCE_S: Final = 1.0  # a sample from further ahead than this has no usable time


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be used of a sample. sample: None if there is nothing new in it. plausible: whether it
    speaks for the pack being what the settings say.
    """

    sample: PackSample | None
    plausible: bool


class Plausibility:
    """Judges the samples of one pack, in the order in which they arrive."""

    def __init__(self, settings: PackSettings) -> None:
        self._findings = Findings()
        # Less than fresh_s by one period: a held value's age alone must not make the pack stale.
        self._hold_s = fresh_s(settings) - settings.period_s
        self._cells = CellCheck(settings, self._hold_s, self._findings)
        self._voltage_high_v = CELL_HIGH_V * settings.cells
        self._current_high_a = OVERCURRENT_FACTOR * max(
            settings.rated_charge_current_a, settings.rated_discharge_current_a
        )
        self._time_s = -inf
        self._held: dict[
            str | int, tuple[float, float]
        ] = {}  # field or probe -> last believed value, its time
        self._oldest_s = -inf
        self._picture: tuple[object, ...] = ()
        self._repeats = 0

    @property
    def counters(self) -> Counter[str]:
        """How often each `Rejection` happened since the start."""
        return self._findings.counters

    def check(self, sample: PackSample, now: float) -> Verdict:
        """What may be used of `sample`; its time_s is that of the oldest value in it, held ones included."""
        if not self._time_s < sample.time_s <= now + CLOCK_TOLERANCE_S:
            self._findings.add(Rejection.NOT_NEWER)
            return Verdict(None, plausible=True)
        self._time_s = self._oldest_s = sample.time_s
        if self._frozen(sample):
            self._findings.add(Rejection.FROZEN)
            return Verdict(None, plausible=True)
        self._findings.clear()
        checked = self._checked(sample)
        return Verdict(checked, plausible=self._findings.plausible)

    def _frozen(self, sample: PackSample) -> bool:
        picture = (
            sample.voltage_v,
            sample.current_a,
            sample.soc,
            sample.remaining_ah,
            sample.cell_voltages_v,
            sample.temperatures_c,
            sample.mosfet_temperature_c,
        )
        self._repeats = self._repeats + 1 if picture == self._picture else 0
        self._picture = picture
        return self._repeats >= FROZEN_AFTER and abs(sample.current_a or 0.0) > FROZEN_CURRENT_A

    def _checked(self, sample: PackSample) -> PackSample:
        current_a, stepped = self._current(sample.current_a)
        voltage_v, cells_v, cells_s = self._cells.check(
            sample.voltage_v, sample.cell_voltages_v, sample.time_s, stepped=stepped
        )
        self._oldest_s = min(self._oldest_s, cells_s)
        soc = self._field("soc", sample.soc, 0.0, 1.0, Rejection.SOC_RANGE)
        temperatures_c = tuple([self._probe(i, t) for i, t in enumerate(sample.temperatures_c)])
        mosfet_c = self._probe(MOSFET, sample.mosfet_temperature_c)
        volts, amps, amounts = self._limits(sample)
        if self._findings.none:
            return sample
        return replace(
            sample,
            time_s=self._oldest_s,
            voltage_v=voltage_v,
            current_a=current_a,
            cell_voltages_v=cells_v,
            soc=soc,
            temperatures_c=temperatures_c,
            mosfet_temperature_c=mosfet_c,
            charge_voltage_limit_v=volts[0],
            discharge_voltage_limit_v=volts[1],
            charge_current_limit_a=amps[0],
            discharge_current_limit_a=amps[1],
            soh=amounts[0],
            remaining_ah=amounts[1],
            full_ah=amounts[2],
            design_ah=amounts[3],
        )

    def _current(self, current_a: float | None) -> tuple[float | None, bool]:
        """The current, and whether it stepped since the last sample."""
        before_a, _ = self._held.get("current_a", (None, -inf))
        limit_a = self._current_high_a
        current_a = self._field("current_a", current_a, -limit_a, limit_a, Rejection.CURRENT_RANGE)
        if current_a is None or before_a is None:
            return current_a, False
        return current_a, abs(current_a - before_a) > STEP_A

    def _limits(
        self, sample: PackSample
    ) -> tuple[list[float | None], list[float | None], list[float | None]]:
        """Voltage limits, current limits, amounts: dropped where they cannot be true."""
        voltages_v = (sample.charge_voltage_limit_v, sample.discharge_voltage_limit_v)
        currents_a = (sample.charge_current_limit_a, sample.discharge_current_limit_a)
        amounts = (sample.soh, sample.remaining_ah, sample.full_ah, sample.design_ah)
        return (
            [self._positive(v, self._voltage_high_v, Rejection.LIMIT_RANGE) for v in voltages_v],
            [self._positive(a, FLOAT_MAX, Rejection.LIMIT_RANGE) for a in currents_a],
            [self._positive(x, FLOAT_MAX, Rejection.CAPACITY_RANGE) for x in amounts],
        )

    def _field(
        self, name: str | int, value: float | None, low: float, high: float, rejection: Rejection
    ) -> float | None:
        if value is None:
            return None
        if low <= value <= high:
            self._held[name] = value, self._time_s
            return value
        self._findings.add(rejection)
        last, last_s = self._held.get(name, (0.0, -inf))
        if self._time_s - last_s > self._hold_s:
            return None
        self._oldest_s = min(self._oldest_s, last_s)
        return last

    def _probe(self, key: int, value_c: float | None) -> float | None:
        return self._field(key, value_c, TEMPERATURE_LOW_C, TEMPERATURE_HIGH_C, Rejection.TEMPERATURE_RANGE)

    def _positive(self, value: float | None, high: float, rejection: Rejection) -> float | None:
        if value is None or 0.0 <= value <= high:
            return value
        self._findings.add(rejection)
        return None
