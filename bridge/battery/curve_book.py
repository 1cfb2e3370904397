"""All derating curves of one pack, as somebody who looks at them wants to see them.

The curves are those that the limits are drawn from (`tapers`), with the rating and the hard stops already
in them: what is drawn is what is allowed. What a BMS says of its own trips is only known when it is
heard, and can only narrow them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bridge.battery.curves import at, capped, zero_outside
from bridge.battery.tapers import Taper, Way, tapers
from bridge.model import Curve, Limit, PackSettings, Ratings

MARGIN: Final = 0.08  # of a curve's width, to see what holds beyond its ends
UNITS: Final = {"temperature_c": "degC", "cell_v": "V", "mosfet_c": "degC", "soc_pct": "%"}
TITLES: Final = {
    "temperature_c": "cell temperature",
    "cell_v": ("highest cell", "lowest cell"),
    "mosfet_c": "switch temperature",
    "soc_pct": "state of charge",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One curve. key: as in `Curves`; title: what x is; name: of its preset or table; points: A over x;
    stops: the x at which current ends, whatever the curve says; ends: what to draw, from x to x.
    """

    pack: str
    key: str
    title: str
    unit: str
    name: str
    carry_a: float
    points: Curve
    stops: tuple[float, ...]
    ends: tuple[float, float]

    @property
    def charging(self) -> bool:
        """Whether it limits charging."""
        return self.key.startswith("charge")

    def amps(self, x: float) -> float:
        """What is allowed at x, A."""
        return at(self.points, x)


def curves_of(settings: PackSettings) -> list[Shown]:
    """Every curve that the pack has, charging before discharging of each kind."""
    found = tapers(settings, Ratings())
    ways = found.charge, found.discharge
    return [
        *[_over_temperature(settings, way) for way in ways],
        *[_over_cell(settings, way) for way in ways],
        *[_shown(settings, way, "mosfet_c", way.by_mosfet) for way in ways],
        *[
            _shown(settings, way, "soc_pct", way.by_soc, (0.0, 100.0))
            for way in ways
            if way.by_soc is not None
        ],
    ]


def _over_temperature(settings: PackSettings, way: Way) -> Shown:
    low_c, high_c = way.window_c
    taper = Taper(way.by_temperature.name, zero_outside(way.by_temperature.points, low_c, high_c), (0.0, 0.0))
    shown = _shown(settings, way, "temperature_c", taper)
    return _with_stops(shown, (low_c, high_c))


def _over_cell(settings: PackSettings, way: Way) -> Shown:
    return _with_stops(_shown(settings, way, "cell_v", way.by_cell), (way.stop_v,))


def _shown(
    settings: PackSettings, way: Way, what: str, taper: Taper, ends: tuple[float, float] | None = None
) -> Shown:
    charging = way.limit is Limit.CCL
    carry_a = settings.charge_carry_a if charging else settings.discharge_carry_a
    title = TITLES[what]
    first, last = taper.points[0][0], taper.points[-1][0]
    margin = MARGIN * (last - first) or 1.0
    return Shown(
        pack=settings.name,
        key=f"{'charge' if charging else 'discharge'}_by_{what}",
        title=title if isinstance(title, str) else title[not charging],
        unit=UNITS[what],
        name=taper.name,
        carry_a=carry_a,
        points=capped(taper.points, carry_a),
        stops=(),
        ends=(first - margin, last + margin) if ends is None else ends,
    )


def _with_stops(shown: Shown, stops: tuple[float, ...]) -> Shown:
    """The same, with the stops in sight."""
    low, high = min(*stops, shown.ends[0]), max(*stops, shown.ends[1])
    return replace(shown, stops=stops, ends=(low, high))
