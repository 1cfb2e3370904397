"""The forms that python-can reads, made to forgive.

Its readers end at the first line that they don't understand, and say nothing of lines that they pass
over. Here a broken line is counted, and a new reader goes on behind it, after it has seen the head of
the log once more, which may say how to read the rest.
"""

from __future__ import annotations

import binascii
import importlib.util
import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from bridge.dump.opening import as_text
from bridge.dump.problems import Problems
from bridge.dump.rows import Numbered, line_of
from bridge.errors import ConfigError

if TYPE_CHECKING:
    import can

OBJECT_HEAD, PADDING_MAX = 16, 3  # bytes of BLF
UNREADABLE = (
    ValueError, LookupError, TypeError, ArithmeticError, NotImplementedError, AttributeError,
    struct.error, binascii.Error, zlib.error, EOFError,
)  # fmt: skip
"""What python-can's readers raise for what they can't read."""


@dataclass(frozen=True, slots=True)
class Head:
    """How a form begins. lines: its first lines, which a reader has to see. end: a line that ends it.

    passed_over: lines that are no frames, and rightly so.
    """

    lines: re.Pattern[str]
    passed_over: re.Pattern[str]
    end: str | None = None


HEADS = {
    "asc": Head(
        lines=re.compile(r"\s*(date|base|//|$)", re.IGNORECASE),
        passed_over=re.compile(
            r"\s*(//|$|date|base|(no\s+)?internal events|(begin|end) trigger|previous log file"
            r"|\d+\.\d+\s+(Start of|log |SV:|J1939TP|CAN\s+\d+\s+Status|\d+\s+Statistic|CANFD.*Statistic))",
            re.IGNORECASE,
        ),
        end="no internal events logged\n",
    ),
    "csv": Head(lines=re.compile("timestamp,"), passed_over=re.compile(r"timestamp,|\s*$")),
    "trc": Head(
        lines=re.compile(r"\s*(;|$)"),
        passed_over=re.compile(
            r"\s*(;|$|\d+\)?\s+[\d.]+\s+(ST|ER|EC|EV|Warng|Error)\b|\d+\)\s+[\d.]+\s+FFFFFFFF)"
        ),
    ),
}


def text_rows(form: str, stream: io.BufferedReader, source: str, problems: Problems) -> Iterator[Numbered]:
    """The frames of a log in lines, with the numbers of their lines."""
    import can

    reader = {"asc": can.ASCReader, "csv": can.CSVReader, "trc": can.TRCReader}[form]
    with as_text(stream) as text:
        lines = _Lines(text, HEADS[form], source, problems)
        while lines.rewound():
            try:
                for message in reader(cast(IO[str], lines)):
                    if (line := line_of(message)) is not None:
                        lines.used = True
                        yield lines.number, line
            except UNREADABLE:
                continue  # what came of no line, or of half of one, counts as passed over


@dataclass(slots=True)
class _Lines:
    """A file of text as far as the readers want one: to iterate and to close. used: the last line was."""

    text: io.TextIOWrapper
    head: Head
    source: str
    problems: Problems
    number: int = 0
    used: bool = True
    _last: str = ""
    _seen: list[str] = field(default_factory=list)
    _again: list[str] = field(default_factory=list)
    _in_head: bool = True
    _at_start: int = -1
    ended: bool = False

    def rewound(self) -> bool:
        """Whether there is more to read for one more reader, which sees the head first."""
        if self.ended or self._at_start == self.number:  # or the head alone can't be read
            return False
        self._at_start = self.number
        self._again = list(self._seen)
        return True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again:
            return self._again.pop(0)
        self._judge()
        if not (line := self.text.readline()):
            self.ended = True
            raise StopIteration
        self.number += 1
        self._last, self.used = line, False
        if not self._in_head:
            return line
        if self.head.lines.match(line):
            self._seen.append(line)
            return line
        self._in_head = False
        if self.head.end is None:
            return line
        self._seen.append(self.head.end)
        self._again = [line]
        return self.head.end

    def close(self) -> None:
        """Does nothing: who opened it closes it."""

    def _judge(self) -> None:
        """Count the last line if no frame came of it and it is none that is passed over."""
        if not self.used and not self.head.passed_over.match(self._last):
            self.problems.add(self.source, self.number, self._last.strip())
        self.used = True


def binary_rows(form: str, stream: io.BufferedReader, source: str, problems: Problems) -> Iterator[Numbered]:
    """The frames of a log that has no lines; what is behind a damage is lost."""
    try:
        for message in _binary_reader(form, stream):
            if (line := line_of(message)) is None:
                problems.add(source, 0, f"{message}")
            else:
                yield 0, line
    except UNREADABLE as error:
        problems.add(source, 0, f"damaged: {error}")


@dataclass(slots=True)
class _Whole:
    """A file that notices when less is left than is asked for: python-can's BLF reader does not."""

    stream: io.BufferedReader
    cut: bool = False

    def read(self, count: int) -> bytes:
        """So many bytes; cut, unless it ends before an object, or in what pads one."""
        data = self.stream.read(count)
        between = not data and count == OBJECT_HEAD
        self.cut = self.cut or (len(data) < count and count > PADDING_MAX and not between)
        return data

    def close(self) -> None:
        """Does nothing: who opened it closes it."""


def _binary_reader(form: str, stream: io.BufferedReader) -> Iterator[can.Message]:
    import can
    from can.io.blf import BLFParseError

    if form == "blf":
        whole = _Whole(stream)
        try:
            yield from can.BLFReader(cast(BinaryIO, whole))
        except BLFParseError as error:
            raise ValueError(str(error)) from error
        if whole.cut:
            raise EOFError("it ends within an object")
        return
    if importlib.util.find_spec("asammdf") is None:
        raise ConfigError("a log in MF4 needs asammdf: pip install 'packbridge[mf4]'")
    from asammdf.blocks.utils import MdfException

    try:
        yield from can.MF4Reader(stream if stream.seekable() else io.BytesIO(stream.read()))
    except MdfException as error:
        raise ValueError(str(error)) from error
