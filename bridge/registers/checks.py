"""Whether a register map can be what it says: all that its schema can't see, all at once and by key."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bridge.model import Alarm
from bridge.registers.amounts import FLAGS, LISTS, NUMBERS
from bridge.registers.tables import (
    BIT_READS,
    BIT_WRITES,
    Amount,
    Code,
    Entry,
    Flags,
    Letters,
    RegisterMap,
    Row,
    bounds,
)

_TABLES = ("numbers", "lists", "flags", "codes", "texts", "fixed")
_KEPT_MAX = 256  # what is written is remembered; nobody may fill the memory
_LAST = 0x10000
_BITS = frozenset(f"b{number}" for number in range(16))
_ALARMS = frozenset(alarm.value for alarm in Alarm)


def problems(read: RegisterMap) -> Iterator[str]:
    """What is wrong with a map, as sentences that begin with the key."""
    yield from _area_problems(read)
    yield from _place_problems(read)
    for key, entry in _keys(read):
        yield from (f"{key}.{text}" for text in (*_name_problems(entry), *_fit_problems(entry)))


def _keys(read: RegisterMap) -> Iterator[tuple[str, Entry]]:
    for table in _TABLES:
        for number, entry in enumerate(getattr(read, table)):
            yield f"{table}[{number}]", entry


def _area_problems(read: RegisterMap) -> Iterator[str]:
    for table, areas in (("spans", read.spans), ("writes", read.writes)):
        for number, area in enumerate(areas):
            if area.end > _LAST:
                yield f"{table}[{number}].count: runs over the last register"
    if sum(one.count for one in read.writes if one.kept) > _KEPT_MAX:
        yield f"writes: more than {_KEPT_MAX} values would be kept"


def _place_problems(read: RegisterMap) -> Iterator[str]:
    """What stands on top of something else, or where nobody may look."""
    taken: dict[int, str] = {}
    spans = [span for span in read.spans if not BIT_READS & {*span.functions}]
    for key, entry in _keys(read):
        if not any(span.holds(entry.at, entry.size) for span in spans):
            yield f"{key}.at: 0x{entry.at:04X} is in none of the spans"
        for address in range(entry.at, entry.at + entry.size):
            if address in taken:
                yield f"{key}.at: 0x{address:04X} belongs to {taken[address]} already"
            taken.setdefault(address, key)
    for number, write in enumerate(read.writes):
        if write.kept and not BIT_WRITES & {*write.functions}:
            for address in sorted(taken.keys() & range(write.start, write.end)):
                yield f"writes[{number}].kept: 0x{address:04X} is {taken[address]}, which is ours to say"


def _name_problems(entry: Entry) -> Iterator[str]:
    """Names that nothing has."""
    match entry:
        case Amount():
            yield from _unknown("name", [entry.name], NUMBERS)
            yield from _unknown("otherwise", [entry.otherwise], NUMBERS)
        case Row():
            yield from _unknown("of", [entry.of], LISTS)
            yield from _unknown("otherwise", [entry.otherwise], NUMBERS)
        case Flags():
            yield from _unknown("bits", entry.bits, FLAGS)
            yield from _unknown("fields", entry.fields, NUMBERS)
            for name, table in (("protections", entry.protections), ("warnings", entry.warnings)):
                yield from _unknown(name, table, _BITS)
                yield from (text for alarms in table.values() for text in _unknown(name, alarms, _ALARMS))
        case Code():
            for case in entry.cases:
                yield from _unknown("cases", [case.when], FLAGS)
                yield from _unknown("cases", (*(case.protections or ()), *(case.warnings or ())), _ALARMS)
                if [case.when, case.protections, case.warnings].count(None) != 2:
                    yield f"cases: that of {case.value} needs one of when, protections, warnings"
        case _:
            pass


def _unknown(key: str, names: Collection[str | None], known: Collection[str]) -> Iterator[str]:
    for name in names:
        if name is not None and name not in known:
            yield f"{key}: {name!r} is unknown; known: {', '.join(sorted(known))}"


def _fit_problems(entry: Entry) -> Iterator[str]:
    """What does not fit its bits, or would say more than may be."""
    match entry:
        case Amount():
            yield from _amount_problems(entry)
        case Row():
            low, high = bounds(entry.type)
            if not (low <= entry.unknown <= high and low <= entry.unused <= high):
                yield f"unknown: it, or unused, does not fit {entry.type}"
        case Flags():
            yield from _bit_problems(entry)
        case Letters() if not entry.text.isascii() or len(entry.text) > 2 * entry.words:
            yield f"text: {entry.text!r} is no text of at most {2 * entry.words} ASCII letters"
        case _:
            pass


def _amount_problems(entry: Amount) -> Iterator[str]:
    low, high = bounds(entry.type)
    if not low <= entry.unknown <= high:
        yield f"unknown: {entry.unknown} does not fit {entry.type}"
    if entry.step == 0:
        yield "step: 0 says nothing"
    if entry.min is not None and entry.max is not None and entry.min > entry.max:
        yield f"min: {entry.min} is above max {entry.max}"
    if entry.name not in NUMBERS or not NUMBERS[entry.name].limit:
        return
    if entry.step < 0 or entry.offset or entry.type[0] == "s":
        yield "step: a limit is unsigned and counts up from 0"
    if entry.min or entry.otherwise or entry.unknown:
        yield "min: a limit is never raised, and nothing stands in for it"


def _bit_problems(entry: Flags) -> Iterator[str]:
    """A switch shares its bit with nothing. Alarms may share theirs: with stops, and with one another."""
    alone = [*entry.bits.values()]
    for name, (first, count) in entry.fields.items():
        if count < 1 or first < 0 or first + count > 16:
            yield f"fields: {name} does not fit its word"
        alone += range(first, first + count)
    alarms = {int(bit[1:]) for bit in (*entry.protections, *entry.warnings) if bit in _BITS}
    shared = alarms | {*(entry.stop_charge or ()), *(entry.stop_discharge or ())}
    shared |= {bit for bit in range(16) if entry.always >> bit & 1}
    for bit in sorted({bit for bit in alone if alone.count(bit) > 1 or bit in shared}):
        yield f"bits: {bit} has two meanings"
