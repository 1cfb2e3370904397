"""A pack for long runs: cells that are alike are simulated once and counted many times.

`pack.Pack` steps sixteen unlike cells and its board measures at every step. That is what a wire needs;
a year of banks needs a hundredth of it. What decides about limits is the highest cell, the lowest, and
the rest, so a lumped pack steps three kinds of cell, and measures when it is asked. Between the
two packs only the grain differs, which a test holds them to.
"""

from __future__ import annotations

from collections import Counter
from math import exp, inf

from bridge.model import NO_ALARMS, Alarm, Reading
from bridge.sim.bms import Bms, Measured
from bridge.sim.cell import SECONDS_PER_HOUR
from bridge.sim.chance import stream
from bridge.sim.lumped_spec import Like, LumpedSpec, protections
from bridge.sim.split import Branch

SLOW_TAU_S = 600.0
DRAWN, LONGEST = 1009, 64  # noise comes from a ring of so many draws; no reading needs more than these
COUNTED = frozenset(
    {
        Alarm.CHARGE_OVERCURRENT,
        Alarm.DISCHARGE_OVERCURRENT,
        Alarm.CELL_OVERVOLTAGE,
        Alarm.CELL_UNDERVOLTAGE,
    }
)
"""The trips that a gateway's limits are there to prevent; cold and heat come by themselves."""


class LumpedPack:
    """A pack at one moment. ambient_c may be changed while it runs; `held` makes its board repeat itself."""

    def __init__(self, spec: LumpedSpec, dt_s: float, *, seed: int = 1) -> None:
        self.spec = spec
        self.name = spec.name
        self.ambient_c = spec.ambient_c
        self.temperature_c = spec.temperature_c
        self.current_a = 0.0
        self.tripped: Counter[Alarm] = Counter()
        self.bms = Bms(protections(spec))
        self.groups = [_Group(spec, like) for like in spec.likes or (Like(count=spec.cells),)]
        self.resistance_ohm = spec.path_ohm + sum(g.count * g.series_ohm for g in self.groups)
        self.siemens = 1.0 / self.resistance_ohm
        self._curve = spec.kind.chemistry.rest_v.piece
        self._noise = _noise(seed, spec.name)
        self._drawn = 0
        self._counted_soc = min(1.0, max(0.0, spec.soc + spec.soc_error))
        self._counted: frozenset[Alarm] = NO_ALARMS
        self._calm = _calm_a(spec)
        self._quiet = True
        self._bleeding = False
        self.set_step(dt_s)
        self._settle(0.0)

    def set_step(self, dt_s: float) -> None:
        """All further steps are so long."""
        spec, kind = self.spec, self.spec.kind.chemistry
        self._dt_s = dt_s
        self._left = exp(-dt_s / kind.polarisation_tau_s)
        self._slow_left = exp(-dt_s / SLOW_TAU_S)
        self._cooled = exp(-dt_s / kind.cooling_tau_s)
        self._kelvin_per_w = kind.cooling_tau_s / (kind.heat_j_per_k_ah * spec.capacity_ah * spec.cells)
        self._hours = dt_s / SECONDS_PER_HOUR

    @property
    def soc(self) -> float:
        """The true mean state of charge of the cells, 0..1."""
        return sum(g.count * g.soc for g in self.groups) / self.spec.cells

    @property
    def trips(self) -> int:
        """How often its board has opened on what limits are there to prevent."""
        return self.tripped.total()

    @property
    def closed(self) -> bool:
        """Whether current can flow both ways."""
        return self.bms.charge_on and self.bms.discharge_on

    def branch(self) -> Branch:
        """The pack as the bus sees it."""
        return Branch(
            emf_v=self.emf_v,
            resistance_ohm=self.resistance_ohm,
            charge_on=self.bms.charge_on,
            discharge_on=self.bms.discharge_on,
        )

    def step(self, current_a: float) -> None:
        """Carry `current_a` for one step."""
        self.current_a = current_a
        kind = self.spec.kind.chemistry
        gain = kind.coulomb_efficiency if current_a > 0 else 1.0
        charge_ah = current_a * gain * self._hours
        lost_v = self._live(charge_ah, current_a)
        heat_w = lost_v * current_a
        final_c = self.ambient_c + heat_w * self._kelvin_per_w
        self.temperature_c = final_c + (self.temperature_c - final_c) * self._cooled
        sensors = self.spec.sensors
        sensed_a = current_a * sensors.current_gain + sensors.current_offset_a
        counted = self._counted_soc + sensed_a * self._hours / self.spec.capacity_ah
        self._counted_soc = min(1.0, max(0.0, counted))
        self._protect(sensed_a)

    def recount(self, soc: float) -> None:
        """Make the board's counter jump, as boards do that believe they know better."""
        self._counted_soc = soc

    def reading(self) -> Reading:
        """What the board measures and says."""
        spec, bms, soc, sensors = self.spec, self.bms, self._counted_soc, self.spec.sensors
        noise, at = self._noise, self._drawn
        self._drawn = (at + spec.cells + 1) % DRAWN
        current_a, noise_v = self.current_a, sensors.cell_noise_v
        cells_v = [g.emf_v + g.series_ohm * current_a for g in self.groups for _ in range(g.count)]
        sensed_a = current_a * sensors.current_gain + sensors.current_offset_a
        temperature_c = round(self.temperature_c, 1)
        return {
            "voltage_v": round(sum(cells_v), 2),
            "current_a": round(sensed_a + sensors.current_noise_a * noise[at + spec.cells], 1),
            "soc_pct": round(100.0 * soc, 2),
            "remaining_ah": round(soc * spec.capacity_ah, 2),
            "full_ah": spec.capacity_ah,
            "design_ah": spec.capacity_ah,
            "cycles": 100,
            "cell_count": spec.cells,
            "cell_voltages_v": tuple(
                [round(volt + noise_v * noise[at + i], 3) for i, volt in enumerate(cells_v)]
            ),
            "temperatures_c": (temperature_c, temperature_c),
            "charge_fet_on": bms.charge_on,
            "discharge_fet_on": bms.discharge_on,
            "charge_allowed": bms.charge_on,
            "discharge_allowed": bms.discharge_on,
            "balancing": self._bleeding,
            "protections": bms.protections,
            "warnings": NO_ALARMS,
        }

    def _live(self, charge_ah: float, current_a: float) -> float:
        """Charge and polarise the cells; the voltage that is lost in them, V."""
        left, slow_left, hours = self._left, self._slow_left, self._hours
        curve = self._curve
        high_v, low_v, emf_v, rest_v = -inf, inf, 0.0, 0.0
        for group in self.groups:
            bleed_ah = group.bleed_a * hours
            soc = group.soc = group.soc + (charge_ah - bleed_ah) * group.per_ah
            final_v = group.polarisation_ohm * current_a
            polarised_v = group.polarised_v = final_v + (group.polarised_v - final_v) * left
            if group.slow_ohm:
                final_v = group.slow_ohm * current_a
                group.slow_v = final_v + (group.slow_v - final_v) * slow_left
                polarised_v += group.slow_v
            if not group.low <= soc < group.high:
                group.low, group.high, group.base_v, group.slope_v = curve(soc)
            open_v = group.base_v + group.slope_v * soc
            cell_emf_v = group.emf_v = open_v + polarised_v
            cell_v = cell_emf_v + group.series_ohm * current_a
            high_v = max(high_v, cell_v)
            low_v = min(low_v, cell_v)
            emf_v += group.count * cell_emf_v
            rest_v += group.count * open_v
        self.high_v, self.low_v, self.emf_v = high_v, low_v, emf_v
        if self._bleeding or high_v > self.spec.kind.chemistry.balance_start_v:
            self._balance(current_a)
        return emf_v - rest_v + (self.resistance_ohm - self.spec.path_ohm) * current_a

    def _settle(self, current_a: float) -> None:
        self._live(0.0, current_a)

    def _balance(self, current_a: float) -> None:
        start_v = max(self.spec.kind.chemistry.balance_start_v, self.low_v + self.spec.balance_window_v)
        self._bleeding = False
        for group in self.groups:
            bleeds = group.emf_v + group.series_ohm * current_a > start_v
            group.bleed_a = self.spec.balance_a if bleeds else 0.0
            self._bleeding = self._bleeding or bleeds

    def _protect(self, sensed_a: float) -> None:
        """The board acts on its own measurement; nothing happens where nothing is near a threshold."""
        kind, (low_a, high_a) = self.spec.kind, self._calm
        calm = (
            low_a < sensed_a < high_a
            and kind.uvp_v[0] < self.low_v
            and self.high_v < kind.ovp_v[0]
            and 0.0 < self.temperature_c < 60.0
        )
        if calm and self._quiet:
            return
        self.bms.step(
            Measured(
                voltage_v=self.emf_v,
                current_a=sensed_a,
                cell_voltages_v=(),
                temperatures_c=(self.temperature_c,),
                cell_max_v=self.high_v,
                cell_min_v=self.low_v,
            ),
            self._dt_s,
        )
        counted = self.bms.protections & COUNTED
        self.tripped.update(counted - self._counted)
        self._counted = counted
        self._quiet = self.bms.quiet


class _Group:
    """Cells of one kind at one moment, as one of them sees it."""

    __slots__ = (
        "base_v", "bleed_a", "count", "emf_v", "high", "low", "per_ah", "polarisation_ohm", "polarised_v",
        "series_ohm", "slope_v", "slow_ohm", "slow_v", "soc",
    )  # fmt: skip

    def __init__(self, spec: LumpedSpec, like: Like) -> None:
        kind = spec.kind.chemistry
        series_ohm = kind.series_ohm_ah / spec.capacity_ah if spec.cell_ohm is None else spec.cell_ohm
        self.count = like.count
        self.soc = spec.soc + like.soc
        self.per_ah = 1.0 / (spec.capacity_ah * like.capacity)
        self.series_ohm = series_ohm * like.ohm
        self.polarisation_ohm = self.series_ohm * kind.polarisation_ohm_ah / kind.series_ohm_ah
        self.slow_ohm = spec.slow_ohm_ah / spec.capacity_ah
        self.polarised_v = 0.0
        self.slow_v = 0.0
        self.bleed_a = 0.0
        self.low, self.high, self.base_v, self.slope_v = kind.rest_v.piece(self.soc)
        self.emf_v = kind.rest_v.at(self.soc)


def _noise(seed: int, name: str) -> list[float]:
    """Numbers to be read in a ring, long enough for a reading to begin anywhere."""
    chance = stream("lumped", seed, name)
    ring = [chance.gauss() for _ in range(DRAWN)]
    return ring + ring[:LONGEST]


def _calm_a(spec: LumpedSpec) -> tuple[float, float]:
    return -spec.over.factor * spec.rated_discharge_a, spec.over.factor * spec.rated_charge_a
