"""The cells that scenarios are made of: their curves, where a board cuts off, and what charging aims at.

The curves are typical rest curves with steep ends added for over-charge and deep discharge, so that
a protection has something to trip on; they are no data sheets. Targets and cut-offs are the usual
settings of boards and chargers for each chemistry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.sim.cell import LFP, Chemistry, Curve

NMC = Chemistry(
    name="nmc",
    rest_v=Curve(
        (0.0, 2.80), (0.01, 3.10), (0.05, 3.40), (0.10, 3.50), (0.20, 3.58), (0.30, 3.62), (0.40, 3.66),
        (0.50, 3.71), (0.60, 3.79), (0.70, 3.88), (0.80, 3.97), (0.90, 4.06), (0.95, 4.11), (1.0, 4.18),
        (1.02, 4.30),
    ),
    series_ohm_ah=0.10,
    polarisation_ohm_ah=0.07,
    polarisation_tau_s=40.0,
    heat_j_per_k_ah=10.0,
    cooling_tau_s=8400.0,
    coulomb_efficiency=0.998,
    balance_start_v=4.05,
)  # fmt: skip

LTO = Chemistry(
    name="lto",
    rest_v=Curve(
        (0.0, 1.70), (0.02, 2.00), (0.05, 2.10), (0.10, 2.16), (0.20, 2.20), (0.30, 2.22), (0.40, 2.24),
        (0.50, 2.27), (0.60, 2.31), (0.70, 2.35), (0.80, 2.40), (0.90, 2.46), (0.95, 2.51), (1.0, 2.62),
        (1.02, 2.85),
    ),
    series_ohm_ah=0.04,
    polarisation_ohm_ah=0.03,
    polarisation_tau_s=30.0,
    heat_j_per_k_ah=12.0,
    cooling_tau_s=8400.0,
    coulomb_efficiency=0.999,
    balance_start_v=2.55,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A chemistry as a builder uses it, all per cell. charge_v: what charging aims at; full_v: no charging
    from here; empty_v: no discharging from here. ovp, uvp: where its board opens, and closes again.
    *_c_rate: the current that its maker allows over cell temperature, in C; None outside the window.
    """

    chemistry: Chemistry
    charge_v: float
    full_v: float
    empty_v: float
    ovp_v: tuple[float, float]
    uvp_v: tuple[float, float]
    charge_c_rate: tuple[tuple[float, float], ...]
    discharge_c_rate: tuple[tuple[float, float], ...]


DISCHARGE_C_RATE = (
    (-20.0, 0.0), (-10.0, 0.3), (0.0, 0.5), (5.0, 0.7), (10.0, 1.0), (45.0, 1.0), (50.0, 0.7), (55.0, 0.5),
    (60.0, 0.0),
)  # fmt: skip

KINDS: Mapping[str, Kind] = {
    "lfp": Kind(
        chemistry=LFP,
        charge_v=3.45, full_v=3.55, empty_v=2.80, ovp_v=(3.65, 3.42), uvp_v=(2.50, 3.00),
        charge_c_rate=(
            (0.0, 0.0), (0.0, 0.05), (5.0, 0.12), (10.0, 0.20), (15.0, 0.30), (20.0, 0.50), (45.0, 0.50),
            (50.0, 0.25), (55.0, 0.0),
        ),
        discharge_c_rate=DISCHARGE_C_RATE,
    ),
    "nmc": Kind(
        chemistry=NMC,
        charge_v=4.10, full_v=4.17, empty_v=3.10, ovp_v=(4.22, 4.12), uvp_v=(2.80, 3.20),
        charge_c_rate=((0.0, 0.0), (10.0, 0.2), (25.0, 0.5), (45.0, 0.5), (50.0, 0.25), (55.0, 0.0)),
        discharge_c_rate=DISCHARGE_C_RATE,
    ),
    "lto": Kind(
        chemistry=LTO,
        charge_v=2.60, full_v=2.70, empty_v=1.85, ovp_v=(2.82, 2.65), uvp_v=(1.70, 2.00),
        charge_c_rate=((-10.0, 0.0), (-10.0, 0.2), (0.0, 0.5), (10.0, 1.0), (45.0, 1.0), (55.0, 0.0)),
        discharge_c_rate=DISCHARGE_C_RATE,
    ),
}  # fmt: skip
"""Charging over temperature for LFP: the cautious side of Sleeper85/esphome-yambms "Auto temp-based
current" (EVE LF280K), mr-manuel/venus-os_dbus-serialbattery config.default.ini, and the Alpha APL48-50
manual, table 4.3. A judge keeps its own figures: a slip in the gateway's must not excuse itself."""
