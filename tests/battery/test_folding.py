"""Values of several packs as those of one, each compared with packs that differ in everything."""

from __future__ import annotations

from dataclasses import replace

from bridge.battery.facts import Facts, Memory
from bridge.battery.fixed import fixed
from bridge.battery.folding import facts_of, group_sample, series_sample
from bridge.battery.topology import units
from bridge.model import Alarm, PackSample, Ratings
from tests.battery.story import changed, stand, well, with_cell
from tests.battery.wiring import FOUR, series

FIRST = replace(
    with_cell(with_cell(well(10.0, cells=4), 1, 3.35), 2, 3.25),
    temperatures_c=(12.0, 30.0), mosfet_temperature_c=50.0, cycles=7, soh=0.9,
    warnings=frozenset({Alarm.SOC_LOW}),
)  # fmt: skip
SECOND = replace(
    with_cell(with_cell(well(11.0, cells=4), 3, 3.40), 4, 3.20),
    temperatures_c=(8.0, 35.0), mosfet_temperature_c=40.0, cycles=9, soh=0.8,
    protections=frozenset({Alarm.SHORT_CIRCUIT}),
)  # fmt: skip


def digested(*samples: PackSample) -> list[Facts]:
    return [Memory(own).facts(sample) for own, sample in zip(FOUR, samples, strict=False)]


def string(*samples: PackSample) -> Facts:
    facts = digested(*samples)
    children = [stand(own, sample) for own, sample in zip(FOUR, samples, strict=False)]
    (own,) = units(series("a", "b"), FOUR[:2])
    return facts_of(own, fixed(own, Ratings()), series_sample(children, facts, 5.0, frozenset()), facts, None)


def test_a_string_is_as_extreme_as_its_most_extreme_pack() -> None:
    facts = string(FIRST, SECOND)
    assert (facts.cell_max_v, facts.cell_min_v) == (3.40, 3.20)
    assert (facts.temperature_max_c, facts.temperature_min_c) == (35.0, 8.0)
    assert facts.mosfet_temperature_c == 50.0
    assert (facts.charge_stopped, facts.discharge_stopped) == (False, False)


def test_a_string_says_what_is_oldest_worst_and_most_used() -> None:
    sample = string(FIRST, SECOND).sample
    assert (sample.time_s, sample.soh, sample.cycles) == (10.0, 0.8, 9)
    assert sample.warnings == {Alarm.SOC_LOW}
    assert sample.protections == {Alarm.SHORT_CIRCUIT}
    assert sample.temperatures_c == (12.0, 30.0, 8.0, 35.0)


def test_one_pack_whose_cells_or_probes_are_not_seen_makes_the_string_so() -> None:
    blind = string(FIRST, changed(SECOND, cell_voltages_v=(3.3, None, 3.3, 3.3), temperatures_c=()))
    assert blind.cells_readable is False
    assert blind.temperature_readable is False
    assert (blind.temperature_max_c, blind.temperature_min_c) == (None, None)
    assert string(FIRST, changed(SECOND, cell_voltages_v=())).cells_derived is True


def test_a_hard_stop_of_one_cell_is_one_of_the_string() -> None:
    assert string(FIRST, with_cell(SECOND, 1, 3.56)).charge_stopped is True
    assert string(with_cell(FIRST, 1, 2.75), SECOND).discharge_stopped is True


def test_a_string_lets_through_what_all_its_switches_let_through() -> None:
    open_one = changed(SECOND, charge_fet_on=False, charge_allowed=False, discharge_fet_on=None)
    facts = string(FIRST, open_one)
    assert (facts.charge_switch_on, facts.discharge_switch_on) == (False, None)
    assert (facts.sample.charge_allowed, facts.sample.discharge_allowed) == (False, True)


def group(*samples: PackSample) -> PackSample:
    children = [stand(own, sample) for own, sample in zip(FOUR, samples, strict=False)]
    return group_sample(children, digested(*samples), 13.2)


def test_a_group_permits_what_one_of_its_packs_permits() -> None:
    one = changed(SECOND, charge_allowed=False, discharge_allowed=False)
    sample = group(FIRST, one)
    assert (sample.charge_allowed, sample.discharge_allowed) == (True, True)
    none = group(changed(FIRST, charge_allowed=None, discharge_allowed=False), one)
    assert (none.charge_allowed, none.discharge_allowed) == (None, False)


def test_a_group_adds_what_its_packs_have_and_carry() -> None:
    sample = group(replace(FIRST, current_a=5.0, soc=0.4), replace(SECOND, current_a=7.0, soc=0.6))
    assert (sample.current_a, sample.remaining_ah, sample.full_ah) == (12.0, 100.0, 200.0)
    assert sample.soc == 0.5
    assert (sample.soh, sample.time_s) == (0.8, 10.0)
    assert group(replace(FIRST, current_a=None), SECOND).current_a is None
