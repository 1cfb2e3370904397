"""Named derating curves that a pack may choose instead of its chemistry's own, each with its source.

A preset is a set: what one source says of one cell or pack. What it does not say stays as it was. The
hard stops of the pack hold over every curve, so a source that is more generous changes nothing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.model import Chemistry, Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSet:
    """Curves by their names in `Curves`. chemistries: the cells that they are for; source: who says so."""

    source: str
    chemistries: frozenset[Chemistry]
    curves: Mapping[str, Curve]


LFP_ONLY: Final = frozenset({Chemistry.LFP})

CURVE_SETS: Mapping[str, CurveSet] = {
    "eve-lf280k": CurveSet(
        source="EVE LF280K, as in Sleeper85/esphome-yambms, Auto_temp-based_current.md",
        chemistries=LFP_ONLY,
        curves={
            "charge_by_temperature_c": (
                (0.0, 0.0), (0.0, 0.05), (5.0, 0.12), (10.0, 0.30), (20.0, 0.50), (55.0, 0.50), (60.0, 0.0),
            ),
            # The source has 0.5 C at -20 degC, more than at -10: that point is left out.
            "discharge_by_temperature_c": (
                (-30.0, 0.0), (-10.0, 0.30), (-5.0, 0.50), (55.0, 0.50), (60.0, 0.0),
            ),
        },
    ),
    "alpha-apl48-50": CurveSet(
        source="Alpha APL48-50LFP rack, operation manual, tables 4.3 (standard) and 4.4 (continuous)",
        chemistries=LFP_ONLY,
        curves={
            "charge_by_temperature_c": (
                (0.0, 0.0), (0.0, 0.10), (10.0, 0.10), (10.0, 0.20), (25.0, 0.20), (25.0, 0.50), (50.0, 0.50),
                (50.0, 0.10), (60.0, 0.10), (60.0, 0.0),
            ),
            "discharge_by_temperature_c": (
                (-20.0, 0.0), (-20.0, 0.50), (0.0, 0.50), (0.0, 1.0), (60.0, 1.0), (60.0, 0.0),
            ),
        },
    ),
    "early-cell-taper": CurveSet(
        source="the steps that Louisvdw/dbus-serialbattery ships for a pack of 60 A: 2, 30 and 60 A",
        chemistries=LFP_ONLY,
        curves={"charge_by_cell_v": ((3.30, 1.0), (3.45, 0.5), (3.50, 0.03), (3.55, 0.0))},
    ),
    "gentle-ends": CurveSet(
        source="an engineering choice, for packs whose SoC can be trusted",
        chemistries=frozenset(Chemistry),
        curves={
            "charge_by_soc_pct": ((85.0, 1.0), (90.0, 0.4), (95.0, 0.2), (98.0, 0.1)),
            "discharge_by_soc_pct": ((5.0, 0.1), (10.0, 0.2), (15.0, 0.4), (20.0, 1.0)),
        },
    ),
}  # fmt: skip
