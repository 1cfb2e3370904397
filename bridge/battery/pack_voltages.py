"""Which voltages one pack asks for: rules like those of `pack_rules`, for CVL and DVL."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from bridge.battery.chemistry import preset
from bridge.battery.facts import Facts
from bridge.battery.known import value_or
from bridge.model import Constraint, Limit, PackSettings

BMS_TRIP_MARGIN_V: Final = 0.05  # per cell, between what we ask for and where the BMS trips
CLIP_ABOVE_V: Final = 0.05  # a cell so far above the charge target lowers the charge voltage at once
NO_CELLS_BELOW_V: Final = 0.05  # per cell, for packs whose cells nobody sees (3.40 V for LFP)


def bms_charge_voltage(facts: Facts) -> Iterable[Constraint]:
    """What the BMS asks for, and a margin below where it would trip."""
    own, bms = facts.settings, facts.ratings
    target_v = own.cells * own.cell_charge_v
    asked_v = facts.reported.get(Limit.CVL, inf)
    if asked_v < target_v:
        yield _volts(facts, Limit.CVL, asked_v, "bms_limit", f"its BMS asks for {asked_v:.1f} V")
    trip_v = min(value_or(bms.pack_ovp_v, inf), own.cells * value_or(bms.cell_ovp_v, inf))
    below_v = trip_v - own.cells * BMS_TRIP_MARGIN_V
    if below_v < target_v:
        yield _volts(facts, Limit.CVL, below_v, "bms_overvoltage", f"its BMS trips at {trip_v:.1f} V")


def bms_discharge_voltage(facts: Facts) -> Iterable[Constraint]:
    """What the BMS asks for, and a margin above where it would trip."""
    own, bms = facts.settings, facts.ratings
    floor_v = own.cells * own.cell_min_v
    asked_v = facts.reported.get(Limit.DVL, 0.0)
    if asked_v > floor_v:
        yield _volts(facts, Limit.DVL, asked_v, "bms_limit", f"its BMS asks for {asked_v:.1f} V")
    trip_v = max(value_or(bms.pack_uvp_v, 0.0), own.cells * value_or(bms.cell_uvp_v, 0.0))
    above_v = trip_v + own.cells * BMS_TRIP_MARGIN_V
    if above_v > floor_v:
        yield _volts(facts, Limit.DVL, above_v, "bms_undervoltage", f"its BMS trips at {trip_v:.1f} V")


def cell_above_target(facts: Facts) -> Iterable[Constraint]:
    """A cell far above the target: ask for less than the pack has, because not every charger obeys CCL. A
    charge switch that was off, of which nothing is said any more, may be closed.
    """
    own, cell_v = facts.settings, facts.cell_max_v
    if cell_v is None or facts.sample.charge_fet_on is False:
        return
    above_v = cell_v - own.cell_charge_v
    if above_v <= CLIP_ABOVE_V and cell_v < own.charge_stop_v:
        return
    floor_v = own.cells * (own.cell_charge_v - _clip_v(own))
    clipped_v = max(floor_v, (facts.voltage_v or 0.0) - max(above_v, CLIP_ABOVE_V))
    index = facts.cell_max_index
    text = f"{own.name}: {f'cell {index}' if index else 'its cells'} at {cell_v:.3f} V"
    yield Constraint(limit=Limit.CVL, value=clipped_v, rule="cell_high", text=text, pack=own.name, cell=index)


def unseen_cells_voltage(facts: Facts) -> Iterable[Constraint]:
    """Without every cell's voltage, stay further below; below every clip, if a cell was lost."""
    own = facts.settings
    if not facts.cells_readable:
        below_v = NO_CELLS_BELOW_V if facts.cells_derived else _clip_v(own)
        volts = own.cells * (own.cell_charge_v - below_v)
        yield _volts(facts, Limit.CVL, volts, "cells_unreadable", "not all cells are seen")


def _clip_v(own: PackSettings) -> float:
    """How far below the charge target no clip goes, V a cell: 0.15 for LFP, to 3.30 V."""
    chemistry = preset(own)
    return chemistry.charge_v - chemistry.floor_v


def _volts(facts: Facts, limit: Limit, volts: float, rule: str, cause: str) -> Constraint:
    name = facts.settings.name
    return Constraint(limit=limit, value=volts, rule=rule, text=f"{name}: {cause}", pack=name)
