"""One simulated pack: cells in series behind a board that measures, protects and reports.

The idea: the truth (the cells) and what is known of it (the board's last measurement) are apart.
Protections and reports see only the latter, so a report costs nothing and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.model import NO_ALARMS, Reading
from bridge.sim.bms import Bms, Measured, lfp_protections
from bridge.sim.cell import LFP, SECONDS_PER_HOUR, Cell, Chemistry
from bridge.sim.chance import stream
from bridge.sim.sensor import Sensors, drawn, measure
from bridge.sim.split import Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSpec:
    """How a pack is built. soc: 0..1, of its mean cell. sensors: None draws an ordinary board.

    The path from the cells to the common bus has the cells' own resistance and that of switches,
    fuse and cable. *_spread: one standard deviation between the cells; relative, for soc absolute.
    balance_window_v: cells so far above the lowest, and above the chemistry's start, are bled.
    """

    name: str
    capacity_ah: float
    soc: float
    rated_charge_a: float
    rated_discharge_a: float
    cells: int = 16
    chemistry: Chemistry = LFP
    cable_ohm: float = 0.005
    switch_ohm: float = 0.0012
    fuse_ohm: float = 0.0006
    capacity_spread: float = 0.005
    resistance_spread: float = 0.05
    soc_spread: float = 0.002
    ambient_c: float = 22.0
    balance_a: float = 0.1
    balance_window_v: float = 0.01
    cycles: int = 100
    sensors: Sensors | None = None


class Pack:
    """A pack at one moment. ambient_c may be changed while it runs."""

    def __init__(self, spec: PackSpec, *, seed: int = 1) -> None:
        self.spec = spec
        self.ambient_c = spec.ambient_c
        self.bms = Bms(lfp_protections(spec.rated_charge_a, spec.rated_discharge_a))
        self.cells = _cells(spec, seed)
        self.current_a = 0.0
        self._sensors = spec.sensors or drawn(stream("sensors", seed, spec.name))
        self._chance = stream("noise", seed, spec.name)
        self._remaining_ah = spec.soc * spec.capacity_ah
        self._bleeding = (False,) * spec.cells
        self._measured = self._measure()
        self._path_ohm = spec.cable_ohm + spec.switch_ohm + spec.fuse_ohm
        self._resistance_ohm = self._path_ohm + sum(cell.series_ohm for cell in self.cells)

    @property
    def name(self) -> str:
        """The pack's name."""
        return self.spec.name

    @property
    def soc(self) -> float:
        """The true mean state of charge of the cells, 0..1."""
        return sum(cell.soc for cell in self.cells) / len(self.cells)

    def branch(self) -> Branch:
        """The pack as the bus sees it."""
        return Branch(
            emf_v=sum(cell.emf_v for cell in self.cells),
            resistance_ohm=self._resistance_ohm,
            charge_on=self.bms.charge_on,
            discharge_on=self.bms.discharge_on,
        )

    def step(self, current_a: float, dt_s: float, *, cells_dt_s: float | None = None) -> None:
        """Carry `current_a` for `dt_s`; the cells live through cells_dt_s, if that is given."""
        cells_dt_s = dt_s if cells_dt_s is None else cells_dt_s
        self.current_a = current_a
        bleed_a, ambient_c = self.spec.balance_a, self.ambient_c
        for cell, bleeding in zip(self.cells, self._bleeding, strict=True):
            cell.step(current_a, cells_dt_s, bleed_a=bleed_a if bleeding else 0.0, ambient_c=ambient_c)
        self._measured = self._measure()
        self._count(cells_dt_s)
        self._balance()
        self.bms.step(self._measured, dt_s)

    def reading(self) -> Reading:
        """What the board reports: its last measurement, its own charge counter, its switches."""
        measured, full_ah, bms = self._measured, self.spec.capacity_ah, self.bms
        return {
            "voltage_v": measured.voltage_v,
            "current_a": measured.current_a,
            "soc_pct": round(100 * self._remaining_ah / full_ah, 2),
            "remaining_ah": round(self._remaining_ah, 2),
            "full_ah": full_ah,
            "design_ah": full_ah,
            "cycles": self.spec.cycles,
            "cell_count": len(self.cells),
            "cell_voltages_v": measured.cell_voltages_v,
            "temperatures_c": measured.temperatures_c,
            "charge_fet_on": bms.charge_on,
            "discharge_fet_on": bms.discharge_on,
            "charge_allowed": bms.charge_on,
            "discharge_allowed": bms.discharge_on,
            "balancing": any(self._bleeding),
            "protections": bms.protections,
            "warnings": NO_ALARMS,  # a JBD has no warning level
        }

    def _measure(self) -> Measured:
        return measure(
            self._sensors,
            self._chance,
            current_a=self.current_a,
            cell_voltages_v=[cell.voltage_v(self.current_a) for cell in self.cells],
            temperatures_c=(self.cells[0].temperature_c, self.cells[-1].temperature_c),
        )

    def _count(self, dt_s: float) -> None:
        """The board counts what its own sensor shows, so it drifts as real ones do."""
        counted_ah = self._remaining_ah + self._measured.current_a * dt_s / SECONDS_PER_HOUR
        self._remaining_ah = min(max(counted_ah, 0.0), self.spec.capacity_ah)

    def _balance(self) -> None:
        start_v = max(
            self.spec.chemistry.balance_start_v, self._measured.cell_min_v + self.spec.balance_window_v
        )
        self._bleeding = tuple(volt > start_v for volt in self._measured.cell_voltages_v)


def _cells(spec: PackSpec, seed: int) -> list[Cell]:
    chance = stream("cells", seed, spec.name)
    return [
        Cell(
            spec.chemistry,
            spec.capacity_ah * (1.0 + spec.capacity_spread * chance.gauss()),
            spec.soc + spec.soc_spread * chance.gauss(),
            ohm_factor=max(0.5, 1.0 + spec.resistance_spread * chance.gauss()),
            temperature_c=spec.ambient_c,
        )
        for _ in range(spec.cells)
    ]
