"""The power stage of a simulated inverter: what it does with what it was told, on whatever wire.

It wants the current that its demand asks for, takes no more than the last limits that it heard
allow, follows with the lag of a real power stage, holds the bus between the voltage limits with a
slow integrator, and gives up with a communication fault when what it lives on stops. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from math import exp, inf

from bridge.sim.demand import Demand

VOLTAGE_LOOP_A_PER_VS = 20.0  # well damped on banks from 30 to 300 siemens
SETTLED_A = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Time constants with which the current follows a smaller or a larger target."""

    fall_tau_s: float = 2.0
    rise_tau_s: float = 0.5


LAG = Lag()


class PowerStage:
    """An inverter at one moment. current_a: what it pushes into the battery. fault: its comm fault.

    values: what it believes, by quantity names. vital: kinds of messages without which for
    comm_fault_s there is the fault, and no current before all were heard. own_limit_a: what its menu
    allows in a direction of which it was never told a limit.
    """

    def __init__(
        self,
        demand: Demand,
        comm_fault_s: float,
        vital: Set[str],
        *,
        lag: Lag = LAG,
        own_limit_a: float = 0.0,
    ) -> None:
        self.values: dict[str, object] = {}
        self._demand = demand
        self._comm_fault_s = comm_fault_s
        self._vital = vital
        self._lag = lag
        self._own_limit_a = own_limit_a
        self._heard_s: dict[str, float] = {}
        self._started_s: float | None = None
        self._stepped_s = 0.0
        self._charge = _VoltageLoop()
        self._discharge = _VoltageLoop()
        self.current_a = 0.0
        self.fault = False

    def heard(self, values: Mapping[str, object], kinds: Set[str], now: float) -> None:
        """It was told these values, by messages of these kinds."""
        self.values.update(values)
        self._heard_s.update((kind, now) for kind in kinds & self._vital)

    def step(self, now: float, bus_voltage_v: float) -> float:
        """Act until `now`, measuring this bus voltage (0: no battery there); the current it pushes, A."""
        if self._started_s is None:
            self._started_s = self._stepped_s = now
        dt_s, self._stepped_s = now - self._stepped_s, now
        self.fault = self._silent_s(now) >= self._comm_fault_s
        if self.fault or bus_voltage_v <= 0 or not self._heard_s.keys() >= self._vital:
            self.current_a = 0.0
            return 0.0
        self._follow(self._target_a(now, bus_voltage_v, dt_s), dt_s)
        return self.current_a

    def _silent_s(self, now: float) -> float:
        """For how long the quietest of the vital frames has been silent."""
        started_s = now if self._started_s is None else self._started_s
        return max(now - self._heard_s.get(name, started_s) for name in self._vital)

    def _target_a(self, now: float, bus_v: float, dt_s: float) -> float:
        charge_a = self._charge.ceiling_a(
            self._limit_a("charge"), self._number("charge_voltage_limit_v", inf) - bus_v, dt_s
        )
        discharge_a = self._discharge.ceiling_a(
            self._limit_a("discharge"), bus_v - self._number("discharge_voltage_limit_v", 0.0), dt_s
        )
        wanted_a = self._demand(now - (self._started_s or 0.0))
        return max(-discharge_a, min(charge_a, wanted_a))

    def _limit_a(self, direction: str) -> float:
        if self.values.get(f"{direction}_enabled") is False:
            return 0.0
        return self._number(f"{direction}_current_limit_a", self._own_limit_a)

    def _number(self, name: str, absent: float) -> float:
        value = self.values.get(name)
        return float(value) if isinstance(value, int | float) else absent

    def _follow(self, target_a: float, dt_s: float) -> None:
        falling = target_a * self.current_a < 0 or abs(target_a) < abs(self.current_a)
        tau_s = self._lag.fall_tau_s if falling else self._lag.rise_tau_s
        self.current_a = target_a + (self.current_a - target_a) * exp(-dt_s / tau_s)
        if abs(self.current_a - target_a) < SETTLED_A:
            self.current_a = target_a


class _VoltageLoop:
    """Lowers the allowed current while a voltage limit is exceeded and gives it back afterwards."""

    def __init__(self) -> None:
        self._ceiling_a = inf

    def ceiling_a(self, limit_a: float, room_v: float, dt_s: float) -> float:
        """The current to keep to: at most limit_a, less where there was no room to the voltage limit."""
        self._ceiling_a = min(limit_a, max(0.0, self._ceiling_a + VOLTAGE_LOOP_A_PER_VS * room_v * dt_s))
        return self._ceiling_a
