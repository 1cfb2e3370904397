"""The charge voltage limit is one that cells of no chemistry are charged to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View

HIGHEST_LFP_V, LOWEST_NMC_V, HIGHEST_NMC_V = 3.70, 3.95, 4.25
LOW_VOLTAGE_V = 62.0  # above, nobody can tell the number of cells from the voltage
USUAL_CELLS = 16


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """CVL by the number of cells: said, or worked out of voltage and highest cell, or 16."""
    limit = view.series("charge_voltage_limit_v")
    if limit is None:
        return
    frames, limit_v = limit.frames, limit.values
    said = view.latest("cell_count", frames)
    cell_v = view.latest("cell_max_v", frames)
    voltage_v = view.latest("voltage_v", frames)
    measured = np.divide(voltage_v, cell_v, out=np.full(len(limit_v), np.nan), where=cell_v > 1)
    cells = np.where(cell_v > 1, np.round(measured), np.nan)
    cells = np.where(np.isnan(cells) & (said >= 3) & (said <= 32), said, cells)
    assumed = np.isnan(cells) & (limit_v < LOW_VOLTAGE_V)
    cells = np.where(assumed, np.where(limit_v > 32, USUAL_CELLS, 8), cells)
    each_v = np.divide(limit_v, cells, out=np.full(len(limit_v), np.nan), where=cells > 0)
    between = (each_v > HIGHEST_LFP_V) & (each_v < LOWEST_NMC_V) & (cells <= 32)
    yield from where(
        "charge_voltage_limit_v",
        frames,
        between | (each_v > HIGHEST_NMC_V) & ~assumed | (each_v > HIGHEST_LFP_V) & assumed & (limit_v > 60),
        "CVL {0:g} V is {1:.3f} V for each of {2:.0f} cells",
        limit_v,
        each_v,
        cells,
        weights=each_v,
    )


RULE = Rule(
    severity=Severity.ERROR,
    finds="a CVL of more than 3.70 V a cell that is none of NMC, or of more than 4.25 V",
    why={"": "The inverter charges up to it: only the BMS's over-voltage protection ends that."},
    do="16 LFP cells: at most 58.4 V, better 56.0 V; 15: 54.7 V. Set cells and voltage in the sender.",
    look=look,
)
