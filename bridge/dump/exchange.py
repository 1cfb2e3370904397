"""A serial capture read with one codec: chunk by chunk, what became certain with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bridge.decoding import Record, records
from bridge.dump.codecs import Codec
from bridge.dump.serial_capture import Chunk
from bridge.protocols.contract import Dropped, Message, Raw

NOT_SHOWN = frozenset({"message", "error", "address", "raw"})


@dataclass(frozen=True, slots=True)
class Turn:
    """A chunk and what became certain with it. chunk: None for what was incomplete at the end."""

    chunk: Chunk | None
    items: Sequence[Message | Dropped]

    @property
    def asking(self) -> bool:
        """Whether the items are what the asking side said."""
        return self.chunk is not None and self.chunk.sent

    def records(self) -> Iterator[Record]:
        """The items as `packbridge decode` says them, with the time and line of the chunk."""
        chunk = self.chunk
        where: Record = {}
        if chunk is not None:
            where = (
                {"line": chunk.number} if chunk.time_s is None else {"t": chunk.time_s, "line": chunk.number}
            )
        if self.asking:
            where |= {"sent": True}
        for record in records(self.items):
            yield where | record


def turns(chunks: Iterable[Chunk], codec: Codec) -> Iterator[Turn]:
    """Every chunk; nothing is given up between two, for the times of a log are often coarse."""
    reader = codec.reader()
    for chunk in chunks:
        yield Turn(chunk, (reader.sent if chunk.sent else reader.feed)(chunk.data))
    if rest := reader.reset():
        yield Turn(None, rest)


def sentence(record: Record) -> str:
    """A record in a line for a person: `basic: voltage_v 15.6, current_a 0`."""
    name = str(record.get("message") or record.get("error"))
    if "address" in record:
        name += f" of {record['address']}"
    known = {key: value for key, value in record.items() if key not in NOT_SHOWN | {"t", "line", "sent"}}
    said = known or record.get("raw") or {}
    assert isinstance(said, dict)
    values = ", ".join(f"{key} {_short(value)}" for key, value in said.items() if value not in (None, [], ()))
    return f"{name}: {values}" if values else name


def _short(value: Raw) -> str:
    if isinstance(value, list | tuple):
        return "/".join(_short(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
