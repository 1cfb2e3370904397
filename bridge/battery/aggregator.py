"""The bank: samples in, decisions out.

One decision is one pass over one immutable picture of all packs:

    plausibility -> membership -> facts and limits of each pack      as samples arrive
    context -> rules -> shaping -> bank, SoC, alarms -> guard        as decisions are asked for

Everything that must be remembered from one decision to the next is an attribute here. No clock, no
I/O: the same calls with the same times give the same decisions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import fsum, inf
from typing import Final

from bridge.battery.alarms import Alarms
from bridge.battery.charging import Charging
from bridge.battery.composite import tree
from bridge.battery.context import Context, Pack
from bridge.battery.facts import Facts, Memory
from bridge.battery.faults import Fault, fault
from bridge.battery.guard import guard
from bridge.battery.imbalance import apart_v, is_outside
from bridge.battery.leases import Leases
from bridge.battery.leaving import Leaving
from bridge.battery.membership import Membership, Standing
from bridge.battery.merge import Merger, bus_voltage, cautious_voltage
from bridge.battery.obedience import REACTION_S, Obedience
from bridge.battery.pack_rules import PackLimits, pack_limits
from bridge.battery.plausibility import Plausibility
from bridge.battery.rules import constraints
from bridge.battery.separate_port import at_the_bus
from bridge.battery.shaping import CurrentShaper, VoltageShaper, ceil_to_quantum
from bridge.battery.sharing import LearnedSharing, Sharing
from bridge.battery.silence import measured
from bridge.battery.soc import StateOfCharge, within_edges
from bridge.battery.topology import normal, units
from bridge.battery.watch import Watch
from bridge.model import (
    Alarm,
    AlarmCause,
    BankSettings,
    ChargeSettings,
    Constraint,
    Decision,
    Limit,
    Member,
    PackInfo,
    PackSample,
    PackSettings,
    PackState,
)

_HEARD: Final = (PackState.ACTIVE, PackState.JOINING, PackState.ISOLATED)  # a tuple: looked up by identity


class Aggregator:
    """Several packs as one battery, wired as the settings say. Packs are named as in their settings.

    A string of packs is one unit of the bank, like a single pack; what is learned of the sharing is learned
    of units.
    """

    def __init__(
        self,
        packs: Sequence[PackSettings],
        settings: BankSettings,
        sharing: Sharing | None = None,
        charge: ChargeSettings | None = None,
        *,
        reaction_s: float = REACTION_S,
    ) -> None:
        in_service = [pack for pack in packs if not pack.excluded]
        on_bus_bar = units(settings.topology, in_service)
        self.leases = Leases(on_bus_bar)
        self.leaving = Leaving()
        self.obedience = Obedience(on_bus_bar, settings.obedience, reaction_s)
        self._settings = settings = replace(settings, topology=normal(settings.topology))
        self._sharing = LearnedSharing() if sharing is None else sharing
        self._membership = Membership(packs, settings.join_s)
        self._known = {pack.name: _Known(pack) for pack in packs}
        self._tree = tree(in_service, settings, LearnedSharing)
        self._charge = _shaper(on_bus_bar, Limit.CCL, settings)
        self._discharge = _shaper(on_bus_bar, Limit.DCL, settings)
        self._voltage = VoltageShaper()
        self._soc = StateOfCharge(settings)
        self._charging = Charging(on_bus_bar, charge or ChargeSettings(), settings)
        self._merger = Merger()
        self._watch = Watch(packs, settings)
        self._alarms = Alarms()
        self._published_a = 0.0, 0.0
        self._started_s = inf
        self._ready = False
        self._cautious_v: float | None = None

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
                self._watch.heard(facts, known.fault)

    def link(self, pack: str, up: bool, now: float) -> None:  # noqa: FBT001  # the state is the event
        """The way to `pack` broke, or is whole again."""
        self._start(now)
        self._membership.link(pack, up=up, now=now)

    def informed(self, pack: str, info: PackInfo) -> None:
        """`pack` said who it is and what its BMS is set to."""
        self._membership.informed(pack, info)
        self._known[pack].informed(info)

    @property
    def latched(self) -> frozenset[tuple[str | None, Alarm]]:
        """The faults that stand until they are cleared: pack, and kind."""
        return frozenset(self._watch.faults.latched)

    def clear_faults(self) -> list[str]:
        """Somebody has looked at what ended all current: let it flow again, unless it is still wrong. What
        was latched, in words.
        """
        latched = [cause.text for cause in self._watch.faults.latched.values()]
        self._watch.faults.clear()
        return latched

    def members(self, now: float) -> tuple[Member, ...]:
        """Every pack as it stands at `now`, in the order of the configuration."""
        return self._membership.members(now)

    def state(self) -> dict[str, object]:
        """What an earlier run leaves to a later one, as JSON can carry it: one key a component."""
        return {
            "faults": self._watch.faults.state(),
            "charge": self._charging.state(),
            "soc": self._soc.state(),
            "sharing": self._sharing.state(),
            "groups": {} if self._tree is None else self._tree.state(),
        }

    def restore(self, state: Mapping[str, object], now: float, away_s: float) -> None:
        """Go on from an earlier `state`, before the first sample. What is not plausible is left out, but for
        a latched fault: it stands, whatever can be read of it.

        away_s: how long ago it was kept, by a clock that may have been set meanwhile.
        """
        self._watch.faults.restore(state.get("faults"))
        self._charging.restore(state.get("charge"), now, away_s)
        self._soc.restore(state.get("soc"))
        if isinstance(sharing := state.get("sharing"), Mapping):
            self._sharing.restore(sharing)
        if self._tree is not None and isinstance(groups := state.get("groups"), Mapping):
            self._tree.restore(groups)

    def decide(self, now: float) -> Decision:
        """What the inverter is to be told at `now`; guarded."""
        self._start(now)
        settled = self._ready
        standings = self._membership.standings(now)
        members = [standing.member for standing in standings]  # without those that are out of service
        self.leaving.observe(standings, now)
        context = self._context(standings, now)
        policy = self._settings.on_pack_lost
        self._sharing.observe([pack for pack in context.packs if measured(pack, policy)], now)
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
        leaves = self._leaves(standings)
        packs = leaves if self._tree is None else self._tree.units(leaves, now)
        staying = self.leaving.staying(packs, self._packs_of)
        if staying is not packs:
            there = {name for pack in staying for name in self._packs_of(pack.member.name)}
            packs, leaves = staying, tuple([leaf for leaf in leaves if leaf.member.name in there])
        self._gate(packs)
        voltage_v = bus_voltage(packs)
        excludes = self._settings.on_pack_lost == "exclude"
        cautious_v = cautious_voltage(packs, voltage_v, excludes=excludes)
        if cautious_v is not None:
            self._cautious_v = cautious_v
        waiting_for = self._waiting_for(standings, now)
        charge = self._charging.follow(
            packs, self._cautious_v, now, starting=bool(waiting_for), leaves=leaves
        )
        # By place, here and below: with keywords it takes three times as long.
        return Context(
            self._settings,
            packs,
            self._sharing,
            waiting_for,
            voltage_v,
            self._cautious_v,
            PackState.ACTIVE in [pack.member.state for pack in packs],
            True in [pack.heard for pack in packs],
            charge,
            self._watch.constraints(packs, self._published_a, now),
            leaves,
            self.leases.constraints(now) + self.leaving.constraints() + self.obedience.constraints(),
        )

    def _leaves(self, standings: Sequence[Standing]) -> tuple[Pack, ...]:
        """All packs in service, with less certainty of those that may have left the bus."""
        packs = tuple([self._known[s.member.settings.name].pack(s, self._soc) for s in standings])
        suspects = self._watch.suspects(packs)
        if suspects:
            packs = tuple([p._replace(certainty=0.0) if p.member.name in suspects else p for p in packs])
        return packs

    def _gate(self, packs: Sequence[Pack]) -> None:
        """Whether what joins the bus bar, a pack or a string, fits to it in voltage."""
        for pack in packs:
            if pack.member.state is PackState.JOINING:
                volts = apart_v(pack, packs)
                window_v = self._settings.join_window_v_per_cell
                is_apart = volts is not None and is_outside(pack, volts, packs, window_v)
                for name in self._packs_of(pack.member.name):
                    self._membership.apart(name, apart=is_apart)

    def _packs_of(self, unit: str) -> tuple[str, ...]:
        return (unit,) if self._tree is None else self._tree.packs_of(unit)

    def _warnings(self, context: Context, now: float) -> Iterator[AlarmCause]:
        """What no BMS complains of."""
        yield from self._watch.causes(context.packs, context.leaves, now)
        yield from self._soc.causes(context.leaves)
        yield from self._sharing.complaints
        yield from context.charge.causes
        yield from self.obedience.causes()
        if self._tree is not None:
            yield from self._tree.causes()

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
        charge = context.charge
        if not context.waiting_for:
            self._charging.published(cvl)
        shown = self._soc.follow(context.packs, now, settled=settled)
        soc = within_edges(shown, context.packs, dcl, full=charge.full)
        alarms = self._alarms.merge(
            context.packs,
            now,
            starting=bool(context.waiting_for),
            watched=self._warnings(context, now),
            latched=self._watch.faults.latched.values(),
            leaves=context.leaves,
        )
        for limit, value in ((Limit.CCL, ccl), (Limit.DCL, dcl), (Limit.CVL, cvl)):
            if value < least[limit] - 0.1:
                reasons[limit].insert(0, _rising(limit, value, least[limit]))
        return Decision(
            now,
            self._merger.merge(context.packs, context.voltage_v, soc, context.leaves),
            cvl,
            ceil_to_quantum(least[Limit.DVL]),
            ccl,
            dcl,
            ccl > 0,
            dcl > 0,
            False,  # noqa: FBT003  # force_charge
            charge.full_charge_request and ccl > 0,
            charge.stage.value,
            alarms.protections,
            alarms.warnings,
            {limit: tuple(found) for limit, found in reasons.items()},
            alarms.causes,
        )


class _Known:
    """All that is remembered of one pack besides its seat."""

    def __init__(self, settings: PackSettings) -> None:
        self.settings = settings
        self.plausibility = Plausibility(settings)
        self._memory = Memory(settings)
        self._facts: Facts | None = None
        self._limits = PackLimits()
        self.fault: Fault | None = None

    def take(self, sample: PackSample) -> Facts:
        self._facts = self._memory.facts(sample)
        self._limits = pack_limits(self._facts)
        self.fault = fault(self._facts)
        return self._facts

    def informed(self, info: PackInfo) -> None:
        self._memory.informed(info)
        if self._facts is not None:
            self.take(self._facts.sample)

    def pack(self, standing: Standing, soc: StateOfCharge) -> Pack:
        member, state = standing.member, standing.member.state
        heard = state in _HEARD
        trusted = heard or state is PackState.STALE
        return Pack(
            member,
            heard,
            trusted,
            0.0 if self._facts is not None and self._facts.may_be_closed else standing.certainty,
            standing.counts,
            self._facts,
            self._limits,
            self.fault,
            soc.counted(self.settings.name) if self.settings.soc_source == "counter" else None,
        )


def _shaper(packs: Sequence[PackSettings], limit: Limit, settings: BankSettings) -> CurrentShaper:
    """The rating of a bank is what its packs, their fuses and its own cable carry."""
    charging = limit is Limit.CCL
    maximum_a = settings.max_charge_current_a if charging else settings.max_discharge_current_a
    rated_a = fsum(own.charge_carry_a if charging else own.discharge_carry_a for own in packs)
    return CurrentShaper(
        min(rated_a, inf if maximum_a is None else maximum_a), settings.rise_after_s, settings.rise_pct_per_s
    )


def _rising(limit: Limit, value: float, allowed: float) -> Constraint:
    """Why less is published than the rules allow."""
    unit = "V" if limit is Limit.CVL else "A"
    text = f"{allowed:.1f} {unit} is allowed, but a limit rises late and slowly"
    return Constraint(limit=limit, value=value, rule="rising", text=text)
