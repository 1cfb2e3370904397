"""A run to be drawn: what flowed, what was said, and what each pack might have carried, over time."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.sim.circuit import Circuit
from bridge.sim.metrics import Meter
from bridge.sim.policies import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One picture. Lists are in the order of the packs; currents charging positive, limits positive."""

    time_s: float
    wanted_a: float
    bank_a: float
    bus_v: float
    said: Said | None
    pack_a: tuple[float, ...]
    charge_limit_a: tuple[float, ...]
    discharge_limit_a: tuple[float, ...]
    pack_soc: tuple[float, ...]
    cell_max_v: float
    cell_min_v: float


@dataclass(slots=True)
class Trace:
    """One moment every `every_s`."""

    every_s: float
    packs: tuple[str, ...] = ()
    moments: list[Moment] = field(default_factory=list)
    _next_s: float = 0.0

    def take(self, now: float, wanted_a: float, circuit: Circuit, meter: Meter, said: Said | None) -> None:
        """Take a picture if one is due."""
        if now < self._next_s:
            return
        self._next_s += self.every_s
        packs = circuit.packs
        self.packs = tuple(pack.name for pack in packs)
        self.moments.append(
            Moment(
                time_s=now,
                wanted_a=wanted_a,
                bank_a=circuit.current_a,
                bus_v=circuit.bus_v,
                said=said,
                pack_a=tuple(pack.current_a for pack in packs),
                charge_limit_a=tuple(watch.limit.charge_a for watch in meter.watches),
                discharge_limit_a=tuple(watch.limit.discharge_a for watch in meter.watches),
                pack_soc=tuple(pack.soc for pack in packs),
                cell_max_v=max(pack.high_v for pack in packs),
                cell_min_v=min(pack.low_v for pack in packs),
            )
        )
