"""Logs of any form as a stream of blocks: the one door through which frames come into a question.

Files one after the other, as they are given; `-` is stdin; gzip and zstd by their first bytes. The form
is told by the content, unless it is forced. What is no frame is counted and shown, never fatal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge.dump.block import Block
from bridge.dump.problems import Problems

ABSOLUTE_S = 1e8  # a time above is one of the epoch, below it counts from the log's first frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which frames are wanted.

    since_s, until_s: as the log counts; below ABSOLUTE_S from its first frame. ids: ranges of
    identifiers; empty: all. without_ids: ranges that are left out.
    """

    since_s: float | None = None
    until_s: float | None = None
    ids: tuple[range, ...] = ()
    without_ids: tuple[range, ...] = ()


EVERYTHING = Selection()


def read(
    paths: Sequence[str], problems: Problems, selection: Selection = EVERYTHING, *, form: str | None = None
) -> Iterator[Block]:
    """The selected frames of these logs, block by block; raises ConfigError if a log can't be opened.

    form: one of FORMS, where the content should not decide.
    """
    raise NotImplementedError
