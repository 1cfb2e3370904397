"""Which alarms of packs are alarms of the bank.

A pack that its own BMS has switched off is contained: the bank goes on with the others, and the
inverter gets a warning, because many inverters answer a protection flag by stopping the whole house.
It becomes a protection of the bank when no pack is left in that direction, when the pack's switch is
still closed after 10 s, or when the condition is one that nothing has contained (`faults`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bridge.battery.context import Pack
from bridge.battery.faults import fault
from bridge.model import NO_ALARMS, Alarm

UNCONTAINED_S = 10.0
WARN_AFTER_S, WARN_FOR_S = 3.0, 10.0  # a warning is raised after, and kept for, so long
PROTECT_FOR_S = 60.0  # a protection is raised at once

CHARGING = frozenset(
    {
        Alarm.CELL_OVERVOLTAGE,
        Alarm.PACK_OVERVOLTAGE,
        Alarm.CHARGE_OVERTEMPERATURE,
        Alarm.CHARGE_UNDERTEMPERATURE,
        Alarm.CHARGE_OVERCURRENT,
        Alarm.CHARGE_FET_FAULT,
        Alarm.CHARGE_TIMEOUT,
    }
)
"""Kinds that end charging only."""

DISCHARGING = frozenset(
    {
        Alarm.CELL_UNDERVOLTAGE,
        Alarm.PACK_UNDERVOLTAGE,
        Alarm.DISCHARGE_OVERTEMPERATURE,
        Alarm.DISCHARGE_UNDERTEMPERATURE,
        Alarm.DISCHARGE_OVERCURRENT,
        Alarm.DISCHARGE_FET_FAULT,
    }
)
"""Kinds that end discharging only. What is in neither set ends both."""

MUST_BE_CONTAINED = frozenset(
    {
        Alarm.CELL_OVERVOLTAGE,
        Alarm.CELL_UNDERVOLTAGE,
        Alarm.CHARGE_OVERTEMPERATURE,
        Alarm.DISCHARGE_OVERTEMPERATURE,
    }
)

NOT_A_COMPLAINT = frozenset({Alarm.FULLY_CHARGED})


class Alarms:
    """The bank's alarms, which have a memory: raised soon, cleared late."""

    def __init__(self) -> None:
        self._warnings = _Debounce(WARN_AFTER_S, WARN_FOR_S)
        self._protections = _Debounce(0.0, PROTECT_FOR_S)
        self._closed_since: dict[tuple[str, Alarm], float] = {}

    def merge(
        self, packs: Sequence[Pack], now: float, *, starting: bool, leaves: Sequence[Pack] | None = None
    ) -> tuple[frozenset[Alarm], frozenset[Alarm]]:
        """Protections and warnings of the bank. starting: packs may be missing yet. packs: what hangs on the
        bus bar; leaves: the single packs, if that is not the same.
        """
        trusted = [pack for pack in packs if pack.trusted]
        single = trusted if leaves is None or leaves is packs else [p for p in leaves if p.trusted]
        protections = self._protections.update(self._bank_protections(single, trusted, now), now)
        warnings = self._warnings.update(_complaints(single if single is trusted else single + trusted), now)
        heard = sum([pack.heard for pack in packs])
        if not starting and heard < len(packs):
            warnings |= {Alarm.BMS_COMMUNICATION}
            if heard == 0:
                protections |= {Alarm.BMS_COMMUNICATION}
        return protections, warnings

    def _bank_protections(self, single: Sequence[Pack], on_bus_bar: Sequence[Pack], now: float) -> set[Alarm]:
        found: set[Alarm] = set()
        closed: dict[tuple[str, Alarm], float] = {}
        for pack in single:
            if pack.facts is None:
                continue
            if (grave := fault(pack.facts)) is not None:
                found.add(grave[0])
            for alarm in pack.facts.sample.protections - NOT_A_COMPLAINT:
                if not _direction_left(alarm, on_bus_bar):
                    found.add(alarm)
                elif alarm in MUST_BE_CONTAINED and _switch_closed(alarm, pack):
                    key = pack.member.name, alarm
                    closed[key] = self._closed_since.get(key, now)
                    if now - closed[key] > UNCONTAINED_S:
                        found.add(alarm)
        self._closed_since = closed
        return found


class _Debounce:
    """A set of alarms whose members come after a delay and stay for a while."""

    def __init__(self, after_s: float, for_s: float) -> None:
        self._after_s = after_s
        self._for_s = for_s
        self._first_s: dict[Alarm, float] = {}
        self._shown_until_s: dict[Alarm, float] = {}

    def update(self, present: set[Alarm], now: float) -> frozenset[Alarm]:
        if not present and not self._shown_until_s and not self._first_s:
            return NO_ALARMS
        self._first_s = {alarm: self._first_s.get(alarm, now) for alarm in present}
        for alarm, first_s in self._first_s.items():
            if now - first_s >= self._after_s:
                self._shown_until_s[alarm] = now + self._for_s
        self._shown_until_s = {alarm: until for alarm, until in self._shown_until_s.items() if now < until}
        return frozenset(self._shown_until_s)


def _complaints(packs: Iterable[Pack]) -> set[Alarm]:
    found: set[Alarm] = set()
    for pack in packs:
        sample = pack.member.sample
        if sample is not None and (sample.protections or sample.warnings):
            found |= (sample.protections | sample.warnings) - NOT_A_COMPLAINT
    return found


def _direction_left(alarm: Alarm, packs: Iterable[Pack]) -> bool:
    """Whether some pack still conducts in every direction that this alarm ends."""
    charge = discharge = False
    for pack in packs:
        if pack.facts is not None and pack.heard and not pack.open_switch:
            charge = charge or pack.facts.sample.charge_allowed is True
            discharge = discharge or pack.facts.sample.discharge_allowed is True
    return (charge or alarm in DISCHARGING) and (discharge or alarm in CHARGING)


def _switch_closed(alarm: Alarm, pack: Pack) -> bool:
    sample = pack.member.sample
    assert sample is not None  # it has facts
    return (sample.charge_fet_on if alarm in CHARGING else sample.discharge_fet_on) is not False
