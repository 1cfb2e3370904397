"""Why a limit is not higher: every reason, one function each.

A rule reads the `Context` and gives constraints. CVL, CCL and DCL are the least of theirs, DVL the
greatest, and all of them travel with the decision. To add a rule, write the function and put it into
RULES; what follows from one pack's sample alone goes into `pack_rules`. A rule must not need another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final

from bridge.battery.context import Context, Pack
from bridge.battery.n_minus_1 import n_minus_1
from bridge.battery.silence import branch, flat_top_v
from bridge.model import Constraint, Limit, PackSettings, PackState

BLIND_BELOW_V: Final = 0.10  # per cell, when not even the bus voltage was ever known (3.35 V for LFP)
HARD_STOPS: Final = frozenset({"cell_high", "cell_low", "cells_unreadable", "temperature"})
RECOVERY_A: Final = 10.0
RECOVERY_DISCHARGE_RATIO: Final = 0.1  # of the rating
RECOVERY_CHARGE_C_RATE: Final = 0.05

LIMITS: Final = tuple(Limit)

Rule = Callable[[Context], Iterable[Constraint]]
_value = attrgetter("value")


def start_up(context: Context) -> Iterable[Constraint]:
    """No current until every pack is there, or the wait is over."""
    if not context.waiting_for:
        return ()
    return _no_current("start_up", f"starting: waiting for {', '.join(context.waiting_for)}")


def nothing_heard(context: Context) -> Iterable[Constraint]:
    """No pack speaks: no current, and a charge voltage at which nothing flows by itself."""
    if context.any_heard:
        return ()
    volts, text = context.cautious_voltage_v, "the bus as it was last seen"
    if volts is None:
        volts, text = _charge_target_v(_lowest(context)), "the bus was never seen"
        volts -= _lowest(context).cells * BLIND_BELOW_V
    low = Constraint(limit=Limit.CVL, value=volts, rule="nothing_heard", text=text)
    return [*_no_current("nothing_heard", _unheard(context)), low]


def uncontained_fault(context: Context) -> Iterable[Constraint]:
    """Something that a BMS should have ended, and has not; silence does not end it."""
    return [
        stop
        for pack in _believed(context, context.leaves)
        if pack.fault is not None
        for stop in _no_current("fault", pack.fault[1], pack.member.name)
    ]


def watched(context: Context) -> Iterable[Constraint]:
    """What the watch over the packs' behaviour found: latched faults, and current through diodes."""
    return context.watched


def shared_current(context: Context) -> Iterable[Constraint]:
    """What the packs may carry, each at its share of the bank's current."""
    found: list[Constraint] = []
    for limit in (Limit.CCL, Limit.DCL):
        branches = [b for pack in context.packs if (b := branch(pack, limit, context)) is not None]
        found += context.sharing.limits(branches, limit) if branches else [_recovery(context, limit)]
    return found


def one_way_pack(context: Context) -> Iterable[Constraint]:
    """A pack with one open switch is not part of the parallel circuit, but when the bus moves far enough
    its diode conducts in the other direction: that must not meet a cell at its stop. And a switch that was
    off, of which nothing is said any more, may be closed: then the pack must be allowed to carry its part.
    """
    for pack in _believed(context, [pack for pack in context.packs if pack.open_switch]):
        facts = pack.facts
        assert facts is not None  # it has said so
        switches = (
            (Limit.CCL, facts.charge_switch_on, facts.sample.charge_fet_on),
            (Limit.DCL, facts.discharge_switch_on, facts.sample.discharge_fet_on),
        )
        for limit, switch_on, said_on in switches:
            for cause in pack.limits.current(limit):
                stops = said_on is None or (switch_on is not False and cause.rule in HARD_STOPS)
                if stops and cause.value <= 0:
                    text = f"{pack.member.name}: {cause.text}"
                    yield cause._replace(text=text, age_s=pack.member.age_s)


def bank_maximum(context: Context) -> Iterable[Constraint]:
    """The user's limits for the common cable, fuse or bus bar."""
    charge_a, discharge_a = context.settings.max_charge_current_a, context.settings.max_discharge_current_a
    return [
        Constraint(limit=limit, value=amps, rule="bank_maximum", text=f"the bank's own limit is {amps:g} A")
        for limit, amps in ((Limit.CCL, charge_a), (Limit.DCL, discharge_a))
        if amps is not None
    ]


def charging(context: Context) -> Iterable[Constraint]:
    """What the stage of the charge asks for, and the highest cell of the bank."""
    return context.charge.constraints


def discharge_floor(context: Context) -> Iterable[Constraint]:
    """Where discharging must have ended: of unlike packs, the highest."""
    packs = [pack.member.settings for pack in context.packs]
    own = packs[0] if len(packs) == 1 else max(packs, key=_discharge_floor_v)
    return (_discharge_floor(own.name, own.cells, own.cell_min_v),)


def pack_voltages(context: Context) -> Iterable[Constraint]:
    """What single packs ask for. What a lost pack asked for last holds: it only restricts."""
    return [asked for pack in _believed(context, context.packs) for asked in pack.limits.voltage]


def silent_pack_voltage(context: Context) -> Iterable[Constraint]:
    """A pack of which nothing is known may be on the bus: stay where no cell of it can be overcharged."""
    if context.settings.on_pack_lost == "exclude" or context.waiting_for:
        return ()
    return [_below_the_top(pack) for pack in context.packs if not pack.trusted]


def held(context: Context) -> Iterable[Constraint]:
    """What somebody asked for, and what an inverter that does not obey makes necessary."""
    return context.held


CIRCUIT: tuple[Rule, ...] = (
    shared_current,
    n_minus_1,
    one_way_pack,
    pack_voltages,
    silent_pack_voltage,
)
"""What holds between packs in parallel, on the bus bar and within a string."""

RULES: tuple[Rule, ...] = (
    start_up,
    nothing_heard,
    uncontained_fault,
    watched,
    bank_maximum,
    charging,
    discharge_floor,
    *CIRCUIT,
    held,
)


def constraints(context: Context) -> dict[Limit, list[Constraint]]:
    """Every reason for each limit, the binding one first; each list has at least one."""
    reasons: dict[Limit, list[Constraint]] = {limit: [] for limit in LIMITS}
    for rule in RULES:
        for constraint in rule(context):
            reasons[constraint.limit].append(constraint)
    for found in reasons.values():
        found.sort(key=_value)
    reasons[Limit.DVL].reverse()
    return reasons


def circuit(context: Context) -> list[Constraint]:
    """What packs in parallel are to each other, wherever in the bank they are, in no order."""
    return [constraint for rule in CIRCUIT for constraint in rule(context)]


def _believed(context: Context, packs: Sequence[Pack]) -> Iterable[Pack]:
    """All of them, except those that the user takes to be off when they are silent."""
    if context.settings.on_pack_lost != "exclude":
        return packs
    return [pack for pack in packs if pack.trusted]


def _unheard(context: Context) -> str:
    missing = [pack.member.name for pack in context.leaves if not pack.heard]
    if len(missing) == len(context.leaves):
        return "no pack is heard"
    return f"no string is whole: {', '.join(missing)} not heard"


def _recovery(context: Context, limit: Limit) -> Constraint:
    """No pack conducts. One with a single switch off may need a little current the other way, through the
    diode, before its BMS closes the switch again; it is never counted as more, nor as more than what a pack
    could take that said the same and then fell silent.
    """
    ready = [pack for pack in context.packs if _conducts_only(pack, limit)]
    if not any(pack.member.state is PackState.ACTIVE for pack in ready):
        return Constraint(limit=limit, value=0.0, rule="no_pack", text="no pack conducts")
    amps, name = min((_recovery_a(pack, limit), pack.member.name) for pack in _believed(context, ready))
    text = f"{name}: only to let its BMS close the other switch"
    return Constraint(limit=limit, value=amps, rule="recovery", text=text, pack=name)


def _recovery_a(pack: Pack, limit: Limit) -> float:
    own = pack.member.settings
    if limit is Limit.DCL:
        amps = RECOVERY_DISCHARGE_RATIO * own.rated_discharge_current_a
    else:
        amps = RECOVERY_CHARGE_C_RATE * own.capacity_ah
    return min(RECOVERY_A, amps, pack.limits.current(limit)[0].value)


def _conducts_only(pack: Pack, limit: Limit) -> bool:
    """Whether it can carry current in this direction and no other, as far as it is known."""
    if pack.facts is None:
        return False
    charge_on, discharge_on = pack.facts.charge_switch_on, pack.facts.discharge_switch_on
    this_on, other_on = (charge_on, discharge_on) if limit is Limit.CCL else (discharge_on, charge_on)
    return this_on is True and other_on is False and pack.limits.current(limit)[0].value > 0


def _lowest(context: Context) -> PackSettings:
    return min([pack.member.settings for pack in context.packs], key=_charge_target_v)


def _charge_target_v(own: PackSettings) -> float:
    return own.cells * own.cell_charge_v


def _discharge_floor_v(own: PackSettings) -> float:
    return own.cells * own.cell_min_v


@lru_cache
def _discharge_floor(name: str, cells: int, cell_min_v: float) -> Constraint:
    """It follows from the settings alone."""
    text = f"{name}: {cells} cells at {cell_min_v:.3f} V"
    value = cells * cell_min_v
    return Constraint(limit=Limit.DVL, value=value, rule="discharge_floor", text=text, pack=name)


def _below_the_top(pack: Pack) -> Constraint:
    own = pack.member.settings
    text = f"{own.name}: {pack.member.state.value}"
    return Constraint(limit=Limit.CVL, value=flat_top_v(own), rule="silent_pack", text=text, pack=own.name)


def _no_current(rule: str, text: str, pack: str | None = None) -> list[Constraint]:
    return [
        Constraint(limit=limit, value=0.0, rule=rule, text=text, pack=pack)
        for limit in (Limit.CCL, Limit.DCL)
    ]
