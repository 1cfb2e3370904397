"""Frames of genuine batteries and of the inverters that ask them: read, and made again to the byte."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bridge import profiles
from bridge.model import CanFrame
from bridge.profiles import Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.dialect import Dialect, Kind
from bridge.sinks.plan import plans_of
from tests.sinks.helpers import frames_of

FOLDER = Path(__file__).parents[1] / "vectors"
CAPTURES: list[dict[str, Any]] = json.loads((FOLDER / "can_dialects.json").read_text("utf-8"))
GENUINE = [
    one
    for one in CAPTURES
    if one["dialect"] in {path.stem for path in (profiles.folders()[-1] / "dialects").glob("*.dbc")}
]

# What genuine packs say in bytes that no document or project explains, or that we leave out on purpose.
UNEXPLAINED = {("victron-rec-q-24v-250k", 0x35A)}  # sets a reserved pair


@cache
def used(dialect: str, pad_to: int = 0) -> tuple[Profile, Dialect]:
    """A profile of that dialect that changes nothing, and the dialect."""
    found = (profiles.load(name) for name in profiles.can())
    profile = next(one for one in found if one.dialect == dialect)
    plain = profile.model_copy(update={"pad_to": pad_to, "ranges": {}, "steps": {}, "id_offset": 0})
    return plain, dialects.load(profiles.dialect_path(profile))


def made_again(dialect: str, frame: CanFrame) -> bytes:
    """The frame, read and then encoded from what was read."""
    profile, layout = used(dialect, 8 if len(frame.data) == 8 else 0)
    message = layout.messages[frame.can_id, frame.extended]
    little, big = int.from_bytes(frame.data, "little"), int.from_bytes(frame.data.ljust(8, b"\0"), "big")
    values: dict[str, Any] = dict(layout.decode(frame))
    fixed: dict[str, Any] = {}
    for one in message.signals:
        if one.kind in {Kind.CONSTANT, Kind.TEXT, Kind.ALARM}:
            fixed[one.name] = (little if one.little_endian else big) >> one.shift & one.mask
        values.setdefault(one.name, None if one.not_available is not None else 0.0)
    (plan,) = plans_of(message, profile, fixed)
    return plan.frame(values, frozenset(), frozenset(), set()).data


def frames() -> list[Any]:
    return [
        pytest.param(one["dialect"], frame, id=f"{one['name']}-{frame.can_id:X}")
        for one in GENUINE
        for frame in frames_of(one)
        if (message := used(one["dialect"])[1].messages.get((frame.can_id, frame.extended))) and message.ours
        if (one["name"], frame.can_id) not in UNEXPLAINED
    ]


@pytest.mark.parametrize(("dialect", "frame"), frames())
def test_a_genuine_frame_comes_out_byte_for_byte(dialect: str, frame: CanFrame) -> None:
    assert made_again(dialect, frame)[: len(frame.data)].hex(" ") == frame.data.hex(" ")
