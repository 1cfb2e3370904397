"""Voltage, or limit and SoC, are sent as 0 before there is anything to say."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """A voltage of 0, and frames of limits that are all zero."""
    voltage = view.series("voltage_v")
    if voltage is not None:
        yield from where(
            "voltage_v",
            voltage.frames,
            voltage.values == 0,
            "a battery of 0 V{}",
            _when(memory),
        )
        if (voltage.values > 0).any():
            memory["real"] = 1.0
    limit = view.series("charge_voltage_limit_v")
    if limit is not None:
        yield from where(
            "limits",
            limit.frames,
            (limit.frames.data == 0).all(axis=1),
            "limits of nothing but zeros{}",
            _when(memory),
        )


def _when(memory: Memory) -> str:
    return "" if memory.get("real") else " at the start, before there is data"


RULE = Rule(
    severity=Severity.ERROR,
    finds="0 V, or limits of nothing but zeros, mostly at the start",
    why={
        "": "Zeros are read as an empty battery: low-battery alarm, or the inverter switches off.",
        "victron": "Zeros before there is data raise a low-battery alarm; a CVL of 0 empties the battery.",
    },
    do="Send nothing until voltage, SoC and limits are known.",
    look=look,
)
