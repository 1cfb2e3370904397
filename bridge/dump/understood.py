"""The one dialect that a dump is read in: the one that is named, or the likeliest for its beginning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from bridge.dump.block import Block
from bridge.dump.decoding import Decoding, chosen
from bridge.dump.guess import Candidate, guess
from bridge.dump.survey import Survey
from bridge.errors import ConfigError

ENOUGH_FRAMES = 200_000  # ten minutes of a busy bus


def understood(
    blocks: Iterable[Block], profile: str | None, dialect: str | None
) -> tuple[Decoding, Candidate | None, Iterator[Block]]:
    """The decoding, how it was guessed if it was, and all blocks again; raises ConfigError."""
    if profile is not None or dialect is not None:
        profiles, dialects = [[name] if name else [] for name in (profile, dialect)]
        return chosen(profiles, dialects), None, iter(blocks)
    rest, seen, begun = iter(blocks), Survey(), []
    for block in rest:
        seen.add(block)
        begun.append(block)
        if seen.frames >= ENOUGH_FRAMES:
            break
    best = guess(seen).best
    if best is None:
        raise ConfigError(
            f"no dialect fits these {seen.frames} frames; is it a battery's bus? Name one: --dialect NAME"
        )
    return Decoding([best.tongue.dialect]), best, chain(begun, rest)
