"""Pylontech frames read with a DBC that others made, and have on real inverters: no bit of it is ours.

The layout is that of pylon_CAN_210124.dbc (juamiso/PYLON_EMU, the file that chrgraf's JK translator and
others load too), noted here as facts: their names, bit positions, sign and scale. cantools reads our
frames by it; what it finds must be what was decided, and what the hand-written table says.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cantools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import profiles
from bridge.model import CanFrame, Decision
from bridge.profiles import Range
from bridge.sinks import dialect as dialects
from bridge.sinks.can import CanSink
from tests.sinks.helpers import BITS, NUMBERS, by_hand, conversation
from tests.sinks.test_contract import DUST, decisions

# identifier, bytes, and in it: their name, lowest bit, bits, sign, scale, our name
THEIRS = {
    (849, 8): (
        ("Battery_charge_voltage", 0, 16, "-", 0.1, "charge_voltage_limit_v"),
        ("Battery_charge_current_limit", 16, 16, "-", 0.1, "charge_current_limit_a"),
        ("Battery_discharge_current_limit", 32, 16, "-", 0.1, "discharge_current_limit_a"),
        ("Battery_discharge_voltage", 48, 16, "+", 0.1, "discharge_voltage_limit_v"),
    ),
    (853, 4): (("SoC", 0, 16, "+", 1, "soc_pct"), ("SoH", 16, 16, "+", 1, "soh_pct")),
    (854, 6): (
        ("Battery_voltage", 0, 16, "-", 0.01, "voltage_v"),
        ("Battery_current", 16, 16, "-", 0.1, "current_a"),
        ("Battery_temperature", 32, 16, "-", 0.1, "temperature_c"),
    ),
    (857, 7): (
        ("Overvoltage_ERR", 1, 1, "+", 1, "protection_overvoltage"),
        ("Undervoltage_ERR", 2, 1, "+", 1, "protection_undervoltage"),
        ("Overtemperature_ERR", 3, 1, "+", 1, "protection_overtemperature"),
        ("Undertemperature_ERR", 4, 1, "+", 1, "protection_undertemperature"),
        ("Overcurrent_discharge_ERR", 7, 1, "+", 1, "protection_discharge_overcurrent"),
        ("Charge_overcurrent_ERR", 8, 1, "+", 1, "protection_charge_overcurrent"),
        ("System_Error", 11, 1, "+", 1, "protection_system_error"),
        ("voltage_high_WARN", 17, 1, "+", 1, "warning_high_voltage"),
        ("voltage_low_WARN", 18, 1, "+", 1, "warning_low_voltage"),
        ("Temperature_high_WARN", 19, 1, "+", 1, "warning_high_temperature"),
        ("Temperature_low_WARN", 20, 1, "+", 1, "warning_low_temperature"),
        ("Discharge_current_high_WARN", 23, 1, "+", 1, "warning_discharge_high_current"),
        ("Charge_current_high_WARN", 24, 1, "+", 1, "warning_charge_high_current"),
        ("Internal_Error_WARN", 27, 1, "+", 1, "warning_internal_communication"),
        ("Module_numbers", 32, 8, "+", 1, "module_count"),
    ),
    (860, 2): (
        ("Full_charge_req", 3, 1, "+", 1, "full_charge_request"),
        ("Force_charge_req_II", 4, 1, "+", 1, "force_charge_2"),
        ("Force_charge_req_I", 5, 1, "+", 1, "force_charge_1"),
        ("Discharge_enable", 6, 1, "+", 1, "discharge_enabled"),
        ("Charge_enable", 7, 1, "+", 1, "charge_enabled"),
    ),
}
NAMES = {theirs: ours for signals in THEIRS.values() for theirs, *_, ours in signals}
UNNAMED = {"pn_marker"}  # theirs has two bytes there that it does not name
LOW_VOLTAGE = {"pylontech-lv", "pylon-lv-v2"}
PYLONTECH = [name for name in profiles.can() if profiles.load(name).dialect in LOW_VOLTAGE]


@cache
def reader() -> Any:
    """Their file's messages, as cantools loads them."""
    lines = ['VERSION ""', "BU_: X"]
    for (can_id, size), signals in THEIRS.items():
        lines.append(f"BO_ {can_id} m{can_id}: {size} X")
        lines += [
            f' SG_ {name} : {start}|{length}@1{sign} ({scale},0) [0|0] "" X'
            for name, start, length, sign, scale, _ in signals
        ]
    return cantools.database.load_string("\n".join(lines) + "\n", database_format="dbc")


def read(frames: tuple[CanFrame, ...]) -> dict[str, float]:
    """What they find in frames, by our names."""
    found: dict[str, float] = {}
    for frame in frames:
        for can_id, size in THEIRS:
            if frame.can_id == can_id:
                values = reader().decode_message(can_id, frame.data[:size], decode_choices=False)
                found |= {NAMES[name]: float(value) for name, value in values.items()}
    return found


def test_their_file_and_the_table_by_hand_name_the_same() -> None:
    assert set(NAMES.values()) == {name for name, *_ in (*NUMBERS, *BITS)} - UNNAMED
    assert len(PYLONTECH) >= 10


@given(st.sampled_from([can_id for can_id, _ in THEIRS]), st.binary(min_size=8, max_size=8))
def test_any_data_reads_the_same_with_their_file_and_by_hand(can_id: int, data: bytes) -> None:
    if can_id == 0x351:  # theirs has a signed charge voltage; nobody's is over 3276 V
        data = data[:1] + bytes([data[1] & 0x7F]) + data[2:]
    frame = CanFrame(can_id, data)
    expected = {name: float(value) for name, value in by_hand((frame,)).items() if name not in UNNAMED}
    assert read((frame,)) == pytest.approx(expected)


@pytest.mark.parametrize("name", PYLONTECH)
@settings(max_examples=10, deadline=None)
@given(given_decision=decisions(500.0))
def test_what_an_inverter_is_sent_reads_the_same_with_their_file(name: str, given_decision: Decision) -> None:
    used = profiles.load(name)
    sink = CanSink("house", used, dialects.of_profile(used))
    frames = conversation(sink, given_decision)
    told = sink.sent
    found = read(frames)
    assert told is not None
    assert found == pytest.approx(
        {one: float(value) for one, value in by_hand(frames).items() if one in NAMES.values()}
    )
    for one in ("charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a"):
        least = used.ranges.get(one, Range()).min or 0.0  # what such an inverter takes for nothing
        assert found[one] <= max(getattr(told, one), least) + DUST
    assert found["charge_voltage_limit_v"] > told.charge_voltage_limit_v - 1
    if "charge_enabled" in found:
        assert bool(found["charge_enabled"]) is told.charge_enabled
        assert bool(found["discharge_enabled"]) is told.discharge_enabled
    if told.bank.soc is not None:
        assert found["soc_pct"] <= 100 * told.bank.soc + DUST
