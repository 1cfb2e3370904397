"""The highest temperature is not above the lowest, which LuxPower wants."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Equal extremes, in the dialect where that matters."""
    high = view.series("temperature_max_c")
    if view.case.tongue.name != "luxpower" or high is None:
        return
    low_c = view.latest("temperature_min_c", high.frames)
    yield from where(
        "temperature_max_c",
        high.frames,
        high.values == low_c,
        "highest and lowest temperature are both {:g} degC",
        low_c,
    )


RULE = Rule(
    severity=Severity.WARNING,
    finds="equal highest and lowest temperatures (LuxPower)",
    why={"": "LuxPower wants the highest at least 0.1 degC above the lowest."},
    do="Add 0.1 degC to the highest.",
    look=look,
)
