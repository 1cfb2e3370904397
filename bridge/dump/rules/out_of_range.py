"""A value is outside of what this inverter accepts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Each quantity for which the profile has a range; zeros have a rule of their own."""
    profile = view.case.profile
    for name, allowed in (profile.ranges if profile else {}).items():
        series = view.series(name)
        if series is None or (allowed.min is not None and allowed.min <= 0.1 and allowed.max is None):
            continue
        low = -np.inf if allowed.min is None else allowed.min
        high = np.inf if allowed.max is None else allowed.max
        step = 1e-6
        yield from where(
            name,
            series.frames,
            (series.values < low - step) | (series.values > high + step),
            "{0} is {1:g}; the inverter takes {2:g} to {3:g}",
            series.signal.name,
            series.values,
            low,
            high,
        )


RULE = Rule(
    severity=Severity.ERROR,
    finds="a value outside of what this inverter accepts",
    why={
        "": "The inverter drops the value, or the frame, without a word.",
        "sma-si": "A Sunny Island drops values outside CVL 41 to 63 V, DVL 41 to 48 V, 0 to 1200 A.",
    },
    do="Clamp it.",
    look=look,
)
