"""The design's invariants as functions of one decision, what led to it, and the decision before.

Each is named by its number there. They read samples and settings themselves and use nothing of the
aggregator's own working, so that a slip in it cannot excuse itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum, inf, isfinite

from bridge.model import BankSettings, Decision, Limit, Member, PackSample, PackState

DEAD_BAND = 0.015  # of the rating: out of zero a limit comes in one step
STEP_MAX_S = 3.0
FULL_BELOW_V = 0.08  # below the charge target, a cell at rest that is full
FLAT_BELOW_V = 0.075  # below the charge target: where a bank with a silent pack stays
TINY = 1e-6

HEARD = frozenset({PackState.ACTIVE, PackState.JOINING, PackState.ISOLATED})


@dataclass(frozen=True, slots=True)
class Step:
    """One decision. silent_s: since the last sample of any pack; before: the decision before, and for how
    long; settled: start-up was over in both.
    """

    decision: Decision
    members: tuple[Member, ...]
    bank: BankSettings
    silent_s: float
    before: Decision | None = None
    elapsed_s: float = 0.0
    settled: bool = False


def broken(step: Step) -> Iterator[str]:
    """Every invariant that does not hold, in a sentence."""
    for law in LAWS:
        yield from law(step)


def i1_every_limit_is_a_number(step: Step) -> Iterator[str]:
    """CCL, DCL, CVL, DVL are finite and not negative, and permissions agree with them."""
    d = step.decision
    values = (*_currents(d), d.charge_voltage_limit_v, d.discharge_voltage_limit_v)
    if not all(isinstance(v, float | int) and isfinite(v) and v >= 0 for v in values):
        yield f"I1: {values}"
    if (d.charge_enabled, d.discharge_enabled) != tuple(amps > 0 for amps in _currents(d)):
        yield "I1: a permission without a limit, or the other way round"
    if {limit for limit, found in d.constraints.items() if not found} or set(d.constraints) != set(Limit):
        yield "I1: a limit without a reason"


def i2_no_more_than_all_packs_and_the_user(step: Step) -> Iterator[str]:
    """No limit is above what the packs that may be on the bus are rated for, or the user's own."""
    for limit, amps, user_a in zip(
        (Limit.CCL, Limit.DCL),
        _currents(step.decision),
        (step.bank.max_charge_current_a, step.bank.max_discharge_current_a),
        strict=True,
    ):
        most_a = fsum(_rated_a(m, limit) for m in step.members if not _gone(m))
        if amps > max(most_a, 10.0) + TINY:
            yield f"I2: {limit.value} {amps} of {most_a} A"
        if user_a is not None and amps > user_a:
            yield f"I2: {limit.value} {amps} above the user's {user_a}"


def i4_nobody_may_so_the_bank_may_not(step: Step) -> Iterator[str]:
    """No pack that is heard permits a direction: it is closed."""
    heard = [s for m in step.members if m.state in HEARD and (s := m.sample) is not None]
    ccl, dcl = _currents(step.decision)
    if ccl > 0 and not any(s.charge_allowed is True for s in heard):
        yield f"I4: CCL {ccl} and no pack permits it"
    if dcl > 0 and not any(s.discharge_allowed is True for s in heard):
        yield f"I4: DCL {dcl} and no pack permits it"


def i5_a_pack_that_must_not_is_not_carried_along(step: Step) -> Iterator[str]:
    """A pack on the bus takes its share of whatever flows: it may not, so the bank may not."""
    ccl, dcl = _currents(step.decision)
    for m, s in _on_bus(step.members):
        if s.charge_fet_on is False or s.discharge_fet_on is False:
            continue
        if s.charge_allowed is not True and ccl > 0:
            yield f"I5: {m.name} is not to be charged, CCL {ccl}"
        if s.discharge_allowed is not True and dcl > 0:
            yield f"I5: {m.name} is not to be discharged, DCL {dcl}"


def i6_a_cell_at_its_end_ends_the_current(step: Step) -> Iterator[str]:
    """A cell at its maximum or minimum, heard or held, stops that direction, and lowers CVL below the bus."""
    ccl, dcl = _currents(step.decision)
    for m, s in _on_bus(step.members):
        cells_v = [v for v in s.cell_voltages_v if v is not None]
        own = m.settings
        if cells_v and s.charge_fet_on is not False and max(cells_v) >= own.cell_max_v:
            if ccl > 0:
                yield f"I6: {m.name} has a cell at {max(cells_v)} V, CCL {ccl}"
            # Not the sum of the cells: one that jumped is held back for a sample.
            bus_v = sum(cells_v) if s.voltage_v is None else s.voltage_v
            lowest_v = max(bus_v - 0.05, own.cells * (own.cell_charge_v - 0.15)) + TINY
            if len(cells_v) == own.cells and step.decision.charge_voltage_limit_v > lowest_v:
                yield f"I6: CVL {step.decision.charge_voltage_limit_v} with a cell at {max(cells_v)} V"
        if cells_v and s.discharge_fet_on is not False and min(cells_v) <= own.cell_min_v and dcl > 0:
            yield f"I6: {m.name} has a cell at {min(cells_v)} V, DCL {dcl}"


def i7_no_charging_of_frozen_cells(step: Step) -> Iterator[str]:
    """A probe at or below the coldest for charging, switch on: CCL is 0."""
    ccl, _ = _currents(step.decision)
    for m, s in _on_bus(step.members):
        cold = [t for t in s.temperatures_c if t is not None and t <= m.settings.temperature_min_charge_c]
        if cold and s.charge_fet_on is not False and ccl > 0:
            yield f"I7: {m.name} at {cold[0]} degC, CCL {ccl}"


def i8_nothing_derives_from_data_that_is_too_old(step: Step) -> Iterator[str]:
    """Nobody heard for as long as the most patient pack may be silent: no current. `stop` waits for none."""
    lost_s = [m.settings.lost_after_s for m in step.members]
    if step.silent_s > max(lost_s) and max(_currents(step.decision)) > 0:
        yield f"I8: {_currents(step.decision)} after {step.silent_s} s of silence"
    lost = [m for m in step.members if m.state in {PackState.LOST, PackState.QUARANTINE}]
    if step.bank.on_pack_lost == "stop" and lost and max(_currents(step.decision)) > 0:
        yield f"I8: {_currents(step.decision)} without {lost[0].name}"


def i9_up_slowly_down_at_once(step: Step) -> Iterator[str]:
    """No limit rises faster than configured; none is above the least of the reasons given for it."""
    for limit, amps in zip((Limit.CCL, Limit.DCL), _currents(step.decision), strict=True):
        reasons = step.decision.constraints[limit]
        if amps > min(reason.value for reason in reasons) + TINY:
            yield f"I9: {limit.value} {amps} above {reasons[0]}"
        before_a = 0.0
        if step.before is not None:
            before_a = _currents(step.before)[limit is Limit.DCL]
        rated_a = fsum(_rated_a(m, limit) for m in step.members)
        rate = step.bank.rise_pct_per_s / 100 * min(step.elapsed_s, STEP_MAX_S)
        if amps > before_a + rated_a * (rate + DEAD_BAND) + 0.1 + TINY:
            yield f"I9: {limit.value} from {before_a} to {amps} in {step.elapsed_s} s"


def i14_full_and_empty_are_not_said_lightly(step: Step) -> Iterator[str]:
    """100 % only with every heard pack's highest cell up where full cells are; 0 % only with DCL 0."""
    soc, (_, dcl) = step.decision.bank.soc, _currents(step.decision)
    if soc is None:
        return
    if not 0.0 <= soc <= 1.0:
        yield f"I14: SoC {soc}"
    if soc == 0.0 and dcl > 0:
        yield f"I14: empty, and DCL {dcl}"
    if soc < 1.0:
        return
    for m in step.members:
        cells_v = [v for v in m.sample.cell_voltages_v if v is not None] if m.sample else []
        if m.state is PackState.ACTIVE and cells_v:
            least_v = m.settings.cell_charge_v - FULL_BELOW_V
            if max(cells_v) < least_v - TINY and not _gone(m):
                yield f"I14: full, and {m.name} at {max(cells_v)} V"


def i15_cvl_keeps_its_bounds_and_its_pace(step: Step) -> Iterator[str]:
    """CVL is a multiple of 0.1 V, at most every pack's target, and rises by 0.02 V/s and a step."""
    cvl = step.decision.charge_voltage_limit_v
    if abs(10 * cvl - round(10 * cvl)) > TINY:
        yield f"I15: CVL {cvl} is no multiple of 0.1 V"
    target_v = min(m.settings.cells * m.settings.cell_charge_v for m in step.members)
    if cvl > target_v + TINY:
        yield f"I15: CVL {cvl} above {target_v}"
    if step.before is not None and step.settled:
        rise_v = cvl - step.before.charge_voltage_limit_v
        if rise_v > 0.02 * min(step.elapsed_s, STEP_MAX_S) + 0.1 + TINY:
            yield f"I15: CVL rises by {rise_v} in {step.elapsed_s} s"


def silent_packs_stay_off_the_top(step: Step) -> Iterator[str]:
    """With a pack lost that may be on the bus, CVL stays where none of its cells can be overcharged."""
    if step.bank.on_pack_lost == "exclude" or not step.settled:
        return
    for m in step.members:
        own = m.settings
        if m.state is PackState.LOST:
            flat_v = own.cells * (own.cell_charge_v - FLAT_BELOW_V)
            if step.decision.charge_voltage_limit_v > flat_v + TINY:
                yield f"8.3: CVL {step.decision.charge_voltage_limit_v} with {m.name} lost"


LAWS = (
    i1_every_limit_is_a_number,
    i2_no_more_than_all_packs_and_the_user,
    i4_nobody_may_so_the_bank_may_not,
    i5_a_pack_that_must_not_is_not_carried_along,
    i6_a_cell_at_its_end_ends_the_current,
    i7_no_charging_of_frozen_cells,
    i8_nothing_derives_from_data_that_is_too_old,
    i9_up_slowly_down_at_once,
    i14_full_and_empty_are_not_said_lightly,
    i15_cvl_keeps_its_bounds_and_its_pace,
    silent_packs_stay_off_the_top,
)


def rises(before: Decision, after: Decision) -> list[str]:
    """Which limits of `after` allow more than those of `before`."""
    found = [
        f"{limit.value} {a} -> {b}"
        for limit, a, b in zip((Limit.CCL, Limit.DCL), _currents(before), _currents(after), strict=True)
        if b > a + TINY
    ]
    if after.charge_voltage_limit_v > before.charge_voltage_limit_v + TINY:
        found.append(f"CVL {before.charge_voltage_limit_v} -> {after.charge_voltage_limit_v}")
    if after.discharge_voltage_limit_v < before.discharge_voltage_limit_v - TINY:
        found.append(f"DVL {before.discharge_voltage_limit_v} -> {after.discharge_voltage_limit_v}")
    return found


def _currents(decision: Decision) -> tuple[float, float]:
    return decision.charge_current_limit_a, decision.discharge_current_limit_a


def _rated_a(member: Member, limit: Limit) -> float:
    own = member.settings
    rated_a = own.rated_charge_current_a if limit is Limit.CCL else own.rated_discharge_current_a
    return min(rated_a, inf if own.fuse_a is None else own.fuse_a)


def _gone(member: Member) -> bool:
    s = member.sample
    return (
        member.state in HEARD and s is not None and s.charge_fet_on is False and s.discharge_fet_on is False
    )


def _on_bus(members: Sequence[Member]) -> Iterator[tuple[Member, PackSample]]:
    """Packs that are heard or only just silent, with what they said last."""
    for m in members:
        if m.sample is not None and m.state in HEARD | {PackState.STALE}:
            yield m, m.sample
