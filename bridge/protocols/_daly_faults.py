"""What Daly's fault names mean to the battery, and the bits in which the older dialects carry them.

One idea: every dialect is first translated into the same names, those of the maker's own list
(`cell_voltage_high_l2`); what a name is (which alarm, how severe, which direction it forbids) is said
once, here. Level 1 is a pre-alarm, level 2 the protection behind it.

Sources: Daly UART/485 communications protocol V1.2 (maland16/daly-bms-uart docs), Daly CAN protocol V1.0
(jblance/mpp-solar docs), register sheets of syssi/esphome-daly-bms, status structure of
patagonaa/esphome-daly-hkms-bms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.model import Alarm, Reading


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a fault name is for the battery. protects: protection, else warning. stops_*: blocks."""

    alarm: Alarm | None
    protects: bool = False
    stops_charge: bool = False
    stops_discharge: bool = False


_STATUS = Meaning(None)  # a fact that is reported among the faults
_OTHER = Meaning(Alarm.OTHER)
_BOARD = Meaning(Alarm.BMS_FAULT, protects=True, stops_charge=True, stops_discharge=True)


def _charge(alarm: Alarm) -> Meaning:
    return Meaning(alarm, protects=True, stops_charge=True)


def _discharge(alarm: Alarm) -> Meaning:
    return Meaning(alarm, protects=True, stops_discharge=True)


def _both(alarm: Alarm) -> Meaning:
    return Meaning(alarm, protects=True, stops_charge=True, stops_discharge=True)


_LEVEL_2 = {
    "cell_voltage_high": _charge(Alarm.CELL_OVERVOLTAGE),
    "cell_voltage_low": _discharge(Alarm.CELL_UNDERVOLTAGE),
    "pack_voltage_high": _charge(Alarm.PACK_OVERVOLTAGE),
    "pack_voltage_low": _discharge(Alarm.PACK_UNDERVOLTAGE),
    "charge_temp_high": _charge(Alarm.CHARGE_OVERTEMPERATURE),
    "charge_temp_low": _charge(Alarm.CHARGE_UNDERTEMPERATURE),
    "discharge_temp_high": _discharge(Alarm.DISCHARGE_OVERTEMPERATURE),
    "discharge_temp_low": _discharge(Alarm.DISCHARGE_UNDERTEMPERATURE),
    "charge_overcurrent": _charge(Alarm.CHARGE_OVERCURRENT),
    "discharge_overcurrent": _discharge(Alarm.DISCHARGE_OVERCURRENT),
    "soc_high": Meaning(Alarm.SOC_HIGH),  # captures show current flowing at both levels
    "soc_low": Meaning(Alarm.SOC_LOW),
    "soh_low": _OTHER,
    "cell_diff_high": Meaning(Alarm.CELL_IMBALANCE, protects=True),
    "temp_diff_high": Meaning(Alarm.TEMPERATURE_IMBALANCE, protects=True),
    "mos_temp_high": _both(Alarm.MOSFET_OVERTEMPERATURE),
    "thermal_runaway": _both(Alarm.FIRE),
}

_LEVEL_1 = {stem: Meaning(meaning.alarm) for stem, meaning in _LEVEL_2.items()} | {
    "thermal_runaway": _both(Alarm.FIRE),
}

_SINGLE = {
    "charge_mos_temp_high": _charge(Alarm.MOSFET_OVERTEMPERATURE),
    "discharge_mos_temp_high": _discharge(Alarm.MOSFET_OVERTEMPERATURE),
    "charge_mos_temp_sensor_fault": _charge(Alarm.TEMPERATURE_SENSOR_FAULT),
    "discharge_mos_temp_sensor_fault": _discharge(Alarm.TEMPERATURE_SENSOR_FAULT),
    "charge_mos_stuck_closed": _charge(Alarm.CHARGE_FET_FAULT),
    "discharge_mos_stuck_closed": _discharge(Alarm.DISCHARGE_FET_FAULT),
    "charge_mos_open": _charge(Alarm.CHARGE_FET_FAULT),
    "discharge_mos_open": _discharge(Alarm.DISCHARGE_FET_FAULT),
    "afe_fault": _BOARD,
    "cell_sense_lost": _both(Alarm.CELL_DISCONNECTED),
    "cell_temp_sensor_fault": _charge(Alarm.TEMPERATURE_SENSOR_FAULT),
    "eeprom_fault": _BOARD,
    "rtc_fault": Meaning(Alarm.BMS_FAULT),
    "precharge_failed": Meaning(Alarm.PRECHARGE_FAILED),
    "vehicle_comm_fault": _OTHER,
    "internal_comm_fault": _BOARD,
    "current_sensor_fault": _both(Alarm.CURRENT_SENSOR_FAULT),
    "pack_voltage_sensor_fault": _BOARD,
    "short_circuit": _both(Alarm.SHORT_CIRCUIT),
    "low_voltage_charge_inhibit": _both(Alarm.CELL_UNDERVOLTAGE),
    # Blocks nothing by itself: a capture has it set with one switch on and the other off.
    "mos_off_by_soft_switch": Meaning(Alarm.FET_LOCKED, protects=True),
    "charge_cabinet_offline": _OTHER,
    "smart_charger_connected": _STATUS,
    "smart_charger_fault": _OTHER,
    "smart_discharger_connected": _STATUS,
    "smart_discharger_fault": _OTHER,
    "upgrade_sign": _STATUS,
    "charge_undervoltage": Meaning(Alarm.PACK_UNDERVOLTAGE),
    "discharge_overvoltage": Meaning(Alarm.PACK_OVERVOLTAGE),
    "parallel_comm": _STATUS,
    "parallel_comm_fault": _OTHER,
    "afe_comm_fault": _BOARD,
    "afe_sampling_fault": _BOARD,
    "cell_voltage_sense_fault": _BOARD,
    "cell_temp_sensor_lost": _charge(Alarm.TEMPERATURE_SENSOR_FAULT),
    "flash_fault": _BOARD,
    "charge_mos_fault": _charge(Alarm.CHARGE_FET_FAULT),
    "discharge_mos_fault": _discharge(Alarm.DISCHARGE_FET_FAULT),
    "precharge_mos_fault": Meaning(Alarm.PRECHARGE_FAILED),
    "charge_mos_off_by_comm": _charge(Alarm.FET_LOCKED),
    "discharge_mos_off_by_comm": _discharge(Alarm.FET_LOCKED),
    "charge_mos_off_by_switch": _charge(Alarm.FET_LOCKED),
    "discharge_mos_off_by_switch": _discharge(Alarm.FET_LOCKED),
    "fan_active": _STATUS,
    "heater_active": _STATUS,
    "current_limit_active": _STATUS,
    "heater_fault": _OTHER,
}

_LEVELS_MAX = 7  # P81 has three bits for a level; from 2 on it is protection

MEANINGS: Mapping[str, Meaning] = (
    _SINGLE
    | {f"{stem}_l1": meaning for stem, meaning in _LEVEL_1.items()}
    | {f"{stem}_l{n}": meaning for stem, meaning in _LEVEL_2.items() for n in range(2, _LEVELS_MAX + 1)}
)
"""Every fault name of every dialect."""

# Byte by byte, lowest bit first; "" is a reserved bit. The same in A5 and CAN 0x98 and in D2 0x3A-0x3D.
_LEVEL_STEMS = (
    "cell_voltage_high", "cell_voltage_low", "pack_voltage_high", "pack_voltage_low",
    "charge_temp_high", "charge_temp_low", "discharge_temp_high", "discharge_temp_low",
    "charge_overcurrent", "discharge_overcurrent", "soc_high", "soc_low",
    "cell_diff_high", "temp_diff_high",
)  # fmt: skip
FAULT_BITS = (
    *(f"{stem}_l{level}" for stem in _LEVEL_STEMS for level in (1, 2)),
    "", "", "", "",
    "charge_mos_temp_high", "discharge_mos_temp_high",
    "charge_mos_temp_sensor_fault", "discharge_mos_temp_sensor_fault",
    "charge_mos_stuck_closed", "discharge_mos_stuck_closed", "charge_mos_open", "discharge_mos_open",
    "afe_fault", "cell_sense_lost", "cell_temp_sensor_fault", "eeprom_fault",
    "rtc_fault", "precharge_failed", "vehicle_comm_fault", "internal_comm_fault",
    "current_sensor_fault", "pack_voltage_sensor_fault", "short_circuit", "low_voltage_charge_inhibit",
    "mos_off_by_soft_switch", "charge_cabinet_offline", "", "",
)  # fmt: skip


def fault_names(data: bytes) -> list[str]:
    """The faults in the 7 fault bytes, in the order of their bits."""
    bits = int.from_bytes(data, "little")
    return [name for index, name in enumerate(FAULT_BITS) if bits >> index & 1 and name] if bits else []


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a set of faults asks for."""

    protections: frozenset[Alarm] = frozenset()
    warnings: frozenset[Alarm] = frozenset()
    stops_charge: bool = False
    stops_discharge: bool = False


NO_FAULTS = Verdict()


def judge(names: Iterable[str]) -> Verdict:
    """The verdict over fault names; an alarm that protects is not also a warning."""
    meanings = [MEANINGS[name] for name in names]
    if not meanings:
        return NO_FAULTS
    protections = frozenset(m.alarm for m in meanings if m.alarm is not None and m.protects)
    warnings = frozenset(m.alarm for m in meanings if m.alarm is not None)
    return Verdict(
        protections,
        warnings - protections,
        any(m.stops_charge for m in meanings),
        any(m.stops_discharge for m in meanings),
    )


def names_for(reading: Reading, available: Iterable[str]) -> list[str]:
    """One fault name for each alarm of a pack in this state, for simulators: the inverse of `judge`."""
    wanted = {(alarm, True) for alarm in reading.get("protections", ())}
    wanted |= {(alarm, False) for alarm in reading.get("warnings", ())}
    names = []
    for name in available:
        meaning = MEANINGS.get(name)
        key = (meaning.alarm, meaning.protects) if meaning is not None and meaning.alarm is not None else None
        if key in wanted:
            wanted.remove(key)
            names.append(name)
    return names


def fault_bytes(reading: Reading) -> bytes:
    """The 7 fault bytes of a pack in this state, for simulators: the inverse of `fault_names`."""
    bits = sum(1 << FAULT_BITS.index(name) for name in names_for(reading, FAULT_BITS))
    return bits.to_bytes(7, "little")
