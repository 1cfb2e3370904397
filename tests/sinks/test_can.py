from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import BridgeBug
from bridge.model import Alarm, CanFrame, Decision
from bridge.profiles import Answer, Profile
from bridge.sinks.can import CanSink
from tests.sinks.helpers import alarm_bits, by_hand, decision, deye, profile, pylontech, unguarded

ALIVE = CanFrame(0x305, bytes(8))
UNKNOWN: dict[str, Any] = dict.fromkeys(("voltage_v", "current_a", "soc", "soh", "temperature_c"))
LOST = UNKNOWN | {"packs_online": 0}


def sink(used: Profile | None = None, **arguments: float) -> CanSink:
    return CanSink("house", used or deye(), pylontech(), **arguments)


def stopped(time_s: float = 0.0, /, **bank: Any) -> Decision:
    return decision(
        time_s=time_s,
        bank=bank,
        charge_current_limit_a=0.0,
        discharge_current_limit_a=0.0,
        charge_enabled=False,
        discharge_enabled=False,
    )


def test_a_decision_becomes_the_profiles_cycle() -> None:
    frames = sink().frames(decision(), unguarded)
    assert tuple(frame.can_id for frame in frames) == deye().order
    assert by_hand(frames)["charge_current_limit_a"] == 100.0


def test_the_dialect_is_found_by_the_profile() -> None:
    assert CanSink("house", deye()).dialect.name == "pylontech-lv"


def test_what_was_sent_can_be_asked_for() -> None:
    one = sink()
    before = one.sent
    one.frames(decision(charge_enabled=False), unguarded)
    after = one.sent
    assert before is None
    assert after is not None
    assert after.charge_current_limit_a == 0.0


def test_the_banks_ceiling_reaches_the_policies() -> None:
    stop = decision(bank={"voltage_v": 60.0}, charge_enabled=False, charge_voltage_limit_v=50.0)
    assert by_hand(sink(ceiling_v=56.8).frames(stop, unguarded))["charge_voltage_limit_v"] == 56.8


def test_a_limit_that_is_none_is_not_sent() -> None:
    with pytest.raises(BridgeBug):
        sink().frames(decision(charge_current_limit_a=-1.0), unguarded)


# What is not known


def test_nothing_is_sent_before_voltage_and_soc_were_ever_known() -> None:
    one = sink()
    assert one.frames(stopped(**LOST), unguarded) == ()
    assert one.frames(stopped(**UNKNOWN | {"voltage_v": 53.0}), unguarded) == ()
    assert one.status(0.0).silent == "voltage or SoC of the bank is not yet known"
    assert one.frames(stopped(**UNKNOWN | {"voltage_v": 53.0, "soc": 0.5}), unguarded) != ()
    assert one.status(0.0).silent is None


def test_what_was_never_known_is_sent_as_the_profile_says() -> None:
    found = by_hand(sink().frames(stopped(**UNKNOWN | {"voltage_v": 53.0, "soc": 0.5}), unguarded))
    assert (found["temperature_c"], found["soh_pct"], found["current_a"]) == (25.0, 100, 0.0)


def test_when_all_packs_are_lost_the_last_values_stay_and_no_current_is_claimed() -> None:
    one = sink()
    one.frames(decision(), unguarded)
    found = by_hand(one.frames(stopped(**LOST), unguarded))
    assert (found["voltage_v"], found["soc_pct"], found["temperature_c"]) == (53.12, 57, 23.4)
    assert (found["current_a"], found["module_count"]) == (0.0, 0)
    assert (found["charge_current_limit_a"], found["discharge_current_limit_a"]) == (0.0, 0.0)
    assert (found["charge_enabled"], found["discharge_enabled"]) == (False, False)


def test_loss_of_all_packs_is_said_with_the_communication_bit() -> None:
    one = sink()
    one.frames(decision(), unguarded)
    lost = stopped(**LOST)._replace(protections=frozenset({Alarm.BMS_COMMUNICATION}))
    assert alarm_bits(by_hand(one.frames(lost, unguarded))) == ["warning_internal_communication"]


def test_zeros_go_on_for_as_long_as_the_gateway_decides() -> None:
    one = sink()
    one.frames(decision(), unguarded)
    assert all(one.frames(stopped(float(second), **LOST), unguarded) for second in range(1, 1000))


def test_a_profile_may_ask_for_silence_after_a_while() -> None:
    one = sink(profile(silence_after_s=60.0))
    one.frames(decision(), unguarded)
    assert one.frames(stopped(0.0, **LOST), unguarded)
    assert one.frames(stopped(59.9, **LOST), unguarded)
    assert one.frames(stopped(60.0, **LOST), unguarded) == ()
    assert one.status(60.0).silent == "all packs lost for 60 s: the profile asks for silence"


def test_one_pack_that_is_heard_is_not_silence() -> None:
    one = sink(profile(silence_after_s=60.0))
    assert all(one.frames(stopped(float(second), packs_online=1), unguarded) for second in range(100))


def test_a_pack_that_comes_back_ends_that_silence_and_its_clock() -> None:
    one = sink(profile(silence_after_s=60.0))
    one.frames(decision(), unguarded)
    one.frames(stopped(0.0, **LOST), unguarded)
    one.frames(stopped(60.0, **LOST), unguarded)
    assert one.frames(stopped(61.0), unguarded)
    assert one.frames(stopped(62.0, **LOST), unguarded)
    assert one.frames(stopped(121.9, **LOST), unguarded)
    assert one.frames(stopped(122.0, **LOST), unguarded) == ()


# What is heard


def test_an_inverter_that_was_never_heard_is_not_heard() -> None:
    status = sink().status(5.0)
    assert (status.inverter_heard, status.answer_age_s, status.answers) == (False, None, 0)


def test_an_inverter_that_answers_is_heard_until_it_is_later_than_it_may_be() -> None:
    one = sink()
    one.received(ALIVE, 10.0)
    assert (one.status(12.0).inverter_heard, one.status(12.0).answer_age_s) == (True, 2.0)
    assert one.status(70.0).inverter_heard is True
    assert one.status(70.1).inverter_heard is False


def test_of_several_answers_the_latest_counts() -> None:
    second = Answer(id=0x307, period_s=1.0, may_be_late_s=5.0)
    one = sink(profile(answers=(*deye().answers, second)))
    one.received(ALIVE, 0.0)
    one.received(CanFrame(0x307, bytes(8)), 10.0)
    assert one.status(12.0).answer_age_s == 2.0
    assert one.status(20.0).inverter_heard is True


def test_an_inverter_that_answers_nothing_is_not_missed() -> None:
    assert sink(profile(answers=())).status(1000.0).inverter_heard is None


def test_silence_of_the_inverter_never_stops_us() -> None:
    one = sink()
    one.received(ALIVE, 0.0)
    assert one.frames(decision(time_s=10_000.0), unguarded)


@pytest.mark.parametrize(
    "frame",
    [
        CanFrame(0x305, bytes(7)),
        CanFrame(0x305, b""),
        CanFrame(0x305, bytes(8), extended=True),
        CanFrame(0x351, bytes(8), extended=True),
    ],
)
def test_a_known_identifier_in_the_wrong_form_is_counted_and_not_believed(frame: CanFrame) -> None:
    one = sink()
    one.received(frame, 1.0)
    status = one.status(1.0)
    assert (status.malformed, status.answers, status.other_sender) == (1, 0, False)


def test_frames_of_others_are_counted() -> None:
    one = sink()
    one.received(CanFrame(0x123, b"\x01"), 1.0)
    assert one.status(1.0).foreign == 1


def test_our_own_echo_is_no_other_sender() -> None:
    one = sink()
    for frame in one.frames(decision(), unguarded):
        one.received(frame, 1.0)
    status = one.status(1.0)
    assert (status.echoes, status.other_sender, status.other_sender_frames) == (6, False, 0)


def test_an_echo_may_be_a_few_decisions_late() -> None:
    one = sink()
    first = one.frames(decision(charge_current_limit_a=50.0), unguarded)
    for amps in range(60, 67):
        one.frames(decision(charge_current_limit_a=float(amps)), unguarded)
    one.received(first[0], 1.0)
    assert one.status(1.0).other_sender is False


def test_a_repeated_cycle_is_remembered_by_its_latest_time() -> None:
    one = sink()
    first = one.frames(decision(charge_current_limit_a=50.0), unguarded)
    for amps in (60, 61, 62, 63, 64, 65, 66, 50, 67):
        one.frames(decision(charge_current_limit_a=float(amps)), unguarded)
    one.received(first[0], 1.0)
    assert one.status(1.0).other_sender is False


def test_another_battery_on_the_bus_is_noticed() -> None:
    one = sink()
    one.frames(decision(), unguarded)
    one.received(CanFrame(0x356, bytes.fromhex("021300004a01")), 5.0)
    assert (one.status(5.0).other_sender, one.status(5.0).other_sender_frames) == (True, 1)
    assert one.status(15.0).other_sender is True
    assert one.status(15.1).other_sender is False


def test_another_battery_is_noticed_before_we_send_anything() -> None:
    one = sink()
    one.received(CanFrame(0x351, bytes(8)), 0.0)
    assert one.status(0.0).other_sender is True


def test_the_status_is_ready_for_json() -> None:
    one = sink()
    one.received(ALIVE, 1.0)
    assert one.status(3.0).report() == {
        "profile": "deye-lv",
        "inverter_heard": True,
        "answer_age_s": 2.0,
        "answers": 1,
        "other_sender": False,
        "other_sender_frames": 0,
        "echoes": 0,
        "malformed": 0,
        "foreign": 0,
        "silent": None,
        "replies": 0,
        "handshake": None,
        "clamped": (),
    }
