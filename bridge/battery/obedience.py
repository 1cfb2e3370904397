"""Whether the inverter keeps to what it is told, and what is done when it does not.

A limit that nobody obeys protects nothing, so the packs' own currents are compared with what was
published. The second lever of charging is the voltage: a charger that ignores CCL mostly obeys CVL, and
below the voltage of the bus nothing flows in. Discharging has only its switch: DCL 0 and not enabled.

Nothing here may come from the inverter's normal ways. It has its reaction time to follow a falling limit,
it may take 10 % and 5 A too much for what it consumes itself and for two instruments that differ, and the
excess must last. Without the current of every pack there is no judgement: what was done stays done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

from bridge.battery.context import Context, Pack
from bridge.battery.leases import floor_v
from bridge.battery.timing import elapsed_s, fresh_s
from bridge.model import (
    Alarm,
    AlarmCause,
    Bank,
    Constraint,
    Decision,
    Limit,
    PackSettings,
    PackState,
    Severity,
)

# Of the limit, and on top of it.
MARGIN: Final = 1.1
MARGIN_A: Final = 5.0
MARGIN_CELL_V: Final = 0.03  # above CVL, per cell: two instruments differ by a few tenths of a volt in 50
REACTION_S: Final = 5.0  # an inverter is judged by the highest limit of so long a time at least
LASTS_S: Final = 10.0  # with REACTION_S: 15 s from a limit that falls to the answer
ALARM_S: Final = 60.0
# Down, of a bank of 16 cells in series or fewer; of a taller one as much more.
STEP_V: Final = 0.2
STEP_S: Final = 10.0
STEP_CELLS: Final = 16
# And up again.
RECOVER_AFTER_S: Final = 60.0
RECOVER_STEP_S: Final = 60.0
# How long discharging stays off; doubled when it happens again.
PAUSE_S: Final = 60.0
PAUSE_MAX_S: Final = 3600.0
LOOK_S: Final = 3.0  # a longer pause between two looks counts as no more


JUDGED: Final = (Limit.CCL, Limit.DCL, Limit.CVL)


class _Told(NamedTuple):
    """The limits that an inverter is judged by: the highest of late. most_v: CVL with its margin."""

    ccl_a: float
    dcl_a: float
    most_v: float

    @property
    def charging(self) -> str:
        return f"{self.ccl_a:.0f} A, {self.most_v:.1f} V at most"

    @property
    def drawing(self) -> str:
        return f"{self.dcl_a:.0f} A at most"

    def charging_beyond(self, current_a: float, voltage_v: float | None) -> bool:
        too_high = voltage_v is not None and voltage_v > self.most_v and current_a > MARGIN_A
        return too_high or current_a > MARGIN * self.ccl_a + MARGIN_A

    def drawing_beyond(self, current_a: float) -> bool:
        return -current_a > MARGIN * self.dcl_a + MARGIN_A


class _Fallen:
    """What a limit has fallen from: known for so long after the fall, and up to three times as long."""

    def __init__(self, known_for_s: float) -> None:
        self._known_for_s = known_for_s
        self._begun_s = -inf
        self._now, self._before = 0.0, 0.0

    def fell(self, value: float, now: float) -> None:
        """The limit was `value` until now, and is less."""
        self._turn(now)
        self._now = max(self._now, value)

    def highest(self, value: float, now: float) -> float:
        """The highest that the limit has been of late; it is `value` at `now`."""
        self._turn(now)
        return max(value, self._now, self._before)

    def _turn(self, now: float) -> None:
        if now - self._begun_s >= self._known_for_s:
            late = now - self._begun_s >= 2 * self._known_for_s
            self._before, self._now, self._begun_s = (0.0 if late else self._now), 0.0, now


@dataclass(slots=True)
class Excess:
    """One direction's disobedience. lasts_s: for how long; obeyed_s: for how long it has been over."""

    lasts_s: float = 0.0
    obeyed_s: float = inf
    acting: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is remembered any more."""
        return not self.acting and self.obeyed_s >= PAUSE_MAX_S

    def look(self, *, beyond: bool, elapsed_s: float) -> None:
        """Count the time since the last look."""
        if beyond:
            self.lasts_s, self.obeyed_s = self.lasts_s + elapsed_s, 0.0
            self.acting = self.acting or self.lasts_s >= LASTS_S
        else:
            self.lasts_s, self.obeyed_s = 0.0, self.obeyed_s + elapsed_s


class Obedience:
    """Watches one bank. policy: "act", "warn" (alarms only) or "off". reaction_s: of the slowest inverter,
    from what it is told to its current.
    """

    def __init__(
        self, packs: Sequence[PackSettings], policy: str = "act", reaction_s: float = REACTION_S
    ) -> None:
        self.reaction_s = reaction_s
        self._policy = policy
        self._floor_v = floor_v(packs)
        cells = max((pack.cells for pack in packs), default=0)
        self._margin_v = MARGIN_CELL_V * cells
        self._step_v = STEP_V * max(1.0, cells / STEP_CELLS)
        self._fallen = {limit: _Fallen(reaction_s) for limit in JUDGED}
        self._said: Decision | None = None
        self._now = inf
        self._is_calm = True
        self.charge, self.discharge = Excess(), Excess()
        self._text = {Limit.CVL: "", Limit.DCL: ""}
        self._held_v = inf
        self._pause_s, self._off_for_s = PAUSE_S, 0.0

    def observe(self, context: Context, bank: Bank, now: float) -> None:
        """What the packs measure at `now`, against what was said until now."""
        passed_s = elapsed_s(self._now, now, LOOK_S)
        self._now = now
        said, current_a = self._said, bank.current_a
        if said is None or self._policy == "off":
            return
        if self._is_calm and _is_within(said, bank):  # by far the most looks end here
            return
        if current_a is None or not _all_known(context):
            return
        ccl_a, dcl_a, cvl_v = [
            fallen.highest(getattr(said, of.value), now) for of, fallen in self._fallen.items()
        ]
        told = _Told(ccl_a, dcl_a, cvl_v + self._margin_v)
        charge, discharge = told.charging_beyond(current_a, bank.voltage_v), told.drawing_beyond(current_a)
        if charge:
            self._text[Limit.CVL] = f"the inverter charges with {current_a:.0f} A; told: {told.charging}"
        if discharge:
            self._text[Limit.DCL] = f"the inverter draws {-current_a:.0f} A; told: {told.drawing}"
        self.charge.look(beyond=charge, elapsed_s=passed_s)
        self.discharge.look(beyond=discharge, elapsed_s=passed_s)
        self._hold_voltage(bank, passed_s, beyond=charge)
        self._pause(passed_s, beyond=discharge)
        self._is_calm = self.charge.is_over and self.discharge.is_over

    def told(self, decision: Decision, now: float) -> None:
        """What is published from here on."""
        before, self._said = self._said, decision
        if before is None or (
            decision.charge_current_limit_a >= before.charge_current_limit_a
            and decision.discharge_current_limit_a >= before.discharge_current_limit_a
            and decision.charge_voltage_limit_v >= before.charge_voltage_limit_v
        ):
            return
        for limit, fallen in self._fallen.items():
            if getattr(decision, limit.value) < (value := getattr(before, limit.value)):
                fallen.fell(value, now)

    def constraints(self) -> tuple[Constraint, ...]:
        """What is done about it."""
        if self._policy != "act" or not (self.charge.acting or self.discharge.acting):
            return ()
        found = []
        if self.charge.acting and self._held_v < inf:
            found.append(self._constraint(Limit.CVL, self._held_v))
        if self.discharge.acting:
            found.append(self._constraint(Limit.DCL, 0.0))
        return tuple(found)

    def causes(self) -> Iterator[AlarmCause]:
        """What the inverter is to be told of itself, after a minute."""
        if self._is_calm:
            return
        lasting = (
            (Alarm.CHARGE_OVERCURRENT, self.charge, Limit.CVL),
            (Alarm.DISCHARGE_OVERCURRENT, self.discharge, Limit.DCL),
        )
        for alarm, direction, limit in lasting:
            if direction.lasts_s >= ALARM_S:
                yield AlarmCause(alarm=alarm, severity=Severity.WARNING, text=self._text[limit])

    def complaints(self) -> dict[Limit, str]:
        """The directions in which it does not obey, with what was seen; for the log and the reasons."""
        acting = {Limit.CVL: self.charge.acting, Limit.DCL: self.discharge.acting}
        return {limit: self._text[limit] for limit, there in acting.items() if there}

    def _constraint(self, limit: Limit, value: float) -> Constraint:
        return Constraint(limit=limit, value=value, rule="obedience", text=self._text[limit])

    def _hold_voltage(self, bank: Bank, elapsed_s: float, *, beyond: bool) -> None:
        """Down step by step from where the bus is; up again once it has obeyed for a while."""
        if not self.charge.acting or self._said is None:
            return
        if beyond:
            said_v = self._said.charge_voltage_limit_v
            bus_v = said_v if bank.voltage_v is None else bank.voltage_v
            from_v = min(said_v, bus_v) if self._held_v == inf else self._held_v
            self._held_v = max(self._floor_v, from_v - self._step_v * elapsed_s / STEP_S)
        elif self.charge.obeyed_s >= RECOVER_AFTER_S:
            self._held_v += self._step_v * elapsed_s / RECOVER_STEP_S
            if self._held_v > self._said.charge_voltage_limit_v + self._step_v:  # something else binds
                self._held_v, self.charge.acting = inf, False

    def _pause(self, elapsed_s: float, *, beyond: bool) -> None:
        """Discharging stays off for a while after the excess ended, longer each time."""
        if self.discharge.acting and not beyond:
            self._off_for_s += elapsed_s
            if self._off_for_s >= self._pause_s:
                self.discharge.acting, self._off_for_s = False, 0.0
                self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
        elif not self.discharge.acting and self.discharge.obeyed_s >= PAUSE_MAX_S:
            self._pause_s = PAUSE_S


def _is_within(said: Decision, bank: Bank) -> bool:
    """Whether the current is inside of what is said at the moment, and so of what was said of late."""
    amps, volts = bank.current_a, bank.voltage_v
    if amps is None or volts is None:
        return False
    inside = -said.discharge_current_limit_a - MARGIN_A <= amps <= said.charge_current_limit_a + MARGIN_A
    return inside and (amps <= MARGIN_A or volts <= said.charge_voltage_limit_v)


def _all_known(context: Context) -> bool:
    """Whether every pack that may conduct tells what it carries at the moment."""
    excludes = context.settings.on_pack_lost == "exclude"
    counting = [pack for pack in context.packs if pack.trusted or not excludes]
    return bool(counting) and all(map(_tells, counting))


def _tells(pack: Pack) -> bool:
    member = pack.member
    if member.state is PackState.ISOLATED:
        return True
    if not pack.heard or member.sample is None or member.sample.current_a is None:
        return False
    return (member.age_s or 0.0) <= fresh_s(member.settings)
