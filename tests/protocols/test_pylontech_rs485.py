"""Pylontech on RS485: captured frames, both check sums, addresses, and what a battery is taken to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeBug
from bridge.model import Alarm, Ratings, Reading
from bridge.protocols import _pylontech_rs485_answers as answers
from bridge.protocols import _pylontech_rs485_classic as classic
from bridge.protocols import _pylontech_rs485_frames as frames
from bridge.protocols import _pylontech_rs485_readings as readings
from bridge.protocols import _pylontech_rs485_requests as requests
from bridge.protocols import _pylontech_rs485_system as system
from bridge.protocols._pylontech_rs485_frames import Frame, Return, build, parse
from bridge.protocols._pylontech_rs485_requests import Command, request, understood
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Dropped, Message, Options, Payload, load
from bridge.protocols.pylontech_rs485 import Decoder, Device, Session
from tests.protocols.helpers import (
    Vector,
    ask,
    differences,
    drops,
    fed,
    fed_every_way,
    messages,
    vectors,
)

ENTRY = load("pylontech-rs485")
VECTORS = vectors("pylontech_rs485")
BY_NAME = {vector.name: vector for vector in VECTORS}
GOOD = [vector for vector in VECTORS if "error" not in vector.expect]
ANSWERS = [vector for vector in GOOD if not vector.expect["message"].startswith("request_")]

PACK: Reading = {
    "voltage_v": 52.917,
    "current_a": -12.3,
    "soc_pct": 61.0,
    "full_ah": 280.0,
    "cycles": 12,
    "cell_voltages_v": (3.331, 3.317, *(3.32,) * 14),
    "temperatures_c": (20.9, -5.4, 21.2),
    "mosfet_temperature_c": 25.0,
    "charge_allowed": True,
    "discharge_allowed": True,
    "protections": frozenset(),
    "warnings": frozenset(),
    "charge_voltage_limit_v": 55.2,
    "discharge_voltage_limit_v": 44.8,
    "charge_current_limit_a": 100.0,
    "discharge_current_limit_a": 90.0,
}


def pack(**changes: Any) -> Reading:
    return PACK | changes  # type: ignore[return-value]  # keys of Reading, written in the tests below


def answer(address: int, info: str, code: int = 0) -> bytes:
    return build(Frame(address, code, bytes.fromhex(info)))


def heard(*stream: bytes, sent: bytes | None = None) -> list[Message | Dropped]:
    return fed(Decoder(), stream, sent)


def polled(reading: Reading, address: int = 2) -> Reading:
    options = Options(address=address)
    return ask(ENTRY, Session(options).poll(), Device(options), reading)[0]


# Captured frames


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector.name)
def test_a_captured_frame_says_what_it_is_known_to_say(vector: Vector) -> None:
    found = fed_every_way(Decoder, vector.chunks, sent=vector.request)
    expected = dict(vector.expect)
    modules = expected.pop("modules", [{}])
    name, address = expected.pop("message"), expected.pop("address")
    assert [message.name for message in found] == [name] * len(modules)
    assert [message.address for message in found] == [address + place for place in range(len(modules))]
    for message, module in zip(found, modules, strict=True):
        expect = {**expected, **module}
        for key in {"protections", "warnings"} & expect.keys():
            expect[key] = frozenset(expect[key])
        assert differences(message, expect) == {}


def test_the_answer_that_the_manual_prints_has_a_wrong_check_sum_and_is_not_used() -> None:
    stream = BY_NAME["42_v33_doc_bad_chksum"].stream
    assert [(drop.reason, drop.size) for drop in drops(heard(stream))] == [(Drop.CHECKSUM, len(stream))]
    (message,) = messages(heard(stream.replace(b"E1A2", b"E27A")))
    assert message.reading["cell_voltages_v"][:2] == (3.397, 3.396)
    assert (message.reading["remaining_ah"], message.reading["full_ah"]) == (51.8, 74.0)


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector.name)
def test_a_captured_frame_is_built_again_to_the_byte(vector: Vector) -> None:
    assert build(parse(vector.stream)) == vector.stream


@pytest.mark.parametrize("vector", ANSWERS, ids=lambda vector: vector.name)
def test_captured_contents_are_written_again_to_the_byte(vector: Vector) -> None:
    info = parse(vector.stream).info
    writers: dict[str, Callable[[], bytes]] = {
        "analog_values": lambda: classic.write_told(classic.read_analog(info)),
        "alarm_states": lambda: classic.write_told(classic.read_states(info)),
        "management": lambda: classic.write_management(*classic.read_management(info)),
        "system_analog": lambda: system.write_analog(system.read_analog(info)),
        "system_alarms": lambda: bytes(system.read_alarms(info)),
        "system_limits": lambda: system.write_limits(system.read_limits(info)),
        "system_parameters": lambda: classic.write_parameters(*classic.read_parameters(info)),
        "serial_number": lambda: classic.write_serial(*classic.read_serial(info)),
        "protocol_version": lambda: b"",
        "manufacturer": lambda: _made_again(*classic.read_maker(info)),
        "firmware": lambda: info,
    }
    assert writers[vector.expect["message"]]() == info


def _made_again(name: str, version: str, maker: str) -> bytes:
    major, minor = version.split(".")
    return classic.write_maker(name, (int(major), int(minor)), maker)


LIMITS = ["92_us5000_adr3", "92_us5000_adr4", "92_up2500", "92_us5000_full", "92_us3000c"]


@pytest.mark.parametrize("name", LIMITS)
def test_captured_limits_are_encoded_from_what_was_decoded(name: str) -> None:
    (message,) = messages(heard(BY_NAME[name].stream))
    limits = answers.management(message.reading)
    assert classic.write_management(message.address or 0, limits) == parse(BY_NAME[name].stream).info


@pytest.mark.parametrize(
    "name",
    ["42_us5000_adr2", "42_us5000_adr4", "42_us3000c_charging", "42_us3000c", "42_us2000", "42_up2500"],
)
def test_captured_values_are_encoded_from_what_was_decoded(name: str) -> None:
    (message,) = messages(heard(BY_NAME[name].stream))
    stream = build(Frame(2, 0x42, b"\x02"))
    info = answers.told(
        understood(parse(stream))._replace(frame=Frame(message.address or 0, 0x42)), [message.reading]
    )
    assert info is not None
    assert info[1:] == parse(BY_NAME[name].stream).info[1:]  # behind the flag of unread changes


def test_a_rack_asked_as_a_whole_gives_each_battery_its_address() -> None:
    found = messages(heard(BY_NAME["42ff_us2000x3"].stream, sent=build(Frame(2, 0x42, b"\xff"))))
    assert [message.address for message in found] == [2, 3, 4]
    assert [message.reading["soc_pct"] for message in found] == [67.0, 67.0, 67.0]


# Frames


def test_the_length_field_of_the_manuals_examples() -> None:
    assert frames.length_field(0x12) == 0xD012
    assert frames.length_field(0x02) == 0xE002
    assert frames.length_field(0xF0) == 0x10F0
    assert frames.length_field(0) == 0


def test_a_length_whose_digits_sum_to_sixteen_has_the_check_digit_zero() -> None:
    assert frames.length_field(0x88) == 0x0088
    stream = answer(2, "00" * 0x44)
    assert stream[9:13] == b"0088"
    assert parse(stream).info == bytes(0x44)


def test_the_check_sum_of_the_manuals_example_is_fc71_and_not_fc72() -> None:
    assert frames.checksum(b"1203400456ABCEFE") == 0xFC71


def test_a_length_of_five_digits_as_some_emulators_print_it_is_no_frame() -> None:
    body = b"20024600" + b"10088" + b"00" * 0x44
    stream = b"~" + body + b"%04X\r" % frames.checksum(body)
    assert [drop.reason for drop in drops(heard(stream))] == [Drop.LENGTH]


def test_an_answer_that_repeats_the_command_for_a_return_code_is_not_read_as_values() -> None:
    right = BY_NAME["61_jk_1"].stream
    wrong = build(parse(right)._replace(code=0x61))  # dalathegreat/Battery-Emulator issue 3001
    (message,) = messages(heard(wrong, sent=request(0x12, Command.SYSTEM_ANALOG)))
    assert message.name == "request_system_analog"
    assert message.reading == {}


def test_an_info_longer_than_a_frame_can_hold_is_our_bug() -> None:
    assert parse(build(Frame(2, 0, bytes(frames.LONGEST_INFO)))).info == bytes(frames.LONGEST_INFO)
    with pytest.raises(BridgeBug, match="at most 2047"):
        build(Frame(2, 0, bytes(frames.LONGEST_INFO + 1)))


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"~20024642E00202FD34\r", Drop.CHECKSUM),
        (b"~20024642D00202FD34\r", Drop.LENGTH),
        (b"~20024642E00202FD3\r", Drop.CHECKSUM),
        (b"~2002\r", Drop.TRUNCATED),
        (b"~20024642E00202~", Drop.TRUNCATED),
        (b"~20014A420000FDA2\r", Drop.UNKNOWN),
        (b"xyz", Drop.NOISE),
    ],
)
def test_what_is_no_frame_is_counted_by_its_fault(stream: bytes, reason: Drop) -> None:
    found = heard(stream)
    assert messages(found) == []
    assert {drop.reason for drop in drops(found)} == {reason}
    assert sum(drop.size for drop in drops(found)) == len(stream)


@given(address=st.integers(0, 255), code=st.integers(0, 255), info=st.binary(max_size=80))
def test_every_frame_is_read_as_it_was_built(address: int, code: int, info: bytes) -> None:
    assert parse(build(Frame(address, code, info))) == Frame(address, code, info)


@given(data=st.data())
def test_a_frame_with_one_wrong_bit_says_nothing_else(data: st.DataObject) -> None:
    vector = data.draw(st.sampled_from(ANSWERS))
    stream = bytearray(vector.stream)
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    # A small letter in CHKSUM is the same figure.
    assert messages(heard(bytes(stream))) in ([], messages(heard(vector.stream)))


# Questions and who answers them


def test_an_answer_is_read_as_what_was_asked_or_not_at_all() -> None:
    limits = BY_NAME["92_us5000_adr3"].stream
    assert [one.name for one in messages(heard(limits, sent=request(3, Command.MANAGEMENT)))] == [
        "management"
    ]
    assert [drop.reason for drop in drops(heard(limits, sent=request(3, Command.ANALOG_VALUES)))] == [
        Drop.LENGTH
    ]


def test_the_answer_of_a_battery_that_was_not_asked_keeps_its_own_address() -> None:
    (message,) = messages(heard(BY_NAME["92_us5000_adr3"].stream, sent=request(2, Command.MANAGEMENT)))
    assert message.address == 3


def test_values_that_another_battery_is_named_in_are_not_used() -> None:
    info = parse(BY_NAME["92_us5000_adr3"].stream).info
    found = heard(build(Frame(2, 0, info)), sent=request(2, Command.MANAGEMENT))
    assert [drop.reason for drop in drops(found)] == [Drop.VALUE]


def test_a_refusal_names_what_was_refused() -> None:
    (dropped,) = drops(heard(answer(2, "", 0x04), sent=request(2, Command.MANAGEMENT)))
    assert (dropped.reason, dropped.detail) == (Drop.REFUSED, "management: return code 04")


def test_our_own_request_is_an_echo_and_another_masters_is_a_message() -> None:
    ours, others = request(2, Command.MANAGEMENT), request(3, Command.MANAGEMENT)
    assert heard(ours, sent=ours) == [Dropped(Drop.ECHO, len(ours))]
    (message,) = messages(heard(others, sent=ours))
    assert (message.name, message.address) == ("request_management", 3)
    assert message.raw == {"command": "92", "info": "03", "version": "20"}


def test_behind_another_masters_request_its_answer_is_read_as_that() -> None:
    whole = build(Frame(2, 0x42, b"\xff"))
    found = messages(heard(whole + BY_NAME["42ff_mixed_us3000_us2000"].stream))
    assert [message.name for message in found] == ["request_analog_values", "analog_values", "analog_values"]


def test_no_request_can_be_built_that_writes() -> None:
    for command in (Command.SET_MANAGEMENT, Command.SWITCH_OFF):
        with pytest.raises(BridgeBug, match="never sent"):
            request(2, command)


def test_places_count_batteries_over_the_groups() -> None:
    assert [requests.place(address) for address in (2, 3, 0x0D, 0x12, 0x7D)] == [0, 1, 11, 12, 95]
    assert [requests.place(address) for address in (0, 1, 0x0E, 0x10, 0x82, 0xFF)] == [None] * 6


@pytest.mark.parametrize(
    ("info", "refusal", "whole"),
    [
        (b"\x02", None, False),
        (b"\x02\x01", None, False),
        (b"", None, False),
        (b"\xff", None, True),
        (b"\x03", Return.INFO, False),
        (b"\x02\x01\x01", Return.FORMAT, False),
    ],
)
def test_a_module_is_named_in_one_byte_or_two(info: bytes, refusal: Return | None, whole: bool) -> None:
    question = understood(Frame(2, 0x42, info))
    assert (question.refusal, question.whole_group) == (refusal, whole)


def test_only_a_groups_first_battery_answers_for_the_group() -> None:
    assert understood(Frame(0x12, 0x44, b"\xff")).whole_group
    assert understood(Frame(0x13, 0x44, b"\xff")).refusal is Return.INFO
    assert understood(Frame(0x02, 0x92, b"\xff")).refusal is Return.INFO


# What a battery is taken to say


def states(**changes: Any) -> Reading:
    usual = classic.States((0,) * 15, (0,) * 5, 0, 0, 0, (0, 0x0E, 0, 0, 0))
    return readings.states(usual._replace(**changes))[0]


def test_without_a_state_and_with_both_switches_on_both_directions_are_allowed() -> None:
    reading = states()
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (True, True)
    assert reading["protections"] == frozenset()


@pytest.mark.parametrize(
    ("changes", "alarms", "charge", "discharge"),
    [
        ({"cells": (0, 2)}, {Alarm.CELL_OVERVOLTAGE}, False, True),
        ({"cells": (1, 0)}, {Alarm.CELL_UNDERVOLTAGE}, True, False),
        ({"cells": (0xF0,)}, {Alarm.OTHER}, False, False),
        ({"voltage": 2}, {Alarm.PACK_OVERVOLTAGE}, False, True),
        ({"voltage": 1}, {Alarm.PACK_UNDERVOLTAGE}, True, False),
        (
            {"temperatures": (0, 2)},
            {Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE},
            False,
            False,
        ),
        ({"charge_current": 2}, {Alarm.CHARGE_OVERCURRENT}, False, True),
        ({"charge_current": 0xF0}, set(), False, True),
        ({"discharge_current": 0xF0}, set(), True, False),
        ({"status": (0x10, 0x0E, 0, 0, 0)}, {Alarm.DISCHARGE_OVERCURRENT}, True, False),
        ({"status": (0x08, 0x0E, 0, 0, 0)}, {Alarm.OTHER}, False, False),
        ({"status": (0, 0x0C, 0, 0, 0)}, set(), False, True),
        ({"status": (0, 0x0A, 0, 0, 0)}, set(), True, False),
        ({"status": (0, 0x0E, 0, 0, 1)}, {Alarm.CELL_DISCONNECTED, Alarm.OTHER}, False, False),
    ],
)
def test_a_state_ends_what_it_is_about(
    changes: dict[str, Any], alarms: set[Alarm], charge: bool, discharge: bool
) -> None:
    reading = states(**changes)
    assert reading["protections"] == alarms
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)


def test_a_full_battery_is_a_warning() -> None:
    assert states(status=(0, 0x0E, 0x08, 0, 0))["warnings"] == {Alarm.FULLY_CHARGED}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((53250, 45000, 200, -500, 0xC0), (53.25, 45.0, 20.0, 50.0, True, True)),
        ((53250, 45000, 200, 500, 0x80), (53.25, 45.0, 20.0, 50.0, True, False)),
        ((53250, 45000, -200, 0, 0x40), (53.25, 45.0, 0.0, 0.0, False, True)),
        ((0, 0, 200, -500, 0xC0), (None, None, 20.0, 50.0, False, True)),
    ],
)
def test_limits_are_positive_whatever_their_sign_and_a_negative_charge_limit_is_none(
    told: tuple[int, int, int, int, int], expected: tuple[object, ...]
) -> None:
    reading, _ = readings.limits(classic.Management(*told))
    assert (
        reading["charge_voltage_limit_v"], reading["discharge_voltage_limit_v"],
        reading["charge_current_limit_a"], reading["discharge_current_limit_a"],
        reading["charge_allowed"], reading["discharge_allowed"],
    ) == expected  # fmt: skip


def test_items_of_another_makers_dialect_are_not_scaled_as_ours() -> None:
    info = bytearray(parse(BY_NAME["42_us5000_adr2"].stream).info)
    info[info.index(b"\xff\xff\x04\xff\xff") + 2] = 3  # PACE: in steps ten times as large
    with pytest.raises(BadFrame, match="3 user-defined items"):
        classic.read_analog(bytes(info), whole_group=False)


def test_more_charge_than_there_is_room_for_is_not_used() -> None:
    module = classic.Analog((3300,) * 16, (), 0, 52800, 90_000, 50_000, 1)
    with pytest.raises(BadFrame, match=r"90\.0 Ah left of 50\.0 Ah"):
        readings.analog(module)


def test_cells_and_probes_that_cannot_be_read_keep_their_places() -> None:
    reading, _ = readings.analog(classic.Analog((3300, 0, -1), (3000, 0, 0xFFFF), 0, 9900, None, None, 1))
    assert reading["cell_voltages_v"] == (3.3, None, None)
    assert (reading["mosfet_temperature_c"], reading["temperatures_c"]) == (26.9, (None, None))
    assert reading["soc_pct"] is None


# A session


@pytest.mark.parametrize("address", [2, 3, 0x0D, 0x12, 0x7D])
def test_a_battery_is_read_at_its_address(address: int) -> None:
    reading = polled(pack(), address)
    assert reading["cell_voltages_v"] == PACK["cell_voltages_v"]
    assert (reading["voltage_v"], reading["current_a"], reading["soc_pct"]) == (52.917, -12.3, 61.0)
    assert reading["temperatures_c"] == PACK["temperatures_c"]
    assert (reading["charge_current_limit_a"], reading["discharge_current_limit_a"]) == (100.0, 90.0)
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (True, True)


def test_a_direction_is_allowed_where_alarms_and_limits_both_allow_it() -> None:
    reading = polled(pack(charge_allowed=False))
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (False, True)
    assert reading["charge_current_limit_a"] == 0.0


class Spoiling:
    """A battery whose answers to one command are changed."""

    def __init__(self, command: Command, info: bytes) -> None:
        self.command, self.info, self.device = command, info, Device(Options(address=2))

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        assert isinstance(payload, bytes)
        if parse(payload).code == self.command:
            return [build(Frame(2, 0, self.info))]
        return self.device.receive(payload, reading)


def test_where_only_the_limits_end_a_direction_it_has_ended() -> None:
    info = classic.write_management(2, classic.Management(55200, 44800, 500, -500, 0x40))
    reading = ask(ENTRY, Session(Options()).poll(), Spoiling(Command.MANAGEMENT, info), pack())[0]
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (False, True)


def test_what_a_battery_is_set_to_becomes_ratings() -> None:
    options = Options(address=2)
    info, sent = ask(ENTRY, Session(options).info(), Device(options), pack())
    assert info is not None
    assert (info.model, info.firmware, info.serial) == ("US3000C", "1.0", "SIMULATED0000002")
    assert info.ratings == Ratings(
        cell_ovp_v=3.45, cell_uvp_v=2.8, pack_ovp_v=55.2, pack_uvp_v=44.8, charge_ocp_a=100.0,
        discharge_ocp_a=90.0, charge_otp_c=55.0, charge_utp_c=0.0, discharge_otp_c=60.0,
        discharge_utp_c=-20.0,
    )  # fmt: skip
    assert [parse(one).code for one in sent if isinstance(one, bytes)] == [0x47, 0x51, 0x93]


def test_a_battery_that_says_nothing_of_itself_is_still_read() -> None:
    class Mute(Device):
        def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
            told = isinstance(payload, bytes) and parse(payload).code in {0x42, 0x44, 0x92}
            return super().receive(payload, reading) if told else []

    assert ask(ENTRY, Session(Options()).info(), Mute(Options()), pack())[0] is None
    assert ask(ENTRY, Session(Options()).poll(), Mute(Options()), pack())[0]["voltage_v"] == 52.917


def test_a_simulated_battery_answers_for_itself_only() -> None:
    device = Device(Options(address=3))
    assert device.receive(request(2, Command.ANALOG_VALUES), pack()) == []
    assert device.receive(build(Frame(3, 0x94, bytes(9))), pack()) == [build(Frame(3, Return.COMMAND))]
    assert len(device.receive(request(3, Command.ANALOG_VALUES), pack())) == 1


# What a battery says


@given(
    charge_a=st.floats(0, 1e6),
    discharge_a=st.floats(0, 1e6),
    charge_v=st.floats(8, 70),
    discharge_v=st.floats(0, 70),
    step_a=st.sampled_from([0.1, 0.01]),
)
def test_limits_on_the_wire_never_allow_more(
    charge_a: float, discharge_a: float, charge_v: float, discharge_v: float, step_a: float
) -> None:
    told = answers.management(
        pack(
            charge_current_limit_a=charge_a,
            discharge_current_limit_a=discharge_a,
            charge_voltage_limit_v=charge_v,
            discharge_voltage_limit_v=discharge_v,
        ),
        step_a=step_a,
    )
    read, _ = readings.limits(classic.Management(*told), step_a)
    tolerance = 1e-9 * max(charge_a, discharge_a, 1)
    saturated_a = 0x7FFF * step_a
    assert charge_a - step_a - tolerance < (read["charge_current_limit_a"] or 0) <= charge_a + tolerance or (
        charge_a > saturated_a and read["charge_current_limit_a"] == pytest.approx(saturated_a)
    )
    assert (read["discharge_current_limit_a"] or 0) <= discharge_a + tolerance
    assert (read["charge_voltage_limit_v"] or 0) <= charge_v + 1e-9
    if discharge_v > 65.535:
        assert (told.discharge_current, told.status & readings.DISCHARGE) == (0, 0)
    else:
        assert (read["discharge_voltage_limit_v"] or 0.0) >= discharge_v - 1e-9
    assert bool(told.status & readings.CHARGE) == bool(told.charge_current)
    assert bool(told.status & readings.DISCHARGE) == bool(told.discharge_current)


@given(
    soc_pct=st.floats(0, 100), full_ah=st.floats(0.1, 100_000), voltage_v=st.floats(0.001, 65.5),
    current_a=st.floats(-1e5, 1e5),
)  # fmt: skip
def test_values_come_back_within_a_step_and_never_with_more_charge(
    soc_pct: float, full_ah: float, voltage_v: float, current_a: float
) -> None:
    reading = pack(soc_pct=soc_pct, full_ah=full_ah, voltage_v=voltage_v, current_a=current_a)
    info = answers.told(understood(Frame(2, 0x42, b"\x02")), [reading])
    assert info is not None
    back = readings.analog(classic.read_analog(info).modules[0])[0]  # type: ignore[arg-type]  # 42 has these
    step_pct = 100 / min(full_ah * 1000, 0xFF_FFFF) * 1.001
    assert soc_pct - step_pct - 0.001 <= (back["soc_pct"] or 0.0) <= soc_pct + 1e-6
    assert back["voltage_v"] == pytest.approx(voltage_v, abs=0.00051)
    assert back["current_a"] == pytest.approx(min(3276.7, max(-3276.7, current_a)), abs=0.0501)
    assert (back["full_ah"] or 0) <= full_ah


@pytest.mark.parametrize(
    "changes",
    [{"voltage_v": None}, {"soc_pct": None}, {"full_ah": None}, {"full_ah": 0.0}, {"voltage_v": 66.0}],
)
def test_what_is_not_known_or_has_no_place_is_not_said(changes: dict[str, Any]) -> None:
    assert answers.analog(pack(**changes)) is None
    assert answers.told(understood(Frame(2, 0x44, b"\x02")), [pack(**changes)]) is None


@pytest.mark.parametrize(
    ("full_ah", "wide"), [(50.0, False), (65.0, False), (65.001, True), (16_000.0, True)]
)
def test_more_than_65_ampere_hours_are_said_in_24_bits(full_ah: float, wide: bool) -> None:
    told = answers.analog(pack(full_ah=full_ah, soc_pct=50.0))
    assert told is not None
    assert (told.wide, told.total_mah) == (wide, round(full_ah * 1000))


def test_a_direction_that_is_off_is_off_in_every_place() -> None:
    reading = pack(charge_allowed=False, discharge_allowed=False)
    told, limits = answers.states(reading), answers.management(reading, readings.CHARGE_NOW_2)
    assert (told.charge_current, told.discharge_current) == (0xF0, 0xF0)
    assert told.status[1] == 0
    assert limits[2:] == (0, 0, 0)
    assert answers.system_alarms(reading).protection_2 == 1 << system.FAULT_BIT


@pytest.mark.parametrize("alarm", list(Alarm))
def test_every_protection_is_seen_in_the_systems_alarms_and_ends_nothing_more_there(alarm: Alarm) -> None:
    told = answers.system_alarms(pack(protections=frozenset({alarm})))
    assert (told.protection_1, told.protection_2) != (0, 0)
    assert (told.alarm_1, told.alarm_2) == (0, 0)


@pytest.mark.parametrize("alarm", sorted(set(readings.STATUS_1) - {Alarm.OTHER} | system.HOT | system.COLD))
def test_a_protection_comes_back_from_the_alarm_states(alarm: Alarm) -> None:
    info = answers.told(understood(Frame(2, 0x44, b"\x02")), [pack(protections=frozenset({alarm}))])
    assert info is not None
    assert alarm in readings.states(classic.read_states(info).modules[0])[0]["protections"]  # type: ignore[arg-type]


def test_a_cell_that_cannot_be_read_is_zero_and_has_its_error_bit() -> None:
    reading = pack(cell_voltages_v=(3.3, None, *(3.3,) * 14))
    told = answers.analog(reading)
    assert told is not None
    assert told.cells_mv[:3] == (3300, 0, 3300)
    assert answers.states(reading).status[3:] == (2, 0)
