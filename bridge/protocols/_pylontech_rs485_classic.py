"""INFO of the classic answers (42 44 47 51 92 93 96), both ways, in the steps of the wire.

    42   flag | module address or count | modules: cells, their mV | probes, their 0.1 K | 0.1 A | mV |
         remaining mAh | items | total mAh | cycles, and with 4 items remaining and total in 24 bits
    44   flag | module address or count | modules: cells, their states | probes, their states |
         charge current, voltage and discharge current state | status 1 to 5
    47   flag | 12 words        51   name[10] | version[2] | maker[20]
    92   module | mV, mV, 0.1 A, 0.1 A | status
    93   module | serial[16]        96   module | 2 | 3 bytes

One idea: nothing is scaled or judged here, so what was read can be written again to the byte.

Sources: PYLON RS485 protocol V2.8 and V3.3; captures of US2000, US3000 and UP2500 in
Frankkkkk/python-pylontech tests/test_basic.py, of US5000 in Tomcat42/pylontech-python issue 9 (with one
byte behind status 5), of US3000C in zivillian/esp32-pylontech src/pages.cpp, of US2000 in martiby/ess
pylontech.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop

WORD_MAX, LONG_MAX = 0xFFFF, 0xFF_FFFF
WIDE_ITEMS, NARROW_ITEMS = 4, 2
NARROW_MAX_MAH = 65_000  # more than 65 Ah is said in 24 bits
NAME_SIZE, MAKER_SIZE, SERIAL_SIZE = 10, 20, 16
STATES = frozenset({0x00, 0x01, 0x02, 0xF0})
OK, BELOW, ABOVE, OTHER = 0x00, 0x01, 0x02, 0xF0

_LIMITS = struct.Struct(">HHhhB")
_PARAMETERS = struct.Struct(">HHHHHhHHHHHh")


class Analog(NamedTuple):
    """A module's part of 42. remaining_mah, total_mah: None where the wire says FFFF and nothing wider.
    wide: the capacities stand in 24 bits.
    """

    cells_mv: tuple[int, ...]
    temperatures: tuple[int, ...]
    current: int
    voltage_mv: int
    remaining_mah: int | None
    total_mah: int | None
    cycles: int
    wide: bool = False


class States(NamedTuple):
    """A module's part of 44. extra: what newer batteries send behind status 5."""

    cells: tuple[int, ...]
    temperatures: tuple[int, ...]
    charge_current: int
    voltage: int
    discharge_current: int
    status: tuple[int, int, int, int, int]
    extra: bytes = b""


class Parameters(NamedTuple):
    """47, word by word."""

    cell_high_mv: int
    cell_low_mv: int
    cell_under_mv: int
    charge_high_temperature: int
    charge_low_temperature: int
    charge_current: int
    module_high_mv: int
    module_low_mv: int
    module_under_mv: int
    discharge_high_temperature: int
    discharge_low_temperature: int
    discharge_current: int


class Management(NamedTuple):
    """92 without its module."""

    charge_mv: int
    discharge_mv: int
    charge_current: int
    discharge_current: int
    status: int


class Told(NamedTuple):
    """Modules of 42 or 44: of one address, or of a whole group."""

    flag: int
    subject: int
    modules: tuple[Analog, ...] | tuple[States, ...]


Part = TypeVar("Part", Analog, States)


class _Reader:
    """Takes fields from the front; raises BadFrame where there are too few bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if self.left < size:
            raise BadFrame(Drop.LENGTH, f"{len(self._data)} bytes of INFO end within a field")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int = 1, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "big", signed=signed)

    def words(self, *, signed: bool = False) -> tuple[int, ...]:
        """Two bytes each, behind their count."""
        return tuple([self.number(2, signed=signed) for _ in range(self.number())])


def read_analog(info: bytes, *, whole_group: bool | None = None) -> Told:
    """42. whole_group: whether that was asked; None takes what fits. Raises BadFrame."""
    return _told(info, _analog, whole_group=whole_group)


def read_states(info: bytes, *, whole_group: bool | None = None) -> Told:
    """44, as `read_analog`."""
    return _told(info, _states, whole_group=whole_group)


def write_told(told: Told) -> bytes:
    """42 or 44."""
    parts = [
        _analog_bytes(module) if isinstance(module, Analog) else _states_bytes(module)
        for module in told.modules
    ]
    return bytes((told.flag, told.subject)) + b"".join(parts)


def _told(info: bytes, part: Callable[[_Reader, int], Part], *, whole_group: bool | None) -> Told:
    """One module, or as many as the second byte says, to the last byte of INFO."""
    if whole_group is None:
        try:
            return _told(info, part, whole_group=False)
        except BadFrame:
            return _told(info, part, whole_group=True)
    reader = _Reader(info)
    flag, subject = reader.number(), reader.number()
    count = subject if whole_group else 1
    modules = tuple([part(reader, count) for _ in range(count)])
    if reader.left or not modules:
        raise BadFrame(Drop.LENGTH, f"{reader.left} bytes of INFO behind {count} modules")
    return Told(flag, subject, modules)


def _analog(reader: _Reader, _: int) -> Analog:
    cells_mv, temperatures = reader.words(signed=True), reader.words()
    current, voltage_mv = reader.number(2, signed=True), reader.number(2)
    remaining_mah, items, total_mah = reader.number(2), reader.number(), reader.number(2)
    cycles = reader.number(2)
    if items == WIDE_ITEMS:
        wide = reader.number(3), reader.number(3)
        return Analog(cells_mv, temperatures, current, voltage_mv, *wide, cycles, wide=True)
    if items != NARROW_ITEMS:  # with 3 it is PACE's, whose steps are ten times ours
        raise BadFrame(Drop.VALUE, f"{items} user-defined items")
    narrow = [None if mah == WORD_MAX else mah for mah in (remaining_mah, total_mah)]
    return Analog(cells_mv, temperatures, current, voltage_mv, narrow[0], narrow[1], cycles)


def _analog_bytes(module: Analog) -> bytes:
    remaining_mah = WORD_MAX if module.remaining_mah is None else module.remaining_mah
    total_mah = WORD_MAX if module.total_mah is None else module.total_mah
    head = (
        _counted(module.cells_mv, ">h") + _counted(module.temperatures, ">H")
        + struct.pack(">hH", module.current, module.voltage_mv)
    )  # fmt: skip
    if not module.wide:
        return head + struct.pack(">HBHH", remaining_mah, NARROW_ITEMS, total_mah, module.cycles)
    words = struct.pack(">HBHH", WORD_MAX, WIDE_ITEMS, WORD_MAX, module.cycles)
    return head + words + remaining_mah.to_bytes(3, "big") + total_mah.to_bytes(3, "big")


def _states(reader: _Reader, count: int) -> States:
    cells, temperatures = (tuple(reader.take(reader.number())) for _ in range(2))
    charge, voltage, discharge = reader.take(3)
    if odd := {*cells, *temperatures, charge, voltage, discharge} - STATES:
        raise BadFrame(Drop.VALUE, f"a state of {min(odd):02X}")
    one, two, three, four, five = reader.take(5)
    extra = reader.take(min(1, reader.left)) if count == 1 else b""
    return States(cells, temperatures, charge, voltage, discharge, (one, two, three, four, five), extra)


def _states_bytes(module: States) -> bytes:
    return (
        bytes((len(module.cells), *module.cells, len(module.temperatures), *module.temperatures))
        + bytes((module.charge_current, module.voltage, module.discharge_current, *module.status))
        + module.extra
    )


def _counted(values: Sequence[int], form: str) -> bytes:
    return bytes((len(values),)) + b"".join(struct.pack(form, value) for value in values)


def read_parameters(info: bytes) -> tuple[int, Parameters]:
    """47: its flag and its words. Raises BadFrame."""
    _exact(info, 1 + _PARAMETERS.size)
    return info[0], Parameters(*_PARAMETERS.unpack_from(info, 1))


def write_parameters(flag: int, words: Parameters) -> bytes:
    """47."""
    return bytes((flag,)) + _PARAMETERS.pack(*words)


def read_management(info: bytes) -> tuple[int, Management]:
    """92: the module and its limits. Raises BadFrame."""
    _exact(info, 1 + _LIMITS.size)
    return info[0], Management(*_LIMITS.unpack_from(info, 1))


def write_management(module: int, limits: Management) -> bytes:
    """92; 63 is the same without its first byte."""
    return bytes((module,)) + _LIMITS.pack(*limits)


def read_maker(info: bytes) -> tuple[str, str, str]:
    """51: name, software version and maker. Raises BadFrame."""
    _exact(info, NAME_SIZE + 2 + MAKER_SIZE)
    name, version, maker = info[:NAME_SIZE], info[NAME_SIZE : NAME_SIZE + 2], info[NAME_SIZE + 2 :]
    return _text(name), _dotted(version), _text(maker)


def write_maker(name: str, version: tuple[int, int], maker: str) -> bytes:
    """51."""
    return _padded(name, NAME_SIZE) + bytes(version) + _padded(maker, MAKER_SIZE, b"-")


def read_serial(info: bytes) -> tuple[int, str]:
    """93: the module and its number. Raises BadFrame."""
    _exact(info, 1 + SERIAL_SIZE)
    return info[0], _text(info[1:])


def write_serial(module: int, serial: str) -> bytes:
    """93."""
    return bytes((module,)) + _padded(serial, SERIAL_SIZE)


def read_firmware(info: bytes) -> tuple[int, str, str]:
    """96: the module, the maker's version and the main one. Raises BadFrame."""
    _exact(info, 6)
    return info[0], _dotted(info[1:3]), _dotted(info[3:])


def write_firmware(module: int, maker: tuple[int, int], main: tuple[int, int, int]) -> bytes:
    """96."""
    return bytes((module, *maker, *main))


def _dotted(version: bytes) -> str:
    return ".".join(str(part) for part in version)


def _exact(info: bytes, size: int) -> None:
    if len(info) != size:
        raise BadFrame(Drop.LENGTH, f"{len(info)} bytes of INFO, not {size}")


def _text(characters: bytes) -> str:
    """Letters as far as they can be read; padding is blanks, zeros or dashes."""
    return "".join(chr(one) if 0x20 <= one < 0x7F else "?" for one in characters.strip(b"\0 ").rstrip(b"-"))


def _padded(text: str, size: int, padding: bytes = b"\0") -> bytes:
    return text.encode("ascii", "replace")[:size].ljust(size, padding)
