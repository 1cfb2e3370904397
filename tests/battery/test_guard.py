from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest

from bridge.battery.guard import guard
from bridge.model import (
    Alarm,
    Bank,
    BankSettings,
    Constraint,
    Decision,
    Limit,
    Member,
    PackSample,
    PackSettings,
    PackState,
    Topology,
    Wiring,
)
from tests.battery.story import ATTIC, GARAGE, SHED, changed, well, with_cell
from tests.battery.wiring import FOUR, GROUPS, IN_SERIES, STRINGS

NOW = 1000.0
BANK = BankSettings()
PLAIN = Decision(
    time_s=NOW,
    bank=Bank(),
    charge_voltage_limit_v=55.2,
    discharge_voltage_limit_v=44.8,
    charge_current_limit_a=100.0,
    discharge_current_limit_a=120.0,
    charge_enabled=True,
    discharge_enabled=True,
)


def member(sample: PackSample | None, settings: PackSettings = GARAGE) -> Member:
    """A pack heard half a second ago, if its sample does not say otherwise; its state is no matter."""
    if sample is not None and sample.time_s == 0.0:
        sample = replace(sample, time_s=NOW - 0.5)
    return Member(settings=settings, state=PackState.STALE, sample=sample, age_s=None)


def guarded(
    *members: Member, decision: Decision = PLAIN, bank: BankSettings = BANK, now: float = NOW
) -> Decision:
    first = guard(decision, members, bank, now)
    assert guard(first, members, bank, now) is first  # twice changes nothing
    return first


def currents(decision: Decision) -> tuple[float, float]:
    return decision.charge_current_limit_a, decision.discharge_current_limit_a


def test_a_decision_that_is_in_order_passes_as_it_is() -> None:
    assert guarded(member(well())) is PLAIN


def test_alarms_that_a_decision_has_already_are_no_reason_to_touch_it() -> None:
    had = frozenset({Alarm.CELL_OVERVOLTAGE})
    decision = PLAIN._replace(protections=had, warnings=had)

    assert guarded(member(well()), decision=decision) is decision


def test_a_limit_that_was_lowered_says_why_before_all_others() -> None:
    reason = Constraint(limit=Limit.CCL, value=100.0, rule="rating", text="rated")
    decision = PLAIN._replace(constraints={Limit.CCL: (reason,)})

    after = guarded(member(with_cell(well(), 7, 3.55)), decision=decision)

    said, *others = after.constraints[Limit.CCL]
    assert (said.rule, said.value, said.text) == (
        "guard",
        0.0,
        "garage: a cell is at its limit, or cannot be read",
    )
    assert others == [reason]
    assert Limit.DCL not in after.constraints


def test_of_several_packs_at_their_end_the_first_is_named() -> None:
    high = with_cell(well(), 7, 3.55)

    after = guarded(member(high), member(high, SHED))

    assert after.constraints[Limit.CCL][0].text == "garage: a cell is at its limit, or cannot be read"


@pytest.mark.parametrize("value", [nan, inf, -inf, -0.1, None])
@pytest.mark.parametrize("field", ["charge_current_limit_a", "discharge_current_limit_a"])
def test_a_current_that_is_no_limit_is_zero(field: str, value: float | None) -> None:
    decision = PLAIN._replace(**{field: value})  # type: ignore[arg-type]  # what must not happen

    after = guarded(member(well()), decision=decision)

    assert currents(after) == ((0.0, 120.0) if field.startswith("charge") else (100.0, 0.0))
    assert (after.charge_enabled, after.discharge_enabled) == (currents(after)[0] > 0, currents(after)[1] > 0)


@pytest.mark.parametrize("value", [nan, inf, -inf, -0.1, None])
def test_without_a_charge_voltage_there_is_no_charging(value: float | None) -> None:
    decision = PLAIN._replace(charge_voltage_limit_v=value)  # type: ignore[arg-type]  # what must not happen

    after = guarded(member(well()), decision=decision)

    assert after.charge_voltage_limit_v == 0.0
    assert currents(after) == (0.0, 120.0)


@pytest.mark.parametrize("value", [nan, inf, -inf, -0.1, None])
def test_without_a_discharge_voltage_there_is_no_discharging(value: float | None) -> None:
    decision = PLAIN._replace(discharge_voltage_limit_v=value)  # type: ignore[arg-type]  # what must not happen

    after = guarded(member(well()), decision=decision)

    assert after.discharge_voltage_limit_v == pytest.approx(44.8)
    assert currents(after) == (100.0, 0.0)


@pytest.mark.parametrize(
    ("age_s", "passes"), [(0.0, True), (3.0, True), (3.001, False), (-3.001, False), (nan, False)]
)
def test_a_decision_that_is_too_old_is_zeros_and_an_alarm(age_s: float, passes: bool) -> None:
    after = guarded(member(well()), decision=PLAIN._replace(time_s=NOW - age_s))

    assert currents(after) == ((100.0, 120.0) if passes else (0.0, 0.0))
    assert (after.charge_enabled, after.discharge_enabled) == (passes, passes)
    assert after.protections == after.warnings == (frozenset() if passes else {Alarm.BMS_COMMUNICATION})


def test_an_old_decision_of_zeros_still_raises_the_alarm() -> None:
    zeros = PLAIN._replace(
        time_s=NOW - 10,
        charge_current_limit_a=0.0,
        discharge_current_limit_a=0.0,
        charge_enabled=False,
        discharge_enabled=False,
    )

    assert guarded(member(well()), decision=zeros).protections == {Alarm.BMS_COMMUNICATION}


@pytest.mark.parametrize(
    ("age_s", "heard"), [(29.9, True), (30.0, True), (30.1, False), (-30.1, False), (nan, False)]
)
def test_a_pack_is_heard_by_the_time_of_its_data_whatever_its_state(age_s: float, heard: bool) -> None:
    after = guarded(member(well(NOW - age_s)))

    assert currents(after) == ((100.0, 120.0) if heard else (0.0, 0.0))


def test_without_any_pack_there_is_no_current_and_no_charge_voltage() -> None:
    after = guarded()

    assert currents(after) == (0.0, 0.0)
    assert after.charge_voltage_limit_v == 0.0


def test_a_pack_that_was_never_heard_gives_nothing() -> None:
    assert currents(guarded(member(None))) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("settings", "charge_a", "discharge_a"),
    [
        (replace(GARAGE, rated_charge_current_a=99.9), 99.9, 120.0),
        (replace(GARAGE, rated_discharge_current_a=119.9), 100.0, 119.9),
        (replace(GARAGE, fuse_a=110.0), 100.0, 110.0),
        (replace(GARAGE, fuse_a=150.0), 100.0, 120.0),
        (replace(GARAGE, fuse_a=0.0), 0.0, 0.0),
    ],
)
def test_never_more_than_rating_and_fuse(settings: PackSettings, charge_a: float, discharge_a: float) -> None:
    assert currents(guarded(member(well(), settings))) == (charge_a, discharge_a)


def test_only_packs_that_are_heard_add_to_the_sum() -> None:
    much = PLAIN._replace(charge_current_limit_a=1000.0, discharge_current_limit_a=1000.0)

    both = guarded(member(well(), SHED), member(well(), ATTIC), decision=much)
    one = guarded(member(well(), SHED), member(well(NOW - 31), ATTIC), decision=much)

    assert currents(both) == (150.0, 150.0)
    assert currents(one) == (100.0, 100.0)


@pytest.mark.parametrize(("maximum_a", "limit_a"), [(None, 100.0), (100.1, 100.0), (99.9, 99.9), (0.0, 0.0)])
def test_never_more_than_the_users_limits(maximum_a: float | None, limit_a: float) -> None:
    bank = BankSettings(max_charge_current_a=maximum_a)
    assert currents(guarded(member(well()), bank=bank)) == (limit_a, 120.0)

    level = PLAIN._replace(discharge_current_limit_a=100.0)
    bank = BankSettings(max_discharge_current_a=maximum_a)
    assert currents(guarded(member(well()), decision=level, bank=bank)) == (100.0, limit_a)


def test_the_users_limits_above_what_the_packs_carry_raise_nothing() -> None:
    much = PLAIN._replace(charge_current_limit_a=1000.0, discharge_current_limit_a=1000.0)
    bank = BankSettings(max_charge_current_a=500.0, max_discharge_current_a=500.0)

    assert currents(guarded(member(well()), decision=much, bank=bank)) == (140.0, 140.0)


@pytest.mark.parametrize(
    ("cell_v", "charge", "discharge"),
    [
        (3.549, True, True),
        (3.55, False, True),
        (3.551, False, True),
        (4.2, False, True),
        (2.801, True, True),
        (2.80, True, False),
        (2.799, True, False),
        (1.0, True, False),
        (0.0, True, False),
        (nan, False, False),
        (None, False, False),
    ],
)
def test_a_cell_at_its_limit_ends_its_direction(cell_v: float | None, charge: bool, discharge: bool) -> None:
    for index in (1, 7, 16):
        after = guarded(member(with_cell(well(), index, cell_v)), member(well(), SHED))

        assert currents(after) == (100.0 * charge, 120.0 * discharge)
        assert (after.charge_enabled, after.discharge_enabled) == (charge, discharge)


def test_a_pack_whose_switch_is_open_in_a_direction_does_not_end_it() -> None:
    high = changed(with_cell(well(), 7, 3.60), charge_fet_on=False, charge_allowed=False)
    low = changed(with_cell(well(), 7, 2.70), discharge_fet_on=False, discharge_allowed=False)

    assert guarded(member(high), member(well(), SHED)) is PLAIN
    assert currents(guarded(member(low), member(well(), SHED))) == (100.0, 100.0)


@pytest.mark.parametrize("allowed", [False, None])
def test_a_pack_that_does_not_permit_a_direction_adds_nothing_to_it(allowed: bool | None) -> None:
    much = PLAIN._replace(charge_current_limit_a=1000.0, discharge_current_limit_a=1000.0)
    no_charge, no_discharge = (
        changed(well(), charge_allowed=allowed),
        changed(well(), discharge_allowed=allowed),
    )

    assert currents(guarded(member(no_charge), member(well(), SHED), decision=much)) == (100.0, 240.0)
    assert currents(guarded(member(no_discharge), member(well(), SHED), decision=much)) == (240.0, 100.0)


def test_a_switch_that_nobody_reports_counts_as_closed() -> None:
    high = changed(with_cell(well(), 7, 3.60), charge_fet_on=None)
    low = changed(with_cell(well(), 7, 2.70), discharge_fet_on=None)

    assert currents(guarded(member(high))) == (0.0, 120.0)
    assert currents(guarded(member(low))) == (100.0, 0.0)


@pytest.mark.parametrize(
    ("volts", "charge", "discharge"),
    [
        (56.79, True, True),
        (56.8, False, True),
        (44.81, True, True),
        (44.8, True, False),
        (nan, False, False),
        (None, False, False),
    ],
)
def test_without_cells_their_mean_is_judged(volts: float | None, charge: bool, discharge: bool) -> None:
    after = guarded(member(changed(well(), cell_voltages_v=(), voltage_v=volts)))

    assert currents(after) == (100.0 * charge, 120.0 * discharge)


@pytest.mark.parametrize(
    ("temperature_c", "charge", "discharge"),
    [
        (0.1, True, True),
        (0.0, False, True),
        (-0.1, False, True),
        (54.9, True, True),
        (55.0, False, True),
        (59.9, False, True),
        (60.0, False, False),
        (60.1, False, False),
        (-19.9, False, True),
        (-20.0, False, False),
        (-20.1, False, False),
        (nan, False, False),
        (None, True, True),
    ],
)
def test_a_cell_too_cold_or_too_hot_ends_its_direction(
    temperature_c: float | None, charge: bool, discharge: bool
) -> None:
    after = guarded(member(changed(well(), temperatures_c=(25.0, temperature_c))), member(well(), SHED))

    assert currents(after) == (100.0 * charge, 120.0 * discharge)


@pytest.mark.parametrize("temperatures_c", [(), (None,), (None, None)])
def test_a_pack_without_a_temperature_is_judged_by_its_cells(temperatures_c: tuple[None, ...]) -> None:
    assert guarded(member(changed(well(), temperatures_c=temperatures_c))) is PLAIN


def test_temperature_of_a_pack_with_open_switches_does_not_matter() -> None:
    cold = changed(well(temperature_c=-30.0), charge_fet_on=False, discharge_fet_on=False)

    assert guarded(member(cold), member(well(), SHED)) is PLAIN


@pytest.mark.parametrize("allowed", [False, None])
def test_when_no_pack_permits_a_direction_there_is_none(allowed: bool | None) -> None:
    assert currents(guarded(member(changed(well(), charge_allowed=allowed)))) == (0.0, 120.0)
    assert currents(guarded(member(changed(well(), discharge_allowed=allowed)))) == (100.0, 0.0)
    assert guarded(member(changed(well(), charge_allowed=allowed)), member(well(), SHED)) is PLAIN


@pytest.mark.parametrize(
    ("asked_v", "given_v"), [(56.8, 56.8), (56.79, 56.79), (56.81, 56.8), (80.0, 56.8), (0.0, 0.0)]
)
def test_the_charge_voltage_stays_below_the_cells_maximum(asked_v: float, given_v: float) -> None:
    after = guarded(member(well()), decision=PLAIN._replace(charge_voltage_limit_v=asked_v))

    assert after.charge_voltage_limit_v == pytest.approx(given_v)


@pytest.mark.parametrize(("asked_v", "given_v"), [(44.8, 44.8), (44.79, 44.8), (0.0, 44.8), (48.0, 48.0)])
def test_the_discharge_voltage_stays_above_the_cells_minimum(asked_v: float, given_v: float) -> None:
    after = guarded(member(well()), decision=PLAIN._replace(discharge_voltage_limit_v=asked_v))

    assert after.discharge_voltage_limit_v == pytest.approx(given_v)


def test_of_unlike_packs_the_narrower_voltages_count_also_of_one_that_is_silent() -> None:
    narrow = replace(SHED, cell_max_v=3.5, cell_min_v=3.0)
    decision = PLAIN._replace(charge_voltage_limit_v=56.8)

    after = guarded(member(well()), member(None, narrow), decision=decision)

    assert after.charge_voltage_limit_v == pytest.approx(56.0)
    assert after.discharge_voltage_limit_v == pytest.approx(48.0)


def test_without_a_limit_there_is_no_permission_and_no_request() -> None:
    wishes = PLAIN._replace(charge_current_limit_a=0.0, force_charge=True, full_charge_request=True)

    after = guarded(member(well()), decision=wishes)

    assert (after.charge_enabled, after.force_charge, after.full_charge_request) == (False, False, False)
    assert after.discharge_enabled

    after = guarded(member(well()), decision=PLAIN._replace(discharge_current_limit_a=0.0))

    assert (after.charge_enabled, after.discharge_enabled) == (True, False)


def test_requests_pass_while_charging_is_possible() -> None:
    wishes = PLAIN._replace(force_charge=True, full_charge_request=True)

    assert guarded(member(well()), decision=wishes) is wishes


def test_a_permission_that_was_refused_is_never_given() -> None:
    refused = PLAIN._replace(charge_enabled=False, discharge_enabled=False, discharge_current_limit_a=500.0)

    after = guarded(member(well()), decision=refused)

    assert (after.charge_enabled, after.discharge_enabled) == (False, False)


@pytest.mark.parametrize("wish", ["charge_enabled", "force_charge", "full_charge_request"])
def test_each_wish_alone_ends_with_the_limit(wish: str) -> None:
    nothing = PLAIN._replace(charge_current_limit_a=0.0, charge_enabled=False)

    assert guarded(member(well()), decision=changed_decision(nothing, wish)) == nothing


def test_what_is_lowered_in_one_direction_leaves_the_other_direction_as_it_is() -> None:
    wishes = PLAIN._replace(force_charge=True, full_charge_request=True, charge_current_limit_a=0.5)

    after = guarded(member(with_cell(well(), 7, 2.8)), decision=wishes)

    assert (after.charge_enabled, after.force_charge, after.full_charge_request) == (True, True, True)
    assert currents(after) == (0.5, 0.0)

    after = guarded(
        member(with_cell(well(), 7, 3.55)), decision=PLAIN._replace(discharge_current_limit_a=0.5)
    )

    assert after.discharge_enabled
    assert currents(after) == (0.0, 0.5)


def test_a_small_limit_is_still_a_limit() -> None:
    small = PLAIN._replace(charge_current_limit_a=0.1, discharge_current_limit_a=0.1)

    assert guarded(member(well()), decision=small) is small


def test_without_packs_the_discharge_voltage_is_nobodys_matter() -> None:
    assert guarded(decision=PLAIN._replace(discharge_voltage_limit_v=0.0)).discharge_voltage_limit_v == 0.0


def test_without_packs_a_discharge_voltage_that_is_none_becomes_the_lowest() -> None:
    assert guarded(decision=PLAIN._replace(discharge_voltage_limit_v=nan)).discharge_voltage_limit_v == 0.0


def test_a_sample_or_a_decision_of_long_ago_does_not_count_whatever_the_numbers_are() -> None:
    """Half of `now`: a remainder instead of a difference would find both fresh."""
    assert currents(guarded(member(well(NOW / 2)))) == (0.0, 0.0)
    assert currents(guarded(member(well()), decision=PLAIN._replace(time_s=NOW / 2))) == (0.0, 0.0)


def test_a_pack_with_an_open_switch_hides_nobody_after_it() -> None:
    away = changed(well(), charge_fet_on=False, discharge_fet_on=False)

    assert currents(guarded(member(away), member(with_cell(well(), 7, 3.55), SHED))) == (0.0, 120.0)


@pytest.mark.parametrize("had", ["protections", "warnings"])
def test_an_old_decision_gets_its_alarm_also_where_half_of_it_is_there(had: str) -> None:
    comm = frozenset({Alarm.BMS_COMMUNICATION})
    others = frozenset({Alarm.BMS_COMMUNICATION, Alarm.CELL_IMBALANCE})
    nothing = PLAIN._replace(
        time_s=NOW - 10,
        charge_current_limit_a=0.0,
        discharge_current_limit_a=0.0,
        charge_enabled=False,
        discharge_enabled=False,
    )

    after = guarded(member(well()), decision=nothing._replace(**{had: others}))  # type: ignore[arg-type]  # a name of alarms

    assert after.protections | after.warnings == others
    assert after.protections & after.warnings == comm


def test_a_pack_out_of_service_neither_helps_nor_hinders() -> None:
    out = replace(SHED, excluded=True)

    assert guarded(member(well()), member(with_cell(well(), 7, 3.60), out)) is PLAIN
    assert currents(guarded(member(well(), out))) == (0.0, 0.0)
    most = PLAIN._replace(charge_current_limit_a=200.0)
    assert currents(guarded(member(well()), member(well(), out), decision=most)) == (140.0, 120.0)


FOURTH = {p.name: member(well(cells=4), p) for p in FOUR}
MUCH = PLAIN._replace(charge_current_limit_a=1000.0, discharge_current_limit_a=1000.0)
HALF = PLAIN._replace(charge_voltage_limit_v=27.6, discharge_voltage_limit_v=22.4)


def wired(topology: Topology, *others: Member, decision: Decision = MUCH) -> Decision:
    """Four packs of four cells, wired so, some of them other than well."""
    packs = FOURTH | {other.name: other for other in others}
    return guarded(*packs.values(), decision=decision, bank=BankSettings(topology=topology))


@pytest.mark.parametrize(("topology", "amps"), [(IN_SERIES, 80.0), (STRINGS, 160.0), (GROUPS, 160.0)])
def test_a_string_carries_what_its_weakest_pack_does_and_packs_in_parallel_their_sum(
    topology: Topology, amps: float
) -> None:
    weak = member(well(cells=4), replace(FOUR[3], rated_charge_current_a=30.0, fuse_a=50.0))
    weaker = {IN_SERIES: (30.0, 50.0), STRINGS: (110.0, 130.0), GROUPS: (110.0, 130.0)}[topology]

    assert currents(wired(topology)) == (amps, amps)
    assert currents(wired(topology, weak)) == weaker


@pytest.mark.parametrize(("topology", "amps"), [(IN_SERIES, 0.0), (STRINGS, 80.0), (GROUPS, 80.0)])
def test_a_pack_that_is_not_heard_takes_its_string_along(topology: Topology, amps: float) -> None:
    assert currents(wired(topology, member(None, FOUR[1]))) == (amps, amps)


@pytest.mark.parametrize(
    ("topology", "ceiling_v", "floor_v"),
    [(IN_SERIES, 56.8, 44.8), (STRINGS, 28.4, 22.4), (GROUPS, 28.4, 22.4)],
)
def test_voltages_of_a_string_are_sums(topology: Topology, ceiling_v: float, floor_v: float) -> None:
    wide = PLAIN._replace(charge_voltage_limit_v=80.0, discharge_voltage_limit_v=10.0)

    after = wired(topology, decision=wide)

    assert after.charge_voltage_limit_v == pytest.approx(ceiling_v)
    assert after.discharge_voltage_limit_v == pytest.approx(floor_v)


def test_of_unlike_strings_and_groups_the_narrower_voltages_count() -> None:
    narrow = member(well(cells=4), replace(FOUR[3], cell_max_v=3.5, cell_min_v=3.0))
    wide = PLAIN._replace(charge_voltage_limit_v=80.0, discharge_voltage_limit_v=10.0)

    for topology in (STRINGS, GROUPS):
        after = wired(topology, narrow, decision=wide)
        assert after.charge_voltage_limit_v == pytest.approx(4 * 3.55 + 4 * 3.5)
        assert after.discharge_voltage_limit_v == pytest.approx(4 * 2.8 + 4 * 3.0)


@pytest.mark.parametrize(("topology", "stops"), [(IN_SERIES, True), (STRINGS, False), (GROUPS, False)])
def test_a_string_permits_what_all_its_packs_permit(topology: Topology, stops: bool) -> None:
    forbids = member(changed(well(cells=4), charge_allowed=False), FOUR[1])

    assert (wired(topology, forbids).charge_current_limit_a == 0) is stops
    assert wired(topology, forbids).discharge_current_limit_a > 0


def test_two_strings_that_each_have_a_pack_against_it_permit_nothing() -> None:
    forbids = changed(well(cells=4), discharge_allowed=None)

    after = wired(STRINGS, member(forbids, FOUR[1]), member(forbids, FOUR[2]))

    assert currents(after) == (160.0, 0.0)


@pytest.mark.parametrize("topology", [IN_SERIES, STRINGS, GROUPS])
@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_a_cell_at_its_limit_anywhere_in_a_tree_ends_its_direction(topology: Topology, name: str) -> None:
    settings = FOURTH[name].settings

    high = wired(topology, member(with_cell(well(cells=4), 2, 3.55), settings))
    low = wired(topology, member(with_cell(well(cells=4), 2, 2.80), settings))

    assert (high.charge_current_limit_a, low.discharge_current_limit_a) == (0.0, 0.0)
    assert min(high.discharge_current_limit_a, low.charge_current_limit_a) > 0


@pytest.mark.parametrize("topology", [IN_SERIES, STRINGS, GROUPS])
@pytest.mark.parametrize("heard", [True, False])
def test_a_string_with_a_pack_that_is_not_rated_for_it_is_not_discharged(
    topology: Topology, heard: bool
) -> None:
    unrated = member(well(cells=4) if heard else None, replace(FOUR[2], series_rated=False))

    assert wired(topology, unrated, decision=HALF).discharge_current_limit_a == 0.0
    assert wired(topology, decision=HALF).discharge_current_limit_a > 0


def test_beside_a_string_a_single_pack_need_not_be_rated_for_it() -> None:
    single = member(well(cells=8), replace(FOUR[2], cells=8, series_rated=False))
    bank = BankSettings(topology=Topology(Wiring.PARALLEL, ("c", Topology(Wiring.SERIES, ("a", "b")))))

    assert guarded(FOURTH["a"], FOURTH["b"], single, decision=HALF, bank=bank) is HALF


def changed_decision(decision: Decision, wish: str) -> Decision:
    return decision._replace(**{wish: True})  # type: ignore[arg-type]  # the name of a permission
