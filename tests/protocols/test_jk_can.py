"""JK on CAN: worked examples of the two texts, one capture, and a reading a second out of many frames."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.model import Alarm, CanFrame, Reading
from bridge.protocols import _jk_can_frames as frames
from bridge.protocols.contract import Drop, Dropped, Message, NoReply, Options, load
from bridge.protocols.jk_can import Decoder, Device, Session
from tests.protocols.helpers import VECTORS, Silent, ask, differences, drops, fed, messages

ENTRIES: list[dict[str, Any]] = json.loads((VECTORS / "jk_can.json").read_text())
PACK: Reading = {
    "voltage_v": 52.8,
    "current_a": -12.5,
    "soc_pct": 55,
    "soh_pct": 99,
    "remaining_ah": 154.0,
    "full_ah": 280.0,
    "cycles": 12,
    "cell_count": 16,
    "cell_voltages_v": (3.3,) * 16,
    "temperatures_c": (20.0, -13.0),
    "mosfet_temperature_c": 25.0,
    "charge_fet_on": True,
    "discharge_fet_on": True,
    "charge_allowed": True,
    "discharge_allowed": True,
    "balancing": True,
    "protections": frozenset(),
    "warnings": frozenset(),
}
PARTS = (frames.EXTREMES, frames.CAPACITY, frames.TEMPERATURES, frames.FAULTS, frames.INFO, frames.SWITCHES)


def frame_of(entry: dict[str, Any]) -> CanFrame:
    return CanFrame(entry["id"], bytes.fromhex(entry["data"]), entry["extended"])


def said(reading: Reading, *bases: int, address: int = 0) -> list[CanFrame]:
    return [frame for base in bases for frame in frames.encode(reading, address, base)]


class Bus:
    """A session that hears what a board says."""

    def __init__(self, options: Options, address: int = 0) -> None:
        self.session = Session(options)
        self.decoder = Decoder()
        self.address = address
        self.readings: list[Reading] = []

    def hear(self, reading: Reading, *bases: int) -> None:
        for message in messages(fed(self.decoder, said(reading, *bases, address=self.address))):
            collected = self.session.collect(message)
            if collected is not None:
                self.readings.append(collected)

    def second(self, reading: Reading, *bases: int) -> list[Reading]:
        """One second of 0x2F4, with these frames before it; the readings that it gives."""
        before = len(self.readings)
        self.hear(reading, *bases)
        for _ in range(50):
            self.hear(reading, frames.BATTERY)
        return self.readings[before:]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_a_worked_example_decodes_to_what_its_text_says(entry: dict[str, Any]) -> None:
    found = messages(fed(Decoder(), [frame_of(frame) for frame in entry["can_frames"]]))
    assert len(found) == len(entry["can_frames"])
    assert differences(found[-1], entry["expect"]) == {}


def test_a_frame_that_is_not_jks_is_unknown() -> None:
    (drop,) = fed(Decoder(), [CanFrame(0x351, bytes(8))])
    assert drop == Dropped(Drop.UNKNOWN, 8, "identifier 351")
    (drop,) = fed(Decoder(), [CanFrame(0x2F4, bytes(8), extended=True)])
    assert isinstance(drop, Dropped)


@pytest.mark.parametrize("can_id", [0x2F4, 0x4F4, 0x18F128F4, 0x18E028F4])
def test_a_frame_that_is_too_short_is_dropped(can_id: int) -> None:
    (drop,) = fed(Decoder(), [CanFrame(can_id, b"\1\2\3", extended=can_id > 0x7FF)])
    assert isinstance(drop, Dropped)
    assert drop.reason is Drop.LENGTH


@pytest.mark.parametrize(
    "frame",
    [
        CanFrame(0x2F4, bytes.fromhex("1301d71165")),
        CanFrame(0x2F4, bytes.fromhex("1301ffff33")),
        CanFrame(0x2F4, bytes.fromhex("4106d71133")),
        CanFrame(0x4F4, bytes.fromhex("0000010000020000")),
        CanFrame(0x4F4, bytes.fromhex("ffff01ffff020000")),
        CanFrame(0x18F428F4, bytes.fromhex("00000000000065"), extended=True),
    ],
    ids=["SOC 101", "6153 A", "160.1 V", "cells of 0 V", "cells of 65 V", "SOH 101"],
)
def test_a_frame_that_cannot_be_true_is_dropped(frame: CanFrame) -> None:
    (drop,) = fed(Decoder(), [frame])
    assert isinstance(drop, Dropped)
    assert drop.reason is Drop.VALUE


def test_a_cell_that_reads_zero_keeps_its_place() -> None:
    (message,) = messages(
        fed(Decoder(), [CanFrame(0x18E028F4, struct.pack("<4H", 3300, 0, 3302, 0xFFFF), True)])
    )
    assert message.reading["cell_voltages_v"] == (3.3, None, 3.302, None)


def test_a_lost_cell_frame_does_not_move_the_ones_behind_it() -> None:
    cells = said(PACK, frames.CELLS)
    found = messages(fed(Decoder(), [cells[0], *cells[2:]]))
    assert [message.raw["first_cell"] for message in found] == [1, 9, 9]


def test_after_silence_a_run_of_cells_does_not_go_on() -> None:
    decoder, cells = Decoder(), said(PACK, frames.CELLS)
    fed(decoder, cells[:1])
    (message,) = messages(fed(decoder, cells[1:2]))
    assert message.raw["first_cell"] == 5


def test_version_1_says_a_current_of_unknown_sign() -> None:
    hours = CanFrame(0x2F4, bytes.fromhex("1301d71133006400"))
    (message,) = messages(fed(Decoder(), [hours]))
    assert "current_a" not in message.reading
    second = messages(fed(Decoder(), [*said(PACK, frames.SWITCHES), hours]))[-1]
    assert second.reading["current_a"] == 56.7


LEVELS = [
    (0b01, {Alarm.CELL_OVERVOLTAGE}, set()),
    (0b10, {Alarm.CELL_OVERVOLTAGE}, set()),
    (0b11, set(), {Alarm.CELL_OVERVOLTAGE}),
    (0b01 << 20, set(), {Alarm.SOC_LOW}),
]


@pytest.mark.parametrize(("pairs", "protections", "warnings"), LEVELS)
def test_alarm_levels_1_and_2_protect_and_3_warns(
    pairs: int, protections: set[Alarm], warnings: set[Alarm]
) -> None:
    (message,) = messages(fed(Decoder(), [CanFrame(0x7F4, pairs.to_bytes(4, "little"))]))
    assert message.reading["protections"] == protections
    assert message.reading["warnings"] == warnings


@pytest.mark.parametrize(("address", "cells"), [(0, 16), (7, 16), (2, None)])
def test_a_reading_a_second_comes_out_of_what_a_board_says(address: int, cells: int | None) -> None:
    entry = load("jk-can")
    options = Options(address=address, cells=cells)
    session, device, decoder = Session(options), Device(options), entry.decoder()
    heard = [frame for _ in range(60) for frame in device.tick(PACK)]
    readings = [r for r in map(session.collect, messages(fed(decoder, heard))) if r is not None]
    assert 4 <= len(readings) <= 6
    assert readings[-1] == PACK
    assert drops(fed(decoder, heard)) == []
    assert device.receive(b"", PACK) == []


def test_other_addresses_are_other_packs() -> None:
    session = Session(Options(address=1))
    heard = [frame for _ in range(30) for frame in Device(Options(address=2)).tick(PACK)]
    assert not any(map(session.collect, messages(fed(Decoder(), heard))))


def test_no_value_is_used_for_two_readings() -> None:
    bus = Bus(Options(cells=16))
    bus.second(PACK)
    assert len(bus.second(PACK, frames.CELLS, *PARTS)) == 1
    assert bus.second(PACK, *PARTS) == []


def test_a_reading_waits_for_what_is_missing_and_then_goes_without_it() -> None:
    bus = Bus(Options(cells=16))
    bus.second(PACK, frames.CELLS, *PARTS)
    bus.second(PACK, *PARTS)
    bus.second(PACK, *PARTS)
    (late,) = bus.second(PACK, *PARTS)
    assert "cell_voltages_v" not in late
    assert late["charge_allowed"] is True


@pytest.mark.parametrize("lost", [frames.FAULTS, frames.SWITCHES])
def test_without_faults_or_switches_nothing_is_allowed(lost: int) -> None:
    bus = Bus(Options(cells=16))
    for _ in range(4):
        bus.second(PACK, frames.CELLS, *(base for base in PARTS if base != lost))
    assert bus.readings[-1]["charge_allowed"] is None
    assert bus.readings[-1]["discharge_allowed"] is None


@pytest.mark.parametrize(
    ("changes", "charge", "discharge"),
    [
        ({"charge_fet_on": False}, False, True),
        ({"discharge_fet_on": False}, True, False),
        ({"protections": frozenset({Alarm.CELL_OVERVOLTAGE})}, False, True),
        ({"protections": frozenset({Alarm.CELL_UNDERVOLTAGE})}, True, False),
    ],
)
def test_permission_is_switch_and_no_fault(changes: dict[str, Any], charge: bool, discharge: bool) -> None:
    bus = Bus(Options(cells=16))
    pack: Reading = {**PACK, **changes}  # type: ignore[typeddict-item]
    bus.second(pack)
    (reading,) = bus.second(pack, frames.CELLS, *PARTS)
    assert (reading["charge_allowed"], reading["discharge_allowed"]) == (charge, discharge)
    assert reading["protections"] == pack["protections"]


def test_an_alarm_level_forbids_and_expires_after_a_second_of_silence() -> None:
    bus = Bus(Options(cells=16))
    alarming: Reading = {**PACK, "protections": frozenset({Alarm.CELL_OVERVOLTAGE})}
    bus.second(PACK)
    bus.hear(alarming, frames.ALARMS)
    (first,) = bus.second(PACK, frames.CELLS, *PARTS)
    assert first["charge_allowed"] is False
    assert first["protections"] == {Alarm.CELL_OVERVOLTAGE}
    (second,) = bus.second(PACK, frames.CELLS, *PARTS)
    assert second["charge_allowed"] is True


def test_a_warning_level_forbids_nothing() -> None:
    bus = Bus(Options(cells=16))
    bus.second(PACK)
    bus.hear({**PACK, "warnings": frozenset({Alarm.CELL_IMBALANCE})}, frames.ALARMS)
    (reading,) = bus.second(PACK, frames.CELLS, *PARTS)
    assert reading["charge_allowed"] is True
    assert reading["warnings"] == {Alarm.CELL_IMBALANCE}


def test_another_makers_layout_under_the_same_identifiers_gives_no_reading() -> None:
    bus = Bus(Options(cells=16))
    wrong: Reading = {**PACK, "voltage_v": 26.4}
    bus.second(wrong)
    assert bus.second(wrong, frames.CELLS, *PARTS) == []


def test_an_unreadable_cell_leaves_the_coarse_pack_voltage() -> None:
    bus = Bus(Options(cells=16))
    gap: Reading = {**PACK, "cell_voltages_v": (3.3, None, *(3.3,) * 14)}
    bus.second(gap)
    (reading,) = bus.second(gap, frames.CELLS, *PARTS)
    assert reading["cell_voltages_v"][1] is None
    assert reading["voltage_v"] == 52.8


def test_a_round_with_a_lost_frame_is_no_round() -> None:
    bus = Bus(Options())
    whole, cut = said(PACK, frames.CELLS), said(PACK, frames.CELLS)
    del cut[2]
    for frame in [*whole, *cut, *whole]:
        (message,) = messages(bus.decoder.feed(frame))
        bus.session.collect(message)
    assert len(bus.session._parts["cells"][1].reading["cell_voltages_v"]) == 16


def test_unused_places_of_the_last_frame_are_no_cells() -> None:
    bus = Bus(Options())
    short: Reading = {**PACK, "voltage_v": 16.5, "cell_voltages_v": (3.3,) * 5}
    for _ in range(3):
        bus.second(short, frames.CELLS, *PARTS)
    assert bus.readings[-1]["cell_voltages_v"] == (3.3,) * 5


def test_missing_capacity_and_temperatures_are_left_out() -> None:
    bus = Bus(Options(cells=16))
    for _ in range(4):
        bus.second(PACK, frames.CELLS, frames.FAULTS, frames.SWITCHES)
    assert {"remaining_ah", "temperatures_c", "soh_pct"}.isdisjoint(bus.readings[-1])


@pytest.mark.parametrize(("sign", "current_a"), [(None, None), ("charging", -12.5), ("discharging", 12.5)])
def test_version_1_has_a_current_only_with_a_configured_sign(
    sign: str | None, current_a: float | None
) -> None:
    bus = Bus(Options(cells=16, extra={} if sign is None else {"current_sign": sign}))
    (reading,) = bus.second(PACK, frames.EXTREMES)
    assert reading["current_a"] == current_a
    assert reading["voltage_v"] == 52.8
    assert reading["charge_allowed"] is None


def test_a_sign_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="charging, discharging"):
        Session(Options(extra={"current_sign": "plus"}))


def test_opening_forgets_and_nothing_can_be_asked() -> None:
    entry = load("jk-can")
    bus = Bus(Options(cells=16))
    bus.second(PACK, frames.CELLS, *PARTS)
    assert ask(entry, bus.session.open(), Silent(), PACK) == (None, [])
    assert ask(entry, bus.session.info(), Silent(), PACK) == (None, [])
    assert bus.session._parts == {}
    with pytest.raises(NoReply):
        ask(entry, bus.session.poll(), Silent(), PACK)


def test_a_board_without_cells_or_probes_says_nothing_of_them() -> None:
    bare: Reading = {"voltage_v": 12.0}
    assert said(bare, frames.EXTREMES, frames.PROBES, frames.ALARMS, frames.CELLS) == []


def test_extremes_and_probes_are_those_of_the_pack() -> None:
    extremes, probes = messages(fed(Decoder(), said({**PACK, "cell_voltages_v": (3.3, 3.4)}, 0x4F4, 0x5F4)))
    assert (extremes.raw["max_cell_v"], extremes.raw["max_cell_number"]) == (3.4, 2)
    assert (probes.raw["min_temp_c"], probes.raw["max_temp_c"]) == (-13, 20)


@given(
    address=st.integers(0, 15),
    order=st.permutations(
        [frames.BATTERY, frames.CELLS, frames.SWITCHES, frames.FAULTS, frames.TEMPERATURES]
    ),
)
def test_the_address_of_every_frame_is_found(address: int, order: list[int]) -> None:
    found = fed(Decoder(), said(PACK, *order, address=address))
    assert {message.address for message in messages(found)} == {address}
    assert all(isinstance(item, Message) for item in found)
