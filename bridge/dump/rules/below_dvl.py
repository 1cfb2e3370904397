"""The battery is below the voltage down to which it may be discharged, and discharging is allowed."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, lasting, where
from bridge.dump.view import View

BELOW_V = 0.3
NOTHING_A = 0.5
CYCLES = 5


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Voltage against DVL, while DCL is not 0."""
    voltage = view.series("voltage_v")
    if voltage is None:
        return
    low_v = view.latest("discharge_voltage_limit_v", voltage.frames)
    limit_a = view.latest("discharge_current_limit_a", voltage.frames)
    below_v = low_v - voltage.values
    found = (below_v > BELOW_V) & (voltage.values > 0.6 * low_v) & (limit_a > NOTHING_A)
    yield from where(
        "voltage_v",
        voltage.frames,
        lasting(found, memory, "below", CYCLES),
        "{0:g} V, below DVL {1:g} V, with DCL {2:g} A",
        voltage.values,
        low_v,
        limit_a,
        weights=below_v,
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="a voltage below DVL while discharging is allowed",
    why={"": "Victron and others ignore DVL: only DCL 0 ends the discharge before the BMS cuts off."},
    do="Let DCL fall to 0 with the voltage.",
    look=look,
)
