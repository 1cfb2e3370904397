"""Strings and groups of packs, measured: several `Pack`s folded into one, from the innermost part outward.

A string in series is as well as its worst pack: one that is silent, isolated or not believed takes the
whole string along, and what one may carry, all may. A group in parallel, as a link of a string, is as well
as its best pack, and carries what the rules of a parallel circuit say of it: the same that hold on the bus
bar.

What the packs' rules found keeps the pack and the cell that it was found at. Their voltages are carried
to the string's terminals: what one pack asks for per cell holds for every cell of the string, and a pack
that is beyond it takes the string back by as much, because nothing divides a string's voltage evenly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bridge.battery.charge_stages import Stage
from bridge.battery.charging import Charge
from bridge.battery.context import Context, Pack
from bridge.battery.facts import Facts
from bridge.battery.fixed import fixed, sorted_limits
from bridge.battery.folding import (
    facts_of,
    group_sample,
    named,
    series_sample,
    trips_of_string,
    voltages_at_string,
)
from bridge.battery.known import sum_of_all
from bridge.battery.merge import bus_voltage, cautious_voltage
from bridge.battery.rules import circuit
from bridge.battery.sharing import Sharing
from bridge.battery.silence import measured
from bridge.battery.string_checks import StringChecks
from bridge.battery.topology import as_one, normal, not_series_rated, on_the_bus_bar
from bridge.model import (
    AlarmCause,
    BankSettings,
    Constraint,
    Limit,
    Member,
    PackSettings,
    PackState,
    Ratings,
    Topology,
    Wiring,
)

NOT_ITS_OWN: Final = Charge(
    stage=Stage.BULK, full=False, full_charge_request=False, imbalance=False, constraints=()
)
"""A group within a string is charged with its bank."""

WORST_FIRST: Final = (
    PackState.UNKNOWN,
    PackState.QUARANTINE,
    PackState.LOST,
    PackState.STALE,
    PackState.ISOLATED,
    PackState.JOINING,
    PackState.ACTIVE,
)
Leaves = Mapping[str, Pack]


class Tree:
    """The wiring of a bank that is not just packs in parallel."""

    def __init__(
        self,
        topology: Topology,
        packs: Sequence[PackSettings],
        bank: BankSettings,
        sharing: Callable[[], Sharing],
    ) -> None:
        by_name = {pack.name: pack for pack in packs}
        on_bus_bar = on_the_bus_bar(topology)
        self._parts = [_part(child, by_name, bank, sharing) for child in on_bus_bar]
        self._packs = {
            (child if isinstance(child, str) else child.name): (
                (child,) if isinstance(child, str) else tuple(child.packs)
            )
            for child in on_bus_bar
        }

    def units(self, leaves: Sequence[Pack], now: float) -> tuple[Pack, ...]:
        """What hangs on the bus bar, from all packs."""
        by_name = {leaf.member.name: leaf for leaf in leaves}
        return tuple([part.fold(by_name, now) for part in self._parts])

    def causes(self) -> tuple[AlarmCause, ...]:
        """What is wrong with a string that no single pack shows."""
        return tuple([one for part in self._parts for one in part.causes()])

    def state(self) -> dict[str, object]:
        """What was learned within the groups, by their names, as JSON can carry it."""
        return {name: sharing.state() for name, sharing in self._sharings().items()}

    def restore(self, state: Mapping[str, object]) -> None:
        """Begin with what was learned before."""
        for name, sharing in self._sharings().items():
            if isinstance(learned := state.get(name), Mapping):
                sharing.restore(learned)

    def _sharings(self) -> dict[str, Sharing]:
        return {name: one for part in self._parts for name, one in part.sharings()}

    def packs_of(self, unit: str) -> tuple[str, ...]:
        """The packs of what hangs on the bus bar under that name."""
        return self._packs[unit]


def tree(packs: Sequence[PackSettings], bank: BankSettings, sharing: Callable[[], Sharing]) -> Tree | None:
    """The tree of a bank; None if its packs are all in parallel. sharing: makes one for each group."""
    short = normal(bank.topology)
    return None if short is None else Tree(short, packs, bank, sharing)


class _Leaf:
    def __init__(self, name: str) -> None:
        self.name = name

    def fold(self, leaves: Leaves, now: float) -> Pack:  # noqa: ARG002  # as the other parts
        return leaves[self.name]

    def causes(self) -> tuple[AlarmCause, ...]:
        return ()

    def sharings(self) -> list[tuple[str, Sharing]]:
        return []


class _Series:
    """Packs, or groups of packs, one behind the other."""

    def __init__(self, own: PackSettings, parts: Sequence[_Part], unrated: Sequence[str]) -> None:
        self._own = own
        self._fixed = fixed(own, Ratings())
        self._parts = parts
        self._checks = StringChecks(own)
        self._unrated = [_unrated(name) for name in unrated]

    def fold(self, leaves: Leaves, now: float) -> Pack:
        own, children = self._own, [part.fold(leaves, now) for part in self._parts]
        found = self._checks.look([child for child in children if child.trusted], now)
        known = [child.facts for child in children if child.facts is not None]
        facts = None
        if len(known) == len(children):
            sample = series_sample(children, known, found.current_a, found.alarms)
            seen_v = sum_of_all([one.voltage_seen_v for one in known])
            facts = facts_of(own, self._fixed, sample, known, seen_v)
            closed = facts.open_switch and all(not one.open_switch or one.may_be_closed for one in known)
            facts = replace(facts, ratings=trips_of_string(known), may_be_closed=closed)
        return Pack(
            _member(own, _worst(children), children, facts),
            heard=all(child.heard for child in children),
            trusted=all(child.trusted for child in children),
            certainty=min([child.certainty for child in children]),
            counts=all(child.counts for child in children),
            facts=facts,
            limits=sorted_limits(self._causes(children, complete=facts is not None)),
            fault=None,  # each pack's own is looked at
        )

    def causes(self) -> tuple[AlarmCause, ...]:
        return (*self._checks.causes, *[one for part in self._parts for one in part.causes()])

    def sharings(self) -> list[tuple[str, Sharing]]:
        return [one for part in self._parts for one in part.sharings()]

    def _causes(self, children: Sequence[Pack], *, complete: bool) -> Iterator[Constraint]:
        yield from voltages_at_string(self._own, children)
        if complete:
            for child in children:
                yield from [named(child, cause) for cause in (*child.limits.charge, *child.limits.discharge)]
            yield from self._unrated


class _Group:
    """Packs, or strings of packs, in parallel, within a string."""

    def __init__(
        self, own: PackSettings, parts: Sequence[_Part], bank: BankSettings, sharing: Sharing
    ) -> None:
        self._own = own
        self._fixed = fixed(own, Ratings())
        self._parts = parts
        self._bank = bank
        self._sharing = sharing

    def fold(self, leaves: Leaves, now: float) -> Pack:
        children = tuple([part.fold(leaves, now) for part in self._parts])
        self._sharing.observe([c for c in children if measured(c, self._bank.on_pack_lost)], now)
        volts = bus_voltage(children)
        found = circuit(
            Context(
                settings=self._bank,
                packs=children,
                sharing=self._sharing,
                waiting_for=(),
                voltage_v=volts,
                cautious_voltage_v=volts,
                any_active=any(child.member.state is PackState.ACTIVE for child in children),
                any_heard=any(child.heard for child in children),
                charge=NOT_ITS_OWN,
            )
        )
        excludes = self._bank.on_pack_lost == "exclude"
        known = [child.facts for child in children if child.facts is not None]
        speak = [c.facts for c in children if c.facts is not None and c.trusted] or known
        # A pack that fell silent does not speak for the group, but its cells go on restricting it.
        restrict = speak if excludes else known
        facts = None
        if known:
            seen_v = cautious_voltage(children, volts, excludes=excludes)
            sample = group_sample(children, speak, volts)
            facts = facts_of(self._own, self._fixed, sample, restrict, seen_v)
            if facts.open_switch and any(one.may_be_closed for one in known):
                facts = replace(facts, may_be_closed=True)
        return Pack(
            _member(self._own, _best(children), children, facts),
            heard=any(child.heard for child in children),
            trusted=any(child.trusted for child in children),
            certainty=max([child.certainty for child in children]),
            counts=any(child.counts for child in children),
            facts=facts,
            limits=sorted_limits(found),
            fault=None,  # each pack's own is looked at
        )

    def causes(self) -> tuple[AlarmCause, ...]:
        return (*self._sharing.complaints, *[one for part in self._parts for one in part.causes()])

    def sharings(self) -> list[tuple[str, Sharing]]:
        return [(self._own.name, self._sharing), *[one for part in self._parts for one in part.sharings()]]


_Part = _Leaf | _Series | _Group


def _part(
    part: str | Topology, by_name: dict[str, PackSettings], bank: BankSettings, sharing: Callable[[], Sharing]
) -> _Part:
    if isinstance(part, str):
        return _Leaf(part)
    parts = [_part(child, by_name, bank, sharing) for child in part.children]
    own = as_one(part, by_name)
    if part.wiring is Wiring.SERIES:
        return _Series(own, parts, not_series_rated(part, by_name))
    return _Group(own, parts, bank, sharing())


def _member(own: PackSettings, state: PackState, children: Sequence[Pack], facts: Facts | None) -> Member:
    """age_s: of the oldest that are in that state."""
    ages_s = [c.member.age_s for c in children if c.member.state is state and c.member.age_s is not None]
    sample = None if facts is None else facts.sample
    return Member(settings=own, state=state, sample=sample, age_s=max(ages_s, default=None))


def _worst(children: Sequence[Pack]) -> PackState:
    """A string is never heard only if none of its packs is; else the one that is missing was lost."""
    states = [child.member.state for child in children]
    worst = min(states, key=WORST_FIRST.index)
    return PackState.LOST if worst is PackState.UNKNOWN and set(states) != {worst} else worst


def _best(children: Sequence[Pack]) -> PackState:
    return max([child.member.state for child in children], key=WORST_FIRST.index)


def _unrated(name: str) -> Constraint:
    text = f"{name}: its BMS would open against the voltage of the whole string, and is not series_rated"
    return Constraint(limit=Limit.DCL, value=0.0, rule="not_series_rated", text=text, pack=name)
