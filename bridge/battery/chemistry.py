"""What is different between LFP, NMC and LTO, as one table each; nothing else knows a chemistry's name.

All voltages are of one cell. Sources of the figures: full-charge lines and temperature tables as in
Sleeper85/esphome-yambms (LFP, NMC) and Dr-Gigavolt's LTO notes; protection thresholds as makers ship
them; charge targets below the makers' maxima, because the last millivolts cost life and give no charge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.battery.curves import (
    CHARGE_C_RATE,
    DISCHARGE_C_RATE,
    DISCHARGE_TAPER,
    LTO_CHARGE_C_RATE,
    LTO_DISCHARGE_C_RATE,
    LTO_DISCHARGE_TAPER,
    NMC_CHARGE_C_RATE,
    NMC_DISCHARGE_TAPER,
)
from bridge.model import Chemistry, Curve, PackSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One chemistry. charge_v: what charging aims at (v_abs); float_v: rest after it; rebulk_v: below
    it, charge again; max_v: no charging from here; min_v: no discharging from here; full_rest_v and
    full_rise_v: the line above which a cell is full, at no current and so much higher at 0.05 C;
    floor_v: the charge voltage is never lowered below; flat_v: between these nothing can go wrong
    unseen for a while; spread_float_v: cells this close are balanced; spread_again_v: so far apart,
    balance again. Curves: see `curves`. ocv_known_soc: between these the rest voltage tells the SoC;
    None where the curve is too flat. range_v: what a setting may be; far_v: below and above these a cell
    is in danger whatever its BMS says. charge_c, discharge_c: no current at or outside these cell
    temperatures, if the settings say nothing else; plating_c: no setting and no curve may charge at or
    below it.
    """

    charge_v: float
    float_v: float
    rebulk_v: float
    max_v: float
    min_v: float
    taper_above_v: float
    full_rest_v: float
    full_rise_v: float
    floor_v: float
    flat_v: tuple[float, float]
    spread_float_v: float
    spread_again_v: float
    charge_c_rate: Curve
    discharge_c_rate: Curve
    discharge_taper: Curve
    ocv_known_soc: tuple[float, float] | None
    range_v: tuple[float, float]
    far_v: tuple[float, float]
    charge_c: tuple[float, float]
    discharge_c: tuple[float, float]
    plating_c: float


PRESETS: Mapping[Chemistry, Preset] = {
    Chemistry.LFP: Preset(
        charge_v=3.45,
        float_v=3.375,
        rebulk_v=3.30,
        max_v=3.55,
        min_v=2.80,
        taper_above_v=0.02,
        full_rest_v=3.37,
        full_rise_v=0.28,
        floor_v=3.30,
        flat_v=(3.20, 3.375),
        spread_float_v=0.020,
        spread_again_v=0.080,
        charge_c_rate=CHARGE_C_RATE,
        discharge_c_rate=DISCHARGE_C_RATE,
        discharge_taper=DISCHARGE_TAPER,
        ocv_known_soc=None,
        range_v=(2.00, 3.65),
        far_v=(1.80, 3.80),
        charge_c=(0.0, 55.0),
        discharge_c=(-20.0, 60.0),
        plating_c=0.0,
    ),
    Chemistry.NMC: Preset(
        charge_v=4.10,
        float_v=4.00,
        rebulk_v=3.90,
        max_v=4.17,
        min_v=3.10,
        taper_above_v=0.02,
        full_rest_v=3.90,
        full_rise_v=0.30,
        floor_v=3.80,
        flat_v=(3.50, 4.00),
        spread_float_v=0.015,
        spread_again_v=0.040,
        charge_c_rate=NMC_CHARGE_C_RATE,
        discharge_c_rate=DISCHARGE_C_RATE,
        discharge_taper=NMC_DISCHARGE_TAPER,
        ocv_known_soc=(0.10, 0.90),
        range_v=(2.50, 4.25),
        far_v=(2.30, 4.30),
        charge_c=(0.0, 55.0),
        discharge_c=(-20.0, 60.0),
        plating_c=0.0,
    ),
    Chemistry.LTO: Preset(
        charge_v=2.60,
        float_v=2.45,
        rebulk_v=2.35,
        max_v=2.70,
        min_v=1.85,
        taper_above_v=0.03,
        full_rest_v=2.55,
        full_rise_v=0.30,
        floor_v=2.30,
        flat_v=(2.10, 2.50),
        spread_float_v=0.015,
        spread_again_v=0.060,
        charge_c_rate=LTO_CHARGE_C_RATE,
        discharge_c_rate=LTO_DISCHARGE_C_RATE,
        discharge_taper=LTO_DISCHARGE_TAPER,
        ocv_known_soc=(0.10, 0.90),
        range_v=(1.50, 2.85),
        far_v=(1.30, 2.95),
        charge_c=(-10.0, 55.0),
        discharge_c=(-20.0, 60.0),
        plating_c=-30.0,
    ),
}


def defaults(chemistry: Chemistry) -> dict[str, float]:
    """The settings of a pack that follow from its chemistry alone, by their names in `PackSettings`."""
    own = PRESETS[chemistry]
    return {
        "cell_charge_v": own.charge_v,
        "cell_max_v": own.max_v,
        "cell_min_v": own.min_v,
        "temperature_min_charge_c": own.charge_c[0],
        "temperature_max_charge_c": own.charge_c[1],
        "temperature_min_discharge_c": own.discharge_c[0],
        "temperature_max_discharge_c": own.discharge_c[1],
    }


def preset(settings: PackSettings) -> Preset:
    """The preset of a pack's chemistry."""
    return PRESETS[settings.chemistry]
