from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest

from bridge.battery.plausibility import Plausibility, Verdict
from bridge.model import PackSample
from tests.battery.story import GARAGE, changed, pack, well, with_cell


def judge(*samples: PackSample, small: bool = False) -> tuple[Plausibility, list[Verdict]]:
    plausibility = Plausibility(pack(cells=4) if small else GARAGE)
    return plausibility, [plausibility.check(sample, sample.time_s) for sample in samples]


def checked(verdict: Verdict) -> PackSample:
    assert verdict.sample is not None
    return verdict.sample


def test_a_good_sample_passes_unchanged() -> None:
    sample = well(1.0)

    plausibility, (verdict,) = judge(sample)

    assert verdict == Verdict(sample, plausible=True)
    assert verdict.sample is sample
    assert not plausibility.counters


@pytest.mark.parametrize(
    ("field", "bad", "good", "name", "trusted"),
    [
        ("voltage_v", 15.9, 52.8, "voltage_range", False),
        ("voltage_v", 72.1, 52.8, "voltage_range", False),
        ("voltage_v", nan, 52.8, "voltage_range", False),
        ("current_a", 631.0, 0.0, "current_range", False),
        ("current_a", -631.0, 0.0, "current_range", False),
        ("current_a", nan, 0.0, "current_range", False),
        ("soc", 1.01, 0.5, "soc_range", True),
        ("soc", -0.01, 0.5, "soc_range", True),
        ("mosfet_temperature_c", 121.0, None, "temperature_range", True),
        ("temperatures_c", (25.0, -41.0), (25.0, 25.0), "temperature_range", True),
        ("temperatures_c", (inf, 25.0), (25.0, 25.0), "temperature_range", True),
    ],
)
def test_a_value_out_of_range_is_replaced_by_the_last_good_one_then_by_none(
    field: str, bad: object, good: object, name: str, trusted: bool
) -> None:
    samples = [well(0.0)] + [changed(well(float(t)), **{field: bad}) for t in range(1, 8)]

    plausibility, verdicts = judge(*samples)

    assert getattr(checked(verdicts[1]), field) == good
    assert checked(verdicts[1]).time_s == (1.0 if good is None else 0.0)  # the age of what was held
    assert verdicts[1].plausible is trusted
    last = getattr(checked(verdicts[-1]), field)
    assert last is None or None in last
    assert checked(verdicts[-1]).time_s == 7.0
    assert plausibility.counters == {name: 7}


@pytest.mark.parametrize("edge", [1.0, 4.5])
def test_cells_at_the_edges_of_the_range_are_believed(edge: float) -> None:
    _, (verdict,) = judge(well(1.0, cell_v=edge))

    assert verdict.plausible
    assert checked(verdict).cell_voltages_v == (edge,) * 16


@pytest.mark.parametrize("value", [0.99, 4.51, nan, inf, -3.3])
def test_a_cell_out_of_range_keeps_its_place_and_the_sample_is_not_trusted(value: float) -> None:
    plausibility, verdicts = judge(well(0.0), *(with_cell(well(float(t)), 7, value) for t in range(1, 8)))

    assert checked(verdicts[1]).cell_voltages_v[6] == 3.30
    assert not verdicts[1].plausible
    assert checked(verdicts[-1]).cell_voltages_v == (3.30,) * 6 + (None,) + (3.30,) * 9
    assert plausibility.counters["cell_range"] == 7


def test_another_number_of_cells_is_never_used() -> None:
    plausibility, verdicts = judge(well(1.0, cells=15))

    assert checked(verdicts[0]).cell_voltages_v == (None,) * 16
    assert not verdicts[0].plausible
    assert plausibility.counters == {"cell_count": 1}


def test_a_pack_that_never_gave_cells_has_none() -> None:
    _, (verdict,) = judge(replace(well(1.0), cell_voltages_v=()))

    assert verdict.plausible
    assert checked(verdict).cell_voltages_v == ()


def test_cells_that_stop_coming_are_none_in_their_places() -> None:
    plausibility, verdicts = judge(
        well(0.0), *(replace(well(float(t)), cell_voltages_v=()) for t in range(1, 8))
    )

    assert checked(verdicts[1]).cell_voltages_v == (3.30,) * 16
    assert checked(verdicts[-1]).cell_voltages_v == (None,) * 16
    assert plausibility.counters["cell_missing"] == 7


@pytest.mark.parametrize(("volts", "agrees"), [(53.80, True), (53.90, False), (51.8, True), (51.7, False)])
def test_cells_must_add_up_to_the_pack_within_two_percent(volts: float, agrees: bool) -> None:
    plausibility, verdicts = judge(well(0.0), replace(well(1.0), voltage_v=volts))

    assert verdicts[1].plausible is agrees
    assert ("cell_sum" in plausibility.counters) is not agrees
    assert checked(verdicts[1]).voltage_v == (volts if agrees else 52.8)


def test_half_a_volt_is_forgiven_on_a_small_pack() -> None:
    _, verdicts = judge(well(1.0, cells=4), replace(well(2.0, cells=4), voltage_v=13.2 + 0.49), small=True)

    assert verdicts[1].plausible


def test_a_contradiction_is_held_back_once_and_then_nothing_is_known() -> None:
    wrong = [replace(well(float(t)), voltage_v=58.0) for t in (1, 2)]

    _, verdicts = judge(well(0.0), *wrong)

    assert checked(verdicts[1]).cell_voltages_v == (3.30,) * 16
    assert checked(verdicts[2]).cell_voltages_v == (None,) * 16
    assert checked(verdicts[2]).voltage_v is None


@pytest.mark.parametrize("spike_v", [4.2, 2.2])
def test_a_spike_of_one_sample_is_held_back_once(spike_v: float) -> None:
    plausibility, verdicts = judge(well(0.0), with_cell(well(1.0), 7, spike_v), well(2.0))

    assert checked(verdicts[1]).cell_voltages_v == (3.30,) * 16
    assert verdicts[1].plausible
    assert checked(verdicts[2]).cell_voltages_v == (3.30,) * 16
    assert plausibility.counters == {"cell_spike": 1}


def test_two_spikes_in_a_row_are_believed() -> None:
    _, verdicts = judge(well(0.0), with_cell(well(1.0), 7, 4.2), with_cell(well(2.0), 7, 4.2))

    assert checked(verdicts[2]).cell_max_v == 4.2


def test_two_spikes_that_the_pack_voltage_denies_leave_no_cell_known() -> None:
    """On 4 cells a wrong cell contradicts the pack voltage; it must not hide behind that."""
    spikes = [replace(with_cell(well(t, cells=4), 2, 4.2), voltage_v=13.2) for t in (1.0, 2.0)]

    _, verdicts = judge(well(0.0, cells=4), *spikes, small=True)

    assert checked(verdicts[1]).cell_voltages_v == (3.30,) * 4
    assert checked(verdicts[2]).cell_voltages_v == (None,) * 4


def test_a_smaller_jump_acts_at_once() -> None:
    _, verdicts = judge(well(0.0), with_cell(well(1.0), 7, 3.59))

    assert checked(verdicts[1]).cell_max_v == 3.59


def test_a_step_of_the_current_explains_a_jump() -> None:
    loaded = with_cell(well(1.0, current_a=-90.0), 7, 2.9)

    _, verdicts = judge(well(0.0), loaded)

    assert checked(verdicts[1]).cell_min_v == 2.9


def test_after_a_long_silence_a_jump_is_no_spike() -> None:
    _, verdicts = judge(well(0.0), with_cell(well(60.0), 7, 3.9))

    assert checked(verdicts[1]).cell_max_v == 3.9


def test_twenty_identical_repeats_under_load_are_a_frozen_bms() -> None:
    plausibility, verdicts = judge(*(well(float(t), current_a=-6.0) for t in range(23)))

    assert [v.sample is not None for v in verdicts] == [True] * 20 + [False] * 3
    assert plausibility.counters == {"frozen": 3}


def test_an_idle_pack_may_stand_still() -> None:
    _, verdicts = judge(*(well(float(t), current_a=-5.0) for t in range(40)))

    assert all(v.sample is not None for v in verdicts)


def test_one_moving_field_is_enough_to_be_alive() -> None:
    _, verdicts = judge(*(well(float(t), current_a=-50.0, soc=0.5 - t / 1e4) for t in range(40)))

    assert all(v.sample is not None for v in verdicts)


@pytest.mark.parametrize("time_s", [5.0, 4.0, nan, inf, 99.0])
def test_a_sample_without_a_usable_time_is_not_used(time_s: float) -> None:
    plausibility, _ = judge(well(5.0))

    assert plausibility.check(well(time_s), 6.0).sample is None
    assert plausibility.counters == {"not_newer": 1}


@pytest.mark.parametrize(
    "field",
    [
        "charge_voltage_limit_v",
        "discharge_voltage_limit_v",
        "charge_current_limit_a",
        "discharge_current_limit_a",
    ],
)
@pytest.mark.parametrize("value", [nan, inf, -1.0])
def test_a_limit_that_cannot_be_one_is_dropped(field: str, value: float) -> None:
    plausibility, (verdict,) = judge(changed(well(1.0), **{field: value}))

    assert getattr(checked(verdict), field) is None
    assert plausibility.counters == {"limit_range": 1}


@pytest.mark.parametrize("field", ["soh", "remaining_ah", "full_ah", "design_ah"])
def test_an_amount_that_cannot_be_one_is_dropped(field: str) -> None:
    plausibility, (verdict,) = judge(changed(well(1.0), **{field: nan}))

    assert getattr(checked(verdict), field) is None
    assert plausibility.counters == {"capacity_range": 1}


def later(*samples: PackSample) -> tuple[Plausibility, list[Verdict]]:
    """Judged an hour after the start, when times are large against their differences."""
    return judge(*(replace(sample, time_s=sample.time_s + 3600) for sample in samples))


@pytest.mark.parametrize(
    "broken", [{"current_a": nan}, {"temperatures_c": (99.0, 199.0)}, {"voltage_v": 99.0}]
)
def test_a_value_is_held_for_one_period_less_than_a_pack_is_fresh(broken: dict[str, object]) -> None:
    samples = [well(0.0, current_a=7.0)] + [changed(well(float(t)), **broken) for t in range(1, 7)]
    field = next(iter(broken))

    _, verdicts = later(*samples)

    values = [getattr(checked(verdict), field) for verdict in verdicts]
    assert [
        value is not None and None not in (value if isinstance(value, tuple) else ()) for value in values
    ] == ([True] * 5 + [False] * 2)
    assert [3600 + t - checked(v).time_s for t, v in enumerate(verdicts)] == [0, 1, 2, 3, 4, 0, 0]


def test_a_cell_that_is_missing_once_is_held_with_its_age() -> None:
    plausibility, verdicts = later(well(0.0), with_cell(well(1.0), 7, None), well(2.0))

    assert checked(verdicts[1]).cell_voltages_v == (3.30,) * 16
    assert checked(verdicts[1]).time_s == 3600.0
    assert verdicts[1].plausible
    assert plausibility.counters == {"cell_missing": 1}


def test_a_spike_of_an_hour_later_is_held_back_too() -> None:
    _, verdicts = later(well(0.0), with_cell(well(1.0), 7, 4.2))

    assert checked(verdicts[1]).cell_max_v == 3.30


def test_the_end_of_a_believed_spike_must_be_confirmed() -> None:
    spikes = [with_cell(well(t), 7, 4.2) for t in (1.0, 2.0)]

    _, verdicts = judge(well(0.0), *spikes, well(3.0), well(4.0))

    assert [checked(v).cell_max_v for v in verdicts] == [3.30, 3.30, 4.2, 4.2, 3.30]


def test_a_large_current_that_does_not_change_explains_no_jump() -> None:
    _, verdicts = judge(well(0.0, current_a=-60.0), with_cell(well(1.0, current_a=-60.0), 7, 2.9))

    assert checked(verdicts[1]).cell_min_v == 3.30


def test_the_larger_of_two_ratings_says_which_current_can_be() -> None:
    uneven = replace(GARAGE, rated_charge_current_a=10.0)

    assert Plausibility(uneven).check(well(1.0, current_a=100.0), 1.0).plausible


def test_a_charge_voltage_of_more_than_full_cells_is_no_limit() -> None:
    _, verdicts = judge(
        changed(well(1.0), charge_voltage_limit_v=72.1), changed(well(2.0), charge_voltage_limit_v=72.0)
    )

    assert [checked(v).charge_voltage_limit_v for v in verdicts] == [None, 72.0]


def test_what_is_wrong_in_one_field_leaves_all_others_as_they_were() -> None:
    sample = replace(
        well(1.0, current_a=3.0),
        soh=0.97,
        remaining_ah=101.0,
        full_ah=102.0,
        design_ah=103.0,
        mosfet_temperature_c=31.0,
        charge_voltage_limit_v=56.1,
        discharge_voltage_limit_v=46.1,
        charge_current_limit_a=61.0,
        discharge_current_limit_a=62.0,
    )

    _, (verdict,) = judge(replace(sample, soc=2.0))

    assert verdict.sample == replace(sample, soc=None)
