"""One fault for each rule of lint, planted into a genuine stream of the profile that it is about.

A mutation takes the frames of a conversation and gives the lines of a candump log. Without it the same
stream is silent, so each rule has a capture that triggers it and one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bridge.model import CanFrame
from tests.dump.streams import Stream, candump_text

Payload = Callable[[bytes], bytes]
ALWAYS = (0.0, 1e9)


@dataclass(frozen=True, slots=True)
class Mutation:
    """profile: whose stream it changes. change: the frames. lines: the text after that."""

    profile: str
    change: Callable[[Stream], Stream] = list
    lines: Callable[[list[str]], list[str]] = list
    seconds: float = 30.0

    def log(self, stream: Stream) -> str:
        begun = [(time_s, frame) for time_s, frame in stream if time_s <= self.seconds]
        return "\n".join(self.lines(candump_text(self.change(begun)).splitlines())) + "\n"


def edited(can_id: int, edit: Payload, when: tuple[float, float] = ALWAYS) -> Callable[[Stream], Stream]:
    """The data of an identifier changed, in a part of the time."""

    def change(stream: Stream) -> Stream:
        return [
            (time_s, replace(frame, data=edit(frame.data)))
            if frame.can_id == can_id and when[0] <= time_s <= when[1]
            else (time_s, frame)
            for time_s, frame in stream
        ]

    return change


def word(at: int, value: int) -> Payload:
    """Two bytes, little endian, put to a value."""

    def edit(data: bytes) -> bytes:
        changed = bytearray(data.ljust(at + 2, b"\0"))
        changed[at : at + 2] = (value & 0xFFFF).to_bytes(2, "little")
        return bytes(changed)

    return edit


def bits(at: int, set_: int, keep: int = 0xFF) -> Payload:
    """Bits of a byte set, or cleared."""
    return lambda data: data[:at] + bytes([data[at] & keep | set_]) + data[at + 1 :]


def all_of(*edits: Payload) -> Payload:
    def edit(data: bytes) -> bytes:
        for one in edits:
            data = one(data)
        return data

    return edit


def both(*changes: Callable[[Stream], Stream]) -> Callable[[Stream], Stream]:
    def change(stream: Stream) -> Stream:
        for one in changes:
            stream = one(stream)
        return stream

    return change


def without(*can_ids: int, when: tuple[float, float] = ALWAYS) -> Callable[[Stream], Stream]:
    def change(stream: Stream) -> Stream:
        return [
            (time_s, frame)
            for time_s, frame in stream
            if frame.can_id not in can_ids or not when[0] <= time_s <= when[1]
        ]

    return change


def silence(begin_s: float, end_s: float) -> Callable[[Stream], Stream]:
    return lambda stream: [one for one in stream if not begin_s < one[0] < end_s]


def sorted_by_time(stream: Stream) -> Stream:
    return sorted(stream, key=lambda one: one[0])


def ten_times_faster(stream: Stream) -> Stream:
    return [(time_s / 10, frame) for time_s, frame in stream]


def burst(stream: Stream) -> Stream:
    """Five cycles that were held back, at once."""
    return sorted_by_time(
        [(15.0 + time_s / 1000 if 10 < time_s < 15 else time_s, frame) for time_s, frame in stream]
    )


def second_sender(can_id: int, data: bytes) -> Callable[[Stream], Stream]:
    def change(stream: Stream) -> Stream:
        more = [(time_s + 0.5, CanFrame(can_id, data)) for time_s, frame in stream if frame.can_id == can_id]
        return sorted_by_time(stream + more)

    return change


def steady(can_id: int, from_s: float) -> Callable[[Stream], Stream]:
    """The payload of an identifier as it was at a moment, for ever."""

    def change(stream: Stream) -> Stream:
        data = next(frame.data for time_s, frame in stream if frame.can_id == can_id and time_s >= from_s)
        return edited(can_id, lambda _: data, (from_s, 1e9))(stream)

    return change


def swapped(at: int) -> Payload:
    return lambda data: data[:at] + data[at : at + 2][::-1] + data[at + 2 :]


def extended(can_id: int) -> Callable[[Stream], Stream]:
    return lambda stream: [
        (time_s, replace(frame, extended=True) if frame.can_id == can_id else frame)
        for time_s, frame in stream
    ]


def foreign(stream: Stream) -> Stream:
    more = [(time_s + 0.4, CanFrame(0x6AB, b"\1\2")) for time_s, frame in stream if frame.can_id == 0x356]
    return sorted_by_time(stream + more)


def every_other(can_id: int) -> Callable[[Stream], Stream]:
    def change(stream: Stream) -> Stream:
        kept = []
        number = 0
        for time_s, frame in stream:
            number += frame.can_id == can_id
            if frame.can_id != can_id or number % 2:
                kept.append((time_s, frame))
        return kept

    return change


def backwards_soc(stream: Stream) -> Stream:
    """SoC that falls by 1 % every 20 s while 30 A flow in."""

    def changed(time_s: float, frame: CanFrame) -> CanFrame:
        if frame.can_id == 0x355:
            return replace(frame, data=word(0, int(60 - time_s // 20))(frame.data))
        if frame.can_id == 0x356:
            return replace(frame, data=word(2, 300 + int(time_s) % 3)(frame.data))
        return frame

    return [(time_s, changed(time_s, frame)) for time_s, frame in stream]


def at_once(stream: Stream) -> Stream:
    """Each cycle without pauses."""
    return [(time_s // 1.4 * 1.4 + time_s % 0.01, frame) for time_s, frame in stream]


def tenth(data: bytes) -> bytes:
    """The voltage in 0.1 V."""
    return word(0, int.from_bytes(data[:2], "little") // 10)(data)


def error_frames(lines: list[str]) -> list[str]:
    return [*lines[:20], "(1700000004.500000) can0 20000040#0000000000000000", *lines[20:]]


def remote_frame(lines: list[str]) -> list[str]:
    return [*lines[:20], "(1700000004.500000) can0 351#R8", *lines[20:]]


def set_back(lines: list[str]) -> list[str]:
    """The clock is set back by 5 s in the middle."""
    half = len(lines) // 2

    def earlier(line: str) -> str:
        time_s, rest = line[1:].split(") ", 1)
        return f"({float(time_s) - 5:.6f}) {rest}"

    return [*lines[:half], *map(earlier, lines[half:])]


PROTECTION_OV, PROTECTION_OT = bits(0, 0x02), bits(0, 0x08)
NEGATIVE, HUGE = word(4, -1500), word(4, 32767)

MUTATIONS: Mapping[str, Mutation] = {
    "alarm-against-value": Mutation("deye-lv", edited(0x359, PROTECTION_OT)),
    "alarm-not-cleared": Mutation(
        "sma-sunny-island",
        both(edited(0x35A, bits(0, 0x10, 0xCF), (5, 10.4)), edited(0x35A, bits(0, 0, 0xCF), (10.5, 1e9))),
    ),
    "alarm-without-effect": Mutation("deye-lv", edited(0x359, PROTECTION_OV)),
    "answer-by-battery": Mutation("deye-lv", edited(0x305, bits(0, 0x21))),
    "backwards": Mutation("deye-lv", lines=set_back),
    "below-dvl": Mutation("deye-lv", edited(0x351, word(6, 530))),
    "bursts": Mutation("deye-lv", burst),
    "byte-order": Mutation("deye-lv", edited(0x351, swapped(0))),
    "capacity": Mutation("growatt-lv", edited(0x314, lambda data: bytes([0, 100]) + data[2:])),
    "cells-assumed": Mutation("imeon", edited(0x351, word(0, 560))),
    "contactor": Mutation("solax-hv", edited(0x1875, bits(4, 0, 0))),
    "current-beyond-limit": Mutation(
        "deye-lv", both(edited(0x356, word(2, -1900)), edited(0x351, word(4, 500)))
    ),
    "cvl-against-cells": Mutation("victron-gx", edited(0x351, word(0, 616))),
    "cvl-below-voltage": Mutation("deye-lv", edited(0x351, word(0, 480))),
    "cvl-zero": Mutation("deye-lv", edited(0x351, word(0, 1))),
    "enable-against-limit": Mutation("deye-lv", edited(0x35C, bits(0, 0, 0x7F))),
    "error-frames": Mutation("deye-lv", lines=error_frames),
    "extremes-swapped": Mutation("victron-gx", edited(0x373, lambda data: data[2:4] + b"\0\1" + data[4:])),
    "force-charge": Mutation("deye-lv", edited(0x35C, bits(0, 0x10))),
    "foreign-ids": Mutation("deye-lv", foreign),
    "frozen": Mutation("deye-lv", steady(0x356, 20.0), seconds=120.0),
    "gap": Mutation("deye-lv", silence(10.5, 13.6)),
    "gap-fault": Mutation("victron-gx", silence(10.5, 14.8)),
    "huge-limit": Mutation("deye-lv", edited(0x351, HUGE)),
    "impossible-value": Mutation("deye-lv", edited(0x356, word(2, 32000))),
    "length": Mutation("deye-lv", edited(0x356, lambda data: data[:1])),
    "limit-jump": Mutation("deye-lv", edited(0x351, word(2, 10), (100, 105)), seconds=120.0),
    "limits-crossed": Mutation("deye-lv", edited(0x351, word(6, 560))),
    "missing-frames": Mutation("deye-lv", without(0x355)),
    "module-count": Mutation("deye-lv", edited(0x359, bits(4, 0, 0))),
    "name": Mutation("deye-lv", edited(0x35E, lambda _: b"DIYPYLON")),
    "name-changes": Mutation("victron-gx", edited(0x35E, lambda _: b"SOMEBODY", (10, 1e9))),
    "negative-limit": Mutation("deye-lv", edited(0x351, NEGATIVE)),
    "no-answer": Mutation("deye-lv", without(0x305, when=(30, 1e9)), seconds=120.0),
    "out-of-range": Mutation("sma-sunny-island", edited(0x351, word(6, 400))),
    "period": Mutation("deye-lv", ten_times_faster, seconds=60.0),
    "remote-frames": Mutation("deye-lv", lines=remote_frame),
    "soc-against-current": Mutation("deye-lv", backwards_soc, seconds=120.0),
    "soc-ends": Mutation("deye-lv", edited(0x355, word(0, 0))),
    "soc-hires": Mutation("victron-gx", edited(0x355, word(4, 9000))),
    "soc-range": Mutation("deye-lv", edited(0x355, word(0, 101))),
    "soc-step": Mutation("deye-lv", edited(0x355, word(0, 44), (10, 1e9))),
    "soh-range": Mutation("deye-lv", edited(0x355, word(2, 0))),
    "spacing": Mutation("goodwe-lv", at_once),
    "stray-alarm-bits": Mutation("deye-lv", edited(0x359, bits(1, 0x80))),
    "stray-bits": Mutation("deye-lv", edited(0x35C, bits(0, 0x01))),
    "temperature-sentinel": Mutation("deye-lv", edited(0x356, word(4, -500))),
    "temperature-spread": Mutation("luxpower", edited(0x356, lambda data: data[:4] + data[4:6] * 2)),
    "torn-cycle": Mutation("deye-lv", every_other(0x356), seconds=60.0),
    "two-senders": Mutation("deye-lv", second_sender(0x351, bytes.fromhex("3002C8002C01CC01"))),
    "unanswered-polls": Mutation("solax-hv", without(*range(0x1872, 0x1879), when=(10, 1e9))),
    "voltage-scale": Mutation("deye-lv", edited(0x356, tenth)),
    "wrong-format": Mutation("victron-gx", extended(0x35A)),
    "zero-current-ignored": Mutation("sofar-lv", edited(0x351, word(2, 0))),
    "zeros": Mutation("deye-lv", edited(0x356, lambda data: bytes(len(data)), (0, 5))),
}  # fmt: skip
"""By the rule that has to find it."""
