"""What goes wrong in a scenario, when, and when it is over again.

Each event of a scenario is one or two entries of a timetable, each of which changes the plant or the
way a pack is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from bridge.model import Reading
from bridge.sim.lumped import LumpedPack
from bridge.sim.scenario_tables import EventTable

NEVER_S = inf


@dataclass(slots=True)
class Line:
    """How one pack is heard. period_s: between polls. next_s: of the next one. reads_v: what its first
    cell is reported at, if not what it is; frozen: what the board repeats.
    """

    pack: LumpedPack
    period_s: float
    next_s: float
    is_up: bool = True
    reads_v: float | None = None
    is_frozen: bool = False
    last: Reading | None = None

    def reading(self) -> Reading:
        """What a poll gives at this moment."""
        if self.is_frozen and self.last is not None:
            return self.last
        reading = self.pack.reading()
        if self.reads_v is not None:
            reading["cell_voltages_v"] = (self.reads_v, *reading["cell_voltages_v"][1:])
        self.last = reading
        return reading


Act = Callable[[float], None]


class Timetable:
    """All entries of a scenario in order of time."""

    def __init__(self, events: tuple[EventTable, ...], lines: Mapping[str, Line], link: Linker) -> None:
        entries = [entry for event in events for entry in _entries(event, lines[event.pack], link)]
        self._entries = sorted(entries, key=lambda entry: entry[0])
        self._ramps: list[_Ramp] = [
            _Ramp(event, lines[event.pack].pack) for event in events if event.kind == "temperature"
        ]

    @property
    def next_s(self) -> float:
        """When something happens next."""
        return self._entries[0][0] if self._entries else NEVER_S

    def run(self, now: float) -> bool:
        """Let everything happen that is due; whether anything did."""
        happened = False
        while self._entries and self._entries[0][0] <= now:
            self._entries.pop(0)[1](now)
            happened = True
        return happened

    def warm(self, now: float) -> None:
        """Move the temperatures that are on their way."""
        for ramp in self._ramps:
            ramp.move(now)


Linker = Callable[[str, bool, float], None]
"""Tells the policy that the way to a pack broke, or is whole again."""


def _entries(event: EventTable, line: Line, link: Linker) -> list[tuple[float, Act]]:
    end_s = NEVER_S if event.for_s is None else event.at_s + event.for_s
    begin, end = _acts(event, line, link)
    return [(event.at_s, begin)] + ([(end_s, end)] if end is not None and end_s < NEVER_S else [])


def _acts(event: EventTable, line: Line, link: Linker) -> tuple[Act, Act | None]:
    pack = line.pack
    match event.kind:
        case "link_lost":
            return _up(line, link, up=False), _up(line, link, up=True)
        case "pack_off":
            return _lock(pack, charge=event.charge, discharge=event.discharge), _lock(pack)
        case "cell_reads":
            return _reads(line, event.cell_v), _reads(line, None)
        case "frozen":
            return _freeze(line, on=True), _freeze(line, on=False)
        case "soc_reads":
            return _counter(pack, event.soc_pct / 100), None
        case _:
            return _nothing, None


def _up(line: Line, link: Linker, *, up: bool) -> Act:
    def act(now: float) -> None:
        line.is_up = up
        link(line.pack.name, up, now)

    return act


def _lock(pack: LumpedPack, *, charge: bool = False, discharge: bool = False) -> Act:
    return lambda _: pack.bms.lock(charge=charge, discharge=discharge)


def _reads(line: Line, cell_v: float | None) -> Act:
    def act(_: float) -> None:
        line.reads_v = cell_v

    return act


def _freeze(line: Line, *, on: bool) -> Act:
    def act(_: float) -> None:
        line.is_frozen = on

    return act


def _counter(pack: LumpedPack, soc: float) -> Act:
    return lambda _: pack.recount(soc)


def _nothing(_: float) -> None:
    """A temperature begins to move: see `_Ramp`."""


class _Ramp:
    """A pack's way to another temperature."""

    def __init__(self, event: EventTable, pack: LumpedPack) -> None:
        self._event = event
        self._pack = pack
        self._from_c: float | None = None
        self._done = False

    def move(self, now: float) -> None:
        event, elapsed_s = self._event, now - self._event.at_s
        if elapsed_s < 0 or self._done:
            return
        if self._from_c is None:
            self._from_c = self._pack.temperature_c
        share = 1.0 if elapsed_s >= event.over_s else elapsed_s / event.over_s
        self._done = share >= 1.0
        self._pack.temperature_c = self._from_c + share * (event.to_c - self._from_c)
        self._pack.ambient_c = self._pack.temperature_c
