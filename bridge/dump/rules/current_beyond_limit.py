"""The current is above its limit for long: the inverter does not follow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, lasting, where
from bridge.dump.view import View

ABOVE_A, ABOVE = 5.0, 1.15
CYCLES = 15  # inverters take some seconds


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Measured current against the limit of its direction."""
    current = view.series("current_a")
    if current is None:
        return
    charging = current.values > 0
    charge_a = view.latest("charge_current_limit_a", current.frames)
    discharge_a = view.latest("discharge_current_limit_a", current.frames)
    limit_a = np.where(charging, charge_a, discharge_a)
    flows_a = np.abs(current.values)
    found = (flows_a > ABOVE * limit_a + ABOVE_A) & (limit_a >= 0)
    found &= ~np.isnan(current.before)  # of one cycle alone nothing can be said
    yield from where(
        "current_a",
        current.frames,
        lasting(found, memory, "beyond", CYCLES),
        "{0:g} A flow, with a limit of {1:g} A",
        current.values,
        limit_a,
        weights=np.nan_to_num(flows_a - limit_a),
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="a current far above its limit for 15 cycles",
    why={
        "": "The inverter does not get, or does not follow, the limit: another form of zero may be needed.",
        "deye-lv": "With a CVL of next to nothing a Deye goes on with the last current.",
        "sofar-lv": "A Sofar ignores limits of 0.",
    },
    do="Is it the inverter's current at all? Then see which limit this inverter obeys: CCL, CVL or SoC.",
    look=look,
)
