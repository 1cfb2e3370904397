"""Where a key stands in a TOML text, so that a complaint can name the line.

tomllib gives values without positions. The idea here: a text that parses as a whole is a sequence
of statements, each of which parses alone. So lines are gathered until tomllib accepts them; what
comes out are the keys of that statement, and its first line is where they stand. TOML's own rules
(quoted keys, strings and lists over several lines) stay tomllib's business.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Key = tuple[str, ...]
"""A key's path from the top: ("packs", "garage", "cells")."""


def key_lines(text: str) -> dict[Key, int]:
    """Line numbers, from 1, of all keys and tables of a valid TOML text."""
    lines: dict[Key, int] = {}
    table: Key = ()
    for number, statement in _statements(text):
        parsed = tomllib.loads(statement)
        is_header = statement.lstrip().startswith("[")
        if is_header:
            table = _header(parsed)
        for key in [table] if is_header else [(*table, *rest) for rest in _paths(parsed)]:
            for depth in range(1, len(key) + 1):
                lines.setdefault(key[:depth], number)
    return lines


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration text by its name, and where its keys stand."""

    name: str
    lines: Mapping[Key, int] = field(default_factory=dict, repr=False)

    def line(self, key: Key) -> int:
        """The line of a key, or of the nearest table around it; 0 if neither is in the text."""
        return next((self.lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.lines), 0)

    def problem(self, key: Key, text: str) -> str:
        """One complaint: `FILE:LINE: key.path: text`, without the line if there is none."""
        line = self.line(key)
        place = f"{self.name}:{line}" if line else self.name
        return f"{place}: {'.'.join(key)}: {text}"


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(line number, source) of each statement; comments and blank lines come alone."""
    start, gathered = 1, ""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        gathered += f"{line}\n"
        if _is_complete(gathered):
            yield start, gathered
            start, gathered = number + 1, ""


def _is_complete(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _header(parsed: object) -> Key:
    """The path that a `[table]` or `[[table]]` line names: it parses to nothing but that path."""
    match parsed:
        case dict() if parsed:
            name, inner = next(iter(parsed.items()))
            return (str(name), *_header(inner))
        case [inner]:
            return _header(inner)
        case _:
            return ()


def _paths(parsed: Mapping[str, object]) -> Iterator[Key]:
    for name, value in parsed.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, *rest) for rest in _paths(value))
