"""A rack that speaks the Pylontech dialect, for simulators: one cycle of frames for what it reads.

One idea: the frames are packed here by hand and not with the DBC, so that a test of reader against
simulator compares two readings of the vendor's table. Lengths as genuine racks have them: 8, 4, 6, 7, 2, 8.
"""

from __future__ import annotations

import struct

from bridge.errors import BridgeBug
from bridge.model import NO_ALARMS, Alarm, CanFrame, Reading
from bridge.protocols.contract import Options, Payload

_FIRST_BYTE = {
    Alarm.CELL_OVERVOLTAGE: 0x02,
    Alarm.PACK_OVERVOLTAGE: 0x02,
    Alarm.CELL_UNDERVOLTAGE: 0x04,
    Alarm.PACK_UNDERVOLTAGE: 0x04,
    Alarm.CHARGE_OVERTEMPERATURE: 0x08,
    Alarm.DISCHARGE_OVERTEMPERATURE: 0x08,
    Alarm.CHARGE_UNDERTEMPERATURE: 0x10,
    Alarm.DISCHARGE_UNDERTEMPERATURE: 0x10,
    Alarm.DISCHARGE_OVERCURRENT: 0x80,
    Alarm.SHORT_CIRCUIT: 0x80,
}
_SECOND_BYTE = {Alarm.CHARGE_OVERCURRENT: 0x01}
_INTERNAL = 0x08  # every other alarm: system error, or internal communication as a warning
_NOT_SHOWN = frozenset(
    {Alarm.SOC_LOW, Alarm.SOC_HIGH, Alarm.SOC_DRIFT, Alarm.FULLY_CHARGED, Alarm.FET_LOCKED}
)


class Device:
    """options.extra["modules"]: how many the rack says that it has."""

    tick_s = 1.0

    def __init__(self, options: Options) -> None:
        self._modules = int(options.extra.get("modules", 1))

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:  # noqa: ARG002  # see Device
        """Nothing: a rack answers no frame, not even 0x305."""
        return []

    def tick(self, reading: Reading) -> list[Payload]:
        """One cycle. A limit that `reading` lacks is 58.4 V, 44.8 V, 100 A, 100 A."""
        return [CanFrame(can_id, data) for can_id, data in self._cycle(reading)]

    def _cycle(self, reading: Reading) -> list[tuple[int, bytes]]:
        soc_pct, soh_pct = reading.get("soc_pct") or 0.0, reading.get("soh_pct", 100.0)
        alarms = _alarm_bytes(reading.get("protections", NO_ALARMS))
        warnings = _alarm_bytes(reading.get("warnings", NO_ALARMS))
        charge, discharge = reading.get("charge_allowed", True), reading.get("discharge_allowed", True)
        return [
            (0x351, _limits(reading)),
            (0x355, struct.pack("<HH", int(soc_pct), round(100.0 if soh_pct is None else soh_pct))),
            (0x356, _measured(reading)),
            (0x359, alarms + warnings + bytes((self._modules,)) + b"PN"),
            (0x35C, bytes(((0x80 if charge else 0) | (0x40 if discharge else 0), 0))),
            (0x35E, b"PYLON   "),
        ]


def _limits(reading: Reading) -> bytes:
    fields = (
        reading.get("charge_voltage_limit_v", 58.4),
        reading.get("charge_current_limit_a", 100.0),
        reading.get("discharge_current_limit_a", 100.0),
        reading.get("discharge_voltage_limit_v", 44.8),
    )
    return _packed("<HhhH", *((value or 0.0) * 10 for value in fields))


def _measured(reading: Reading) -> bytes:
    readable = [celsius for celsius in reading.get("temperatures_c", ()) if celsius is not None]
    celsius = sum(readable) / len(readable) if readable else -50.0
    voltage_v, current_a = reading.get("voltage_v") or 0.0, reading.get("current_a") or 0.0
    return _packed("<hhh", voltage_v * 100, current_a * 10, celsius * 10)


def _packed(layout: str, *steps: float) -> bytes:
    try:
        return struct.pack(layout, *(round(step) for step in steps))
    except struct.error as error:
        raise BridgeBug(f"{steps} do not fit {layout}: {error}") from error


def _alarm_bytes(alarms: frozenset[Alarm]) -> bytes:
    first = second = 0
    for alarm in alarms - _NOT_SHOWN:
        first |= _FIRST_BYTE.get(alarm, 0)
        second |= _SECOND_BYTE.get(alarm, 0 if alarm in _FIRST_BYTE else _INTERNAL)
    return bytes((first, second))
