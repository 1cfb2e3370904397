"""An alarm is raised that the measured values do not bear out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.block import Floats, Mask
from bridge.dump.rule import Hits, Memory, Rule, Severity, lasting, where
from bridge.dump.view import Series, View
from bridge.model import Alarm
from bridge.sinks.layout import Kind

HIGH_V = {Alarm.CELL_OVERVOLTAGE, Alarm.PACK_OVERVOLTAGE}
LOW_V = {Alarm.CELL_UNDERVOLTAGE, Alarm.PACK_UNDERVOLTAGE}
HOT = {Alarm.CHARGE_OVERTEMPERATURE, Alarm.DISCHARGE_OVERTEMPERATURE}
COLD = {Alarm.CHARGE_UNDERTEMPERATURE, Alarm.DISCHARGE_UNDERTEMPERATURE}


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Voltage alarms against voltage, temperature alarms against temperature."""
    for series in view.signals(Kind.ALARM):
        raised = series.values == 1
        if not raised.any():
            continue
        meant = series.signal.protections | series.signal.warnings
        if (said := _denied(view, series, meant)) is None:
            continue
        denied, values, unit = said
        yield from where(
            series.signal.name,
            series.frames,
            lasting(raised & denied, memory, series.signal.name),
            "{0} is raised, at {1:g} {2}",
            series.signal.name,
            values,
            unit,
        )


def _denied(view: View, series: Series, meant: frozenset[Alarm]) -> tuple[Mask, Floats, str] | None:
    """Where the values say the contrary, the values and their unit; None for other alarms."""
    if meant & (HIGH_V | LOW_V):
        voltage_v = view.latest("voltage_v", series.frames)
        limit_v = view.latest("charge_voltage_limit_v", series.frames)
        known = limit_v > 1
        ratio = np.divide(voltage_v, limit_v, out=np.full(len(limit_v), np.nan), where=known)
        found = ratio < 0.86 if meant & HIGH_V else ratio > 0.97
        return found, voltage_v, "V"
    if meant & (HOT | COLD):
        mean_c = view.latest("temperature_c", series.frames)
        high_c = np.fmax(mean_c, view.latest("temperature_max_c", series.frames))
        low_c = np.fmin(mean_c, view.latest("temperature_min_c", series.frames))
        found = high_c < 30 if meant & HOT else low_c > 20
        return found, np.where(np.isnan(mean_c), high_c, mean_c), "degC"
    return None


RULE = Rule(
    severity=Severity.WARNING,
    finds="a voltage or temperature alarm while voltage or temperature are far from it",
    why={"": "The inverter stops for an alarm that is none: a bit at the wrong place, or a limit set wrong."},
    do="Look which bit it is; if it is the right one, look at the single cells and sensors.",
    look=look,
)
