"""A protection is raised while the current that it is against is still allowed."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, lasting, where
from bridge.dump.view import View
from bridge.model import Alarm
from bridge.sinks.layout import Kind

AGAINST = (
    ("charge", frozenset({Alarm.CELL_OVERVOLTAGE, Alarm.PACK_OVERVOLTAGE})),
    ("discharge", frozenset({Alarm.CELL_UNDERVOLTAGE, Alarm.PACK_UNDERVOLTAGE})),
)
NOTHING_A = 0.5


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Protections of voltage against the limit of their direction."""
    for series in view.signals(Kind.ALARM):
        raised = series.values == 1
        if not series.signal.protections or not raised.any():
            continue
        for direction, alarms in AGAINST:
            if not alarms & series.signal.protections:
                continue
            limit_a = view.latest(f"{direction}_current_limit_a", series.frames)
            enabled = view.latest(f"{direction}_enabled", series.frames) != 0
            yield from where(
                series.signal.name,
                series.frames,
                lasting(raised & (limit_a > NOTHING_A) & enabled, memory, series.signal.name),
                "{0} is raised, and {1} is allowed with {2:g} A",
                series.signal.name,
                direction,
                limit_a,
            )


RULE = Rule(
    severity=Severity.WARNING,
    finds="over-voltage while charging is allowed, under-voltage while discharging is",
    why={"": "An inverter that follows limits and not alarms goes on until the BMS cuts off."},
    do="Let the sender set the limit of that direction to 0 with the alarm.",
    look=look,
)
