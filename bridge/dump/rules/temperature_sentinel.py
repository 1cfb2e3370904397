"""A temperature that says that there is no sensor, or that can't be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import Series, View

NO_SENSOR_C = (-50.0, -150.0)
COLDEST_C, HOTTEST_C = -40.0, 90.0


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """All temperatures in degC."""
    for name in ("temperature_c", "temperature_max_c", "temperature_min_c"):
        for series in view.all_series(name):
            found = (series.values < COLDEST_C) | (series.values > HOTTEST_C)
            yield from where(
                name,
                series.frames,
                found,
                "{} is {:g} degC{}",
                name,
                series.values,
                _remark(series),
            )


def _remark(series: Series) -> Callable[[int], str]:
    return lambda row: ", which packs say without a sensor" if series.values[row] in NO_SENSOR_C else ""


RULE = Rule(
    severity=Severity.WARNING,
    finds="-50 or -150 degC, or another temperature beyond -40 to 90",
    why={"": "The inverter takes it for a frozen battery and does not charge."},
    do="Do not pass such a value on: send the mean of the sensors that work.",
    look=look,
)
