"""What a BMS's sensors make of the truth: gain, offset, noise, and steps of a certain size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bridge.sim.bms import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensors:
    """How a board measures. All zeros and a gain of 1 would be the truth itself."""

    current_gain: float = 1.0
    current_offset_a: float = 0.0
    current_noise_a: float = 0.15
    current_step_a: float = 0.1
    cell_noise_v: float = 0.001
    cell_step_v: float = 0.001
    voltage_step_v: float = 0.01
    temperature_step_c: float = 0.1


EXACT = Sensors(
    current_noise_a=0.0, current_step_a=0.0, cell_noise_v=0.0, cell_step_v=0.0, voltage_step_v=0.0,
    temperature_step_c=0.0,
)  # fmt: skip


def drawn(chance: Random) -> Sensors:
    """A board from the shelf: gain within 1.5 %, offset within 0.4 A."""
    return Sensors(
        current_gain=1.0 + chance.uniform(-0.015, 0.015), current_offset_a=chance.uniform(-0.4, 0.4)
    )


def measure(
    sensors: Sensors,
    chance: Random,
    *,
    current_a: float,
    cell_voltages_v: Sequence[float],
    temperatures_c: Sequence[float],
) -> Measured:
    """One look at the pack."""
    noise_v, step_v = sensors.cell_noise_v, sensors.cell_step_v
    cells_v = tuple(_stepped(volt + noise_v * chance.gauss(), step_v) for volt in cell_voltages_v)
    noisy_a = current_a * sensors.current_gain + sensors.current_offset_a
    return Measured(
        voltage_v=_stepped(sum(cell_voltages_v), sensors.voltage_step_v),
        current_a=_stepped(noisy_a + sensors.current_noise_a * chance.gauss(), sensors.current_step_a),
        cell_voltages_v=cells_v,
        temperatures_c=tuple(_stepped(degree, sensors.temperature_step_c) for degree in temperatures_c),
        cell_max_v=max(cells_v),
        cell_min_v=min(cells_v),
    )


def _stepped(value: float, step: float) -> float:
    """`value` on the sensor's grid; rounded again so that 3.3 does not read 3.3000000000000003."""
    return round(round(value / step) * step, 6) if step else value
