"""Which alarms of packs are alarms of the bank, how grave they are, and who raised them.

A pack that its own BMS has switched off is contained: the bank goes on with the others, and the
inverter gets a warning, because many inverters answer a protection flag by stopping the whole house.
It becomes a protection of the bank when no pack is left in that direction, when the pack's switch is
still closed after 10 s, or when the condition is one that nothing has contained (`faults`).

What one pack says stands for that pack alone: two that flicker in turn make no lasting alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from bridge.battery.context import Pack
from bridge.model import NO_ALARMS, Alarm, AlarmCause, Severity

UNCONTAINED_S: Final = 10.0
# A warning is raised after, and kept for, so long.
WARN_AFTER_S: Final = 3.0
WARN_FOR_S: Final = 10.0
PROTECT_FOR_S: Final = 60.0  # a protection is raised at once

CHARGING: Final = frozenset(
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

DISCHARGING: Final = frozenset(
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

MUST_BE_CONTAINED: Final = frozenset(
    {
        Alarm.CELL_OVERVOLTAGE,
        Alarm.CELL_UNDERVOLTAGE,
        Alarm.PACK_OVERVOLTAGE,
        Alarm.PACK_UNDERVOLTAGE,
        Alarm.CHARGE_OVERTEMPERATURE,
        Alarm.DISCHARGE_OVERTEMPERATURE,
        Alarm.MOSFET_OVERTEMPERATURE,
    }
)

NOT_A_COMPLAINT: Final = frozenset({Alarm.FULLY_CHARGED})


class BankAlarms(NamedTuple):
    """The alarms of one decision; a fault is among the protections. causes: the gravest first."""

    protections: frozenset[Alarm]
    warnings: frozenset[Alarm]
    causes: tuple[AlarmCause, ...]


NOTHING: Final = BankAlarms(NO_ALARMS, NO_ALARMS, ())


class Alarms:
    """The bank's alarms, which have a memory: raised soon, cleared late."""

    def __init__(self) -> None:
        self._warnings = _Debounce(WARN_AFTER_S, WARN_FOR_S)
        self._protections = _Debounce(0.0, PROTECT_FOR_S)
        self._closed_since: dict[tuple[str, Alarm], float] = {}

    def merge(  # noqa: PLR0913  # packs, and everybody else who has something to say of them
        self,
        packs: Sequence[Pack],
        now: float,
        *,
        starting: bool,
        watched: Iterable[AlarmCause] = (),
        latched: Iterable[AlarmCause] = (),
        leaves: Sequence[Pack] | None = None,
    ) -> BankAlarms:
        """The bank's alarms at `now`. packs: what hangs on the bus bar; leaves: the single packs, if that is
        not the same. starting: packs may be missing yet. watched: warnings that no BMS gives; latched:
        faults that stand until they are cleared.
        """
        trusted = [pack for pack in packs if pack.trusted]
        single = trusted if leaves is None or leaves is packs else [p for p in leaves if p.trusted]
        protections = self._protections.update([*latched, *self._bank_protections(single, trusted, now)], now)
        warnings = self._warnings.update([*_complaints(single), *watched], now)
        silent = [] if starting else [pack for pack in leaves or packs if not pack.heard]
        if not protections and not warnings and not silent:
            return NOTHING
        warnings += [_silence(pack, Severity.WARNING) for pack in silent]
        if silent and not any(pack.heard for pack in packs):
            protections += [_silence(pack, Severity.PROTECTION) for pack in silent]
        return BankAlarms(
            frozenset([cause.alarm for cause in protections]),
            frozenset([cause.alarm for cause in warnings]),
            _gravest_first([*protections, *warnings]),
        )

    def _bank_protections(
        self, single: Sequence[Pack], on_bus_bar: Sequence[Pack], now: float
    ) -> Iterator[AlarmCause]:
        closed: dict[tuple[str, Alarm], float] = {}
        for pack in single:
            if pack.facts is None:
                continue
            name = pack.member.settings.name
            if pack.fault is not None:
                alarm, text = pack.fault
                yield AlarmCause(alarm=alarm, severity=Severity.FAULT, text=text, pack=name)
            if not pack.facts.sample.protections:
                continue
            for alarm in pack.facts.sample.protections - NOT_A_COMPLAINT:
                if not _direction_left(alarm, on_bus_bar):
                    yield _protection(alarm, name, "its BMS ended this, and no pack is left")
                elif alarm in MUST_BE_CONTAINED and _switch_closed(alarm, pack):
                    key = name, alarm
                    closed[key] = self._closed_since.get(key, now)
                    if now - closed[key] > UNCONTAINED_S:
                        yield _protection(alarm, name, "its BMS reports it, but its switch is closed")
        self._closed_since = closed


class _Debounce:
    """Causes that come after a delay and stay for a while. What stays longest has the latest text."""

    def __init__(self, after_s: float, for_s: float) -> None:
        self._after_s = after_s
        self._for_s = for_s
        self._first_s: dict[tuple[Alarm, str | None], float] = {}
        self._shown: dict[tuple[Alarm, str | None], tuple[float, AlarmCause]] = {}

    def update(self, present: Sequence[AlarmCause], now: float) -> list[AlarmCause]:
        if not present and not self._shown and not self._first_s:
            return []
        first_s: dict[tuple[Alarm, str | None], float] = {}
        for cause in present:
            key = cause.alarm, cause.pack
            first_s[key] = self._first_s.get(key, now)
            if now - first_s[key] >= self._after_s:
                self._shown[key] = now + self._for_s, self._graver(key, cause, now)
        self._first_s = first_s
        self._shown = {key: shown for key, shown in self._shown.items() if now < shown[0]}
        return [cause for _, cause in self._shown.values()]

    def _graver(self, key: tuple[Alarm, str | None], cause: AlarmCause, now: float) -> AlarmCause:
        """Of two causes of one alarm in one decision the graver, or the first."""
        until_s, shown = self._shown.get(key, (0.0, cause))
        same_decision = until_s == now + self._for_s
        return shown if same_decision and shown.severity.value >= cause.severity.value else cause


def _gravest_first(causes: Sequence[AlarmCause]) -> tuple[AlarmCause, ...]:
    """Sorted, and without the lighter half of what a pack raises twice."""
    ordered = sorted(causes, key=lambda cause: (-cause.severity.value, cause.alarm, cause.pack or ""))
    first: dict[tuple[Alarm, str | None], AlarmCause] = {}
    for cause in ordered:
        first.setdefault((cause.alarm, cause.pack), cause)
    return tuple(first.values())


def _complaints(packs: Iterable[Pack]) -> Iterator[AlarmCause]:
    for pack in packs:
        sample = pack.member.sample
        if sample is None or not (sample.protections or sample.warnings):
            continue
        for alarm in (sample.protections | sample.warnings) - NOT_A_COMPLAINT:
            what = "its BMS has ended this" if alarm in sample.protections else "its BMS warns of it"
            yield _cause(alarm, Severity.WARNING, pack.member.name, what)


def _silence(pack: Pack, severity: Severity) -> AlarmCause:
    age_s, state = pack.member.age_s, pack.member.state.value
    heard = "never heard" if age_s is None else f"{state}, last heard {age_s:.0f} s ago"
    return _cause(Alarm.BMS_COMMUNICATION, severity, pack.member.name, heard)


def _protection(alarm: Alarm, pack: str, what: str) -> AlarmCause:
    return _cause(alarm, Severity.PROTECTION, pack, what)


def _cause(alarm: Alarm, severity: Severity, pack: str, what: str) -> AlarmCause:
    return AlarmCause(alarm=alarm, severity=severity, text=f"{pack}: {what}", pack=pack)


def _direction_left(alarm: Alarm, packs: Iterable[Pack]) -> bool:
    """Whether some pack still conducts in every direction that this alarm ends."""
    charge = discharge = False
    for pack in packs:
        if pack.facts is not None and pack.heard and not pack.open_switch:
            charge = charge or pack.facts.sample.charge_allowed is True
            discharge = discharge or pack.facts.sample.discharge_allowed is True
    return (charge or alarm in DISCHARGING) and (discharge or alarm in CHARGING)


def _switch_closed(alarm: Alarm, pack: Pack) -> bool:
    """Whether a switch that should have ended this is not known to be open."""
    sample = pack.member.sample
    assert sample is not None  # it has facts
    charge_closed = alarm not in DISCHARGING and sample.charge_fet_on is not False
    discharge_closed = alarm not in CHARGING and sample.discharge_fet_on is not False
    return charge_closed or discharge_closed
