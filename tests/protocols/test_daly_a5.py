from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import BridgeBug, ConfigError
from bridge.model import Alarm, CanFrame, Reading
from bridge.protocols._daly import Pulse
from bridge.protocols._daly_faults import FAULT_BITS
from bridge.protocols.contract import Drop, Dropped, Message, NoReply, Options, Payload, load
from bridge.protocols.daly_a5 import Decoder, Device, frame
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
from tests.protocols.helpers import Silent, bytewise, drops, fed, messages

A5 = load("daly-a5")
STATUS_8S = frame(1, 0x94, bytes((8, 2, 0, 0, 0, 0, 1, 0x36)))
VALUES = frame(1, 0x90, bytes.fromhex("02030000772403 38".replace(" ", "")))


def cells(number: int, *cells_mv: int, board: int = 1, pad: int = 0) -> bytes:
    return frame(
        board, 0x95, bytes((number,)) + b"".join(mv.to_bytes(2, "big") for mv in cells_mv) + bytes((pad,))
    )


CELLS_8S = [cells(1, 3301, 3302, 3303), cells(2, 3304, 3305, 3306), cells(3, 3307, 3308, 3306)]
VOLTS_8S = (3.301, 3.302, 3.303, 3.304, 3.305, 3.306, 3.307, 3.308)


def only(items: list[Message | Dropped]) -> Message:
    (message,) = items
    assert isinstance(message, Message)
    return message


def knowing_8s() -> Decoder:
    decoder = Decoder()
    decoder.feed(STATUS_8S)
    return decoder


# Frames


def test_golden_requests_are_built_to_the_byte() -> None:
    assert frame(0x40, 0x90, bytes(8)) == bytes.fromhex("a540900800000000000000007d")
    assert frame(0x80, 0x90, bytes(8)) == bytes.fromhex("a58090080000000000000000bd")
    assert frame(0x41, 0x90, bytes(8)) == bytes.fromhex("a541900800000000000000007e")


@pytest.mark.parametrize(
    "garbage",
    [b"\xa5", b"\xa5\x01", b"\xa5\xa5\xa5", b"\xff" * 40, VALUES[:7], VALUES[1:], b"\xa5\x01\x95\x08" * 3],
    ids=bytes.hex,
)
def test_garbage_that_starts_a_frame_loses_no_good_one_behind_it(garbage: bytes) -> None:
    found = messages(fed(Decoder(), [garbage + VALUES + VALUES]))
    assert [message.name for message in found] == ["pack", "pack"]


def test_a_cut_frame_is_told_and_the_next_one_read() -> None:
    assert said(fed(Decoder(), [VALUES[:6] + VALUES])) == [("checksum", 6), "pack"]


def test_every_wrong_byte_of_a_frame_is_noticed() -> None:
    for at in range(len(VALUES)):
        spoiled = bytearray(VALUES)
        spoiled[at] ^= 0x10
        assert messages(fed(Decoder(), [bytes(spoiled)])) == []


@pytest.mark.parametrize(
    ("board", "reason"),
    [
        (0, Drop.UNKNOWN),
        (17, Drop.UNKNOWN),
        (255, Drop.UNKNOWN),
        (0x40, Drop.ECHO),
        (0x80, Drop.ECHO),
        (0x20, Drop.ECHO),
    ],
)
def test_only_boards_one_to_sixteen_answer(board: int, reason: Drop) -> None:
    (dropped,) = drops(fed(Decoder(), [frame(board, 0x90, VALUES[4:12])]))
    assert dropped.reason is reason


def test_an_unknown_command_is_counted_as_such() -> None:
    (dropped,) = drops(fed(Decoder(), [frame(1, 0x55, bytes(8))]))
    assert dropped == Dropped(Drop.UNKNOWN, 13, "command 0x55")


@pytest.mark.parametrize(
    "foreign",
    [
        "dd03001b17000000000000000000000000000000000000000000000000000000ff3077",
        "d2030200014c3d",
        "4e5700130000000006030000000000006800000129",
        "55aaeb9002c8ee0000",
    ],
)
def test_frames_of_another_protocol_are_noise(foreign: str) -> None:
    items = fed(Decoder(), [bytes.fromhex(foreign), VALUES])
    assert [message.name for message in messages(items)] == ["pack"]
    assert {drop.reason for drop in drops(items)} <= {Drop.NOISE, Drop.TRUNCATED, Drop.CHECKSUM}


@given(
    st.lists(st.sampled_from([VALUES, STATUS_8S, *CELLS_8S, b"\xa5", b"\x00\xff"]), max_size=12), st.data()
)
def test_any_chunking_gives_the_same_messages(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert messages(fed(Decoder(), chunks)) == messages(fed(Decoder(), [stream]))


# Values that cannot be true


@pytest.mark.parametrize(
    ("command", "data"),
    [
        (0x90, "0000000075300000"), (0x90, "0203000000000338"), (0x90, "02030000ffff0338"),
        (0x90, "0000000000000000"), (0x90, "ffffffffffffffff"),
        (0x91, "0000000000000000"), (0x91, "2328010c3501ffff"), (0x91, "0ce4010d4801ffff"),
        (0x92, "0000000000000000"), (0x92, "ffffffffffffffff"),
        (0x93, "0000000000000000"), (0x93, "ffffffffffffffff"), (0x93, "0301010000000000"),
        (0x94, "0001000000000000"), (0x94, "3c01000000000000"), (0x94, "10ff000000000000"),
        (0x95, "000ce40ce40ce400"), (0x95, "110ce40ce40ce400"), (0x95, "ff0ce40ce40ce400"),
        (0x95, "010ce423280ce400"), (0x96, "0040404040404040"), (0x96, "0440404040404040"),
        (0x97, "ffffffffffffffff"), (0x98, "ffffffffffffffff"), (0x50, "0000000000000000"),
    ],
)  # fmt: skip
def test_checksum_valid_nonsense_is_counted_and_not_used(command: int, data: str) -> None:
    items = fed(Decoder(), [frame(1, command, bytes.fromhex(data))])
    assert [(drop.reason, drop.size) for drop in drops(items)] == [(Drop.VALUE, 13)]
    assert messages(items) == []


def test_a_state_of_charge_above_a_hundred_is_no_reading_but_spares_the_rest() -> None:
    message = only(fed(Decoder(), [frame(1, 0x90, bytes.fromhex("021000007530ffff"))]))
    assert message.reading == {"voltage_v": 52.8, "soc_pct": None, "current_a": 0.0}


def test_cycles_full_of_ff_are_no_reading() -> None:
    message = only(fed(Decoder(), [frame(1, 0x94, bytes.fromhex("1002000000ffffff"))]))
    assert message.reading == {"cell_count": 16, "cycles": None}


def test_cells_that_are_all_zero_are_filler_though_their_count_is_known() -> None:
    items = fed(knowing_8s(), [cells(1, 0, 0, 0), cells(2, 0, 0, 0), cells(3, 0, 0, 0)])
    assert said(items) == [("value", 39)]


def test_a_switch_that_is_neither_on_nor_off_is_unknown() -> None:
    message = only(fed(Decoder(), [frame(1, 0x93, bytes.fromhex("00ff010500004e20"))]))
    assert message.reading["charge_fet_on"] is None
    assert message.reading["discharge_fet_on"] is True


# Replies of several frames


def test_with_the_count_known_the_last_needed_frame_completes_the_cells() -> None:
    decoder = knowing_8s()
    assert decoder.feed(b"".join(CELLS_8S[:2])) == []
    message = only(decoder.feed(CELLS_8S[2]))
    assert message.name == "cell_voltages"
    assert message.reading == {"cell_voltages_v": VOLTS_8S, "cell_count": 8}


def test_a_missing_frame_leaves_a_gap_and_shifts_nothing() -> None:
    partial, dropped = fed(knowing_8s(), [CELLS_8S[0], CELLS_8S[2]])
    assert isinstance(partial, Message)
    assert partial.name == "cell_voltages_partial"
    assert partial.reading["cell_voltages_v"] == (*VOLTS_8S[:3], None, None, None, *VOLTS_8S[6:])
    assert partial.raw["missing_frames"] == [2]
    assert dropped == Dropped(Drop.TRUNCATED, 26, "cell_voltages: without frame 2")


def test_a_new_request_ends_the_reply_before() -> None:
    decoder = knowing_8s()
    decoder.feed(CELLS_8S[0])
    decoder.sent(frame(0x40, 0x95, bytes(8)))
    assert said(decoder.feed(b"".join(CELLS_8S))) == [
        "cell_voltages_partial",
        ("truncated", 13),
        "cell_voltages",
    ]


def test_frames_out_of_order_and_sent_twice_are_put_in_their_places() -> None:
    order = [CELLS_8S[1], CELLS_8S[0], CELLS_8S[0], CELLS_8S[2]]
    found = messages(fed(knowing_8s(), order))
    assert [message.reading["cell_voltages_v"] for message in found] == [VOLTS_8S]


def test_of_two_frames_with_one_number_the_later_counts() -> None:
    spoiled = cells(2, 1, 1, 1)
    message = only(fed(knowing_8s(), [CELLS_8S[0], spoiled, CELLS_8S[1], CELLS_8S[2]]))
    assert message.reading["cell_voltages_v"] == VOLTS_8S


def test_two_replies_in_a_row_stay_apart() -> None:
    later = [cells(n, 3400, 3401, 3402) for n in (1, 2, 3)]
    found = messages(fed(knowing_8s(), [*CELLS_8S, *later]))
    assert [message.reading["cell_voltages_v"][0] for message in found] == [3.301, 3.400]


def test_an_unreadable_cell_keeps_its_place() -> None:
    message = only(fed(knowing_8s(), [cells(1, 3301, 0, 3303), *CELLS_8S[1:]]))
    assert message.reading["cell_voltages_v"] == (3.301, None, *VOLTS_8S[2:])


def test_old_bytes_behind_the_last_cell_may_be_anything() -> None:
    message = only(fed(knowing_8s(), [*CELLS_8S[:2], cells(3, 3307, 3308, 0xA501)]))
    assert message.reading["cell_voltages_v"] == VOLTS_8S


def test_host_0x80_gets_all_frames_and_one_message_at_the_last() -> None:
    decoder = knowing_8s()
    decoder.sent(frame(0x80, 0x95, bytes(8)))
    frames = [*CELLS_8S, *(cells(n, 0, 0, 0) for n in range(4, 17))]
    assert decoder.feed(b"".join(frames[:15])) == []
    assert only(decoder.feed(frames[15])).reading["cell_voltages_v"] == VOLTS_8S


def test_a_board_that_sends_fewer_frames_to_host_0x80_is_waited_for_once() -> None:
    decoder = knowing_8s()
    for _ in range(2):
        decoder.sent(frame(0x80, 0x95, bytes(8)))
        first = decoder.feed(b"".join(CELLS_8S))
        if not first:
            first = decoder.reset()
            assert said(first) == ["cell_voltages"]
    assert said(first) == ["cell_voltages"]
    assert decoder.reset() == []


def test_an_extra_empty_probe_frame_is_no_second_message() -> None:
    decoder = knowing_8s()
    probes = [frame(1, 0x96, bytes.fromhex(data)) for data in ("013d3e0000000000", "0200000000000000")]
    for _ in range(3):
        decoder.sent(frame(0x40, 0x96, bytes(8)))
        items = decoder.feed(b"".join(probes)) + decoder.reset()
        assert only(items).reading == {"temperatures_c": (21, 22)}


def test_an_empty_frame_that_comes_behind_the_next_request_is_waited_for_the_next_time() -> None:
    decoder = knowing_8s()
    first, empty = (frame(1, 0x96, bytes.fromhex(data)) for data in ("013d3e0000000000", "0200000000000000"))
    decoder.sent(frame(0x80, 0x96, bytes(8)))
    assert said(decoder.feed(first)) == ["temperatures"]
    decoder.sent(frame(0x80, 0x97, bytes(8)))
    assert said(decoder.feed(empty + frame(1, 0x97, bytes(8)))) == ["balancing"]
    decoder.sent(frame(0x80, 0x96, bytes(8)))
    assert decoder.feed(first) == []
    assert said(decoder.feed(empty)) == ["temperatures"]


def test_probes_that_are_not_there_are_none_in_their_places() -> None:
    decoder = Decoder()
    decoder.feed(frame(1, 0x94, bytes((8, 3, 0, 0, 0, 0, 0, 0))))
    message = only(decoder.feed(frame(1, 0x96, bytes.fromhex("0100ff3d00000000"))))
    assert message.reading == {"temperatures_c": (None, None, 21)}


def test_boards_on_one_pair_are_kept_apart() -> None:
    decoder = Decoder()
    decoder.feed(STATUS_8S)
    decoder.feed(frame(2, 0x94, bytes((4, 1, 0, 0, 0, 0, 0, 0))))
    items = fed(
        decoder,
        [
            CELLS_8S[0],
            cells(1, 3201, 3202, 3203, board=2),
            CELLS_8S[1],
            cells(2, 3204, 3202, 3203, board=2),
            CELLS_8S[2],
        ],
    )
    assert [(m.address, len(m.reading["cell_voltages_v"])) for m in messages(items)] == [(2, 4), (1, 8)]


@pytest.mark.parametrize(
    ("frames", "count"),
    [
        ([cells(1, 3301, 3302, 3303)], 3),
        ([cells(1, 3301, 3302, 3303), cells(2, 3304, 3302, 3303)], 4),
        ([cells(1, 3301, 3302, 3303), cells(2, 3304, 0, 0), cells(3, 0, 0, 0)], 4),
        ([*CELLS_8S], 8),
        ([*CELLS_8S[:2], cells(3, 3307, 3305, 3306)], 7),
        ([cells(n, 3300, 3300, 3300) for n in range(1, 7)], 16),
        ([cells(n, 3300, 3300, 3300) for n in range(1, 9)], 24),
        ([cells(n, 3300 + n, 3300 + n, 3300 + n) for n in range(1, 9)], 24),
        ([cells(n, 3300 + n, 3300 + n, 3300) for n in range(1, 6)], 14),
    ],
)
def test_where_no_board_has_said_it_the_cells_are_counted_by_what_boards_are_known_to_send(
    frames: list[bytes], count: int
) -> None:
    assert only(fed(Decoder(), frames)).reading["cell_count"] == count


def test_the_pack_voltage_decides_between_counts_that_the_frames_allow() -> None:
    decoder = Decoder()
    decoder.feed(frame(1, 0x90, (594).to_bytes(2, "big") + bytes.fromhex("000075300338")))
    frames = [cells(n, 3300, 3300, 3300) for n in range(1, 7)]
    assert only(fed(decoder, frames)).reading["cell_count"] == 18


def test_the_state_that_follows_corrects_a_current_whose_sign_was_assumed() -> None:
    decoder = Decoder()
    assumed = only(decoder.feed(frame(1, 0x90, bytes.fromhex("0203000075660338"))))
    known = only(decoder.feed(frame(1, 0x93, bytes.fromhex("0101012600027a3c"))))
    assert assumed.reading["current_a"] == -5.4
    assert known.reading["current_a"] == 5.4


# Session and device


def bench(reading: Reading = PACK, options: Options | None = None, device: Device | None = None) -> Bench:
    return Bench(A5, device or Device(options or Options()), options).start(reading)


def command(payload: Payload) -> int:
    assert isinstance(payload, bytes)
    return payload[2]


@given(readings(cells_max=48, probes_max=21, alarms=alarms_of(set(FAULT_BITS) - {""})))
def test_whatever_a_pack_is_like_is_what_the_session_reads(reading: Reading) -> None:
    own = bench(reading)
    own.poll(reading)
    found = own.poll(reading)
    expected = {key: value for key, value in reading.items() if key != "mosfet_temperature_c"}
    assert {key: found.get(key, "absent") for key in expected} == expected


@pytest.mark.parametrize("extra", [{}, {"host": 0x80}, {"fill": 0}, {"current_sign": "auto"}])
@pytest.mark.parametrize("sign", [1, -1])
def test_any_host_any_fill_and_either_sign_read_the_same(extra: dict[str, int | str], sign: int) -> None:
    found = bench(PACK, Options(extra=extra), Device(Options(extra={"current_sign": sign}))).poll(PACK)
    assert found["current_a"] == PACK["current_a"]
    assert found["cell_voltages_v"] == PACK["cell_voltages_v"]
    assert found["temperatures_c"] == PACK["temperatures_c"]


def test_a_board_that_hears_only_0x80_is_found() -> None:
    device = Picky(Device(Options()), lambda payload: isinstance(payload, bytes) and payload[1] == 0x80)
    assert Bench(A5, device).start(PACK).poll(PACK)["voltage_v"] == 53.1


def test_a_board_that_hears_nobody_is_not_opened() -> None:
    silent = Bench(A5, Silent())
    with pytest.raises(NoReply, match="0x40 nor 0x80"):
        silent.run(silent.session.open(), PACK)


def test_of_several_boards_each_answers_to_its_own_number() -> None:
    for number in (1, 2, 16):
        own = bench(PACK, Options(address=number))
        request = next(own.session.poll())
        assert isinstance(request.data, bytes)
        assert request.data[1] == 0x3F + number
        assert request.address == number
        assert own.poll(PACK)["soc_pct"] == 61.5
        own.device = Device(Options(address=number % 16 + 1))
        with pytest.raises(NoReply):
            own.poll(PACK)


READ_ONLY = {0x50, 0x59, 0x5A, 0x5B, 0x62, 0x63, 0x90, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98}


@pytest.mark.parametrize("extra", [{}, {"host": 0x80}])
@pytest.mark.parametrize("mac", [None, "a4:c1:37:04:2d:be"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_session_only_ever_sends_reads_that_the_maker_documents(
    extra: dict[str, int], mac: str | None, number: int
) -> None:
    options = Options(address=number, mac=mac, extra=extra)
    sent = everything_asked(Bench(A5, Device(options), options), [PACK, pack(temperatures_c=(None,))])
    fill = b"\x00" if mac else b"\xaa"
    hosts = {0x80} if extra else {0x40, 0x80} if number == 1 else {0x41}
    assert sent <= {frame(host, read, fill * 8) for host in hosts for read in READ_ONLY}
    assert {command(payload) for payload in sent} == READ_ONLY


def test_a_poll_asks_for_what_permits_each_time_and_for_what_informs_seldom() -> None:
    own = bench()
    polls = []
    for _ in range(16):
        own.poll(PACK)
        polls.append([command(payload) for payload in own.sent])
    assert all(poll[:5] == [0x90, 0x93, 0x98, 0x95, 0x96] for poll in polls)
    assert sorted(read for poll in polls for read in poll[5:]) == [0x94, 0x97, 0x97, 0x97, 0x97]


def test_a_16s_poll_has_the_bytes_that_it_must_have() -> None:
    own = bench()
    for _ in range(3):
        own.poll(PACK)
    answers = [answer for payload in own.sent for answer in own.device.receive(payload, PACK)]
    assert sum(len(payload) for payload in own.sent if isinstance(payload, bytes)) == 5 * 13
    assert sum(len(payload) for payload in answers if isinstance(payload, bytes)) == 10 * 13


def test_a_dead_pack_is_asked_once_a_poll() -> None:
    own = bench()
    own.device = Silent()
    with pytest.raises(NoReply):
        own.poll(PACK)
    assert len(own.sent) == 1
    assert next(own.session.poll()).tries == 1


@pytest.mark.parametrize("lost", [0x90, 0x93, 0x95, 0x98])
def test_without_what_permits_there_is_no_reading(lost: int) -> None:
    own = bench()
    own.device = Picky(own.device, lambda payload: command(payload) != lost)
    with pytest.raises(NoReply):
        own.poll(PACK)


@pytest.mark.parametrize("lost", [0x94, 0x97])
def test_without_what_informs_there_is(lost: int) -> None:
    own = bench()
    own.device = Picky(own.device, lambda payload: command(payload) != lost)
    assert all(own.poll(PACK)["charge_allowed"] for _ in range(17))


def test_where_no_probe_can_be_read_the_extremes_stand_in_if_they_are_real() -> None:
    own = bench()
    unplugged = frame(1, 0x96, bytes((1, 0, 0xFF, 0, 0, 0, 0, 0)))
    own.device = Rewritten(own.device, lambda answer: unplugged if command(answer) == 0x96 else answer)
    assert own.poll(PACK)["temperatures_c"] == (22, 21)


def test_a_pack_without_probes_says_so() -> None:
    unplugged = pack(temperatures_c=(None, None))
    assert bench(unplugged).poll(unplugged)["temperatures_c"] == (None, None)


def test_neither_probes_nor_extremes_is_no_reading() -> None:
    own = bench()
    own.device = Picky(own.device, lambda payload: command(payload) not in {0x92, 0x96})
    with pytest.raises(NoReply, match="probes"):
        own.poll(PACK)


def test_cells_of_another_number_than_counted_are_no_reading_and_are_counted_again() -> None:
    shorter = pack(cell_voltages_v=PACK["cell_voltages_v"][:15])
    own = bench(shorter)
    own.run(Bench(A5, own.device).session.open(), PACK)  # another session on the link has heard of 16
    with pytest.raises(NoReply, match="counted"):
        own.poll(PACK)
    assert own.poll(PACK)["cell_count"] == 16


def test_a_heartbeat_that_stands_still_ends_the_readings() -> None:
    own = bench()

    def stuck(answer: Payload) -> Payload:
        assert isinstance(answer, bytes)
        return frame(1, 0x93, answer[4:7] + b"\x07" + answer[8:12]) if answer[2] == 0x93 else answer

    own.poll(PACK)
    living, own.device = own.device, Rewritten(own.device, stuck)
    for _ in range(Pulse.STUCK_POLLS):
        own.poll(PACK)
    with pytest.raises(NoReply, match="heartbeat"):
        own.poll(PACK)
    own.device = living
    assert own.poll(PACK)["voltage_v"] == 53.1


def test_a_heartbeat_that_never_moved_is_no_witness() -> None:
    pulse = Pulse()
    for _ in range(3 * Pulse.STUCK_POLLS):
        pulse.check(0)


@pytest.mark.parametrize(
    ("changed", "charge", "discharge"),
    [
        ({}, True, True),
        ({"charge_fet_on": False}, False, True),
        ({"discharge_fet_on": False}, True, False),
        ({"protections": frozenset({Alarm.CELL_OVERVOLTAGE})}, False, True),
        ({"protections": frozenset({Alarm.CELL_UNDERVOLTAGE})}, True, False),
        ({"protections": frozenset({Alarm.SHORT_CIRCUIT})}, False, False),
        ({"protections": frozenset({Alarm.TEMPERATURE_SENSOR_FAULT})}, False, True),
        ({"protections": frozenset({Alarm.FET_LOCKED})}, True, True),
        ({"warnings": frozenset({Alarm.CELL_OVERVOLTAGE, Alarm.SOC_LOW})}, True, True),
    ],
)
def test_permissions_are_switch_and_no_blocking_fault(
    changed: dict[str, object], charge: bool, discharge: bool
) -> None:
    reading = pack(**changed)
    found = bench(reading).poll(reading)
    assert (found["charge_allowed"], found["discharge_allowed"]) == (charge, discharge)


def test_a_board_with_both_state_and_sign_reversed_can_be_turned_round() -> None:
    mirrored = pack(current_a=12.3, protections=frozenset({Alarm.CHARGE_OVERCURRENT}))
    found = bench(mirrored, Options(extra={"invert_current": True})).poll(mirrored)
    assert found["current_a"] == -12.3
    assert found["protections"] == {Alarm.DISCHARGE_OVERCURRENT}
    assert (found["charge_allowed"], found["discharge_allowed"]) == (False, False)


def test_info_names_the_board_and_rates_it_by_its_thresholds() -> None:
    own = bench()
    info = own.run(own.session.info(), PACK)
    assert info is not None
    assert (info.model, info.firmware, info.cell_count) == ("DL-SIM-R16-01", "SIM-20240101", 16)
    assert (info.ratings.charge_ocp_a, info.ratings.discharge_ocp_a) == (100.0, 120.0)
    assert (info.ratings.cell_ovp_v, info.ratings.cell_uvp_v) == (3.6, 2.8)
    assert (info.ratings.pack_ovp_v, info.ratings.pack_uvp_v) == (57.6, 44.8)


def test_a_board_that_tells_nothing_of_itself_has_no_info() -> None:
    own = bench()
    own.device = Silent()
    assert own.run(own.session.info(), PACK) is None


@pytest.mark.parametrize(
    "options",
    [
        Options(address=0), Options(address=17), Options(extra={"host": 0x20}),
        Options(extra={"host": "0x40"}), Options(extra={"fill": 256}),
        Options(extra={"fill": True}), Options(extra={"current_sign": 0}),
    ],
)  # fmt: skip
def test_impossible_options_are_the_users_error(options: Options) -> None:
    with pytest.raises(ConfigError):
        A5.session(options)


def test_nothing_is_ever_collected() -> None:
    assert A5.session(Options()).collect(Message("pack", {"voltage_v": 52.0})) is None


def test_a_simulated_pack_that_fits_no_wire_is_a_bug() -> None:
    with pytest.raises(BridgeBug, match="does not fit"):
        Device(Options()).receive(frame(0x40, 0x90, bytes(8)), pack(voltage_v=7000.0))


def test_a_simulated_board_answers_no_writes_and_no_can() -> None:
    device = Device(Options())
    assert device.receive(frame(0x40, 0xDA, b"\x01" + bytes(7)), PACK) == []
    assert device.receive(CanFrame(0x18900140, bytes(8), extended=True), PACK) == []


def test_a_request_in_pieces_is_answered_once() -> None:
    device = Device(Options())
    pieces = bytewise(b"\xa5" + frame(0x40, 0x90, bytes(8)))
    assert [len(device.receive(piece, PACK)) for piece in pieces].count(1) == 1
