"""One cell: an open-circuit curve, a resistance, one RC element and a thermal node.

The idea: within a step the current is constant, so charge, polarisation and heat each have a closed
form, and a step of any length is exact for them. Charging current is positive.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf

SECONDS_PER_HOUR = 3600.0


class Curve:
    """A polyline through (soc, voltage_v) points; both ends go on with their last slope."""

    def __init__(self, *points: tuple[float, float]) -> None:
        self._socs = [soc for soc, _ in points]
        self._lines = [
            (soc_a, volt_a, (volt_b - volt_a) / (soc_b - soc_a))
            for (soc_a, volt_a), (soc_b, volt_b) in pairwise(points)
        ]

    def at(self, soc: float) -> float:
        """Voltage at `soc`, V."""
        start_soc, start_v, slope_v = self._lines[self._index(soc)]
        return start_v + (soc - start_soc) * slope_v

    def piece(self, soc: float) -> tuple[float, float, float, float]:
        """The straight piece at `soc`: from and to which soc, the voltage it would have at 0, V per soc."""
        index, last = self._index(soc), len(self._lines) - 1
        start_soc, start_v, slope_v = self._lines[index]
        low, high = -inf if index == 0 else start_soc, inf if index == last else self._socs[index + 1]
        return low, high, start_v - slope_v * start_soc, slope_v

    def _index(self, soc: float) -> int:
        return min(max(bisect_right(self._socs, soc) - 1, 0), len(self._lines) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chemistry:
    """What cells of one kind have in common. Quantities `*_ah`, `*_per_ah` scale with capacity:
    resistance as 1/capacity, heat capacity as capacity.
    """

    name: str
    rest_v: Curve
    series_ohm_ah: float
    polarisation_ohm_ah: float
    polarisation_tau_s: float
    heat_j_per_k_ah: float
    cooling_tau_s: float
    coulomb_efficiency: float
    balance_start_v: float


# A typical LFP rest curve with steep ends added for over-charge and deep discharge; not from a data
# sheet. Resistances and heat capacity are usual figures of a 280 Ah prismatic cell: 0.35 and
# 0.25 mohm, 2.8 kJ/K, 3 K/W to the air around it.
LFP = Chemistry(
    name="lfp",
    rest_v=Curve(
        (0.0, 2.50), (0.01, 2.80), (0.03, 2.98), (0.05, 3.08), (0.10, 3.18), (0.20, 3.235), (0.30, 3.262),
        (0.40, 3.280), (0.50, 3.290), (0.60, 3.300), (0.70, 3.322), (0.80, 3.330), (0.90, 3.335),
        (0.95, 3.340), (0.98, 3.350), (0.99, 3.362), (0.995, 3.385), (1.0, 3.450), (1.005, 3.62),
        (1.01, 3.95),
    ),
    series_ohm_ah=0.35e-3 * 280,
    polarisation_ohm_ah=0.25e-3 * 280,
    polarisation_tau_s=40.0,
    heat_j_per_k_ah=2800.0 / 280,
    cooling_tau_s=2800.0 * 3.0,
    coulomb_efficiency=0.998,
    balance_start_v=3.40,
)  # fmt: skip


class Cell:
    """The state of one cell. emf_v: its voltage at zero current at this moment."""

    __slots__ = (
        "capacity_ah", "chemistry", "emf_v", "polarisation_ohm", "polarisation_v", "series_ohm", "soc",
        "temperature_c",
    )  # fmt: skip

    def __init__(
        self,
        chemistry: Chemistry,
        capacity_ah: float,
        soc: float,
        *,
        ohm_factor: float = 1.0,
        temperature_c: float = 22.0,
    ) -> None:
        self.chemistry = chemistry
        self.capacity_ah = capacity_ah
        self.series_ohm = ohm_factor * chemistry.series_ohm_ah / capacity_ah
        self.polarisation_ohm = ohm_factor * chemistry.polarisation_ohm_ah / capacity_ah
        self.soc = soc
        self.polarisation_v = 0.0
        self.temperature_c = temperature_c
        self.emf_v = chemistry.rest_v.at(soc)

    def voltage_v(self, current_a: float) -> float:
        """Voltage at the terminals while `current_a` flows, V."""
        return self.emf_v + self.series_ohm * current_a

    def step(
        self, current_a: float, dt_s: float, *, bleed_a: float = 0.0, ambient_c: float | None = None
    ) -> None:
        """Carry `current_a` for `dt_s` > 0 while a balancer bleeds `bleed_a`.

        The bleeding current takes charge but is too small to show at the terminals. Without ambient_c
        no heat leaves the cell.
        """
        kind = self.chemistry
        gain = kind.coulomb_efficiency if current_a > 0 else 1.0
        self.soc += (current_a * gain - bleed_a) * dt_s / (SECONDS_PER_HOUR * self.capacity_ah)
        final_v = self.polarisation_ohm * current_a
        gap_v, left = self.polarisation_v - final_v, exp(-dt_s / kind.polarisation_tau_s)
        self.polarisation_v = final_v + gap_v * left
        # The mean square of final_v + gap_v * exp(-t / tau) over the step.
        decayed = kind.polarisation_tau_s / dt_s * gap_v * (1.0 - left)
        square_v2 = final_v * final_v + decayed * (2.0 * final_v + gap_v * (1.0 + left) / 2.0)
        heat_w = self.series_ohm * current_a * current_a + square_v2 / self.polarisation_ohm
        self._warm(heat_w, dt_s, ambient_c)
        self.emf_v = kind.rest_v.at(self.soc) + self.polarisation_v

    def _warm(self, heat_w: float, dt_s: float, ambient_c: float | None) -> None:
        kind = self.chemistry
        heat_j_per_k = kind.heat_j_per_k_ah * self.capacity_ah
        if ambient_c is None:
            self.temperature_c += heat_w * dt_s / heat_j_per_k
            return
        final_c = ambient_c + heat_w * kind.cooling_tau_s / heat_j_per_k
        self.temperature_c = final_c + (self.temperature_c - final_c) * exp(-dt_s / kind.cooling_tau_s)
