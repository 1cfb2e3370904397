"""The bank: samples in, decisions out.

One decision is one pass over one immutable picture of all packs:

    plausibility -> membership -> facts and limits of each pack      as samples arrive
    context -> rules -> shaping -> bank, SoC, alarms -> guard        as decisions are asked for

Everything that must be remembered from one decision to the next is an attribute here. No clock, no
I/O: the same calls with the same times give the same decisions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import fsum, inf

from bridge.battery.alarms import Alarms
from bridge.battery.context import Context, Pack
from bridge.battery.facts import Facts, Memory
from bridge.battery.guard import guard
from bridge.battery.imbalance import apart_v
from bridge.battery.leases import Leases
from bridge.battery.leaving import Leaving
from bridge.battery.membership import Membership, Standing
from bridge.battery.merge import Merger, bus_voltage
from bridge.battery.obedience import Obedience
from bridge.battery.pack_rules import PackLimits, pack_limits
from bridge.battery.plausibility import Plausibility
from bridge.battery.rules import constraints
from bridge.battery.separate_port import at_the_bus
from bridge.battery.shaping import CurrentShaper, VoltageShaper, ceil_to_quantum
from bridge.battery.sharing import CapacitySharing, Sharing
from bridge.battery.soc import StateOfCharge, within_edges
from bridge.battery.watch import Watch
from bridge.model import (
    BankSettings,
    Constraint,
    Decision,
    Limit,
    Member,
    PackInfo,
    PackSample,
    PackSettings,
    PackState,
)

_HEARD = (PackState.ACTIVE, PackState.JOINING, PackState.ISOLATED)  # a tuple: looked up by identity


class Aggregator:
    """Several packs in parallel as one battery. Packs are named as in their settings."""

    def __init__(
        self, packs: Sequence[PackSettings], settings: BankSettings, sharing: Sharing | None = None
    ) -> None:
        self.leases = Leases(packs)
        self.leaving = Leaving()
        self.obedience = Obedience(packs, settings.obedience)
        self._settings = settings
        self._sharing = CapacitySharing() if sharing is None else sharing
        self._membership = Membership(packs, settings.join_s)
        self._known = {pack.name: _Known(pack) for pack in packs}
        in_service = [pack for pack in packs if not pack.excluded]
        self._charge = _shaper(in_service, Limit.CCL, settings)
        self._discharge = _shaper(in_service, Limit.DCL, settings)
        self._voltage = VoltageShaper()
        self._soc = StateOfCharge(settings)
        self._merger = Merger()
        self._watch = Watch(packs, settings)
        self._alarms = Alarms()
        self._published_a = 0.0, 0.0
        self._started_s = inf
        self._ready = False
        self._last_voltage_v: float | None = None

    @property
    def counters(self) -> Mapping[str, Counter[str]]:
        """By pack, how often each `Rejection` happened."""
        return {name: known.plausibility.counters for name, known in self._known.items()}

    def heard(self, pack: str, sample: PackSample, now: float) -> None:
        """A sample of `pack` arrived."""
        self._start(now)
        known = self._known[pack]
        verdict = known.plausibility.check(at_the_bus(sample, known.settings), now)
        if self._membership.heard(pack, verdict, now) and verdict.sample is not None:
            facts = known.take(verdict.sample)
            self._soc.heard(facts)
            if not facts.settings.excluded:
                self._watch.heard(facts)

    def link(self, pack: str, up: bool, now: float) -> None:  # noqa: FBT001  # the state is the event
        """The way to `pack` broke, or is whole again."""
        self._start(now)
        self._membership.link(pack, up=up, now=now)

    def informed(self, pack: str, info: PackInfo) -> None:
        """`pack` said who it is and what its BMS is set to."""
        self._membership.informed(pack, info)
        self._known[pack].informed(info)

    def clear_faults(self) -> None:
        """Somebody has looked at what ended all current: let it flow again, unless it is still wrong."""
        self._watch.faults.clear()

    def members(self, now: float) -> tuple[Member, ...]:
        """Every pack as it stands at `now`, in the order of the configuration."""
        return self._membership.members(now)

    def decide(self, now: float) -> Decision:
        """What the inverter is to be told at `now`; guarded."""
        self._start(now)
        settled = self._ready
        standings = self._membership.standings(now)
        members = [standing.member for standing in standings]  # without those that are out of service
        self._sharing.observe(members, now)
        self.leaving.observe(standings, now)
        context = self._context(standings, now)
        drafted = self._decision(context, now, settled=settled)
        decision = guard(drafted, members, self._settings, now)
        if decision is not drafted:
            self._begin_again_at(decision, drafted)
        self._published_a = decision.charge_current_limit_a, decision.discharge_current_limit_a
        self.obedience.observe(context, decision.bank, now)
        self.obedience.told(decision, now)
        return decision

    def _begin_again_at(self, decision: Decision, drafted: Decision) -> None:
        """What the guard took away rises again like anything else."""
        if decision.charge_current_limit_a < drafted.charge_current_limit_a:
            self._charge.lowered_to(decision.charge_current_limit_a)
        if decision.discharge_current_limit_a < drafted.discharge_current_limit_a:
            self._discharge.lowered_to(decision.discharge_current_limit_a)

    def _start(self, now: float) -> None:
        self._started_s = min(self._started_s, now)

    def _context(self, standings: Sequence[Standing], now: float) -> Context:
        packs = self.leaving.staying(self._packs(standings))
        voltage_v = bus_voltage(packs)
        if voltage_v is not None:
            self._last_voltage_v = voltage_v
        return Context(
            settings=self._settings,
            packs=packs,
            sharing=self._sharing,
            waiting_for=self._waiting_for(standings, now),
            voltage_v=voltage_v,
            last_voltage_v=self._last_voltage_v,
            any_active=any(pack.member.state is PackState.ACTIVE for pack in packs),
            any_heard=any(pack.heard for pack in packs),
            watched=self._watch.constraints(packs, self._published_a, now),
            held=self.leases.constraints(now) + self.leaving.constraints() + self.obedience.constraints(),
        )

    def _packs(self, standings: Sequence[Standing]) -> tuple[Pack, ...]:
        """All packs in service, suspects made uncertain; and whether a pack that joins fits to the bus."""
        packs = tuple(
            [self._known[s.member.name].pack(s, self._soc.counted(s.member.name)) for s in standings]
        )
        for pack in packs:
            if pack.member.state is PackState.JOINING:
                volts = apart_v(pack, packs)
                window_v = self._settings.join_window_v_per_cell * pack.member.settings.cells
                self._membership.apart(pack.member.name, apart=volts is not None and abs(volts) > window_v)
        suspects = self._watch.suspects(packs)
        if suspects:
            packs = tuple([replace(p, certainty=0.0) if p.member.name in suspects else p for p in packs])
        return packs

    def _waiting_for(self, standings: Sequence[Standing], now: float) -> tuple[str, ...]:
        """The packs that start-up waits for; it ends once, for good."""
        if self._ready:
            return ()
        there = (PackState.ACTIVE, PackState.ISOLATED)
        missing = tuple([s.member.name for s in standings if s.member.state not in there])
        self._ready = not missing or now - self._started_s >= self._settings.ready_within_s
        return () if self._ready else missing

    def _decision(self, context: Context, now: float, *, settled: bool) -> Decision:
        reasons = constraints(context)
        least = {limit: found[0].value for limit, found in reasons.items()}
        ccl = self._charge.shape(least[Limit.CCL], now)
        dcl = self._discharge.shape(least[Limit.DCL], now)
        cvl = self._voltage.shape(least[Limit.CVL], now, settled=settled)
        soc = within_edges(self._soc.follow(context.packs, now, settled=settled), context.packs, dcl)
        alarms = self._alarms.merge(
            context.packs,
            now,
            starting=bool(context.waiting_for),
            watched=(*self._watch.causes(context.packs, now), *self._soc.causes(context.packs)),
            latched=self._watch.faults.latched.values(),
        )
        disobeyed = self.obedience.warnings()
        for limit, value in ((Limit.CCL, ccl), (Limit.DCL, dcl), (Limit.CVL, cvl)):
            reasons[limit][:0] = _shaped(limit, value, least[limit])
        return Decision(
            time_s=now,
            bank=self._merger.merge(context.packs, context.voltage_v, soc),
            charge_voltage_limit_v=cvl,
            discharge_voltage_limit_v=ceil_to_quantum(least[Limit.DVL]),
            charge_current_limit_a=ccl,
            discharge_current_limit_a=dcl,
            charge_enabled=ccl > 0,
            discharge_enabled=dcl > 0,
            protections=alarms.protections,
            warnings=alarms.warnings | disobeyed if disobeyed else alarms.warnings,
            constraints={limit: tuple(found) for limit, found in reasons.items()},
            alarm_causes=alarms.causes,
        )


class _Known:
    """All that is remembered of one pack besides its seat."""

    def __init__(self, settings: PackSettings) -> None:
        self.settings = settings
        self.plausibility = Plausibility(settings)
        self._memory = Memory(settings)
        self._facts: Facts | None = None
        self._limits = PackLimits()

    def take(self, sample: PackSample) -> Facts:
        self._facts = self._memory.facts(sample)
        self._limits = pack_limits(self._facts)
        return self._facts

    def informed(self, info: PackInfo) -> None:
        self._memory.informed(info)
        if self._facts is not None:
            self.take(self._facts.sample)

    def pack(self, standing: Standing, counted_soc: float | None) -> Pack:
        member, state = standing.member, standing.member.state
        heard = state in _HEARD
        trusted = heard or state is PackState.STALE
        return Pack(
            member,
            heard,
            trusted,
            standing.certainty,
            standing.counts,
            self._facts,
            self._limits,
            counted_soc,
        )


def _shaper(packs: Sequence[PackSettings], limit: Limit, settings: BankSettings) -> CurrentShaper:
    """The rating of a bank is what its packs, their fuses and its own cable carry."""
    charging = limit is Limit.CCL
    maximum_a = settings.max_charge_current_a if charging else settings.max_discharge_current_a
    rated_a = fsum(own.charge_carry_a if charging else own.discharge_carry_a for own in packs)
    return CurrentShaper(
        min(rated_a, inf if maximum_a is None else maximum_a), settings.rise_after_s, settings.rise_pct_per_s
    )


def _shaped(limit: Limit, value: float, allowed: float) -> list[Constraint]:
    """Why less is published than the rules allow, if it is."""
    if value >= allowed - 0.1:
        return []
    unit = "V" if limit is Limit.CVL else "A"
    text = f"{allowed:.1f} {unit} is allowed, but a limit rises late and slowly"
    return [Constraint(limit=limit, value=value, rule="rising", text=text)]
