"""What one pack may carry, in each direction: the least of what these rules say.

A rule is a function of a few lines from a pack's `Facts` to constraints at that pack: currents here,
voltages in `pack_voltages`. It says nothing where it does not go below the pack's rating or target, so
what is listed is what matters. To add a rule, write the function and put it into PACK_RULES; what does
not depend on a sample goes into `fixed`, which curve holds into `tapers`. Missing data must give less,
never more: the rules say so one by one. A pack that is well costs every rule a comparison or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from bridge.battery.facts import Facts
from bridge.battery.fixed import PackLimits, sorted_limits
from bridge.battery.pack_voltages import (
    bms_charge_voltage,
    bms_discharge_voltage,
    cell_above_target,
    unseen_cells_voltage,
)
from bridge.battery.tapers import Way
from bridge.model import Constraint, Limit

__all__ = ("PACK_RULES", "PackLimits", "PackRule", "pack_limits")

CELL_RESISTANCE_OHM_AH: Final = 0.07  # a cell's resistance times its capacity: 0.25 mohm at 280 Ah
SAG_MAX_V: Final = 0.10  # no more than this of a cell's sag is put down to its resistance

PackRule = Callable[[Facts], Iterable[Constraint]]


def bms_limit(facts: Facts) -> Iterable[Constraint]:
    """What the BMS itself reports as its limit; 0 counts once it has reported more."""
    return [
        _constraint(facts, way, reported_a, "bms_limit", f"its BMS allows {reported_a:g} A")
        for way in _ways(facts)
        if (reported_a := facts.reported.get(way.limit)) is not None and reported_a < way.rated_a
    ]


def temperature(facts: Facts) -> Iterable[Constraint]:
    """C-rate over the coldest and the hottest cell, measured and smoothed, the smallest of them; none outside
    the window.
    """
    coldest_c, hottest_c = facts.temperature_min_c, facts.temperature_max_c
    slow_coldest_c, slow_hottest_c = facts.temperature_slow_min_c, facts.temperature_slow_max_c
    if coldest_c is None or hottest_c is None or slow_coldest_c is None or slow_hottest_c is None:
        return _temperature_unknown(facts, "no cell temperature is known")
    found = () if facts.temperature_readable else _temperature_unknown(facts, "its probes no longer answer")
    low_c, high_c = min(coldest_c, slow_coldest_c), max(hottest_c, slow_hottest_c)
    ways = [
        way
        for way in _ways(facts)
        if not (way.by_temperature.clear[0] < low_c and high_c < way.by_temperature.clear[1])
    ]
    if not ways:
        return found
    all_c = {coldest_c, hottest_c, slow_coldest_c, slow_hottest_c}
    return [*found, *[c for way in ways for c in _at_temperature(facts, way, all_c)]]


def mosfet_temperature(facts: Facts) -> Iterable[Constraint]:
    """Hot switches carry less. Most boards do not report them, which is no reason to stop."""
    mosfet_c = facts.mosfet_temperature_c
    if mosfet_c is None:
        return ()
    text = f"its switches at {mosfet_c:.0f} degC"
    return [
        _constraint(facts, way, amps, "mosfet_temperature", text)
        for way in _ways(facts)
        if (amps := way.by_mosfet.amps(mosfet_c)) < way.rated_a
    ]


def cell_high(facts: Facts) -> Iterable[Constraint]:
    """Charging tapers from just above the charge target to nothing at the stop, and stays off until the
    cell is clearly back.
    """
    way, cell_v = facts.fixed.tapers.charge, facts.cell_max_v
    if cell_v is None:
        return ()
    amps = 0.0 if facts.charge_stopped else way.by_cell.amps(cell_v)
    return () if amps >= way.rated_a else [_cell_constraint(facts, way, amps, "cell_high")]


def cell_low(facts: Facts) -> Iterable[Constraint]:
    """Discharging tapers toward its stop. The taper forgives what the present current alone explains, or it
    would hunt; the stop itself reads the cell as it is.
    """
    way, cell_v = facts.fixed.tapers.discharge, facts.cell_min_v
    if cell_v is None:
        return ()
    if facts.discharge_stopped:
        return [_cell_constraint(facts, way, 0.0, "cell_low")]
    if way.by_cell.clear[0] < cell_v < way.by_cell.clear[1]:
        return ()
    discharge_a = max(0.0, -(facts.sample.current_a or 0.0))
    sag_v = min(SAG_MAX_V, discharge_a * CELL_RESISTANCE_OHM_AH / facts.settings.capacity_ah)
    amps = way.by_cell.amps(cell_v + sag_v)
    return () if amps >= way.rated_a else [_cell_constraint(facts, way, amps, "cell_low")]


def state_of_charge(facts: Facts) -> Iterable[Constraint]:
    """Only where the user chose such a curve; an SoC that is not known counts as the worst one."""
    soc, found = facts.sample.soc, []
    for way in _ways(facts):
        if (taper := way.by_soc) is None:
            continue
        amps = min([y for _, y in taper.points]) if soc is None else taper.amps(100.0 * soc)
        if amps < way.rated_a:
            text = "its state of charge is not known" if soc is None else f"its charge at {100.0 * soc:.0f} %"
            found.append(_constraint(facts, way, amps, "state_of_charge", text))
    return found


def cells_unreadable(facts: Facts) -> Iterable[Constraint]:
    """A cell that nobody sees may be anywhere. Only a pack that never gave cells is judged by its
    voltage, with a margin (`Facts.cell_max_v`) and a lower charge voltage.
    """
    if facts.cells_readable or (facts.cells_derived and facts.voltage_v is not None):
        return ()
    missing = [i for i, v in enumerate(facts.sample.cell_voltages_v, start=1) if v is None]
    text = f"cell {missing[0]} cannot be read" if missing else "neither cells nor pack voltage can be read"
    return [_constraint(facts, way, 0.0, "cells_unreadable", text) for way in _ways(facts)]


def not_allowed(facts: Facts) -> Iterable[Constraint]:
    """The BMS forbids a direction, or does not say that it permits it."""
    sample = facts.sample
    if sample.charge_allowed is True and sample.discharge_allowed is True:
        return ()
    permits = (
        (facts.fixed.tapers.charge, sample.charge_allowed, "charging"),
        (facts.fixed.tapers.discharge, sample.discharge_allowed, "discharging"),
    )
    return [
        _constraint(
            facts,
            way,
            0.0,
            "not_allowed",
            f"its BMS forbids {verb}" if allowed is False else f"not known to permit {verb}",
        )
        for way, allowed, verb in permits
        if allowed is not True
    ]


PACK_RULES: tuple[PackRule, ...] = (
    bms_limit,
    temperature,
    mosfet_temperature,
    cell_high,
    cell_low,
    state_of_charge,
    cells_unreadable,
    not_allowed,
    bms_charge_voltage,
    bms_discharge_voltage,
    cell_above_target,
    unseen_cells_voltage,
)


def pack_limits(facts: Facts) -> PackLimits:
    """What the pack allows, by its last sample."""
    found = [constraint for rule in PACK_RULES for constraint in rule(facts)]
    return sorted_limits([*facts.fixed.constraints, *found]) if found else facts.fixed.limits


def _ways(facts: Facts) -> tuple[Way, Way]:
    return facts.fixed.tapers.charge, facts.fixed.tapers.discharge


def _at_temperature(facts: Facts, way: Way, all_c: set[float]) -> Iterator[Constraint]:
    """What the worst of these temperatures leaves, if that is less than the rating."""
    lowest_c, highest_c = way.window_c
    amps, at_c = min(
        [(way.by_temperature.amps(c) if lowest_c < c < highest_c else 0.0, c) for c in all_c],
    )
    if amps < way.rated_a:
        yield _constraint(facts, way, amps, "temperature", f"cells at {at_c:.1f} degC")


def _temperature_unknown(facts: Facts, text: str) -> list[Constraint]:
    amps = facts.fixed.tapers.unknown_a
    return [_constraint(facts, way, amps, "temperature", text) for way in _ways(facts) if amps < way.rated_a]


def _constraint(facts: Facts, way: Way, amps: float, rule: str, text: str) -> Constraint:
    return Constraint(limit=way.limit, value=amps, rule=rule, text=text, pack=facts.settings.name)


def _cell_constraint(facts: Facts, way: Way, amps: float, rule: str) -> Constraint:
    """Because of the cell that is highest (CCL) or lowest (DCL)."""
    high = way.limit is Limit.CCL
    cell = facts.cell_max_index if high else facts.cell_min_index
    cell_v = facts.cell_max_v if high else facts.cell_min_v
    text = f"cell {cell} at {cell_v:.3f} V" if cell else f"its cells at about {cell_v:.3f} V"
    return Constraint(limit=way.limit, value=amps, rule=rule, text=text, pack=facts.settings.name, cell=cell)
