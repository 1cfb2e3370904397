"""A simulated hybrid inverter on a CAN bus: it knows nothing but the frames that it can decode.

It wants the current that its demand asks for, takes no more than the last limits that it heard
allow, follows with the lag of a real power stage, holds the bus between the voltage limits with a
slow integrator, and gives up with a communication fault when the frames that it lives on stop.
Time is an argument; the frames it answers with are return values.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf

from bridge.model import CanFrame
from bridge.profiles import Answer, Poll, Profile
from bridge.sim.demand import Demand
from bridge.sinks import dialect as dialects
from bridge.sinks.dialect import Dialect, Kind, Value

VITAL = frozenset({"charge_current_limit_a", "soc_pct", "voltage_v"})  # whose frames it can't live without
ANSWERED = "voltage_v"  # whose frame it answers; Deye replies to each 0x356
VOLTAGE_LOOP_A_PER_VS = 20.0  # well damped on banks from 30 to 300 siemens
SETTLED_A = 0.05
SHOWN = (
    "charge_voltage_limit_v", "discharge_voltage_limit_v", "charge_current_limit_a",
    "discharge_current_limit_a", "soc_pct", "voltage_v", "current_a", "charge_enabled", "discharge_enabled",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Time constants with which the current follows a smaller or a larger target."""

    fall_tau_s: float = 2.0
    rise_tau_s: float = 0.5


LAG = Lag()


class Inverter:
    """An inverter at one moment. current_a: what it pushes into the battery. fault: its comm fault.

    dialect: None reads the profile's own. The fault comes when one of the frames that carry limits,
    SoC and voltage has been silent for the profile's comm_fault_s, and goes when all are back.
    """

    def __init__(
        self, profile: Profile, demand: Demand, *, dialect: Dialect | None = None, lag: Lag = LAG
    ) -> None:
        self._dialect = dialect or dialects.of_profile(profile)
        self._comm_fault_s = profile.comm_fault_s
        self._alarms = [
            signal.name
            for message in self._dialect.messages.values()
            for signal in message.signals
            if signal.kind is Kind.ALARM
        ]
        self._answers = [CanFrame(one.id, bytes(one.length), one.extended) for one in profile.answers]
        asks = [one for one in profile.polls if not one.seldom]
        first = profile.answers if profile.waits_for_inverter else ()
        self._own = {_frame(one): one.period_s for one in (*asks, *first)}
        self._said_s: dict[CanFrame, float] = {}
        self._demand = demand
        self._lag = lag
        self._values: dict[str, Value] = {}
        self._heard_s: dict[str, float] = {}
        self._started_s: float | None = None
        self._stepped_s = 0.0
        self._charge = _VoltageLoop()
        self._discharge = _VoltageLoop()
        self.frames_received = 0
        self.current_a = 0.0
        self.fault = False

    def received(self, frame: CanFrame, now: float) -> list[CanFrame]:
        """Take a frame from the bus; the frames to answer with."""
        values = self._dialect.decode(frame)
        if not values:
            return []
        self._values.update(values)
        self._heard_s.update((name, now) for name in VITAL & values.keys())
        self.frames_received += 1
        return list(self._answers) if ANSWERED in values else []

    def asks(self, now: float) -> list[CanFrame]:
        """What it sends by itself by `now`: polls, and what a battery waits for that speaks second."""
        frames = []
        for frame, period_s in self._own.items():
            if now - self._said_s.get(frame, -inf) >= period_s:
                self._said_s[frame] = now
                frames.append(frame)
        return frames

    def step(self, now: float, bus_voltage_v: float) -> float:
        """Act until `now`, measuring this bus voltage (0: no battery there); the current it pushes, A."""
        if self._started_s is None:
            self._started_s = self._stepped_s = now
        dt_s, self._stepped_s = now - self._stepped_s, now
        self.fault = self._silent_s(now) >= self._comm_fault_s
        if self.fault or bus_voltage_v <= 0 or not self._heard_s.keys() >= VITAL:
            self.current_a = 0.0
            return 0.0
        self._follow(self._target_a(now, bus_voltage_v, dt_s), dt_s)
        return self.current_a

    def view(self) -> dict[str, object]:
        """What it believes, from frames alone; None for what it never heard."""
        return {
            "fault": self.fault,
            **{name: self._values.get(name) for name in SHOWN},
            "alarms": sorted(name for name in self._alarms if self._values.get(name)),
            "frames_received": self.frames_received,
        }

    def _silent_s(self, now: float) -> float:
        """For how long the quietest of the vital frames has been silent."""
        started_s = now if self._started_s is None else self._started_s
        return max(now - self._heard_s.get(name, started_s) for name in VITAL)

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
        if self._values.get(f"{direction}_enabled") is False:
            return 0.0
        return self._number(f"{direction}_current_limit_a", 0.0)

    def _number(self, name: str, absent: float) -> float:
        value = self._values.get(name)
        return float(value) if isinstance(value, int | float) else absent

    def _follow(self, target_a: float, dt_s: float) -> None:
        falling = target_a * self.current_a < 0 or abs(target_a) < abs(self.current_a)
        tau_s = self._lag.fall_tau_s if falling else self._lag.rise_tau_s
        self.current_a = target_a + (self.current_a - target_a) * exp(-dt_s / tau_s)
        if abs(self.current_a - target_a) < SETTLED_A:
            self.current_a = target_a


def _frame(answer: Answer) -> CanFrame:
    """A frame as the profile describes it; what it leaves open is 0."""
    digits = answer.data.replace("..", "00") if isinstance(answer, Poll) else ""
    return CanFrame(answer.id, bytes.fromhex(digits).ljust(answer.length, b"\0"), answer.extended)


class _VoltageLoop:
    """Lowers the allowed current while a voltage limit is exceeded and gives it back afterwards."""

    def __init__(self) -> None:
        self._ceiling_a = inf

    def ceiling_a(self, limit_a: float, room_v: float, dt_s: float) -> float:
        """The current to keep to: at most limit_a, less where there was no room to the voltage limit."""
        self._ceiling_a = min(limit_a, max(0.0, self._ceiling_a + VOLTAGE_LOOP_A_PER_VS * room_v * dt_s))
        return self._ceiling_a
