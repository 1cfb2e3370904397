from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

import pytest

from bridge.battery.alarms import NOTHING, Alarms, BankAlarms
from bridge.battery.context import Pack
from bridge.model import Alarm, AlarmCause, PackState, Severity
from tests.battery.story import ATTIC, GARAGE, SHED, changed, stand, well, with_cell

OV = Alarm.CELL_OVERVOLTAGE
TRIPPED = replace(
    well(), charge_fet_on=False, charge_allowed=False, protections=frozenset({OV}), discharge_fet_on=True
)


def merge(alarms: Alarms, packs: Sequence[Pack], now: float) -> tuple[Set[Alarm], Set[Alarm]]:
    return alarms.merge(packs, now, starting=False)[:2]


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


@pytest.mark.parametrize(
    ("alarm", "charge_on", "discharge_on", "contained"),
    [
        (Alarm.CELL_UNDERVOLTAGE, True, False, True),
        (Alarm.CELL_UNDERVOLTAGE, False, True, False),
        (Alarm.PACK_OVERVOLTAGE, False, True, True),
        (Alarm.PACK_UNDERVOLTAGE, True, True, False),
        (Alarm.MOSFET_OVERTEMPERATURE, False, False, True),
        (Alarm.MOSFET_OVERTEMPERATURE, False, True, False),
        (Alarm.MOSFET_OVERTEMPERATURE, True, False, False),
        (Alarm.CHARGE_OVERTEMPERATURE, None, True, False),
        (Alarm.CELL_IMBALANCE, True, True, True),  # nothing that a switch could end
    ],
)
def test_what_a_switch_should_have_ended_is_a_protection_while_it_is_closed(
    alarm: Alarm, charge_on: bool | None, discharge_on: bool | None, contained: bool
) -> None:
    tripped = replace(
        well(), charge_fet_on=charge_on, discharge_fet_on=discharge_on, protections=frozenset({alarm})
    )

    assert after(11, stand(GARAGE, tripped), stand(SHED, well()))[0] == (
        frozenset() if contained else {alarm}
    )


def test_every_alarm_says_which_packs_raised_it_and_how_grave_it_is() -> None:
    alarms = Alarms()
    packs = [
        stand(GARAGE, TRIPPED),
        stand(SHED, well(), PackState.LOST),
        stand(ATTIC, with_cell(well(), 7, 3.81)),
    ]
    for now in (0.0, 3.0):
        causes = alarms.merge(packs, now, starting=False).causes

    assert [(c.severity, c.alarm.value, c.pack, c.text) for c in causes] == [
        (Severity.FAULT, "cell_overvoltage", "attic", "attic: cell 7 at 3.810 V"),
        (Severity.WARNING, "bms_communication", "shed", "shed: lost, last heard 0 s ago"),
        (Severity.WARNING, "cell_overvoltage", "garage", "garage: its BMS has ended this"),
    ]


def test_what_a_pack_raises_twice_is_named_once_as_the_graver() -> None:
    (cause,) = Alarms().merge([stand(GARAGE, well(), PackState.LOST)], 0.0, starting=False).causes

    assert (cause.alarm, cause.severity) == (Alarm.BMS_COMMUNICATION, Severity.PROTECTION)


def test_two_packs_that_warn_in_turn_for_a_moment_make_no_alarm() -> None:
    alarms = Alarms()
    warned = replace(well(), warnings=frozenset({Alarm.SOC_LOW}))

    for t in range(20):
        packs = [stand(GARAGE, warned if t % 2 else well()), stand(SHED, well() if t % 2 else warned)]
        assert merge(alarms, packs, float(t)) == (frozenset(), frozenset())


def test_what_was_watched_is_a_warning_and_what_is_latched_a_protection() -> None:
    alarms = Alarms()
    drift = AlarmCause(alarm=Alarm.SOC_DRIFT, severity=Severity.WARNING, text="shed: drifts", pack="shed")
    fault = AlarmCause(alarm=Alarm.FIRE, severity=Severity.FAULT, text="shed: fire", pack="shed")
    for now in (0.0, 3.0):
        found = alarms.merge([stand(SHED, well())], now, starting=False, watched=[drift], latched=[fault])

    assert found == BankAlarms(frozenset({Alarm.FIRE}), frozenset({Alarm.SOC_DRIFT}), (fault, drift))


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

    assert Alarms().merge(packs, 0.0, starting=True) == NOTHING


def test_what_a_lost_pack_said_last_is_not_repeated() -> None:
    assert after(60, stand(GARAGE, TRIPPED, PackState.LOST), stand(SHED, well()))[1] == {
        Alarm.BMS_COMMUNICATION
    }


def test_an_uncontained_fault_is_a_protection_at_once() -> None:
    far_above = stand(GARAGE, with_cell(well(), 7, 3.81))

    assert after(0, far_above, stand(SHED, well()))[0] == {OV}
