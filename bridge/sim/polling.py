"""A simulated inverter that asks its battery over RS485: it knows nothing but the answers that it gets.

It asks as its dialect's master does, waits for each answer as long as its profile says, and goes
on asking whatever comes. Bytes travel at the line's speed: what is asked has been heard only when its
last bit is out. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from bridge.profiles import Rs485Profile
from bridge.responders.contract import Dropped, Understood
from bridge.sim.demand import Demand
from bridge.sim.inverter import SHOWN
from bridge.sim.stage import LAG, Lag, PowerStage
from bridge.sinks.rs485 import port_of

ANSWER = "answer"
OWN_LIMIT_A = 120.0  # its menu's, where its dialect has no limit for a direction
LONGEST_ROUND = 40


class PollingInverter:
    """One inverter. Raises ConfigError for a profile that does not fit its dialect.

    asked, answered, unanswered: its questions that want an answer; an answer that is not whole after the
    profile's reply_within_s is none.
    """

    def __init__(self, profile: Rs485Profile, demand: Demand, *, lag: Lag = LAG) -> None:
        entry, port = port_of(profile)
        self._profile = profile
        self._master = entry.master(port)
        self._stage = PowerStage(demand, profile.comm_fault_s, {ANSWER}, lag=lag, own_limit_a=OWN_LIMIT_A)
        self._gap_s = profile.poll_s / _questions_of_a_round(profile)
        self._next_s = -inf
        self._waits_until_s: float | None = None
        self.asked = self.answered = self.unanswered = 0

    @property
    def current_a(self) -> float:
        """What it pushes into the battery."""
        return self._stage.current_a

    @property
    def fault(self) -> bool:
        """Its comm fault."""
        return self._stage.fault

    def asks(self, now: float) -> bytes:
        """What it begins to say at `now`; nothing while it waits, or has just asked."""
        if self._waits_until_s is not None and now >= self._waits_until_s:
            self._take(self._master.reset(), now)
            if self._waits_until_s is not None:
                self.unanswered += 1
                self._waits_until_s = None
        if self._waits_until_s is not None or now < self._next_s:
            return b""
        question = self._master.question()
        travels_s = self.seconds(len(question.data))
        self._next_s = now + self._gap_s
        if question.answered:
            self.asked += 1
            self._waits_until_s = now + travels_s + self._profile.reply_within_s
        else:
            self._next_s = max(self._next_s, now + travels_s + self._profile.turnaround_s)
        return question.data

    def next_s(self) -> float:
        """When `asks` is due at the latest."""
        return self._next_s if self._waits_until_s is None else self._waits_until_s

    def received(self, chunk: bytes, now: float) -> None:
        """Bytes of the battery."""
        self._take(self._master.feed(chunk), now)

    def step(self, now: float, bus_voltage_v: float) -> float:
        """Act until `now`, measuring this bus voltage (0: no battery there); the current it pushes, A."""
        return self._stage.step(now, bus_voltage_v)

    def view(self) -> dict[str, object]:
        """What it believes, from answers alone; None for what it never heard."""
        values = self._stage.values
        said = [values.get(key) for key in ("protections", "warnings")]
        alarms = {str(alarm) for each in said if isinstance(each, list | tuple) for alarm in each}
        return {
            "fault": self.fault,
            **{name: values.get(name) for name in SHOWN},
            "alarms": sorted(alarms),
            "asked": self.asked,
            "answered": self.answered,
            "unanswered": self.unanswered,
        }

    def seconds(self, size: int) -> float:
        """For how long `size` bytes travel."""
        return size * self._profile.bits_per_byte / self._profile.baudrate

    def _take(self, found: Sequence[Understood | Dropped], now: float) -> None:
        for item in found:
            if isinstance(item, Understood):
                self._stage.heard(_with_currents(dict(item.values)), {ANSWER}, now)
                self.answered += self._waits_until_s is not None
                self._waits_until_s = None
                self._next_s = max(self._next_s, now + self._profile.turnaround_s)


def _with_currents(values: dict[str, object]) -> dict[str, object]:
    """Limits that are powers, as the currents that they are at the voltage said with them."""
    voltage_v = values.get("voltage_v")
    if isinstance(voltage_v, int | float) and voltage_v > 0:
        for way in ("charge", "discharge"):
            power_w = values.get(f"{way}_power_limit_w")
            if isinstance(power_w, int | float):
                values[f"{way}_current_limit_a"] = power_w / voltage_v
    return values


def _questions_of_a_round(profile: Rs485Profile) -> int:
    """How many different questions there are before the first comes again."""
    entry, port = port_of(profile)
    master = entry.master(port)
    seen: set[str] = set()
    for number in range(LONGEST_ROUND):
        question = master.question()
        key = f"{question.name} {question.data.hex()}"
        if key in seen:
            return max(1, number)
        seen.add(key)
    return LONGEST_ROUND
