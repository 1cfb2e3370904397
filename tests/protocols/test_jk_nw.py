"""JK's NW protocol: captured replies, records that are walked, and what a reply cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Alarm, Reading
from bridge.protocols import jk_nw
from bridge.protocols._jk_nw_records import RECORDS
from bridge.protocols.contract import Drop, Dropped, Message, Options, load
from bridge.protocols.jk_nw import Decoder, Device, read_all
from tests.protocols.helpers import Vector, ask, differences, drops, fed, fed_every_way, messages, vectors

VECTORS = vectors("jk_nw")
BY_NAME = {vector.name: vector for vector in VECTORS}
WHOLE = [vector for vector in VECTORS if "error" not in vector.expect]
CHARGING = BY_NAME["nw_charging_10a"].stream
PACK: Reading = {
    "voltage_v": 13.2,
    "current_a": 4.5,
    "soc_pct": 61,
    "cycles": 9,
    "design_ah": 100,
    "cell_voltages_v": (3.3, 3.301, 3.299, 3.3),
    "temperatures_c": (21, -7),
    "mosfet_temperature_c": -40,
    "charge_fet_on": True,
    "discharge_fet_on": True,
    "balancing": True,
}


def resealed(records: bytes, head: bytes = b"\x06\x00\x01") -> bytes:
    """A reply around these records."""
    return jk_nw._sealed(head + records)


def records_of(frame: bytes) -> bytes:
    return frame[11:-9]


def changed(code: int, data: bytes, frame: bytes = CHARGING) -> bytes:
    """A captured reply in which one record has other contents."""
    records = bytearray(records_of(frame))
    at = 2 + records[1]
    while records[at] != code:
        at += 1 + RECORDS[records[at]].size
    records[at + 1 : at + 1 + len(data)] = data
    return resealed(bytes(records))


def only(stream: bytes) -> Message:
    (message,) = messages(fed(Decoder(), [stream]))
    return message


def refusal(stream: bytes) -> Dropped:
    found = fed(Decoder(), [stream])
    assert messages(found) == []
    (drop,) = drops(found)
    return drop


@pytest.mark.parametrize("vector", WHOLE, ids=lambda vector: vector.name)
def test_a_captured_reply_decodes_to_what_the_device_showed(vector: Vector) -> None:
    (message,) = fed_every_way(Decoder, vector.chunks, sent=vector.request)
    assert message.name == "status"
    assert differences(message, vector.expect) == {}


@pytest.mark.parametrize(
    ("name", "drop"),
    [
        ("nw_truncated_reply", Dropped(Drop.TRUNCATED, 50)),
        ("nw_bit_errors_and_lost_byte", Dropped(Drop.LENGTH, 284, "a byte is lost")),
    ],
)
def test_a_broken_capture_is_dropped_under_its_own_name(name: str, drop: Dropped) -> None:
    assert fed(Decoder(), BY_NAME[name].chunks) == [drop]


def test_the_next_reply_after_a_cut_one_is_read() -> None:
    found = fed(Decoder(), [CHARGING[:100], CHARGING])
    assert len(messages(found)) == 1


def test_flipped_bits_are_seen_by_the_sum_alone() -> None:
    """syssi/esphome-jk-bms #247: replies of full length in which a switch reads 0x41."""
    flipped = bytearray(CHARGING)
    flipped[flipped.index(b"\xac\x01", 180) + 1] = 0x41
    assert refusal(bytes(flipped)).reason is Drop.CHECKSUM


def test_a_reply_without_its_end_mark_is_dropped() -> None:
    broken = bytearray(CHARGING)
    broken[-5] = 0
    assert refusal(bytes(broken)).reason is Drop.TERMINATOR


def test_an_echo_of_the_request_is_no_reply() -> None:
    assert fed(Decoder(), [read_all()]) == [Dropped(Drop.ECHO, 21)]


def test_a_length_that_no_reply_has_starts_none() -> None:
    assert messages(fed(Decoder(), [b"NW\xff\xff" + CHARGING]))


def test_the_password_is_not_kept() -> None:
    assert "secretpass" not in repr(only(changed(0xB2, b"secretpass")))


@pytest.mark.parametrize(
    ("raw", "celsius"), [(0, 0), (100, 100), (101, -1), (120, -20), (140, -40), (0xFFFF, None)]
)
def test_temperatures_are_folded_above_100(raw: int, celsius: int | None) -> None:
    assert only(changed(0x80, raw.to_bytes(2, "big"))).reading["mosfet_temperature_c"] == celsius


@pytest.mark.parametrize(("count", "probes"), [(0, (None, None)), (1, (18, None)), (2, (18, 18))])
def test_probes_beyond_their_number_are_missing(count: int, probes: tuple[int | None, ...]) -> None:
    assert only(changed(0x86, bytes((count,)))).reading["temperatures_c"] == probes


@pytest.mark.parametrize(("raw", "amperes"), [(0x83F4, 10.12), (0x03F4, -10.12), (0x8000, 0.0), (0, 0.0)])
def test_the_current_is_signed_by_its_highest_bit(raw: int, amperes: float) -> None:
    assert only(changed(0x84, raw.to_bytes(2, "big"))).reading["current_a"] == amperes


@pytest.mark.parametrize(("raw", "amperes"), [(10000, 0.0), (9000, 10.0), (11500, -15.0)])
def test_without_the_protocol_record_the_current_is_an_offset(raw: int, amperes: float) -> None:
    records = records_of(changed(0x84, raw.to_bytes(2, "big")))
    assert records.endswith(b"\xc0\x01")
    assert only(resealed(records[:-2])).reading["current_a"] == amperes
    assert only(resealed(records[:-1] + b"\0")).reading["current_a"] == amperes


def test_a_cell_that_reads_zero_is_unreadable_and_keeps_its_place() -> None:
    records = bytearray(records_of(CHARGING))
    records[3:5] = b"\0\0"
    reading = only(resealed(bytes(records))).reading
    assert reading["cell_voltages_v"][0] is None
    assert len(reading["cell_voltages_v"]) == 16


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (changed(0x85, b"\x65"), Drop.VALUE),
        (changed(0x8A, b"\x00\x0f"), Drop.VALUE),
        (changed(0x83, b"\x00\x00"), Drop.VALUE),
        (changed(0x83, b"\x20\x00"), Drop.VALUE),
        (resealed(records_of(CHARGING) + b"\x7f\x00"), Drop.UNKNOWN),
        (resealed(records_of(CHARGING) + b"\x83\x00"), Drop.LENGTH),
        (resealed(b"\x79"), Drop.LENGTH),
        (resealed(b"\x79\x00"), Drop.VALUE),
        (resealed(b"\x79\x04\x01\x0c\xe4\x00"), Drop.VALUE),
        (resealed(b"\x79\x06\x02\x0c\xe4\x01\x0c\xe4"), Drop.VALUE),
        (resealed(b"\x79\xb4" + b"".join(bytes((n, 0x0C, 0xE4)) for n in range(1, 61))), Drop.VALUE),
        (resealed(b"\x79\x03\x01\x23\x28" + records_of(CHARGING)[50:]), Drop.VALUE),
    ],
    ids=[
        "SOC 101", "15 cells counted", "0 V", "81.92 V", "unknown record", "cut record", "no count",
        "no cells", "odd cells", "unordered", "60 cells", "9 V cell",
    ],
)  # fmt: skip
def test_a_reply_that_cannot_be_true_is_dropped(frame: bytes, reason: Drop) -> None:
    assert refusal(frame).reason is reason


def test_a_reply_to_one_id_is_not_taken_for_the_whole() -> None:
    message = only(resealed(b"\x85\x2a", head=b"\x03\x00\x01"))
    assert message.name == "records"
    assert message.reading == {"soc_pct": 42}
    assert only(resealed(b"\x8b\x00\x01")).raw["alarms"] == ("low_capacity",)


@pytest.mark.parametrize(
    ("alarms", "protections", "charge", "discharge"),
    [
        (0x0001, set(), True, True),
        (0x0008, {Alarm.PACK_UNDERVOLTAGE}, True, False),
        (0x0400, {Alarm.CELL_OVERVOLTAGE}, False, True),
        (0x0002, {Alarm.MOSFET_OVERTEMPERATURE}, False, False),
        (0x0200, {Alarm.CHARGE_UNDERTEMPERATURE}, False, True),
        (0x1000, {Alarm.BMS_FAULT}, False, False),
    ],
)
def test_an_alarm_forbids_its_direction(
    alarms: int, protections: set[Alarm], charge: bool, discharge: bool
) -> None:
    reading = only(changed(0x8B, alarms.to_bytes(2, "big"))).reading
    assert reading["protections"] == protections
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)


@pytest.mark.parametrize(("battery", "discharge"), [(119, True), (120, False), (0xFFFF, False)])
def test_in_the_cold_discharging_ends_at_its_own_limit(battery: int, discharge: bool) -> None:
    cold = changed(0x8B, b"\x02\x00", changed(0x82, battery.to_bytes(2, "big")))
    assert only(cold).reading["discharge_allowed"] is discharge


@pytest.mark.parametrize(
    ("code", "value", "charge", "discharge"),
    [(0x8C, 2, False, True), (0x8C, 1, True, False), (0xAB, 0, False, True), (0xAC, 0, True, False)],
)
def test_permission_needs_switch_and_mosfet(code: int, value: int, charge: bool, discharge: bool) -> None:
    reading = only(changed(code, value.to_bytes(RECORDS[code].size, "big"))).reading
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)
    assert Alarm.FET_LOCKED not in reading["warnings"]


@pytest.mark.parametrize(("code", "locked"), [(0xAB, True), (0xAC, True), (0x8C, False)])
def test_a_switch_that_somebody_turned_off_is_said_of_the_pack(code: int, locked: bool) -> None:
    script = jk_nw.Session(Options()).poll()
    next(script)
    with pytest.raises(StopIteration) as ended:
        script.send(only(changed(code, (0).to_bytes(RECORDS[code].size, "big"))))
    assert (Alarm.FET_LOCKED in ended.value.value["warnings"]) is locked


def test_switches_that_are_not_told_are_not_known_to_be_on() -> None:
    records = records_of(CHARGING)
    at = records.index(b"\xab\x01\xac\x01")
    assert only(resealed(records[:at] + records[at + 4 :])).reading["charge_allowed"] is None


@pytest.mark.parametrize(
    ("text", "model"),
    [(b"beki\0\0\0\0\0\0\0\0JK_B1A24S15P", "JK_B1A24S15P"), (b"BT3072020120000200521001", None)],
)
def test_the_model_is_at_the_end_of_the_users_text(text: bytes, model: str | None) -> None:
    frame = changed(0xBA, text)

    class Board:
        def receive(self, payload: Any, reading: Reading) -> list[Any]:
            return [frame]

    info, _ = ask(load("jk-nw"), jk_nw.Session(Options()).info(), Board(), {})
    assert info is not None
    assert info.model == model
    assert info.firmware == "11.XW_S11.262H"
    assert info.ratings.pack_ovp_v == 57.6
    assert info.ratings.discharge_utp_c == -20


def test_a_simulated_board_answers_reads_only() -> None:
    device = Device(Options())
    assert len(device.receive(read_all(), PACK)) == 1
    write = jk_nw._sealed(b"\x02\x03\x00\xab\x00")
    assert device.receive(write, PACK) == []


def test_a_simulated_board_takes_records_from_its_configuration() -> None:
    (answer,) = Device(Options(extra={"cell_ovp_v": 3.55})).receive(read_all(), PACK)
    assert isinstance(answer, bytes)
    assert only(answer).raw["cell_ovp_v"] == 3.55


@given(
    cells=st.lists(st.integers(1, 5000), min_size=1, max_size=32),
    current=st.integers(-32_767, 32_767),
    probes=st.lists(st.one_of(st.integers(-40, 100)), min_size=2, max_size=2),
    soc=st.integers(0, 100),
)
def test_what_a_simulated_board_says_is_read_back(
    cells: list[int], current: int, probes: list[int], soc: int
) -> None:
    reading: Reading = {
        **PACK,
        "voltage_v": round(sum(cells) / 1000, 2),
        "current_a": current / 100,
        "soc_pct": soc,
        "cell_voltages_v": tuple(mv / 1000 for mv in cells),
        "temperatures_c": tuple(probes),
    }
    (answer,) = Device(Options()).receive(read_all(), reading)
    assert isinstance(answer, bytes)
    back = only(answer).reading
    assert {key: back.get(key) for key in reading} == reading


@given(data=st.data())
def test_a_flipped_bit_never_passes(data: st.DataObject) -> None:
    at, bit = data.draw(st.integers(0, len(CHARGING) - 6)), data.draw(st.integers(0, 7))
    frame = bytearray(CHARGING)
    frame[at] ^= 1 << bit
    assert messages(fed(Decoder(), [bytes(frame)])) == []


@given(
    changes=st.lists(st.tuples(st.integers(0, 270), st.integers(0, 255)), max_size=8), cut=st.integers(0, 40)
)
def test_nonsense_with_a_right_sum_is_possible_or_counted(changes: list[tuple[int, int]], cut: int) -> None:
    records = bytearray(records_of(CHARGING))
    for at, byte in changes:
        records[at] = byte
    (item,) = fed(Decoder(), [resealed(bytes(records[: len(records) - cut]))])
    if isinstance(item, Message) and item.name == "status":
        assert all(volt is None or 0 < volt <= 5 for volt in item.reading["cell_voltages_v"])
        assert 0 <= (item.reading.get("soc_pct") or 0) <= 100
