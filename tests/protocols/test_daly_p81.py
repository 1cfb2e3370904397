from __future__ import annotations

import pytest
from hypothesis import given

from bridge.errors import ConfigError
from bridge.model import Alarm, Reading
from bridge.protocols._daly import Pulse
from bridge.protocols._daly_faults import MEANINGS
from bridge.protocols._daly_layout import Read
from bridge.protocols._daly_modbus import read_reply, read_request, sealed
from bridge.protocols._daly_p81_registers import CELLS, READS, SETTINGS, STATUS, VERSIONS, image
from bridge.protocols.contract import Drop, Dropped, Message, NoReply, Options, Payload, load
from bridge.protocols.daly_p81 import Decoder, Device
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
from tests.protocols.helpers import Silent, fed, messages

P81 = load("daly-p81")
FAULT_NAMES = {
    name for name in MEANINGS if not name.endswith(("_l3", "_l4", "_l5", "_l6", "_l7"))
} - {
    "soc_high_l1", "soc_high_l2", "charge_mos_stuck_closed", "discharge_mos_stuck_closed", "charge_mos_open",
    "discharge_mos_open", "vehicle_comm_fault", "internal_comm_fault", "low_voltage_charge_inhibit",
    "mos_off_by_soft_switch", "charge_cabinet_offline",
}  # fmt: skip


def registers(read: Read, changed: dict[int, int] | None = None, board: int = 1) -> bytes:
    """A reply of a healthy pack, with some registers changed."""
    words = image(PACK, 1, board, 7) | {n: raw.to_bytes(2, "big") for n, raw in (changed or {}).items()}
    window = range(read.start, read.start + read.count)
    return read_reply(0x50 + board, b"".join(words.get(register, b"\0\0") for register in window))


def only(items: list[Message | Dropped]) -> Message:
    (message,) = items
    assert isinstance(message, Message)
    return message


def status(changed: dict[int, int]) -> Message:
    return only(fed(Decoder(), [registers(STATUS, changed)]))


# Frames


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (CELLS, "8103000000405bfa"), (STATUS, "81030041003e8bce"),
        (SETTINGS, "8103010000519a0a"), (VERSIONS, "81030178004a5a18"),
    ],
)  # fmt: skip
def test_golden_requests_are_built_to_the_byte(read: Read, text: str) -> None:
    assert read_request(0x81, read.start, read.count) == bytes.fromhex(text)


def test_boards_on_one_pair_are_kept_apart() -> None:
    decoder = Decoder()
    decoder.sent(read_request(0x82, 0x41, 62))
    items = fed(decoder, [registers(CELLS), registers(STATUS, board=2), registers(STATUS, board=16)])
    assert [(m.name, m.address) for m in messages(items)] == [("cells", 1), ("status", 2), ("status", 16)]


def test_a_request_of_another_master_does_for_ours() -> None:
    window = Read(0x30, 24, "registers")
    items = fed(Decoder(), [read_request(0x81, 0x30, 24), registers(window)])
    assert said(items) == [("echo", 8), "registers"]
    assert messages(items)[0].reading["voltage_v"] == 53.1


def test_the_small_windows_of_another_program_are_read_too() -> None:
    """As patagonaa/esphome-daly-hkms-bms reads a board."""
    decoder = Decoder()
    whole: dict[str, object] = {}
    for start, count in ((0x30, 24), (0, 16), (0x48, 21), (0x6D, 7), (0x121, 2)):
        decoder.sent(read_request(0x81, start, count))
        whole |= only(decoder.feed(registers(Read(start, count, "registers")))).reading
    assert whole["cell_voltages_v"] == PACK["cell_voltages_v"]
    assert whole["temperatures_c"] == (21, 22)
    assert whole["current_a"] == -12.3
    assert whole["charge_fet_on"] is True
    assert whole["protections"] == frozenset()


def test_writes_and_refusals_are_told_apart() -> None:
    frames = [sealed(bytes.fromhex(text)) for text in ("810601210000", "510601210000", "518302")]
    assert said(fed(Decoder(), frames)) == [("echo", 8), "written", ("refused", 5)]


@pytest.mark.parametrize(
    "garbage", [b"\x51", b"\x51\x03", b"\x81\x03\x01", registers(CELLS)[:60], b"Q\x03\xff" * 3], ids=bytes.hex
)
def test_garbage_that_starts_a_frame_loses_no_good_one_behind_it(garbage: bytes) -> None:
    found = messages(fed(Decoder(), [garbage + registers(CELLS) + registers(STATUS)]))
    assert [message.name for message in found] == ["cells", "status"]


# Values


@pytest.mark.parametrize(
    ("read", "changed"),
    [
        (CELLS, {0x38: 0}), (CELLS, {0x39: 0}), (CELLS, {0x39: 0xFFFF}), (CELLS, {0x3C: 0}),
        (CELLS, {0x3C: 60}), (CELLS, {5: 9000}), (CELLS, dict.fromkeys(range(64), 0)),
        (STATUS, dict.fromkeys(range(0x41, 0x7F), 0)),
        (STATUS, dict.fromkeys(range(0x41, 0x7F), 0xFFFF)),
    ],
)  # fmt: skip
def test_checksum_valid_nonsense_is_counted_and_not_used(read: Read, changed: dict[int, int]) -> None:
    (dropped,) = fed(Decoder(), [registers(read, changed)])
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.size) == (Drop.VALUE, 2 * read.count + 5)


@pytest.mark.parametrize(
    ("register", "word", "names"),
    [
        (0x6D, 0x0001, ["cell_voltage_high_l1"]),
        (0x6D, 0x003A, ["cell_voltage_high_l2", "cell_voltage_low_l7"]),
        (0x6D, 0x0040, ["smart_charger_connected"]), (0x6D, 0x0080, ["smart_charger_fault"]),
        (0x6D, 0x1200, ["cell_diff_high_l2", "charge_temp_high_l2"]),
        (0x6D, 0x8000, ["smart_discharger_fault"]),
        (0x6E, 0x0051, ["charge_temp_low_l1", "discharge_temp_high_l2", "charge_mos_temp_high"]),
        (0x6E, 0x8A00, ["discharge_temp_low_l2", "temp_diff_high_l1", "discharge_mos_temp_sensor_fault"]),
        (0x6F, 0x0040, ["short_circuit"]),
        (0x6F, 0x1100, ["charge_overcurrent_l1", "discharge_overcurrent_l2"]),
        (0x70, 0x0002, ["soc_low_l2"]), (0x70, 0x0080, ["parallel_comm_fault"]),
        (0x70, 0x0800, ["thermal_runaway_l1"]),
        (0x71, 0x1234, []), (0x72, 0x00FF, []), (0x72, 0x8000, ["cell_temp_sensor_fault"]),
        (0x72, 0x0100, ["afe_fault"]),
        (0x73, 0x0001, ["cell_temp_sensor_lost"]), (0x73, 0x0400, ["charge_mos_off_by_switch"]),
        (0x73, 0x8000, ["heater_fault"]),
        (0x6D, 0xFFFF, []),
    ],
)  # fmt: skip
def test_fault_registers_have_their_names(register: int, word: int, names: list[str]) -> None:
    assert status({register: word}).raw["alarms"] == names


@pytest.mark.parametrize(
    ("register", "word", "charge", "discharge"),
    [
        (0x6D, 0x0001, True, True), (0x6D, 0x0002, False, True), (0x6D, 0x0010, True, False),
        (0x70, 0x0007, True, True), (0x70, 0x0200, False, False), (0x72, 0x1000, False, False),
        (0x73, 0x0100, False, True), (0x73, 0x0800, True, False), (0x73, 0x5000, True, True),
    ],
)  # fmt: skip
def test_permissions_are_switch_and_no_blocking_fault(
    register: int, word: int, charge: bool, discharge: bool
) -> None:
    reading = status({register: word}).reading
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)


def test_legacy_fault_words_are_shown_and_never_used() -> None:
    message = status({0x66: 0xFFFF})
    assert message.raw["legacy_fault_words"] == [0xFFFF, 0, 0, 0]
    assert message.reading["protections"] == frozenset()


def test_a_48_cell_pack_is_read_whole() -> None:
    message = only(fed(Decoder(), [registers(CELLS, {0x3C: 48, **dict.fromkeys(range(48), 3300)})]))
    assert message.reading["cell_voltages_v"] == (3.3,) * 48


def test_the_clock_is_shown() -> None:
    assert status({0x61: 0x1A06, 0x62: 0x0214, 0x63: 0x0221}).raw["clock"] == "2026-06-02T20:02:33"
    assert status({0x61: 0xFFFF, 0x62: 0xFFFF, 0x63: 0xFFFF}).raw["clock"] is None


# Session and device


def bench(reading: Reading = PACK, options: Options | None = None, device: Options | None = None) -> Bench:
    return Bench(P81, Device(device or options or Options()), options).start(reading)


@given(readings(cells_max=48, probes_max=8, alarms=alarms_of(FAULT_NAMES)))
def test_whatever_a_pack_is_like_is_what_the_session_reads(reading: Reading) -> None:
    found = bench(reading).poll(reading)
    assert {key: found.get(key) for key in reading} == reading


@pytest.mark.parametrize("sign", [1, -1])
def test_either_sign_is_read_the_same(sign: int) -> None:
    assert bench(device=Options(extra={"current_sign": sign})).poll(PACK)["current_a"] == -12.3


def test_a_poll_is_two_reads() -> None:
    own = bench()
    own.poll(PACK)
    assert own.sent == [read_request(0x81, 0, 64), read_request(0x81, 0x41, 62)]


@pytest.mark.parametrize("number", [1, 2, 16])
def test_a_session_only_ever_sends_reads_that_the_makers_app_sends(number: int) -> None:
    own = Bench(P81, Device(Options(address=number)), Options(address=number))
    sent = everything_asked(own, [PACK, pack(charge_fet_on=False)])
    assert sent == {read_request(0x80 + number, read.start, read.count) for read in READS}


def test_of_several_boards_each_answers_to_its_own_number() -> None:
    own = bench(PACK, Options(address=3))
    assert own.poll(PACK)["soc_pct"] == 61.5
    own.device = Device(Options(address=4))
    with pytest.raises(NoReply):
        own.poll(PACK)


def test_half_a_picture_is_no_reading() -> None:
    own = bench()
    own.device = Picky(own.device, lambda payload: payload != read_request(0x81, 0x41, 62))
    with pytest.raises(NoReply):
        own.poll(PACK)


def test_a_heartbeat_that_stands_still_ends_the_readings() -> None:
    own = bench()
    own.poll(PACK)
    frozen: dict[bytes, Payload] = {}

    def replayed(answer: Payload) -> Payload:
        assert isinstance(answer, bytes)
        return frozen.setdefault(answer[:3], answer)

    own.device = Rewritten(own.device, replayed)
    for _ in range(Pulse.STUCK_POLLS):
        own.poll(PACK)
    with pytest.raises(NoReply, match="heartbeat"):
        own.poll(PACK)


def test_info_names_the_board_and_rates_it_by_its_thresholds() -> None:
    own = bench()
    own.poll(PACK)
    info = own.run(own.session.info(), PACK)
    assert info is not None
    assert (info.model, info.firmware, info.cell_count) == ("DL-SIM-R16-01", "SIM-20240101", 16)
    assert (info.ratings.charge_ocp_a, info.ratings.discharge_ocp_a) == (100.0, 120.0)
    assert (info.ratings.discharge_otp_c, info.ratings.discharge_utp_c) == (None, None)
    assert (info.ratings.charge_otp_c, info.ratings.charge_utp_c) == (55, 2)


def test_a_board_that_tells_nothing_of_itself_has_no_info() -> None:
    own = bench()
    own.device = Silent()
    assert own.run(own.session.info(), PACK) is None


def test_a_board_locked_by_a_person_says_so() -> None:
    reading = status({0x73: 0x0400}).reading
    assert reading["protections"] == {Alarm.FET_LOCKED}
    assert reading["charge_allowed"] is False


@pytest.mark.parametrize("address", [0, 17])
def test_impossible_numbers_are_the_users_error(address: int) -> None:
    with pytest.raises(ConfigError, match="1 to 16"):
        P81.session(Options(address=address))


def test_nothing_is_ever_collected() -> None:
    assert P81.session(Options()).collect(Message("status", {"voltage_v": 52.0})) is None
