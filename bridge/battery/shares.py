"""Learns how packs in parallel divide the bank's current, from the steps of the load.

    I_i = s_i * I + b_i      s_i = g_i / sum g      sum b_i = 0

Only differences of two calm pictures are used: what circulates between the packs (b_i) cancels, and at
rest nothing is divided by a current near zero. Each pack keeps two sums over its steps, d of the bank
and dI of the pack, weighted by w, which forget slowly:

    sxx = 0.95 sxx + w d^2        sxy = 0.95 sxy + w d dI G        G = sum g of the packs that conduct
    g_i = (W0 p_i + sxy) / (W0 + sxx)
    m_i = 0.02 + 0.35 W0 / (W0 + sxx) + error_i / s_i              at most 0.5

p_i is the conductance that the settings let expect, with the weight of a step of 5 % of the rating. m_i
is the relative uncertainty of the share. Because g is in the units of p, packs that were never together
on the bus can be compared. Fast steps count most: within minutes, polarisation pollutes them.

A picture is calm if little moves in it compared with the step, and that for each pack by itself: one of a
small share may be seen in the middle of its step while the bank as a whole is calm already, and if load and
polls keep time with each other, always so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isfinite, sqrt
from typing import Final

from bridge.battery.alignment import Snapshot
from bridge.battery.pack_rules import CELL_RESISTANCE_OHM_AH
from bridge.model import PackSettings

MARGIN_MIN: Final = 0.02
MARGIN_PRIOR: Final = 0.35
MARGIN_MAX: Final = 0.5
PRIOR_STEP: Final = 0.05  # of the rating: the step whose weight the prior has
# Smaller steps, of the rating too, teach nothing.
STEP_MIN_A: Final = 5.0
STEP_RATIO: Final = 0.04
# Nor do those that the noise of n sensors explains, 7 A * sqrt(n).
NOISE_A: Final = 7.0
NOISE_RATIO_MAX: Final = 0.15
FULL_STEP: Final = 0.2  # of the rating: from here on a step's residual says all about the share's error
CALM: Final = 0.2  # of the step: as much may still be moving before and after it
SWING_A: Final = 0.5  # in the line of one pack, this is what its sensor is wrong by
FAST_S: Final = 8.0  # steps within this time count in full
WAIT_S: Final = 30.0  # a step that takes longer is none
FORGET: Final = 0.95
FOLLOW: Final = 0.3  # how fast the error follows its residuals
CONDUCTANCE_MIN: Final = 0.02  # of the prior
SHARE_MIN: Final = 0.05  # an error counts relative to no smaller share
RELOADED: Final = 0.25  # the weight of what was learned before a restart


@dataclass(slots=True)
class Learned:
    """One pack's sums; see above. error: of its share, absolute."""

    sxx: float = 0.0
    sxy: float = 0.0
    error: float = 0.0


class Shares:
    """What was learned of all packs that were ever on the bus, by name."""

    def __init__(self) -> None:
        self._learned: dict[str, Learned] = {}

    def circuit(self, packs: Sequence[PackSettings]) -> Circuit:
        """The packs that conduct together from here on."""
        return Circuit(packs, [self._learned.setdefault(own.name, Learned()) for own in packs])

    def state(self) -> dict[str, list[float]]:
        """Everything that was learned, as JSON can carry it."""
        return {name: [one.sxx, one.sxy, one.error] for name, one in self._learned.items()}

    def restore(self, state: Mapping[str, object]) -> None:
        """Begin with what was learned before, at a quarter of its weight; what is no such thing is left
        out. Circuits that were made before this do not know of it.
        """
        for name, sums in state.items():
            if isinstance(sums, list) and len(sums) == 3 and all(map(_is_sum, sums)):
                self._learned[name] = Learned(RELOADED * sums[0], RELOADED * sums[1], sums[2])


class Circuit:
    """The packs that conduct at the same time, in their order. Lists: one value a pack.

    rated_a: of all packs together. conductance: in the unit of the prior. share: of the bank's current.
    margin: its relative uncertainty. measured: whether it is known more from currents than from settings.
    """

    def __init__(self, packs: Sequence[PackSettings], learned: Sequence[Learned]) -> None:
        self._prior = [prior_s(own) for own in packs]
        self._learned = learned
        self.rated_a = fsum([max(own.rated_charge_current_a, own.rated_discharge_current_a) for own in packs])
        self._prior_weight = (PRIOR_STEP * self.rated_a) ** 2
        noise_a = min(NOISE_A * sqrt(len(packs)), NOISE_RATIO_MAX * self.rated_a)
        self._step_min_a = max(STEP_MIN_A, STEP_RATIO * self.rated_a, noise_a)
        self._from: Snapshot | None = None
        self.conductance: list[float] = []
        self.share: list[float] = []
        self.margin: list[float] = []
        self.measured: list[bool] = []
        self._renew()

    def begin_again(self) -> None:
        """The next picture has nothing to do with the last."""
        self._from = None

    def learn(self, snapshot: Snapshot) -> bool:
        """A newer picture of these packs; whether the shares are others now."""
        start = self._from
        if start is None:
            self._from = snapshot
            return False
        step_a, elapsed_s = snapshot.total_a - start.total_a, snapshot.time_s - start.time_s
        calm_a = CALM * abs(step_a)
        is_calm = snapshot.restless_a <= calm_a and start.restless_a <= calm_a
        if abs(step_a) >= self._step_min_a and is_calm and _each_is_calm(start, snapshot):
            self._take(start, snapshot, step_a, min(1.0, (FAST_S / elapsed_s) ** 2))
            self._from = snapshot
            return True
        if elapsed_s > WAIT_S or (abs(step_a) < self._step_min_a and self._is_better(snapshot, start)):
            self._from = snapshot
        return False

    def _is_better(self, snapshot: Snapshot, start: Snapshot) -> bool:
        """Whether a step had better begin here, as none has begun there: that was long ago, or not calm."""
        calm_a = CALM * self._step_min_a
        if snapshot.time_s - start.time_s > FAST_S:
            return snapshot.restless_a <= max(calm_a, start.restless_a)
        return snapshot.restless_a < start.restless_a and start.restless_a > calm_a

    def _take(self, start: Snapshot, end: Snapshot, step_a: float, weight: float) -> None:
        total = fsum(self.conductance)
        follow = FOLLOW * weight * min(1.0, abs(step_a) / (FULL_STEP * self.rated_a))
        for i, one in enumerate(self._learned):
            pack_step_a = end.currents_a[i] - start.currents_a[i]
            one.error += follow * (abs(pack_step_a / step_a - self.share[i]) - one.error)
            one.sxx = FORGET * one.sxx + weight * step_a * step_a
            one.sxy = FORGET * one.sxy + weight * step_a * pack_step_a * total
        self._renew()

    def _renew(self) -> None:
        prior_weight = self._prior_weight
        self.conductance = [
            max(CONDUCTANCE_MIN * prior, (prior_weight * prior + one.sxy) / (prior_weight + one.sxx))
            for prior, one in zip(self._prior, self._learned, strict=True)
        ]
        self.measured = [one.sxx > prior_weight for one in self._learned]
        total = fsum(self.conductance)
        self.share = [conductance / total for conductance in self.conductance]
        self.margin = [
            min(
                MARGIN_MAX,
                MARGIN_MIN
                + MARGIN_PRIOR * prior_weight / (prior_weight + one.sxx)
                + one.error / max(SHARE_MIN, share),
            )
            for one, share in zip(self._learned, self.share, strict=True)
        ]


def _each_is_calm(start: Snapshot, end: Snapshot) -> bool:
    """Whether no pack is seen in the middle of its own step."""
    return all(
        max(before_a, after_a) <= max(SWING_A, CALM * abs(to_a - from_a))
        for before_a, after_a, from_a, to_a in zip(
            start.swings_a, end.swings_a, start.currents_a, end.currents_a, strict=True
        )
    )


def prior_s(own: PackSettings) -> float:
    """The conductance that a pack's settings let expect, in siemens: that of its cells and its path; a
    path that is not given is taken to resist as much as the cells.
    """
    cells_ohm = own.cells * CELL_RESISTANCE_OHM_AH / own.capacity_ah
    path_ohm = cells_ohm if own.path_mohm is None else own.path_mohm / 1000
    return 1.0 / (cells_ohm + path_ohm)


def _is_sum(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value) and value >= 0
