from __future__ import annotations

import pytest

from bridge.errors import ConfigError
from bridge.model import NO_ALARMS, Alarm, Reading
from bridge.protocols._daly import CurrentSign, is_monitor, permit, ratings, sign_from, uninverted
from bridge.protocols._daly_faults import FAULT_BITS, MEANINGS, fault_bytes, fault_names, judge
from bridge.protocols.contract import Options
from tests.protocols.daly_packs import pack

STOPS_CHARGE = {
    "cell_voltage_high_l2", "pack_voltage_high_l2", "charge_temp_high_l2", "charge_temp_low_l2",
    "charge_overcurrent_l2", "charge_mos_temp_high", "charge_mos_temp_sensor_fault",
    "charge_mos_stuck_closed", "charge_mos_open", "cell_temp_sensor_fault",
}  # fmt: skip
STOPS_DISCHARGE = {
    "cell_voltage_low_l2", "pack_voltage_low_l2", "discharge_temp_high_l2", "discharge_temp_low_l2",
    "discharge_overcurrent_l2", "discharge_mos_temp_high", "discharge_mos_temp_sensor_fault",
    "discharge_mos_stuck_closed", "discharge_mos_open",
}  # fmt: skip
STOPS_BOTH = {
    "afe_fault", "cell_sense_lost", "eeprom_fault", "internal_comm_fault", "current_sensor_fault",
    "pack_voltage_sensor_fault", "short_circuit", "low_voltage_charge_inhibit",
}  # fmt: skip


@pytest.mark.parametrize("bit", [bit for bit, name in enumerate(FAULT_BITS) if name])
def test_each_fault_bit_blocks_what_it_must_and_nothing_else(bit: int) -> None:
    (name,) = fault_names((1 << bit).to_bytes(7, "little"))
    reading: Reading = {"charge_fet_on": True, "discharge_fet_on": True}
    permit(reading, judge([name]))
    assert reading["charge_allowed"] is (name not in STOPS_CHARGE | STOPS_BOTH)
    assert reading["discharge_allowed"] is (name not in STOPS_DISCHARGE | STOPS_BOTH)


def test_fifty_fault_bits_have_a_meaning_each() -> None:
    names = [name for name in FAULT_BITS if name]
    assert len(names) == 50
    assert len(set(names)) == len(names)
    assert set(names) <= MEANINGS.keys()


FIRST_LEVELS = sorted(name for name in MEANINGS if name.endswith("_l1") and name != "thermal_runaway_l1")


@pytest.mark.parametrize("name", FIRST_LEVELS)
def test_a_first_level_only_warns(name: str) -> None:
    verdict = judge([name])
    assert verdict.protections == NO_ALARMS
    assert len(verdict.warnings) == 1
    assert not verdict.stops_charge
    assert not verdict.stops_discharge


def test_thermal_runaway_has_no_level_that_only_warns() -> None:
    verdict = judge(["thermal_runaway_l1"])
    assert verdict.protections == {Alarm.FIRE}
    assert verdict.stops_charge
    assert verdict.stops_discharge


@pytest.mark.parametrize("level", range(1, 8))
def test_the_charge_level_only_ever_warns(level: int) -> None:
    assert judge([f"soc_low_l{level}"]).protections == NO_ALARMS
    assert not judge([f"soc_low_l{level}"]).stops_discharge


@pytest.mark.parametrize("level", range(2, 8))
def test_every_level_from_the_second_on_protects(level: int) -> None:
    assert judge([f"cell_voltage_high_l{level}"]).stops_charge


def test_an_alarm_that_protects_is_not_a_warning_too() -> None:
    verdict = judge(["cell_voltage_high_l1", "cell_voltage_high_l2"])
    assert verdict.protections == {Alarm.CELL_OVERVOLTAGE}
    assert verdict.warnings == NO_ALARMS


def test_reserved_bits_are_no_faults() -> None:
    reserved = sum(1 << bit for bit, name in enumerate(FAULT_BITS) if not name)
    assert fault_names(reserved.to_bytes(7, "little")) == []


def test_a_simulated_pack_says_each_alarm_by_one_fault() -> None:
    reading = pack(protections=frozenset({Alarm.BMS_FAULT}), warnings=frozenset({Alarm.CELL_OVERVOLTAGE}))
    assert fault_names(fault_bytes(reading)) == ["cell_voltage_high_l1", "afe_fault"]


def test_a_switch_that_is_off_permits_nothing_and_an_unknown_one_says_nothing() -> None:
    reading: Reading = {"charge_fet_on": False, "discharge_fet_on": None}
    permit(reading, judge([]))
    assert reading == {"charge_fet_on": False, "discharge_fet_on": None, "charge_allowed": False}


def test_a_commanded_switch_only_ever_forbids() -> None:
    reading: Reading = {"charge_fet_on": True, "discharge_fet_on": False}
    permit(reading, judge([]), charge=False, discharge=True)
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (False, False)


def test_a_board_with_directions_reversed_blocks_both_for_an_overcurrent() -> None:
    verdict = uninverted(judge(["charge_overcurrent_l2"]))
    assert verdict.protections == {Alarm.DISCHARGE_OVERCURRENT}
    assert verdict.stops_charge
    assert verdict.stops_discharge


# The sign of the current


def test_before_anything_is_known_the_sign_is_that_of_the_family() -> None:
    assert CurrentSign(-1).current_a(30021) == -2.1
    assert CurrentSign(+1).current_a(30021) == 2.1


def test_no_current_has_no_sign() -> None:
    assert str(CurrentSign(-1).current_a(30000)) == "0.0"


def test_the_state_field_tells_the_sign_at_once() -> None:
    sign = CurrentSign(-1)
    sign.witness(30054, 1)
    assert sign.current_a(30054) == 5.4


@pytest.mark.parametrize(("raw", "state"), [(30009, 1), (30054, 0), (30054, 3), (29991, 2)])
def test_small_currents_and_idle_states_are_no_witnesses(raw: int, state: int) -> None:
    sign = CurrentSign(-1)
    sign.witness(raw, state)
    assert sign.current_a(30054) == -5.4


def test_after_three_samples_that_agree_a_lagging_state_changes_nothing() -> None:
    sign = CurrentSign(+1)
    for _ in range(3):
        sign.witness(30500, 2)
    sign.witness(29500, 2)  # charging has begun, the state still says discharging
    assert sign.current_a(29500) == 50.0


def test_a_sign_that_was_latched_by_mistake_is_given_up_after_thirty_samples() -> None:
    sign = CurrentSign(+1)
    for _ in range(3):
        sign.witness(30500, 2)
    for _ in range(29):
        sign.witness(30500, 1)
    assert sign.current_a(30500) == -50.0
    sign.witness(30500, 1)
    assert sign.current_a(30500) == 50.0


def test_a_sign_given_by_the_user_is_never_doubted() -> None:
    sign = sign_from(Options(extra={"current_sign": -1}), +1)
    for _ in range(50):
        sign.witness(30500, 1)
    assert sign.current_a(30500) == -50.0


def test_an_inverted_board_is_read_the_other_way_round_with_and_without_a_witness() -> None:
    sign = sign_from(Options(extra={"invert_current": True}), -1)
    assert sign.current_a(30500) == 50.0
    sign.witness(30500, 2)  # it says discharging, and means charging
    assert sign.current_a(30500) == 50.0


@pytest.mark.parametrize(
    "extra", [{"current_sign": 2}, {"current_sign": "yes"}, {"invert_current": "yes"}, {"invert_current": 1}]
)
def test_an_impossible_sign_is_the_users_error(extra: dict[str, str | int]) -> None:
    with pytest.raises(ConfigError, match="current_sign"):
        sign_from(Options(extra=extra), 1)


# Thresholds


def test_the_first_level_rates_because_the_second_opens_the_switches() -> None:
    rated = ratings({"charge_limit_l1_a": 160.0, "charge_limit_l2_a": 200.0, "cell_high_l1_v": 3.5})
    assert rated.charge_ocp_a == 160.0
    assert rated.cell_ovp_v == 3.5


@pytest.mark.parametrize("first", [0.0, 3553.5, None, 250.0])
def test_without_a_usable_first_level_four_fifths_of_the_second_rate(first: float | None) -> None:
    assert ratings({"discharge_limit_l1_a": first, "discharge_limit_l2_a": 200.0}).discharge_ocp_a == 160.0


def test_fillers_rate_nothing() -> None:
    rated = ratings(
        {
            "charge_limit_l1_a": 0.0, "charge_limit_l2_a": 0.0, "pack_high_l1_v": 0.0, "pack_low_l1_v": 500.0,
            "charge_temp_high_l1_c": 0, "charge_temp_low_l1_c": -40, "cell_high_l1_v": 65.535,
        }
    )  # fmt: skip
    assert rated == ratings({})


def test_an_active_balancer_is_known_by_its_current_thresholds() -> None:
    ways = [f"{way}_limit_{level}_raw" for way in ("charge", "discharge") for level in ("l1", "l2")]
    assert is_monitor(dict.fromkeys(ways, 30000))
    assert not is_monitor(dict.fromkeys(ways, 30000) | {"charge_limit_l1_raw": 28400})
    assert not is_monitor({})
