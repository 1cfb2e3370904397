"""Decisions from JSON lines into cycles of frames, without a bus: for people who debug an inverter.

The same policies and the same encoder as on a bus. Two things are missing: there is no bank whose
hard limits a guard could hold the line to, and nothing is remembered from line to line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.errors import ConfigError, did_you_mean
from bridge.model import Alarm, Bank, CanFrame, Decision
from bridge.profiles import Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.encoder import Encoder
from bridge.sinks.policy import settle, stopped_by_soc
from bridge.sinks.quantities import filled, values_of

Json = Mapping[str, object]

LIMITS = ("charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a")
REQUIRED = ("voltage_v", "soc_pct", *LIMITS)
BANK_NUMBERS = (
    "remaining_ah",
    "full_ah",
    "design_ah",
    "cell_max_v",
    "cell_min_v",
    "temperature_max_c",
    "temperature_min_c",
)
MAY_BE_NULL = ("current_a", "soh_pct", "temperature_c", "cycles", *BANK_NUMBERS)


@dataclass(frozen=True, slots=True)
class Cycle:
    """What came of one line: frames with their times, or the problems that it has. line: from 1."""

    line: int
    frames: tuple[tuple[float, CanFrame], ...] = ()
    problems: tuple[str, ...] = ()


class OfflineEncoder:
    """Encodes decisions for one profile. Raises ConfigError if profile and dialect don't fit."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._encoder = Encoder(profile, dialects.of_profile(profile))

    def cycles(self, lines: Iterable[str]) -> Iterator[Cycle]:
        """One cycle a line, one period apart; blank lines are skipped.

        A line that can't be used takes its period too, as silence, so that the times of the others
        do not depend on it.
        """
        begin_s = 0.0
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            try:
                frames = self.encode(parse(text))
            except ConfigError as error:
                yield Cycle(number, problems=error.problems)
            else:
                spaced = ((begin_s + i * self._profile.spacing_s, frame) for i, frame in enumerate(frames))
                yield Cycle(number, tuple(spaced))
            begin_s += self._profile.period_s

    def encode(self, decision: Decision) -> tuple[CanFrame, ...]:
        """One cycle, and all answers and slow frames behind it.

        Raises ConfigError for a value that the profile needs and nobody gives.
        """
        final = settle(decision, self._profile, guard=lambda settled: settled)
        values = values_of(final)
        full = filled(values, self._encoder.required, self._profile.unknown, wanted=self._encoder.names)
        if full is None:
            unknown = [name for name in sorted(self._encoder.required) if values.get(name) is None]
            missing = [name for name in unknown if name not in self._profile.unknown]
            raise ConfigError(*(f"{name}: missing" for name in missing))
        said = stopped_by_soc(full, final) if self._profile.soc_says_stop else full
        order = self._profile.sent_ids
        return self._encoder.encode(said, final.protections, final.warnings, order=order)


def candump(time_s: float, channel: str, frame: CanFrame) -> str:
    """A frame as `candump -L` writes it."""
    can_id = f"{frame.can_id:08X}" if frame.extended else f"{frame.can_id:03X}"
    return f"({time_s:.6f}) {channel} {can_id}#{frame.data.hex().upper()}"


def parse(text: str) -> Decision:
    """A decision from one JSON object; raises ConfigError with every problem, by key.

    Required: voltage_v, soc_pct and the three limits of `LIMITS`. An enable that is not there follows
    its limit. discharge_voltage_limit_v that is not there is 0: none stated. Null, where
    it may stand: not known.
    """
    written = _object(text)
    problems = [
        f"{key}: unknown key; known: {', '.join(KEYS)}{did_you_mean(key, KEYS)}"
        for key in written
        if key not in KEYS
    ]
    problems += [f"{key}: missing" for key in REQUIRED if key not in written]
    values: dict[str, object] = {}
    for key, value in written.items():
        if key in KEYS and not (value is None and key in MAY_BE_NULL):
            try:
                values[key] = KEYS[key](value)
            except ConfigError as error:
                problems.append(f"{key}: {json.dumps(value)} {error}")
    if problems:
        raise ConfigError(*problems)
    return _decision(values)


def _decision(values: Mapping[str, object]) -> Decision:
    """A decision of checked values."""

    def number(key: str) -> float | None:
        value = values.get(key)
        return float(value) if isinstance(value, int | float) else None

    def alarms(key: str) -> frozenset[Alarm]:
        value = values.get(key, frozenset())
        assert isinstance(value, frozenset)
        return value

    soc_pct, soh_pct = number("soc_pct"), number("soh_pct")
    modules = int(number("module_count") or 0)
    charge_a, discharge_a = (
        number("charge_current_limit_a") or 0.0,
        number("discharge_current_limit_a") or 0.0,
    )
    return Decision(
        time_s=0.0,
        bank=Bank(
            voltage_v=number("voltage_v"),
            current_a=number("current_a"),
            soc=None if soc_pct is None else soc_pct / 100,
            soh=None if soh_pct is None else soh_pct / 100,
            temperature_c=number("temperature_c"),
            pack_count=modules,
            packs_online=modules,
            cycles=None if (cycles := number("cycles")) is None else int(cycles),
            **{name: number(name) for name in BANK_NUMBERS},  # type: ignore[arg-type]  # all are `float | None`
        ),
        charge_voltage_limit_v=number("charge_voltage_limit_v") or 0.0,
        discharge_voltage_limit_v=number("discharge_voltage_limit_v") or 0.0,
        charge_current_limit_a=charge_a,
        discharge_current_limit_a=discharge_a,
        charge_enabled=bool(values.get("charge_enabled", charge_a > 0)),
        discharge_enabled=bool(values.get("discharge_enabled", discharge_a > 0)),
        force_charge=bool(values.get("force_charge", False)),
        full_charge_request=bool(values.get("full_charge_request", False)),
        protections=alarms("alarms"),
        warnings=alarms("warnings"),
    )


def _object(text: str) -> Json:
    try:
        written = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not one JSON object: {error}") from error
    if not isinstance(written, dict):
        raise ConfigError(f"not a JSON object but {json.dumps(written)[:40]}")
    return written


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    twice = sorted({key for key, _ in pairs if [other for other, _ in pairs].count(key) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands twice")
    return dict(pairs)


# What a key's value must be; what is said of one that is not follows after key and value.


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError("is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ConfigError("is not a finite number")
    return number


def _limit(value: object) -> float:
    number = _number(value)
    if number < 0:
        raise ConfigError("is negative; a limit is 0 or more")
    return number


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError("is not a whole number of 0 or more")
    return int(_number(value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError("is neither true nor false")
    return value


def _alarms(value: object) -> frozenset[Alarm]:
    if not isinstance(value, list):
        raise ConfigError("is not a list of names")
    known = [alarm.value for alarm in Alarm]
    for name in value:
        if name not in known:
            raise ConfigError(f"has an unknown alarm, {name!r}{did_you_mean(str(name), known)}")
    return frozenset(Alarm(name) for name in value)


KEYS: Mapping[str, Callable[[object], object]] = {
    "voltage_v": _number,
    "current_a": _number,
    "soc_pct": _number,
    "soh_pct": _number,
    "temperature_c": _number,
    "charge_voltage_limit_v": _limit,
    "discharge_voltage_limit_v": _limit,
    "charge_current_limit_a": _limit,
    "discharge_current_limit_a": _limit,
    "charge_enabled": _flag,
    "discharge_enabled": _flag,
    "force_charge": _flag,
    "full_charge_request": _flag,
    "alarms": _alarms,
    "warnings": _alarms,
    "module_count": _count,
    "cycles": _count,
    **dict.fromkeys(BANK_NUMBERS, _number),
}
"""What a decision may say. Not every dialect carries all of it."""
