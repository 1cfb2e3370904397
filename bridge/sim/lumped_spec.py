"""How a lumped pack is built: its cells by kind, its path to the bus, its board's settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.model import Alarm
from bridge.sim.bms import Protection
from bridge.sim.chemistries import KINDS, Kind
from bridge.sim.sensor import Sensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """Cells of one kind. soc: above the pack's, absolute. capacity, ohm: relative to the pack's cells."""

    count: int
    soc: float = 0.0
    capacity: float = 1.0
    ohm: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """When the board opens on over-current, relative to the rating, and for how long it stays open.

    fast: the current at which it opens within a fifth of a second; None if it has no such stage.
    """

    factor: float = 1.15
    delay_s: float = 8.0
    retry_s: float = 60.0
    fast: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LumpedSpec:
    """How a pack is built. path_ohm: switches, fuse and cable. slow_ohm_ah: of a second RC element with a
    time constant of ten minutes; 0 leaves it out. soc_error: what its counter shows too much at first.
    """

    name: str
    capacity_ah: float
    soc: float
    rated_charge_a: float
    rated_discharge_a: float
    cells: int = 16
    kind: Kind = KINDS["lfp"]
    likes: tuple[Like, ...] = ()
    path_ohm: float = 0.006
    cell_ohm: float | None = None
    slow_ohm_ah: float = 0.0
    temperature_c: float = 22.0
    ambient_c: float = 22.0
    balance_a: float = 0.1
    balance_window_v: float = 0.01
    soc_error: float = 0.0
    sensors: Sensors = field(default_factory=Sensors)
    over: Over = field(default_factory=Over)


def likes(
    cells: int, *, soc_spread: float = 0.0, runner_soc: float = 0.0, weak_capacity: float = 0.0
) -> tuple[Like, ...]:
    """The usual pack: one cell above the rest in charge, one below in charge and capacity.

    soc_spread: how far the two are from the mean; runner_soc: how much further the upper one is;
    weak_capacity: how much less the lower one holds, relative.
    """
    if cells < 3 or not (soc_spread or runner_soc or weak_capacity):
        return (Like(count=cells),)
    return (
        Like(count=1, soc=soc_spread + runner_soc),
        Like(count=cells - 2),
        Like(count=1, soc=-soc_spread, capacity=1.0 - weak_capacity),
    )


def protections(spec: LumpedSpec) -> tuple[Protection, ...]:
    """The settings of the pack's board."""
    kind, over = spec.kind, spec.over
    charge_a, discharge_a = spec.rated_charge_a, spec.rated_discharge_a
    table = [
        Protection(
            alarm=Alarm.CELL_OVERVOLTAGE, watch=lambda m: m.cell_max_v,
            trip=kind.ovp_v[0], release=kind.ovp_v[1], delay_s=1.0, blocks_charge=True,
        ),
        Protection(
            alarm=Alarm.CELL_UNDERVOLTAGE, watch=lambda m: m.cell_min_v,
            trip=kind.uvp_v[0], release=kind.uvp_v[1], delay_s=2.0, blocks_discharge=True,
        ),
        Protection(
            alarm=Alarm.CHARGE_UNDERTEMPERATURE, watch=lambda m: min(m.temperatures_c),
            trip=kind.charge_c_rate[0][0], release=kind.charge_c_rate[0][0] + 3.0, delay_s=2.0,
            blocks_charge=True,
        ),
        Protection(
            alarm=Alarm.CHARGE_OVERTEMPERATURE, watch=lambda m: max(m.temperatures_c),
            trip=60.0, release=55.0, delay_s=2.0, blocks_charge=True,
        ),
    ]  # fmt: skip
    stages = [(over.factor, over.delay_s)] + ([(over.fast, 0.2)] if over.fast is not None else [])
    for factor, delay_s in stages:
        table += [
            Protection(
                alarm=Alarm.CHARGE_OVERCURRENT, watch=lambda m: m.current_a, trip=factor * charge_a,
                release=charge_a, delay_s=delay_s, release_after_s=over.retry_s, blocks_charge=True,
            ),
            Protection(
                alarm=Alarm.DISCHARGE_OVERCURRENT, watch=lambda m: -m.current_a, trip=factor * discharge_a,
                release=discharge_a, delay_s=delay_s, release_after_s=over.retry_s, blocks_discharge=True,
            ),
        ]  # fmt: skip
    return tuple(table)
