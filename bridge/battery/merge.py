"""All packs as one battery: what was measured, before any limit is drawn from it.

What hangs on the bus bar is in parallel, a string of packs as one: voltages are averaged over those that
conduct, currents and charges are added. Cells and probes are compared over all single packs. A value
that no pack gives is None. A pack counts with its last value while it is only stale, so that a short
silence does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from bridge.battery.context import Pack
from bridge.battery.facts import Facts
from bridge.battery.known import value_or
from bridge.battery.membership import both_off
from bridge.model import Bank, PackSample

HOT_C, COLD_C = 40.0, 10.0  # beyond these the extreme is shown, not the mean
HYSTERESIS_C = 2.0
NO_CELL = (None, None, None)


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
        single = packs if leaves is None else leaves
        known = [p.facts for p in single if p.facts is not None and p.trusted]
        heard = [p.facts.sample for p in single if p.facts is not None and p.heard]
        on_bus = heard if single is packs else [p.facts.sample for p in packs if p.facts and p.heard]
        counting = [(p, p.facts.sample) for p in packs if p.facts is not None and p.counts]
        settings = [pack.member.settings for pack in packs]
        high_v, high_pack, high_index = max([f.highest for f in known if f.highest], default=NO_CELL)
        low_v, low_pack, low_index = min([f.lowest for f in known if f.lowest], default=NO_CELL)
        hot_c = [f.temperature_max_c for f in known if f.temperature_max_c is not None]
        cold_c = [f.temperature_min_c for f in known if f.temperature_min_c is not None]
        hottest_c, coldest_c = max(hot_c) if hot_c else None, min(cold_c) if cold_c else None
        return Bank(
            voltage_v=voltage_v,
            current_a=_sum([s.current_a for s in on_bus if s.current_a is not None]),
            soc=soc,
            soh=_mean([(p.member.settings.capacity_ah, s.soh) for p, s in counting]),
            remaining_ah=_sum([ah for p, s in counting if (ah := _remaining_ah(p, s)) is not None]),
            full_ah=_sum([value_or(s.full_ah, p.member.settings.capacity_ah) for p, s in counting]),
            design_ah=fsum([own.capacity_ah for own in settings]),
            cycles=max([s.cycles for _, s in counting if s.cycles is not None], default=None),
            cell_max_v=high_v,
            cell_min_v=low_v,
            cell_max_pack=high_pack,
            cell_min_pack=low_pack,
            cell_max_index=high_index,
            cell_min_index=low_index,
            temperature_c=self._shown_c(known, hottest_c, coldest_c),
            temperature_max_c=hottest_c,
            temperature_min_c=coldest_c,
            cells=max([own.cells for own in settings], default=0),
            pack_count=len(single),
            packs_online=len(heard),
            packs_blocking_charge=len(heard) - [s.charge_allowed for s in heard].count(True),
            packs_blocking_discharge=len(heard) - [s.discharge_allowed for s in heard].count(True),
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


def _remaining_ah(pack: Pack, sample: PackSample) -> float | None:
    own = pack.member.settings
    if sample.remaining_ah is not None and own.soc_source == "bms":
        return sample.remaining_ah
    return None if pack.soc is None else pack.soc * own.capacity_ah


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
