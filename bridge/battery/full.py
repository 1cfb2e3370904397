"""What "full" means, said once: a line from rest to charging, which every pack has to be above.

A cell at rest is full from one voltage on; while current flows into it, its resistance adds to what is
measured. The line through two points, at no current and at 0.05 C, works at any current, so no charge
has to end with a tail of a certain size. The points are those of Sleeper85/esphome-yambms; for a target
below the usual one the line is as much lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bridge.battery.chemistry import preset
from bridge.battery.context import Pack
from bridge.battery.facts import Facts

RISE_C_RATE: Final = 0.05  # the current at which the line is `full_rise_v` higher


def pack_full(facts: Facts | None) -> bool:
    """Whether a pack's highest cell is on or above the line; of a pack that gives no cells, their mean.

    What is not measured is not full.
    """
    if facts is None or facts.sample.current_a is None:
        return False
    cell_v = facts.cell_max_v
    if facts.cells_derived and facts.voltage_v is not None:
        cell_v = facts.voltage_v / facts.settings.cells
    if cell_v is None:
        return False
    kind, charge_a = preset(facts.settings), max(0.0, facts.sample.current_a)
    rise_v = kind.full_rise_v * charge_a / (RISE_C_RATE * facts.settings.capacity_ah)
    lower_v = min(0.0, facts.settings.cell_charge_v - kind.charge_v)
    return cell_v - rise_v >= kind.full_rest_v + lower_v


def packs_full(packs: Sequence[Pack]) -> bool:
    """Whether every pack that counts is; a bank in which none counts is not."""
    counting = [pack.facts for pack in packs if pack.counts]
    return bool(counting) and all(map(pack_full, counting))
