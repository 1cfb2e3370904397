"""The battery asks to be charged at once, though it is not empty."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

EMPTY_PCT = 30.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Force-charge bits against SoC."""
    for name in ("force_charge_1", "force_charge_2"):
        series = view.series(name)
        if series is None:
            continue
        soc_pct = view.latest("soc_pct", series.frames)
        yield from where(
            name,
            series.frames,
            (series.values > 0.5) & (soc_pct > EMPTY_PCT),
            "{0} at SoC {1:g} %",
            name,
            soc_pct,
        )


RULE = Rule(
    severity=Severity.WARNING,
    finds="a request for forced charging above 30 % SoC",
    why={
        "": "The inverter charges from the grid.",
        "deye-lv": "A Deye shows Request Force Charge and charges from the grid up to CVL.",
    },
    do="Set the bit when the battery is nearly empty, with a hysteresis.",
    look=look,
)
