"""Three unlike LFP packs on one bus, as people really wire them: bought in different years.

Their states of charge lie close enough on the flat of the curve that less than 10 A circulates.
"""

from __future__ import annotations

from bridge.sim.bank import ParallelBank
from bridge.sim.pack import Pack, PackSpec
from bridge.sim.plant import Plant

DEMO_SPEED = 30.0

DEMO_PACKS = (
    PackSpec(
        name="large", capacity_ah=280.0, soc=0.62, rated_charge_a=140.0, rated_discharge_a=140.0,
        cable_ohm=0.004, cycles=85,
    ),
    PackSpec(
        name="medium", capacity_ah=200.0, soc=0.56, rated_charge_a=100.0, rated_discharge_a=100.0,
        cable_ohm=0.007, cycles=240,
    ),
    PackSpec(
        name="small", capacity_ah=100.0, soc=0.50, rated_charge_a=50.0, rated_discharge_a=50.0,
        cable_ohm=0.012, cycles=610,
    ),
)  # fmt: skip


def demo_plant(seed: int = 1, *, speed: float = DEMO_SPEED) -> Plant:
    """The demo's packs in parallel, at rest; the same seed gives the same plant to the last bit."""
    return Plant(ParallelBank(Pack(spec, seed=seed) for spec in DEMO_PACKS), speed=speed)
