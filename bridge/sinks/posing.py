"""The battery as a dialect may pose as: the whole bank, and its packs one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import fsum

from bridge.model import Decision, Member, PackSample, PackState, Topology
from bridge.responders.picture import Module, Picture

Cells = tuple[float | None, ...]

HEARD = frozenset({PackState.JOINING, PackState.ACTIVE, PackState.STALE, PackState.ISOLATED})
"""States in which what a pack said last may still be shown as its own."""


def picture_of(
    decision: Decision, values: Mapping[str, float | str], members: Sequence[Member], wired: Topology | None
) -> Picture:
    """What may be said of a guarded decision. wired: how the packs in service are; None: in parallel."""
    in_service = [member for member in members if member.state is not PackState.EXCLUDED]
    samples = {member.name: _heard(member) for member in in_service}
    return Picture(
        values=values,
        make_whole=lambda: _whole(decision, values, samples, wired),
        make_modules=lambda: tuple([_module(name, one, decision) for name, one in samples.items()]),
        protections=decision.protections,
        warnings=decision.warnings,
    )


def _heard(member: Member) -> PackSample | None:
    return member.sample if member.state in HEARD else None


def _module(name: str, sample: PackSample | None, decision: Decision) -> Module | None:
    if sample is None:
        return None
    return Module(
        name=name,
        voltage_v=sample.voltage_v,
        current_a=sample.current_a,
        soc_pct=None if sample.soc is None else 100 * sample.soc,
        soh_pct=None if sample.soh is None else 100 * sample.soh,
        remaining_ah=sample.remaining_ah,
        full_ah=sample.full_ah,
        design_ah=sample.design_ah,
        cycles=sample.cycles,
        cell_voltages_v=sample.cell_voltages_v,
        temperatures_c=sample.temperatures_c,
        mosfet_temperature_c=sample.mosfet_temperature_c,
        charge_enabled=decision.charge_enabled and sample.charge_allowed is True,
        discharge_enabled=decision.discharge_enabled and sample.discharge_allowed is True,
        protections=sample.protections,
        warnings=sample.warnings,
    )


def _whole(
    decision: Decision,
    values: Mapping[str, float | str],
    samples: Mapping[str, PackSample | None],
    wired: Topology | None,
) -> Module:
    heard = [sample for sample in samples.values() if sample is not None]
    switches = [one.mosfet_temperature_c for one in heard if one.mosfet_temperature_c is not None]
    cycles = _number(values, "cycles")
    return Module(
        name="bank",
        voltage_v=_number(values, "voltage_v"),
        current_a=_number(values, "current_a"),
        soc_pct=_number(values, "soc_pct"),
        soh_pct=_number(values, "soh_pct"),
        remaining_ah=_number(values, "remaining_ah"),
        full_ah=_number(values, "full_ah"),
        design_ah=_number(values, "installed_ah"),
        cycles=None if cycles is None else int(cycles),
        cell_voltages_v=_with_extremes(_cells(samples, wired), decision),
        temperatures_c=tuple([one_c for sample in heard for one_c in sample.temperatures_c]),
        mosfet_temperature_c=max(switches, default=None),
        charge_enabled=decision.charge_enabled,
        discharge_enabled=decision.discharge_enabled,
        protections=decision.protections,
        warnings=decision.warnings,
    )


def _number(values: Mapping[str, float | str], name: str) -> float | None:
    value = values.get(name)
    return None if value is None or isinstance(value, str) else float(value)


def _cells(samples: Mapping[str, PackSample | None], wired: Topology | None) -> Cells:
    """One value a position: parallel packs' cells in their mean, those in series one after the other."""
    if wired is None:
        return _side_by_side([sample.cell_voltages_v for sample in samples.values() if sample is not None])

    def leaf(name: str) -> Cells:
        sample = samples.get(name)
        return () if sample is None else sample.cell_voltages_v

    return wired.fold(leaf, _one_after_another, _side_by_side)


def _one_after_another(parts: Sequence[Cells]) -> Cells:
    return tuple([cell for part in parts for cell in part])


def _side_by_side(parts: Sequence[Cells]) -> Cells:
    columns = [[cell for cell in column if cell is not None] for column in zip_longest(*parts)]
    return tuple([fsum(column) / len(column) if column else None for column in columns])


def _with_extremes(cells: Cells, decision: Decision) -> Cells:
    """The mean hides the one cell that matters: the bank's highest and lowest are put back."""
    known = [index for index, cell in enumerate(cells) if cell is not None]
    if not known:
        return cells
    by_value = sorted(known, key=lambda index: cells[index] or 0.0)
    shown = list(cells)
    low_v, high_v = decision.bank.cell_min_v, decision.bank.cell_max_v
    if low_v is not None:
        shown[by_value[0]] = low_v
    if high_v is not None:
        shown[by_value[-1]] = high_v
    return tuple(shown)
