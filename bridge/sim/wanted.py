"""What a scenario asks of its bank: the sum of its `[[demand]]` tables, as one course over time."""

from __future__ import annotations

from bridge.sim.courses import blocks, clouds, house, steps, sun, together
from bridge.sim.demand import Demand, fixed
from bridge.sim.scenario import Scenario
from bridge.sim.scenario_tables import DemandTable


def wanted(scenario: Scenario) -> Demand:
    """What is asked of the bank, all parts together."""
    parts = [_part(table, scenario, number) for number, table in enumerate(scenario.demand)]
    return parts[0] if len(parts) == 1 else together(parts)


def _part(table: DemandTable, scenario: Scenario, number: int) -> Demand:
    whole = _course(table, scenario, scenario.seed * 1000 + number)
    begin_s, end_s = table.from_s, table.to_s
    if begin_s == 0 and end_s is None:
        return whole

    def wanted_a(elapsed_s: float) -> float:
        inside = elapsed_s >= begin_s and (end_s is None or elapsed_s < end_s)
        return whole(elapsed_s) if inside else 0.0

    return wanted_a


def _course(table: DemandTable, scenario: Scenario, seed: int) -> Demand:
    peak_a, at_h = table.current_a, scenario.start_h
    match table.kind:
        case "constant":
            return fixed(peak_a)
        case "blocks":
            return blocks(
                peak_a, block_s=table.block_s or 20.0, full_share=table.full_share, rest_max=table.rest_max,
                seed=seed,
            )  # fmt: skip
        case "steps":
            return steps([(at_s, value_a) for at_s, value_a in table.points], repeat_s=table.repeat_s)
        case "house":
            return house(peak_a, at_h=at_h, block_s=table.block_s or 60.0, seed=seed)
    clear = sun(peak_a, at_h=at_h, rise_h=table.rise_h, set_h=table.set_h)
    if table.kind == "sun":
        return clear
    return clouds(
        clear, shade=table.shade, shaded_share=table.shaded_share, block_s=table.block_s or 90.0, seed=seed
    )
