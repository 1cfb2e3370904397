"""Which derating curves a pack gets, and what none of them may do.

A pack names sets of curves: presets, and tables [curves.NAME] of the file; of two that have the same
curve the later goes first. A curve that gives current where a hard stop gives none would change nothing,
but whoever wrote it believes that it does: so it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

from bridge.battery.chemistry import PRESETS
from bridge.battery.curve_presets import CURVE_SETS
from bridge.battery.curves import highest
from bridge.config.draft import Draft, PackDraft
from bridge.config.lines import Key
from bridge.config.schema import FileTable
from bridge.config.sentences import Problem
from bridge.errors import did_you_mean
from bridge.model import Curve, Curves, NamedCurve


def chosen(file: FileTable, pack: PackDraft) -> Curves:
    """The curves that a pack names; names that are not known are left out."""
    found: dict[str, NamedCurve] = {}
    known = {name: one.curves for name, one in CURVE_SETS.items()} | _own(file)
    for name in pack.curves:
        found |= {key: NamedCurve(name, points) for key, points in known.get(name, {}).items()}
    return Curves(**found)


def _own(file: FileTable) -> dict[str, Mapping[str, Curve]]:
    """The tables of the file."""
    return {
        name: {key: tuple((x, y) for x, y in points) for key, points in table.given().items()}
        for name, table in file.curves.items()
    }


def check_curves(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong with the curves, and with the packs' choice of them."""
    for name in draft.file.curves:
        if name in CURVE_SETS:
            yield Problem(
                ("curves", name), "a preset has this name; choose another, or name the preset itself"
            )
    for pack in draft.packs:
        yield from _names_known(draft, pack)
        yield from _below_hard_stops(draft, pack)


def _names_known(draft: Draft, pack: PackDraft) -> Iterator[Problem]:
    known = sorted({*CURVE_SETS, *draft.file.curves})
    for name in pack.curves:
        if name not in known and ("curves", name) not in draft.unreadable:
            listed = ", ".join(known)
            yield Problem(
                pack.at("curves"), f'unknown curves "{name}"; known: {listed}{did_you_mean(name, known)}'
            )
        elif name in CURVE_SETS and pack.chemistry not in CURVE_SETS[name].chemistries:
            cells = " and ".join(sorted(one.upper() for one in CURVE_SETS[name].chemistries))
            yield Problem(
                pack.at("curves"),
                f'"{name}" is for {cells} cells, {pack.name} has {pack.chemistry.upper()}; '
                "leave it out, or write curves of your own from the cells' data sheet",
            )


def _below_hard_stops(draft: Draft, pack: PackDraft) -> Iterator[Problem]:
    plating_c = PRESETS[pack.chemistry].plating_c
    stops = (
        (
            "charge_by_temperature_c",
            -inf,
            plating_c,
            f"at or below {plating_c:g} degC, where cells are ruined",
        ),
        ("charge_by_cell_v", pack.number("cell_max_v"), inf, f"at {pack.said('cell_max_v')} or above"),
        ("discharge_by_cell_v", -inf, pack.number("cell_min_v"), f"at {pack.said('cell_min_v')} or below"),
    )
    curves = chosen(draft.file, pack)
    for key, low, high, where in stops:
        curve: NamedCurve | None = getattr(curves, key)
        if curve is None or low is None or high is None or highest(curve.points, low, high) <= 0:
            continue
        stop = f"[{high if low == -inf else low:g}, 0]"
        yield Problem(
            _place(draft, pack, curve.name, key),
            f"it gives {pack.name} current {where}; no curve may; let it pass through {stop}",
        )


def _place(draft: Draft, pack: PackDraft, name: str, key: str) -> Key:
    return ("curves", name, key) if name in draft.file.curves else pack.at("curves")
