"""What holds for every bank and every history: hypothesis looks for one where it does not."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from math import fsum, isfinite

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.battery.aggregator import Aggregator
from bridge.model import BankSettings, Decision, Limit, Member, PackSample, PackSettings, PackState
from tests.battery.plain import needs_plain
from tests.battery.story import changed, well

STEP_S = 1.0
CURRENTS = (Limit.CCL, Limit.DCL)
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
LONG = settings(QUICK, max_examples=25)

pack_settings = st.builds(
    lambda q, c, d, fuse: PackSettings(
        name="", cells=4, capacity_ah=q, rated_charge_current_a=c, rated_discharge_current_a=d, fuse_a=fuse
    ),
    st.floats(20, 400),
    st.floats(5, 250),
    st.floats(5, 250),
    st.none() | st.floats(5, 250),
)
banks = st.lists(pack_settings, min_size=1, max_size=3).map(
    lambda packs: [replace(p, name=f"p{i}") for i, p in enumerate(packs)]
)
policies = st.builds(
    BankSettings,
    max_charge_current_a=st.none() | st.floats(0, 300),
    max_discharge_current_a=st.none() | st.floats(0, 300),
    on_pack_lost=st.sampled_from(["hold", "stop", "exclude"]),
    rise_after_s=st.sampled_from([0.0, 3.0]),
    rise_pct_per_s=st.sampled_from([2.0, 100.0]),
    ready_within_s=st.sampled_from([0.0, 5.0]),
    join_s=st.sampled_from([0.0, 4.0]),
)
flag = st.sampled_from([True, True, True, True, False, None])
cell = st.sampled_from([3.3, 3.3, 3.3, 3.35, 3.25]) | st.floats(2.7, 3.65)
temperature = st.just(25.0) | st.floats(-25, 65)
sometimes_a_limit = st.none() | st.floats(0, 200)


@st.composite
def samples(draw: st.DrawFn) -> PackSample:
    """A believable sample; mostly of a pack that is well."""
    cells_v = draw(st.tuples(cell, cell, cell, cell))
    return PackSample(
        time_s=0.0,
        voltage_v=fsum(cells_v),
        current_a=draw(st.floats(-200, 200)),
        soc=draw(st.floats(0, 1)),
        cell_voltages_v=cells_v,
        temperatures_c=draw(st.tuples(temperature, temperature)),
        mosfet_temperature_c=draw(st.none() | st.floats(0, 110)),
        charge_fet_on=draw(flag),
        discharge_fet_on=draw(flag),
        charge_allowed=draw(flag),
        discharge_allowed=draw(flag),
        charge_current_limit_a=draw(sometimes_a_limit),
        discharge_current_limit_a=draw(sometimes_a_limit),
    )


wild = st.floats(allow_nan=True, allow_infinity=True) | st.none()
wild_samples = st.builds(
    lambda sample, fields: changed(sample, **fields),
    samples(),
    st.fixed_dictionaries(
        {},
        optional={
            "voltage_v": wild,
            "current_a": wild,
            "soc": wild,
            "remaining_ah": wild,
            "cell_voltages_v": st.lists(wild, max_size=6).map(tuple),
            "temperatures_c": st.lists(wild, max_size=3).map(tuple),
            "mosfet_temperature_c": wild,
            "charge_voltage_limit_v": wild,
            "discharge_voltage_limit_v": wild,
            "charge_current_limit_a": wild,
            "discharge_current_limit_a": wild,
        },
    ),
)
moments = st.lists(st.none() | wild_samples, min_size=3, max_size=3)
histories = st.lists(st.tuples(moments, st.sampled_from([0.2, 1.0, 1.0, 6.0, 40.0])), min_size=1, max_size=12)


def hear(
    bank: Aggregator, packs: Sequence[PackSettings], said: Sequence[PackSample | None], now: float
) -> None:
    for pack, sample in zip(packs, said, strict=False):
        if sample is not None:
            bank.heard(pack.name, replace(sample, time_s=now), now)


def settled(
    packs: Sequence[PackSettings], policy: BankSettings, said: Sequence[PackSample]
) -> tuple[Aggregator, float]:
    """A bank whose packs have said the same for so long that nothing rises any more."""
    bank, now = Aggregator(packs, policy), 0.0
    for _ in range(12):
        now += STEP_S
        hear(bank, packs, said, now)
        bank.decide(now)
    return bank, now


def limits(decision: Decision) -> tuple[float, float]:
    return decision.charge_current_limit_a, decision.discharge_current_limit_a


def conducts(member: Member) -> bool:
    sample = member.sample
    if sample is None or member.state not in {PackState.ACTIVE, PackState.JOINING}:
        return False
    return sample.charge_fet_on is not False and sample.discharge_fet_on is not False


# Obedience is judged by what packs measure, so who is not heard accuses nobody: it is tried on its own.
FAST = BankSettings(rise_after_s=0.0, rise_pct_per_s=1000.0, ready_within_s=0.0, join_s=0.0, obedience="off")


@QUICK
@given(banks, policies, histories)
def test_whatever_was_heard_the_decision_is_whole_and_within_every_bound(
    packs: list[PackSettings], policy: BankSettings, history: list[tuple[list[PackSample | None], float]]
) -> None:
    bank, now = Aggregator(packs, policy), 100.0
    for said, pause_s in history:
        now += pause_s
        hear(bank, packs, said, now)
        decision = bank.decide(now)
        members = bank.members(now)
        ccl, dcl = limits(decision)
        cvl, dvl = decision.charge_voltage_limit_v, decision.discharge_voltage_limit_v

        assert all(isfinite(value) and value >= 0 for value in (ccl, dcl, cvl, dvl))
        assert cvl <= 4 * 3.45
        assert dvl >= 4 * 2.80
        assert (decision.charge_enabled, decision.discharge_enabled) == (ccl > 0, dcl > 0)
        assert ccl <= (policy.max_charge_current_a if policy.max_charge_current_a is not None else 1e9)
        assert dcl <= (policy.max_discharge_current_a if policy.max_discharge_current_a is not None else 1e9)
        if not any(m.state in {PackState.ACTIVE, PackState.JOINING, PackState.ISOLATED} for m in members):
            assert (ccl, dcl) == (0.0, 0.0)
        soc = decision.bank.soc
        assert soc is None or 0.0 <= soc <= 1.0
        assert not (soc == 0.0 and dcl > 0)


@QUICK
@given(banks, st.lists(samples(), min_size=3, max_size=3))
def test_what_packs_forbid_the_bank_does_not_allow(packs: list[PackSettings], said: list[PackSample]) -> None:
    bank, now = settled(packs, FAST, said)
    decision, members = bank.decide(now), bank.members(now)
    ccl, dcl = limits(decision)
    on_bus = [(m.settings, m.sample) for m in members if conducts(m) and m.sample is not None]

    heard = [m.sample for m in members if m.sample is not None]
    if not any(s.charge_allowed is True for s in heard):
        assert ccl == 0.0
    if not any(s.discharge_allowed is True for s in heard):
        assert dcl == 0.0
    for own, sample in on_bus:
        assert sample.cell_max_v is not None
        assert sample.cell_min_v is not None
        assert sample.temperature_min_c is not None
        if (
            sample.charge_allowed is not True
            or sample.cell_max_v >= own.cell_max_v
            or sample.temperature_min_c <= 0
        ):
            assert ccl == 0.0
        if sample.discharge_allowed is not True or sample.cell_min_v <= own.cell_min_v:
            assert dcl == 0.0
        if sample.cell_max_v >= own.cell_max_v and sample.voltage_v is not None:
            assert decision.charge_voltage_limit_v <= max(sample.voltage_v - 0.05, 4 * 3.30) + 1e-6
    if on_bus:
        assert ccl <= fsum(own.rated_charge_current_a for own, _ in on_bus) + 1e-6
        assert dcl <= fsum(own.rated_discharge_current_a for own, _ in on_bus) + 1e-6
    else:
        assert max(ccl, dcl) <= 10.0  # only to let a BMS close its switch again


@QUICK
@given(pack_settings, samples())
def test_a_lone_pack_gives_what_it_may_by_itself(own: PackSettings, sample: PackSample) -> None:
    sample = replace(sample, charge_fet_on=True, discharge_fet_on=True)
    bank, now = settled([replace(own, name="p0")], FAST, [sample])
    decision = bank.decide(now)

    for shown, limit, rated_a in (
        (decision.charge_current_limit_a, Limit.CCL, own.rated_charge_current_a),
        (decision.discharge_current_limit_a, Limit.DCL, own.rated_discharge_current_a),
    ):
        allowed_a = min(reason.value for reason in decision.constraints[limit] if reason.rule != "rising")
        assert shown <= allowed_a + 1e-6
        assert shown <= rated_a
        assert shown == 0.0 or shown > allowed_a - 0.1
        assert (
            shown > 0.0 or allowed_a < 0.016 * rated_a + 0.1 or decision.constraints[limit][0].rule == "guard"
        )


@QUICK
@given(banks, st.lists(samples(), min_size=3, max_size=3))
def test_the_order_of_the_packs_does_not_matter(packs: list[PackSettings], said: list[PackSample]) -> None:
    def told(order: Sequence[int]) -> Decision:
        bank, now = settled([packs[i] for i in order], FAST, [said[i] for i in order])
        return bank.decide(now)

    forward, backward = told(range(len(packs))), told(range(len(packs))[::-1])

    assert limits(forward) == limits(backward)
    assert forward.charge_voltage_limit_v == backward.charge_voltage_limit_v
    assert forward.discharge_voltage_limit_v == backward.discharge_voltage_limit_v
    assert forward.bank == backward.bank
    assert (forward.warnings, forward.protections) == (backward.warnings, backward.protections)


@needs_plain
@LONG
@given(
    banks,
    st.lists(samples(), min_size=3, max_size=3),
    st.sampled_from(["hold", "stop"]),
    st.booleans(),
    st.integers(0, 2),
)
def test_losing_a_pack_never_raises_a_limit(
    packs: list[PackSettings], said: list[PackSample], policy: str, down: bool, victim: int
) -> None:
    """The same history goes on once with the pack and once without it, past the time when it is lost."""
    victim %= len(packs)
    bank, now = settled(packs, replace(FAST, on_pack_lost=policy), said)
    silent = copy.deepcopy(bank)
    if down:
        silent.link(packs[victim].name, up=False, now=now)
    for i in range(50):
        now += STEP_S
        moving = [replace(s, remaining_ah=float(i)) for s in said]  # or it would count as frozen
        hear(bank, packs, moving, now)
        hear(silent, packs, [None if j == victim else s for j, s in enumerate(moving)], now)
        spoken, unspoken = bank.decide(now), silent.decide(now)

        assert limits(unspoken)[0] <= limits(spoken)[0]
        assert limits(unspoken)[1] <= limits(spoken)[1]
        assert unspoken.charge_voltage_limit_v <= spoken.charge_voltage_limit_v
        assert unspoken.discharge_voltage_limit_v >= spoken.discharge_voltage_limit_v


LOSABLE = {
    "voltage_v": None,
    "current_a": None,
    "soc": None,
    "cell_voltages_v": (),
    "temperatures_c": (),
    "mosfet_temperature_c": None,
    "charge_fet_on": None,
    "discharge_fet_on": None,
    "charge_allowed": None,
    "discharge_allowed": None,
    "charge_current_limit_a": None,
    "discharge_current_limit_a": None,
}


def with_hole(sample: PackSample, field: str, index: int) -> PackSample:
    """The sample without one field, or without one of its cells or probes."""
    values = getattr(sample, field)
    if not isinstance(values, tuple) or index >= len(values):
        return changed(sample, **{field: LOSABLE[field]})
    return changed(sample, **{field: (*values[:index], None, *values[index + 1 :])})


@needs_plain
@QUICK
@given(
    banks,
    st.lists(samples(), min_size=3, max_size=3),
    st.sets(st.sampled_from(sorted(LOSABLE)), min_size=1, max_size=3),
    st.integers(0, 4),
    st.integers(0, 2),
)
def test_losing_values_of_a_pack_never_raises_a_limit(
    packs: list[PackSettings], said: list[PackSample], fields: set[str], index: int, victim: int
) -> None:
    victim %= len(packs)
    bank, now = settled(packs, FAST, said)
    blind = copy.deepcopy(bank)
    holes = said[victim]
    for field in sorted(fields):
        holes = with_hole(holes, field, index)
    for i in range(12):
        now += STEP_S
        moving = [replace(s, remaining_ah=float(i)) for s in said]
        hear(bank, packs, moving, now)
        hear(
            blind,
            packs,
            [replace(holes, remaining_ah=float(i)) if j == victim else s for j, s in enumerate(moving)],
            now,
        )
        seeing, unseeing = bank.decide(now), blind.decide(now)

        assert limits(unseeing)[0] <= limits(seeing)[0]
        assert limits(unseeing)[1] <= limits(seeing)[1]
        assert unseeing.charge_voltage_limit_v <= seeing.charge_voltage_limit_v


@QUICK
@given(banks, histories)
def test_limits_rise_no_faster_than_configured_and_fall_at_once(
    packs: list[PackSettings], history: list[tuple[list[PackSample | None], float]]
) -> None:
    policy = BankSettings(rise_after_s=0.0, ready_within_s=0.0, join_s=0.0)
    bank, now, before = Aggregator(packs, policy), 0.0, (0.0, 0.0)
    rated_a = [
        fsum(min(p.rated_charge_current_a, p.fuse_a or 1e9) for p in packs),
        fsum(min(p.rated_discharge_current_a, p.fuse_a or 1e9) for p in packs),
    ]
    for said, pause_s in history:
        now += pause_s
        hear(bank, packs, said, now)
        decision = bank.decide(now)
        for shown, last, rated, limit in zip(limits(decision), before, rated_a, CURRENTS, strict=True):
            # 1.5 %: out of the dead band around zero it comes in one step
            assert shown <= last + rated * (0.02 * min(pause_s, 3.0) + 0.015) + 0.1
            assert shown <= min(reason.value for reason in decision.constraints[limit]) + 1e-6
        before = limits(decision)


@QUICK
@given(
    banks,
    st.lists(samples(), min_size=3, max_size=3),
    st.integers(0, 2),
    st.integers(0, 3),
    st.floats(0, 0.25),
)
def test_a_worse_cell_never_raises_a_limit(
    packs: list[PackSettings], said: list[PackSample], victim: int, index: int, by_v: float
) -> None:
    victim %= len(packs)

    def told(shift_v: float) -> tuple[float, float]:
        cells_v = list(said[victim].cell_voltages_v)
        cells_v[index] = (cells_v[index] or 0.0) + shift_v
        worse = replace(said[victim], cell_voltages_v=tuple(cells_v), voltage_v=None)
        bank, now = settled(packs, FAST, [worse if i == victim else s for i, s in enumerate(said)])
        return limits(bank.decide(now))

    assert told(by_v)[0] <= told(0.0)[0]
    assert told(-by_v)[1] <= told(0.0)[1]


def test_splitting_a_pack_in_two_equal_halves_changes_little_beside_others() -> None:
    """Beside others only: a lone pack needs no margin for its share, two halves of it do."""
    whole = PackSettings(
        name="whole", cells=16, capacity_ah=200, rated_charge_current_a=100, rated_discharge_current_a=100
    )
    half = replace(whole, capacity_ah=100, rated_charge_current_a=50, rated_discharge_current_a=50)
    rest = [replace(whole, name=name) for name in ("b", "c")]
    one, now = settled([whole, *rest], FAST, [well()] * 3)
    two, _ = settled([replace(half, name="h1"), replace(half, name="h2"), *rest], FAST, [well()] * 4)

    for a, b in zip(limits(one.decide(now)), limits(two.decide(now)), strict=True):
        assert abs(a - b) <= 0.03 * a
