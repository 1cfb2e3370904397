"""A state of charge beyond 0 to 100 %."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """All that say the SoC."""
    for name in ("soc_pct", "soc_hires_pct"):
        for series in view.all_series(name):
            yield from where(
                name,
                series.frames,
                (series.values < 0) | (series.values > 100),
                "{0} is {1:g} %",
                series.signal.name,
                series.values,
            )


RULE = Rule(
    severity=Severity.ERROR,
    finds="SoC above 100 % or below 0",
    why={"": "Inverters drop the frame or report a battery fault; some take it for full and never charge."},
    do="Clamp it to 0 to 100; look at scale and byte order.",
    look=look,
)
