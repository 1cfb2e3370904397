"""What every dialect offers in which an inverter, the bus's master, polls us as its battery.

A dialect is one file here. It opens nothing, reads no clock and never raises on bytes from outside.
It offers:

    SPEC        its line, in figures (`Spec`)
    Options     what it reads of the table [options] of a profile, a pydantic model
    Responder   our side: bytes in, questions out; a question and a picture give the answer's bytes
    Master      the inverter's side, for simulators: questions out, answers in
    Exchange    both directions of a captured exchange, for `packbridge decode`

The file's name, with dashes for underscores, is its name in profiles; the folder is the list.

One idea: cutting and answering are two calls. What was asked is said before anybody knows what may be
answered, so silence is never the dialect's decision but one level up, where the decision's age is known.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import bridge.responders as folder
from bridge.errors import ConfigError, did_you_mean
from bridge.profile_tables import Table
from bridge.protocols.contract import Drop, Dropped, Message, Raw
from bridge.responders.picture import Module, Picture

__all__ = [
    "Ask", "Drop", "Dropped", "Entry", "Exchange", "Master", "Message", "Module", "Overheard", "Picture",
    "Port", "Question", "Raw", "Responder", "Spec", "Table", "Understood", "load", "names",
]  # fmt: skip

OptionsT = TypeVar("OptionsT", bound=Table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A dialect's line, in figures; each with its source in the module.

    maker: who wrote it, for people. address: ours, where the profile names none. addresses: those that
    it can have. silence_s: an incomplete request older than this is given up (never under 0.02: USB
    adapters deliver in bursts).
    """

    maker: str
    address: int | None = None
    addresses: range | None = None
    silence_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Port(Generic[OptionsT]):
    """The place on the line that a dialect is made for. address: at which we answer. options: the
    dialect's own, as the profile has them.
    """

    address: int | None
    options: OptionsT


@dataclass(frozen=True, slots=True)
class Ask:
    """One whole request of the master. name: its kind, stable, snake_case ("analog_values",
    "read_holding"). data: as on the wire. raw: what it says. for_us: it is to be answered by us; else
    it is for another slave (or a broadcast) and never answered. A request that the dialect answers
    with an error of its own is an `Ask` too, named "refused", with the reason in raw["reason"].
    """

    name: str
    address: int | None
    data: bytes
    raw: Mapping[str, Raw] = field(default_factory=dict)
    for_us: bool = True


@dataclass(frozen=True, slots=True)
class Overheard:
    """A whole frame that is no request: an answer that a slave gave. ours: it bears our address, and
    our echo is taken away before: another battery answers in our place.
    """

    name: str
    address: int | None
    size: int
    ours: bool = False


class Responder(Protocol):
    """Our side of one port. Made with `Responder(port: Port[Options])`. Any chunking gives the same;
    memory is bounded.

    What a master writes (heartbeats, handshakes, clocks) is kept by `answer`, never acted on.
    """

    @property
    def required(self) -> frozenset[str]:
        """Quantities without which nothing is answered at all; limits and enables need no mention."""
        ...

    def feed(self, chunk: bytes) -> list[Ask | Overheard | Dropped]:
        """What has become certain with this chunk, in order."""
        ...

    def reset(self) -> list[Ask | Overheard | Dropped]:
        """The line was silent, or closed: give up what is incomplete and say what was dropped."""
        ...

    def answer(self, ask: Ask, picture: Picture) -> bytes | None:
        """The whole answer to a request that is for us; None where the dialect wants none.

        Not called while there is no fresh decision, or while the profile wants silence.
        """
        ...

    def too_large(self, picture: Picture) -> frozenset[str]:
        """The quantities that have no place for what they are, and go as the largest that fits."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What a master sends. answered: it waits for an answer. name: of the kind, as in `Ask`."""

    name: str
    data: bytes
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Understood:
    """What a master makes of one answer. values: by quantity names, as plain numbers in the names'
    units; enables are bool, alarms are a sorted list under "protections" and "warnings".
    """

    name: str
    values: Mapping[str, Raw] = field(default_factory=dict)


class Master(Protocol):
    """The inverter's side. Made with `Master(port: Port[Options])`; written from the documents, sharing
    no encoder with `Responder`, so that one can judge the other.
    """

    def question(self) -> Question:
        """The next of its cycle, without end."""
        ...

    def feed(self, chunk: bytes) -> list[Understood | Dropped]:
        """What has become certain of the answer to the last question."""
        ...

    def reset(self) -> list[Understood | Dropped]:
        """No (whole) answer came in time."""
        ...


class Exchange(Protocol):
    """Both directions of a capture. Made with `Exchange(options: Options)`. Readings carry the field
    names of `Reading`, everything else stands in raw. A request's message bears the name of its `Ask`.
    """

    def sent(self, chunk: bytes) -> list[Message | Dropped]:
        """What the master sent."""
        ...

    def feed(self, chunk: bytes) -> list[Message | Dropped]:
        """What the battery sent."""
        ...

    def reset(self) -> list[Message | Dropped]:
        """The end of the capture."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A dialect as the rest of packbridge gets hold of it."""

    name: str
    spec: Spec
    options: type[Table]
    responder: Callable[[Port[Table]], Responder]
    master: Callable[[Port[Table]], Master]
    exchange: Callable[[Table], Exchange]


_NOT_A_DIALECT = frozenset({"contract", "picture"})


def names() -> list[str]:
    """The dialects that there are, sorted."""
    return sorted(
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules(folder.__path__)
        if not module.name.startswith("_") and module.name not in _NOT_A_DIALECT
    )


def load(name: str) -> Entry:
    """The dialect called `name`; raises ConfigError with the known names if there is none."""
    known = names()
    if name not in known:
        raise ConfigError(f"unknown dialect {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}")
    module = importlib.import_module(f"bridge.responders.{name.replace('-', '_')}")
    return Entry(name, module.SPEC, module.Options, module.Responder, module.Master, module.Exchange)


def exchange(name: str, register_map: str | None = None) -> Exchange:
    """A reader of captured exchanges in that dialect. Raises ConfigError for a map that it does not have,
    or that it needs and is not given.
    """
    entry = load(name)
    has_maps = "map" in entry.options.model_fields
    if has_maps and entry.options.model_fields["map"].is_required() and register_map is None:
        raise ConfigError(f"{name}: whose registers? write --map NAME, as in --map growatt-1xsxxp")
    if register_map is not None and not has_maps:
        raise ConfigError(f"--map: {name} has no register maps")
    return entry.exchange(entry.options.model_validate({} if register_map is None else {"map": register_map}))
