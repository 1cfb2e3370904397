"""Which frames of a log are wanted: by time and by identifier."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bridge.dump.block import Block, Mask
from bridge.errors import ConfigError

ABSOLUTE_S = 1e8  # a time above is one of the epoch, below it counts from the log's first frame
IDS = re.compile(r"(?P<without>!?)(0x)?(?P<first>[0-9A-Fa-f]+)(-(0x)?(?P<last>[0-9A-Fa-f]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is wanted; nothing said is everything.

    since_s, until_s: as the log counts; below ABSOLUTE_S from its first frame; until is not included.
    ids, without_ids: ranges of identifiers that are taken and left out.
    """

    since_s: float | None = None
    until_s: float | None = None
    ids: tuple[range, ...] = ()
    without_ids: tuple[range, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether it asks for times."""
        return self.since_s is not None or self.until_s is not None


EVERYTHING = Selection()


def selected(blocks: Iterable[Block], selection: Selection) -> Iterator[Block]:
    """The wanted frames. Raises ConfigError if times are asked for of a log that has none."""
    first_s: float | None = None
    for block in blocks:
        if first_s is None and selection.timed and len(block):
            first_s = float(block.time_s[0])
            if np.isnan(first_s):
                raise ConfigError(f"{block.source}: has no times, so none can be chosen")
        mask = _wanted(block, selection, first_s or 0.0)
        if mask is None or mask.all():
            yield block
        elif mask.any():
            yield block.take(mask)


def time_of(text: str) -> float:
    """Seconds as in the log, `1h30m` or `90s` from its first frame, or `2024-05-01 12:00:30`, local time."""
    try:
        return float(text)
    except ValueError:
        pass
    if found := re.fullmatch(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", text):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return days * 86400 + hours * 3600 + minutes * 60 + seconds
    try:
        return dt.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{text!r} is no time; allowed: seconds as in the log, 1h30m from its start, "
            "or 2024-05-01 12:00:30"
        ) from error


def ids_of(words: Iterable[str]) -> tuple[tuple[range, ...], tuple[range, ...]]:
    """(taken, left out) of `351`, `0x351,35A-35F` and `!305`; hexadecimal. Raises ConfigError."""
    taken: list[range] = []
    left_out: list[range] = []
    for word in (part.strip() for words_ in words for part in words_.split(",")):
        if (found := IDS.fullmatch(word)) is None:
            raise ConfigError(f"{word!r} is no identifier; allowed: 351, 351-35F, and !305 to leave one out")
        first = int(found["first"], 16)
        ids = range(first, int(found["last"] or found["first"], 16) + 1)
        (left_out if found["without"] else taken).append(ids)
    return tuple(taken), tuple(left_out)


def _wanted(block: Block, selection: Selection, first_s: float) -> Mask | None:
    """Which rows are; None if nothing is asked."""
    masks: list[Mask] = []
    if selection.since_s is not None:
        masks.append(block.time_s >= _absolute(selection.since_s, first_s))
    if selection.until_s is not None:
        masks.append(block.time_s < _absolute(selection.until_s, first_s))
    if selection.ids:
        masks.append(_in(block, selection.ids))
    if selection.without_ids:
        masks.append(~_in(block, selection.without_ids))
    return np.logical_and.reduce(masks) if masks else None


def _absolute(time_s: float, first_s: float) -> float:
    return time_s if time_s >= ABSOLUTE_S else first_s + time_s


def _in(block: Block, ids: Iterable[range]) -> Mask:
    found = np.zeros(len(block), np.bool_)
    for one in ids:
        found |= (block.can_id >= one.start) & (block.can_id < one.stop)
    return found
