"""What the bank's rules look at: one immutable picture of all packs at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.battery.facts import Facts
from bridge.battery.faults import Fault
from bridge.battery.pack_rules import PackLimits
from bridge.battery.sharing import Sharing
from bridge.model import BankSettings, Constraint, Member

if TYPE_CHECKING:
    from bridge.battery.charging import Charge  # which reads `Pack`


class Pack(NamedTuple):
    """One pack. heard: it speaks at the moment, and is believed; trusted: what it said last still
    holds, shrinking or not; an untrusted pack is lost, in quarantine or unknown. certainty: how far the
    bank may count on it, 0..1. counts: whether its SoC and voltage are the bank's. facts: None until it
    was heard. limits: what it allows by itself; empty until it was heard. fault: of a single pack, what
    nothing has contained (`faults`). counted_soc: our own counter's.
    """

    member: Member
    heard: bool
    trusted: bool
    certainty: float
    counts: bool
    facts: Facts | None
    limits: PackLimits
    fault: Fault | None
    counted_soc: float | None = None

    @property
    def soc(self) -> float | None:
        """The state of charge to go by, 0..1: the BMS's, or our own counter's where the user wants that."""
        if self.member.settings.soc_source == "counter":
            return self.counted_soc
        return None if self.member.sample is None else self.member.sample.soc

    @property
    def open_switch(self) -> bool:
        """Whether it has said that a switch is off. Such a pack conducts, if at all, through a body diode:
        it is not part of the parallel circuit in either direction, unless it `may_be_closed`.
        """
        facts = self.facts
        return facts is not None and facts.open_switch

    @property
    def may_be_closed(self) -> bool:
        """Whether it has said that a switch is off and says nothing of its switches any more."""
        facts = self.facts
        return facts is not None and facts.may_be_closed


class Context(NamedTuple):
    """The bank. packs: what hangs on the bus bar, each string as one; single: every single pack, if that is
    not the same. waiting_for: packs that start-up still waits for, empty once it is over. voltage_v: of the
    bus, from packs that are heard; cautious_voltage_v: the same, but not above what a silent pack saw last.
    watched: what follows from the watch over the packs' behaviour (`watch`). charge: its stage, and what
    that asks for. held: constraints that have a memory of their own: leases, packs that are to leave, an
    inverter that does not obey.
    """

    settings: BankSettings
    packs: tuple[Pack, ...]
    sharing: Sharing
    waiting_for: tuple[str, ...]
    voltage_v: float | None
    cautious_voltage_v: float | None
    any_active: bool
    any_heard: bool
    charge: Charge
    watched: tuple[Constraint, ...] = ()
    single: tuple[Pack, ...] | None = None
    held: tuple[Constraint, ...] = ()

    @property
    def leaves(self) -> tuple[Pack, ...]:
        """Every single pack, for what is about its cells and not about the bus."""
        return self.packs if self.single is None else self.single
