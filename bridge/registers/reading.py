"""Register words back into quantities, for captures: what a map says they mean.

Only what a window holds completely is read; of a list also a part, because masters cut through them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_type_hints

from bridge.model import Alarm, Reading
from bridge.protocols.contract import Raw
from bridge.registers.tables import Amount, Code, Flags, Letters, RegisterMap, Row, bounds

READING = frozenset(get_type_hints(Reading))
WHOLE = frozenset({"cell_count", "cycles"})
NO_PROBE_C = -100.0


def read(known: RegisterMap, start: int, words: Sequence[int]) -> tuple[Reading, dict[str, Raw]]:
    """The quantities in a window of registers, and what only the map has a name for."""
    found = _Found()
    end = start + len(words)
    for entry in known.entries:
        first, last = entry.at - start, entry.at + entry.size - start
        if isinstance(entry, Row):
            if entry.at < end and start < entry.at + entry.size:
                found.row(entry, max(0, -first), words[max(0, first) : last])
        elif first >= 0 and last <= len(words):
            found.entry(entry, words[first:last])
    return found.reading, found.raw


class _Found:
    """What was read so far."""

    def __init__(self) -> None:
        self.raw: dict[str, Raw] = {}
        self._values: dict[str, object] = {}
        self._alarms: dict[str, set[Alarm]] = {}

    @property
    def reading(self) -> Reading:
        alarms = {name: frozenset(found) for name, found in self._alarms.items()}
        return {**self._values, **alarms}  # type: ignore[typeddict-item]  # keys are of READING; tested

    def entry(self, entry: object, words: Sequence[int]) -> None:
        match entry:
            case Amount():
                self._value(entry.name, _known(entry.name, _amount(entry, words)))
            case Flags():
                self._flags(entry, words[0])
            case Code():
                self._code(entry, words[0])
            case Letters():
                data = b"".join(word.to_bytes(2, "big") for word in words)
                self.raw[f"text_{entry.at}"] = data.rstrip(b"\0").decode("latin-1")
            case _:
                pass

    def row(self, entry: Row, skipped: int, words: Sequence[int]) -> None:
        raw = _bytes_of(words) if entry.type == "s8" else [_signed(word, entry.type) for word in words]
        first = skipped * (2 if entry.type == "s8" else 1) + 1
        while raw and raw[-1] == entry.unused and not entry.otherwise:
            raw.pop()
        values = tuple(_known(entry.of, _scaled(one, entry.step, entry.offset)) for one in raw)
        if len(words) == entry.size:
            self._values[entry.of] = values
        else:
            self.raw[f"{entry.of}_from_{first}"] = values

    def _value(self, name: str, value: float | None) -> None:
        if name in READING:
            self._values[name] = round(value) if value is not None and name in WHOLE else value
        else:
            self.raw[name] = value

    def _flags(self, entry: Flags, word: int) -> None:
        for name, bit in entry.bits.items():
            self.raw[name] = bool(word >> bit & 1)
        for name, (first, count) in entry.fields.items():
            self.raw[name] = word >> first & (1 << count) - 1
        for kind, table in (("protections", entry.protections), ("warnings", entry.warnings)):
            if table:
                said = {name for bit, names in table.items() if word >> int(bit[1:]) & 1 for name in names}
                self._alarms.setdefault(kind, set()).update(map(Alarm, said))

    def _code(self, entry: Code, word: int) -> None:
        for case in entry.cases:
            for kind, names in (("protections", case.protections), ("warnings", case.warnings)):
                if names:
                    said = names if word == case.value else ()
                    self._alarms.setdefault(kind, set()).update(map(Alarm, said))
            if case.when is not None:
                self.raw[case.when] = word == case.value


def _known(name: str, value: float) -> float | None:
    """None for what stands for nothing: a cell without voltage, a temperature that no probe can have."""
    if name == "cell_voltages_v":
        return value or None
    return None if "temperature" in name and value < NO_PROBE_C else value


def _amount(entry: Amount, words: Sequence[int]) -> float:
    ordered = words if entry.order == "high-first" else words[::-1]
    raw = 0
    for word in ordered:
        raw = raw << 16 | word
    return _scaled(_signed(raw, entry.type), entry.step, entry.offset)


def _scaled(raw: int, step: float, offset: int) -> float:
    """Without the digits that only binary fractions have."""
    return round((raw - offset) * step, 6)


def _signed(raw: int, kind: str) -> int:
    _, high = bounds(kind)
    return raw - (1 << int(kind[1:])) if raw > high else raw


def _bytes_of(words: Sequence[int]) -> list[int]:
    return [_signed(one, "s8") for word in words for one in (word >> 8, word & 0xFF)]


def as_raw(values: Mapping[str, Raw], start: int, words: Sequence[int]) -> dict[str, Raw]:
    """The names beside the words as they came."""
    return {"start": start, "count": len(words), **values, "words": list(words)}
