"""The values of several packs as those of one: samples, facts and limits of a string or a group.

Pure functions, one for each way of wiring where they differ. What is not known of every pack that it
would take is not known of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import fsum

from bridge.battery.chemistry import preset
from bridge.battery.context import Pack
from bridge.battery.facts import Facts
from bridge.battery.fixed import UNKNOWN_OCP, Fixed
from bridge.battery.known import least_with_defaults, sum_of_all, value_or
from bridge.battery.silence import flat_top_v
from bridge.model import Alarm, Constraint, Limit, PackSample, PackSettings, Ratings


def series_sample(
    children: Sequence[Pack], facts: Sequence[Facts], current_a: float | None, alarms: frozenset[Alarm]
) -> PackSample:
    """What a string would say of itself. facts: of all its packs. alarms: its own, beside theirs.

    What is left is what its emptiest pack has left, and its room is that of the fullest.
    """
    samples = [one.sample for one in facts]
    charges = [_charge_ah(child) for child in children]
    known = [charge for charge in charges if charge is not None]
    left_ah = room_ah = None
    if len(known) == len(charges):
        left_ah, room_ah = min([left for left, _ in known]), min([full - left for left, full in known])
    return replace(
        _sample(samples, alarms),
        voltage_v=sum_of_all([one.voltage_v for one in facts]),
        current_a=current_a,
        soc=_soc(left_ah, room_ah),
        soh=min([s.soh for s in samples if s.soh is not None], default=None),
        remaining_ah=left_ah,
        full_ah=None if left_ah is None or room_ah is None else left_ah + room_ah,
        charge_fet_on=_all([one.charge_switch_on for one in facts]),
        discharge_fet_on=_all([one.discharge_switch_on for one in facts]),
        charge_allowed=_all([s.charge_allowed for s in samples]),
        discharge_allowed=_all([s.discharge_allowed for s in samples]),
    )


def group_sample(children: Sequence[Pack], facts: Sequence[Facts], voltage_v: float | None) -> PackSample:
    """What a group would say of itself. facts: of those of its packs that are to speak for it.

    Its switches are those of the packs that conduct. Where none does, but some would through a diode, in
    both directions, it counts as open.
    """
    conducting = [c.facts for c in children if c.trusted and c.facts is not None and not c.open_switch]
    deciding = conducting or facts
    charge_on = _any([one.charge_switch_on for one in deciding])
    discharge_on = _any([one.discharge_switch_on for one in deciding])
    if not conducting and charge_on is not False and discharge_on is not False:
        charge_on = discharge_on = False
    counted = [charge for c in children if c.counts and (charge := _charge_ah(c))]
    left_ah = fsum([left for left, _ in counted]) if counted else None
    full_ah = fsum([full for _, full in counted]) if counted else None
    samples = [one.sample for one in facts]
    return replace(
        _sample(samples, frozenset()),
        voltage_v=voltage_v,
        current_a=sum_of_all([_current_a(child) for child in children]),
        soc=_soc(left_ah, None if left_ah is None or full_ah is None else full_ah - left_ah),
        soh=min([s.soh for s in samples if s.soh is not None], default=None),
        remaining_ah=left_ah,
        full_ah=full_ah,
        charge_fet_on=charge_on,
        discharge_fet_on=discharge_on,
        charge_allowed=_any([one.sample.charge_allowed for one in deciding]),
        discharge_allowed=_any([one.sample.discharge_allowed for one in deciding]),
    )


def facts_of(
    own: PackSettings, fixed: Fixed, sample: PackSample, facts: Sequence[Facts], seen_v: float | None
) -> Facts:
    """The facts of a string or a group with that sample. seen_v: its voltage as low as it may be.

    A cell's number is only known in its own pack.
    """
    slowly_hot_c = [c for one in facts if (c := one.temperature_slow_max_c) is not None]
    slowly_cold_c = [c for one in facts if (c := one.temperature_slow_min_c) is not None]
    highest_v = [one.cell_max_v for one in facts if one.cell_max_v is not None]
    lowest_v = [one.cell_min_v for one in facts if one.cell_min_v is not None]
    hottest_c = [one.temperature_max_c for one in facts if one.temperature_max_c is not None]
    coldest_c = [one.temperature_min_c for one in facts if one.temperature_min_c is not None]
    mosfets_c = [one.mosfet_temperature_c for one in facts if one.mosfet_temperature_c is not None]
    return Facts(
        settings=own,
        sample=sample,
        ratings=Ratings(),
        fixed=fixed,
        voltage_v=sample.voltage_v,
        voltage_seen_v=seen_v,
        cells_readable=all(one.cells_readable for one in facts),
        cells_derived=any(one.cells_derived for one in facts),
        cell_max_v=max(highest_v, default=None),
        cell_min_v=min(lowest_v, default=None),
        cell_max_index=None,
        cell_min_index=None,
        highest=None,
        lowest=None,
        temperature_max_c=max(hottest_c) if len(hottest_c) == len(facts) else None,
        temperature_min_c=min(coldest_c) if len(coldest_c) == len(facts) else None,
        temperature_slow_max_c=max(slowly_hot_c) if len(slowly_hot_c) == len(facts) else None,
        temperature_slow_min_c=min(slowly_cold_c) if len(slowly_cold_c) == len(facts) else None,
        temperature_mean_c=None,
        temperature_readable=all(one.temperature_readable for one in facts),
        mosfet_temperature_c=max(mosfets_c, default=None),
        charge_switch_on=sample.charge_fet_on,
        discharge_switch_on=sample.discharge_fet_on,
        open_switch=sample.charge_fet_on is False or sample.discharge_fet_on is False,
        may_be_closed=False,
        charge_stopped=any(one.charge_stopped for one in facts),
        discharge_stopped=any(one.discharge_stopped for one in facts),
    )


def trips_of_string(facts: Sequence[Facts]) -> Ratings:
    """Where the first BMS of a string trips. If some have said it, the others are taken to trip soon."""
    charge = [(f.ratings.charge_ocp_a, UNKNOWN_OCP * f.settings.rated_charge_current_a) for f in facts]
    discharge = [
        (f.ratings.discharge_ocp_a, UNKNOWN_OCP * f.settings.rated_discharge_current_a) for f in facts
    ]
    return Ratings(charge_ocp_a=least_with_defaults(charge), discharge_ocp_a=least_with_defaults(discharge))


def named(child: Pack, cause: Constraint) -> Constraint:
    """A cause as the string says it: with the name of the pack, if it has not got it already."""
    name = child.member.name
    return cause if cause.pack not in {None, name} else cause._replace(text=f"{name}: {cause.text}")


def voltages_at_string(own: PackSettings, children: Sequence[Pack]) -> Iterator[Constraint]:
    """What each pack asks for, at the terminals of the string. A pack of which nothing is known gets what
    the others leave of the string's voltage, so they are what keeps it from harm.
    """
    volts = [None if child.facts is None else child.facts.voltage_v for child in children]
    whole_v = sum_of_all(volts)
    for i, child in enumerate(children):
        others = [one.member.settings for j, one in enumerate(children) if j != i]
        for cause in child.limits.voltage:
            value = _with_others(cause, child.member.settings.cells, others)
            yield cause._replace(value=_taken_back(own, cause, value, volts[i], whole_v))
        if not child.trusted:
            beside_v = [_beside_v(one, volts[j]) for j, one in enumerate(children) if j != i]
            name = child.member.name
            yield Constraint(
                limit=Limit.CVL,
                value=fsum([flat_top_v(child.member.settings), *beside_v]),
                rule="silent_pack",
                text=f"{name}: {child.member.state.value}, and gets what the others leave",
                pack=name,
            )


def _beside_v(pack: Pack, last_v: float | None) -> float:
    """What a pack takes of a string's voltage; of one of which little is known, the least."""
    flat_v = flat_top_v(pack.member.settings)
    if last_v is None:
        return flat_v
    return last_v if pack.trusted else min(flat_v, last_v)


def _with_others(cause: Constraint, cells: int, others: Sequence[PackSettings]) -> float:
    """What one pack asks for, and no more for any other cell of the string."""
    cell_v = cause.value / cells
    if cause.limit is Limit.CVL:
        return fsum([cause.value, *[one.cells * min(one.cell_charge_v, cell_v) for one in others]])
    return fsum([cause.value, *[one.cells * max(one.cell_min_v, cell_v) for one in others]])


def _taken_back(
    own: PackSettings, cause: Constraint, value: float, pack_v: float | None, whole_v: float | None
) -> float:
    """From where the string is, back by as much as the pack is beyond what it asks for."""
    if pack_v is None or whole_v is None:
        return value
    beyond_v = pack_v - cause.value
    if cause.limit is Limit.DVL:
        return max(value, whole_v - beyond_v) if beyond_v < 0 else value
    chemistry = preset(own)
    floor_v = own.cells * (own.cell_charge_v - (chemistry.charge_v - chemistry.floor_v))
    return min(value, max(floor_v, whole_v - beyond_v)) if beyond_v > 0 else value


def _sample(samples: Sequence[PackSample], alarms: frozenset[Alarm]) -> PackSample:
    """What is the same for a string and a group: as old as the oldest, all probes, all complaints."""
    return PackSample(
        time_s=min([s.time_s for s in samples]),
        cycles=max([s.cycles for s in samples if s.cycles is not None], default=None),
        temperatures_c=tuple([t for s in samples for t in s.temperatures_c]),
        protections=frozenset().union(*[s.protections for s in samples]),
        warnings=alarms.union(*[s.warnings for s in samples]),
    )


def _charge_ah(pack: Pack) -> tuple[float, float] | None:
    """(what is left, what is in it when full), Ah; None if its state of charge is not known."""
    if pack.facts is None or (soc := pack.soc) is None:
        return None
    full_ah = value_or(pack.facts.sample.full_ah, pack.facts.settings.capacity_ah)
    return soc * full_ah, full_ah


def _soc(left_ah: float | None, room_ah: float | None) -> float | None:
    if left_ah is None or room_ah is None:
        return None
    return left_ah / (left_ah + room_ah) if left_ah + room_ah > 0 else 0.0


def _current_a(child: Pack) -> float | None:
    """Through one branch of a group; nothing through one that has said that it is open."""
    if child.facts is None or not child.heard:
        return None
    return child.facts.sample.current_a


def _all(values: Sequence[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _any(values: Sequence[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False
