"""What each pack may carry: the measure of all policies, and the raw material of the simple ones.

`Rights` are the truth: rating and cell temperature, from the pack itself. Whoever sends more through
it has done wrong. `asked` is what an ordinary gateway makes of a pack's last sample: the same, tapered
by its highest and lowest cell. Neither shares a line with the gateway that is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from bridge.model import PackSample
from bridge.sim.chemistries import Kind
from bridge.sim.lumped import LumpedPack
from bridge.sim.lumped_spec import LumpedSpec

MOVED_C = 0.02
TAPER_ABOVE_V = 0.02  # above the charge target
DISCHARGE_TAPER = ((0.0, 0.0), (0.10, 0.1), (0.20, 0.3), (0.30, 1.0))  # over V above the stop


class Allowed(NamedTuple):
    """The currents that a pack may carry, A, both positive."""

    charge_a: float
    discharge_a: float


NOTHING = Allowed(0.0, 0.0)


class Rights:
    """What a pack may carry by rating and temperature, looked up again when the temperature has moved."""

    def __init__(self, pack: LumpedPack) -> None:
        self._pack = pack
        self._at_c = inf
        self._allowed = NOTHING

    def look(self) -> Allowed:
        """At this moment."""
        temperature_c = self._pack.temperature_c
        if abs(temperature_c - self._at_c) > MOVED_C:
            self._at_c = temperature_c
            self._allowed = at_temperature(self._pack.spec, temperature_c, temperature_c)
        return self._allowed


def asked(spec: LumpedSpec, sample: PackSample) -> Allowed:
    """By rating, temperature and cells, from a sample; nothing of what the sample does not say."""
    cold_c, hot_c = sample.temperature_min_c, sample.temperature_max_c
    high_v, low_v = sample.cell_max_v, sample.cell_min_v
    if cold_c is None or hot_c is None or high_v is None or low_v is None:
        return NOTHING
    kind, most = spec.kind, at_temperature(spec, cold_c, hot_c)
    start_v = kind.charge_v + TAPER_ABOVE_V
    full = min(1.0, max(0.0, (kind.full_v - high_v) / (kind.full_v - start_v)))
    empty = between(DISCHARGE_TAPER, low_v - kind.empty_v)
    return Allowed(
        most.charge_a * full if sample.charge_allowed else 0.0,
        most.discharge_a * empty if sample.discharge_allowed else 0.0,
    )


def between(points: Sequence[tuple[float, float]], x: float) -> float:
    """A polyline's value at x; outside its ends the end value. Of two points at one x, the first holds."""
    left_x, left_y = points[0]
    if x <= left_x:
        return left_y
    for right_x, right_y in points[1:]:
        if x <= right_x:
            return left_y + (right_y - left_y) * (x - left_x) / (right_x - left_x)
        left_x, left_y = right_x, right_y
    return left_y


def at_temperature(spec: LumpedSpec, cold_c: float, hot_c: float) -> Allowed:
    """By rating and cell temperatures alone."""
    kind: Kind = spec.kind
    ends_c = {cold_c, hot_c}
    charge_rate = min([between(kind.charge_c_rate, end_c) for end_c in ends_c])
    discharge_rate = min([between(kind.discharge_c_rate, end_c) for end_c in ends_c])
    return Allowed(
        min(spec.rated_charge_a, charge_rate * spec.capacity_ah),
        min(spec.rated_discharge_a, discharge_rate * spec.capacity_ah),
    )
