"""Two dialects read by hand: their layouts written down a second time, from documents and not from DBC."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings

from bridge import profiles
from bridge.model import CanFrame, Decision
from bridge.profiles import Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.can import CanSink
from bridge.sinks.dialect import Dialect
from tests.sinks.helpers import conversation
from tests.sinks.test_contract import DUST, decisions

Table = tuple[tuple[str, int, str, int, float | tuple[float, float]], ...]

# name, identifier, format for struct, offset, scale.  Source: SMA FSS-ConnectingBat-TI-en-10.
SMA: Table = (
    ("charge_voltage_limit_v", 0x351, "<H", 0, 0.1),
    ("charge_current_limit_a", 0x351, "<h", 2, 0.1),
    ("discharge_current_limit_a", 0x351, "<h", 4, 0.1),
    ("discharge_voltage_limit_v", 0x351, "<H", 6, 0.1),
    ("soc_pct", 0x355, "<H", 0, 1),
    ("soh_pct", 0x355, "<H", 2, 1),
    ("soc_hires_pct", 0x355, "<H", 4, 0.01),
    ("voltage_v", 0x356, "<h", 0, 0.01),
    ("current_a", 0x356, "<h", 2, 0.1),
    ("temperature_c", 0x356, "<h", 4, 0.1),
)
# Source: rand12345/solax_can_bus.
SOLAX: Table = (
    ("charge_voltage_limit_v", 0x1872, "<H", 0, 0.1),
    ("discharge_voltage_limit_v", 0x1872, "<H", 2, 0.1),
    ("charge_current_limit_a", 0x1872, "<H", 4, 0.1),
    ("discharge_current_limit_a", 0x1872, "<H", 6, 0.1),
    ("voltage_v", 0x1873, "<H", 0, 0.1),
    ("current_a", 0x1873, "<h", 2, 0.1),
    ("soc_pct", 0x1873, "<H", 4, 1),
    ("remaining_wh", 0x1873, "<H", 6, 10),
    ("temperature_max_c", 0x1874, "<h", 0, 0.1),
    ("temperature_min_c", 0x1874, "<h", 2, 0.1),
    ("cell_max_tenths_v", 0x1874, "<H", 4, 0.1),
    ("cell_min_tenths_v", 0x1874, "<H", 6, 0.1),
    ("temperature_c", 0x1875, "<h", 0, 0.1),
    ("cycles", 0x1875, "<H", 6, 1),
    ("cell_max_v", 0x1876, "<H", 2, 0.001),
    ("cell_min_v", 0x1876, "<H", 6, 0.001),
    ("full_wh", 0x1878, "<I", 4, 1),
)
# Source: diyBMSv4ESP32 pylonforce_canbus.cpp and dalathegreat/Battery-Emulator PYLON-CAN, with the 0.1 A
# from -3000 A and 0.1 degC from -100 degC of the vendor's table. A scale may have an offset beside it.
PYLON_HV: Table = (
    ("voltage_v", 0x4210, "<H", 0, 0.1),
    ("current_a", 0x4210, "<H", 2, (0.1, -3000)),
    ("temperature_c", 0x4210, "<H", 4, (0.1, -100)),
    ("soc_pct", 0x4210, "<B", 6, 1),
    ("soh_pct", 0x4210, "<B", 7, 1),
    ("charge_voltage_limit_v", 0x4220, "<H", 0, 0.1),
    ("discharge_voltage_limit_v", 0x4220, "<H", 2, 0.1),
    ("charge_current_limit_a", 0x4220, "<H", 4, (0.1, -3000)),
    ("discharge_current_limit_a", 0x4220, "<H", 6, (0.1, -3000)),
    ("cell_max_v", 0x4230, "<H", 0, 0.001),
    ("cell_min_v", 0x4230, "<H", 2, 0.001),
    ("cycles", 0x4250, "<H", 1, 1),
    ("charge_forbidden", 0x4280, "<B", 0, 1 / 0xAA),
    ("discharge_forbidden", 0x4280, "<B", 1, 1 / 0xAA),
)
TABLES = {"sma-sunny-island": SMA, "solax-hv": SOLAX, "other-pylon-hv": PYLON_HV}
# SMA's alarms: byte of the pair and its lower bit; warnings stand four bytes behind.
PAIRS = {
    "general": (0, 0), "high_voltage": (0, 2), "low_voltage": (0, 4), "high_temperature": (0, 6),
    "low_temperature": (1, 0), "high_temperature_charge": (1, 2), "low_temperature_charge": (1, 4),
    "high_discharge_current": (1, 6), "high_charge_current": (2, 0), "contactor": (2, 2),
    "short_circuit": (2, 4), "bms_internal": (2, 6), "cell_imbalance": (3, 0),
}  # fmt: skip


@cache
def loaded(name: str) -> tuple[Profile, Dialect]:
    profile = profiles.load(name)
    return profile, dialects.of_profile(profile)


def by_hand(table: Table, frames: tuple[CanFrame, ...]) -> dict[str, float]:
    data = {frame.can_id: frame.data for frame in frames}
    found: dict[str, float] = {}
    for name, can_id, form, offset, scale in table:
        if can_id in data:
            factor, zero = scale if isinstance(scale, tuple) else (scale, 0.0)
            found[name] = round(struct.unpack_from(form, data[can_id], offset)[0] * factor + zero, 6)
    return found


@pytest.mark.parametrize("name", sorted(TABLES))
@settings(max_examples=50, deadline=None)
@given(given_decision=decisions(500.0))
def test_what_is_sent_reads_the_same_by_hand(name: str, given_decision: Decision) -> None:
    sink = CanSink("house", *loaded(name))
    frames = conversation(sink, given_decision)
    ours: dict[str, Any] = {}
    for frame in frames:
        ours |= sink.dialect.decode(frame)
    theirs = by_hand(TABLES[name], frames)
    assert theirs.keys() == {one[0] for one in TABLES[name]}
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs)
    assert theirs["charge_current_limit_a"] <= given_decision.charge_current_limit_a + DUST
    assert theirs["discharge_current_limit_a"] <= given_decision.discharge_current_limit_a + DUST


@settings(max_examples=50, deadline=None)
@given(given_decision=decisions(50.0))
def test_the_alarms_of_sma_read_the_same_by_hand(given_decision: Decision) -> None:
    sink = CanSink("house", *loaded("sma-sunny-island"))
    frame = next(one for one in conversation(sink, given_decision) if one.can_id == 0x35A)
    ours = sink.dialect.decode(frame)
    for half, prefix in ((0, "alarm_"), (4, "warn_")):
        for name, (byte, bit) in PAIRS.items():
            pair = frame.data[half + byte] >> bit & 3
            assert ours.get(prefix + name) == {1: True, 2: False}.get(pair), name
