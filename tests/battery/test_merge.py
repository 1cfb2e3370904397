from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bridge.battery.context import Pack
from bridge.battery.full import packs_full
from bridge.battery.merge import Merger, bus_voltage
from bridge.battery.soc import StateOfCharge, within_edges
from bridge.model import Bank, PackState
from tests.battery.story import ATTIC, GARAGE, SHED, changed, stand, well, with_cell


def merged(*packs: Pack) -> Bank:
    return Merger().merge(packs, bus_voltage(packs), 0.5)


def test_voltage_is_the_mean_and_current_the_sum_of_the_packs_on_the_bus() -> None:
    bank = merged(
        stand(GARAGE, replace(well(), voltage_v=52.6, current_a=-30.0)),
        stand(SHED, replace(well(), voltage_v=52.8, current_a=-12.5)),
    )

    assert bank.voltage_v == pytest.approx(52.7)
    assert bank.current_a == -42.5


def test_a_pack_with_both_switches_off_does_not_count_for_the_voltage() -> None:
    off = replace(well(), voltage_v=50.0, charge_fet_on=False, discharge_fet_on=False)

    assert bus_voltage([stand(GARAGE, well()), stand(SHED, off, PackState.ISOLATED)]) == pytest.approx(52.8)


def test_stale_voltages_count_only_when_no_pack_is_heard() -> None:
    stale = stand(SHED, replace(well(), voltage_v=50.0), PackState.STALE)

    assert bus_voltage([stand(GARAGE, well()), stale]) == pytest.approx(52.8)
    assert bus_voltage([stand(GARAGE, well(), PackState.LOST), stale]) == 50.0
    assert bus_voltage([stand(GARAGE, well(), PackState.LOST)]) is None


def test_what_no_pack_gives_is_none() -> None:
    bank = merged(stand(GARAGE, None, PackState.UNKNOWN))

    assert (bank.voltage_v, bank.current_a, bank.soh, bank.remaining_ah, bank.cycles) == (None,) * 5
    assert (bank.cell_max_v, bank.cell_max_pack, bank.cell_max_index, bank.temperature_c) == (None,) * 4
    assert (bank.pack_count, bank.packs_online, bank.cells, bank.design_ah) == (1, 0, 16, 280.0)


def test_charges_add_up_and_a_missing_one_follows_from_the_soc() -> None:
    bank = merged(
        stand(GARAGE, replace(well(), remaining_ah=100.0, full_ah=270.0)), stand(ATTIC, well(soc=0.25))
    )

    assert bank.remaining_ah == 125.0
    assert bank.full_ah == 370.0


def test_health_is_weighted_and_cycles_are_the_most() -> None:
    bank = merged(
        stand(GARAGE, replace(well(), soh=1.0, cycles=10)),
        stand(ATTIC, replace(well(), soh=0.62, cycles=300)),
    )

    assert bank.soh == pytest.approx(0.9)
    assert bank.cycles == 300


def test_extreme_cells_are_named_over_all_packs() -> None:
    bank = merged(stand(GARAGE, with_cell(well(), 7, 3.4)), stand(SHED, with_cell(well(), 3, 3.2)))

    assert (bank.cell_max_v, bank.cell_max_pack, bank.cell_max_index) == (3.4, "garage", 7)
    assert (bank.cell_min_v, bank.cell_min_pack, bank.cell_min_index) == (3.2, "shed", 3)


def test_cells_that_were_only_derived_are_not_shown_as_measured() -> None:
    assert merged(stand(GARAGE, replace(well(), cell_voltages_v=()))).cell_max_v is None


def test_blocked_packs_are_counted_among_those_that_are_heard() -> None:
    bank = merged(
        stand(GARAGE, changed(well(), charge_allowed=None)),
        stand(SHED, changed(well(), discharge_allowed=False)),
        stand(ATTIC, changed(well(), charge_allowed=False), PackState.LOST),
    )

    assert (bank.packs_online, bank.packs_blocking_charge, bank.packs_blocking_discharge) == (2, 1, 1)


def test_the_shown_temperature_is_the_mean_unless_it_is_hot_or_cold() -> None:
    merger = Merger()

    def shown(*temperatures_c: float | None) -> float | None:
        return merger.merge(
            [stand(GARAGE, replace(well(), temperatures_c=temperatures_c))], None, None
        ).temperature_c

    assert shown(20.0, 30.0) == 25.0
    assert shown(20.0, 40.1) == 40.1
    assert shown(20.0, 38.1) == 38.1  # 2 K of hysteresis
    assert shown(20.0, 38.0) == 29.0
    assert shown(9.9, 20.0) == 9.9
    assert shown(11.9, 20.0) == 11.9
    assert shown(12.0, 20.0) == 16.0
    assert shown(None, None) is None


def edged(soc: float | None, packs: Sequence[Pack], discharge_limit_a: float) -> float | None:
    return within_edges(soc, packs, discharge_limit_a, full=packs_full(packs))


def follow(soc: StateOfCharge, packs: Sequence[Pack], now: float) -> float:
    shown = soc.follow(packs, now, settled=True)
    assert shown is not None
    return shown


def test_soc_is_weighted_by_capacity() -> None:
    packs = [stand(GARAGE, well(soc=0.8)), stand(ATTIC, well(soc=0.42))]

    assert follow(StateOfCharge(), packs, 0.0) == pytest.approx(0.7)


@pytest.mark.parametrize(("lowest", "shown"), [(0.16, 0.58), (0.10, 0.325), (0.05, 0.05), (0.02, 0.02)])
def test_toward_empty_the_lowest_pack_takes_over(lowest: float, shown: float) -> None:
    packs = [stand(SHED, well(soc=1.0)), stand(replace(SHED, name="low"), well(soc=lowest))]

    assert follow(StateOfCharge(), packs, 0.0) == pytest.approx(shown)


def test_when_a_pack_leaves_the_shown_soc_glides() -> None:
    soc = StateOfCharge()
    high, low = stand(SHED, well(soc=0.8)), stand(ATTIC, well(soc=0.2))
    assert follow(soc, [high, low], 0.0) == pytest.approx(0.6)

    assert follow(soc, [high], 0.0) == pytest.approx(0.6)
    assert follow(soc, [high], 1.0) == pytest.approx(0.601)
    assert follow(soc, [high], 2.0) == pytest.approx(0.602)
    assert [follow(soc, [high], float(t)) for t in range(3, 203)][-1] == 0.8


def test_otherwise_it_follows_by_one_percent_a_second() -> None:
    soc = StateOfCharge()
    follow(soc, [stand(SHED, well(soc=0.5))], 0.0)

    assert follow(soc, [stand(SHED, well(soc=0.6))], 1.0) == pytest.approx(0.51)
    assert follow(soc, [stand(SHED, well(soc=0.505))], 2.0) == 0.505


def test_when_no_pack_is_left_the_soc_stays() -> None:
    soc = StateOfCharge()
    follow(soc, [stand(SHED, well(soc=0.5))], 0.0)

    assert follow(soc, [stand(SHED, well(soc=0.9), PackState.LOST)], 100.0) == 0.5


def test_before_anything_is_known_there_is_no_soc() -> None:
    assert StateOfCharge().follow([stand(SHED, None, PackState.UNKNOWN)], 0.0, settled=True) is None
    assert edged(None, [], 0.0) is None


def test_hundred_percent_is_shown_only_when_every_pack_is_full() -> None:
    full = stand(SHED, well(cell_v=3.45, soc=1.0, current_a=2.0))
    resting = stand(SHED, well(cell_v=3.371, soc=1.0, current_a=0.0))
    charging = stand(SHED, well(cell_v=3.40, soc=1.0, current_a=5.0))
    unsaid = stand(SHED, changed(well(cell_v=3.45, soc=1.0), current_a=None))

    assert edged(1.0, [full, resting], 100.0) == 1.0
    assert edged(1.0, [full, charging], 100.0) == 0.99
    assert edged(1.0, [full, unsaid], 100.0) == 0.99
    assert edged(0.97, [charging], 100.0) == 0.97


def test_discharging_does_not_look_like_full() -> None:
    assert edged(1.0, [stand(SHED, well(cell_v=3.30, soc=1.0, current_a=-50.0))], 100.0) == 0.99


def test_zero_percent_is_shown_only_when_discharging_has_ended_because_a_pack_is_empty() -> None:
    empty, emptied = stand(SHED, well(soc=0.0)), stand(SHED, with_cell(well(), 1, 2.80))
    low = stand(SHED, well(soc=0.004))

    assert edged(0.0, [empty], 50.0) == 0.01
    assert edged(0.0, [empty], 0.0) == 0.0
    assert edged(0.004, [emptied], 0.0) == 0.004
    assert edged(0.004, [low], 0.0) == 0.01
