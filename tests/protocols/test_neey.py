"""NEEY balancer: captured frames of two layouts, the stream, and what an accessory may say and send."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeBug
from bridge.model import Alarm, CanFrame, Reading
from bridge.protocols import _neey_cells as cells
from bridge.protocols import _neey_frames as frames
from bridge.protocols._neey_frames import Command
from bridge.protocols.contract import Drop, Dropped, Message, NoReply, Options, Payload, load
from bridge.protocols.neey import ACCESSORY, SPEC, Decoder, Device, Session
from tests.protocols.helpers import (
    Silent,
    Vector,
    ask,
    bytewise,
    differences,
    drops,
    fed,
    fed_every_way,
    messages,
    pieces,
    vectors,
)

ENTRY = load("neey")
VECTORS = vectors("neey")
BY_NAME = {vector.name: vector for vector in VECTORS}
GOOD = [vector for vector in VECTORS if "frames" not in vector.expect]
KINDS = {"checksum": Drop.CHECKSUM, "start": Drop.NOISE}

GW_CELLS = BY_NAME["gw_sw110_cell_info"].stream
EK_CELLS = BY_NAME["ek_zh211_cell_info"].stream
EKB_CELLS = BY_NAME["ekb_sw200_cell_info"].stream
EKB_INFO = BY_NAME["ekb_sw200_device_info"].stream

PACK: Reading = {
    "cell_voltages_v": (3.3222, 3.3226, 3.3225, 3.331),
    "temperatures_c": (26.5, 27.25),
    "balancing": True,
}


def one(stream: bytes) -> Message:
    (message,) = messages(fed(Decoder(), [stream]))
    return message


def reasons(stream: bytes) -> list[Drop]:
    found = fed(Decoder(), [stream])
    assert messages(found) == []
    return [drop.reason for drop in drops(found)]


def resummed(frame: bytes, changes: dict[int, bytes]) -> bytes:
    """`frame` with bytes changed at some places, and a right checksum."""
    body = bytearray(frame)
    for at, new in changes.items():
        body[at : at + len(new)] = new
    return bytes(body[:-2]) + bytes((sum(body[:-2]) & 0xFF, 0xFF))


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector.name)
def test_a_captured_frame_says_what_it_is_known_to_say(vector: Vector) -> None:
    (message,) = fed_every_way(Decoder, vector.chunks, sent=vector.request)
    assert differences(message, vector.expect) == {}


@pytest.mark.parametrize("name", ["bad_checksum", "wrong_start"])
def test_a_captured_bad_frame_is_counted_once_under_its_kind(name: str) -> None:
    vector = BY_NAME[name]
    assert fed(Decoder(), vector.chunks) == [Dropped(KINDS[vector.expect["error"]], len(vector.stream))]


def test_bytes_behind_a_captured_frame_are_noise() -> None:
    vector = BY_NAME["trailing_zero_bytes"]
    found = fed(Decoder(), vector.chunks)
    assert [differences(message, vector.expect["frames"][0]) for message in messages(found)] == [{}]
    assert drops(found) == [Dropped(Drop.NOISE, 6)]


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector.request], ids=lambda vector: vector.name
)
def test_a_captured_request_is_counted_as_an_echo_or_a_write(vector: Vector) -> None:
    assert vector.request is not None
    assert fed(Decoder(), [vector.request]) == [Dropped(Drop.ECHO, 20)]


def test_requests_are_built_as_both_apps_send_them() -> None:
    captured = {vector.request for vector in VECTORS}
    for command in Command:
        assert frames.read_request(command, xored=True) in captured
    for command in (Command.DEVICE_INFO, Command.CELL_INFO, Command.SETTINGS):
        assert frames.read_request(command) in captured


def test_a_frame_without_its_end_is_counted_as_such() -> None:
    assert reasons(GW_CELLS[:-1] + b"\x00") == [Drop.TERMINATOR]


def test_a_lost_notification_costs_one_frame() -> None:
    notifications = BY_NAME["gw_sw110_cell_info"].chunks
    found = fed(Decoder(), [*notifications[:4], *notifications[5:], *notifications, *notifications])
    assert len(messages(found)) == 2


def test_modem_text_between_frames_is_noise() -> None:
    found = fed(Decoder(), [b"AT\r\n", GW_CELLS, b"AT\r\n", EK_CELLS])
    assert len(messages(found)) == 2
    assert {drop.reason for drop in drops(found)} == {Drop.NOISE}


def test_a_frame_of_the_bms_that_shares_the_service_is_noise() -> None:
    assert set(reasons(b"\x55\xaa\xeb\x90" + bytes(range(200)))) == {Drop.NOISE}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (frames.reply(9, bytes(90)), Drop.UNKNOWN),
        (frames.reply(1, bytes(90), function=0), Drop.UNKNOWN),
        (frames.reply(2, bytes(90)), Drop.LENGTH),
        (frames.reply(1, bytes(290)), Drop.LENGTH),
        (frames.reply(2, bytes(290)), Drop.VALUE),  # no cell reads anything
        (resummed(GW_CELLS, {9: struct.pack("<f", 9.0)}), Drop.VALUE),
        (resummed(GW_CELLS, {9: struct.pack("<f", -1.0)}), Drop.VALUE),
        (resummed(GW_CELLS, {9: struct.pack("<f", float("nan"))}), Drop.VALUE),
        (resummed(GW_CELLS, {221: struct.pack("<2f", 1e9, 1e9)}), Drop.VALUE),  # neither layout
    ],
)
def test_what_cannot_be_true_is_counted_and_not_used(frame: bytes, reason: Drop) -> None:
    assert fed(Decoder(), [frame])[0].reason is reason  # type: ignore[union-attr]  # it was dropped
    assert reasons(frame) == [reason]


def test_a_can_frame_is_noise() -> None:
    assert [drop.reason for drop in drops(Decoder().feed(CanFrame(0x351, bytes(8))))] == [Drop.NOISE]


# The two layouts


def test_the_layout_is_told_by_the_contents() -> None:
    assert one(GW_CELLS).raw["layout_version"] == 1
    assert one(EKB_CELLS).raw["layout_version"] == 2


def test_the_contents_win_over_the_models_name() -> None:
    decoder = Decoder()
    fed(decoder, [EKB_INFO])
    (message,) = messages(fed(decoder, [GW_CELLS]))
    assert message.raw["layout_version"] == 1


@given(
    temperatures=st.lists(st.floats(-40, 120, width=32), min_size=2, max_size=2),
    current=st.floats(-10, 10, width=32),
)
def test_measured_values_never_move_a_frame_into_the_other_layout(
    temperatures: list[float], current: float
) -> None:
    measurable = [value for value in (*temperatures, current) if value == 0 or abs(value) >= cells.LEAST]
    values = (measurable + [0.0] * 3)[:3]
    v1 = resummed(GW_CELLS, {217: struct.pack("<3f", *values)})
    assert one(v1).raw["layout_version"] == 1
    v2 = resummed(EKB_CELLS, {218: struct.pack("<f", values[0]), 226: struct.pack("<2f", *values[1:])})
    assert one(v2).raw["layout_version"] == 2


def test_where_both_layouts_fit_the_model_decides() -> None:
    still = resummed(EKB_CELLS, {217: bytes(25)})
    assert one(still).raw["layout_version"] == 2, "its charge makes sense"
    empty = resummed(still, {242: bytes(12)})
    assert one(empty).raw["layout_version"] == 1
    decoder = Decoder()
    fed(decoder, [EKB_INFO])
    (message,) = messages(fed(decoder, [empty]))
    assert message.raw["layout_version"] == 2


def test_a_broken_probe_is_none_where_the_model_is_known() -> None:
    decoder = Decoder()
    fed(decoder, [BY_NAME["gw_sw110_device_info"].stream])
    broken = resummed(GW_CELLS, {221: struct.pack("<f", float("nan"))})
    (message,) = messages(fed(decoder, [broken]))
    assert message.reading["temperatures_c"] == (None, 26.48)


# Warnings


def with_bits(at: int, bits: int) -> Message:
    return one(resummed(GW_CELLS, {at: bits.to_bytes(3, "little")}))


@pytest.mark.parametrize(
    ("at", "alarm"),
    [
        (229, Alarm.CELL_DISCONNECTED),
        (232, Alarm.CELL_OVERVOLTAGE),
        (235, Alarm.CELL_UNDERVOLTAGE),
        (238, Alarm.REVERSE_POLARITY),
        (241, Alarm.CELL_DISCONNECTED),
    ],
)
def test_a_fault_of_a_connected_cell_is_a_warning(at: int, alarm: Alarm) -> None:
    assert with_bits(at, 1 << 15).reading["warnings"] == {alarm}
    assert with_bits(at, 1 << 16).reading["warnings"] == frozenset(), "input 17 is not used"
    assert "protections" not in with_bits(at, 1 << 15).reading


def test_each_fault_has_bits_of_its_own() -> None:
    names = [
        "detect_fail_bits",
        "overvoltage_bits",
        "undervoltage_bits",
        "polarity_bits",
        "line_resistance_bits",
    ]
    masks = {name: 0x010101 * (index + 1) for index, name in enumerate(names)}
    changes = {229 + 3 * index: mask.to_bytes(3, "little") for index, mask in enumerate(masks.values())}
    raw = one(resummed(GW_CELLS, changes)).raw
    assert {name: raw[name] for name in names} == masks


def test_the_first_cell_counts_too() -> None:
    assert with_bits(232, 1).reading["warnings"] == {Alarm.CELL_OVERVOLTAGE}


def test_a_sense_wire_of_just_one_ohm_is_no_warning() -> None:
    assert one(resummed(GW_CELLS, {105: struct.pack("<f", 1.0)})).reading["warnings"] == frozenset()


@pytest.mark.parametrize(
    ("last_index", "shown"), [(15, 16), (19, 20), (23, 24), (24, 16), (255, 16), (3, 16)]
)
def test_the_number_of_cells_is_the_boards_unless_more_are_read(last_index: int, shown: int) -> None:
    reading = Session(Options()).collect(one(resummed(GW_CELLS, {215: bytes((last_index,))})))
    assert reading is not None
    assert len(reading["cell_voltages_v"]) == shown


def test_detection_bits_of_unused_inputs_are_no_warning() -> None:
    message = one(BY_NAME["ek_zh211_cell_info"].stream)
    assert message.raw["detect_fail_bits"] == 0xFE0000
    assert message.reading["warnings"] == frozenset()


@pytest.mark.parametrize(
    ("changes", "alarm"),
    [
        ({105: struct.pack("<f", 1.5)}, Alarm.CELL_DISCONNECTED),
        ({244: b"\x02"}, Alarm.AMBIENT_OVERTEMPERATURE),
        ({245: b"\x01"}, Alarm.BMS_FAULT),
        ({246: b"\x01"}, Alarm.BMS_FAULT),
        ({216: b"\x01"}, Alarm.OTHER),
        ({216: b"\x03"}, Alarm.CELL_DISCONNECTED),
        ({216: b"\x07"}, Alarm.CELL_UNDERVOLTAGE),
        ({216: b"\x08"}, Alarm.AMBIENT_OVERTEMPERATURE),
        ({216: b"\x09"}, Alarm.BMS_FAULT),
        ({216: b"\x0b"}, Alarm.AMBIENT_OVERTEMPERATURE),
    ],
)
def test_other_faults_are_warnings_too(changes: dict[int, bytes], alarm: Alarm) -> None:
    assert one(resummed(GW_CELLS, changes)).reading["warnings"] == {alarm}


@pytest.mark.parametrize("status", [0, 2, 4, 5, 6, 10, 12, 99])
def test_states_of_a_healthy_balancer_are_no_warning(status: int) -> None:
    message = one(resummed(GW_CELLS, {216: bytes((status,))}))
    assert message.reading["warnings"] == frozenset()
    assert message.reading["balancing"] is (status == 5)


# What an accessory may say


def test_it_is_an_accessory() -> None:
    assert ACCESSORY is True


@pytest.mark.parametrize("stream", [GW_CELLS, EK_CELLS, EKB_CELLS])
def test_a_reading_is_cells_temperatures_and_balancing_only(stream: bytes) -> None:
    reading = Session(Options()).collect(one(stream))
    assert reading is not None
    assert set(reading) == {"cell_voltages_v", "temperatures_c", "balancing"}
    assert len(reading["cell_voltages_v"]) == 16


def test_a_cell_that_reads_nothing_keeps_its_place() -> None:
    message = one(resummed(GW_CELLS, {13: bytes(4)}))
    reading = Session(Options()).collect(message)
    assert reading is not None
    assert reading["cell_voltages_v"][:3] == (3.3222, None, 3.3225)
    assert len(reading["cell_voltages_v"]) == 16


@pytest.mark.parametrize(("configured", "shown"), [(None, 16), (16, 16), (17, 17), (8, 16)])
def test_more_cells_than_expected_are_shown_so_that_they_are_noticed(
    configured: int | None, shown: int
) -> None:
    reading = Session(Options(cells=configured)).collect(one(GW_CELLS))
    assert reading is not None
    assert len(reading["cell_voltages_v"]) == shown


def test_other_messages_are_no_reading() -> None:
    session = Session(Options())
    for name in ("gw_sw110_settings", "gw_sw110_device_info", "gw_sw110_write_ack", "gw_factory_defaults_1"):
        assert session.collect(one(BY_NAME[name].stream)) is None


# The conversation


def test_opening_asks_who_it_is_and_starts_the_stream() -> None:
    session, device = Session(Options()), Device(Options())
    assert device.tick(PACK) == []
    _, sent = ask(ENTRY, session.open(), device, PACK)
    assert sent == [frames.read_request(Command.DEVICE_INFO), frames.read_request(Command.CELL_INFO)]
    (frame,) = device.tick(PACK)
    assert isinstance(frame, bytes)
    assert session.collect(one(frame)) == PACK


def test_a_board_that_ignores_sums_is_asked_with_an_xor_from_then_on() -> None:
    session, device = Session(Options()), Device(Options(extra={"xored": True}))
    _, sent = ask(ENTRY, session.open(), device, PACK)
    assert sent[1:] == [
        frames.read_request(Command.DEVICE_INFO, xored=True),
        frames.read_request(Command.CELL_INFO, xored=True),
    ]
    assert len(device.tick(PACK)) == 1
    assert ask(ENTRY, session.open(), device, PACK)[1] == sent[1:]


def test_info_has_model_firmware_and_cells() -> None:
    info, _ = ask(ENTRY, Session(Options()).info(), Device(Options()), PACK)
    assert info is not None
    assert (info.model, info.firmware, info.cell_count) == ("GW-24S4EB", "ZH-1.2.3", 4)


def test_a_poll_gives_the_same_reading_as_the_stream() -> None:
    assert ask(ENTRY, Session(Options()).poll(), Device(Options()), PACK)[0] == PACK


def test_its_stream_counts_its_frames() -> None:
    device = Device(Options())
    device.receive(frames.read_request(Command.CELL_INFO), PACK)
    counters = [one(device.tick(PACK)[0]).raw["frame_counter"] for _ in range(300)]  # type: ignore[arg-type]  # bytes
    assert counters[:2] == [2, 3]
    assert set(counters) == set(range(256))


def test_a_device_without_cells_is_our_mistake() -> None:
    with pytest.raises(BridgeBug, match="0 cells"):
        Device(Options()).receive(frames.read_request(Command.CELL_INFO), {})


def test_a_device_ignores_what_is_no_request_of_its_kind() -> None:
    device = Device(Options())
    write = bytes.fromhex("aa551100050d140000000000000000000000f2ff")
    assert device.receive(write, PACK) == []
    assert device.receive(b"noise", PACK) == []
    assert device.receive(CanFrame(1, b""), PACK) == []


class Remembering:
    """Passes on to a device, or stays silent, and remembers what was asked."""

    def __init__(self, device: Device | Silent) -> None:
        self.device = device
        self.seen: set[Payload] = set()

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        self.seen.add(payload)
        return self.device.receive(payload, reading)


def test_nothing_but_these_six_reads_is_ever_sent() -> None:
    seen: set[Payload] = set()
    for device in (Device(Options()), Device(Options(extra={"xored": True})), Silent()):
        remembering = Remembering(device)
        session = Session(Options())
        for _ in range(3):
            for script in (session.open(), session.info(), session.poll()):
                try:
                    ask(ENTRY, script, remembering, PACK)
                except NoReply:
                    continue
        seen |= remembering.seen
    commands = (Command.DEVICE_INFO, Command.CELL_INFO, Command.SETTINGS)
    assert seen == {
        frames.read_request(command, xored=xored) for command in commands for xored in (False, True)
    }
    assert all(isinstance(frame, bytes) and frame[3] == 1 for frame in seen), "function 0 would write"


# Properties

streams = st.lists(
    st.one_of(st.sampled_from([vector.stream for vector in VECTORS]), st.binary(max_size=30)), max_size=5
).map(b"".join)


@given(stream=streams, sizes=st.lists(st.integers(1, 90), min_size=1))
def test_any_chunking_gives_the_same_messages_and_loses_the_same_bytes(
    stream: bytes, sizes: list[int]
) -> None:
    whole = fed(Decoder(), [stream])
    cut = fed(Decoder(), pieces(stream, sizes * (len(stream) // sum(sizes) + 1)))
    assert messages(cut) == messages(whole)
    assert sum(drop.size for drop in drops(cut)) == sum(drop.size for drop in drops(whole))


def test_byte_by_byte_one_bad_frame_is_still_one_drop() -> None:
    spoiled = bytearray(GW_CELLS)
    spoiled[100] ^= 1
    found = fed(Decoder(), bytewise(bytes(spoiled) + GW_CELLS))
    assert drops(found) == [Dropped(Drop.CHECKSUM, 300)]
    assert len(messages(found)) == 1


@given(
    garbage=st.binary(max_size=60).map(lambda data: data.replace(b"\x55", b"").replace(b"\xaa", b"")),
    names=st.lists(st.sampled_from([vector.name for vector in GOOD]), min_size=1, max_size=4),
)
def test_garbage_that_starts_no_frame_loses_none(garbage: bytes, names: list[str]) -> None:
    found = fed(Decoder(), [garbage + BY_NAME[name].stream for name in names])
    assert len(messages(found)) == len(names)
    assert sum(drop.size for drop in drops(found)) == len(garbage) * len(names)


@given(
    chunks=st.lists(st.binary(max_size=320), max_size=4),
    head=st.sampled_from([b"", GW_CELLS[:8], EKB_CELLS[:9]]),
)
def test_no_bytes_raise(chunks: list[bytes], head: bytes) -> None:
    fed(Decoder(), [head, *chunks])


@given(data=st.binary(min_size=290, max_size=290))
def test_no_rightly_summed_contents_raise(data: bytes) -> None:
    for message in messages(fed(Decoder(), [frames.reply(2, data), EKB_INFO, frames.reply(2, data)])):
        Session(Options()).collect(message)


@given(
    volts=st.lists(st.floats(0.5, 4.5), min_size=1, max_size=24),
    temperatures=st.lists(st.floats(-40, 120), min_size=2, max_size=2),
    balancing=st.booleans(),
)
def test_what_a_device_says_is_read_back(
    volts: list[float], temperatures: list[float], balancing: bool
) -> None:
    temperatures = [0.0 if abs(celsius) < 0.01 else celsius for celsius in temperatures]
    pack: dict[str, Any] = {
        "cell_voltages_v": tuple(volts), "temperatures_c": tuple(temperatures), "balancing": balancing,
    }  # fmt: skip
    reading, _ = ask(ENTRY, Session(Options()).poll(), Device(Options()), pack)  # type: ignore[arg-type]  # keys of Reading
    assert reading["cell_voltages_v"] == pytest.approx(tuple(volts), abs=6e-5)
    assert reading["temperatures_c"] == pytest.approx(tuple(temperatures), abs=6e-3)
    assert reading["balancing"] is balancing


def test_its_spec_is_ble_only() -> None:
    assert SPEC.links == ("ble",)
    assert Session(Options()).streams is True
