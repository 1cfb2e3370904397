from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.model import Alarm, CanFrame, Reading
from bridge.protocols._daly_d2_registers import MOSFET, SETTINGS, STATUS_62, STATUS_80, VERSIONS, image
from bridge.protocols._daly_faults import FAULT_BITS
from bridge.protocols._daly_layout import Read
from bridge.protocols._daly_modbus import read_reply, read_request, sealed
from bridge.protocols.contract import Drop, Dropped, Message, NoReply, Options, Payload, load
from bridge.protocols.daly_d2 import Decoder, Device
from tests.protocols.daly_packs import (
    PACK,
    Bench,
    Picky,
    Rewritten,
    alarms_of,
    everything_asked,
    pack,
    readings,
    said,
)
from tests.protocols.helpers import Silent, drops, fed, messages

D2 = load("daly-d2")


def asked(read: Read) -> bytes:
    return read_request(0xD2, read.start, read.count)


def registers(read: Read, changed: dict[int, int] | None = None, reading: Reading = PACK) -> bytes:
    """A reply of a healthy pack, with some registers changed."""
    words = image(reading, 1) | {
        register: raw.to_bytes(2, "big") for register, raw in (changed or {}).items()
    }
    window = range(read.start, read.start + read.count)
    return read_reply(0xD2, b"".join(words.get(register, b"\0\0") for register in window))


STATUS = registers(STATUS_62)


def only(items: list[Message | Dropped]) -> Message:
    (message,) = items
    assert isinstance(message, Message)
    return message


# Frames


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (STATUS_62, "d2030000003ed7b9"), (STATUS_80, "d203000000505655"), (SETTINGS, "d20300800029965f"),
        (VERSIONS, "d20300a900208791"), (MOSFET, "d203003e0009f7a3"),
    ],
)  # fmt: skip
def test_golden_requests_are_built_to_the_byte(read: Read, text: str) -> None:
    assert asked(read) == bytes.fromhex(text)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xd2",
        b"\xd2\x03",
        b"\xd2\xd2\x03",
        b"\xd2\x03\x7c",
        STATUS[:50],
        STATUS[1:],
        b"AT+PRODUCTINFO=NoPID",
        b"\xff" * 9,
    ],
    ids=bytes.hex,
)
def test_garbage_that_starts_a_frame_loses_no_good_one_behind_it(garbage: bytes) -> None:
    found = messages(fed(Decoder(), [garbage + STATUS + STATUS]))
    assert [message.name for message in found] == ["status", "status"]


@given(
    st.lists(st.sampled_from([STATUS, registers(SETTINGS), b"\xd2", b"\xd2\x03\x10", b"9600"]), max_size=6),
    st.data(),
)
def test_any_chunking_gives_the_same_messages(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=20)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert messages(fed(Decoder(), chunks)) == messages(fed(Decoder(), [stream]))


def test_a_reply_belongs_to_the_request_of_its_length() -> None:
    decoder = Decoder()
    decoder.sent(read_request(0xD2, 0x28, 3))
    message = only(decoder.feed(read_reply(0xD2, bytes.fromhex("0213754e0267"))))
    assert message.name == "registers"
    assert message.reading == {"voltage_v": 53.1, "soc_pct": 61.5, "current_a": 3.0}
    assert message.raw["start"] == 0x28


def test_of_two_requests_of_one_length_the_newer_is_answered() -> None:
    decoder = Decoder()
    decoder.sent(read_request(0xD2, 0xCC, 2))
    decoder.sent(read_request(0xD2, 0xA5, 2))
    message = only(decoder.feed(read_reply(0xD2, bytes.fromhex("00010000"))))
    assert (message.raw["charge_mos_switch"], message.raw["discharge_mos_switch"]) == (True, False)


def test_replies_to_requests_that_were_sent_all_at_once_are_told_apart_by_length() -> None:
    """As in syssi/esphome-daly-bms docs/pdus/btsnoop_daly_balancer.log; the third got no reply there."""
    decoder = Decoder()
    for start, count in ((0x63, 28), (0xCC, 2), (0x3E, 9)):
        decoder.sent(read_request(0xD2, start, count))
    both = read_reply(0xD2, b"\xff" * 56) + read_reply(0xD2, bytes.fromhex("16080a00"))
    assert [(m.name, m.raw.get("production")) for m in messages(fed(decoder, [both]))] == [
        ("registers", None),
        ("production", "2022-08-10"),
    ]


def test_a_reply_that_nobody_asked_for_is_known_by_its_length_or_not_at_all() -> None:
    assert said(fed(Decoder(), [registers(VERSIONS), read_reply(0xD2, bytes(6))])) == [
        "versions",
        ("unknown", 11),
    ]


def test_a_reply_of_another_length_than_asked_for_is_not_guessed_at() -> None:
    decoder = Decoder()
    decoder.sent(asked(SETTINGS))
    (dropped,) = decoder.feed(STATUS)
    assert dropped == Dropped(Drop.LENGTH, 129, "124 data bytes where 82 were asked for")


def test_an_echo_is_told_and_does_for_a_request() -> None:
    echo = read_request(0xD2, 0x28, 3)
    items = fed(Decoder(), [echo, read_reply(0xD2, bytes.fromhex("0213754e0267"))])
    assert said(items) == [("echo", 8), "registers"]


@pytest.mark.parametrize("function", [0x83, 0x86, 0x90])
def test_a_refusal_is_told_as_such(function: int) -> None:
    (dropped,) = fed(Decoder(), [sealed(bytes((0xD2, function, 2)))])
    assert dropped == Dropped(Drop.REFUSED, 5, "code 2")


def test_a_written_register_of_another_program_is_only_reported() -> None:
    message = only(fed(Decoder(), [sealed(bytes.fromhex("d20600a50001"))]))
    assert message.raw == {"written_register": 0xA5, "written_value": 1}
    assert message.reading == {}


def test_can_frames_are_not_for_a_byte_stream() -> None:
    assert said(Decoder().feed(CanFrame(0x123, b"\x01\x02"))) == [("noise", 2)]


# Values that cannot be true


@pytest.mark.parametrize(
    "changed",
    [
        {0x28: 0}, {0x29: 0}, {0x29: 0xFFFF}, {0x31: 0}, {0x31: 60}, {0x31: 0xFFFF},
        {0x03: 9000}, {0x0F: 0xFFFF},
        dict.fromkeys(range(16), 0), dict.fromkeys(range(62), 0), dict.fromkeys(range(62), 0xFFFF),
    ],
)  # fmt: skip
def test_checksum_valid_nonsense_is_counted_and_not_used(changed: dict[int, int]) -> None:
    items = fed(Decoder(), [registers(STATUS_62, changed)])
    assert said(items) == [("value", 129)]


def test_cells_beyond_the_register_table_are_unreadable_and_not_absent() -> None:
    message = only(fed(Decoder(), [registers(STATUS_62, {0x31: 36, **dict.fromkeys(range(32), 3300)})]))
    assert message.reading["cell_voltages_v"] == (3.3,) * 32 + (None,) * 4


def test_an_unreadable_cell_keeps_its_place() -> None:
    message = only(fed(Decoder(), [registers(STATUS_62, {4: 0})]))
    assert message.reading["cell_voltages_v"][3:6] == (3.303, None, 3.305)


@pytest.mark.parametrize("filler", [0, 0xFF, 0xFFFF, 0x100])
def test_a_probe_that_is_not_there_is_none_in_its_place(filler: int) -> None:
    message = only(fed(Decoder(), [registers(STATUS_62, {0x20: filler})]))
    assert message.reading["temperatures_c"] == (None, 22)


def test_fault_words_that_are_not_in_use_permit_nothing() -> None:
    message = only(fed(Decoder(), [registers(STATUS_62, dict.fromkeys(range(0x3A, 0x3E), 0xFFFF))]))
    assert "charge_allowed" not in message.reading
    assert "protections" not in message.reading


def test_the_low_byte_of_a_fault_register_is_the_earlier_one() -> None:
    message = only(fed(Decoder(), [registers(STATUS_62, {0x3A: 0x0102, 0x3D: 0x0410})]))
    assert message.raw["alarms"] == ["cell_voltage_high_l2", "charge_temp_high_l1", "mos_off_by_soft_switch"]
    assert message.raw["fault_code"] == 4


def test_the_balancing_map_counts_from_the_lowest_cell() -> None:
    message = only(fed(Decoder(), [registers(STATUS_80, {0x3E: 0x8001, 0x3F: 0x0002})]))
    assert message.raw["balancing_cells"] == [1, 16, 18]


# Session and device


def bench(reading: Reading = PACK, options: Options | None = None, device: Options | None = None) -> Bench:
    return Bench(D2, Device(device or Options()), options).start(reading)


@pytest.mark.parametrize("status_registers", [62, 80])
@given(reading=readings(cells_max=32, probes_max=8, alarms=alarms_of(set(FAULT_BITS) - {""})))
def test_whatever_a_pack_is_like_is_what_the_session_reads(status_registers: int, reading: Reading) -> None:
    own = bench(reading, device=Options(extra={"status_registers": status_registers}))
    found = own.poll(reading)
    assert {key: found.get(key) for key in reading} == reading


def test_a_board_that_gives_80_registers_is_read_with_one_request() -> None:
    own = bench()
    own.poll(PACK)
    assert own.sent == [asked(STATUS_80)]


def test_a_board_that_gives_only_62_is_read_with_two() -> None:
    own = bench(device=Options(extra={"status_registers": 62}))
    own.poll(PACK)
    assert own.sent == [asked(STATUS_62), asked(MOSFET)]


def test_where_the_switches_have_no_probe_it_is_not_asked_for_again() -> None:
    cold = pack(mosfet_temperature_c=None)
    own = bench(cold, device=Options(extra={"status_registers": 62}))
    assert own.poll(cold)["soc_pct"] == 61.5
    assert own.sent == [asked(STATUS_62)]


def test_a_board_that_answers_neither_is_not_opened_and_tried_anew_later() -> None:
    own = Bench(D2, Silent())
    with pytest.raises(NoReply):
        own.run(own.session.open(), PACK)
    own.device = Device(Options())
    assert own.start(PACK).poll(PACK)["voltage_v"] == 53.1


def test_a_session_only_ever_sends_reads_that_the_maker_documents() -> None:
    sent: set[Payload] = set()
    for extra in ({}, {"status_registers": 62}, {"status_registers": 80}):
        for device in (Device(Options()), Device(Options(extra={"status_registers": 62}))):
            own = Bench(D2, device, Options(extra=extra))
            sent |= everything_asked(own, [PACK, pack(charge_fet_on=False)])
    assert sent == {asked(read) for read in (STATUS_62, STATUS_80, MOSFET, SETTINGS, VERSIONS)}


@pytest.mark.parametrize("sign", [1, -1])
def test_either_sign_is_read_the_same(sign: int) -> None:
    assert bench(device=Options(extra={"current_sign": sign})).poll(PACK)["current_a"] == -12.3


def _settings_with(changed: dict[int, int]) -> Bench:
    own = bench()
    settings = registers(SETTINGS, changed)
    own.device = Rewritten(
        own.device, lambda answer: settings if len(bytes_of(answer)) == len(settings) else answer
    )
    own.run(own.session.info(), PACK)
    return own


def bytes_of(payload: Payload) -> bytes:
    assert isinstance(payload, bytes)
    return payload


def test_a_commanded_switch_forbids_though_the_state_still_reads_on() -> None:
    own = _settings_with({0xA5: 0})
    found = own.poll(PACK)
    assert found["charge_fet_on"] is True
    assert (found["charge_allowed"], found["discharge_allowed"]) == (False, True)


def test_while_a_commanded_switch_is_off_it_is_looked_at_again() -> None:
    own = _settings_with({0xA5: 0})
    own.device = Device(Options())
    allowed = [own.poll(PACK)["charge_allowed"] for _ in range(12)]
    assert allowed[0] is False
    assert allowed[-1] is True


BALANCER = {
    0x8F: 0,
    0x90: 0,
    0x91: 5000,
    0x92: 5000,
    **dict.fromkeys(range(0x93, 0x97), 30000),
    0xA5: 0,
    0xA6: 0,
}


def test_an_active_balancer_has_no_switches_and_rates_nothing() -> None:
    """Its settings as captured, syssi/esphome-daly-bms docs/pdus/btsnoop_daly_balancer.log."""
    own = _settings_with(BALANCER)
    found = own.poll(pack(charge_fet_on=False, discharge_fet_on=False))
    assert (found["charge_fet_on"], found["discharge_fet_on"]) == (None, None)
    assert (found["charge_allowed"], found["discharge_allowed"]) == (None, None)
    info = own.run(own.session.info(), PACK)
    assert info is not None
    assert (info.ratings.cell_ovp_v, info.ratings.charge_ocp_a) == (None, None)


def test_info_names_the_board_and_rates_it_by_its_thresholds() -> None:
    own = bench()
    own.poll(PACK)
    info = own.run(own.session.info(), PACK)
    assert info is not None
    assert (info.model, info.firmware, info.cell_count) == ("DL-SIM-R16-01", "SIM-20240101", 16)
    assert (info.ratings.charge_ocp_a, info.ratings.discharge_ocp_a) == (100.0, 120.0)
    assert (info.ratings.charge_otp_c, info.ratings.charge_utp_c) == (55, 2)
    assert (info.ratings.pack_ovp_v, info.ratings.pack_uvp_v) == (57.6, 44.8)


def test_a_board_that_tells_nothing_of_itself_has_no_info() -> None:
    own = bench()
    own.device = Silent()
    assert own.run(own.session.info(), PACK) is None


def test_an_inverted_board_is_turned_round() -> None:
    mirrored = pack(current_a=12.3, warnings=frozenset({Alarm.DISCHARGE_OVERCURRENT}))
    found = bench(mirrored, Options(extra={"invert_current": True})).poll(mirrored)
    assert found["current_a"] == -12.3
    assert found["warnings"] == {Alarm.CHARGE_OVERCURRENT}


@pytest.mark.parametrize("value", [61, "62", True])
def test_impossible_register_counts_are_the_users_error(value: int | str) -> None:
    with pytest.raises(ConfigError, match="62 or 80"):
        D2.session(Options(extra={"status_registers": value}))


def test_a_simulated_board_answers_no_writes_and_no_unknown_registers() -> None:
    device = Device(Options())
    assert device.receive(sealed(bytes.fromhex("d20600a50000")), PACK) == []
    assert device.receive(read_request(0xD2, 0xC9, 40), PACK) == []
    assert device.receive(read_request(0xD2, 0, 0), PACK) == []
    assert device.receive(read_request(0x81, 0, 64), PACK) == []


def test_nothing_is_ever_collected() -> None:
    assert D2.session(Options()).collect(Message("status", {"voltage_v": 52.0})) is None


def test_a_lost_reply_is_no_reading() -> None:
    own = bench()
    own.device = Picky(own.device, lambda payload: payload != asked(STATUS_80))
    with pytest.raises(NoReply):
        own.poll(PACK)
    assert drops(fed(Decoder(), [STATUS])) == []
