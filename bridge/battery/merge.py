"""All packs as one battery: what was measured, before any limit is drawn from it.

What hangs on the bus bar is in parallel, a string of packs as one: voltages are averaged over those that
conduct, currents and charges are added. Cells and probes are compared over all single packs. A value
that no pack gives is None. A pack counts with its last value while it is only stale, so that a short
silence does not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

from bridge.battery.context import Pack
from bridge.battery.facts import Facts
from bridge.battery.known import value_or
from bridge.battery.membership import both_off
from bridge.model import Bank, PackSample

HOT_C, COLD_C = 40.0, 10.0  # beyond these the extreme is shown, not the mean
HYSTERESIS_C = 2.0


def bus_voltage(packs: Sequence[Pack]) -> float | None:
    """The mean over the packs that are on the bus and heard; if none is, over those that fell silent, V.

    A pack with both switches off is left out: its terminals float.
    """
    on_bus = [
        (pack.heard, pack.facts.voltage_v)
        for pack in packs
        if pack.trusted
        and pack.facts is not None
        and pack.facts.voltage_v is not None
        and not both_off(pack.facts.sample)
    ]
    volts = [v for heard, v in on_bus if heard] or [v for _, v in on_bus]
    return fsum(volts) / len(volts) if volts else None


def cautious_voltage(packs: Sequence[Pack], bus_v: float | None, *, excludes: bool) -> float | None:
    """The bus as low as it may be, V: as `bus_voltage` says, or as a pack last saw it that says it no more.

    excludes: the user takes silent packs to be off the bus.
    """
    silent_v = [
        pack.facts.voltage_seen_v
        for pack in packs
        if pack.facts is not None
        and not (pack.heard and pack.facts.voltage_v is not None)
        and not (excludes and not pack.trusted)
        and pack.facts.voltage_seen_v is not None
        and not both_off(pack.facts.sample)
    ]
    if bus_v is None:
        return min(silent_v, default=None)
    # Of a string, a pack within may have fallen silent that saw less.
    unsure_v = max([_unsure_v(pack.facts) for pack in packs if pack.heard and pack.facts], default=0.0)
    return min([bus_v - unsure_v, *silent_v])


def _unsure_v(facts: Facts) -> float:
    if facts.voltage_v is None or facts.voltage_seen_v is None:
        return 0.0
    return facts.voltage_v - facts.voltage_seen_v


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
        counting = [(p.member.settings, p.facts.sample) for p in packs if p.facts is not None and p.counts]
        charges_ah = [_remaining_ah(p, p.facts.sample) for p in packs if p.facts is not None and p.counts]
        high_v, high_pack, high_index = _highest(known)
        low_v, low_pack, low_index = _lowest(known)
        hottest_c = max([f.temperature_max_c for f in known if f.temperature_max_c is not None], default=None)
        coldest_c = min([f.temperature_min_c for f in known if f.temperature_min_c is not None], default=None)
        return Bank(
            voltage_v=voltage_v,
            current_a=_sum([sample.current_a for sample in on_bus]),
            soc=soc,
            soh=_mean([(own.capacity_ah, sample.soh) for own, sample in counting]),
            remaining_ah=_sum(charges_ah),
            full_ah=_sum([value_or(sample.full_ah, own.capacity_ah) for own, sample in counting]),
            design_ah=fsum([pack.member.settings.capacity_ah for pack in packs]),
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
            cells=max([pack.member.settings.cells for pack in packs], default=0),
            pack_count=len(single),
            packs_online=len(heard),
            packs_blocking_charge=sum([s.charge_allowed is not True for s in heard]),
            packs_blocking_discharge=sum([s.discharge_allowed is not True for s in heard]),
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
        return _mean([(facts.settings.capacity_ah, _middle_c(facts)) for facts in known])


_Cell = tuple[float | None, str | None, int | None]


def _highest(known: Sequence[Facts]) -> _Cell:
    """The highest measured cell, its pack and its number; the order of the packs does not matter."""
    measured = [
        (f.cell_max_v, f.settings.name, f.cell_max_index)
        for f in known
        if f.cell_max_v is not None and f.cell_max_index is not None
    ]
    return max(measured, default=(None, None, None))


def _lowest(known: Sequence[Facts]) -> _Cell:
    measured = [
        (f.cell_min_v, f.settings.name, f.cell_min_index)
        for f in known
        if f.cell_min_v is not None and f.cell_min_index is not None
    ]
    return min(measured, default=(None, None, None))


def _middle_c(facts: Facts) -> float | None:
    readable_c = [t for t in facts.sample.temperatures_c if t is not None]
    return fsum(readable_c) / len(readable_c) if readable_c else None


def _remaining_ah(pack: Pack, sample: PackSample) -> float | None:
    own = pack.member.settings
    if sample.remaining_ah is not None and own.soc_source == "bms":
        return sample.remaining_ah
    return None if pack.soc is None else pack.soc * own.capacity_ah


def _sum(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return fsum(present) if present else None


def _mean(weighted: Iterable[tuple[float, float | None]]) -> float | None:
    """The weighted mean of the (weight, value) pairs that have a value."""
    present = [(weight, value) for weight, value in weighted if value is not None]
    if not present:
        return None
    return fsum([weight * value for weight, value in present]) / fsum([weight for weight, _ in present])
