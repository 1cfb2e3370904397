"""Conditions that no pack's own protection has contained: they end all current of the bank.

They act in the decision that sees them. One that a second sample confirms is latched: the current stays
off, also when the cell has recovered and over a restart, until a person has looked and cleared it. A single
reading from a dying probe so costs a moment, not the night.

    a cell 0.25 V above its maximum or 1 V below its minimum    3.80 and 1.80 V for LFP
    cells above 65 degC, switches above 100 degC, fire
    more than 2 A against a switch that is reported off         for 5 s; not what its diode lets through
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bridge.battery.facts import Facts
from bridge.model import Alarm, AlarmCause, Constraint, Limit, Severity

CELL_HOT_C: Final = 65.0
MOSFET_HOT_C: Final = 100.0
AGAINST_SWITCH_A: Final = 2.0
AGAINST_SWITCH_S: Final = 5.0
LATCH_SAMPLES: Final = 2
Fault = tuple[Alarm, str]
"""A kind, and its text."""

UNREADABLE: Final = "an earlier run had latched a fault, and what it kept of it cannot be read"


def fault(facts: Facts) -> Fault | None:
    """The gravest thing wrong with a pack, or None."""
    own, sample, (low_v, high_v) = facts.settings, facts.sample, facts.fixed.tapers.far_v
    if Alarm.FIRE in sample.protections or Alarm.FIRE in sample.warnings:
        return Alarm.FIRE, f"{own.name}: fire"
    if facts.cell_max_v is not None and facts.cell_max_v > high_v:
        return Alarm.CELL_OVERVOLTAGE, f"{own.name}: cell {facts.cell_max_index} at {facts.cell_max_v:.3f} V"
    if facts.cell_min_v is not None and facts.cell_min_v < low_v:
        return Alarm.CELL_UNDERVOLTAGE, f"{own.name}: cell {facts.cell_min_index} at {facts.cell_min_v:.3f} V"
    if facts.temperature_max_c is not None and facts.temperature_max_c > CELL_HOT_C:
        return Alarm.DISCHARGE_OVERTEMPERATURE, f"{own.name}: cells at {facts.temperature_max_c:.0f} degC"
    mosfet_c = facts.mosfet_temperature_c
    if mosfet_c is not None and mosfet_c > MOSFET_HOT_C:
        return Alarm.MOSFET_OVERTEMPERATURE, f"{own.name}: switches at {mosfet_c:.0f} degC"
    return None


class Faults:
    """Latches what was confirmed. Feed it every trusted sample."""

    def __init__(self) -> None:
        self.latched: dict[tuple[str | None, Alarm], AlarmCause] = {}
        self._seen: dict[
            str, tuple[Alarm, int]
        ] = {}  # the fault in the samples up to the last, and in how many
        self._against_s: dict[str, float] = {}  # since when current flows against a switch

    def heard(self, facts: Facts, found: Fault | None) -> None:
        """A trusted sample, digested, and its `fault`."""
        name = facts.settings.name
        if found is None:
            self._seen.pop(name, None)
        else:
            alarm, count = self._seen.get(name, (found[0], 0))
            self._seen[name] = found[0], (count if alarm is found[0] else 0) + 1
            if self._seen[name][1] >= LATCH_SAMPLES:
                self._latch(name, *found)
        self._watch_switch(name, facts)

    def clear(self) -> None:
        """Somebody has looked. What is still wrong acts on, and latches again with the next two samples."""
        self.latched.clear()
        self._seen.clear()
        self._against_s.clear()

    def state(self) -> list[dict[str, str | None]]:
        """What is latched, as JSON can carry it."""
        return [
            {"pack": cause.pack, "alarm": cause.alarm.value, "text": cause.text}
            for cause in self.latched.values()
        ]

    def restore(self, state: object) -> None:
        """Latch what an earlier run gave as its `state`. What of it cannot be read was a fault too."""
        for one in state if isinstance(state, list) else [] if state is None else [state]:
            self._latch(*_read(one))

    def constraints(self) -> Iterator[Constraint]:
        """No current, for everything that is latched."""
        for cause in self.latched.values():
            for limit in (Limit.CCL, Limit.DCL):
                text = f"{cause.text}, until it is cleared"
                yield Constraint(limit=limit, value=0.0, rule="fault", text=text, pack=cause.pack)

    def _watch_switch(self, name: str, facts: Facts) -> None:
        against = _against_switch(facts)
        if against is None:
            self._against_s.pop(name, None)
            return
        since_s = self._against_s.setdefault(name, facts.sample.time_s)
        if facts.sample.time_s - since_s >= AGAINST_SWITCH_S:
            self._latch(name, *against)

    def _latch(self, name: str | None, alarm: Alarm, text: str) -> None:
        if (name, alarm) not in self.latched:
            self.latched[name, alarm] = AlarmCause(alarm=alarm, severity=Severity.FAULT, text=text, pack=name)


def _against_switch(facts: Facts) -> tuple[Alarm, str] | None:
    """Current through a switch that is said to be off, in the direction that it should block."""
    sample, name = facts.sample, facts.settings.name
    amps = sample.current_a
    if amps is None:
        return None
    if amps > AGAINST_SWITCH_A and sample.charge_fet_on is False:
        return Alarm.CHARGE_FET_FAULT, f"{name}: {amps:.0f} A flow in with the charge switch off"
    if amps < -AGAINST_SWITCH_A and sample.discharge_fet_on is False:
        return Alarm.DISCHARGE_FET_FAULT, f"{name}: {-amps:.0f} A flow out with the discharge switch off"
    return None


def _read(kept: object) -> tuple[str | None, Alarm, str]:
    """Pack, alarm and text of one latched fault."""
    if isinstance(kept, Mapping):
        pack, alarm, text = kept.get("pack"), kept.get("alarm"), kept.get("text")
        if isinstance(pack, str) and isinstance(text, str) and isinstance(alarm, str) and alarm in set(Alarm):
            return pack, Alarm(alarm), text
    return None, Alarm.OTHER, UNREADABLE
