"""What one pack may carry, in each direction: the least of what these rules say.

A rule is a function of a few lines from a pack's `Facts` to constraints at that pack: currents here,
voltages in `pack_voltages`. It says nothing where it does not go below the pack's rating or target, so
what is listed is what matters. To add a rule, write the function and put it into PACK_RULES. Missing
data must give less, never more: the rules say so one by one.

Figures: aggregation of public drivers' defaults, see `curves`; a guard band of 5 % to what trips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bridge.battery.curves import CHARGE_C_RATE, DISCHARGE_C_RATE, DISCHARGE_TAPER, MOSFET_TAPER, Curve, at
from bridge.battery.facts import Facts
from bridge.battery.pack_voltages import (
    bms_charge_voltage,
    bms_discharge_voltage,
    cell_above_target,
    unseen_cells_voltage,
)
from bridge.model import Constraint, Limit

TRIP_BAND = 0.95  # of a fuse, and of a BMS's over-current threshold: room for the sensor's error
UNKNOWN_TEMPERATURE_C_RATE = 0.1
TAPER_ABOVE_CHARGE_V = 0.02  # above cell_charge_v the current begins to fall
CELL_RESISTANCE_OHM_AH = 0.07  # a cell's resistance times its capacity: 0.25 mohm at 280 Ah
SAG_MAX_V = 0.10  # no more than this of a cell's sag is put down to its resistance

PackRule = Callable[[Facts], Iterable[Constraint]]


def rating(facts: Facts) -> Iterable[Constraint]:
    """What the BMS may carry all day."""
    for limit in (Limit.CCL, Limit.DCL):
        yield _constraint(
            facts, limit, _rated_a(facts, limit), "rating", f"rated {_rated_a(facts, limit):g} A"
        )


def fuse(facts: Facts) -> Iterable[Constraint]:
    """A fuse carries its rating for long, but the current sensor may be wrong by some percent."""
    fuse_a = facts.settings.fuse_a
    if fuse_a is None:
        return
    for limit in (Limit.CCL, Limit.DCL):
        if fuse_a * TRIP_BAND < _rated_a(facts, limit):
            yield _constraint(facts, limit, fuse_a * TRIP_BAND, "fuse", f"95 % of its {fuse_a:g} A fuse")


def bms_limit(facts: Facts) -> Iterable[Constraint]:
    """What the BMS itself reports as its limit; 0 counts once it has reported more."""
    for limit in (Limit.CCL, Limit.DCL):
        reported_a = facts.reported.get(limit)
        if reported_a is not None and reported_a < _rated_a(facts, limit):
            yield _constraint(facts, limit, reported_a, "bms_limit", f"its BMS allows {reported_a:g} A")


def bms_overcurrent(facts: Facts) -> Iterable[Constraint]:
    """Stay clear of the current at which the BMS would open."""
    trips = (Limit.CCL, facts.ratings.charge_ocp_a), (Limit.DCL, facts.ratings.discharge_ocp_a)
    for limit, trip_a in trips:
        if trip_a is not None and trip_a * TRIP_BAND < _rated_a(facts, limit):
            text = f"95 % of the {trip_a:g} A at which its BMS trips"
            yield _constraint(facts, limit, trip_a * TRIP_BAND, "bms_overcurrent", text)


def temperature(facts: Facts) -> Iterable[Constraint]:
    """C-rate over the coldest and the hottest cell, the smaller of the two; none outside the window."""
    own, bms = facts.settings, facts.ratings
    windows = (
        (
            Limit.CCL,
            CHARGE_C_RATE,
            max(own.temperature_min_charge_c, _or(bms.charge_utp_c, own.temperature_min_charge_c)),
            min(own.temperature_max_charge_c, _or(bms.charge_otp_c, own.temperature_max_charge_c)),
        ),
        (
            Limit.DCL,
            DISCHARGE_C_RATE,
            max(own.temperature_min_discharge_c, _or(bms.discharge_utp_c, own.temperature_min_discharge_c)),
            min(own.temperature_max_discharge_c, _or(bms.discharge_otp_c, own.temperature_max_discharge_c)),
        ),
    )
    for limit, curve, lowest_c, highest_c in windows:
        rate, text = _c_rate(facts, curve, lowest_c, highest_c)
        amps = rate * own.capacity_ah
        if amps < _rated_a(facts, limit):
            yield _constraint(facts, limit, amps, "temperature", text)


def mosfet_temperature(facts: Facts) -> Iterable[Constraint]:
    """Hot switches carry less. Most boards do not report them, which is no reason to stop."""
    mosfet_c = facts.mosfet_temperature_c
    if mosfet_c is None or mosfet_c <= MOSFET_TAPER[0][0]:
        return
    share = at(MOSFET_TAPER, mosfet_c)
    for limit in (Limit.CCL, Limit.DCL):
        amps = share * _rated_a(facts, limit)
        yield _constraint(facts, limit, amps, "mosfet_temperature", f"its switches at {mosfet_c:.0f} degC")


def cell_high(facts: Facts) -> Iterable[Constraint]:
    """Charging tapers from just above the charge target to nothing at cell_max_v, and stays off until
    the cell is clearly back.
    """
    start_v = facts.settings.cell_charge_v + TAPER_ABOVE_CHARGE_V
    stop_v, cell_v = facts.settings.cell_max_v, facts.cell_max_v
    if cell_v is None:
        return
    if facts.charge_stopped:
        yield _cell_constraint(facts, Limit.CCL, 0.0, "cell_high")
    elif cell_v > start_v:
        share = (stop_v - cell_v) / (stop_v - start_v)
        yield _cell_constraint(facts, Limit.CCL, share * _rated_a(facts, Limit.CCL), "cell_high")


def cell_low(facts: Facts) -> Iterable[Constraint]:
    """Discharging tapers toward cell_min_v. The taper forgives what the present current alone explains,
    or it would hunt; the stop itself reads the cell as it is.
    """
    stop_v, cell_v = facts.settings.cell_min_v, facts.cell_min_v
    if cell_v is None:
        return
    if facts.discharge_stopped:
        yield _cell_constraint(facts, Limit.DCL, 0.0, "cell_low")
        return
    discharge_a = max(0.0, -(facts.sample.current_a or 0.0))
    sag_v = min(SAG_MAX_V, discharge_a * CELL_RESISTANCE_OHM_AH / facts.settings.capacity_ah)
    share = at(DISCHARGE_TAPER, cell_v + sag_v - stop_v)
    if share < 1.0:
        yield _cell_constraint(facts, Limit.DCL, share * _rated_a(facts, Limit.DCL), "cell_low")


def cells_unreadable(facts: Facts) -> Iterable[Constraint]:
    """A cell that nobody sees may be anywhere. Only a pack that never gave cells is judged by its
    voltage, with a margin (`Facts.cell_max_v`) and a lower charge voltage.
    """
    if facts.cells_readable or (facts.cells_derived and facts.voltage_v is not None):
        return
    missing = [i for i, v in enumerate(facts.sample.cell_voltages_v, start=1) if v is None]
    text = f"cell {missing[0]} cannot be read" if missing else "neither cells nor pack voltage can be read"
    for limit in (Limit.CCL, Limit.DCL):
        yield _constraint(facts, limit, 0.0, "cells_unreadable", text)


def not_allowed(facts: Facts) -> Iterable[Constraint]:
    """The BMS forbids a direction, or does not say that it permits it."""
    permits = (
        (Limit.CCL, facts.sample.charge_allowed, "charging"),
        (Limit.DCL, facts.sample.discharge_allowed, "discharging"),
    )
    for limit, allowed, verb in permits:
        if allowed is not True:
            text = f"its BMS forbids {verb}" if allowed is False else f"not known to permit {verb}"
            yield _constraint(facts, limit, 0.0, "not_allowed", text)


PACK_RULES: tuple[PackRule, ...] = (
    rating,
    fuse,
    bms_limit,
    bms_overcurrent,
    temperature,
    mosfet_temperature,
    cell_high,
    cell_low,
    cells_unreadable,
    not_allowed,
    bms_charge_voltage,
    bms_discharge_voltage,
    cell_above_target,
    unseen_cells_voltage,
)


@dataclass(frozen=True, slots=True)
class PackLimits:
    """All that one pack allows by itself; of the currents, the binding constraint first, and never none
    once it was heard.
    """

    charge: tuple[Constraint, ...] = ()
    discharge: tuple[Constraint, ...] = ()
    voltage: tuple[Constraint, ...] = ()

    def current(self, limit: Limit) -> tuple[Constraint, ...]:
        """The constraints on CCL or DCL."""
        return self.charge if limit is Limit.CCL else self.discharge


def pack_limits(facts: Facts) -> PackLimits:
    """What the pack allows, by its last sample."""
    found = [constraint for rule in PACK_RULES for constraint in rule(facts)]
    found.sort(key=lambda constraint: constraint.value)
    return PackLimits(
        tuple([c for c in found if c.limit is Limit.CCL]),
        tuple([c for c in found if c.limit is Limit.DCL]),
        tuple([c for c in found if c.limit is Limit.CVL or c.limit is Limit.DVL]),
    )


def _c_rate(facts: Facts, curve: Curve, lowest_c: float, highest_c: float) -> tuple[float, str]:
    coldest_c, hottest_c = facts.temperature_min_c, facts.temperature_max_c
    if coldest_c is None or hottest_c is None:
        return UNKNOWN_TEMPERATURE_C_RATE, "no cell temperature is known"
    if coldest_c <= lowest_c:
        return 0.0, f"cells at {coldest_c:.1f} degC"
    if hottest_c >= highest_c:
        return 0.0, f"cells at {hottest_c:.1f} degC"
    cold, hot = at(curve, coldest_c), at(curve, hottest_c)
    rate, text = min((cold, f"cells at {coldest_c:.1f} degC"), (hot, f"cells at {hottest_c:.1f} degC"))
    if not facts.temperature_readable and rate > UNKNOWN_TEMPERATURE_C_RATE:
        return UNKNOWN_TEMPERATURE_C_RATE, "its temperature probes no longer answer"
    return rate, text


def _rated_a(facts: Facts, limit: Limit) -> float:
    own = facts.settings
    return own.rated_charge_current_a if limit is Limit.CCL else own.rated_discharge_current_a


def _constraint(facts: Facts, limit: Limit, amps: float, rule: str, text: str) -> Constraint:
    return Constraint(limit=limit, value=amps, rule=rule, text=text, pack=facts.settings.name)


def _cell_constraint(facts: Facts, limit: Limit, amps: float, rule: str) -> Constraint:
    """Because of the cell that is highest (CCL) or lowest (DCL)."""
    high = limit is Limit.CCL
    cell = facts.cell_max_index if high else facts.cell_min_index
    cell_v = facts.cell_max_v if high else facts.cell_min_v
    text = f"cell {cell} at {cell_v:.3f} V" if cell else f"its cells at about {cell_v:.3f} V"
    return Constraint(limit=limit, value=amps, rule=rule, text=text, pack=facts.settings.name, cell=cell)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
