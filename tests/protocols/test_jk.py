"""JK over Bluetooth: captures of ten devices, the stream they come in, and which layout is believed."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.model import Alarm, Reading
from bridge.protocols import jk
from bridge.protocols._jk_alarms import JK02, NW
from bridge.protocols._jk_frames import CURRENT_MAX_MA, HEADER, SUM_TOLERANCE_MV
from bridge.protocols.contract import Drop, Dropped, Message, Options
from bridge.protocols.jk import Decoder, Device
from tests.protocols.helpers import (
    Vector,
    bytewise,
    differences,
    drops,
    fed,
    fed_every_way,
    messages,
    pieces,
    vectors,
)

VECTORS = vectors("jk")
BY_NAME = {vector.name: vector for vector in VECTORS}
WHOLE = [vector for vector in VECTORS if "error" not in vector.expect]
BROKEN = [vector for vector in VECTORS if vector.expect.get("rejected_frames")]
NAMES = {1: "settings", 2: "status", 3: "device_info"}

STATUS_24S = BY_NAME["ble24_16s_idle_balance"].stream
STATUS_32S = BY_NAME["ble32_pb2a16s20p_1541_cells_charging"].stream
STATUS_JK04 = BY_NAME["ble04_faker_cells"].stream
SETTINGS_32S = BY_NAME["ble32_b2a25s_1155_settings_25_cells"].stream
INFO_32S = BY_NAME["ble32_b2a25s_1155_device_info"].stream
NO_CELLS = BY_NAME["ble32_v19h_no_cells_connected"].stream


def sealed(frame: bytes, *changes: tuple[int, bytes]) -> bytes:
    """A frame with other bytes at some places and the right sum again."""
    memory = bytearray(frame)
    for place, data in changes:
        memory[place : place + len(data)] = data
    memory[299] = sum(memory[:299]) & 0xFF
    return bytes(memory)


def only(stream: bytes, decoder: Decoder | None = None) -> Message:
    (message,) = messages(fed(decoder or Decoder(), [stream]))
    return message


def refusal(stream: bytes, decoder: Decoder | None = None) -> Dropped:
    found = fed(decoder or Decoder(), [stream])
    assert messages(found) == []
    (drop,) = drops(found)
    return drop


def u16(value: int) -> bytes:
    return struct.pack("<H", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


@pytest.mark.parametrize("vector", WHOLE, ids=lambda vector: vector.name)
def test_a_captured_exchange_decodes_to_what_the_device_showed(vector: Vector) -> None:
    expected: list[dict[str, Any]] = vector.expect.get("frames") or [dict(vector.expect)]
    found = fed_every_way(Decoder, vector.chunks, sent=vector.request)
    assert [message.name for message in found] == [NAMES[frame["frame_type"]] for frame in expected]
    for message, frame in zip(found, expected, strict=True):
        assert differences(message, frame) == {}


@pytest.mark.parametrize("vector", BROKEN, ids=lambda vector: vector.name)
def test_a_broken_capture_is_counted_once_and_loses_no_good_frame(vector: Vector) -> None:
    found = fed(Decoder(), vector.chunks)
    assert len(messages(found)) == len(vector.expect["frames"])
    assert len(drops(found)) == vector.expect["rejected_frames"]


def test_there_are_captures_of_all_layouts() -> None:
    variants = {vector.expect.get("variant") for vector in VECTORS}
    assert variants >= {"JK02_24S", "JK02_32S", "JK04"}
    assert len(VECTORS) > 50


def test_noise_and_acknowledges_are_passed_over_without_a_count() -> None:
    stream = b"AT\r\n" + jk.acknowledge() + STATUS_32S + b"AT\r\nAT\r\n" + jk.acknowledge() + STATUS_32S
    assert len(fed(Decoder(), bytewise(stream))) == 2
    assert drops(fed(Decoder(), bytewise(stream))) == []


def test_our_own_request_heard_again_is_an_echo() -> None:
    assert fed(Decoder(), [jk.request(jk.READ_INFO)]) == [Dropped(Drop.ECHO, 20)]


def test_a_frame_that_lost_a_fragment_is_dropped_even_if_its_sum_fits() -> None:
    mixture = STATUS_32S[:150] + STATUS_32S[:150]
    mixture = (
        mixture[:149] + bytes([(mixture[149] + mixture[299] - sum(mixture[:299])) & 0xFF]) + mixture[150:]
    )
    assert sum(mixture[:299]) & 0xFF == mixture[299]
    found = fed(Decoder(), [mixture + STATUS_32S[150:]])
    assert len(messages(found)) == 1
    assert drops(found) == [Dropped(Drop.TRUNCATED, 150)]


def test_a_frame_with_a_lost_byte_does_not_take_the_next_one_with_it() -> None:
    found = fed(Decoder(), bytewise(STATUS_24S[:200] + STATUS_24S[201:] + STATUS_24S))
    assert len(messages(found)) == 1


def test_a_frame_type_that_nobody_knows_is_counted_as_unknown() -> None:
    assert refusal(sealed(STATUS_32S, (4, b"\x06"))).reason is Drop.UNKNOWN


def test_a_frame_cut_by_silence_is_counted_as_truncated() -> None:
    decoder = Decoder()
    assert decoder.feed(STATUS_32S[:299]) == []
    assert decoder.reset() == [Dropped(Drop.TRUNCATED, 299)]
    assert len(decoder.feed(STATUS_32S)) == 1


def test_the_other_jk_layout_is_never_believed() -> None:
    """syssi/esphome-jk-bms #1061: the wrong layout gives right cells and garbage totals, silently."""
    shifted_mask = sealed(STATUS_32S, (54, u32(0xFFFF)), (70, u32(0)), (287, bytes(3)))
    assert refusal(shifted_mask).reason is Drop.VALUE
    assert "sum to" in refusal(shifted_mask).detail


@pytest.mark.parametrize("frame", [STATUS_24S, STATUS_32S], ids=["24S", "32S"])
@pytest.mark.parametrize("tail", [bytes(3), b"\xfe\xff\x7f"], ids=["no tail", "tail"])
def test_the_last_bytes_alone_decide_nothing(frame: bytes, tail: bytes) -> None:
    message = only(sealed(frame, (287, tail)))
    assert message.raw["variant"] == only(frame).raw["variant"]


@pytest.mark.parametrize("error_mv", [SUM_TOLERANCE_MV + 1, -SUM_TOLERANCE_MV - 1])
def test_cells_that_do_not_sum_to_the_pack_are_dropped(error_mv: int) -> None:
    cells_mv = sum(struct.unpack_from("<16H", STATUS_32S, 6))
    assert refusal(sealed(STATUS_32S, (150, u32(cells_mv + error_mv)))).reason is Drop.VALUE
    only(sealed(STATUS_32S, (150, u32(cells_mv + error_mv * SUM_TOLERANCE_MV // (SUM_TOLERANCE_MV + 1)))))


@pytest.mark.parametrize(
    "changes",
    [
        [(70, u32(0))],
        [(70, u32(0xFFFF_FFFF))],
        [(70, u32(0b1011))],
        [(6, u16(9000))],
        [(6, u16(0xFFFF))],
        [(158, struct.pack("<i", CURRENT_MAX_MA + 1))],
        [(158, struct.pack("<i", -3_000_000))],
        [(173, b"\x65")],
        [(174, u32(0xFFFF_FFFF))],
        [(178, u32(20_000_001))],
        [(6, bytes(293))],
    ],
    ids=[
        "0 cells",
        "32 cells",
        "gap",
        "9 V",
        "FFFF",
        "2000 A",
        "-3000 A",
        "SOC 101",
        "remaining",
        "full",
        "zeros",
    ],
)
def test_a_frame_that_cannot_be_true_is_counted_and_not_used(changes: list[tuple[int, bytes]]) -> None:
    assert refusal(sealed(STATUS_32S, *changes)).reason is Drop.VALUE


def test_a_broken_sense_wire_leaves_a_gap_once_the_layout_is_proven() -> None:
    first_mv = struct.unpack_from("<H", STATUS_32S, 6)[0]
    gap = sealed(STATUS_32S, (6, u16(0)))
    assert refusal(gap).reason is Drop.VALUE
    decoder = Decoder()
    only(STATUS_32S, decoder)
    message = only(gap, decoder)
    assert message.reading["cell_voltages_v"][0] is None
    assert len(message.reading["cell_voltages_v"]) == 16
    too_far = sealed(gap, (150, u32(53_562 + 4 * first_mv)))
    assert "sum to" in refusal(too_far, decoder).detail


def test_a_cell_that_the_mask_takes_out_keeps_its_place() -> None:
    decoder = Decoder()
    only(STATUS_32S, decoder)
    voltages = only(sealed(STATUS_32S, (70, u32(0xFFF7))), decoder).reading["cell_voltages_v"]
    assert voltages[3] is None
    assert len(voltages) == 16


def test_a_board_without_cells_is_only_believed_with_its_layout_signed() -> None:
    assert only(NO_CELLS).reading["cell_voltages_v"] == ()
    assert refusal(sealed(NO_CELLS, (287, bytes(3)))).reason is Drop.VALUE
    assert refusal(sealed(NO_CELLS, (150, u32(5000)))).reason is Drop.VALUE
    assert refusal(sealed(NO_CELLS, (173, b"\xff"))).reason is Drop.VALUE


def test_a_24s_mask_with_more_cells_than_there_is_room_for_is_no_mask() -> None:
    assert refusal(sealed(STATUS_24S, (54, u32(0x1FF_FFFF)))).reason is Drop.VALUE


def test_a_missing_probe_is_none_and_never_zero_degrees() -> None:
    absent = only(sealed(STATUS_32S, (162, struct.pack("<h", -2000)), (256, struct.pack("<h", 4000))))
    assert absent.reading["temperatures_c"] == (None, 6.1, None, 5.5)
    masked = only(sealed(STATUS_32S, (214, b"\xfd"), (162, u16(0))))
    assert masked.reading["temperatures_c"][0] is None
    freezing = only(sealed(STATUS_32S, (162, u16(0))))
    assert freezing.reading["temperatures_c"][0] == 0.0


def test_a_hot_probe_is_not_folded_below_zero() -> None:
    assert only(sealed(STATUS_32S, (144, struct.pack("<h", 1050)))).reading["mosfet_temperature_c"] == 105.0


@pytest.mark.parametrize(
    "changes",
    [
        [(214, u32(0b101))],
        [(214, u32(0))],
        [(214, u32(0x1FF_FFFF))],
        [(6, struct.pack("<f", float("nan")))],
        [(6, struct.pack("<f", 5.5))],
        [(202, struct.pack("<f", 3.0))],
        [(202, struct.pack("<f", float("nan")))],
        [(222, struct.pack("<f", float("inf")))],
    ],
    ids=["gap", "none", "25 cells", "nan", "5.5 V", "average", "nan average", "infinite current"],
)
def test_a_balancer_frame_that_cannot_be_true_is_dropped(changes: list[tuple[int, bytes]]) -> None:
    assert refusal(sealed(STATUS_JK04, *changes)).reason is Drop.VALUE


def test_a_balancer_gives_cells_and_no_word_on_permission() -> None:
    assert set(only(STATUS_JK04).reading) == {"voltage_v", "cell_count", "cell_voltages_v", "balancing"}


@pytest.mark.parametrize(
    "changes",
    [[(114, u32(0))], [(114, u32(33))], [(10, u32(4000))], [(18, u32(0))], [(18, u32(6000))]],
    ids=["0 cells", "33 cells", "crossed", "no limit", "6 V"],
)
def test_settings_that_cannot_be_true_are_dropped(changes: list[tuple[int, bytes]]) -> None:
    assert refusal(sealed(SETTINGS_32S, *changes)).reason is Drop.VALUE


def test_balancer_settings_that_cannot_be_true_are_dropped() -> None:
    settings = BY_NAME["ble04_b5a24s_settings"].stream
    assert refusal(sealed(settings, (34, b"\x19"))).reason is Drop.VALUE
    assert refusal(sealed(settings, (110, struct.pack("<f", float("nan"))))).reason is Drop.VALUE


def test_only_the_newest_firmware_says_when_it_is_too_cold_to_discharge() -> None:
    assert "discharge_utp_c" not in only(SETTINGS_32S).raw
    newest = only(sealed(SETTINGS_32S, (296, b"\xf6\x02")))
    assert (newest.raw["discharge_utp_c"], newest.raw["discharge_utpr_c"]) == (-10, 2)


def test_passcodes_are_not_kept() -> None:
    secret = sealed(INFO_32S, (62, b"99998888"), (97, b"7777"), (118, b"66665555"))
    told = repr(only(secret))
    assert not any(word in told for word in ("9999", "7777", "6666"))


def test_text_that_is_not_text_does_not_hurt() -> None:
    message = only(sealed(INFO_32S, (46, b"\xff\xfeJK\x00rest")))
    assert message.raw["device_name"] == "\ufffd\ufffdJK"


def test_device_information_without_model_and_version_is_dropped() -> None:
    assert refusal(sealed(INFO_32S, (6, bytes(32)))).reason is Drop.VALUE


@pytest.mark.parametrize(
    ("model", "version", "variant"),
    [
        ("JK-BD6A17S6P", "7.1.0H", "JK02_24S"),
        ("JK-B2A24S15P", "V10.07", "JK02_24S"),
        ("JK_PB2A16S20P", "19.27", "JK02_32S"),
        ("JK-B5A24S", "8.0.3M", None),
        ("JK-B2A16S", "3.3.0", None),
        ("JK_B2A8S20P", "beta", None),
    ],
)
def test_what_a_name_claims_is_only_said_of_boards_with_a_current_rating(
    model: str, version: str, variant: str | None
) -> None:
    named = sealed(INFO_32S, (6, model.encode().ljust(16, b"\0")), (30, version.encode().ljust(8, b"\0")))
    assert only(named).raw.get("variant") == variant


ALARM_BITS = [
    (0x10, {Alarm.CELL_OVERVOLTAGE}, set(), False, True),
    (0x800, {Alarm.CELL_UNDERVOLTAGE}, set(), True, False),
    (0x200, {Alarm.CHARGE_UNDERTEMPERATURE}, set(), False, True),
    (0x2000, {Alarm.DISCHARGE_OVERCURRENT}, set(), True, False),
    (0x4, {Alarm.CELL_DISCONNECTED}, set(), False, False),
    (0x1, set(), {Alarm.CELL_DISCONNECTED}, True, True),
    (0x80000, set(), set(), True, True),
    (0x40000000, set(), {Alarm.OTHER}, True, True),
    (0x10000010, {Alarm.FET_LOCKED, Alarm.CELL_OVERVOLTAGE}, set(), False, False),
]


@pytest.mark.parametrize(("word", "protections", "warnings", "charge", "discharge"), ALARM_BITS)
def test_an_alarm_forbids_its_direction_only(
    word: int, protections: set[Alarm], warnings: set[Alarm], charge: bool, discharge: bool
) -> None:
    reading = only(sealed(STATUS_32S, (166, u32(word)))).reading
    assert reading["protections"] == protections
    assert reading["warnings"] == warnings
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)


@pytest.mark.parametrize(("place", "key"), [(198, "charge_allowed"), (199, "discharge_allowed")])
def test_an_open_switch_forbids_its_direction(place: int, key: str) -> None:
    reading: dict[str, object] = {**only(sealed(STATUS_32S, (place, b"\0"))).reading}
    assert reading.pop(key) is False
    assert True in (reading.get("charge_allowed"), reading.get("discharge_allowed"))


@pytest.mark.parametrize("word", [JK02, NW], ids=["JK02", "NW"])
def test_every_alarm_of_a_table_comes_back_from_the_word_that_simulates_it(word: Any) -> None:
    for flag in word.flags:
        for alarm in flag.alarms:
            said = ((alarm,), ()) if flag.protects else ((), (alarm,))
            verdict = word.judge(word.word_of(*said))
            assert alarm in (verdict.protections if flag.protects else verdict.warnings)
    assert word.word_of((Alarm.FIRE,), ()) == 0


cells_mv = st.lists(st.integers(500, 5000), min_size=1, max_size=24)


@st.composite
def packs(draw: st.DrawFn, most_probes: int = 4) -> Reading:
    """Packs as a BMS could report them, at the wire's resolution."""
    cells = draw(cells_mv)
    probe = st.one_of(st.none(), st.integers(-590, 1490).map(lambda tenths: tenths / 10))
    alarms = st.frozensets(st.sampled_from([Alarm.CELL_OVERVOLTAGE, Alarm.PACK_UNDERVOLTAGE]))
    return {
        "voltage_v": sum(cells) / 1000,
        "current_a": draw(st.integers(-500_000, 500_000)) / 1000,
        "soc_pct": draw(st.integers(0, 100)),
        "soh_pct": draw(st.integers(0, 100)),
        "remaining_ah": draw(st.integers(0, 1_000_000)) / 1000,
        "full_ah": draw(st.integers(1, 1_000_000)) / 1000,
        "cycles": draw(st.integers(0, 65_535)),
        "cell_count": len(cells),
        "cell_voltages_v": tuple(mv / 1000 for mv in cells),
        "temperatures_c": tuple(draw(st.lists(probe, min_size=most_probes, max_size=most_probes))),
        "mosfet_temperature_c": draw(probe),
        "charge_fet_on": draw(st.booleans()),
        "discharge_fet_on": draw(st.booleans()),
        "balancing": draw(st.booleans()),
        "protections": draw(alarms),
        "warnings": frozenset(),
    }


def decided(reading: Reading) -> Reading:
    """With what the decoder concludes from it."""
    whole = reading.copy()
    protections = reading["protections"]
    whole["charge_allowed"] = bool(reading["charge_fet_on"]) and Alarm.CELL_OVERVOLTAGE not in protections
    whole["discharge_allowed"] = (
        bool(reading["discharge_fet_on"]) and Alarm.PACK_UNDERVOLTAGE not in protections
    )
    return whole


@given(pack=packs())
def test_what_a_32s_board_says_is_read_back_exactly(pack: Reading) -> None:
    device = Device(Options(extra={"variant": "JK02_32S"}))
    device.receive(jk.request(jk.READ_SETTINGS), pack)
    (frame,) = device.tick(pack)
    assert isinstance(frame, bytes)
    assert only(frame).reading == decided(pack)


@given(pack=packs(most_probes=2))
def test_what_a_24s_board_says_is_read_back_exactly(pack: Reading) -> None:
    _, _, frame = Device(Options(extra={"variant": "JK02_24S"})).receive(jk.request(jk.READ_SETTINGS), pack)
    assert isinstance(frame, bytes)
    assert only(frame).reading == decided(pack)


@given(cells=cells_mv)
def test_what_a_balancer_says_is_read_back_to_four_decimals(cells: list[int]) -> None:
    volts = tuple(mv / 1000 for mv in cells)
    _, _, frame = Device(Options(extra={"variant": "JK04"})).receive(
        jk.request(jk.READ_SETTINGS), {"cell_voltages_v": volts, "balancing": True}
    )
    assert isinstance(frame, bytes)
    assert only(frame).reading["cell_voltages_v"] == volts


def test_a_board_streams_only_after_it_was_asked() -> None:
    device = Device(Options())
    assert device.tick({}) == [jk.AT_NOISE]
    assert device.receive(b"AT\r\n" + STATUS_32S, {}) == []
    assert device.receive(jk.request(0x1D), {}) == []
    assert device.tick({}) == [jk.AT_NOISE]


def test_an_unknown_variant_is_a_configuration_error_that_names_the_known() -> None:
    with pytest.raises(ConfigError, match="JK02_24S, JK02_32S, JK04"):
        Device(Options(extra={"variant": "JK05"}))


frames = st.sampled_from([STATUS_24S, STATUS_32S, STATUS_JK04, SETTINGS_32S, INFO_32S])
noise = st.one_of(
    st.binary(max_size=40).filter(lambda data: not {0x55, 0xAA, 0x41} & set(data)),
    st.just(b"AT\r\n"),
    st.just(jk.acknowledge()),
)


@given(parts=st.lists(st.tuples(noise, frames), max_size=5), sizes=st.lists(st.integers(1, 244), min_size=1))
def test_noise_between_frames_loses_none_however_it_is_cut(
    parts: list[tuple[bytes, bytes]], sizes: list[int]
) -> None:
    stream = b"".join(before + frame for before, frame in parts)
    found = messages(fed(Decoder(), pieces(stream, sizes * (len(stream) + 1))))
    assert [message.raw["frame_type"] for message in found] == [frame[4] for _, frame in parts]


@given(garbage=st.binary(max_size=60), frame=frames)
def test_garbage_that_starts_a_frame_costs_at_most_one(garbage: bytes, frame: bytes) -> None:
    spoiled = HEADER + garbage + frame + frame
    assert len(messages(fed(Decoder(), [spoiled]))) >= 1


@given(data=st.data())
def test_a_flipped_bit_never_passes_as_another_value(data: st.DataObject) -> None:
    place, bit = data.draw(st.integers(0, 298)), data.draw(st.integers(0, 7))
    frame = bytearray(STATUS_32S)
    frame[place] ^= 1 << bit
    assert messages(fed(Decoder(), [bytes(frame)])) == []


@given(
    frame=frames,
    kind=st.integers(0, 6),
    changes=st.lists(st.tuples(st.integers(6, 290), st.binary(min_size=1, max_size=8)), max_size=12),
)
def test_nonsense_with_a_right_sum_is_possible_or_counted(
    frame: bytes, kind: int, changes: list[tuple[int, bytes]]
) -> None:
    (item,) = fed(Decoder(), [sealed(frame, *changes, (4, bytes((kind,))))])
    if isinstance(item, Message) and item.name == "status":
        assert all(volt is not None and 0 < volt <= 5 for volt in item.reading["cell_voltages_v"])
        assert abs(item.reading.get("current_a") or 0) <= 2000
        assert 0 <= (item.reading.get("soc_pct") or 0) <= 100
