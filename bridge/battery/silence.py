"""What a pack that does not speak does to the bank: the policies of `on_pack_lost`.

Silence says nothing about the bus. The pack may still conduct, unseen and near a limit, or it may have
left and the others carry all; the limits must be safe for both (see `sharing`), so a silent pack is a
branch with certainty 0. What it may carry shrinks with the age of its data, from what it last was
to what its policy leaves it:

    hold      min(its last limit, 0.2 C), as long as everything known of it is harmless: cells in the
              flat middle, 10 to 45 degC, no alarm, another pack active, less than half an hour; else 0.
              Half an hour at 0.2 C is a tenth of its charge, so it cannot leave the flat by itself.
    stop      0
    exclude   its last limit until it is lost, then it is taken to be off the bus, as the user states

A pack last heard with a switch off stays out of the circuit under "hold": it said that it left, and
the lowered charge voltage (`rules.silent_pack_voltage`) keeps it from harm if it comes back unheard. One
that speaks, and says of its switches nothing any more, may be there or not, like a silent one.
A pack never heard at all may be charged and discharged at 0.1 C, judged by the voltage of the bus.
"""

from __future__ import annotations

from typing import Final

from bridge.battery.chemistry import preset
from bridge.battery.context import Context, Pack
from bridge.battery.facts import Facts
from bridge.battery.sharing import Branch
from bridge.battery.timing import fresh_s
from bridge.model import Constraint, Limit, PackSettings, PackState

HOLD_S: Final = 30 * 60.0
HOLD_C_RATE: Final = 0.2
UNSEEN_C_RATE: Final = 0.1
MILD_C: Final = (10.0, 45.0)


def conducts(pack: Pack, on_pack_lost: str) -> bool:
    """Whether the pack is, or may be, part of the parallel circuit."""
    if pack.open_switch and not pack.may_be_closed:
        return not pack.trusted and on_pack_lost == "stop"
    return pack.trusted or on_pack_lost != "exclude"


def measured(pack: Pack, on_pack_lost: str) -> bool:
    """Whether the pack is one of those by which the circuit is known: not one that was open and may be closed
    again, lest the others be known less well for it.
    """
    return conducts(pack, on_pack_lost) and not pack.may_be_closed


def branch(pack: Pack, limit: Limit, context: Context) -> Branch | None:
    """The pack in the parallel circuit, for one direction; None if it is not part of it."""
    member = pack.member
    if not conducts(pack, context.settings.on_pack_lost):
        return None
    if not pack.trusted:
        return Branch(member.settings, 0.0, (_lost(pack, limit, context),), member.age_s)
    if member.state is PackState.STALE:
        return Branch(member.settings, 0.0, (_stale(pack, limit, context),), member.age_s)
    return Branch(member.settings, pack.certainty, pack.limits.current(limit), member.age_s)


def flat_top_v(settings: PackSettings) -> float:
    """The pack voltage below which a pack cannot be overcharged by being left alone, V."""
    return settings.cells * _flat_v(settings)[1]


def _stale(pack: Pack, limit: Limit, context: Context) -> Constraint:
    settings, age_s, last = pack.member.settings, pack.member.age_s or 0.0, pack.limits.current(limit)[0]
    if context.settings.on_pack_lost == "exclude":
        amps = last.value
    else:
        fresh, lost = fresh_s(settings), settings.lost_after_s
        left = (lost - age_s) / (lost - fresh) if lost > fresh else 0.0
        amps = max(min(1.0, max(0.0, left)) * last.value, _held_a(pack, limit, context))
    text = f"silent for {age_s:.0f} s, {last.text}"
    return Constraint(limit=limit, value=amps, rule="stale", text=text, pack=settings.name, cell=last.cell)


def _lost(pack: Pack, limit: Limit, context: Context) -> Constraint:
    settings, state = pack.member.settings, pack.member.state
    amps = _held_a(pack, limit, context)
    what = {
        PackState.UNKNOWN: "never heard",
        PackState.QUARANTINE: "not plausible",
        PackState.LOST: f"lost for {pack.member.age_s or 0.0:.0f} s"
        if pack.facts
        else "not all of it was heard",
    }[state]
    text = f"{what}, held at {amps:.1f} A" if amps > 0 else f"{what}, nothing safe is known of it"
    return Constraint(limit=limit, value=amps, rule=state.value, text=text, pack=settings.name)


def _held_a(pack: Pack, limit: Limit, context: Context) -> float:
    """What `hold` leaves a silent pack, A."""
    if context.settings.on_pack_lost != "hold" or not context.any_active:
        return 0.0
    settings, facts = pack.member.settings, pack.facts
    if pack.member.state is PackState.UNKNOWN:
        bus_v = None if context.voltage_v is None else context.voltage_v / settings.cells
        return UNSEEN_C_RATE * settings.capacity_ah if _flat(settings, limit, bus_v, bus_v) else 0.0
    if (
        facts is None
        or not _harmless(pack, facts)
        or not _flat(settings, limit, facts.cell_min_v, facts.cell_max_v)
    ):
        return 0.0
    return min(pack.limits.current(limit)[0].value, HOLD_C_RATE * settings.capacity_ah)


def _harmless(pack: Pack, facts: Facts) -> bool:
    sample, coldest_c, hottest_c = facts.sample, facts.temperature_min_c, facts.temperature_max_c
    if (pack.member.age_s or 0.0) >= HOLD_S or not facts.cells_readable:
        return False
    if sample.protections or sample.warnings or coldest_c is None or hottest_c is None:
        return False
    return MILD_C[0] <= coldest_c and hottest_c <= MILD_C[1]


def _flat(settings: PackSettings, limit: Limit, low_v: float | None, high_v: float | None) -> bool:
    """Whether the cells were away from the end that this direction leads to."""
    if low_v is None or high_v is None:
        return False
    bottom_v, top_v = _flat_v(settings)
    return high_v <= top_v if limit is Limit.CCL else low_v >= bottom_v


def _flat_v(settings: PackSettings) -> tuple[float, float]:
    """The ends of the harmless middle, V a cell: 3.20 and 3.375 V for LFP, closer together where the user's
    own limits are.
    """
    own = preset(settings)
    bottom_v, top_v = own.flat_v
    return (
        max(bottom_v, settings.cell_min_v + bottom_v - own.min_v),
        min(top_v, settings.cell_charge_v + top_v - own.charge_v),
    )
