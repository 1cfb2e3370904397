"""The highest of something is below the lowest."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

PAIRS = (
    ("cell_max_v", "cell_min_v"),
    ("temperature_max_c", "temperature_min_c"),
    ("temperature_max_k", "temperature_min_k"),
)


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Extremes of one frame."""
    for high, low in PAIRS:
        for series in view.all_series(high):
            beside = next((one for one in view.all_series(low) if one.frames is series.frames), None)
            if beside is None:
                continue
            yield from where(
                high,
                series.frames,
                series.values < beside.values,
                "{0} {1:g} is below {2} {3:g}",
                series.signal.name,
                series.values,
                beside.signal.name,
                beside.values,
            )


RULE = Rule(
    severity=Severity.WARNING,
    finds="a highest cell or temperature that is below the lowest",
    why={"": "Charge control by the highest cell then follows the lowest one."},
    do="Swap them: Victron's 373 begins with the lowest, SEPLOS' 370 with the highest.",
    look=look,
)
