"""What stands in a map's registers at one moment: quantities into words, limits toward less current.

One idea: registers are made when they are asked for, and only those, of one picture; so the words of one
answer belong together and nothing is ever served that is older than its decision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bridge.errors import BridgeBug
from bridge.model import Alarm
from bridge.registers.amounts import LISTS, NUMBERS, Said
from bridge.registers.tables import (
    Amount,
    Code,
    Entry,
    Fixed,
    Flags,
    Letters,
    RegisterMap,
    Row,
    bounds,
)
from bridge.responders.picture import fitted
from bridge.sinks.quantities import Rounding, steps

HALF_OF = {"charging_a": "current_a", "discharging_a": "current_a"}
Words = Sequence[int]
Maker = Callable[[Said], Words]


class Place(NamedTuple):
    """Registers that are made together."""

    start: int
    end: int
    make: Maker


class Image:
    """The registers of one map. required: quantities without which it must not be served."""

    def __init__(self, read: RegisterMap) -> None:
        self._numbers = read.numbers
        self._places = [Place(one.at, one.at + one.size, _maker(one)) for one in read.entries]
        limits = {
            one.name.replace("_power_limit_w", "_current_limit_a")
            for one in read.numbers
            if NUMBERS[one.name].limit
        }
        self._highest = [
            (one.name, _most(one))
            for one in read.numbers
            if NUMBERS[one.name].limit and NUMBERS[one.name].rounding is Rounding.UP
        ]
        self.required = frozenset({"voltage_v", "soc_pct"} | limits)

    def fits(self, said: Said) -> bool:
        """Whether no limit would be said with less than it is: a discharge voltage that is too high for its
        place would allow more. Then nothing may be said at all.
        """
        return all(said.numbers.get(name, 0.0) <= most for name, most in self._highest)

    def too_large(self, said: Said) -> frozenset[str]:
        """The numbers that go as the largest that their places hold."""
        return frozenset(
            HALF_OF.get(one.name, one.name)
            for one in self._numbers
            if (value := _value(one, said)) is not None and _is_too_large(one, value)
        )

    def words(self, start: int, count: int, said: Said) -> list[int]:
        """So many registers from `start` on; 0 in holes. Raises BridgeBug for what is no finite number and
        for a negative limit.
        """
        end = start + count
        found = [0] * count
        for place in self._places:
            if place.start < end and start < place.end:
                words = place.make(said)
                first, last = max(start, place.start), min(end, place.end)
                found[first - start : last - start] = words[first - place.start : last - place.start]
        return found


def _most(entry: Amount) -> float:
    """The highest value that it can say."""
    most = bounds(entry.type)[1] * entry.step
    return most if entry.max is None else min(most, entry.max)


def counts(value: float, step: float, offset: int, kind: str, rounding: Rounding) -> int:
    """A value as the whole number that stands for it in a type; it saturates and never wraps."""
    low, high = bounds(kind)
    raw = steps(value, step, rounding) + offset
    return int(min(high, max(low, raw)))


def split(raw: int, kind: str, order: str) -> Words:
    """A number in as many words as its type has."""
    size = int(kind[1:]) // 16
    words = [raw >> 16 * place & 0xFFFF for place in range(size)]
    return words if order == "low-first" else words[::-1]


def _maker(entry: Entry) -> Maker:
    match entry:
        case Amount():
            return _amount(entry)
        case Row():
            return _row(entry)
        case Flags():
            return _flags(entry)
        case Code():
            return _code(entry)
        case Letters():
            data = entry.text.encode("ascii").ljust(2 * entry.words, b"\0")
            words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
            return lambda _: words
        case Fixed():
            value = entry.value
            return lambda _: (value,)
        case _:
            raise BridgeBug(f"{entry!r} is no entry of a register map")


def _amount(entry: Amount) -> Maker:
    quantity = NUMBERS[entry.name]

    def make(said: Said) -> Words:
        value = _value(entry, said)
        if value is None:
            return split(entry.unknown, entry.type, entry.order)
        if not math.isfinite(value) or (quantity.limit and value < 0):
            raise BridgeBug(f"{entry.name}: {value} is nothing to send")
        if entry.min is not None:
            value = max(entry.min, value)
        if entry.max is not None:
            value = min(entry.max, value)
        return split(
            counts(value, entry.step, entry.offset, entry.type, quantity.rounding), entry.type, entry.order
        )

    return make


def _value(entry: Amount, said: Said) -> float | None:
    value = said.numbers.get(entry.name)
    return said.numbers.get(entry.otherwise) if value is None and entry.otherwise is not None else value


def _is_too_large(entry: Amount, value: float) -> bool:
    """Whether it is beyond what the map lets it be, or the type: of signed ones on either side."""
    if entry.max is not None and value > entry.max:
        return True
    low, high = bounds(entry.type)
    raw = steps(value, entry.step, NUMBERS[entry.name].rounding) + entry.offset
    return (raw > high and (low < 0 or entry.step > 0)) or (raw < low and (low < 0 or entry.step < 0))


def _row(entry: Row) -> Maker:
    def count_of(value: float | None, missing: int) -> int:
        if value is None:
            return missing
        return counts(value, entry.step, entry.offset, entry.type, Rounding.NEAREST)

    def make(said: Said) -> Words:
        values = fitted(tuple(LISTS[entry.of](said.picture.whole)), entry.places)
        stand_in = said.numbers.get(entry.otherwise) if entry.otherwise else None
        raw = [count_of(stand_in if value is None else value, entry.unknown) for value in values]
        raw += [count_of(stand_in, entry.unused)] * (entry.places - len(raw))
        if entry.type != "s8":
            return [one & 0xFFFF for one in raw]
        raw += [entry.unused] * (len(raw) % 2)
        return [(high & 0xFF) << 8 | low & 0xFF for high, low in zip(raw[::2], raw[1::2], strict=True)]

    return make


def _flags(entry: Flags) -> Maker:
    protections = [(1 << int(bit[1:]), _alarms(names)) for bit, names in entry.protections.items()]
    warnings = [(1 << int(bit[1:]), _alarms(names)) for bit, names in entry.warnings.items()]
    switches = [(1 << bit, name) for name, bit in entry.bits.items()]
    switches += [(1 << bit, "charge_forbidden") for bit in entry.stop_charge or ()]
    switches += [(1 << bit, "discharge_forbidden") for bit in entry.stop_discharge or ()]

    def make(said: Said) -> Words:
        word = entry.always
        for mask, name in switches:
            word |= mask if said.flag(name) else 0
        for mask, alarms in protections:
            word |= mask if alarms & said.picture.protections else 0
        for mask, alarms in warnings:
            word |= mask if alarms & said.picture.warnings else 0
        for name, (first, width) in entry.fields.items():
            raw = int(min((1 << width) - 1, max(0, steps(said.numbers.get(name, 0), 1, Rounding.DOWN))))
            word |= raw << first
        return (word,)

    return make


def _code(entry: Code) -> Maker:
    cases = [(case, _alarms(case.protections), _alarms(case.warnings)) for case in entry.cases]

    def make(said: Said) -> Words:
        for case, protections, warnings in cases:
            if case.when is not None and said.flag(case.when):
                return (case.value,)
            if protections & said.picture.protections or warnings & said.picture.warnings:
                return (case.value,)
        return (entry.otherwise,)

    return make


def _alarms(names: Iterable[str] | None) -> frozenset[Alarm]:
    return frozenset(Alarm(name) for name in names or ())
