"""Which codec a serial capture fits: all are tried, and ranked by how much of the bytes they explain.

Several read the same framing, so the share alone says little: what makes messages that are complete, of
many kinds and with quantities in them stands higher than what only finds frames. Modbus answers do not say
what their registers mean: where a pack's protocol knows quantities there, it stands before any register
map, and between maps a short capture decides little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bridge.dump.codecs import Codec, codecs
from bridge.dump.exchange import turns
from bridge.dump.serial_capture import Chunk
from bridge.protocols.contract import Dropped, Message

MOST_BYTES = 1 << 20  # of a capture; more says nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """How one codec fares. explained: the share of the bytes received that were no waste. of_pack: it is
    a pack's protocol.
    """

    name: str
    maker: str
    of_pack: bool
    messages: int
    kinds: tuple[str, ...]
    quantities: tuple[str, ...]
    explained: float
    dropped: dict[str, int]

    @property
    def rank(self) -> tuple[float, bool, int, int]:
        """What to sort by, the best last."""
        known = len(self.quantities)
        return round(self.explained, 2), self.of_pack and known > 0, known, self.messages

    def record(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return asdict(self) | {"explained": round(self.explained, 4)}


def guess(chunks: Sequence[Chunk]) -> list[Candidate]:
    """The codecs that read any message in it, the best first."""
    some = _beginning(chunks)
    found = [_candidate(codec, some) for codec in codecs().values()]
    return sorted((one for one in found if one.messages), key=lambda one: one.rank, reverse=True)


def _beginning(chunks: Sequence[Chunk]) -> list[Chunk]:
    some, size = [], 0
    for chunk in chunks:
        some.append(chunk)
        size += len(chunk.data)
        if size >= MOST_BYTES:
            break
    return some


def _candidate(codec: Codec, chunks: Sequence[Chunk]) -> Candidate:
    items = [item for turn in turns(chunks, codec) if not turn.asking for item in turn.items]
    messages = [item for item in items if isinstance(item, Message)]
    dropped: dict[str, int] = {}
    for item in items:
        if isinstance(item, Dropped):
            dropped[item.reason.value] = dropped.get(item.reason.value, 0) + item.size
    received = sum(len(chunk.data) for chunk in chunks if not chunk.sent)
    said = {key for message in messages for key, value in message.reading.items() if value is not None}
    return Candidate(
        name=codec.name,
        maker=codec.maker,
        of_pack=not codec.both_ways,
        messages=len(messages),
        kinds=tuple(sorted({message.name for message in messages})),
        quantities=tuple(sorted(said)),
        explained=max(0.0, 1.0 - sum(dropped.values()) / received) if received else 0.0,
        dropped=dropped,
    )
