"""The core frames of the Pylontech dialect as readings: 0x351, 0x355, 0x356, 0x359, 0x35C.

Which bits carry what is the DBC's business; here is what the values amount to, with the liberties that
packs in the field take: a discharge limit sent negative, a voltage in 0.1 V, -50 degC for no sensor,
alarm bits that no document names.

One idea: a message says what was sent, sign and all. What may be believed of it is decided where a whole
set is at hand. Sources: the DBC, and for the liberties hoylabs/OpenDTU-OnBattery pull request 1213,
ai-republic/bms-to-inverter issue 46, ryanpulley/DiscoverAEStoPylontech, Sleeper85/esphome-yambms.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.model import NO_ALARMS, Alarm, Reading
from bridge.protocols._pylontech_frames import OVERTEMPERATURE, UNDERTEMPERATURE, Content
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Raw

Values = Mapping[str, float | int | bool | str]
"""A frame's physical values by signal name."""

NOT_AVAILABLE_A = -3276.8  # raw 0x8000, in SMA's and MG's readings of these frames
NOT_AVAILABLE_V = 6553.5  # raw 0xFFFF
NOT_AVAILABLE_PCT = 65535
NO_SENSOR_C = (-50.0, -150.0)  # seen from racks and emulators
LEAST_LIMIT_V = 8.0  # below that a charge voltage limit is a way to say stop, not a voltage
MOST_A = 2000.0
HOTTEST_C, COLDEST_C = 150.0, -60.0


class VoltageScale:
    """Whether 0x356 counts 0.01 V, as in nearly every capture, or 0.1 V, as Discover's and Sol-Ark's.

    The pack voltage must be somewhere near the charge voltage limit; the two readings are a factor of
    ten apart, so at most one of them is. Where there is no limit to compare with, the last answer holds.
    """

    LOW, HIGH = 0.4, 1.6

    def __init__(self) -> None:
        self._factor = 1.0
        self._limit_v: float | None = None

    def charge_voltage_limit(self, limit_v: float | None) -> None:
        """The newest limit."""
        if limit_v is not None and limit_v >= LEAST_LIMIT_V:
            self._limit_v = limit_v

    def applied(self, voltage_v: float) -> float:
        """What `voltage_v`, read at 0.01 V, stands for; raises BadFrame if it is near no limit."""
        if self._limit_v is None:
            return round(voltage_v * self._factor, 2)
        for factor in (1.0, 10.0):
            if self.LOW * self._limit_v <= voltage_v * factor <= self.HIGH * self._limit_v:
                self._factor = factor
                return round(voltage_v * factor, 2)
        raise BadFrame(Drop.VALUE, f"{voltage_v} V beside a charge voltage limit of {self._limit_v} V")


def limits(values: Values, scale: VoltageScale) -> Content:
    """0x351 as sent: a discharge limit may have the wrong sign, and old racks leave out the last field."""
    charge_v = _unless(values["charge_voltage_limit_v"], NOT_AVAILABLE_V)
    scale.charge_voltage_limit(charge_v)
    reading = Reading(
        charge_voltage_limit_v=charge_v,
        charge_current_limit_a=_unless(values["charge_current_limit_a"], NOT_AVAILABLE_A),
        discharge_current_limit_a=_unless(values["discharge_current_limit_a"], NOT_AVAILABLE_A),
    )
    if "discharge_voltage_limit_v" in values:
        reading["discharge_voltage_limit_v"] = _unless(values["discharge_voltage_limit_v"], NOT_AVAILABLE_V)
    _, right = trusted_limits(reading)
    return reading, {} if right else {"negative_limit": True}


def trusted_limits(sent: Reading) -> tuple[Reading, bool]:
    """0x351 as it may be used, and whether its signs were right.

    A negative discharge limit is one with the sign of its current; a negative charge limit has no such
    excuse and allows nothing. A charge voltage limit of next to nothing is a way to say stop and no
    voltage: it is None here and takes the permission with it. A discharge voltage limit of 0 is none.
    """
    charge_v, charge_a = sent["charge_voltage_limit_v"], sent["charge_current_limit_a"]
    discharge_a = sent["discharge_current_limit_a"]
    right = (charge_a or 0.0) >= 0 and (discharge_a or 0.0) >= 0
    used = Reading(
        charge_voltage_limit_v=charge_v if charge_v is not None and charge_v >= LEAST_LIMIT_V else None,
        charge_current_limit_a=charge_a if charge_a is None else max(0.0, charge_a),
        discharge_current_limit_a=discharge_a if discharge_a is None else abs(discharge_a),
        discharge_voltage_limit_v=sent.get("discharge_voltage_limit_v") or None,
    )
    return used, right


def soc(values: Values, data: bytes) -> Content:
    soc_pct = _unless(values["soc_pct"], NOT_AVAILABLE_PCT)
    soh_pct = _unless(values["soh_pct"], NOT_AVAILABLE_PCT)
    if soc_pct is not None and soc_pct > 100:
        raise BadFrame(Drop.VALUE, f"state of charge of {soc_pct} %")
    reading = Reading(soc_pct=soc_pct, soh_pct=soh_pct if soh_pct is None or soh_pct <= 150 else None)
    fine_pct = int.from_bytes(data[4:6], "little") / 100
    # LuxPower's layout has millivolts in the same place
    if fine_pct and soc_pct is not None and abs(fine_pct - soc_pct) <= 1:
        return reading, {"soc_hires_pct": fine_pct}
    return reading, {}


def measurement(values: Values, scale: VoltageScale) -> Content:
    current_a, temperature_c = float(values["current_a"]), float(values["temperature_c"])
    if abs(current_a) > MOST_A:
        raise BadFrame(Drop.VALUE, f"current of {current_a} A")
    readable = temperature_c not in NO_SENSOR_C and COLDEST_C <= temperature_c <= HOTTEST_C
    celsius = temperature_c if readable else None
    voltage_v = scale.applied(float(values["voltage_v"]))
    reading = Reading(voltage_v=voltage_v, current_a=current_a, temperatures_c=(celsius,))
    return reading, {"temperature_c": celsius}


_BITS = {
    "overvoltage": frozenset({Alarm.CELL_OVERVOLTAGE}),
    "undervoltage": frozenset({Alarm.CELL_UNDERVOLTAGE}),
    "overtemperature": OVERTEMPERATURE,
    "undertemperature": UNDERTEMPERATURE,
    "discharge_overcurrent": frozenset({Alarm.DISCHARGE_OVERCURRENT}),
    "charge_overcurrent": frozenset({Alarm.CHARGE_OVERCURRENT}),
    "system_error": frozenset({Alarm.BMS_FAULT}),
    "high_voltage": frozenset({Alarm.CELL_OVERVOLTAGE}),
    "low_voltage": frozenset({Alarm.CELL_UNDERVOLTAGE}),
    "high_temperature": OVERTEMPERATURE,
    "low_temperature": UNDERTEMPERATURE,
    "discharge_high_current": frozenset({Alarm.DISCHARGE_OVERCURRENT}),
    "charge_high_current": frozenset({Alarm.CHARGE_OVERCURRENT}),
    "internal_communication": frozenset({Alarm.BMS_COMMUNICATION}),
}
"""The alarms of a bit of 0x359, by its signal's name without `protection_` or `warning_`."""

_DOCUMENTED = bytes((0b1001_1110, 0b0000_1001, 0b1001_1110, 0b0000_1001))


def alarms(values: Values, data: bytes) -> Content:
    """0x359. A bit without a documented meaning is an alarm of its half: makers do use some of them."""
    found = {"protection": NO_ALARMS, "warning": NO_ALARMS}
    names: dict[str, list[str]] = {"protection": [], "warning": []}
    for signal, value in values.items():
        half, _, bit = signal.partition("_")
        if value is True and half in found:
            names[half].append(bit)
            found[half] |= _BITS.get(bit, frozenset({Alarm.OTHER}))
    unknown = [byte & ~documented for byte, documented in zip(data, _DOCUMENTED, strict=False)]
    for half, bits in (("protection", unknown[:2]), ("warning", unknown[2:])):
        if any(bits):
            found[half] |= {Alarm.OTHER}
    raw: dict[str, Raw] = {"protection": names["protection"], "alarm": names["warning"]}
    if len(data) > 4:
        raw |= {"modules": data[4], "pn_marker": data[5:7] == b"PN"}
    return Reading(protections=found["protection"], warnings=found["warning"]), raw


def requests(values: Values, _: bytes) -> Content:
    raw: dict[str, Raw] = {
        "charge_enable": bool(values["charge_enabled"]),
        "discharge_enable": bool(values["discharge_enabled"]),
        "force_charge_1": bool(values["force_charge_1"]),
        "force_charge_2": bool(values["force_charge_2"]),
        "full_charge_request": bool(values["full_charge_request"]),
    }
    return Reading(), raw


def _unless(value: float | str, not_available: float) -> float | None:
    number = float(value)
    return None if number == not_available else number


BLOCKS_CHARGE = frozenset(
    {
        Alarm.CELL_OVERVOLTAGE,
        Alarm.PACK_OVERVOLTAGE,
        Alarm.CHARGE_OVERTEMPERATURE,
        Alarm.CHARGE_UNDERTEMPERATURE,
        Alarm.CHARGE_OVERCURRENT,
        Alarm.SHORT_CIRCUIT,
        Alarm.BMS_FAULT,
        Alarm.OTHER,
    }
)
BLOCKS_DISCHARGE = frozenset(
    {
        Alarm.CELL_UNDERVOLTAGE,
        Alarm.PACK_UNDERVOLTAGE,
        Alarm.DISCHARGE_OVERTEMPERATURE,
        Alarm.DISCHARGE_UNDERTEMPERATURE,
        Alarm.DISCHARGE_OVERCURRENT,
        Alarm.SHORT_CIRCUIT,
        Alarm.BMS_FAULT,
        Alarm.OTHER,
    }
)
