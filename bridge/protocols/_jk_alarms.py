"""JK's alarm words: which bit is which alarm, how serious it is and which direction it forbids.

The one idea: a table row a bit, read in both directions. What a word means is worked out once and
remembered, because a pack repeats the same word for hours.

The word of the 300-byte frames, of Modbus 0x12A0 and of the CAN frame BMSERR is one and the same; the
columns that forbid a direction follow JK's own Modbus V1.1 and CAN V2.1 texts
(phinix-org/Multiple-JK-BMS-by-Modbus-RS485 docs) and the captures of syssi/esphome-jk-bms, in which the
switches open as the table says.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from bridge.model import Alarm


class Flag(NamedTuple):
    """One bit. alarms: empty if nobody needs to know. protects: a protection, else a warning."""

    name: str
    alarms: tuple[Alarm, ...] = ()
    protects: bool = True
    stops_charge: bool = False
    stops_discharge: bool = False


class Verdict(NamedTuple):
    """What a whole word means."""

    names: tuple[str, ...]
    protections: frozenset[Alarm]
    warnings: frozenset[Alarm]
    charge_allowed: bool
    discharge_allowed: bool


class AlarmWord:
    """A maker's alarm word. flags: one a bit, from bit 0; higher bits have no known meaning."""

    def __init__(self, flags: tuple[Flag, ...]) -> None:
        self.flags = flags
        self.judge = lru_cache(maxsize=256)(self._judge)

    def _judge(self, word: int) -> Verdict:
        flags = [self._flag(bit) for bit in range(word.bit_length()) if word >> bit & 1]
        return Verdict(
            names=tuple(flag.name for flag in flags),
            protections=frozenset(alarm for flag in flags if flag.protects for alarm in flag.alarms),
            warnings=frozenset(alarm for flag in flags if not flag.protects for alarm in flag.alarms),
            charge_allowed=not any(flag.stops_charge for flag in flags),
            discharge_allowed=not any(flag.stops_discharge for flag in flags),
        )

    def _flag(self, bit: int) -> Flag:
        if bit < len(self.flags):
            return self.flags[bit]
        return Flag(f"bit_{bit}", (Alarm.OTHER,), protects=False)

    def word_of(self, protections: Iterable[Alarm], warnings: Iterable[Alarm]) -> int:
        """The bits that a device in this state would set; alarms that it has no bit for are left out."""
        word = 0
        for wanted, protects in ((frozenset(protections), True), (frozenset(warnings), False)):
            for alarm in wanted:
                word |= self._bits_for(alarm, protects=protects)
        return word

    def _bits_for(self, alarm: Alarm, *, protects: bool) -> int:
        bits = [n for n, flag in enumerate(self.flags) if alarm in flag.alarms and flag.protects is protects]
        alone = [n for n in bits if len(self.flags[n].alarms) == 1]
        return sum(1 << n for n in alone or bits)


def _stop(name: str, *alarms: Alarm) -> Flag:
    return Flag(name, alarms, stops_charge=True, stops_discharge=True)


def _stop_charge(name: str, *alarms: Alarm) -> Flag:
    return Flag(name, alarms, stops_charge=True)


def _stop_discharge(name: str, *alarms: Alarm) -> Flag:
    return Flag(name, alarms, stops_discharge=True)


def _warn(name: str, *alarms: Alarm) -> Flag:
    return Flag(name, alarms, protects=False)


JK02 = AlarmWord((
    _warn("wire_resistance", Alarm.CELL_DISCONNECTED),
    _stop("mos_overtemp", Alarm.MOSFET_OVERTEMPERATURE),
    _stop("cell_count_mismatch", Alarm.CELL_DISCONNECTED),
    _stop("current_sensor", Alarm.CURRENT_SENSOR_FAULT),
    _stop_charge("cell_ovp", Alarm.CELL_OVERVOLTAGE),
    _stop_charge("pack_ovp", Alarm.PACK_OVERVOLTAGE),
    _stop_charge("charge_ocp", Alarm.CHARGE_OVERCURRENT),
    _stop_charge("charge_scp", Alarm.SHORT_CIRCUIT),
    _stop_charge("charge_otp", Alarm.CHARGE_OVERTEMPERATURE),
    _stop_charge("charge_utp", Alarm.CHARGE_UNDERTEMPERATURE),
    _stop("internal_communication", Alarm.BMS_FAULT),
    _stop_discharge("cell_uvp", Alarm.CELL_UNDERVOLTAGE),
    _stop_discharge("pack_uvp", Alarm.PACK_UNDERVOLTAGE),
    _stop_discharge("discharge_ocp", Alarm.DISCHARGE_OVERCURRENT),
    _stop_discharge("discharge_scp", Alarm.SHORT_CIRCUIT),
    # both directions: the pack is outside the window in which it may be used at all
    _stop("discharge_otp", Alarm.DISCHARGE_OVERTEMPERATURE),
    _stop("charge_mos_fault", Alarm.CHARGE_FET_FAULT),
    _stop("discharge_mos_fault", Alarm.DISCHARGE_FET_FAULT),
    _warn("gps_disconnected"),
    _warn("change_password"),  # set on most packs as they come from the factory
    _stop_discharge("discharge_on_failed", Alarm.PRECHARGE_FAILED),
    _stop("battery_overtemp", Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE),
    _stop("temperature_sensor", Alarm.TEMPERATURE_SENSOR_FAULT),
    _warn("parallel_module", Alarm.BMS_FAULT),
    _stop_discharge("scp_release_failed", Alarm.SHORT_CIRCUIT),
    _stop_discharge("discharge_ocp_2", Alarm.DISCHARGE_OVERCURRENT),
    _stop_discharge("discharge_ocp_3", Alarm.DISCHARGE_OVERCURRENT),
    _stop("discharge_utp", Alarm.DISCHARGE_UNDERTEMPERATURE),
    # which direction is locked stands in the settings; both are taken as locked
    _stop("remote_lock", Alarm.FET_LOCKED),
))  # fmt: skip

NW = AlarmWord((
    _warn("low_capacity", Alarm.SOC_LOW),
    _stop("mos_overtemp", Alarm.MOSFET_OVERTEMPERATURE),
    _stop_charge("charge_overvoltage", Alarm.PACK_OVERVOLTAGE),
    _stop_discharge("discharge_undervoltage", Alarm.PACK_UNDERVOLTAGE),
    _stop("battery_overtemp", Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE),
    _stop_charge("charge_overcurrent", Alarm.CHARGE_OVERCURRENT),
    _stop_discharge("discharge_overcurrent", Alarm.DISCHARGE_OVERCURRENT),
    _warn("cell_difference", Alarm.CELL_IMBALANCE),
    _stop("box_overtemp", Alarm.AMBIENT_OVERTEMPERATURE),
    # discharging, too, ends when the probe is below its own limit: see jk_nw
    _stop_charge("battery_undertemp", Alarm.CHARGE_UNDERTEMPERATURE),
    _stop_charge("cell_overvoltage", Alarm.CELL_OVERVOLTAGE),
    _stop_discharge("cell_undervoltage", Alarm.CELL_UNDERVOLTAGE),
    _stop("309_a", Alarm.BMS_FAULT),
    _stop("309_b", Alarm.BMS_FAULT),
))  # fmt: skip
