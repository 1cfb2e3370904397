"""The other dialects: real captures through their DBC files, and the worked examples of their documents."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bridge import profiles
from bridge.model import Alarm, CanFrame
from bridge.sinks import dialect as dialects
from bridge.sinks.can import CanSink
from bridge.sinks.dialect import Dialect
from tests.sinks.helpers import conversation, decision, frames_of, unguarded

CAPTURES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "can_dialects.json").read_text("utf-8")
)
FULL_BANK: dict[str, Any] = {
    "soc": 0.57,
    "soh": 0.99,
    "remaining_ah": 159.6,
    "full_ah": 280.0,
    "design_ah": 560.0,
    "cycles": 12,
    "cells": 32,
    "cell_max_v": 3.325,
    "cell_min_v": 3.315,
    "cell_max_pack": "garage",
    "cell_max_index": 5,
    "cell_min_pack": "a long name",
    "cell_min_index": 11,
    "temperature_max_c": 24.1,
    "temperature_min_c": 22.8,
    "pack_count": 2,
    "packs_online": 2,
}


@cache
def dialect(name: str) -> Dialect:
    return dialects.load(profiles.folders()[-1] / "dialects" / f"{name}.dbc")


def decoded(name: str, frames: Iterable[CanFrame]) -> dict[str, Any]:
    found = {key: value for frame in frames for key, value in dialect(name).decode(frame).items()}
    return {key: value.rstrip("\0") if isinstance(value, str) else value for key, value in found.items()}


def pairs(found: dict[str, Any], *, raised: bool) -> list[str]:
    names = (name for name in found if name.startswith(("alarm_", "warn_")))
    return sorted(name for name in names if found[name] is raised)


def sent(profile: str, **changes: Any) -> dict[int, str]:
    """The frames of one cycle as hexadecimal digits, by identifier."""
    sink = CanSink("house", profiles.load(profile))
    given = {"bank": FULL_BANK, **changes}
    told = conversation(sink, decision(**given))
    return {frame.can_id: frame.data.hex(" ").upper() for frame in told}


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture["name"])
def test_captures_decode_to_what_is_known_of_them(capture: dict[str, Any]) -> None:
    found = decoded(capture["dialect"], frames_of(capture))
    expected = dict(capture["expect"])
    for key, raised in (("raised", True), ("cleared", False)):
        if key in expected:
            assert pairs(found, raised=raised) == expected.pop(key)
    assert {name: found[name] for name in expected} == expected


# Alarms in pairs: the worked example of SMA's document, section 7.1


def test_every_pair_that_is_not_raised_is_cleared_expressly() -> None:
    raised = sent(
        "sma-sunny-island",
        protections=frozenset({Alarm.CELL_OVERVOLTAGE}),
        warnings=frozenset({Alarm.CHARGE_UNDERTEMPERATURE}),
    )
    assert raised[0x35A] == "A4 AA 82 02 A8 9A 82 02"
    assert sent("sma-sunny-island")[0x35A] == "A8 AA 82 02 A8 AA 82 02"


def test_a_pair_says_nothing_where_it_is_neither_raised_nor_cleared() -> None:
    found = dialect("sma-si").decode(CanFrame(0x35A, bytes.fromhex("0400000030000000")))
    assert found == {"alarm_high_voltage": True}


# What is not known


def test_what_sma_has_a_code_for_is_sent_as_not_available_and_read_as_nothing() -> None:
    unknown = {"soh": None, "current_a": None, "temperature_c": None}
    frames = sent("sma-sunny-island", bank=unknown)
    assert frames[0x355] == "39 00 FF FF 44 16 00 00"
    assert frames[0x356] == "C0 14 00 80 00 80 00 00"
    assert frames[0x35F].split()[4:6] == ["FF", "FF"]
    assert decoded("sma-si", [CanFrame(0x356, bytes.fromhex(frames[0x356]))]) == {"voltage_v": 53.12}


def test_a_huge_current_is_not_taken_for_the_code() -> None:
    assert sent("sma-sunny-island", bank={"current_a": -1e6})[0x356].split()[2:4] == ["01", "80"]


@pytest.mark.parametrize("profile", ["victron-gx", "goodwe-lv"])
def test_frames_that_nothing_is_known_for_are_left_out(profile: str) -> None:
    assert {0x373, 0x374, 0x375, 0x379} <= sent(profile).keys()
    assert not {0x373, 0x374, 0x375, 0x379} & sent(profile, bank={}).keys()
    assert {0x351, 0x355, 0x356, 0x35A} <= sent(profile, bank={}).keys()


# Labels


def test_a_label_names_pack_and_cell_and_a_long_name_loses_its_end() -> None:
    frames = sent("victron-gx")
    assert bytes.fromhex(frames[0x375]) == b"garage-5"
    assert bytes.fromhex(frames[0x374]) == b"a lon-11"


def test_letters_that_ascii_lacks_are_replaced() -> None:
    frames = sent("victron-gx", bank=FULL_BANK | {"cell_max_pack": "Süd"})
    assert bytes.fromhex(frames[0x375]) == b"S?d-5\0\0\0"


# The worked examples


def test_luxpower_has_cells_temperatures_capacity_and_cycles_in_the_spare_bytes() -> None:
    frames = sent("luxpower")
    assert frames[0x355] == "39 00 63 00 FD 0C F3 0C"
    assert frames[0x356] == "C0 14 85 FF F1 00 E4 00"
    assert frames[0x359] == "00 00 00 00 02 30 02 00"
    assert frames[0x35C] == "C0 00 0C 00 00 00 00 00"


@pytest.mark.parametrize(("hottest_c", "expected"), [(22.8, "E5 00 E4 00"), (22.96, "E6 00 E4 00")])
def test_luxpower_gets_its_temperatures_a_step_apart(hottest_c: float, expected: str) -> None:
    frames = sent("luxpower", bank=FULL_BANK | {"temperature_max_c": hottest_c})
    assert frames[0x356].endswith(expected)


def test_goodwe_has_its_own_identifiers_and_hundredths_of_a_percent() -> None:
    frames = sent("goodwe-45x")
    assert frames[0x456] == "30 02 E8 03 DC 05 CC 01"
    assert frames[0x457] == "44 16 AC 26 00 00 00 00"
    assert frames[0x458] == "13 02 85 FF EA 00 00 00"
    assert frames[0x460] == "00 00"


def test_growatt_is_big_endian() -> None:
    frames = sent("growatt-lv")
    assert frames[0x311] == "02 30 03 E8 05 DC 00 63"
    assert frames[0x312] == "00 00 00 00 02 AA BB 20"
    assert frames[0x313] == "14 C0 FF 85 00 F1 39 63"
    assert frames[0x314] == "3E 58 6D 60 00 0A 00 0C"
    assert frames[0x319] == "C0 0C FD 0C F3 05 0B 00"
    assert frames[0x320].startswith("50 42 01 01")


@pytest.mark.parametrize(("current_a", "state"), [(0.0, 1), (12.3, 2), (-12.3, 3)])
def test_growatt_is_told_what_the_battery_does(current_a: float, state: int) -> None:
    status = bytes.fromhex(sent("growatt-lv", bank=FULL_BANK | {"current_a": current_a})[0x311])[7]
    assert status == 0x60 | state


def test_growatt_hears_alarms_with_the_error_bit() -> None:
    frames = sent("growatt-lv", protections=frozenset({Alarm.CELL_UNDERVOLTAGE, Alarm.CELL_IMBALANCE}))
    assert frames[0x312].startswith("08 04 00 00")
    assert bytes.fromhex(frames[0x311])[7] == 0x67


def test_sol_ark_gets_eight_bytes_in_every_frame_and_the_capacity() -> None:
    frames = sent("sol-ark")
    assert {len(data.split()) for data in frames.values()} == {8}
    assert frames[0x379].startswith("30 02")


@pytest.mark.parametrize(("profile", "voltage"), [("sol-ark", "C0 14"), ("sol-ark-tenths", "13 02")])
def test_sol_ark_gets_its_voltage_in_the_steps_that_its_firmware_reads(profile: str, voltage: str) -> None:
    assert sent(profile)[0x356].startswith(voltage)


def test_byd_packs_name_themselves_as_in_the_capture() -> None:
    frames = sent("byd-lv")
    assert frames[0x35E] == "42 59 44 00 00 00 00 00"
    assert frames[0x35F].startswith("4C 69 01 02")
    assert bytes.fromhex(frames[0x382]) == b"PREMIUM\0"


def test_a_deye_pack_tells_both_limits_and_its_packs() -> None:
    frames = sent("deye-pcs")
    assert frames[0x371].startswith("E8 03 DC 05")
    assert frames[0x364].startswith("02 00 00 00 02")
    assert bytes.fromhex(frames[0x35E])[:5] == b"DY001"


def test_a_gx_is_asked_for_a_forced_charge_with_ff() -> None:
    assert sent("victron-gx")[0x360].startswith("00")
    assert sent("victron-gx", force_charge=True)[0x360].startswith("FF")


# What inverters make of "no current"

STOPPED: dict[str, Any] = {"charge_current_limit_a": 0.0, "discharge_current_limit_a": 0.0}


def test_a_sofar_is_told_next_to_nothing_because_it_ignores_zero() -> None:
    assert sent("sofar-lv", **STOPPED)[0x351].split()[2:6] == ["01", "00", "01", "00"]


def test_a_sunny_island_never_gets_a_value_that_it_would_drop() -> None:
    wild = sent(
        "sma-sunny-island",
        charge_voltage_limit_v=70.0,
        discharge_voltage_limit_v=0.0,
        charge_current_limit_a=5000.0,
        discharge_current_limit_a=5000.0,
    )
    assert wild[0x351] == "76 02 E0 2E E0 2E 9A 01"


def test_a_gx_never_hears_a_cvl_of_0_although_the_packs_are_lost() -> None:
    sink = CanSink("house", profiles.load("victron-gx"))
    sink.frames(decision(), unguarded)
    lost: dict[str, Any] = dict.fromkeys(("voltage_v", "current_a", "soc", "soh", "temperature_c"))
    gone = decision(bank=lost | {"packs_online": 0}, charge_voltage_limit_v=0.0, **STOPPED)
    found = {
        name: value
        for one in sink.frames(gone, unguarded)
        for name, value in sink.dialect.decode(one).items()
    }
    assert (found["charge_voltage_limit_v"], found["charge_current_limit_a"]) == (53.1, 0.0)


def test_a_gx_hears_nothing_before_there_is_data() -> None:
    sink = CanSink("house", profiles.load("victron-gx"))
    assert sink.frames(decision(bank={"voltage_v": None, "soc": None}, **STOPPED), unguarded) == ()
