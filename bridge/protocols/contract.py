"""What every protocol module offers, and nothing else about any of them.

A protocol is one file here. It opens nothing, reads no clock and never raises on bytes from
outside. It offers:

    SPEC      what a driver must know before it sends the first byte (`Spec`)
    Decoder   turns what arrives into `Message` and `Dropped` values
    Session   the conversation with one pack: scripts to poll it, or a collector if it talks by itself
    Device    the other side of the wire, for simulators: bytes in, answer bytes out

The file's name, with dashes for underscores, is its name in the configuration; the folder is the
list of protocols.

Scripts are generators. They yield a `Request` and are sent the `Message` that answers it; when no
answer comes, the driver throws `NoReply` into them, and a script that can do without catches it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol, TypeVar, runtime_checkable

import bridge.protocols as folder
from bridge.errors import BridgeError, ConfigError, did_you_mean
from bridge.model import CanFrame, PackInfo, Reading

Payload = bytes | CanFrame
"""What crosses a link: a chunk of a byte stream of any size, or one CAN frame."""

Raw = bool | int | float | str | None | Sequence["Raw"] | Mapping[str, "Raw"]
"""Protocol-specific values, as JSON can carry them."""


class Drop(StrEnum):
    """Why bytes were not used; the `error` of `packbridge decode` and a counter's name."""

    NOISE = "noise"  # bytes that start no frame
    TRUNCATED = "truncated"  # a frame that ended before its length
    CHECKSUM = "checksum"
    LENGTH = "length"  # a length that this message cannot have
    TERMINATOR = "terminator"
    ECHO = "echo"  # our own request, heard again
    UNKNOWN = "unknown"  # a well-formed frame with no known meaning
    REFUSED = "refused"  # the device answered with an error status
    VALUE = "value"  # a well-formed frame whose contents cannot be true
    OVERFLOW = "overflow"  # more unusable bytes than any frame can have


@dataclass(frozen=True, slots=True)
class Message:
    """One decoded message. name: its kind, stable, snake_case. address: the sender's, where there is
    one. raw: what the protocol says beyond a `Reading`.
    """

    name: str
    reading: Reading
    raw: Mapping[str, Raw] = field(default_factory=dict)
    address: int | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Bytes (for CAN: data bytes of frames) that gave no message. size: how many."""

    reason: Drop
    size: int
    detail: str = ""


class Decoder(Protocol):
    """Cuts what arrives into messages. Any chunking gives the same messages; memory is bounded."""

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """What has become certain with this payload, in order."""
        ...

    def sent(self, payload: Payload) -> None:
        """We (or another master) sent this; some protocols' replies can only be read knowing it."""
        ...

    def reset(self) -> list[Message | Dropped]:
        """The line was silent, or closed: give up what is incomplete and say what was dropped."""
        ...


class NoReply(BridgeError):
    """Thrown into a script whose request stayed without a usable answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for one message. reply: the name of the message that answers (and its address, if given).
    timeout_s: from the request's end on the wire; None takes the protocol's. tries: how often the
    request is sent before `NoReply`.
    """

    data: Payload
    reply: str
    address: int | None = None
    timeout_s: float | None = None
    tries: int = 1


T = TypeVar("T")
Script = Generator[Request, Message, T]


class Session(Protocol):
    """The conversation with one pack. Scripts may be empty (return at once)."""

    @property
    def streams(self) -> bool:
        """Whether the pack talks by itself: it is then never polled, its messages are collected."""
        ...

    def open(self) -> Script[None]:
        """Before the first poll after each (re)connection: handshakes, stream starts."""
        ...

    def info(self) -> Script[PackInfo | None]:
        """Model, firmware and the BMS's own limits; run at start and every 10 minutes."""
        ...

    def poll(self) -> Script[Reading]:
        """One reading of the pack. Never run while `streams`."""
        ...

    def collect(self, message: Message) -> Reading | None:
        """A message that nobody asked for: a complete reading, or None while parts are missing."""
        ...


class Device(Protocol):
    """The BMS's side of the wire, for simulators."""

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        """The answers to what was received, for a pack in the state `reading`."""
        ...


@runtime_checkable
class Talker(Device, Protocol):
    """A device that also speaks without being asked: `tick` is to be called every tick_s."""

    tick_s: float

    def tick(self, reading: Reading) -> list[Payload]:
        """What it sends of its own accord at this moment."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the configuration says of one pack on a link, as far as a protocol may care."""

    address: int | None = None
    cells: int | None = None
    password: str | None = field(default=None, repr=False)
    mac: str | None = None
    extra: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ble:
    """Where a byte stream is found on a BLE device. pairs: (service, notify, write) UUIDs, 16-bit ones
    as four hex digits; the first that the device has is taken. names: how its kind advertises itself,
    with * for anything. reply_timeout_s, gap_s: over the air, where they differ from the wire.
    """

    pairs: tuple[tuple[str, str, str], ...]
    names: tuple[str, ...] = ()
    write_response: bool = False
    reply_timeout_s: float | None = None
    gap_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A protocol's wire, in figures; each with its source in the module.

    links: of "serial", "ble", "can". shared:
    several packs with addresses may hang on one link. searched: of many addresses, those that a search
    asks; None: all. gap_s: least silence between a reply and the
    next request. silence_s: an incomplete frame older than this is given up. sleeps_after_s: after
    so long without traffic the first request may only wake the device: it is then sent up to
    wake_tries times, wake_timeout_s apart. states_rating: False where what it says of currents are
    thresholds that were never fitted to the board, so that no rating may be drawn from them. options:
    what a session reads of `Options` beyond address and cells, name to meaning; "password" and "mac" have
    fields of their own, the others are names in extra.
    """

    maker: str
    links: tuple[str, ...]
    baudrate: int = 9600
    baudrates: tuple[int, ...] = ()
    bitrate: int = 250_000
    shared: bool = False
    address: int | None = None
    addresses: range | None = None
    searched: range | None = None
    streams: bool = False
    ble: Ble | None = None
    reply_timeout_s: float = 0.5
    gap_s: float = 0.02
    silence_s: float = 0.15
    sleeps_after_s: float | None = None
    wake_tries: int = 1
    wake_timeout_s: float = 0.3
    states_rating: bool = True
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    def over(self, link: str) -> Spec:
        """The same protocol over "serial", "ble" or "can"."""
        if link != "ble" or self.ble is None:
            return self
        timeout_s = self.reply_timeout_s if self.ble.reply_timeout_s is None else self.ble.reply_timeout_s
        gap_s = self.gap_s if self.ble.gap_s is None else self.ble.gap_s
        return replace(self, reply_timeout_s=timeout_s, gap_s=gap_s)


@dataclass(frozen=True, slots=True)
class Entry:
    """A protocol as the rest of packbridge gets hold of it. accessory: it measures beside a pack's BMS,
    and knows neither current nor permission (`ACCESSORY = True` in its module).
    """

    name: str
    spec: Spec
    accessory: bool
    decoder: Callable[[], Decoder]
    session: Callable[[Options], Session]
    device: Callable[[Options], Device]


_NOT_A_PROTOCOL = frozenset({"contract", "checksums"})


def names() -> list[str]:
    """The protocols that there are, by their names in the configuration, sorted."""
    return sorted(
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules(folder.__path__)
        if not module.name.startswith("_") and module.name not in _NOT_A_PROTOCOL
    )


def load(name: str) -> Entry:
    """The protocol called `name`; raises ConfigError with the known names if there is none."""
    known = names()
    if name not in known:
        raise ConfigError(f"unknown protocol {name!r}; known: {', '.join(known)}{did_you_mean(name, known)}")
    module = importlib.import_module(f"bridge.protocols.{name.replace('-', '_')}")
    accessory = getattr(module, "ACCESSORY", False)
    return Entry(name, module.SPEC, accessory, module.Decoder, module.Session, module.Device)
