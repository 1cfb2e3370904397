"""Everything here that reads a serial line, by name: the folders are the list, as everywhere.

Protocols of packs read what a pack says; the dialects in which an inverter asks its battery read both
directions. A dialect of register maps is a codec for each map, as `modbus:growatt-1xsxxp`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from bridge.errors import ConfigError, did_you_mean
from bridge.protocols import contract as protocols
from bridge.protocols.contract import Decoder, Dropped, Message

REPLY_TIMEOUT_S = 0.5  # of an inverter whose profile is not known
BAUDRATE = 9600  # of nearly all of them


class Reader(Protocol):
    """What makes messages of both directions of a capture."""

    def sent(self, chunk: bytes) -> Sequence[Message | Dropped]:
        """What the asking side sent."""
        ...

    def feed(self, chunk: bytes) -> Sequence[Message | Dropped]:
        """What it was answered."""
        ...

    def reset(self) -> Sequence[Message | Dropped]:
        """The end of the capture."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """What reads one kind of line. both_ways: it also says what the questions mean."""

    name: str
    maker: str
    baudrate: int
    reply_timeout_s: float
    both_ways: bool
    reader: Callable[[], Reader]


def codecs() -> dict[str, Codec]:
    """All that read bytes, by name; what runs over CAN alone is none."""
    found = {codec.name: codec for codec in (*_of_packs(), *_of_inverters())}
    return dict(sorted(found.items()))


def codec(name: str) -> Codec:
    """The codec of that name; raises ConfigError with those that there are."""
    known = codecs()
    if name not in known:
        raise ConfigError(f"unknown codec {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}")
    return known[name]


class _OneWay:
    """A pack's protocol: what was asked only helps to read the answer."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def sent(self, chunk: bytes) -> Sequence[Message | Dropped]:
        self._decoder.sent(chunk)
        return ()

    def feed(self, chunk: bytes) -> Sequence[Message | Dropped]:
        return self._decoder.feed(chunk)

    def reset(self) -> Sequence[Message | Dropped]:
        return self._decoder.reset()


def _of_packs() -> Iterator[Codec]:
    for name in protocols.names():
        entry = protocols.load(name)
        if entry.spec.links != ("can",):
            yield Codec(
                name=name,
                maker=entry.spec.maker,
                baudrate=entry.spec.baudrate,
                reply_timeout_s=entry.spec.reply_timeout_s,
                both_ways=False,
                reader=partial(_one_way, entry),
            )


def _one_way(entry: protocols.Entry) -> Reader:
    return _OneWay(entry.decoder())


def _of_inverters() -> Iterator[Codec]:
    from bridge.responders import contract as responders

    for name in responders.names():
        entry = responders.load(name)
        for map_name in _standard_maps() if name == "modbus" else [None]:
            yield Codec(
                name=name if map_name is None else f"{name}:{map_name}",
                maker=entry.spec.maker,
                baudrate=BAUDRATE,
                reply_timeout_s=REPLY_TIMEOUT_S,
                both_ways=True,
                reader=partial(responders.exchange, name, map_name),
            )


def _standard_maps() -> list[str]:
    from bridge.registers import maps

    return [name for name in maps.names() if maps.load(name).answers == "standard"]
