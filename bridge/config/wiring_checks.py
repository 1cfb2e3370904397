"""How the packs are wired, as [bank] says it, and what must hold for that.

`topology` is a table with `series` or `parallel`, a list of packs' names or of further such tables, and
if the user likes a `name` for that part:

    topology = { parallel = [ { name = "left", series = ["a", "b"] }, { series = ["c", "d"] } ] }

Without it all packs are in parallel.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import fsum

from bridge.battery.topology import without
from bridge.config.draft import Draft
from bridge.config.schema import NAME_PATTERN
from bridge.config.sentences import NAME_RULE, Problem, describe
from bridge.errors import did_you_mean
from bridge.links.opening import wire_of
from bridge.model import Topology, Wiring

HERE = ("bank", "topology")
DEEPEST = 4
TALL = 32  # cells in series: above 100 V other rules and other parts are called for
TALLEST = 288  # what 1000 V parts and the inverters that there are can take, with room for a full charge
NOMINAL_V = 3.2
KNOWN = ("series", "parallel", "name")


def topology(draft: Draft) -> Topology | None:
    """How the file wires the packs; None if it does not say, or says it wrongly."""
    written = draft.file.bank.topology
    return None if written is None or any(_faults(written, 1)) else _node(written)


def in_service(draft: Draft) -> Topology | None:
    """How the packs are wired that are in service; None if they are all in parallel."""
    wired = topology(draft)
    left = None if wired is None else without(wired, _excluded(draft))
    return left if isinstance(left, Topology) else None


def check_wiring(draft: Draft) -> Iterator[Problem]:
    """Everything that is wrong with the wiring by itself, and with the packs that are wired."""
    written = draft.file.bank.topology
    if written is None:
        return
    faults = list(_faults(written, 1))
    if not faults:
        wired = _node(written)
        faults = [*_names(wired, draft), *_cells(wired, draft), *_halved(wired, _excluded(draft))]
    yield from [Problem(HERE, fault) for fault in dict.fromkeys(faults)]


def not_series_rated(draft: Draft) -> Iterator[Problem]:
    """The loud warning for packs in strings whose BMS may not be fit for it."""
    behind_others = in_series(draft)
    for pack in draft.packs:
        if pack.name in behind_others and not pack.get("series_rated"):
            yield Problem(
                pack.at("series_rated"),
                "NO DISCHARGE CURRENT IS ALLOWED: a BMS that opens within a string sees the voltage of the "
                "whole string at its switches, and one that is not built for it burns; write "
                "series_rated = true if its maker allows this number of packs in series",
            )


def one_wire_in_string(draft: Draft) -> Iterator[Problem]:
    """Packs of a string are at different voltages from ground: a wire between them can short them."""
    behind_others = in_series(draft)
    first: dict[str, str] = {}
    for pack in draft.packs:
        port = pack.text("port")
        if pack.name not in behind_others or port is None or port.startswith("ble:"):
            continue
        other = first.setdefault(wire_of(port), pack.name)
        if other != pack.name:
            yield Problem(
                pack.at("port"),
                f"on one wire with {other}, but in series their minus poles are at different voltages; this "
                "shorts them unless each BMS has its own isolated adapter or an isolated port",
            )


def in_series(draft: Draft) -> frozenset[str]:
    """The packs that have others before or behind them."""
    wired = topology(draft)
    return frozenset() if wired is None else _in_series(wired)


def cells_in_series(draft: Draft) -> Mapping[str, float]:
    """By pack, the cells between the bank's terminals; of packs in parallel just its own."""
    own = {pack.name: cells for pack in draft.packs if (cells := pack.number("cells")) is not None}
    wired = topology(draft)
    if wired is None or not set(wired.packs) <= own.keys():
        return own
    return dict.fromkeys(own, _height(wired, own))


def tallest(draft: Draft) -> float:
    """The most cells that stand in series between the bank's terminals; 0 if that is not known yet."""
    return max(cells_in_series(draft).values(), default=0)


def together(wired: Topology | None, ratings: Mapping[str, float]) -> float:
    """What packs with these ratings carry together, A."""
    if wired is None:
        return sum(ratings.values())
    return wired.fold(ratings.__getitem__, _least, fsum)


def _faults(part: Mapping[str, object], depth: int) -> Iterator[str]:
    """What is wrong with the form of a part and of all within it."""
    if depth > DEEPEST:
        yield f"nested more than {DEEPEST} deep; write what is connected alike in one list"
        return
    for key in part:
        if key not in KNOWN:
            yield f"unknown key {key}; known here: {', '.join(KNOWN)}{did_you_mean(key, KNOWN)}"
    if "name" in part and not (isinstance(part["name"], str) and re.match(NAME_PATTERN, part["name"])):
        yield f"found name = {describe(part['name'])}; allowed: a text of {NAME_RULE}"
    wirings = [key for key in ("series", "parallel") if key in part]
    if len(wirings) != 1:
        found = "both series and parallel" if wirings else "neither series nor parallel"
        yield f'found {found} in one table; write one of them, for example {{ series = ["a", "b"] }}'
    for key in wirings:
        yield from _list_faults(key, part[key], depth)


def _list_faults(key: str, children: object, depth: int) -> Iterator[str]:
    if not isinstance(children, list) or not children:
        found = "an empty list" if children == [] else describe(children)
        yield f'found {key} = {found}; allowed: a list of names of packs, or of tables: {key} = ["a", "b"]'
        return
    for child in children:
        if isinstance(child, dict):
            yield from _faults(child, depth + 1)
        elif not isinstance(child, str):
            yield f"found {describe(child)} in {key}; allowed: names of packs in quotes, or tables"


def _node(part: Mapping[str, object]) -> Topology:
    """A part without faults."""
    wiring = Wiring.SERIES if "series" in part else Wiring.PARALLEL
    children = part[wiring.value]
    assert isinstance(children, list)
    name = part.get("name")
    return Topology(
        wiring,
        tuple([child if isinstance(child, str) else _node(child) for child in children]),
        name if isinstance(name, str) else None,
    )


def _names(wired: Topology, draft: Draft) -> Iterator[str]:
    """Every pack exactly once, and no name for two things."""
    known = list(draft.file.packs)
    for name, count in Counter(wired.packs).items():
        if name not in known:
            there = f"; there are: {', '.join(known)}" if known else ""
            yield f"there is no pack {describe(name)}{there}{did_you_mean(name, known)}"
        elif count > 1:
            yield f"{name} is wired {count} times; write each pack once"
    forgotten = [name for name in known if name not in wired.packs]
    if forgotten and draft.packs_complete:
        text = "not wired; write every pack of this file once, or take it out of the file"
        yield f"{', '.join(forgotten)} {text}"
    given = Counter(_given_names(wired))
    for name, count in given.items():
        if count > 1 or name in known:
            yield f"the name {name} is given twice; write another name"


def _given_names(part: Topology) -> list[str]:
    inner = [name for child in part.children if isinstance(child, Topology) for name in _given_names(child)]
    return inner if part.given_name is None else [part.given_name, *inner]


def _cells(wired: Topology, draft: Draft) -> Iterator[str]:
    """What is in parallel must have the same number of cells, and a high voltage must be meant."""
    own = {pack.name: cells for pack in draft.packs if (cells := pack.number("cells")) is not None}
    if not set(wired.packs) <= own.keys():
        return
    yield from _unlike(wired, own)
    cells = _height(wired, own)
    if cells > TALLEST:
        yield f"{cells:g} cells in series; allowed: at most {TALLEST}, which 1000 V parts can take"
    elif cells > TALL and draft.file.bank.high_voltage is not True:
        yield (
            f"{cells:g} cells in series are about {NOMINAL_V * cells:.0f} V, which kills; allowed without "
            f"a promise: at most {TALL}; write high_voltage = true in [bank] if every part of it was made "
            "for that voltage, by somebody who may"
        )


def _unlike(part: Topology, own: Mapping[str, float]) -> Iterator[str]:
    parts = [(_title(child), _height(child, own)) for child in part.children]
    if part.wiring is Wiring.PARALLEL:
        first, expected = parts[0]
        for name, cells in parts[1:]:
            if cells != expected:
                yield (
                    f"{name} has {cells:g} cells in series, {first} has {expected:g}; what is in parallel "
                    "must have the same number; correct the cells, or the wiring"
                )
    for child in part.children:
        if isinstance(child, Topology):
            yield from _unlike(child, own)


def _halved(part: Topology, excluded: frozenset[str]) -> Iterator[str]:
    """A string works as a whole or not at all."""
    out = excluded & frozenset(part.packs)
    if part.wiring is Wiring.SERIES and 0 < len(out) < len(part.packs):
        yield f"{', '.join(sorted(out))} of {part.name} is excluded; exclude every pack of a string, or none"
        return
    for child in part.children:
        if isinstance(child, Topology):
            yield from _halved(child, excluded)


def _excluded(draft: Draft) -> frozenset[str]:
    return frozenset([pack.name for pack in draft.packs if pack.get("excluded") is True])


def _title(part: str | Topology) -> str:
    return part if isinstance(part, str) else part.name


def _height(part: str | Topology, own: Mapping[str, float]) -> float:
    """Cells in series from end to end; of unlike ones in parallel the most."""
    return own[part] if isinstance(part, str) else part.fold(own.__getitem__, fsum, _most)


def _most(values: Sequence[float]) -> float:
    return max(values)


def _least(values: Sequence[float]) -> float:
    return min(values)


def _in_series(part: Topology) -> frozenset[str]:
    if part.wiring is Wiring.SERIES and len(part.packs) > 1 and len(part.children) > 1:
        return frozenset(part.packs)
    return frozenset().union(*(_in_series(child) for child in part.children if isinstance(child, Topology)))
