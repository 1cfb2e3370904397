from __future__ import annotations

import pytest
from hypothesis import given

from bridge.errors import ConfigError
from bridge.model import CanFrame, Reading
from bridge.protocols._daly_faults import FAULT_BITS
from bridge.protocols.contract import Drop, Dropped, Message, NoReply, Options, load
from bridge.protocols.daly_can import Decoder, Device
from tests.protocols.daly_packs import PACK, Bench, alarms_of, everything_asked, pack, readings, said
from tests.protocols.helpers import drops, fed, messages

CAN = load("daly-can")


def reply(command: int, data: str, board: int = 1) -> CanFrame:
    return CanFrame(0x18004000 | command << 16 | board, bytes.fromhex(data), extended=True)


STATUS_8S = reply(0x94, "0802000000000136")
CELLS_8S = [reply(0x95, "010d240d240d2500"), reply(0x95, "020d250d250d2500"), reply(0x95, "030d260d27ffffff")]
PROBES = reply(0x96, "013536ffffffffff")


def test_a_whole_poll_of_a_captured_board_is_read() -> None:
    """mr-manuel/venus-os_dbus-serialbattery issue 249, its third cell frame added."""
    frames = [reply(0x90, "010d00007566032b"), reply(0x93, "0101012600027a3c"), STATUS_8S, PROBES]
    found = {message.name: message for message in messages(fed(Decoder(), [*frames, *CELLS_8S[:2]]))}
    assert found["pack"].reading == {"voltage_v": 26.9, "soc_pct": 81.1, "current_a": 5.4}
    assert found["status"].reading == {"cell_count": 8, "cycles": 310}
    assert found["temperatures"].reading == {"temperatures_c": (13, 14)}
    assert found["cell_voltages_partial"].raw["missing_cell_frames"] == [3]


def test_replies_that_come_mixed_are_put_together() -> None:
    mixed = [STATUS_8S, CELLS_8S[0], PROBES, CELLS_8S[1], reply(0x98, "00" * 8), *CELLS_8S[2:]]
    items = fed(Decoder(), mixed)
    assert said(items) == ["status", "temperatures", "faults", "cell_voltages"]
    assert messages(items)[-1].reading["cell_voltages_v"][5:] == (3.365, 3.366, 3.367)


def test_unused_slots_full_of_ff_are_no_cells_though_nobody_counted_them() -> None:
    (message,) = messages(fed(Decoder(), CELLS_8S))
    assert message.reading["cell_count"] == 8


def test_boards_on_one_bus_are_kept_apart() -> None:
    items = fed(
        Decoder(),
        [STATUS_8S, reply(0x94, "0401000000000000", board=16), reply(0x97, "01" + "00" * 7, board=16)],
    )
    assert [(message.name, message.address) for message in messages(items)] == [
        ("status", 1),
        ("status", 16),
        ("balancing", 16),
    ]


@pytest.mark.parametrize(
    ("frame", "reason", "detail"),
    [
        (CanFrame(0x351, bytes(8)), Drop.UNKNOWN, "inverter"),
        (CanFrame(0x35E, b"PYLON   "), Drop.UNKNOWN, "inverter"),
        (CanFrame(0x123, bytes(8)), Drop.UNKNOWN, "123"),
        (CanFrame(0x18904001, bytes(8)), Drop.UNKNOWN, "identifier"),
        (CanFrame(0x18904011, bytes(8), extended=True), Drop.UNKNOWN, "identifier"),
        (CanFrame(0x18FF50E5, bytes(8), extended=True), Drop.UNKNOWN, "identifier"),
        (CanFrame(0x18A64002, bytes(8), extended=True), Drop.UNKNOWN, "command 0xA6"),
        (CanFrame(0x18900140, bytes(8), extended=True), Drop.ECHO, "0x90"),
        (CanFrame(0x18904001, bytes(7), extended=True), Drop.LENGTH, "7 data bytes"),
        (CanFrame(0x18904001, bytes(8), extended=True), Drop.VALUE, "filler"),
        (CanFrame(0x18944001, b"\x3c" + bytes(7), extended=True), Drop.VALUE, "60 cells"),
    ],
)
def test_foreign_and_impossible_frames_are_counted_by_kind(
    frame: CanFrame, reason: Drop, detail: str
) -> None:
    (dropped,) = fed(Decoder(), [frame])
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.size) == (reason, len(frame.data))
    assert detail in dropped.detail


def test_bytes_are_not_for_a_can_bus() -> None:
    assert said(Decoder().feed(b"\xa5\x01")) == [("noise", 2)]


def test_a_new_request_ends_the_reply_before() -> None:
    decoder = Decoder()
    decoder.feed(STATUS_8S)
    decoder.feed(CELLS_8S[0])
    decoder.sent(CanFrame(0x18950140, bytes(8), extended=True))
    items = decoder.feed(CELLS_8S[0])
    assert said(items) == ["cell_voltages_partial", ("truncated", 8)]


# Session and device


def bench(reading: Reading = PACK, options: Options | None = None) -> Bench:
    return Bench(CAN, Device(options or Options()), options).start(reading)


@given(readings(cells_max=48, probes_max=21, alarms=alarms_of(set(FAULT_BITS) - {""})))
def test_whatever_a_pack_is_like_is_what_the_session_reads(reading: Reading) -> None:
    own = bench(reading)
    own.poll(reading)
    found = own.poll(reading)
    expected = {key: value for key, value in reading.items() if key != "mosfet_temperature_c"}
    assert {key: found.get(key, "absent") for key in expected} == expected


@pytest.mark.parametrize("number", [1, 2, 16])
def test_a_board_is_asked_by_its_number(number: int) -> None:
    own = bench(PACK, Options(address=number))
    assert own.poll(PACK)["soc_pct"] == 61.5
    assert own.sent[0] == CanFrame(0x18900040 | number << 8, bytes(8), extended=True)
    own.device = Device(Options(address=number % 16 + 1))
    with pytest.raises(NoReply):
        own.poll(PACK)


def test_a_board_of_the_other_family_is_known_by_its_state() -> None:
    own = Bench(CAN, Device(Options(extra={"current_sign": -1}))).start(PACK)
    assert own.poll(PACK)["current_a"] == -12.3


READ_ONLY = {0x50, 0x59, 0x5A, 0x5B, 0x62, 0x63, 0x90, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98}


def test_a_session_only_ever_sends_reads_that_the_maker_documents() -> None:
    sent = everything_asked(
        Bench(CAN, Device(Options(address=2)), Options(address=2)), [PACK, pack(temperatures_c=())]
    )
    assert sent == {CanFrame(0x18000240 | read << 16, bytes(8), extended=True) for read in READ_ONLY}


@pytest.mark.parametrize("address", [0, 17])
def test_impossible_numbers_are_the_users_error(address: int) -> None:
    with pytest.raises(ConfigError, match="1 to 16"):
        CAN.session(Options(address=address))


def test_a_simulated_board_hears_only_requests() -> None:
    device = Device(Options())
    assert device.receive(b"\xa5", PACK) == []
    assert device.receive(CanFrame(0x18900140, bytes(8)), PACK) == []
    assert device.receive(CanFrame(0x18904001, bytes(8), extended=True), PACK) == []


def test_nothing_is_ever_collected() -> None:
    assert CAN.session(Options()).collect(Message("pack", {"voltage_v": 52.0})) is None


def test_drops_of_a_poll_are_none() -> None:
    own = bench()
    own.poll(PACK)
    answers = [answer for request in own.sent for answer in own.device.receive(request, PACK)]
    assert drops(fed(Decoder(), [STATUS_8S, *answers])) == []
