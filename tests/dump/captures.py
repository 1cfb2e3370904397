"""The real captures of tests/vectors, each with all of its frames, under our dialects' names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bridge.dump.block import Block, block_of
from bridge.model import CanFrame

VECTORS = Path(__file__).parents[1] / "vectors"
FILES = ("pylontech_can", "can_dialects", "can_polls", "can_dumps")
OURS = {"pylon-lv-1.2": "pylontech-lv"}
SPLIT = "growatt-hv-startup-and-first-reply"  # its inverter's and its battery's frames stand in two files
FAULTY = {
    "pylon-lv-emulator-negative-dcl": ["negative-limit"],
    "pylon-lv-emulator-jk-sample": ["answer-by-battery"],
}
"""Emulators, and what is wrong with them."""


@cache
def captures() -> Mapping[str, tuple[str, Block]]:
    """The dialect and the frames of each capture, by its name."""
    found: dict[str, dict[str, Any]] = {}
    for file in FILES:
        for one in json.loads((VECTORS / f"{file}.json").read_text("utf-8")):
            if one["name"] == SPLIT and SPLIT in found:
                battery = [frame for frame in found[SPLIT]["frames"] if frame["id"] == 0x3110]
                found[SPLIT] = {**one, "frames": [*one["frames"], *battery]}
            elif one["kind"] != "synthetic":
                found.setdefault(one["name"], one)
    return {
        name: (OURS.get(one["dialect"], one["dialect"]), block_of(map(_frame, one["frames"]), source=name))
        for name, one in found.items()
    }


def _frame(written: dict[str, Any]) -> tuple[float, CanFrame]:
    frame = CanFrame(written["id"], bytes.fromhex(written["data"]), written.get("ext", False))
    return written.get("t", float("nan")), frame
