"""The pack status of the JBD UP series (0x1000): one pack as it stands, the same words both ways.

68 fixed bytes, the cells (u16 mV each), the number of temperatures and the temperatures, 36 bytes with
balancing and serial number, and whatever a firmware adds. Temperatures are (raw - 500) / 10 degC, the
current is (raw - 300000) / 100 A, charging positive.

One idea: one `struct` reads and writes it, so the simulated pack cannot say what the decoder would not
read. Source: syssi/esphome-jbd-bms docs/pdus/JBD-UP16S020-two-devices.txt (captured); fault and alarm
bits from mr-manuel/venus-os_dbus-serialbattery dbus-serialbattery/bms/lltjbd_up16s.py.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bridge.model import Alarm, Reading
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Raw

FAULTS: tuple[Alarm, ...] = (
    Alarm.CELL_OVERVOLTAGE, Alarm.CELL_UNDERVOLTAGE, Alarm.PACK_OVERVOLTAGE, Alarm.PACK_UNDERVOLTAGE,
    Alarm.CHARGE_OVERCURRENT, Alarm.CHARGE_OVERCURRENT,
    Alarm.DISCHARGE_OVERCURRENT, Alarm.DISCHARGE_OVERCURRENT,
    Alarm.CHARGE_OVERTEMPERATURE, Alarm.CHARGE_UNDERTEMPERATURE,
    Alarm.DISCHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE,
    Alarm.MOSFET_OVERTEMPERATURE, Alarm.AMBIENT_OVERTEMPERATURE, Alarm.AMBIENT_UNDERTEMPERATURE,
    Alarm.CELL_IMBALANCE, Alarm.TEMPERATURE_IMBALANCE, Alarm.SOC_LOW, Alarm.SHORT_CIRCUIT,
    Alarm.CELL_DISCONNECTED, Alarm.TEMPERATURE_SENSOR_FAULT,
    Alarm.CHARGE_FET_FAULT, Alarm.DISCHARGE_FET_FAULT,
    Alarm.BMS_FAULT,  # bit 23: the current limiter
    Alarm.FIRE,  # bit 24: aerosol sensor
    Alarm.FULLY_CHARGED,
    Alarm.BMS_FAULT,  # bit 26: front end does not answer
    Alarm.REVERSE_POLARITY,
)  # fmt: skip
"""Bits of the fault word, from bit 0; higher ones have no documented meaning."""

WARNINGS: tuple[Alarm, ...] = (
    Alarm.CELL_OVERVOLTAGE, Alarm.CELL_UNDERVOLTAGE, Alarm.PACK_OVERVOLTAGE, Alarm.PACK_UNDERVOLTAGE,
    Alarm.CHARGE_OVERCURRENT, Alarm.DISCHARGE_OVERCURRENT,
    Alarm.CHARGE_OVERTEMPERATURE, Alarm.CHARGE_UNDERTEMPERATURE,
    Alarm.DISCHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE,
    Alarm.MOSFET_OVERTEMPERATURE, Alarm.AMBIENT_OVERTEMPERATURE, Alarm.AMBIENT_UNDERTEMPERATURE,
    Alarm.CELL_IMBALANCE, Alarm.TEMPERATURE_IMBALANCE, Alarm.SOC_LOW,
    Alarm.BMS_FAULT,  # bit 16: EEPROM
    Alarm.BMS_FAULT,  # bit 17: clock
    Alarm.FULLY_CHARGED,
)  # fmt: skip
"""Bits of the alarm word, from bit 0: another numbering than the fault word's."""


def _mask(*bits: int) -> int:
    return sum(1 << bit for bit in bits)


BLOCKS_CHARGE = _mask(0, 2, 4, 5, 8, 9, 12, 13, 14, 18, 19, 20, 21, 23, 24, 25, 26, 27)
BLOCKS_DISCHARGE = _mask(1, 3, 6, 7, 10, 11, 12, 13, 14, 17, 18, 19, 20, 22, 24, 26, 27)
ONLY_WARN = _mask(15, 16, 25)  # fault bits that stop nothing by themselves, or a normal end of charge


def alarms(bits: int, table: Sequence[Alarm]) -> frozenset[Alarm]:
    """The alarms whose bits are set; OTHER for a bit beyond the table."""
    known = {alarm for bit, alarm in enumerate(table) if bits >> bit & 1}
    return frozenset(known | {Alarm.OTHER} if bits >> len(table) else known)


_HEAD = struct.Struct(">HHI8HII18H")
_TAIL = struct.Struct(">HHH30s")
MOST_CELLS = 32
MOST_PROBES = 16
CURRENT_ZERO = 300_000
TEMPERATURE_ZERO = 500
HOTTEST_C = 150.0
MISSING_PROBE = 0


def temperature_c(raw: int) -> float | None:
    """degC; None for what no probe reads: raw 0 (-50 degC) and anything above 150 degC."""
    celsius = (raw - TEMPERATURE_ZERO) / 10
    return celsius if raw and celsius <= HOTTEST_C else None


def text(field: bytes) -> str:
    """An ASCII field, padded with NUL."""
    return field.split(b"\0")[0].decode("ascii", "replace").strip()


def _firmware(word: int) -> str:
    """Major and minor; a slave's as told by the master has the minor only."""
    return f"{word >> 8}.{word & 0xFF}" if word > 0xFF else str(word)


class Head(NamedTuple):
    """The fixed first 68 bytes of a pack status, as sent. Steps: 10 mV, 10 mA, 0.01 %, 10 mAh, 0.1 degC,
    mV; for the four limits 0.1 V and 0.1 A.
    """

    voltage: int
    unknown_2: int  # 0 at the master, the pack voltage again at a slave
    current: int
    soc: int  # whole percent at a slave: the master knows no more
    remaining: int
    full: int
    design: int
    mosfet_temperature: int
    ambient_temperature: int
    operation_status: int  # 0 idle, 1 charging, 2 discharging
    soh_pct: int  # may exceed 100
    fault_bits: int
    alarm_bits: int
    mosfet_bits: int  # b0 discharge, b1 charge, b2 precharge, b3 heater, b4 fan
    connection_bits: int
    cycles: int
    max_cell_index: int
    max_cell_mv: int
    min_cell_index: int
    min_cell_mv: int
    average_cell_mv: int
    max_temperature_index: int
    max_temperature: int
    min_temperature_index: int
    min_temperature: int
    average_temperature: int
    charge_voltage_limit: int
    charge_current_limit: int
    discharge_voltage_limit: int
    discharge_current_limit: int
    cell_count: int


def read(data: bytes) -> tuple[Reading, Mapping[str, Raw]]:
    """A pack status; raises BadFrame if it cannot be true, struct.error if it is cut short."""
    head = Head(*_HEAD.unpack_from(data))
    if not 1 <= head.cell_count <= MOST_CELLS:
        raise BadFrame(Drop.VALUE, f"{head.cell_count} cells")
    at = _HEAD.size
    cells_mv = struct.unpack_from(f">{head.cell_count}H", data, at)
    at += 2 * head.cell_count
    (probes,) = struct.unpack_from(">H", data, at)
    if probes > MOST_PROBES:
        raise BadFrame(Drop.VALUE, f"{probes} temperatures")
    temperatures = struct.unpack_from(f">{probes}H", data, at + 2)
    _, balance_bits, firmware, serial = _TAIL.unpack_from(data, at + 2 + 2 * probes)
    _refuse_nonsense(head, cells_mv)
    reading = _reading(head)
    reading["cell_voltages_v"] = tuple(mv / 1000 for mv in cells_mv)
    reading["temperatures_c"] = tuple(temperature_c(raw) for raw in temperatures)
    reading["balancing"] = balance_bits != 0
    raw = {"balance_bits": balance_bits, "firmware": _firmware(firmware), "pack_serial": text(serial)}
    return reading, _raw(head) | raw


def _reading(head: Head) -> Reading:
    protections = alarms(head.fault_bits & ~ONLY_WARN, FAULTS)
    warnings = alarms(head.alarm_bits, WARNINGS) | alarms(head.fault_bits & ONLY_WARN, FAULTS)
    charge_on, discharge_on = bool(head.mosfet_bits & 2), bool(head.mosfet_bits & 1)
    return Reading(
        voltage_v=head.voltage / 100,
        current_a=(head.current - CURRENT_ZERO) / 100,
        soc_pct=head.soc / 100,
        soh_pct=head.soh_pct,
        remaining_ah=head.remaining / 100,
        full_ah=head.full / 100,
        design_ah=head.design / 100,
        cycles=head.cycles,
        cell_count=head.cell_count,
        mosfet_temperature_c=temperature_c(head.mosfet_temperature),
        charge_fet_on=charge_on,
        discharge_fet_on=discharge_on,
        charge_allowed=charge_on and not head.fault_bits & BLOCKS_CHARGE,
        discharge_allowed=discharge_on and not head.fault_bits & BLOCKS_DISCHARGE,
        protections=protections,
        warnings=warnings,
        charge_voltage_limit_v=head.charge_voltage_limit / 10,
        discharge_voltage_limit_v=head.discharge_voltage_limit / 10,
        charge_current_limit_a=head.charge_current_limit / 10,
        discharge_current_limit_a=head.discharge_current_limit / 10,
    )


def _raw(head: Head) -> dict[str, Raw]:
    return {
        "unknown_2": head.unknown_2,
        "ambient_temperature_c": temperature_c(head.ambient_temperature),
        "operation_status": head.operation_status,
        "fault_bits": head.fault_bits,
        "alarm_bits": head.alarm_bits,
        "mosfet_bits": head.mosfet_bits,
        "connection_bits": head.connection_bits,
        "max_cell_index": head.max_cell_index,
        "cell_max_v": head.max_cell_mv / 1000,
        "min_cell_index": head.min_cell_index,
        "cell_min_v": head.min_cell_mv / 1000,
        "cell_avg_v": head.average_cell_mv / 1000,
        "max_temperature_index": head.max_temperature_index,
        "max_temperature_c": temperature_c(head.max_temperature),
        "min_temperature_index": head.min_temperature_index,
        "min_temperature_c": temperature_c(head.min_temperature),
        "avg_temperature_c": temperature_c(head.average_temperature),
    }


def _refuse_nonsense(head: Head, cells_mv: Sequence[int]) -> None:
    """Bounds that no pack of this family can pass; what is merely odd is judged later, with more to go by."""
    if max(cells_mv) > 5000:
        raise BadFrame(Drop.VALUE, f"cell of {max(cells_mv)} mV")
    if abs(head.current - CURRENT_ZERO) > 100_000:
        raise BadFrame(Drop.VALUE, f"current of {(head.current - CURRENT_ZERO) / 100} A")
    if head.soc > 12_000:
        raise BadFrame(Drop.VALUE, f"state of charge of {head.soc / 100} %")
    if not head.voltage:
        raise BadFrame(Drop.VALUE, "pack voltage of 0 V")


def build(head: Head, cells_mv: Sequence[int], temperatures: Sequence[int], balance_bits: int) -> bytes:
    """A pack status as sent, with firmware 12.4 and an empty serial number."""
    counts = f">{len(cells_mv)}HH{len(temperatures)}H"
    lists = struct.pack(counts, *cells_mv, len(temperatures), *temperatures)
    return _HEAD.pack(*head) + lists + _TAIL.pack(0, balance_bits, 0x0C04, b"") + bytes(12)
