"""A simulated hybrid inverter on a CAN bus: it knows nothing but the frames that it can decode.

What it does with them is its power stage's. Time is an argument; the frames it answers with are return
values.
"""

from __future__ import annotations

from math import inf

from bridge.model import CanFrame
from bridge.profiles import Answer, Poll, Profile
from bridge.sim.demand import Demand
from bridge.sim.stage import LAG, Lag, PowerStage
from bridge.sinks import dialect as dialects
from bridge.sinks.dialect import Dialect, Kind

__all__ = ["LAG", "SHOWN", "VITAL", "Inverter", "Lag"]

VITAL = frozenset({"charge_current_limit_a", "soc_pct", "voltage_v"})  # whose frames it can't live without
ANSWERED = "voltage_v"  # whose frame it answers; Deye replies to each 0x356
SHOWN = (
    "charge_voltage_limit_v", "discharge_voltage_limit_v", "charge_current_limit_a",
    "discharge_current_limit_a", "soc_pct", "voltage_v", "current_a", "charge_enabled", "discharge_enabled",
)  # fmt: skip


class Inverter:
    """An inverter at one moment. current_a: what it pushes into the battery. fault: its comm fault.

    dialect: None reads the profile's own. The fault comes when one of the frames that carry limits,
    SoC and voltage has been silent for the profile's comm_fault_s, and goes when all are back.
    """

    def __init__(
        self, profile: Profile, demand: Demand, *, dialect: Dialect | None = None, lag: Lag = LAG
    ) -> None:
        self._dialect = dialect or dialects.of_profile(profile)
        self._stage = PowerStage(demand, profile.comm_fault_s, VITAL, lag=lag)
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
        self.frames_received = 0

    @property
    def current_a(self) -> float:
        """What it pushes into the battery."""
        return self._stage.current_a

    @property
    def fault(self) -> bool:
        """Its comm fault."""
        return self._stage.fault

    def received(self, frame: CanFrame, now: float) -> list[CanFrame]:
        """Take a frame from the bus; the frames to answer with."""
        values = self._dialect.decode(frame)
        if not values:
            return []
        self._stage.heard(values, values.keys(), now)
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
        return self._stage.step(now, bus_voltage_v)

    def view(self) -> dict[str, object]:
        """What it believes, from frames alone; None for what it never heard."""
        return {
            "fault": self.fault,
            **{name: self._stage.values.get(name) for name in SHOWN},
            "alarms": sorted(name for name in self._alarms if self._stage.values.get(name)),
            "frames_received": self.frames_received,
        }


def _frame(answer: Answer) -> CanFrame:
    """A frame as the profile describes it; what it leaves open is 0."""
    digits = answer.data.replace("..", "00") if isinstance(answer, Poll) else ""
    return CanFrame(answer.id, bytes.fromhex(digits).ljust(answer.length, b"\0"), answer.extended)
