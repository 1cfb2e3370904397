"""Banks that are more than packs in parallel, for the tests of them."""

from __future__ import annotations

from dataclasses import replace

from bridge.model import BankSettings, PackSettings, Topology, Wiring
from tests.battery.story import Story, pack, well

FOUR = tuple(replace(pack(name, 100, 80, cells=4), series_rated=True) for name in ("a", "b", "c", "d"))


def series(*children: str | Topology, name: str | None = None) -> Topology:
    return Topology(Wiring.SERIES, children, name)


def parallel(*children: str | Topology, name: str | None = None) -> Topology:
    return Topology(Wiring.PARALLEL, children, name)


IN_SERIES = series("a", "b", "c", "d")
STRINGS = parallel(series("a", "b"), series("c", "d"))
GROUPS = series(parallel("a", "b"), parallel("c", "d"))


def bank(topology: Topology | None, *packs: PackSettings, settings: BankSettings | None = None) -> Story:
    """A story of packs of four cells, wired so."""
    settings = replace(settings or BankSettings(), topology=topology)
    story = Story(*(packs or FOUR), settings=settings)
    return story.say(lambda now: well(now, cells=4))
