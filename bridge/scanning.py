"""Finds packs that nobody has configured: on serial ports, on CAN buses, in the air.

The one idea: knock before you enter. Each protocol's first question is sent once, and everybody who was
asked so far is listened to, so a port is gone through in a few seconds whatever hangs on it. Who answers
is read with its own script, and only a sample that can be true is a find. Where nobody answers a knock,
the further addresses are asked, and last the scripts are run in full, with their retries and wake-ups.

On CAN nothing is said before the bus was listened to, nor on a bus with errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from bridge.conversation import Line, held
from bridge.errors import LinkError
from bridge.found import Found
from bridge.links.can import CanPort
from bridge.links.link import Link
from bridge.links.opening import can_place, kind_of
from bridge.meeting import Way
from bridge.search import Search
from bridge.surroundings import Device, like_its_kind

LISTEN_S = 3.5  # packs that talk on CAN repeat themselves once a second
QUIET_S = 1.0  # a bus with an inverter or a pack that talks is never silent for so long
ERRORS_S = 0.3  # a bus with other rates and traffic shows errors at once


async def find(search: Search, port: str, name: str | None = None) -> list[Found]:
    """What hangs on one port. A port that fails is a problem of the search, not an error.

    name: what a radio module calls itself.
    """
    search.begin(port)
    try:
        match kind_of(port):
            case "can":
                return await _on_can(search, port)
            case "ble":
                return await _over_the_air(search, port, name)
            case _:
                return await _on_serial(search, port)
    except LinkError as error:
        search.problems[port] = str(error)
        return []


async def find_all(search: Search, ports: Iterable[str]) -> list[Found]:
    """What hangs on ports of any kind, which are searched side by side."""
    shares = await asyncio.gather(*(find(search, port) for port in ports))
    return [found for share in shares for found in share]


async def find_devices(search: Search, devices: Iterable[Device]) -> list[Found]:
    """Which of the devices in the air are packs, one after the other: they share a radio."""
    found: list[Found] = []
    for device in devices:
        if not search.over:
            found += await find(search, device.port, device.name)
    return found


# Serial ports


async def _on_serial(search: Search, port: str) -> list[Found]:
    """One serial port, or what stands in for one. Raises LinkError."""
    usual, unusual = _rounds(search.ways(port)), _rounds(_at_other_rates(search, port))
    rounds = [*usual, *unusual]
    # A first knock may only wake who sleeps. JK's addresses are set by switches, so theirs are the
    # likeliest to be others than usual: further addresses are asked from that end.
    for step, order in (
        (_knock, rounds), (_listen_beside, rounds), (_knock, rounds),
        (_ask_around, [*usual[::-1], *unusual]), (_read_all, rounds),
    ):  # fmt: skip
        for rate, ways in order:
            if search.over:
                return []
            if step is _listen_beside and all(search.may(way) for way in ways):
                continue
            async with held(search.links(port, ways[0].entry.spec, rate)) as line:
                if found := await step(search, line, ways):
                    return found
    return []


def _rounds(ways: Sequence[Way]) -> list[tuple[int | None, list[Way]]]:
    """Baud rates in the order of their likeliest protocol, with who is asked at each."""
    rates = dict.fromkeys(way.rate for way in ways)
    return [(rate, [way for way in ways if way.rate == rate]) for rate in rates]


def _at_other_rates(search: Search, port: str) -> list[Way]:
    """Protocols that are also spoken at other speeds than their usual one."""
    if search.baudrate is not None:
        return []
    return [
        replace(way, baudrate=rate)
        for way in search.ways(port)
        for rate in way.entry.spec.baudrates
        if rate != way.rate
    ]


async def _knock(search: Search, line: Line, ways: Sequence[Way]) -> list[Found]:
    return await search.knock(line, ways)


async def _listen_beside(search: Search, line: Line, ways: Sequence[Way]) -> list[Found]:
    """Where a protocol may not be spoken, perhaps because another master speaks it."""
    barred = [way for way in ways if not search.may(way)]
    return [found for way in barred for found in await search.beside(line, way)]


async def _read_all(search: Search, line: Line, ways: Sequence[Way]) -> list[Found]:
    """Every protocol's whole script."""
    for way in ways:
        if search.may(way) and (found := await search.enter(line, way)):
            return found
    return []


async def _ask_around(search: Search, line: Line, ways: Sequence[Way]) -> list[Found]:
    """The further addresses of protocols that have them."""
    for way in ways:
        if found := await search.further(line, way):
            return found
    return []


# CAN buses


async def _on_can(search: Search, port: str) -> list[Found]:
    """One bus: first by listening, at each bit rate that it may have. Raises LinkError.

    The kernel's interfaces have the rate that they were switched on with. Other adapters are opened at
    one rate after the other until frames are heard; nothing is said at any rate but that one.
    """
    ways = search.ways(port)
    kernel = can_place(port)[0] == "socketcan"
    rates = [0] if kernel else sorted({way.entry.spec.bitrate for way in ways}, reverse=True)
    rounds = [[way for way in ways if rate in (way.entry.spec.bitrate, 0)] for rate in rates]
    for here in rounds:
        async with held(search.links(port, here[0].entry.spec, None)) as line:
            if found := await _overhear(search, line, ways):
                return [_at_rate(one, here) for one in found]
            if line.received:
                rounds = [here]
                break
    for here in rounds:
        link = search.links(port, here[0].entry.spec, None)
        async with held(link) as line:
            if found := await _ask_on_bus(search, line, link, here):
                return found
    return []


def _at_rate(found: Found, here: Sequence[Way]) -> Found:
    if any(way.bms == found.way.bms for way in here):
        return found
    heard, usual = here[0].entry.spec.bitrate // 1000, found.way.entry.spec.bitrate // 1000
    return replace(found, remark=f"heard at {heard} kbit/s; this adapter would be opened at {usual}")


async def _overhear(search: Search, line: Line, ways: Sequence[Way]) -> list[Found]:
    """Who talks without being asked."""
    talking = [other for way in ways if _talks(way) for other in _everywhere(search, way)]
    if talking:
        return await search.listen(line, talking, LISTEN_S)
    await line.next(min(search.until_s, asyncio.get_running_loop().time() + QUIET_S))
    return []


async def _ask_on_bus(search: Search, line: Line, link: Link, ways: Sequence[Way]) -> list[Found]:
    """Who answers, on a bus that can bear a question."""
    asked = [way for way in ways if not _talks(way)]
    if isinstance(link, CanPort) and asked:
        await asyncio.sleep(ERRORS_S)
        if link.statistics.error_frames:
            port = ways[0].port
            search.problems[port] = f"{port}: errors on the bus, so nothing was asked; is the bit rate right?"
            return []
    for step in (_knock, _ask_around, _read_all):
        if found := await step(search, line, asked):
            return found
    return []


def _talks(way: Way) -> bool:
    return way.unit().session.streams


def _everywhere(search: Search, way: Way) -> list[Way]:
    """A pack that talks by itself is heard at every address at once."""
    if not way.entry.spec.shared or search.address is not None:
        return [way]
    return [replace(way, address=address) for address in way.entry.spec.addresses or ()]


# The air


async def _over_the_air(search: Search, port: str, name: str | None) -> list[Found]:
    """One radio module; what it calls itself says what is tried first. Raises LinkError."""
    from bridge.links.ble import parse

    called = name or (None if parse(port).is_mac else parse(port).device)
    ways = search.ways(port)
    ways = [way for way in ways if like_its_kind(way.entry.spec, called)] or ways
    problem: LinkError | None = None
    for _, group in groupby(ways, key=lambda way: way.entry.spec.ble):
        same = list(group)
        if search.over:
            break
        try:
            async with held(search.links(port, same[0].entry.spec, None)) as line:
                if found := await _read_all(search, line, same):
                    return found
        except LinkError as error:
            problem = error  # another kind of module may still fit
    if problem is not None:
        raise problem
    return []
