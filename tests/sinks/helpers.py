"""What the sink tests share: captures, decisions, and a reading of the frames that needs no DBC."""

from __future__ import annotations

import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

from bridge import profiles
from bridge.model import Bank, CanFrame, Decision
from bridge.profiles import Answer, Poll, Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.can import CanSink
from bridge.sinks.dialect import Dialect
from bridge.sinks.encoder import Encoder
from bridge.sinks.policy import settle
from bridge.sinks.quantities import filled, values_of

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "can_sinks.json").read_text("utf-8")
)


@cache
def deye() -> Profile:
    return profiles.load("deye-lv")


@cache
def pylontech() -> Dialect:
    return dialects.load(profiles.dialect_path(deye()))


def profile(**changes: object) -> Profile:
    """The Deye profile with some keys changed."""
    return deye().model_copy(update=changes)


def decision(*, time_s: float = 0.0, bank: dict[str, Any] | None = None, **changes: Any) -> Decision:
    """An everyday decision, changed."""
    usual = Bank(
        voltage_v=53.12, current_a=-12.3, soc=0.57, soh=0.99, temperature_c=23.4, pack_count=3, packs_online=3
    )
    everyday = Decision(
        time_s=time_s,
        bank=usual._replace(**(bank or {})),
        charge_voltage_limit_v=56.0,
        discharge_voltage_limit_v=46.0,
        charge_current_limit_a=100.0,
        discharge_current_limit_a=150.0,
        charge_enabled=True,
        discharge_enabled=True,
    )
    return everyday._replace(**changes)


def unguarded(settled: Decision) -> Decision:
    return settled


def encode(given: Decision, used: Profile | None = None) -> tuple[CanFrame, ...]:
    """One cycle, through policies and encoder."""
    used = used or deye()
    final = settle(given, used, unguarded)
    encoder = Encoder(used, pylontech())
    full = filled(values_of(final), encoder.names, used.unknown)
    assert full is not None
    return encoder.encode(full, final.protections, final.warnings)


def poll_frame(poll: Answer) -> CanFrame:
    """A frame as a profile describes it; what it leaves open is 0."""
    digits = poll.data.replace("..", "00") if isinstance(poll, Poll) else ""
    return CanFrame(poll.id, bytes.fromhex(digits).ljust(poll.length, b"\0"), poll.extended)


def conversation(sink: CanSink, given: Decision) -> tuple[CanFrame, ...]:
    """All that an inverter is told of a decision: the cycle, the slow frames, an answer to each poll."""
    now = given.time_s
    asked = {poll_frame(poll): None for poll in sink.profile.polls}
    for frame in (*asked, *(poll_frame(answer) for answer in sink.profile.answers)):
        sink.received(frame, now - 0.1)
    told = [*sink.frames(given, unguarded), *sink.due(now, unguarded)]
    for frame in asked:
        told += sink.received(frame, now, unguarded)
    return tuple(told)


def sent(given: Decision, used: Profile | None = None) -> dict[str, Any]:
    """What a hand-written reader finds in the cycle of a decision."""
    return by_hand(encode(given, used))


# The layout, written down a second time from the table in the vendor's document: name, identifier,
# format and offset for struct, scale.
NUMBERS = (
    ("charge_voltage_limit_v", 0x351, "<H", 0, 0.1),
    ("charge_current_limit_a", 0x351, "<h", 2, 0.1),
    ("discharge_current_limit_a", 0x351, "<h", 4, 0.1),
    ("discharge_voltage_limit_v", 0x351, "<H", 6, 0.1),
    ("soc_pct", 0x355, "<H", 0, 1),
    ("soh_pct", 0x355, "<H", 2, 1),
    ("voltage_v", 0x356, "<h", 0, 0.01),
    ("current_a", 0x356, "<h", 2, 0.1),
    ("temperature_c", 0x356, "<h", 4, 0.1),
    ("module_count", 0x359, "<B", 4, 1),
    ("pn_marker", 0x359, "<H", 5, 1),
)
# name, identifier, byte, bit
BITS = (
    ("protection_overvoltage", 0x359, 0, 1),
    ("protection_undervoltage", 0x359, 0, 2),
    ("protection_overtemperature", 0x359, 0, 3),
    ("protection_undertemperature", 0x359, 0, 4),
    ("protection_discharge_overcurrent", 0x359, 0, 7),
    ("protection_charge_overcurrent", 0x359, 1, 0),
    ("protection_system_error", 0x359, 1, 3),
    ("warning_high_voltage", 0x359, 2, 1),
    ("warning_low_voltage", 0x359, 2, 2),
    ("warning_high_temperature", 0x359, 2, 3),
    ("warning_low_temperature", 0x359, 2, 4),
    ("warning_discharge_high_current", 0x359, 2, 7),
    ("warning_charge_high_current", 0x359, 3, 0),
    ("warning_internal_communication", 0x359, 3, 3),
    ("charge_enabled", 0x35C, 0, 7),
    ("discharge_enabled", 0x35C, 0, 6),
    ("force_charge_1", 0x35C, 0, 5),
    ("force_charge_2", 0x35C, 0, 4),
    ("full_charge_request", 0x35C, 0, 3),
)


def by_hand(frames: tuple[CanFrame, ...]) -> dict[str, Any]:
    data = {frame.can_id: frame.data for frame in frames}
    values: dict[str, Any] = {}
    for name, can_id, form, offset, scale in NUMBERS:
        if can_id in data and len(data[can_id]) >= offset + struct.calcsize(form):
            values[name] = round(struct.unpack_from(form, data[can_id], offset)[0] * scale, 4)
    for name, can_id, byte, bit in BITS:
        if can_id in data:
            values[name] = bool(data[can_id][byte] >> bit & 1)
    if 0x35E in data:
        values["manufacturer_name"] = data[0x35E].decode("ascii")
    return values


def alarm_bits(values: dict[str, Any]) -> list[str]:
    """The names of the alarm bits that are set."""
    return sorted(name for name, can_id, _, _ in BITS if can_id == 0x359 and values.get(name))


def frames_of(vector: dict[str, Any]) -> tuple[CanFrame, ...]:
    return tuple(
        CanFrame(one["id"], bytes.fromhex(one["data"]), one.get("ext", False)) for one in vector["frames"]
    )
