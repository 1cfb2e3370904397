"""Messages, ready to be filled: a dialect's layout joined with what one inverter's profile says of it.

The idea: what does not change is worked out once (constants, names, bounds, shifts), so a frame is a
handful of divisions. A value is rounded to the side of less current, then clamped to what bits, DBC
and profile all allow; nothing wraps, and what can't be sent at all raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.errors import BridgeBug
from bridge.model import Alarm, CanFrame
from bridge.profiles import Profile, Range
from bridge.sinks.dialect import FRAME_BYTES, RAISED, Kind, Message, Signal
from bridge.sinks.quantities import DUST_STEPS, QUANTITIES, Known, Rounding, steps

MIRRORED = {
    Rounding.DOWN: Rounding.UP,
    Rounding.UP: Rounding.DOWN,
    Rounding.NEAREST: Rounding.NEAREST,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A number's way into a frame. ratio: raw steps in one step of the profile's. low, high: raw."""

    signal: Signal
    name: str
    mask: int
    limit: bool
    rounding: Rounding
    step: float
    ratio: int
    low: int
    high: int

    def raw(self, value: float | str | None, clamped: set[str]) -> int:
        """The raw integer for a physical value; raises BridgeBug for what no decision may hold.

        None, which only a signal with a code for it may be given: not available. clamped: gets the
        name of a value that is too large for its place.
        """
        if value is None and self.signal.not_available is not None:
            return self.signal.not_available
        if value is None or isinstance(value, str):
            raise BridgeBug(f"{self.name}: {value!r} is no number to send")
        if self.limit and value < 0:
            raise BridgeBug(f"{self.name}: {value} is negative; a limit is 0 or more")
        try:
            whole = steps(value - self.signal.offset, self.step, self.rounding)
        except BridgeBug as error:
            raise BridgeBug(f"{self.name}: {error}") from error
        exact = whole * self.ratio
        if exact > self.high if self.step > 0 else exact < self.low:
            clamped.add(self.name)
        return int(min(max(exact, self.low), self.high))


@dataclass(frozen=True, slots=True)
class Plan:
    """A message, ready to be filled. little, big: the constant bits in either byte order.

    needs: the quantities without which it says nothing. optional: it may be left out for that.
    """

    message: Message
    size: int
    optional: bool
    needs: frozenset[str]
    little: int
    big: int
    fields: tuple[Field, ...]
    labels: tuple[Signal, ...]
    alarms: tuple[Signal, ...]

    @property
    def key(self) -> tuple[int, bool]:
        """Its identifier, and whether that has 29 bits."""
        return self.message.can_id, self.message.extended

    def frame(
        self, values: Known, protections: frozenset[Alarm], warnings: frozenset[Alarm], clamped: set[str]
    ) -> CanFrame:
        """The frame for these values and alarms. clamped: see `Field.raw`."""
        little, big = self.little, self.big
        for field in self.fields:
            signal = field.signal
            bits = (field.raw(values.get(field.name), clamped) & field.mask) << signal.shift
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
        word = little | int.from_bytes(big.to_bytes(FRAME_BYTES, "big"), "little") if big else little
        data = word.to_bytes(FRAME_BYTES, "little")[: self.size]
        return CanFrame(self.message.can_id, data, self.message.extended)


def plans_of(message: Message, profile: Profile, constants: Mapping[str, int | str]) -> tuple[Plan, ...]:
    """A message's frames, one for each of its pages. constants: in place of the dialect's."""
    return tuple(_plan(message, page, profile, constants) for page in message.pages)


def _plan(message: Message, page: int | None, profile: Profile, constants: Mapping[str, int | str]) -> Plan:
    words = {True: 0, False: 0}
    signals = message.on_page(page)
    for signal in signals:
        if signal.kind in {Kind.CONSTANT, Kind.TEXT, Kind.ALARM}:
            fixed = (
                page if page is not None and signal.name == message.selector else _constant(signal, constants)
            )
            words[signal.little_endian] |= (fixed & signal.mask) << signal.shift
    return Plan(
        message=message,
        size=max(message.length, profile.pad_to),
        optional=message.can_id - profile.id_offset in profile.optional,
        needs=frozenset(
            signal.name
            for signal in signals
            if signal.kind in {Kind.QUANTITY, Kind.LABEL} and signal.not_available is None
        ),
        little=words[True],
        big=words[False],
        fields=tuple(_field(signal, profile) for signal in signals if signal.kind is Kind.QUANTITY),
        labels=tuple(signal for signal in signals if signal.kind is Kind.LABEL),
        alarms=tuple(signal for signal in signals if signal.kind is Kind.ALARM),
    )


def _constant(signal: Signal, constants: Mapping[str, int | str]) -> int:
    given = constants.get(signal.name, signal.constant)
    return given if isinstance(given, int) else _text(given, signal)


def _text(text: str, signal: Signal) -> int:
    data = text.encode("ascii").ljust(signal.length // 8, b"\0")
    return int.from_bytes(data, "little" if signal.little_endian else "big")


def _field(signal: Signal, profile: Profile) -> Field:
    quantity = QUANTITIES[signal.name]
    step = profile.steps.get(signal.name, abs(signal.scale))
    ratio = round(step / signal.scale)
    low, high = bounds(signal, profile)
    return Field(
        signal=signal,
        name=signal.name,
        mask=signal.mask,
        limit=quantity.limit,
        rounding=quantity.rounding if signal.scale > 0 else MIRRORED[quantity.rounding],
        step=math.copysign(step, signal.scale),
        ratio=abs(ratio),
        low=low,
        high=high,
    )


def bounds(signal: Signal, profile: Profile) -> tuple[int, int]:
    """The raw values that bits, DBC and profile all allow; the first is above the second if none is."""
    low, high = (float(end) for end in signal.raw_range)
    given = profile.ranges.get(signal.name, Range())
    for minimum, maximum in ((signal.minimum, signal.maximum), (given.min, given.max)):
        ends = (-math.inf if minimum is None else minimum, math.inf if maximum is None else maximum)
        first, last = sorted((end - signal.offset) / signal.scale for end in ends)
        low, high = max(low, first), min(high, last)
    return math.ceil(low - DUST_STEPS), math.floor(high + DUST_STEPS)
