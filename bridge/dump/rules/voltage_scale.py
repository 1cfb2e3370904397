"""The pack's voltage is ten times off against the charge voltage limit: another dialect's scale."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

FACTORS = (10.0, 0.1)
NEAR = (0.7, 1.15)


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Voltage against CVL, as it is and times or by ten."""
    voltage = view.series("voltage_v")
    if voltage is None:
        return
    limit_v = view.latest("charge_voltage_limit_v", voltage.frames)
    known = (limit_v > 1) & (voltage.values > 0)
    ratio = np.divide(voltage.values, limit_v, out=np.full(len(limit_v), np.nan), where=known)
    for factor in FACTORS:
        found = (ratio * factor > NEAR[0]) & (ratio * factor < NEAR[1])
        yield from where(
            "voltage_v",
            voltage.frames,
            found,
            "{0:g} V under a charge voltage limit of {1:g} V; read as {2:g} V it would fit",
            voltage.values,
            limit_v,
            voltage.values * factor,
        )


RULE = Rule(
    severity=Severity.ERROR,
    finds="a voltage that fits its limit only if it is multiplied or divided by ten",
    why={
        "": "The inverter sees a battery of 5 V or 500 V and reports under- or over-voltage.",
        "sol-ark": "Sol-Ark's document prints 0.1 V, Pylontech packs send 0.01 V: see sol-ark-tenths.",
        "pylontech-lv": "Pylontech has 0.01 V; Discover and Sol-Ark's document have 0.1 V.",
    },
    do="Set the sender's scale, or read the dump with the dialect that the battery really speaks.",
    look=look,
)
