"""A picture as Pylontech batteries have to say it: as readings of the whole, and of each pack.

One idea: the limits are the bank's. Posing as several batteries, each is told an equal share of them, so
that neither their sum nor the first one times their number is more than the bank may carry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from bridge.model import Reading
from bridge.protocols import _pylontech_rs485_readings as readings
from bridge.protocols._pylontech_rs485_answers import SHORT_MAX, kelvin, steps_of
from bridge.protocols._pylontech_rs485_classic import LONG_MAX, WORD_MAX
from bridge.protocols._pylontech_rs485_system import SystemAnalog
from bridge.responders.picture import Module, Picture, fitted
from bridge.sinks.quantities import Rounding, steps

CELLS, PROBES = 32, 4


def whole(picture: Picture) -> Reading:
    """The bank as one battery; what the profile has a word in comes from the picture's values."""
    cycles = _known(picture, "cycles")
    return _limits(picture, 1) | Reading(
        voltage_v=_known(picture, "voltage_v"),
        current_a=_known(picture, "current_a"),
        soc_pct=_known(picture, "soc_pct"),
        soh_pct=_known(picture, "soh_pct"),
        full_ah=_known(picture, "full_ah"),
        cycles=None if cycles is None else int(cycles),
        cell_voltages_v=fitted(picture.whole.cell_voltages_v, CELLS),
        temperatures_c=fitted(picture.whole.temperatures_c, PROBES),
        mosfet_temperature_c=picture.whole.mosfet_temperature_c,
        charge_allowed=bool(picture.values["charge_enabled"]),
        discharge_allowed=bool(picture.values["discharge_enabled"]),
        protections=picture.protections,
        warnings=picture.warnings,
    )


def pack(module: Module, picture: Picture) -> Reading:
    """One pack as a battery of its own."""
    return _limits(picture, len(picture.modules_online)) | Reading(
        voltage_v=module.voltage_v,
        current_a=module.current_a,
        soc_pct=module.soc_pct,
        soh_pct=module.soh_pct,
        full_ah=module.full_ah,
        cycles=module.cycles,
        cell_voltages_v=fitted(module.cell_voltages_v, CELLS),
        temperatures_c=fitted(module.temperatures_c, PROBES),
        mosfet_temperature_c=module.mosfet_temperature_c,
        charge_allowed=module.charge_enabled and bool(picture.values["charge_enabled"]),
        discharge_allowed=module.discharge_enabled and bool(picture.values["discharge_enabled"]),
        protections=module.protections,
        warnings=module.warnings,
    )


def _limits(picture: Picture, batteries: int) -> Reading:
    return Reading(
        charge_voltage_limit_v=picture.number("charge_voltage_limit_v"),
        discharge_voltage_limit_v=picture.number("discharge_voltage_limit_v"),
        charge_current_limit_a=picture.number("charge_current_limit_a") / max(1, batteries),
        discharge_current_limit_a=picture.number("discharge_current_limit_a") / max(1, batteries),
    )


def too_large(
    picture: Picture, names: Collection[str], *, measured_a: float, limit_a: float
) -> frozenset[str]:
    """Those of the names that go as the largest that fits. measured_a, limit_a: steps of the currents."""
    ends = {
        "charge_voltage_limit_v": (WORD_MAX, 0.001),
        "charge_current_limit_a": (SHORT_MAX, limit_a),
        "discharge_current_limit_a": (SHORT_MAX, limit_a),
        "current_a": (SHORT_MAX, measured_a),
        "full_ah": (LONG_MAX, 0.001),
        "cycles": (WORD_MAX, 1.0),
    }
    return frozenset(
        name
        for name in names
        for most, step in (ends[name],)
        if steps(abs(picture.number(name)), step, Rounding.DOWN) > most
    )


def wishes(picture: Picture) -> int:
    """The bits by which the battery asks to be charged."""
    return (readings.CHARGE_NOW_2 if picture.number("force_charge_2") else 0) | (
        readings.FULL_CHARGE if picture.number("full_charge_request") else 0
    )


def system_analog(picture: Picture) -> SystemAnalog | None:
    """61; None where something is not known that it has a place for and no word for "not known".

    A switch or board temperature that is not known is said to be that of the cells.
    """
    voltage_mv = steps_of(_known(picture, "voltage_v"), 1000)
    soc_pct = _known(picture, "soc_pct")
    high_mv, low_mv = (steps_of(_known(picture, name), 1000) for name in ("cell_max_v", "cell_min_v"))
    cells_c = [_known(picture, f"temperature{part}_c") for part in ("", "_max", "_min")]
    known_c = [one for one in cells_c if one is not None]
    if (
        voltage_mv is None
        or soc_pct is None
        or high_mv is None
        or low_mv is None
        or len(known_c) < len(cells_c)
    ):
        return None
    if not 0 < voltage_mv <= WORD_MAX:
        return None
    mean, hot, cold = (kelvin(one) for one in known_c)
    mosfet_c = picture.whole.mosfet_temperature_c
    switches = (mean, hot, cold) if mosfet_c is None else (kelvin(mosfet_c),) * 3
    cycles = int(min(WORD_MAX, picture.number("cycles")))
    soh_pct = int(min(100.0, max(0.0, picture.number("soh_pct", 100.0))))
    return SystemAnalog(
        voltage_mv=voltage_mv,
        current=max(-0x7FFF, min(0x7FFF, steps_of(picture.number("current_a"), 100) or 0)),
        soc_pct=int(min(100.0, max(0.0, steps(soc_pct, 1, Rounding.DOWN)))),
        cycles_mean=cycles,
        cycles_max=cycles,
        soh_mean_pct=soh_pct,
        soh_min_pct=soh_pct,
        cell_max_mv=min(WORD_MAX, high_mv),
        cell_max_place=_place(picture, max, "cell_max_number"),
        cell_min_mv=min(WORD_MAX, max(0, low_mv)),
        cell_min_place=_place(picture, min, "cell_min_number"),
        cell_mean=mean,
        cell_hot=hot,
        cell_hot_place=FIRST_MODULE,
        cell_cold=cold,
        cell_cold_place=FIRST_MODULE,
        mosfet_mean=switches[0],
        mosfet_hot=switches[1],
        mosfet_hot_place=FIRST_MODULE,
        mosfet_cold=switches[2],
        mosfet_cold_place=FIRST_MODULE,
        board_mean=switches[0],
        board_hot=switches[1],
        board_hot_place=FIRST_MODULE,
        board_cold=switches[2],
        board_cold_place=FIRST_MODULE,
    )


FIRST_MODULE = 0x0100  # module 1 in the high byte; which probe it was is not known here


def _place(picture: Picture, pick: Callable[..., float], number: str) -> int:
    """Module and cell of the highest or lowest cell, both from 1."""
    cells = {
        (at, place): cell_v
        for at, module in enumerate(picture.modules, 1)
        for place, cell_v in enumerate(module.cell_voltages_v if module else (), 1)
        if cell_v is not None
    }
    if not cells:
        return FIRST_MODULE | int(picture.number(number)) & 0xFF
    extreme_v = pick(cells.values())
    module, cell = next(where for where, cell_v in cells.items() if cell_v == extreme_v)
    return min(0xFF, module) << 8 | min(0xFF, cell)


def _known(picture: Picture, name: str) -> float | None:
    value = picture.values.get(name)
    return None if value is None or isinstance(value, str) else float(value)
