"""The watch over how packs behave, where a sample alone says nothing: what lasts, drifts or contradicts.

Each watcher is a module of its own; here they are fed, and what they find is handed on in three forms:
warnings for `alarms`, constraints for `rules`, and packs that the bank may not count on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Final

from bridge.battery import imbalance
from bridge.battery.context import Pack
from bridge.battery.diode import DiodeWatch
from bridge.battery.facts import Facts
from bridge.battery.faults import Fault, Faults
from bridge.battery.silent_trip import SilentTrips
from bridge.battery.spread import Spread
from bridge.model import AlarmCause, BankSettings, Constraint, Limit, PackSettings

LOOK_EVERY_S: Final = 1.0  # at how the packs fit together, which takes longer the more there are


class Watch:
    """All watchers of a bank."""

    def __init__(self, packs: Sequence[PackSettings], settings: BankSettings) -> None:
        self.faults = Faults()
        self._settings = settings
        self._spreads = {pack.name: Spread(pack) for pack in packs}
        self._apart_within: dict[str, AlarmCause] = {}  # by pack, what its spread says
        self._trips = SilentTrips()
        self._several = len(packs) > 1
        self._diodes = (DiodeWatch(Limit.CCL), DiodeWatch(Limit.DCL))
        self._diodes_look = False  # whether there is, or was, anything to look at
        self._apart: list[AlarmCause] = []
        self._looked_s = -inf

    def heard(self, facts: Facts, found: Fault | None) -> None:
        """A trusted sample, digested, and its `fault`."""
        self.faults.heard(facts, found)
        self._note_spread(facts)
        if self._several:
            self._trips.heard(facts)

    def _note_spread(self, facts: Facts) -> None:
        name = facts.settings.name
        spread = self._spreads[name]
        spread.heard(facts)
        if spread.cause is None:
            self._apart_within.pop(name, None)
        else:
            self._apart_within[name] = spread.cause

    def suspects(self, packs: Sequence[Pack]) -> frozenset[str]:
        """The packs that may have left the bus unsaid."""
        return self._trips.suspects(packs, excludes=self._settings.on_pack_lost == "exclude")

    def constraints(
        self, packs: Sequence[Pack], published_a: tuple[float, float], now: float
    ) -> tuple[Constraint, ...]:
        """What follows for the bank. published_a: CCL and DCL as the inverter was told last."""
        any_open = bool([pack for pack in packs if pack.open_switch])
        if any_open or self._diodes_look:
            excludes = self._settings.on_pack_lost == "exclude"
            believed = [pack for pack in packs if pack.trusted or not excludes]
            for diode, amps in zip(self._diodes, published_a, strict=True):
                diode.look(believed, amps, now)
        self._diodes_look = any_open
        if not any_open and not self.faults.latched:
            return ()
        return (*self.faults.constraints(), *(c for diode in self._diodes for c in diode.constraints()))

    def causes(self, packs: Sequence[Pack], leaves: Sequence[Pack], now: float) -> Iterator[AlarmCause]:
        """What is worth a warning at `now`; of packs that say something at all. packs: what hangs on the bus
        bar; leaves: every single pack.
        """
        if self._several and now - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now
            self._apart = list(imbalance.causes(packs, self._settings.join_window_v_per_cell))
        yield from self._apart
        yield from self._trips.causes()
        for diode in self._diodes:
            yield from diode.causes
        if self._apart_within:
            yield from [
                self._apart_within[name]
                for leaf in leaves
                if leaf.heard and (name := leaf.member.name) in self._apart_within
            ]
