"""The words in which the register tables of Daly's Modbus-like dialects are written.

One idea: a table line says where a value stands, what it is called and how it is read; nothing else about
registers is code of a dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bridge.protocols._daly import CURRENT_ZERO, SOC_MAX_RAW
from bridge.protocols.contract import Raw

UNUSED = 0xFFFF
REGISTERS, SETTINGS_2 = "registers", "settings_2"


@dataclass(frozen=True, slots=True)
class Read:
    """One read that a session sends, and the name of the message that answers it."""

    start: int
    count: int
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """One register. key: of the `Reading` if it has it, else of `raw`."""

    register: int
    key: str
    read: Callable[[int], Raw]


@dataclass(frozen=True, slots=True)
class Block:
    """Several registers that are read as bytes."""

    register: int
    count: int
    key: str
    read: Callable[[bytes], Raw]

    @property
    def last(self) -> int:
        """The last of the registers."""
        return self.register + self.count - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a dialect has what. names: of the messages, by start and count of a read."""

    names: Mapping[tuple[int, int], str]
    telemetry: range
    cells: range
    probes: range
    voltage: int
    current: int
    cell_count: int
    probe_count: int
    state: int
    balance_map: range
    faults: range
    fault_names: Callable[[Sequence[int]], list[str]]
    fields: Sequence[Field]
    blocks: Sequence[Block]


# How single registers are read


def per(steps: int) -> Callable[[int], Raw]:
    """A raw value with `steps` to the unit."""
    return lambda raw: raw / steps


def number(raw: int) -> Raw:
    """The raw value itself."""
    return raw


def count(raw: int) -> Raw:
    """How often; None for the filler."""
    return None if raw == UNUSED else raw


def flag(raw: int) -> Raw:
    """Anything but 0 is on."""
    return raw != 0


def capacity_ah(raw: int) -> Raw:
    """0.1 Ah a step; None for 0: not set."""
    return raw / 10 or None


def percent(raw: int) -> Raw:
    """0.1 % a step; None above 100 %."""
    return raw / 10 if raw <= SOC_MAX_RAW else None


def small_current_a(raw: int) -> Raw:
    """1 mA a step around the zero point; None for fillers."""
    return (raw - CURRENT_ZERO) / 1000 if raw not in {0, UNUSED} else None


def limit_a(raw: int) -> Raw:
    """An over-current threshold: its distance from the zero point, to whichever side it is stored."""
    return abs(raw - CURRENT_ZERO) / 10


def threshold_c(raw: int) -> Raw:
    """A temperature threshold; unlike a probe it may well be -40 degC."""
    return raw - 40


def limits(register: int, way: str, levels: Mapping[str, int]) -> list[Field]:
    """Over-current thresholds: each level at `register` + its offset, both raw and in A."""
    return [
        field
        for level, offset in levels.items()
        for field in (
            Field(register + offset, f"{way}_limit_{level}_raw", number),
            Field(register + offset, f"{way}_limit_{level}_a", limit_a),
        )
    ]
