"""How packs are wired, and what a string or a group of them is as if it were one pack.

The idea: a string is a pack. What hangs on the bus bar are *units*, single packs or strings, and all rules
of the bank work on units. Here stands what follows from the wiring and the settings alone; `composite`
does the same with what is measured.

A string in series carries what its weakest pack carries, and has the cells of all. A group in parallel
carries what its packs carry together, and has the cells of one. Where its packs' cells are allowed
different things, the most careful holds for all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import fsum

from bridge.battery.fixed import UNKNOWN_FAST, UNKNOWN_OCP
from bridge.battery.known import least_of_all, least_of_known, least_with_defaults, sum_of_all
from bridge.errors import BridgeBug
from bridge.model import PackSettings, Topology, Wiring


def normal(topology: Topology | None) -> Topology | None:
    """The same wiring in its shortest form; None if all packs are in parallel.

    What has one child is that child; what is in series within a series, or in parallel within a
    parallel, is part of it. So series and parallel take turns on the way down.
    """
    if topology is None:
        return None
    short = _shortened(topology)
    if isinstance(short, str) or (short.wiring is Wiring.PARALLEL and _is_flat(short)):
        return None
    return short


def without(part: str | Topology, packs: Collection[str]) -> str | Topology | None:
    """What is left of a wiring when these packs are taken out; a string that misses one is out as a whole."""
    if isinstance(part, str):
        return None if part in packs else part
    left = [without(child, packs) for child in part.children]
    children = tuple([child for child in left if child is not None])
    broken = part.wiring is Wiring.SERIES and len(children) < len(left)
    return None if broken or not children else replace(part, children=children)


def units(topology: Topology | None, packs: Sequence[PackSettings]) -> list[PackSettings]:
    """What hangs on the bus bar: each single pack as it is, each string as if it were one.

    Raises BridgeBug unless every pack is wired exactly once.
    """
    short = normal(topology)
    if topology is not None and sorted(topology.packs) != sorted(pack.name for pack in packs):
        raise BridgeBug(f"packs {[pack.name for pack in packs]} are not those wired: {topology.name}")
    if short is None:
        return list(packs)
    by_name = {pack.name: pack for pack in packs}
    return [as_one(child, by_name) for child in on_the_bus_bar(short)]


def on_the_bus_bar(short: Topology) -> tuple[str | Topology, ...]:
    """The parts of a wiring in its shortest form that are in parallel at the bank's terminals."""
    return short.children if short.wiring is Wiring.PARALLEL else (short,)


def as_one(part: str | Topology, by_name: dict[str, PackSettings]) -> PackSettings:
    """A part as if it were one pack."""
    if isinstance(part, str):
        return by_name[part]
    children = [as_one(child, by_name) for child in part.children]
    return (_series if part.wiring is Wiring.SERIES else _parallel)(part.name, children)


def not_series_rated(part: str | Topology, by_name: dict[str, PackSettings]) -> list[str]:
    """The packs that are in a string, but not said to stand its voltage when their BMS opens."""
    if isinstance(part, str):
        return []
    if part.wiring is Wiring.SERIES:
        return [name for name in part.packs if not by_name[name].series_rated]
    return [name for child in part.children for name in not_series_rated(child, by_name)]


def _series(name: str, children: Sequence[PackSettings]) -> PackSettings:
    return replace(
        _careful(name, children),
        cells=sum([child.cells for child in children]),
        capacity_ah=min([child.capacity_ah for child in children]),
        rated_charge_current_a=min([child.rated_charge_current_a for child in children]),
        rated_discharge_current_a=min([child.rated_discharge_current_a for child in children]),
        fuse_a=least_of_known([child.fuse_a for child in children]),
        charge_fuse_a=least_of_known([child.charge_fuse_a for child in children]),
        discharge_fuse_a=least_of_known([child.discharge_fuse_a for child in children]),
        path_mohm=sum_of_all([child.path_mohm for child in children]),
        ocp_a=least_with_defaults(
            [(child.ocp_a, UNKNOWN_OCP * child.rated_discharge_current_a) for child in children]
        ),
        ocp_fast_a=least_with_defaults(
            [(child.ocp_fast_a, UNKNOWN_FAST * child.rated_discharge_current_a) for child in children]
        ),
        ocp_delay_s=least_of_all([child.ocp_delay_s for child in children]),
    )


def _parallel(name: str, children: Sequence[PackSettings]) -> PackSettings:
    return replace(
        _careful(name, children),
        capacity_ah=fsum([child.capacity_ah for child in children]),
        rated_charge_current_a=fsum([child.charge_carry_a for child in children]),
        rated_discharge_current_a=fsum([child.discharge_carry_a for child in children]),
        fuse_a=None,
        charge_fuse_a=None,
        discharge_fuse_a=None,
        path_mohm=None,
        ocp_a=None,
        ocp_fast_a=None,
        ocp_delay_s=None,
    )


def _careful(name: str, children: Sequence[PackSettings]) -> PackSettings:
    """What is alike in a string and a group: nothing that one of them forbids."""
    unprotected = next((child for child in children if child.charge_unprotected), children[0])
    return replace(
        children[0],
        name=name,
        port_kind=unprotected.port_kind,
        bus_on=unprotected.bus_on,
        series_rated=all(child.series_rated for child in children),
        soc_source="bms",  # each child's own source is heeded where its charge is folded
        cell_charge_v=min([child.cell_charge_v for child in children]),
        cell_max_v=min([child.cell_max_v for child in children]),
        cell_min_v=max([child.cell_min_v for child in children]),
        temperature_min_charge_c=max([child.temperature_min_charge_c for child in children]),
        temperature_max_charge_c=min([child.temperature_max_charge_c for child in children]),
        temperature_min_discharge_c=max([child.temperature_min_discharge_c for child in children]),
        temperature_max_discharge_c=min([child.temperature_max_discharge_c for child in children]),
        period_s=min([child.period_s for child in children]),
        lost_after_s=min([child.lost_after_s for child in children]),
    )


def _shortened(topology: Topology) -> str | Topology:
    children: list[str | Topology] = []
    for child in topology.children:
        short = child if isinstance(child, str) else _shortened(child)
        if isinstance(short, Topology) and short.wiring is topology.wiring:
            children += short.children
        else:
            children.append(short)
    return children[0] if len(children) == 1 else replace(topology, children=tuple(children))


def _is_flat(topology: Topology) -> bool:
    return all(isinstance(child, str) for child in topology.children)
