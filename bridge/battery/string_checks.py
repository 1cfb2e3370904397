"""What only a string as a whole can show: sensors that disagree, and packs that have drifted apart.

One current flows through all packs of a string, so unlike readings mean a wrong sensor; the larger one
counts then. And no BMS balances across packs: the emptiest ends discharging, the fullest ends charging,
and what lies between them is lost until somebody balances the string.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf
from statistics import median
from typing import Final

from bridge.battery.context import Pack
from bridge.model import NO_ALARMS, Alarm, AlarmCause, PackSettings, Severity

MISMATCH_A: Final = 2.0
MISMATCH_RATIO: Final = 0.03
MISMATCH_S: Final = 10.0
IMBALANCE_V: Final = 0.025  # per cell, from the mean: 0.1 V of a pack of four cells
IMBALANCE_SOC: Final = 0.05
REST_C_RATE: Final = 0.02
REST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """The string's current, None if no pack gives one, and what is wrong with the string."""

    current_a: float | None
    alarms: frozenset[Alarm] = NO_ALARMS


class StringChecks:
    """Looks at one string. causes: what it found last."""

    def __init__(self, own: PackSettings) -> None:
        self.causes: tuple[AlarmCause, ...] = ()
        self._own = own
        self._alike_s = inf  # when the currents last agreed; inf before they were first compared
        self._moving_s = inf

    def look(self, children: Sequence[Pack], now: float) -> Found:
        """children: the packs whose data holds, not all of them at worst."""
        current_a, mismatch = self._current(children, now)
        imbalance = self._imbalance(children, current_a, now)
        said = (Alarm.CURRENT_SENSOR_FAULT, mismatch), (Alarm.PACK_IMBALANCE, imbalance)
        self.causes = tuple([self._cause(alarm, text) for alarm, text in said if text])
        return Found(current_a, frozenset([cause.alarm for cause in self.causes]))

    def _cause(self, alarm: Alarm, text: str) -> AlarmCause:
        name = self._own.name
        return AlarmCause(alarm=alarm, severity=Severity.WARNING, text=f"{name}: {text}", pack=name)

    def _current(self, children: Sequence[Pack], now: float) -> tuple[float | None, str | None]:
        """The median of what is heard, or the largest if the readings have differed for too long."""
        heard = [
            (amps, child.member.name)
            for child in children
            if child.heard and child.facts is not None and (amps := child.facts.sample.current_a) is not None
        ]
        if not heard:
            return None, None
        low, high = min(heard), max(heard)
        largest_a = max([low[0], high[0]], key=abs)
        if high[0] - low[0] <= max(MISMATCH_A, MISMATCH_RATIO * abs(largest_a)):
            self._alike_s = now
        self._alike_s = min(self._alike_s, now)
        if now - self._alike_s < MISMATCH_S:
            return median([amps for amps, _ in heard]), None
        text = f"{low[1]} says {low[0]:.1f} A, {high[1]} says {high[0]:.1f} A"
        return largest_a, f"{text}, but one current flows through both"

    def _imbalance(self, children: Sequence[Pack], current_a: float | None, now: float) -> str | None:
        socs = [
            (soc, child.member.name)
            for child in children
            if child.facts is not None and (soc := child.facts.sample.soc) is not None
        ]
        if socs and (high := max(socs))[0] - (low := min(socs))[0] > IMBALANCE_SOC:
            text = f"{low[1]} is at {100 * low[0]:.0f} %, {high[1]} at {100 * high[0]:.0f} %"
            return f"{text}: balance them"
        if current_a is None or abs(current_a) > REST_C_RATE * self._own.capacity_ah:
            self._moving_s = now
        self._moving_s = min(self._moving_s, now)
        if now - self._moving_s < REST_S:
            return None
        return self._apart(children)

    def _apart(self, children: Sequence[Pack]) -> str | None:
        """Whose cells are, on the mean, furthest from those of the whole string, if that is too far."""
        known = [
            (child.facts.voltage_v, child.member.settings.cells, child.member.name)
            for child in children
            if child.facts is not None and child.facts.voltage_v is not None
        ]
        if not known:
            return None
        mean_v = fsum([volts for volts, _, _ in known]) / sum([cells for _, cells, _ in known])
        apart_v, name = max([(abs(volts / cells - mean_v), name) for volts, cells, name in known])
        if apart_v <= IMBALANCE_V:
            return None
        text = f"the cells of {name} are {1000 * apart_v:.0f} mV from the mean of all"
        return f"{text}: balance them"
