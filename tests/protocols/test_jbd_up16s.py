"""JBD UP16S: captured frames, the rack's limits, transient zeros, and what is ever sent."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeBug
from bridge.model import Alarm, CanFrame, Ratings, Reading
from bridge.protocols import _up16s_frames as frames
from bridge.protocols import _up16s_status as status
from bridge.protocols.contract import (
    Device as AnyDevice,
)
from bridge.protocols.contract import (
    Drop,
    Dropped,
    Message,
    NoReply,
    Options,
    Payload,
    load,
)
from bridge.protocols.jbd_up16s import SPEC, Decoder, Device, Session
from tests.protocols.helpers import (
    Vector,
    ask,
    differences,
    drops,
    fed,
    fed_every_way,
    messages,
    pieces,
    vectors,
)

ENTRY = load("jbd-up16s")
VECTORS = vectors("jbd_up16s")
BY_NAME = {vector.name: vector for vector in VECTORS}
MASTER_STATUS, SLAVE_STATUS = BY_NAME["up_status_master"].stream, BY_NAME["up_status_slave"].stream

PACK: Reading = {
    "voltage_v": 53.17,
    "current_a": -12.34,
    "soc_pct": 60.95,
    "soh_pct": 100,
    "remaining_ah": 60.95,
    "full_ah": 101.0,
    "design_ah": 100.0,
    "cycles": 12,
    "cell_count": 16,
    "cell_voltages_v": (3.331, 3.317, *(3.32,) * 14),
    "temperatures_c": (20.9, -5.4, None, 21.2),
    "mosfet_temperature_c": 21.0,
    "charge_fet_on": True,
    "discharge_fet_on": True,
    "charge_allowed": True,
    "discharge_allowed": True,
    "balancing": True,
    "protections": frozenset(),
    "warnings": frozenset(),
    "charge_voltage_limit_v": 58.4,
    "discharge_voltage_limit_v": 44.8,
    "charge_current_limit_a": 100.0,
    "discharge_current_limit_a": 90.0,
}


def pack(**changes: Any) -> Reading:
    return PACK | changes  # type: ignore[return-value]  # keys of Reading, written in the tests below


def one(stream: bytes) -> Message:
    (message,) = messages(fed(Decoder(), [stream]))
    return message


class Rack:
    """Several packs behind one cable. counted: every request that arrived."""

    def __init__(self, *devices: AnyDevice) -> None:
        self.devices = devices
        self.counted: list[bytes] = []

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        assert isinstance(payload, bytes)
        self.counted.append(payload)
        return [answer for device in self.devices for answer in device.receive(payload, reading)]


class Scripted:
    """Answers each block from a list of readings, the last one for ever; other blocks stay unanswered."""

    def __init__(self, address: int, **answers: Sequence[Reading]) -> None:
        self.device = Device(Options(address=address))
        self.address = address
        self.answers = {name: list(readings) for name, readings in answers.items()}
        self.asked: list[str] = []

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        for block in (frames.STATUS, frames.OWN):
            if payload == frames.request(self.address, block):
                self.asked.append(block.name)
                left = self.answers.get(block.name, [])
                if not left:
                    return []
                return self.device.receive(payload, left.pop(0) if len(left) > 1 else left[0])
        return []


def polled(session: Session, device: AnyDevice, reading: Reading = PACK) -> Reading:
    return ask(ENTRY, session.poll(), device, reading)[0]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_captured_frame_says_what_it_is_known_to_say(vector: Vector) -> None:
    (message,) = fed_every_way(Decoder, vector.chunks, sent=vector.request)
    assert differences(message, vector.expect) == {}
    assert message.address == vector.expect["address"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_its_request_is_counted_as_an_echo(vector: Vector) -> None:
    assert vector.request is not None
    assert fed(Decoder(), [vector.request]) == [Dropped(Drop.ECHO, len(vector.request))]


@pytest.mark.parametrize(
    "block",
    [frames.STATUS, frames.OWN, frames.IDENTITY, frames.PROTECTION, frames.CHARGE_STATE, frames.PRODUCT],
    ids=lambda block: block.name,
)
def test_requests_are_built_as_they_were_captured(block: frames.Block) -> None:
    captured = {vector.request for vector in VECTORS}
    assert frames.request(1, block) in captured


def test_fault_and_alarm_bits_become_alarms_of_their_own_severity() -> None:
    reading = one(BY_NAME["up_fw121_status_with_fault"].stream).reading
    assert reading["protections"] == {Alarm.CELL_OVERVOLTAGE}
    assert reading["warnings"] == {Alarm.PACK_OVERVOLTAGE}
    assert reading["charge_allowed"] is False
    assert reading["discharge_allowed"] is True
    assert reading["balancing"] is True


def changed_head(**changes: int) -> bytes:
    """The master's status with some fields of its head changed."""
    data = MASTER_STATUS[frames.HEADER.size : -2]
    size = struct.calcsize(">HHI8HII18H")
    head = status.Head(*struct.unpack_from(">HHI8HII18H", data))._replace(**changes)
    return frames.frame(1, frames.STATUS, struct.pack(">HHI8HII18H", *head) + data[size:])


@pytest.mark.parametrize("bit", range(32))
def test_a_fault_bit_blocks_what_it_is_documented_to_block(bit: int) -> None:
    charge = {0, 2, 4, 5, 8, 9, 12, 13, 14, 18, 19, 20, 21, 23, 24, 25, 26, 27}
    discharge = {1, 3, 6, 7, 10, 11, 12, 13, 14, 17, 18, 19, 20, 22, 24, 26, 27}
    reading = one(changed_head(fault_bits=1 << bit)).reading
    assert reading["charge_allowed"] is (bit not in charge)
    assert reading["discharge_allowed"] is (bit not in discharge)
    said, unsaid = (reading["protections"], reading["warnings"])[:: -1 if bit in {15, 16, 25} else 1]
    assert (len(said), len(unsaid)) == (1, 0)


@pytest.mark.parametrize(
    ("mosfets", "charge", "discharge"), [(0, False, False), (1, False, True), (2, True, False)]
)
def test_the_switches_stand_in_the_opposite_order_of_older_boards(
    mosfets: int, charge: bool, discharge: bool
) -> None:
    reading = one(changed_head(mosfet_bits=mosfets)).reading
    assert (reading["charge_fet_on"], reading["discharge_fet_on"]) == (charge, discharge)
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)


def test_full_charge_is_a_warning_that_ends_charging_only() -> None:
    reading = one(changed_head(fault_bits=1 << 25, alarm_bits=1 << 18)).reading
    assert reading["warnings"] == {Alarm.FULLY_CHARGED}
    assert reading["protections"] == frozenset()
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (False, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cell_count": 0}, Drop.VALUE),
        ({"cell_count": 60}, Drop.VALUE),
        ({"cell_count": 15}, Drop.VALUE),  # the first cell is then taken for a number of probes
        ({"current": 0}, Drop.VALUE),  # -3000 A
        ({"soc": 65535}, Drop.VALUE),
        ({"voltage": 0}, Drop.VALUE),
    ],
)
def test_what_cannot_be_true_is_counted_and_not_used(changes: dict[str, int], reason: Drop) -> None:
    frame = changed_head(**changes)
    (dropped,) = fed(Decoder(), [frame])
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.size) == (reason, len(frame))


@pytest.mark.parametrize("count", [0, 60])
def test_an_individual_status_of_an_impossible_number_of_cells_is_not_used(count: int) -> None:
    data = count.to_bytes(2, "big") + BY_NAME["up_individual_status"].stream[10:-2]
    frame = frames.frame(1, frames.OWN, data)
    assert [drop.reason for drop in drops(fed(Decoder(), [frame]))] == [Drop.VALUE]


def test_an_individual_status_without_its_limits_is_not_used() -> None:
    frame = frames.frame(1, frames.OWN, BY_NAME["up_individual_status"].stream[8:90])
    assert [drop.reason for drop in drops(fed(Decoder(), [frame]))] == [Drop.VALUE]


def test_dates_that_no_calendar_has_are_none() -> None:
    clock = frames.frame(1, frames.CLOCK, struct.pack(">6H", 2026, 13, 6, 17, 6, 56))
    assert one(clock).raw["datetime"] is None
    data = bytearray(BY_NAME["up_pack_params"].stream[8:-2])
    data[46:52] = bytes(6)
    raw = one(frames.frame(1, frames.IDENTITY, bytes(data))).raw
    assert (raw["bms_date"], raw["pack_date"]) == (None, "2025-03-18")


def test_a_simulated_masters_own_block_agrees_with_its_status() -> None:
    device = Device(Options(extra={"packs": 3}))
    told, own = (
        one(answer).reading
        for block in (frames.STATUS, frames.OWN)
        for answer in device.receive(frames.request(1, block), pack(soc_pct=61.0))
        if isinstance(answer, bytes)
    )
    for key in ("voltage_v", "soc_pct", "soh_pct", "remaining_ah", "cycles", "cell_voltages_v"):
        assert own[key] == told[key]
    assert told["discharge_current_limit_a"] == 270.0
    assert own["discharge_current_limit_a"] == 90.0


def test_the_capacity_block_has_what_the_status_has() -> None:
    reading = one(BY_NAME["up_capacity_block"].stream).reading
    assert reading == {"soc_pct": 60.95, "remaining_ah": 60.95, "full_ah": 100.0, "design_ah": 100.0}


def test_the_device_name_stands_at_the_end_of_the_identity() -> None:
    assert one(BY_NAME["up_pack_params"].stream).raw["device_name"] == "ECO-LFP48100-3U-024EDD"


def test_an_identity_without_the_device_name_is_still_one() -> None:
    data = BY_NAME["up_pack_params"].stream[8:96]
    raw = one(frames.frame(1, frames.IDENTITY, data)).raw
    assert raw["pack_serial"] == "JBD48100000"
    assert "device_name" not in raw


@pytest.mark.parametrize("changes", [{"current": 200_000}, {"current": 400_000}, {"soc": 12_000}])
def test_what_is_merely_odd_is_left_to_a_later_judgement(changes: dict[str, int]) -> None:
    assert one(changed_head(**changes)).name == "pack_status"


def test_a_cell_of_nine_volts_is_counted_and_not_used() -> None:
    data = bytearray(MASTER_STATUS[8:-2])
    data[68:70] = (9000).to_bytes(2, "big")
    assert [drop.reason for drop in drops(fed(Decoder(), [frames.frame(1, frames.STATUS, bytes(data))]))] == [
        Drop.VALUE
    ]


def test_a_status_that_is_cut_short_but_rightly_summed_is_counted_as_a_wrong_length() -> None:
    frame = frames.frame(1, frames.STATUS, MASTER_STATUS[8:100])
    assert [drop.reason for drop in drops(fed(Decoder(), [frame]))] == [Drop.LENGTH]


def test_a_probe_that_reads_nothing_is_none_in_its_place() -> None:
    data = bytearray(MASTER_STATUS[8:-2])
    data[102:104] = b"\0\0"
    reading = one(frames.frame(1, frames.STATUS, bytes(data))).reading
    assert reading["temperatures_c"] == (None, 20.4, 21.0, 21.2)


def test_a_write_of_other_software_is_no_message() -> None:
    body = bytes.fromhex("0179200620080006114a424427100000")[:-2]
    assert [drop.reason for drop in drops(fed(Decoder(), [body + bytes.fromhex("427a")]))] == [Drop.UNKNOWN]


def test_a_wrong_checksum_is_counted_as_one() -> None:
    spoiled = MASTER_STATUS[:-1] + bytes((MASTER_STATUS[-1] ^ 1,))
    found = fed(Decoder(), [spoiled])
    assert [(drop.reason, drop.size) for drop in drops(found)] == [(Drop.CHECKSUM, len(spoiled))]


def test_a_truncated_frame_does_not_hide_the_next_one() -> None:
    found = fed(Decoder(), [MASTER_STATUS[:-7], SLAVE_STATUS, MASTER_STATUS])
    assert [message.address for message in messages(found)] == [2, 1]


def test_a_frame_that_stays_incomplete_is_given_up_at_a_reset() -> None:
    decoder = Decoder()
    assert decoder.feed(MASTER_STATUS[:50]) == []
    assert decoder.reset() == [Dropped(Drop.TRUNCATED, 50)]
    assert [message.name for message in messages(decoder.feed(SLAVE_STATUS))] == ["pack_status"]


def test_a_classic_frame_of_the_same_board_is_noise() -> None:
    classic = bytes.fromhex("dd0400080f450f3d0f370f3dfec677")
    found = fed(Decoder(), [classic, MASTER_STATUS])
    assert [message.address for message in messages(found)] == [1]
    assert sum(drop.size for drop in drops(found)) == len(classic)


def test_a_can_frame_is_noise() -> None:
    assert [drop.reason for drop in drops(Decoder().feed(CanFrame(0x351, bytes(8))))] == [Drop.NOISE]


streams = st.lists(
    st.one_of(
        st.sampled_from([MASTER_STATUS, SLAVE_STATUS, *(v.stream for v in VECTORS)]), st.binary(max_size=30)
    ),
    max_size=5,
).map(b"".join)


@given(stream=streams, sizes=st.lists(st.integers(1, 90), min_size=1))
def test_any_chunking_gives_the_same_messages_and_loses_the_same_bytes(
    stream: bytes, sizes: list[int]
) -> None:
    whole = fed(Decoder(), [stream])
    cut = fed(Decoder(), pieces(stream, sizes * (len(stream) // sum(sizes) + 1)))
    assert messages(cut) == messages(whole)
    assert sum(drop.size for drop in drops(cut)) == sum(drop.size for drop in drops(whole))


@given(
    garbage=st.binary(max_size=40).map(lambda data: bytes(byte & 0x3F for byte in data)),
    order=st.lists(st.sampled_from([MASTER_STATUS, SLAVE_STATUS]), min_size=1, max_size=4),
)
def test_garbage_that_starts_no_frame_loses_none(garbage: bytes, order: list[bytes]) -> None:
    # 0x45, 0x78 and 0x79 are beyond 0x3F, so none of these bytes is a function
    found = fed(Decoder(), [garbage + frame for frame in order])
    assert [message.address for message in messages(found)] == [frame[0] for frame in order]


@given(pieces_=st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_raise_and_every_byte_is_accounted_for(pieces_: list[bytes]) -> None:
    found = fed(Decoder(), pieces_)
    assert sum(drop.size for drop in drops(found)) + sum(frames.HEADER.size for _ in messages(found)) <= sum(
        len(piece) for piece in pieces_
    )


# The conversation


def test_a_slave_is_read_with_one_request_and_keeps_its_own_limits() -> None:
    rack = Rack(
        Device(Options(address=1, extra={"packs": 2})), Device(Options(address=2, extra={"packs": 2}))
    )
    reading = polled(Session(Options(address=2)), rack)
    assert rack.counted == [frames.request(2, frames.STATUS)]
    assert (reading["charge_current_limit_a"], reading["discharge_current_limit_a"]) == (100.0, 90.0)


def test_the_masters_limits_are_its_own_and_not_the_racks() -> None:
    rack = Rack(
        Device(Options(address=1, extra={"packs": 2})), Device(Options(address=2, extra={"packs": 2}))
    )
    told = one(b"".join(answer for answer in rack.receive(frames.request(1, frames.STATUS), PACK)))  # type: ignore[misc]  # bytes, not frames
    assert told.reading["charge_current_limit_a"] == 200.0
    reading = polled(Session(Options(address=1)), rack)
    assert (reading["charge_current_limit_a"], reading["discharge_current_limit_a"]) == (100.0, 90.0)


def test_packs_of_one_rack_add_up_to_what_the_rack_allows() -> None:
    rack = Rack(*(Device(Options(address=address, extra={"packs": 3})) for address in (1, 2, 3)))
    readings = [polled(Session(Options(address=address)), rack) for address in (1, 2, 3)]
    assert sum(reading["charge_current_limit_a"] or 0 for reading in readings) == 300.0


def test_the_master_never_allows_itself_more_than_the_whole_rack() -> None:
    device = Scripted(1, pack_status=[pack(charge_current_limit_a=20.0)], individual_status=[PACK])
    assert polled(Session(Options(address=1)), device)["charge_current_limit_a"] == 20.0


def test_without_its_own_figures_the_racks_are_the_masters_upper_bound() -> None:
    device = Scripted(1, pack_status=[pack(charge_current_limit_a=20.0)])
    assert polled(Session(Options(address=1)), device)["charge_current_limit_a"] == 20.0


def test_own_limits_are_asked_for_again_as_soon_as_the_rack_moves() -> None:
    moved = pack(charge_current_limit_a=150.0)
    device = Scripted(
        1,
        pack_status=[pack(charge_current_limit_a=200.0)] * 2 + [moved],
        individual_status=[PACK, pack(charge_current_limit_a=50.0)],
    )
    session = Session(Options(address=1))
    limits = [polled(session, device)["charge_current_limit_a"] for _ in range(3)]
    assert limits == [100.0, 100.0, 50.0]
    assert device.asked == [
        "pack_status",
        "individual_status",
        "pack_status",
        "pack_status",
        "individual_status",
    ]


def test_own_limits_are_asked_for_again_every_fifth_poll() -> None:
    device = Scripted(1, pack_status=[PACK], individual_status=[PACK])
    session = Session(Options(address=1))
    for _ in range(11):
        polled(session, device)
    assert device.asked.count("individual_status") == 3


def test_own_limits_that_were_not_renewed_for_long_are_forgotten() -> None:
    rack = pack(charge_current_limit_a=200.0)
    device = Scripted(1, pack_status=[rack], individual_status=[PACK])
    session = Session(Options(address=1))
    assert polled(session, device)["charge_current_limit_a"] == 100.0
    device.answers["individual_status"] = []
    limits = [polled(session, device)["charge_current_limit_a"] for _ in range(12)]
    assert limits == [100.0] * 10 + [200.0] * 2


def test_a_block_that_is_never_answered_is_asked_for_five_times() -> None:
    device = Scripted(1, pack_status=[PACK])
    session = Session(Options(address=1))
    for _ in range(9):
        polled(session, device)
    assert device.asked.count("individual_status") == 5


def test_a_block_that_was_answered_once_is_always_asked_for_again() -> None:
    device = Scripted(1, pack_status=[PACK], individual_status=[PACK])
    session = Session(Options(address=1))
    polled(session, device)
    device.answers["individual_status"] = []
    for _ in range(40):
        polled(session, device)
    assert device.asked.count("individual_status") > 10


@pytest.mark.parametrize("key", ["charge_current_limit_a", "discharge_current_limit_a"])
def test_a_limit_that_drops_to_zero_without_a_reason_is_read_twice(key: str) -> None:
    device = Scripted(2, pack_status=[pack(**{key: 0.0}), PACK])
    assert polled(Session(Options(address=2)), device) == polled(
        Session(Options(address=2)), Scripted(2, pack_status=[PACK])
    )
    assert device.asked == ["pack_status"] * 2


def test_a_zero_that_the_second_reading_confirms_stands_and_is_not_doubted_again() -> None:
    device = Scripted(2, pack_status=[pack(discharge_current_limit_a=0.0)])
    session = Session(Options(address=2))
    assert [polled(session, device)["discharge_current_limit_a"] for _ in range(3)] == [0.0] * 3
    assert device.asked == ["pack_status"] * 4


def test_a_zero_stands_when_there_is_no_second_answer() -> None:
    script = Session(Options(address=2)).poll()
    assert next(script).reply == "pack_status"
    (answer,) = Device(Options(address=2)).receive(
        frames.request(2, frames.STATUS), pack(discharge_current_limit_a=0.0)
    )
    assert isinstance(answer, bytes)
    assert script.send(one(answer)).reply == "pack_status"
    with pytest.raises(StopIteration) as stop:
        script.throw(NoReply("lost"))
    assert stop.value.value["discharge_current_limit_a"] == 0.0


@pytest.mark.parametrize(
    "cause",
    [
        {"charge_current_limit_a": 0.0, "charge_fet_on": False},
        {"charge_current_limit_a": 0.0, "protections": frozenset({Alarm.CHARGE_UNDERTEMPERATURE})},
        {"charge_current_limit_a": 0.0, "warnings": frozenset({Alarm.FULLY_CHARGED})},
        {"discharge_current_limit_a": 0.0, "warnings": frozenset({Alarm.SOC_LOW})},
        {"discharge_current_limit_a": 0.0, "discharge_fet_on": False},
    ],
)
def test_a_zero_with_a_reason_is_believed_at_once(cause: dict[str, Any]) -> None:
    device = Scripted(2, pack_status=[pack(**cause)])
    polled(Session(Options(address=2)), device)
    assert device.asked == ["pack_status"]


def test_the_masters_own_zero_is_read_twice_too() -> None:
    device = Scripted(1, pack_status=[PACK], individual_status=[pack(discharge_current_limit_a=0.0), PACK])
    assert polled(Session(Options(address=1)), device)["discharge_current_limit_a"] == 90.0
    assert device.asked == ["pack_status", "individual_status", "individual_status"]


def test_a_pack_that_does_not_answer_gives_no_reading() -> None:
    with pytest.raises(NoReply):
        polled(Session(Options(address=3)), Rack(Device(Options(address=1))))


def test_info_of_the_master_has_model_firmware_and_limits() -> None:
    info, _ = ask(ENTRY, Session(Options(address=1)).info(), Device(Options(address=1)), PACK)
    assert info is not None
    assert (info.model, info.firmware, info.serial, info.cell_count) == (
        "UP16S020",
        "12.4.0",
        "SIMULATED",
        16,
    )
    assert info.ratings == Ratings(
        cell_ovp_v=3.65, cell_uvp_v=2.5, pack_ovp_v=58.4, pack_uvp_v=40.0,
        charge_ocp_a=120.0, discharge_ocp_a=120.0,
        charge_otp_c=65.0, charge_utp_c=0.0, discharge_otp_c=65.0, discharge_utp_c=-20.0,
    )  # fmt: skip


def test_info_of_a_slave_asks_for_one_optional_block_and_then_no_more() -> None:
    device = Rack(Device(Options(address=2)))
    session = Session(Options(address=2))
    for _ in range(7):
        info, _ = ask(ENTRY, session.info(), device, PACK)
        assert info is not None
        assert (info.firmware, info.cell_count, info.ratings) == ("12.4", 16, Ratings())
    assert device.counted.count(frames.request(2, frames.IDENTITY)) == 5
    assert frames.request(2, frames.PROTECTION) not in device.counted


def test_info_without_the_product_block_falls_back_on_identity_and_status() -> None:
    rack = Rack(Device(Options(address=1)))

    class WithoutProduct:
        def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
            return [] if payload == frames.request(1, frames.PRODUCT) else rack.receive(payload, reading)

    info, _ = ask(ENTRY, Session(Options(address=1)).info(), WithoutProduct(), PACK)
    assert info is not None
    assert (info.model, info.firmware) == ("UP16S020 simulated", "12.4")


def test_limits_that_do_not_look_like_their_kind_count_as_not_said() -> None:
    words = bytearray(BY_NAME["up_protection_params"].stream[8:-2])
    words[6:8] = (36500).to_bytes(2, "big")  # cell over-voltage
    words[20:22] = (2400).to_bytes(2, "big")  # release of cell under-voltage below its threshold
    block = one(frames.frame(1, frames.PROTECTION, bytes(words)))
    from bridge.protocols._up16s_blocks import ratings

    found = ratings(block.raw["words"])  # type: ignore[arg-type]  # words
    assert (found.cell_ovp_v, found.cell_uvp_v, found.pack_ovp_v) == (None, None, 58.4)
    assert ratings([3600, 3400, 3000]) == Ratings()


def own_block(count: int, slots: int, charge: int) -> bytes:
    """An individual status with `count` of `slots` cells."""
    captured = BY_NAME["up_individual_status"].stream[8:-2]
    cells = [*range(3300, 3300 + count), *[0] * (slots - count)]
    after = bytearray(captured[34:])
    after[0:4] = struct.pack(">HH", 3300 + count - 1, 3300)
    after[62:64] = charge.to_bytes(2, "big")
    return frames.frame(1, frames.OWN, struct.pack(f">H{slots}H", count, *cells) + after)


@pytest.mark.parametrize(("count", "slots"), [(16, 16), (15, 16), (8, 16), (15, 15), (8, 8)])
def test_own_limits_are_found_whether_or_not_missing_cells_shorten_the_block(count: int, slots: int) -> None:
    message = one(own_block(count, slots, 777))
    assert message.reading["charge_current_limit_a"] == 77.7
    assert len(message.reading["cell_voltages_v"]) == count


@pytest.mark.parametrize(("at", "mv"), [(34, 3700), (34, 3310), (36, 3200), (36, 3340)])
def test_own_limits_are_not_taken_from_a_layout_that_does_not_fit(at: int, mv: int) -> None:
    data = bytearray(BY_NAME["up_individual_status"].stream[8:-2])
    data[at : at + 2] = mv.to_bytes(2, "big")
    assert [drop.reason for drop in drops(fed(Decoder(), [frames.frame(1, frames.OWN, bytes(data))]))] == [
        Drop.VALUE
    ]


@pytest.mark.parametrize("address", [1, 2])
def test_a_session_reads_from_its_device_what_the_pack_is_like(address: int) -> None:
    assert polled(Session(Options(address=address)), Device(Options(address=address))) == PACK


def test_a_device_answers_nobody_elses_request() -> None:
    device = Device(Options(address=2))
    assert device.receive(frames.request(1, frames.STATUS), PACK) == []
    assert device.receive(frames.request(2, frames.OWN), PACK) == []
    assert device.receive(CanFrame(0x351, bytes(8)), PACK) == []


def test_a_device_hears_its_request_behind_noise() -> None:
    device = Device(Options())
    assert len(device.receive(b"\x00\xff" + frames.request(1, frames.STATUS), PACK)) == 1


def test_a_device_without_cells_is_our_mistake() -> None:
    with pytest.raises(BridgeBug, match="without cells"):
        Device(Options()).receive(frames.request(1, frames.STATUS), {})


def test_nothing_comes_unasked() -> None:
    session = Session(Options())
    assert session.streams is False
    assert session.collect(one(MASTER_STATUS)) is None


def test_a_device_refuses_values_that_the_wire_cannot_carry() -> None:
    with pytest.raises(BridgeBug, match="does not fit 16 bits"):
        Device(Options()).receive(frames.request(1, frames.STATUS), pack(voltage_v=700.0))


class Remembering:
    """Passes on to a device, or stays silent, and remembers what was asked."""

    def __init__(self, device: AnyDevice | None) -> None:
        self.device = device
        self.seen: set[bytes] = set()

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        assert isinstance(payload, bytes)
        self.seen.add(payload)
        return self.device.receive(payload, reading) if self.device else []


@pytest.mark.parametrize("address", SPEC.addresses or ())
def test_nothing_but_these_five_reads_is_ever_sent(address: int) -> None:
    zeros = pack(charge_current_limit_a=0.0, discharge_current_limit_a=0.0)
    seen: set[bytes] = set()
    for device in (Device(Options(address=address)), None):
        for reading in (PACK, zeros):
            remembering = Remembering(device)
            session = Session(Options(address=address))
            for _ in range(8):
                for script in (session.open(), session.info(), session.poll()):
                    try:
                        ask(ENTRY, script, remembering, reading)
                    except NoReply:
                        continue
            seen |= remembering.seen
    blocks = [frames.STATUS, frames.OWN, frames.IDENTITY, frames.PROTECTION, frames.PRODUCT]
    assert seen <= {frames.request(address, block) for block in blocks}
    assert {frame[1] for frame in seen} <= {0x78, 0x45}
    assert all(frame[6:8] == b"\0\0" for frame in seen), "a read carries no data"
    assert frames.request(address, frames.STATUS) in seen
