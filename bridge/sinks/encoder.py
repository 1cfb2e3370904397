"""Quantities into frames: a dialect's layout joined with what one inverter's profile says of it.

The idea: what does not change is worked out once (constants, names, bounds, shifts), so a cycle is
a handful of divisions. A value is rounded to the side of less current, then clamped to what bits,
DBC and profile all allow; nothing wraps, and what can't be sent at all raises.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.errors import BridgeBug, ConfigError, did_you_mean
from bridge.model import Alarm, CanFrame
from bridge.profiles import Profile, Range
from bridge.sinks.dialect import FRAME_BYTES, RAISED, Dialect, Kind, Message, Signal
from bridge.sinks.quantities import DUST_STEPS, QUANTITIES, Known, Rounding, steps

VITAL = ("charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a")
MIRRORED = {
    Rounding.DOWN: Rounding.UP,
    Rounding.UP: Rounding.DOWN,
    Rounding.NEAREST: Rounding.NEAREST,
}


@dataclass(frozen=True, slots=True)
class _Field:
    """A number's way into a frame. ratio: raw steps in one step of the profile's. low, high: raw."""

    signal: Signal
    limit: bool
    rounding: Rounding
    step: float
    ratio: int
    low: int
    high: int

    def raw(self, value: float | str | None) -> int:
        """The raw integer for a physical value; raises BridgeBug for what no decision may hold.

        None, which only a signal with a code for it may be given: not available.
        """
        if value is None and self.signal.not_available is not None:
            return self.signal.not_available
        if not isinstance(value, int | float):
            raise BridgeBug(f"{self.signal.name}: {value!r} is no number to send")
        if self.limit and value < 0:
            raise BridgeBug(f"{self.signal.name}: {value} is negative; a limit is 0 or more")
        try:
            whole = steps(value - self.signal.offset, self.step, self.rounding)
        except BridgeBug as error:
            raise BridgeBug(f"{self.signal.name}: {error}") from error
        return int(min(max(whole * self.ratio, self.low), self.high))


@dataclass(frozen=True, slots=True)
class _Plan:
    """A message, ready to be filled. little, big: the constant bits in either byte order.

    needs: the quantities without which it says nothing. optional: it may be left out for that.
    """

    message: Message
    size: int
    optional: bool
    needs: frozenset[str]
    little: int
    big: int
    fields: tuple[_Field, ...]
    labels: tuple[Signal, ...]
    alarms: tuple[Signal, ...]

    def frame(self, values: Known, protections: frozenset[Alarm], warnings: frozenset[Alarm]) -> CanFrame:
        little, big = self.little, self.big
        for field in self.fields:
            signal = field.signal
            bits = (field.raw(values.get(signal.name)) & signal.mask) << signal.shift
            if signal.little_endian:
                little |= bits
            else:
                big |= bits
        for signal in self.labels:
            bits = _text(str(values[signal.name])[: signal.length // 8], signal) << signal.shift
            little, big = (little | bits, big) if signal.little_endian else (little, big | bits)
        if protections or warnings:
            for signal in self.alarms:
                if protections & signal.protections or warnings & signal.warnings:
                    little = little & ~(signal.mask << signal.shift) | RAISED << signal.shift
        word = little | int.from_bytes(big.to_bytes(FRAME_BYTES, "big"), "little")
        data = word.to_bytes(FRAME_BYTES, "little")[: self.size]
        return CanFrame(self.message.can_id, data, self.message.extended)


class Encoder:
    """Makes the cycle for one inverter. Raises ConfigError if profile and dialect don't fit."""

    def __init__(self, profile: Profile, dialect: Dialect) -> None:
        problems = [f"{profile.path}: {text}" for text in _misfits(profile, dialect)]
        if problems:
            raise ConfigError(*problems)
        ours = {message.can_id: message for message in dialect.messages.values() if message.ours}
        self._plans = tuple(_plan(ours[can_id], profile) for can_id in profile.order)
        self._above = profile.above

    @property
    def names(self) -> frozenset[str]:
        """The quantities that `encode` can say."""
        signals = (signal for plan in self._plans for signal in plan.message.signals)
        return frozenset(one.name for one in signals if one.kind in {Kind.QUANTITY, Kind.LABEL})

    @property
    def required(self) -> frozenset[str]:
        """Those that it must be given. The frames that need another one are left out without it."""
        return frozenset(name for plan in self._plans if not plan.optional for name in plan.needs)

    @property
    def ids(self) -> frozenset[tuple[int, bool]]:
        """The identifiers that we send, with whether they have 29 bits."""
        return frozenset((plan.message.can_id, plan.message.extended) for plan in self._plans)

    def encode(
        self, values: Known, protections: frozenset[Alarm], warnings: frozenset[Alarm]
    ) -> tuple[CanFrame, ...]:
        """One cycle, in the profile's order, without the optional frames that nothing is known for.

        Raises BridgeBug for a value that is no finite number and for a negative limit.
        """
        said = self._spread(values) if self._above else values
        known = said.keys()
        return tuple(
            plan.frame(said, protections, warnings)
            for plan in self._plans
            if not plan.optional or plan.needs <= known
        )

    def _spread(self, values: Known) -> Known:
        """The values with those that the inverter wants above another one raised."""
        said = dict(values)
        for name, above in self._above.items():
            value, least = said.get(name), said.get(above.of)
            if isinstance(value, int | float) and isinstance(least, int | float):
                said[name] = max(value, least + above.by)
        return said


def _plan(message: Message, profile: Profile) -> _Plan:
    words = {True: 0, False: 0}
    for signal in message.signals:
        if signal.kind in {Kind.CONSTANT, Kind.TEXT, Kind.ALARM}:
            words[signal.little_endian] |= (_constant(signal, profile) & signal.mask) << signal.shift
    return _Plan(
        message=message,
        size=max(message.length, profile.pad_to),
        optional=message.can_id in profile.optional,
        needs=frozenset(
            signal.name
            for signal in message.signals
            if signal.kind in {Kind.QUANTITY, Kind.LABEL} and signal.not_available is None
        ),
        little=words[True],
        big=words[False],
        fields=tuple(_field(signal, profile) for signal in message.signals if signal.kind is Kind.QUANTITY),
        labels=tuple(signal for signal in message.signals if signal.kind is Kind.LABEL),
        alarms=tuple(signal for signal in message.signals if signal.kind is Kind.ALARM),
    )


def _constant(signal: Signal, profile: Profile) -> int:
    given = profile.constants.get(signal.name, signal.constant)
    return given if isinstance(given, int) else _text(given, signal)


def _text(text: str, signal: Signal) -> int:
    data = text.encode("ascii").ljust(signal.length // 8, b"\0")
    return int.from_bytes(data, "little" if signal.little_endian else "big")


def _field(signal: Signal, profile: Profile) -> _Field:
    quantity = QUANTITIES[signal.name]
    step = profile.steps.get(signal.name, abs(signal.scale))
    ratio = round(step / signal.scale)
    low, high = _bounds(signal, profile)
    return _Field(
        signal=signal,
        limit=quantity.limit,
        rounding=quantity.rounding if signal.scale > 0 else MIRRORED[quantity.rounding],
        step=math.copysign(step, signal.scale),
        ratio=abs(ratio),
        low=low,
        high=high,
    )


def _bounds(signal: Signal, profile: Profile) -> tuple[int, int]:
    """The raw values that bits, DBC and profile all allow; the first is above the second if none is."""
    low, high = (float(end) for end in signal.raw_range)
    given = profile.ranges.get(signal.name, Range())
    for minimum, maximum in ((signal.minimum, signal.maximum), (given.min, given.max)):
        ends = (-math.inf if minimum is None else minimum, math.inf if maximum is None else maximum)
        first, last = sorted((end - signal.offset) / signal.scale for end in ends)
        low, high = max(low, first), min(high, last)
    return math.ceil(low - DUST_STEPS), math.floor(high + DUST_STEPS)


def _misfits(profile: Profile, dialect: Dialect) -> Iterator[str]:
    """What the profile says that its dialect can't do, as sentences that begin with the key."""
    ours = {message.can_id: message for message in dialect.messages.values() if message.ours}
    for can_id in profile.order:
        if can_id not in ours:
            known = ", ".join(f"0x{one:X}" for one in ours)
            yield f"order: 0x{can_id:X} is no frame of the battery in {dialect.name}; there are {known}"
    signals = {
        signal.name: signal for can_id in profile.order if can_id in ours for signal in ours[can_id].signals
    }
    for name in VITAL:
        if name not in signals:
            yield f"order: none of its frames carries {name}"
    yield from _optional_misfits(profile, ours)
    yield from _unknown_names(profile, signals)
    for name, signal in signals.items():
        yield from _constant_misfits(profile, signal) if signal.kind in {Kind.CONSTANT, Kind.TEXT} else ()
        if signal.kind is Kind.QUANTITY:
            low, high = _bounds(signal, profile)
            if low > high:
                yield f"ranges.{name}: no value of this range fits the frame"
            ratio = profile.steps.get(name, abs(signal.scale)) / abs(signal.scale)
            if ratio < 1 or abs(ratio - round(ratio)) > DUST_STEPS:
                yield f"steps.{name}: must be a multiple of the frame's own {abs(signal.scale)} {signal.unit}"


def _optional_misfits(profile: Profile, ours: Mapping[int, Message]) -> Iterator[str]:
    for can_id in profile.optional:
        names = {signal.name for signal in ours[can_id].signals} if can_id in ours else set()
        if vital := sorted(names & {*VITAL}):
            yield f"optional: 0x{can_id:X} carries {', '.join(vital)} and must always be sent"


def _unknown_names(profile: Profile, signals: Mapping[str, Signal]) -> Iterator[str]:
    kinds = {
        "constants": {Kind.CONSTANT, Kind.TEXT},
        "unknown": {Kind.QUANTITY},
        "ranges": {Kind.QUANTITY},
        "steps": {Kind.QUANTITY},
        "above": {Kind.QUANTITY},
    }
    for table, allowed in kinds.items():
        known = [name for name, signal in signals.items() if signal.kind in allowed]
        others = [above.of for above in profile.above.values()] if table == "above" else []
        for name in (*getattr(profile, table), *others):
            if name not in known:
                yield (
                    f"{table}.{name}: there is no such signal in its frames; known: "
                    f"{', '.join(known)}{did_you_mean(name, known)}"
                )


def _constant_misfits(profile: Profile, signal: Signal) -> Iterator[str]:
    key = f"constants.{signal.name}"
    given = profile.constants.get(signal.name)
    if signal.kind is Kind.TEXT:
        size = signal.length // 8
        if given is None:
            yield f"{key}: missing; a text of at most {size} ASCII letters"
        elif not isinstance(given, str) or not given.isascii() or len(given) > size:
            yield f"{key}: {given!r} is no text of at most {size} ASCII letters"
    elif given is not None:
        low, high = signal.raw_range
        if not isinstance(given, int) or not low <= given <= high:
            yield f"{key}: {given!r} is no whole number from {low} to {high}"
