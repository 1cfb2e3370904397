"""What a rule of `packbridge dump lint` is: one file in `rules/`, and the folder is the list.

A rule's file has `RULE`. Its `look` is given one block of frames after the other as a `View`, and a last one
without frames, `view.last`, when all is over; what it has to remember from block to block it keeps in the
memory that it is given, which is a few numbers. It works on columns, never on single frames.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bridge.dump.block import Bytes, Floats, Integers, Mask

if TYPE_CHECKING:
    from bridge.dump.view import Frames, View


class Severity(StrEnum):
    """How much a finding matters. From WARNING on, something has to be done."""

    ERROR = "error"  # the inverter stops, misreads it, or may hurt the battery
    WARNING = "warning"  # it will, one day, or shows nonsense
    NOTE = "note"  # good to know; often meant so


Memory: TypeAlias = MutableMapping[Hashable, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Frames of a block in which a rule found the same thing.

    about: what it is about, an identifier or a quantity; hits of a rule about the same thing are one
    finding. rows: of the view's block; none at the end. text: what was found in the worst of them, the
    frame at `worst`, an index into rows. weight: the finding shows the heaviest of its hits. severity:
    None: the rule's. of_whole: rows are of the view's `whole`, with what is no data frame.
    """

    about: str
    rows: Integers | None
    text: str
    worst: int = 0
    weight: float = 0.0
    severity: Severity | None = None
    of_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that may be wrong. finds: it in a line. do: what to do about it.

    why: what it does to an inverter, by profile, else by dialect, else "" for all.
    """

    severity: Severity
    finds: str
    why: Mapping[str, str]
    do: str
    look: Callable[[View, Memory], Iterable[Hits]]

    def reason(self, profile: str | None, dialect: str) -> str:
        """Why it matters to this inverter."""
        return self.why.get(profile or "") or self.why.get(dialect) or self.why[""]


Column: TypeAlias = Floats | Bytes | Integers | str | float | Callable[[int], object] | None


def where(
    about: str, frames: Frames, found: Mask, text: str, *columns: Column, weights: Floats | None = None
) -> Iterator[Hits]:
    """The frames where something was found, as hits.

    text: a format for what the columns have in the worst of them; what is no column stands for itself, and
    a function is asked for its row. weights: how bad it is, frame by frame; None: the first is the worst.
    """
    places = np.flatnonzero(found)
    if not len(places):
        return
    worst = 0 if weights is None else int(np.argmax(weights[places]))
    row = int(places[worst])
    yield Hits(
        about=about,
        rows=frames.rows[places],
        text=text.format(*(_cell(one, row) for one in columns)),
        worst=worst,
        weight=0.0 if weights is None else float(weights[row]),
    )


def lasting(found: Mask, memory: Memory, about: str, rows: int = 3) -> Mask:
    """Where something has been true for so many frames on end, from block to block.

    Of a dump that begins with a single one, cut out by somebody, that one counts.
    """
    index = np.arange(len(found))
    broken: Integers = np.maximum.accumulate(np.where(found, -1, index))
    run = index - broken + np.where(broken < 0, int(memory.get((about, "run"), 0)), 0)
    alone = (about, "run") not in memory and len(found) == 1
    if len(found):
        memory[about, "run"] = float(min(run[-1], rows)) if found[-1] else 0.0
    held: Mask = found if alone else run >= rows
    return held


def as_severe(severity: Severity, hits: Iterable[Hits]) -> Iterator[Hits]:
    """The same hits, of another severity than the rule's."""
    return (replace(one, severity=severity) for one in hits)


def hex_of(frames: Frames, back: int = 0) -> Callable[[int], str]:
    """A column: the data bytes of a frame, or of the one so many before it."""

    def shown(row: int) -> str:
        return frames.data[row - back, : int(frames.length[row - back])].tobytes().hex().upper()

    return shown


def _cell(column: Column, row: int) -> object:
    if isinstance(column, np.ndarray):
        return column[row]
    return column(row) if callable(column) else column
