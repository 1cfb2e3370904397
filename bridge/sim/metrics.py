"""What a run is judged by: currents beyond a pack's limit, trips, energy, and the calm of the limits.

Definitions, all from the truth of the plant and never from what a policy believes:

    overcurrent event   a pack carries more than 1.05 times its limit (rating and temperature) and 1 A
                        for more than 5 s on end, and would not with the bank idle
    trip                a board opens on over-current, over- or under-voltage, unless the inverter listens
                        to nothing that would have prevented it; those are counted apart
    energy              what passes the bank's terminals, both ways, from `measure_from_s` on
    reversal            a limit turns and moves by more than 3 % of the bank's rating
    steady              the demand has been within 2 % of the rating, and nothing has happened, for 120 s
    SoC step            the largest change of the shown SoC from one decision to the next while packs come
                        or go, after the first minute, in which a gateway gets to know its packs
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import inf

from bridge.model import NO_ALARMS, Alarm
from bridge.sim.blame import Comings, circulates, excused
from bridge.sim.circuit import Circuit
from bridge.sim.judge import Allowed, Rights
from bridge.sim.policies import Said
from bridge.sim.scenario import Scenario

EVENT_FACTOR, EVENT_A, EVENT_S = 1.05, 1.0, 5.0
REVERSAL = 0.03
STEADY_BAND, STEADY_S = 0.02, 120.0
HOUR_S = 3600.0
START_S = 60.0  # before it, a bank that begins to be known shows a SoC that does
RELOOK_S = 1.0  # rating and temperature move slower than this
FULL = 0.99
PEAK_LIMIT_A = 5.0  # relative to less than this an excess says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One run's figures. peak_ratio: highest |current| / limit of a pack. full_s: when the bank's true
    SoC first was 99 %; None if never. steady_h: how long it was steady. trips_excused: those for which
    the policy is not to blame. soc_step_any_pct: also while no pack came or went.
    """

    overcurrent_events: int
    trips: int
    trips_excused: int
    energy_wh: float
    peak_ratio: float
    soc_step_max_pct: float
    soc_step_any_pct: float
    reversals: int
    reversals_steady: int
    hours: float
    steady_h: float
    cvl_reversals: int
    cell_max_v: float
    cell_min_v: float
    full_s: float | None
    soc_end: float
    wall_s: float = 0.0

    @property
    def reversals_per_h(self) -> float:
        """Of both current limits together."""
        return self.reversals / self.hours if self.hours else 0.0

    @property
    def clean(self) -> bool:
        """Whether no pack was wronged."""
        return self.overcurrent_events == 0 and self.trips == 0

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return {**asdict(self), "reversals_per_h": self.reversals_per_h}


@dataclass(slots=True)
class Turns:
    """Counts how often a value turns by more than `least`."""

    least: float
    count: int = 0
    _extreme: float | None = None
    _rising: bool | None = None

    def take(self, value: float) -> bool:
        """The next value; whether it completed a turn."""
        if self._extreme is None:
            self._extreme = value
            return False
        if self._rising is None:
            if abs(value - self._extreme) > self.least:
                self._rising, self._extreme = value > self._extreme, value
            return False
        further = value > self._extreme if self._rising else value < self._extreme
        if further:
            self._extreme = value
        elif abs(value - self._extreme) > self.least:
            self._rising, self._extreme = not self._rising, value
            self.count += 1
            return True
        return False


@dataclass(slots=True)
class _Watch:
    """One pack under watch."""

    rights: Rights
    limit: Allowed
    over_s: float = 0.0
    peak_ratio: float = 0.0


@dataclass(slots=True)
class Meter:
    """Watches a run. Call `step` after every step of the plant and `said` after every decision."""

    scenario: Scenario
    circuit: Circuit
    events: int = 0
    energy_j: float = 0.0
    soc_step: float = 0.0
    soc_step_any: float = 0.0
    full_s: float | None = None
    high_v: float = -inf
    low_v: float = inf
    steady_s: float = 0.0
    reversals_steady: int = 0
    watches: list[_Watch] = field(default_factory=list)
    _looked_s: float = -inf
    _soc: float | None = None
    _calm_since_s: float = 0.0
    _calm_a: float = 0.0
    _comings: Comings = field(init=False)
    _excused: frozenset[Alarm] = NO_ALARMS

    def __post_init__(self) -> None:
        specs = [pack.spec for pack in self.circuit.packs]
        self._rated_a = max(sum(s.rated_charge_a for s in specs), sum(s.rated_discharge_a for s in specs))
        self._ccl = Turns(REVERSAL * self._rated_a)
        self._dcl = Turns(REVERSAL * self._rated_a)
        self._cvl = Turns(0.15)  # in V; counts changes of two steps of 0.1 V and more
        self._comings = Comings(self.scenario, self.circuit)
        self._excused = excused(self.scenario.inverter)
        self.watches = [_Watch(rights, rights.look()) for rights in map(Rights, self.circuit.packs)]

    _rated_a: float = 0.0
    _ccl: Turns = field(default_factory=lambda: Turns(0.0))
    _dcl: Turns = field(default_factory=lambda: Turns(0.0))
    _cvl: Turns = field(default_factory=lambda: Turns(0.0))

    def step(self, now: float, dt_s: float, wanted_a: float) -> None:
        """The plant lived for dt_s until now."""
        if now - self._looked_s >= RELOOK_S:
            self._look(now, wanted_a)
        for index, (pack, watch) in enumerate(zip(self.circuit.packs, self.watches, strict=True)):
            current_a = pack.current_a
            if current_a >= 0:
                size_a, limit_a = current_a, watch.limit.charge_a
            else:
                size_a, limit_a = -current_a, watch.limit.discharge_a
            if size_a > limit_a * EVENT_FACTOR + EVENT_A:
                was_s, watch.over_s = watch.over_s, watch.over_s + dt_s
                if was_s <= EVENT_S < watch.over_s:
                    watch.over_s = self._event(index, current_a, limit_a * EVENT_FACTOR + EVENT_A)
            else:
                watch.over_s = 0.0
            if size_a > watch.peak_ratio * limit_a and limit_a >= PEAK_LIMIT_A:
                watch.peak_ratio = size_a / limit_a
        if now >= self.scenario.measure_from_s:
            self.energy_j += abs(self.circuit.current_a) * self.circuit.bus_v * dt_s
        if now - self._calm_since_s >= STEADY_S:
            self.steady_s += dt_s

    def _event(self, index: int, current_a: float, bound_a: float) -> float:
        """Counts an event, or finds an excuse; for how long the excess has lasted with none, s."""
        alarm = Alarm.CHARGE_OVERCURRENT if current_a > 0 else Alarm.DISCHARGE_OVERCURRENT
        if alarm in self._excused or circulates(self.circuit, index, current_a, bound_a):
            return 0.0
        self.events += 1
        return inf

    def happened(self, now: float) -> None:
        """Something from outside: nothing is steady for a while."""
        self._calm_since_s = now

    def said(self, now: float, said: Said) -> None:
        """A decision was made."""
        command = said.command
        turned = [
            self._ccl.take(command.charge_current_limit_a),
            self._dcl.take(command.discharge_current_limit_a),
        ]
        self._cvl.take(command.charge_voltage_limit_v)
        if now - self._calm_since_s >= STEADY_S:
            self.reversals_steady += sum(turned)
        moving = self._comings.lately(now)
        if said.soc is not None:
            if self._soc is not None and now > START_S:
                step = abs(said.soc - self._soc)
                self.soc_step_any = max(self.soc_step_any, step)
                self.soc_step = max(self.soc_step, step) if moving else self.soc_step
            self._soc = said.soc

    def metrics(self, wall_s: float) -> Metrics:
        """The figures of the run so far."""
        packs = self.circuit.packs
        capacity_ah = sum(pack.spec.capacity_ah for pack in packs)
        trips = sum([pack.trips for pack in packs])
        trips_excused = sum([pack.tripped[alarm] for pack in packs for alarm in self._excused])
        return Metrics(
            overcurrent_events=self.events,
            trips=trips - trips_excused,
            trips_excused=trips_excused,
            energy_wh=self.energy_j / HOUR_S,
            peak_ratio=max(watch.peak_ratio for watch in self.watches),
            soc_step_max_pct=round(100.0 * self.soc_step, 6),  # SoC is exact to no more
            soc_step_any_pct=round(100.0 * self.soc_step_any, 6),
            reversals=self._ccl.count + self._dcl.count,
            reversals_steady=self.reversals_steady,
            hours=self.scenario.duration_s / HOUR_S,
            steady_h=self.steady_s / HOUR_S,
            cvl_reversals=self._cvl.count,
            cell_max_v=self.high_v,
            cell_min_v=self.low_v,
            full_s=self.full_s,
            soc_end=sum(pack.soc * pack.spec.capacity_ah for pack in packs) / capacity_ah,
            wall_s=wall_s,
        )

    def _look(self, now: float, wanted_a: float) -> None:
        self._looked_s = now
        full = True
        for pack, watch in zip(self.circuit.packs, self.watches, strict=True):
            watch.limit = watch.rights.look()
            self.high_v = max(self.high_v, pack.high_v)
            self.low_v = min(self.low_v, pack.low_v)
            full = full and pack.soc >= FULL
        if full and self.full_s is None:
            self.full_s = now
        if abs(wanted_a - self._calm_a) > STEADY_BAND * self._rated_a:
            self._calm_a, self._calm_since_s = wanted_a, now
