from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from bridge.battery.alarms import Alarms
from bridge.battery.context import Pack
from bridge.model import Alarm, PackState
from tests.battery.story import GARAGE, SHED, changed, stand, well, with_cell

OV = Alarm.CELL_OVERVOLTAGE
TRIPPED = replace(
    well(), charge_fet_on=False, charge_allowed=False, protections=frozenset({OV}), discharge_fet_on=True
)


def merge(alarms: Alarms, packs: Sequence[Pack], now: float) -> tuple[Set[Alarm], Set[Alarm]]:
    return alarms.merge(packs, now, starting=False)


def after(seconds: float, *packs: Pack) -> tuple[Set[Alarm], Set[Alarm]]:
    """Protections and warnings after these packs have said the same for so long."""
    alarms, now = Alarms(), 0.0
    while now < seconds:
        merge(alarms, packs, now)
        now += 1.0
    return merge(alarms, packs, seconds)


def test_a_bank_that_is_well_has_no_alarms() -> None:
    assert after(100, stand(GARAGE, well()), stand(SHED, well())) == (frozenset(), frozenset())


def test_a_contained_trip_of_one_pack_is_a_warning_of_the_bank() -> None:
    assert after(60, stand(GARAGE, TRIPPED), stand(SHED, well())) == (frozenset(), {OV})


def test_it_is_a_protection_when_no_pack_is_left_in_that_direction() -> None:
    assert after(0, stand(GARAGE, TRIPPED)) == ({OV}, frozenset())
    blocked = stand(SHED, changed(well(), charge_allowed=False))
    assert after(0, stand(GARAGE, TRIPPED), blocked) == ({OV}, frozenset())


def test_a_discharge_trip_leaves_charging_alone() -> None:
    tripped = replace(well(), discharge_fet_on=False, protections=frozenset({Alarm.CELL_UNDERVOLTAGE}))
    charge_only = stand(SHED, changed(well(), discharge_allowed=False))

    assert after(0, stand(GARAGE, tripped), stand(SHED, well()))[0] == frozenset()
    assert after(0, stand(GARAGE, tripped), charge_only)[0] == {Alarm.CELL_UNDERVOLTAGE}


def test_a_kind_that_ends_both_directions_needs_both_left() -> None:
    tripped = replace(well(), discharge_fet_on=False, protections=frozenset({Alarm.SHORT_CIRCUIT}))

    assert after(0, stand(GARAGE, tripped), stand(SHED, well()))[0] == frozenset()
    assert after(0, stand(GARAGE, tripped), stand(SHED, changed(well(), charge_allowed=False)))[0] == {
        Alarm.SHORT_CIRCUIT
    }


def test_a_trip_whose_switch_stays_closed_is_a_protection_after_ten_seconds() -> None:
    closed = replace(TRIPPED, charge_fet_on=True)

    assert after(10, stand(GARAGE, closed), stand(SHED, well()))[0] == frozenset()
    assert after(11, stand(GARAGE, closed), stand(SHED, well()))[0] == {OV}


def test_the_ten_seconds_begin_again_when_the_switch_was_open() -> None:
    alarms = Alarms()
    closed, good = stand(GARAGE, replace(TRIPPED, charge_fet_on=True)), stand(SHED, well())
    for t in range(9):
        merge(alarms, [closed, good], float(t))
    merge(alarms, [stand(GARAGE, TRIPPED), good], 9.0)

    assert merge(alarms, [closed, good], 15.0)[0] == frozenset()


def test_a_warning_is_raised_after_three_seconds_and_cleared_after_ten() -> None:
    alarms = Alarms()
    warned, good = (
        stand(GARAGE, replace(well(), warnings=frozenset({Alarm.CELL_IMBALANCE}))),
        stand(GARAGE, well()),
    )

    assert merge(alarms, [warned], 0.0)[1] == frozenset()
    assert merge(alarms, [warned], 2.9)[1] == frozenset()
    assert merge(alarms, [warned], 3.0)[1] == {Alarm.CELL_IMBALANCE}
    assert merge(alarms, [good], 12.9)[1] == {Alarm.CELL_IMBALANCE}
    assert merge(alarms, [good], 13.0)[1] == frozenset()


def test_a_warning_of_a_moment_is_not_shown() -> None:
    alarms = Alarms()
    warned, good = stand(GARAGE, replace(well(), warnings=frozenset({Alarm.SOC_LOW}))), stand(GARAGE, well())

    shown = [merge(alarms, [warned if t % 2 else good], float(t))[1] for t in range(20)]

    assert shown == [frozenset()] * 20


def test_a_protection_is_kept_for_a_minute() -> None:
    alarms = Alarms()
    merge(alarms, [stand(GARAGE, TRIPPED)], 0.0)

    assert merge(alarms, [stand(GARAGE, well())], 59.0)[0] == {OV}
    assert merge(alarms, [stand(GARAGE, well())], 60.0)[0] == frozenset()


def test_a_full_pack_is_no_complaint() -> None:
    full = replace(
        well(), warnings=frozenset({Alarm.FULLY_CHARGED}), protections=frozenset({Alarm.FULLY_CHARGED})
    )

    assert after(60, stand(GARAGE, full)) == (frozenset(), frozenset())


def test_a_silent_pack_is_a_warning_and_a_silent_bank_a_protection() -> None:
    stale, lost = stand(GARAGE, well(), PackState.STALE), stand(SHED, well(), PackState.LOST)
    comm = {Alarm.BMS_COMMUNICATION}

    assert after(0, stale, stand(SHED, well())) == (frozenset(), comm)
    assert after(0, lost, stale) == (comm, comm)
    assert after(0, stand(GARAGE, None, PackState.UNKNOWN), stand(SHED, well())) == (frozenset(), comm)
    assert after(0, stand(GARAGE, well(), PackState.QUARANTINE), stand(SHED, well())) == (frozenset(), comm)


def test_while_the_bank_starts_a_missing_pack_is_no_alarm() -> None:
    packs = [stand(GARAGE, None, PackState.UNKNOWN)]

    assert Alarms().merge(packs, 0.0, starting=True) == (frozenset(), frozenset())


def test_what_a_lost_pack_said_last_is_not_repeated() -> None:
    assert after(60, stand(GARAGE, TRIPPED, PackState.LOST), stand(SHED, well()))[1] == {
        Alarm.BMS_COMMUNICATION
    }


def test_an_uncontained_fault_is_a_protection_at_once() -> None:
    far_above = stand(GARAGE, with_cell(well(), 7, 3.81))

    assert after(0, far_above, stand(SHED, well()))[0] == {OV}
