"""What could not be read: counted, with the first of it, never fatal."""

from __future__ import annotations

from dataclasses import dataclass, field

KEPT = 10
TEXT_LETTERS = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One line that is no frame. line: from 1; 0 where the form has no lines."""

    source: str
    line: int
    text: str

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line else self.source
        return f"{where}: {self.text}"


@dataclass(slots=True)
class Problems:
    """All that could not be read so far. first: the first few, in order."""

    count: int = 0
    first: list[Problem] = field(default_factory=list)

    def add(self, source: str, line: int, text: str) -> None:
        """One more line that is no frame."""
        self.count += 1
        if len(self.first) < KEPT:
            shown = text if len(text) <= TEXT_LETTERS else f"{text[:TEXT_LETTERS]}..."
            self.first.append(Problem(source, line, shown))
