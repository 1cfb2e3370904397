"""Conditions that no pack's own protection has contained: they end all current of the bank."""

from __future__ import annotations

from bridge.battery.facts import Facts
from bridge.model import Alarm

CELL_HOT_C = 65.0
MOSFET_HOT_C = 100.0


def fault(facts: Facts) -> tuple[Alarm, str] | None:
    """The gravest thing wrong with a pack and its text, or None."""
    own, sample, (low_v, high_v) = facts.settings, facts.sample, facts.fixed.tapers.far_v
    if Alarm.FIRE in sample.protections or Alarm.FIRE in sample.warnings:
        return Alarm.FIRE, f"{own.name}: fire"
    if facts.cell_max_v is not None and facts.cell_max_v > high_v:
        return Alarm.CELL_OVERVOLTAGE, f"{own.name}: cell {facts.cell_max_index} at {facts.cell_max_v:.3f} V"
    if facts.cell_min_v is not None and facts.cell_min_v < low_v:
        return Alarm.CELL_UNDERVOLTAGE, f"{own.name}: cell {facts.cell_min_index} at {facts.cell_min_v:.3f} V"
    if facts.temperature_max_c is not None and facts.temperature_max_c > CELL_HOT_C:
        return Alarm.DISCHARGE_OVERTEMPERATURE, f"{own.name}: cells at {facts.temperature_max_c:.0f} degC"
    mosfet_c = facts.mosfet_temperature_c
    if mosfet_c is not None and mosfet_c > MOSFET_HOT_C:
        return Alarm.MOSFET_OVERTEMPERATURE, f"{own.name}: switches at {mosfet_c:.0f} degC"
    return None
