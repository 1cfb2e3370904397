"""A pack's derating curves as they hold for it: resolved once, in amperes, so that a sample only reads them.

Which curve holds is the user's choice, else the chemistry's own; the hard stops are the settings', moved
to the careful side by what the BMS says of its own trips. A BMS that trips early moves the whole taper
with its stop, or the current would still be full where the BMS opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.battery.chemistry import preset
from bridge.battery.curves import MOSFET_TAPER, at, plateau, scaled
from bridge.battery.known import value_or
from bridge.model import Curve, Limit, NamedCurve, PackSettings, Ratings

BEFORE_TRIP_V: Final = 0.02  # a cell so close to its BMS's trip carries nothing
CHARGE_RELEASE_V: Final = 0.10  # below the charge stop: charging may be thought of again
DISCHARGE_RELEASE_V: Final = 0.15  # above the discharge stop: so may discharging
UNKNOWN_TEMPERATURE_C_RATE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Taper:
    """One curve of one pack. points: A over x. clear: at every x strictly inside, it allows the rated
    current. name: of the preset or table that it came from.
    """

    name: str
    points: Curve
    clear: tuple[float, float]

    def amps(self, x: float) -> float:
        """What is allowed at x, A."""
        return at(self.points, x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One direction of current. stop_v, release_v: the cell voltage from which on it is off, and from which
    on it may be on again. window_c: no current at or outside these temperatures. shift_v: how far the
    BMS's own trip has moved the curve over the cell.
    """

    limit: Limit
    rated_a: float
    stop_v: float
    release_v: float
    window_c: tuple[float, float]
    shift_v: float
    by_temperature: Taper
    by_cell: Taper
    by_mosfet: Taper
    by_soc: Taper | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tapers:
    """Both directions. unknown_a: allowed while no cell temperature is known. far_v: cells outside are in
    danger.
    """

    charge: Way
    discharge: Way
    unknown_a: float
    far_v: tuple[float, float]


def tapers(settings: PackSettings, ratings: Ratings) -> Tapers:
    """All curves of a pack whose BMS has told its `ratings`."""
    return Tapers(
        charge=_charge(settings, ratings),
        discharge=_discharge(settings, ratings),
        unknown_a=UNKNOWN_TEMPERATURE_C_RATE * settings.capacity_ah,
        far_v=preset(settings).far_v,
    )


def own_curves(settings: PackSettings) -> Mapping[str, Curve]:
    """What the chemistry says, by the names in `Curves`; nothing over SoC."""
    own = preset(settings)
    return {
        "charge_by_temperature_c": own.charge_c_rate,
        "discharge_by_temperature_c": own.discharge_c_rate,
        "charge_by_cell_v": _charge_by_cell(settings, own.taper_above_v),
        "discharge_by_cell_v": scaled(own.discharge_taper, 1.0, settings.cell_min_v),
        "charge_by_mosfet_c": MOSFET_TAPER,
        "discharge_by_mosfet_c": MOSFET_TAPER,
    }


def _charge_by_cell(settings: PackSettings, above_v: float) -> Curve:
    """From just above the target down to nothing; a step, where the target leaves no room for a slope."""
    start_v, stop_v = settings.cell_charge_v + above_v, settings.cell_max_v
    return ((min(start_v, stop_v), 1.0), (stop_v, 0.0))


def _charge(settings: PackSettings, ratings: Ratings) -> Way:
    stop_v = settings.charge_stop_v
    if ratings.cell_ovp_v is not None:
        stop_v = min(stop_v, ratings.cell_ovp_v - BEFORE_TRIP_V)
    low_c, high_c = settings.temperature_min_charge_c, settings.temperature_max_charge_c
    window_c = (
        max(low_c, value_or(ratings.charge_utp_c, low_c)),
        min(high_c, value_or(ratings.charge_otp_c, high_c)),
    )
    return _way(
        settings, Limit.CCL, stop_v, stop_v - CHARGE_RELEASE_V, window_c, stop_v - settings.cell_max_v
    )


def _discharge(settings: PackSettings, ratings: Ratings) -> Way:
    stop_v = settings.cell_min_v
    if ratings.cell_uvp_v is not None:
        stop_v = max(stop_v, ratings.cell_uvp_v + BEFORE_TRIP_V)
    low_c, high_c = settings.temperature_min_discharge_c, settings.temperature_max_discharge_c
    window_c = (
        max(low_c, value_or(ratings.discharge_utp_c, low_c)),
        min(high_c, value_or(ratings.discharge_otp_c, high_c)),
    )
    return _way(
        settings, Limit.DCL, stop_v, stop_v + DISCHARGE_RELEASE_V, window_c, stop_v - settings.cell_min_v
    )


def _way(  # noqa: PLR0913, PLR0917  # a row of figures that belong together
    settings: PackSettings,
    limit: Limit,
    stop_v: float,
    release_v: float,
    window_c: tuple[float, float],
    shift_v: float,
) -> Way:
    charging = limit is Limit.CCL
    verb = "charge" if charging else "discharge"
    rated_a = settings.rated_charge_current_a if charging else settings.rated_discharge_current_a
    own = own_curves(settings)

    def taper(what: str, full_a: float, shift: float = 0.0) -> Taper | None:
        chosen: NamedCurve | None = getattr(settings.curves, f"{verb}_by_{what}")
        points = own.get(f"{verb}_by_{what}") if chosen is None else chosen.points
        if points is None:
            return None
        amps = scaled(points, full_a, shift)
        return Taper(settings.chemistry if chosen is None else chosen.name, amps, plateau(amps, rated_a))

    by_temperature = taper("temperature_c", settings.capacity_ah)
    by_cell, by_mosfet = taper("cell_v", rated_a, shift_v), taper("mosfet_c", rated_a)
    assert by_temperature is not None  # the chemistry has these three
    assert by_cell is not None
    assert by_mosfet is not None
    return Way(
        limit=limit,
        rated_a=rated_a,
        stop_v=stop_v,
        release_v=release_v,
        window_c=window_c,
        shift_v=shift_v,
        by_temperature=_within(by_temperature, window_c),
        by_cell=by_cell,
        by_mosfet=by_mosfet,
        by_soc=taper("soc_pct", rated_a),
    )


def _within(taper: Taper, window_c: tuple[float, float]) -> Taper:
    """The same, clear only inside the window."""
    clear = max(taper.clear[0], window_c[0]), min(taper.clear[1], window_c[1])
    return Taper(taper.name, taper.points, clear)
