"""Blocks by dialects: which rows are which message, and what every signal in them says, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.dump.block import Block, Floats, Integers
from bridge.sinks.layout import Dialect, Message


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The frames of a block that are one message of one dialect, on one page of it.

    rows: where they are in the block, ascending. values: by the signals' names, in their units; a bit
    or an alarm as 0 and 1; NaN where a frame is too short for it, or says that it has no value.
    texts: by the signals' names, a text for each row; None where the frame is too short.
    """

    dialect: str
    message: Message
    page: int | None
    rows: Integers
    values: Mapping[str, Floats]
    texts: Mapping[str, list[str | None]]


class Decoding:
    """Several dialects read at once. One frame may be a message of more than one of them."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self.dialects = tuple(dialects)

    def split(self, block: Block) -> Iterator[Part]:
        """What the block's frames say, one message after the other; frames of no dialect are in none."""
        raise NotImplementedError

    def claims(self, key: int) -> tuple[str, ...]:
        """The dialects that have a message with this `Block.key`."""
        raise NotImplementedError


def chosen(profiles: Iterable[str] = (), dialects: Iterable[str] = ()) -> Decoding:
    """The decoding of these profiles and dialects by name; of every dialect there is if none is named."""
    raise NotImplementedError
