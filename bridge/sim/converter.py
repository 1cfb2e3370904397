"""The power stage of an inverter-charger, as fast to compute as it is simple.

It follows its limits with a lag and its load almost at once, holds the bus at the charge voltage, and
has the vices of its kind as options: it may ignore limits, take only large steps of them, miss its
voltage, overshoot. What it hears comes as a `Command`; `inverter.Inverter` is the one that listens to a bus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

OVERSHOOT_TAU_S = 5.0
TAIL_RESTART_V = 0.01  # relative to the charge voltage: below this much less, charging begins anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What the battery allows, as the inverter has heard it; currents are positive."""

    charge_voltage_limit_v: float
    discharge_voltage_limit_v: float
    charge_current_limit_a: float
    discharge_current_limit_a: float


SILENT = Command(
    charge_voltage_limit_v=0.0,
    discharge_voltage_limit_v=0.0,
    charge_current_limit_a=0.0,
    discharge_current_limit_a=0.0,
)
"""What an inverter makes of a battery that it does not hear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConverterSpec:
    """How an inverter behaves. limit_tau_s: how it follows falling limits and voltages; load_tau_s: how
    it follows the load, and rising limits. frame_delay_s: from a decision to its effect. ramp_a_per_s:
    None if only the lags bound it. limit_step_a, voltage_step_v: smaller changes of a limit are not taken.
    voltage_offset_v: how far above CVL it regulates. overshoot: relative, after a step of the current.
    tail_current_a: a charge that has tapered off to this ends. ignores_*: the limit has no effect.
    """

    limit_tau_s: float = 3.0
    load_tau_s: float = 0.5
    frame_delay_s: float = 1.0
    ramp_a_per_s: float | None = None
    limit_step_a: float = 0.0
    voltage_step_v: float = 0.0
    voltage_offset_v: float = 0.0
    overshoot: float = 0.0
    tail_current_a: float = 0.0
    ignores_ccl: bool = False
    ignores_cvl: bool = False
    ignores_dcl: bool = False


class Converter:
    """An inverter at one moment, stepped by dt_s. current_a: what it pushes into the battery."""

    def __init__(self, spec: ConverterSpec, dt_s: float) -> None:
        self._spec = spec
        self._dt_s = dt_s
        self._limit_left = exp(-dt_s / spec.limit_tau_s)
        self._load_left = exp(-dt_s / spec.load_tau_s)
        self._overshoot_left = exp(-dt_s / OVERSHOOT_TAU_S)
        self._taken = SILENT
        self._ccl_a = self._dcl_a = 0.0
        self._cvl_v: float | None = None
        self._load_a = 0.0
        self._slow_a = 0.0
        self._is_full = False
        self.current_a = 0.0

    def hear(self, command: Command) -> None:
        """The battery says what it allows; steps that are too small for this inverter pass by."""
        spec, before = self._spec, self._taken
        if self._cvl_v is None:
            self._cvl_v = command.charge_voltage_limit_v
        self._taken = Command(
            charge_voltage_limit_v=_stepped(
                before.charge_voltage_limit_v, command.charge_voltage_limit_v, spec.voltage_step_v
            ),
            discharge_voltage_limit_v=command.discharge_voltage_limit_v,
            charge_current_limit_a=_stepped(
                before.charge_current_limit_a, command.charge_current_limit_a, spec.limit_step_a
            ),
            discharge_current_limit_a=_stepped(
                before.discharge_current_limit_a, command.discharge_current_limit_a, spec.limit_step_a
            ),
        )

    def step(self, wanted_a: float, current_at: Callable[[float], float]) -> float:
        """One step with this load or surplus; current_at: the bank's current at a bus voltage."""
        if self._cvl_v is None:
            return self.current_a
        self._cvl_v = self._follow_limits(self._cvl_v)
        self._load_a = wanted_a + (self._load_a - wanted_a) * self._load_left
        target_a = self._bounded(self._load_a, current_at)
        if self._spec.overshoot:
            self._slow_a = target_a + (self._slow_a - target_a) * self._overshoot_left
            target_a += self._spec.overshoot * (target_a - self._slow_a)
        self.current_a = self._ramped(target_a)
        return self.current_a

    def _follow_limits(self, before_v: float) -> float:
        taken, fall, rise = self._taken, self._limit_left, self._load_left
        ccl_a, dcl_a = taken.charge_current_limit_a, taken.discharge_current_limit_a
        self._ccl_a = ccl_a + (self._ccl_a - ccl_a) * (fall if ccl_a < self._ccl_a else rise)
        self._dcl_a = dcl_a + (self._dcl_a - dcl_a) * (fall if dcl_a < self._dcl_a else rise)
        cvl_v = taken.charge_voltage_limit_v
        return cvl_v + (before_v - cvl_v) * fall

    def _bounded(self, current_a: float, current_at: Callable[[float], float]) -> float:
        spec = self._spec
        if current_a > 0:
            if not spec.ignores_ccl and current_a > self._ccl_a:
                current_a = self._ccl_a
            if spec.ignores_cvl or self._cvl_v is None:
                return current_a
            return self._held(current_a, self._cvl_v + spec.voltage_offset_v, current_at)
        if not spec.ignores_dcl and -current_a > self._dcl_a:
            current_a = -self._dcl_a
        floor_v = self._taken.discharge_voltage_limit_v
        return min(0.0, max(current_a, current_at(floor_v))) if floor_v > 0 else current_a

    def _held(self, current_a: float, voltage_v: float, current_at: Callable[[float], float]) -> float:
        """The charging current that keeps the bus at or below this voltage."""
        room_a = current_at(voltage_v)
        if self._spec.tail_current_a:
            if self._is_full and current_at(voltage_v * (1.0 - TAIL_RESTART_V)) > 0:
                self._is_full = False
            elif room_a < min(current_a, self._spec.tail_current_a):
                self._is_full = True
            if self._is_full:
                return 0.0
        return max(0.0, min(current_a, room_a))

    def _ramped(self, target_a: float) -> float:
        ramp = self._spec.ramp_a_per_s
        if ramp is None:
            return target_a
        widest_a = ramp * self._dt_s
        return min(max(target_a, self.current_a - widest_a), self.current_a + widest_a)


def _stepped(before: float, after: float, step: float) -> float:
    """`after`, or `before` if the change is too small to be noticed; a stop always is."""
    return before if after > 0 and abs(after - before) < step else after
