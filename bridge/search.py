"""The moves of a search on one wire: knock, read, ask around, listen; and what was heard so far.

The one idea: what was heard decides what may be said. Nothing is ever sent but the requests of the
sessions. Where that alone is not harmless enough: the read trigger of JK's PB series has the form of a
Modbus write, so it is kept from every wire on which something answered Modbus reads and was no JK, and
from one on which another master asks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from math import inf

from bridge.conversation import Line
from bridge.found import Found
from bridge.knocking import Knock, knock_of, listen_for
from bridge.links.opening import Opener, kind_of
from bridge.meeting import Judge, Links, Meeting, Way, known, meet
from bridge.protocols.contract import load, names
from bridge.sources.bus import Sampled

KNOCK_S = 0.2  # boards begin to answer within 10 to 150 ms
MASTER_S = 12.0  # a JK master goes round its packs in 4 to 10 s, and is never silent for half a second
NEVER_S = 1e6  # the period of who is only listened to: no silence is too long

LIKELY = ("jbd", "daly-a5", "jk-modbus", "jk-pb", "jk-nw", "daly-d2", "daly-p81", "jbd-up16s", "jk")
"""In which order protocols are tried; those that are not named here come last."""

GUARDS = {"jk-pb": "jk-modbus"}
"""The first may only be spoken where the second met nothing but silence."""
STRANGE = frozenset(
    {"message", "unexpected", "refused", "length", "value", "unknown", "checksum", "truncated"}
)
"""What, heard by a guard that finds no pack, shows that somebody else is on the wire."""
SILENCE = frozenset({"no_reply", "silent"})
BESIDE_MASTER = {"jk-pb": (0, (("listen", True),))}
"""Who can be listened to beside another master: that one's address, and what sessions are told for it."""

REMARKS = {
    "jk-pb": "another master asks on this pair, so it can only be listened to",
    "pylontech-can": "where a packbridge feeds an inverter on this bus, this may be its own voice",
}


@dataclass(slots=True)
class Search:
    """One search, for so many seconds from its first port on.

    bms, address, baudrate: only these. single: one pack is enough.
    progress: called with a port and what is done there. heard: what was tried and what came instead
    of an answer, by port and attempt. problems: why a port could not be searched.
    """

    seconds: float
    bms: Sequence[str] = ()
    address: int | None = None
    baudrate: int | None = None
    single: bool = False
    links: Links = field(default_factory=lambda: Opener().link)
    progress: Callable[[str, str], None] = lambda _port, _what: None
    heard: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    until_s: float = inf

    def begin(self, port: str | None = None) -> None:
        """Start the clock, unless it runs; and the account of a port."""
        if port is not None:
            self.heard.setdefault(port, {})
        if self.until_s == inf:
            self.until_s = asyncio.get_running_loop().time() + self.seconds

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return asyncio.get_running_loop().time() >= self.until_s

    def ways(self, port: str) -> list[Way]:
        """The protocols that may be spoken on a port, the likely ones first."""
        entries = [entry for entry in map(load, self.bms or names()) if kind_of(port) in entry.spec.links]
        if self.address is not None:
            entries = [entry for entry in entries if self.address in (entry.spec.addresses or ())]
        rank = {name: place for place, name in enumerate(LIKELY)}
        entries.sort(key=lambda entry: (rank.get(entry.name, len(rank)), entry.name))
        return [Way(port, entry, self.baudrate, self.address) for entry in entries]

    def may(self, way: Way) -> bool:
        """Whether it is harmless to speak a protocol on a port, after what was heard there."""
        guard = GUARDS.get(way.bms)
        attempts = self.heard[way.port].items()
        return not any(name.startswith(f"{guard} ") and STRANGE & heard.keys() for name, heard in attempts)

    def note(self, way: Way) -> Counter[str]:
        """Where to count what is heard in an attempt."""
        return self.heard[way.port].setdefault(str(way), Counter())

    def account(self, port: str, *, silence: bool = True) -> list[str]:
        """What was tried on a port and what was heard instead of an answer, in a few lines.

        silence: also where nothing was heard at all.
        """
        groups: dict[tuple[str, str], list[str]] = {}
        for attempt, heard in self.heard.get(port, {}).items():
            protocol, _, address = attempt.partition(", address ")
            kinds = ", ".join(f"{kind} {count}" for kind, count in heard.most_common())
            said = "silence" if heard.keys() <= SILENCE else kinds
            if silence or said != "silence":
                groups.setdefault((protocol, said), []).append(address)
        return [f"{protocol}{_addresses(these)}: {said}" for (protocol, said), these in groups.items()]

    async def enter(self, line: Line, way: Way) -> list[Found]:
        """Read one pack, and then its neighbours on the wire. Raises LinkError."""
        found = await self._read(line, way)
        if found is None:
            return []
        return [found] if self.single else [found, *await self.further(line, way)]

    async def beside(self, line: Line, way: Way) -> list[Found]:
        """The packs that another master asks on this wire; they are not asked by us as well."""
        if way.bms not in BESIDE_MASTER:
            return []
        master, extra = BESIDE_MASTER[way.bms]
        addresses = [master, *(way.entry.spec.addresses or ())]
        ways = [replace(way, address=address, extra=extra) for address in addresses]
        return await self.listen(line, ways, MASTER_S)

    async def _read(self, line: Line, way: Way) -> Found | None:
        if self.over:
            return None
        self.progress(way.port, str(way))
        meeting = await meet(line, way, self.until_s, self.note(way))
        return None if meeting is None else Found(way, meeting)

    async def knock(self, line: Line, ways: Iterable[Way]) -> list[Found]:
        """One question in each protocol, until one is answered by a pack. Raises LinkError."""
        knocks: list[Knock] = []
        line.discard()
        for way in ways:
            knock = knock_of(way, self.note(way)) if self.may(way) and not self.over else None
            if knock is None:
                continue
            self.progress(way.port, str(way))
            knocks.append(knock)
            patience_s = way.spec.reply_timeout_s if way.bms in GUARDS.values() else KNOCK_S
            wait_s = knock.send(line) + patience_s
            answered = await listen_for(line, knocks, wait_s, self.until_s)
            if answered is not None and (found := await self.enter(line, answered.way)):
                return found
        return []

    async def further(self, line: Line, way: Way) -> list[Found]:
        """The other packs on the wire: one question to each address, the whole script to who answers.

        Raises LinkError.
        """
        spec = way.spec
        if self.address is not None or not spec.shared:
            return []
        found: list[Found] = []
        for address in spec.searched or spec.addresses or ():
            other = replace(way, address=address)
            knock = knock_of(other, self.note(other))
            if knock is None or address == way.options().address or self.over or not self.may(way):
                continue
            if self.single and found:
                break
            self.progress(way.port, str(other))
            await asyncio.sleep(spec.gap_s)
            line.discard()
            wait_s = knock.send(line) + max(KNOCK_S, spec.reply_timeout_s / 4)
            if await listen_for(line, [knock], wait_s, self.until_s) is not None:
                found += [one for one in [await self._read(line, other)] if one is not None]
        return found

    async def listen(self, line: Line, ways: Sequence[Way], seconds: float) -> list[Found]:
        """Who talks without being asked; the sessions of such packs send nothing. Raises LinkError."""
        loop = asyncio.get_running_loop()
        units = {str(way): (way, way.unit(NEVER_S), Judge()) for way in ways}
        buses = [
            way.bus(*(unit for other, unit, _ in units.values() if other.entry.name == way.entry.name))
            for way in {way.bms: way for way in ways}.values()
        ]
        found: dict[str, Found] = {}
        until_s = min(self.until_s, loop.time() + seconds)
        self.progress(ways[0].port, "listening")
        async with aclosing(line.talk(buses, until_s, lambda: self.single and bool(found))) as outputs:
            async for output in outputs:
                if isinstance(output, Sampled):
                    way, unit, judge = units[output.pack]
                    if (sample := judge.believed(output.sample, loop.time())) is not None:
                        meeting = Meeting(sample, known(unit.session))
                        found[output.pack] = Found(way, meeting, REMARKS.get(way.bms))
        for way, unit, judge in units.values():
            self.note(way).update(unit.statistics.errors + judge.heard)
        return [found[name] for name in units if name in found]


def _addresses(addresses: Sequence[str]) -> str:
    known = [address for address in addresses if address]
    return f", {len(known)} addresses" if len(known) > 1 else f", address {known[0]}" if known else ""
