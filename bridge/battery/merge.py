"""All packs as one battery: what was measured, before any limit is drawn from it.

What hangs on the bus bar is in parallel, a string of packs as one: voltages are averaged over those that
conduct, currents and charges are added. Cells and probes are compared over all single packs. A value
that no pack gives is None. A pack counts with its last value while it is only stale, so that a short
silence does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Final

from bridge.battery.context import Pack
from bridge.battery.facts import Facts
from bridge.battery.membership import both_off
from bridge.model import Bank, PackSample, PackSettings

# Beyond these the extreme is shown, not the mean.
HOT_C: Final = 40.0
COLD_C: Final = 10.0
HYSTERESIS_C: Final = 2.0
NO_CELL: Final = (None, None, None)


def bus_voltage(packs: Sequence[Pack]) -> float | None:
    """The mean over the packs that are on the bus and heard; if none is, over those that fell silent, V.

    A pack with both switches off is left out: its terminals float.
    """
    heard_v: list[float] = []
    silent_v: list[float] = []
    for pack in packs:
        facts = pack.facts
        if facts is not None and facts.voltage_v is not None and pack.trusted and not both_off(facts.sample):
            (heard_v if pack.heard else silent_v).append(facts.voltage_v)
    volts = heard_v or silent_v
    return fsum(volts) / len(volts) if volts else None


def cautious_voltage(packs: Sequence[Pack], bus_v: float | None, *, excludes: bool) -> float | None:
    """The bus as low as it may be, V: as `bus_voltage` says, or as a pack last saw it that says it no more.

    excludes: the user takes silent packs to be off the bus.
    """
    seen_v: list[float] = []
    unsure_v = 0.0
    for pack in packs:
        facts = pack.facts
        if facts is None or facts.voltage_seen_v is None or (excludes and not pack.trusted):
            continue
        if pack.heard and facts.voltage_v is not None:
            # Of a string, a pack within may have fallen silent that saw less.
            unsure_v = max(unsure_v, facts.voltage_v - facts.voltage_seen_v)
        elif not both_off(facts.sample):
            seen_v.append(facts.voltage_seen_v)
    if bus_v is not None:
        seen_v.append(bus_v - unsure_v)
    return min(seen_v, default=None)


class Merger:
    """Makes the `Bank`. Its only memory is which temperature it shows."""

    def __init__(self) -> None:
        self._shows = "mean"

    def merge(
        self,
        packs: Sequence[Pack],
        voltage_v: float | None,
        soc: float | None,
        leaves: Sequence[Pack] | None = None,
    ) -> Bank:
        """The bank. voltage_v: as `bus_voltage`; soc: as shown. packs: what hangs on the bus bar; leaves:
        the single packs, if that is not the same.
        """
        # Loops, where comprehensions would read more easily: each of those is a call, in every decision.
        single = packs if leaves is None else leaves
        known: list[Facts] = []
        highest, lowest, hot_c, cold_c = [], [], [], []
        online = charging = discharging = 0
        for pack in single:
            facts = pack.facts
            if facts is None or not pack.trusted:
                continue
            known.append(facts)
            if facts.highest is not None:
                highest.append(facts.highest)
            if facts.lowest is not None:
                lowest.append(facts.lowest)
            if facts.temperature_max_c is not None:
                hot_c.append(facts.temperature_max_c)
            if facts.temperature_min_c is not None:
                cold_c.append(facts.temperature_min_c)
            if pack.heard:
                online += 1
                charging += facts.sample.charge_allowed is True
                discharging += facts.sample.discharge_allowed is True
        bus = _Bus(packs)
        high_v, high_pack, high_index = max(highest, default=NO_CELL)
        low_v, low_pack, low_index = min(lowest, default=NO_CELL)
        hottest_c, coldest_c = max(hot_c, default=None), min(cold_c, default=None)
        # By place, as with keywords it takes three times as long; a test holds every field against its pack.
        return Bank(
            voltage_v,
            _sum(bus.currents_a),
            soc,
            _mean(bus.soh),
            _sum(bus.remaining_ah),
            _sum(bus.full_ah),
            fsum(bus.design_ah),
            max(bus.cycles, default=None),
            high_v,
            low_v,
            high_pack,
            low_pack,
            high_index,
            low_index,
            self._shown_c(known, hottest_c, coldest_c),
            hottest_c,
            coldest_c,
            bus.cells,
            len(single),
            online,
            online - charging,
            online - discharging,
        )

    def _shown_c(
        self, known: Sequence[Facts], hottest_c: float | None, coldest_c: float | None
    ) -> float | None:
        """For dialects that have room for one temperature: the hot extreme, the cold one, or the mean."""
        if hottest_c is None or coldest_c is None:
            return None
        if hottest_c > HOT_C - (HYSTERESIS_C if self._shows == "hot" else 0.0):
            self._shows = "hot"
            return hottest_c
        if coldest_c < COLD_C + (HYSTERESIS_C if self._shows == "cold" else 0.0):
            self._shows = "cold"
            return coldest_c
        self._shows = "mean"
        return _mean([(facts.settings.capacity_ah, facts.temperature_mean_c) for facts in known])


class _Bus:
    """What hangs on the bus bar, value by value; soh: with the weight that it has."""

    __slots__ = ("cells", "currents_a", "cycles", "design_ah", "full_ah", "remaining_ah", "soh")

    def __init__(self, packs: Sequence[Pack]) -> None:
        self.cells = 0
        self.currents_a: list[float] = []
        self.cycles: list[int] = []
        self.design_ah: list[float] = []
        self.full_ah: list[float] = []
        self.remaining_ah: list[float] = []
        self.soh: list[tuple[float, float | None]] = []
        for pack in packs:
            facts, own = pack.facts, pack.member.settings
            self.design_ah.append(own.capacity_ah)
            self.cells = max(self.cells, own.cells)
            if facts is None:
                continue
            sample = facts.sample
            if pack.heard and sample.current_a is not None:
                self.currents_a.append(sample.current_a)
            if pack.counts:
                self._count(pack, own, sample)

    def _count(self, pack: Pack, own: PackSettings, sample: PackSample) -> None:
        """What only a pack that counts adds."""
        self.soh.append((own.capacity_ah, sample.soh))
        self.full_ah.append(own.capacity_ah if sample.full_ah is None else sample.full_ah)
        if sample.cycles is not None:
            self.cycles.append(sample.cycles)
        if sample.remaining_ah is not None and own.soc_source == "bms":
            self.remaining_ah.append(sample.remaining_ah)
        elif (soc := pack.soc) is not None:
            self.remaining_ah.append(soc * own.capacity_ah)


def _sum(known: Sequence[float]) -> float | None:
    return fsum(known) if known else None


def _mean(weighted: Sequence[tuple[float, float | None]]) -> float | None:
    """The weighted mean of the (weight, value) pairs that have a value."""
    weights, products = [], []
    for weight, value in weighted:
        if value is not None:
            weights.append(weight)
            products.append(weight * value)
    return fsum(products) / fsum(weights) if weights else None
