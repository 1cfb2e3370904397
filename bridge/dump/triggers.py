"""What makes a recorder keep what it hears: a silence, or an alarm."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bridge.dump.block import Block, Floats, id_text
from bridge.dump.decoding import Decoding
from bridge.dump.groups import rows_by_key
from bridge.sinks.layout import Kind

REGULAR = 3  # so often an identifier must have come in time before its silence is one


@dataclass(frozen=True, slots=True)
class Trigger:
    """Something happened. kind: `gap` or `alarm`."""

    time_s: float
    kind: str
    text: str


@dataclass(slots=True)
class _Regular:
    last_s: float
    in_time: int = 0


@dataclass(slots=True)
class GapTrigger:
    """An identifier that came regularly stays out for `gap_s`; told once for each silence."""

    gap_s: float
    _known: dict[int, _Regular] = field(default_factory=dict)

    def look(self, block: Block, now_s: float) -> Iterator[Trigger]:
        """The silences that end in this block, and those that go on at `now_s`, as the log counts."""
        for key, rows in rows_by_key(block).items():
            known = self._known.setdefault(key, _Regular(math.nan))
            for time_s in block.time_s[rows].tolist():
                yield from self._silent(key, known, time_s)
                known.in_time += 1
                known.last_s = time_s
        for key, known in self._known.items():
            yield from self._silent(key, known, now_s)

    def _silent(self, key: int, known: _Regular, until_s: float) -> Iterator[Trigger]:
        if not until_s - known.last_s > self.gap_s:
            return
        if known.in_time > REGULAR:
            text = f"{id_text(key)} silent for {self.gap_s:g} s"
            yield Trigger(known.last_s + self.gap_s, "gap", text)
        known.in_time = 0


@dataclass(slots=True)
class AlarmTrigger:
    """An alarm is raised that was not raised before."""

    decoding: Decoding
    _raised: dict[tuple[str, str, str], bool] = field(default_factory=dict)

    def look(self, block: Block, now_s: float) -> Iterator[Trigger]:  # noqa: ARG002  # as GapTrigger has it
        """The alarms that begin in this block."""
        for part in self.decoding.split(block):
            alarms = [one.name for one in part.signals if one.kind is Kind.ALARM and one.name in part.values]
            for name in alarms:
                of = (part.dialect, part.message.name, name)
                times_s = block.time_s[part.rows]
                for time_s in self._begins(of, part.values[name], times_s):
                    yield Trigger(time_s, "alarm", f"{id_text(int(block.key[part.rows[0]]))} {name}")

    def _begins(self, of: tuple[str, str, str], values: Floats, times_s: Floats) -> list[float]:
        raised = values == 1
        before = np.concatenate([[self._raised.get(of, False)], raised[:-1]])
        self._raised[of] = bool(raised[-1])
        found: list[float] = times_s[raised & ~before].tolist()
        return found
