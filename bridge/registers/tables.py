"""What a register map says, key by key: the schema of the TOML files under profiles/registers.

The idea: a battery that is read by Modbus is a table of registers, each made of one quantity by its name
and a scale, so that a new map is one new file and no code. A map also says what may be read in one go,
what is answered to everything else, and which writes are acknowledged; none is ever acted on.

    numbers  a quantity in one, two or four words        flags   switches and alarms, bit by bit
    lists    cells or temperatures, one after another    codes   one value of several, by what is the case
    texts    letters, two in a word                      fixed   always the same
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bridge.profile_tables import PATH_KEY, Number, Table, Text

Address = Annotated[int, Field(ge=0, le=0xFFFF)]
Slave = Annotated[int, Field(ge=1, le=247)]
Word = Annotated[int, Field(ge=0, le=0xFFFF)]
Bit = Annotated[int, Field(ge=0, le=15)]
Bits = Annotated[tuple[Bit, ...], Field(min_length=1)]
Kind = Literal["u16", "s16", "u32", "s32", "u64"]
Alarms = Annotated[tuple[Text, ...], Field(min_length=1)]
ReadFunction = Literal[1, 2, 3, 4, 23]
WriteFunction = Literal[5, 6, 15, 16, 23]

BIT_READS, BIT_WRITES = frozenset({1, 2}), frozenset({5, 15})
WORDS_OF: Mapping[str, int] = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "u64": 4}


class Entry(Table):
    """Whatever stands in registers. at: its first one, as on the wire (documents often count from 1)."""

    at: Address

    @property
    def size(self) -> int:
        """How many registers it takes."""
        return 1


class Amount(Entry):
    """A quantity. step: its unit's worth of one count; negative where the wire counts the other way.
    offset: in counts, added last. order: which word of several comes first. min, max: what is said at
    least and at most, in the quantity's unit. otherwise: the quantity that stands in while it is not
    known; unknown: the counts that stand in while neither is.
    """

    name: Text
    step: Number
    type: Kind = "u16"
    order: Literal["high-first", "low-first"] = "high-first"
    offset: int = 0
    min: Number | None = None
    max: Number | None = None
    otherwise: Text | None = None
    unknown: int = 0

    @property
    def size(self) -> int:
        """How many registers it takes."""
        return WORDS_OF[self.type]


class Row(Entry):
    """One value after another. of: which. type: s8 puts two into a word, the first one high. places: how
    many; more values than these are thinned out, but never by the highest or the lowest. otherwise: the
    quantity that stands in every place without a value. unknown, unused: the counts for a value that is
    not known, and behind the last one, while that one is not known either.
    """

    of: Text
    places: Annotated[int, Field(ge=1, le=125)]
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    type: Literal["u16", "s16", "s8"] = "u16"
    offset: int = 0
    otherwise: Text | None = None
    unknown: int = 0
    unused: int = 0

    @property
    def size(self) -> int:
        """How many registers it takes."""
        return (self.places + 1) // 2 if self.type == "s8" else self.places


class Flags(Entry):
    """Bits. always: those that are set whatever happens. bits: switches by name. fields: small numbers, as
    first bit and count of bits. protections, warnings: b0 to b15, with the alarms that set it.
    stop_charge, stop_discharge: bits that are set while no current may flow that way, too.
    """

    always: Word = 0
    bits: Mapping[str, Bit] = {}
    fields: Mapping[str, Annotated[tuple[int, ...], Field(min_length=2, max_length=2)]] = {}
    protections: Mapping[str, Alarms] = {}
    warnings: Mapping[str, Alarms] = {}
    stop_charge: Bits | None = None
    stop_discharge: Bits | None = None


class Case(Table):
    """What makes a code: the value, and the flag or the alarms that it is said for."""

    value: Word
    when: Text | None = None
    protections: Alarms | None = None
    warnings: Alarms | None = None


class Code(Entry):
    """One value of several; the first case that is true counts."""

    cases: Annotated[tuple[Case, ...], Field(min_length=1)]
    otherwise: Word = 0


class Letters(Entry):
    """ASCII letters, filled up with zeros."""

    words: Annotated[int, Field(ge=1, le=64)]
    text: Text

    @property
    def size(self) -> int:
        """How many registers it takes."""
        return self.words


class Fixed(Entry):
    """A word that never changes. meaning: for readers of the file."""

    value: Word
    meaning: Text


class Area(Table):
    """Registers, or coils and inputs, in a row."""

    start: Address
    count: Annotated[int, Field(ge=1, le=0x10000)]

    @property
    def end(self) -> int:
        """The first one behind it."""
        return self.start + self.count

    def holds(self, start: int, count: int) -> bool:
        """Whether so many from there on are all in it."""
        return self.start <= start and start + count <= self.end


class Span(Area):
    """Registers (coils and inputs for the functions 1 and 2) that may be read in one go; holes are zero.
    refused: with this error, always.
    """

    functions: Annotated[tuple[ReadFunction, ...], Field(min_length=1)]
    refused: Annotated[int, Field(ge=1, le=11)] | None = None


class Writes(Area):
    """Registers (coils for the functions 5 and 15) whose writing is acknowledged, and nothing else. kept:
    what was written is read back from there.
    """

    functions: Annotated[tuple[WriteFunction, ...], Field(min_length=1)]
    kept: bool = False
    meaning: Text


class Companion(Table):
    """Another address at which the same inverter looks for something, and the map that is there."""

    address: Slave
    map: Text


class RegisterMap(Table):
    """One register map. The keys of the TOML file, in its order.

    evidence: as in inverter profiles. answers: "word-count" for answers that carry a count of words in 16
    bits, which is no standard Modbus. address: at which it is read, where an inverter's profile names
    none. most: registers that may be read in one go.
    """

    path: Path = Field(validation_alias=PATH_KEY, exclude=True)
    family: Text
    evidence: Literal["field", "project", "document"]
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    quirks: tuple[Text, ...] = ()
    answers: Literal["standard", "word-count"] = "standard"
    address: Slave = 1
    most: Annotated[int, Field(ge=1, le=125)] = 125
    companions: tuple[Companion, ...] = ()
    spans: Annotated[tuple[Span, ...], Field(min_length=1)]
    writes: tuple[Writes, ...] = ()
    numbers: tuple[Amount, ...] = ()
    lists: tuple[Row, ...] = ()
    flags: tuple[Flags, ...] = ()
    codes: tuple[Code, ...] = ()
    texts: tuple[Letters, ...] = ()
    fixed: tuple[Fixed, ...] = ()

    @property
    def name(self) -> str:
        """The map's name in profiles."""
        return self.path.stem

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that stands in its registers, by address."""
        found = (*self.numbers, *self.lists, *self.flags, *self.codes, *self.texts, *self.fixed)
        return tuple(sorted(found, key=lambda entry: entry.at))


def bounds(kind: str) -> tuple[int, int]:
    """The least and the greatest count of a type."""
    bits = int(kind[1:])
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "s" else (0, (1 << bits) - 1)
