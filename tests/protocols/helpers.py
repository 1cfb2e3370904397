"""Golden frames and scripts: what every protocol's tests need, and nothing that knows one of them.

`fed_every_way` feeds a vector in all the ways that a wire may deliver it and insists that they agree.
`ask` runs a session's script against the same protocol's simulated device, without a driver.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from bridge.model import CanFrame, Reading
from bridge.protocols.contract import Decoder, Device, Dropped, Entry, Message, NoReply, Payload, Script

VECTORS = Path(__file__).parent.parent / "vectors"
GARBAGE = b"\x00\x13\x37\x42"  # starts a frame of no protocol here

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Vector:
    """A captured exchange. chunks: as they arrived. entry: the whole line of the file."""

    name: str
    chunks: tuple[bytes, ...]
    request: bytes | None
    expect: Mapping[str, Any]
    entry: Mapping[str, Any] = field(repr=False)

    @property
    def stream(self) -> bytes:
        return b"".join(self.chunks)


def vectors(file: str) -> list[Vector]:
    """All golden frames of tests/vectors/`file`.json, for byte protocols."""
    entries = json.loads((VECTORS / f"{file}.json").read_text())
    return [
        Vector(
            name=entry["name"],
            chunks=tuple(bytes.fromhex(chunk) for chunk in entry["chunks_hex"]),
            request=bytes.fromhex(entry["request_hex"]) if entry.get("request_hex") else None,
            expect=entry["expect"],
            entry=entry,
        )
        for entry in entries
    ]


def messages(items: Iterable[Message | Dropped]) -> list[Message]:
    return [item for item in items if isinstance(item, Message)]


def drops(items: Iterable[Message | Dropped]) -> list[Dropped]:
    return [item for item in items if isinstance(item, Dropped)]


def fed(
    decoder: Decoder, payloads: Iterable[Payload], sent: Payload | None = None
) -> list[Message | Dropped]:
    """Everything that comes out for these payloads, silence at the end included."""
    if sent is not None:
        decoder.sent(sent)
    return [item for payload in payloads for item in decoder.feed(payload)] + decoder.reset()


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def pieces(stream: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`stream` cut into chunks of these sizes, used again and again; the last may be shorter."""
    at, chunks = 0, []
    for size in sizes:
        chunks.append(stream[at : at + size])
        at += size
        if at >= len(stream):
            break
    return chunks


def fed_every_way(
    make: Callable[[], Decoder],
    chunks: Sequence[bytes],
    *,
    sent: bytes | None = None,
    garbage: bytes = GARBAGE,
) -> list[Message]:
    """The messages in `chunks`, which must be the same as they arrived, in one piece, byte by byte,
    after garbage, and before the same frames once more.
    """
    stream = b"".join(chunks)
    found = messages(fed(make(), chunks, sent))
    assert messages(fed(make(), [stream], sent)) == found, "in one piece"
    assert messages(fed(make(), bytewise(stream), sent)) == found, "byte by byte"
    assert messages(fed(make(), [garbage, *chunks], sent)) == found, "after garbage"
    assert messages(fed(make(), [garbage + stream], sent)) == found, "in one piece with garbage"
    twice = messages(fed(make(), [stream + stream], sent))
    assert twice[: len(found)] == found, "before the next frame"
    assert len(twice) == 2 * len(found), "the next frame"
    return found


def flat(message: Message) -> dict[str, Any]:
    """All that a message says under one roof, as vectors have it: lists, not tuples."""
    whole: dict[str, Any] = {**message.raw, **message.reading}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in whole.items()}


def differences(message: Message, expect: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Every key of `expect` that the message has otherwise, or not at all: (expected, actual)."""
    actual = flat(message)
    return {key: (value, actual.get(key)) for key, value in expect.items() if actual.get(key, ...) != value}


class Silent:
    """A device that never answers."""

    def receive(self, payload: Payload, reading: Reading) -> list[Payload]:
        return []


def ask(
    entry: Entry, script: Script[T], device: Device, reading: Reading, limit: int = 100
) -> tuple[T, list[Payload]]:
    """Runs a script against a device: its result, and all that it sent. Raises NoReply as the script does.

    A request is answered by the first message of the right name (and address); without one the
    script gets NoReply, as from the driver.
    """
    decoder = entry.decoder()
    sent: list[Payload] = []
    try:
        request = next(script)
        for _ in range(limit):
            sent.append(request.data)
            decoder.sent(request.data)
            answers = fed(decoder, device.receive(request.data, reading))
            answer = next(
                (
                    message
                    for message in messages(answers)
                    if message.name == request.reply and request.address in {None, message.address}
                ),
                None,
            )
            request = script.send(answer) if answer is not None else script.throw(NoReply("no answer"))
    except StopIteration as stop:
        return stop.value, sent
    raise AssertionError(f"the script still asks after {limit} requests")


def said_unasked(device: Device, reading: Reading) -> list[Payload]:
    """What a device that talks by itself says at one moment; nothing where it has no `tick`."""
    tick = getattr(device, "tick", None)
    return list(tick(reading)) if tick else []


def footprint(root: object) -> int:
    """Bytes and elements that hang on an object: how much it remembers."""
    seen: set[int] = set()
    waiting: list[object] = [root]
    size = 0
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type | ModuleType | FunctionType):
            continue
        seen.add(id(item))
        if isinstance(item, bytes | bytearray | str):
            size += len(item)
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
            size += len(item)
        elif isinstance(item, list | tuple | set | frozenset) or hasattr(item, "popleft"):
            waiting += list(item)  # type: ignore[call-overload]  # containers, a deque among them
            size += len(item)  # type: ignore[arg-type]
        elif not isinstance(item, CanFrame):
            waiting += _attributes(item)
    return size


def _attributes(item: object) -> Iterator[object]:
    if hasattr(item, "__dict__"):
        yield from vars(item).values()
    for kind in type(item).__mro__:
        for name in getattr(kind, "__slots__", ()):
            yield getattr(item, name, None)
