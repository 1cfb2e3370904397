"""The protecting side of a simulated BMS: what it measures, when it opens a switch and closes it again.

A protection is a line in a table: what it watches, where it trips, where it releases, and how long
each must have lasted. Which way it trips follows from the two thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.model import NO_ALARMS, Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the sensors say at one moment; the BMS and its reports know nothing else."""

    voltage_v: float
    current_a: float
    cell_voltages_v: tuple[float, ...]
    temperatures_c: tuple[float, ...]
    cell_max_v: float
    cell_min_v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Trips when `watch` has been beyond trip for delay_s; releases when it has been on the good side
    of release for release_after_s. Trips upwards if trip lies above release.
    """

    alarm: Alarm
    watch: Callable[[Measured], float]
    trip: float
    release: float
    delay_s: float
    release_after_s: float = 0.0
    blocks_charge: bool = False
    blocks_discharge: bool = False

    def beyond_trip(self, value: float) -> bool:
        """Whether `value` is one that trips."""
        return value > self.trip if self.trip > self.release else value < self.trip

    def within_release(self, value: float) -> bool:
        """Whether `value` is one that releases."""
        return value < self.release if self.trip > self.release else value > self.release


def lfp_protections(charge_a: float, discharge_a: float) -> tuple[Protection, ...]:
    """The settings of a usual LFP board for these rated currents (both positive).

    Over-current 15 % above the rating for 8 s, tried again after 60 s.
    """
    return (
        Protection(
            alarm=Alarm.CELL_OVERVOLTAGE, watch=lambda m: m.cell_max_v,
            trip=3.65, release=3.42, delay_s=1.0, blocks_charge=True,
        ),
        Protection(
            alarm=Alarm.CELL_UNDERVOLTAGE, watch=lambda m: m.cell_min_v,
            trip=2.50, release=3.00, delay_s=2.0, blocks_discharge=True,
        ),
        Protection(
            alarm=Alarm.CHARGE_OVERCURRENT, watch=lambda m: m.current_a,
            trip=1.15 * charge_a, release=charge_a, delay_s=8.0, release_after_s=60.0, blocks_charge=True,
        ),
        Protection(
            alarm=Alarm.DISCHARGE_OVERCURRENT, watch=lambda m: -m.current_a,
            trip=1.15 * discharge_a, release=discharge_a, delay_s=8.0, release_after_s=60.0,
            blocks_discharge=True,
        ),
        Protection(
            alarm=Alarm.CHARGE_OVERTEMPERATURE, watch=lambda m: max(m.temperatures_c),
            trip=60.0, release=55.0, delay_s=2.0, blocks_charge=True,
        ),
        Protection(
            alarm=Alarm.CHARGE_UNDERTEMPERATURE, watch=lambda m: min(m.temperatures_c),
            trip=0.0, release=5.0, delay_s=2.0, blocks_charge=True,
        ),
        Protection(
            alarm=Alarm.DISCHARGE_OVERTEMPERATURE, watch=lambda m: max(m.temperatures_c),
            trip=65.0, release=60.0, delay_s=2.0, blocks_discharge=True,
        ),
        Protection(
            alarm=Alarm.DISCHARGE_UNDERTEMPERATURE, watch=lambda m: min(m.temperatures_c),
            trip=-20.0, release=-15.0, delay_s=2.0, blocks_discharge=True,
        ),
    )  # fmt: skip


class Bms:
    """The state of all protections of one pack, and of the two switches that a person may open."""

    def __init__(self, protections: Sequence[Protection]) -> None:
        self._table = tuple(protections)
        self._elapsed_s = [0.0] * len(self._table)
        self._tripped = [False] * len(self._table)
        self._locked = False, False
        self._update()

    def lock(self, *, charge: bool, discharge: bool) -> None:
        """Open the switches by hand, as the maker's app does; (False, False) gives them back."""
        self._locked = charge, discharge
        self._update()

    def step(self, measured: Measured, dt_s: float) -> None:
        """The last `dt_s` seconds looked like `measured`."""
        changed = False
        for index, rule in enumerate(self._table):
            value = rule.watch(measured)
            tripped = self._tripped[index]
            if not (rule.within_release(value) if tripped else rule.beyond_trip(value)):
                self._elapsed_s[index] = 0.0
                continue
            self._elapsed_s[index] += dt_s
            if self._elapsed_s[index] >= (rule.release_after_s if tripped else rule.delay_s):
                self._tripped[index] = not tripped
                self._elapsed_s[index] = 0.0
                changed = True
        if changed:
            self._update()

    @property
    def quiet(self) -> bool:
        """Whether nothing is tripped and nothing is on its way there."""
        return not any(self._tripped) and not any(self._elapsed_s)

    def _update(self) -> None:
        active = [rule for rule, tripped in zip(self._table, self._tripped, strict=True) if tripped]
        charge_locked, discharge_locked = self._locked
        locked = frozenset({Alarm.FET_LOCKED}) if charge_locked or discharge_locked else NO_ALARMS
        self.protections = frozenset(rule.alarm for rule in active) | locked
        self.charge_on = not charge_locked and not any(rule.blocks_charge for rule in active)
        self.discharge_on = not discharge_locked and not any(rule.blocks_discharge for rule in active)
