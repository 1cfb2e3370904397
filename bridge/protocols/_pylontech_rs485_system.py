"""INFO of the system answers (61 62 63), both ways, in the steps of the wire.

    61   mV | 10 mA | SoC | cycles, mean and most | SoH, mean and least | cells: highest, place, lowest,
         place | cells', switches' and boards' 0.1 K: mean, highest, place, lowest, place
    62   alarm 1 | alarm 2 | protection 1 | protection 2
    63   mV, mV, current, current | status

A place is the module in its high byte and the cell in its low one. Currents of 63 are in 0.1 A: so says
dalathegreat/Battery-Emulator, and a Deye shows ten times as much when 10 mA are sent
(Sleeper85/esphome-yambms pull request 74); Fahmula/esphome-pylontech-rs485 sends 10 mA to an SRNE.

Sources: captures of a JK BMS in dnc392/rs485-bms-probe tests/samples/hardware (layout of 61 and 62);
bits of 62 from Fahmula/esphome-pylontech-rs485.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from bridge.model import Alarm
from bridge.protocols._pylontech_rs485_classic import Management
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop

_ANALOG = struct.Struct(">HhBHHBB19H")
_LIMITS = struct.Struct(">HHhhB")


class SystemAnalog(NamedTuple):
    """61, field by field."""

    voltage_mv: int
    current: int
    soc_pct: int
    cycles_mean: int
    cycles_max: int
    soh_mean_pct: int
    soh_min_pct: int
    cell_max_mv: int
    cell_max_place: int
    cell_min_mv: int
    cell_min_place: int
    cell_mean: int
    cell_hot: int
    cell_hot_place: int
    cell_cold: int
    cell_cold_place: int
    mosfet_mean: int
    mosfet_hot: int
    mosfet_hot_place: int
    mosfet_cold: int
    mosfet_cold_place: int
    board_mean: int
    board_hot: int
    board_hot_place: int
    board_cold: int
    board_cold_place: int


class SystemAlarms(NamedTuple):
    """62, byte by byte."""

    alarm_1: int
    alarm_2: int
    protection_1: int
    protection_2: int


HOT = frozenset({Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE})
COLD = frozenset({Alarm.CHARGE_UNDERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE})
_LEVELS = {
    7: frozenset({Alarm.PACK_OVERVOLTAGE}),
    6: frozenset({Alarm.PACK_UNDERVOLTAGE}),
    5: frozenset({Alarm.CELL_OVERVOLTAGE}),
    4: frozenset({Alarm.CELL_UNDERVOLTAGE}),
    3: HOT,
    2: COLD,
    1: frozenset({Alarm.MOSFET_OVERTEMPERATURE}),
}
_CURRENTS = {6: frozenset({Alarm.CHARGE_OVERCURRENT}), 5: frozenset({Alarm.DISCHARGE_OVERCURRENT})}
FAULT_BIT = 3
ALARM_BITS = (
    {**_LEVELS, 0: frozenset({Alarm.CELL_IMBALANCE})},
    {7: frozenset({Alarm.TEMPERATURE_IMBALANCE}), **_CURRENTS, 4: frozenset({Alarm.BMS_COMMUNICATION})},
)
PROTECTION_BITS = (_LEVELS, {**_CURRENTS, FAULT_BIT: frozenset({Alarm.BMS_FAULT})})
"""By byte: the bits that have a meaning, and the alarms that each stands for."""


def read_analog(info: bytes) -> SystemAnalog:
    """61. Raises BadFrame."""
    _exact(info, _ANALOG.size)
    return SystemAnalog(*_ANALOG.unpack(info))


def write_analog(analog: SystemAnalog) -> bytes:
    """61."""
    return _ANALOG.pack(*analog)


def read_alarms(info: bytes) -> SystemAlarms:
    """62. Raises BadFrame."""
    _exact(info, 4)
    return SystemAlarms(*info)


def read_limits(info: bytes) -> Management:
    """63. Raises BadFrame."""
    _exact(info, _LIMITS.size)
    return Management(*_LIMITS.unpack(info))


def write_limits(limits: Management) -> bytes:
    """63."""
    return _LIMITS.pack(*limits)


def _exact(info: bytes, size: int) -> None:
    if len(info) != size:
        raise BadFrame(Drop.LENGTH, f"{len(info)} bytes of INFO, not {size}")
