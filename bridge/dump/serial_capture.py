"""Lines of a capture of a serial line: bytes with a direction, and a time where there is one.

`<HEX` came from the device, `>HEX` went to it, bare HEX came. In front may stand a time: `(SECONDS)`, SECONDS
with a decimal point, ISO 8601, or a time of day. The logs of ESPHome's uart_debug are read as they are.
Lines are chunks, not frames, as in `bridge.decoding`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.decoding import BadLine, parse_bytes

DAY_S = 86400.0

_SECONDS = re.compile(r"(?:\((\d+(?:\.\d+)?)\)|(\d+\.\d+))[\s,;]*")
_DATE = re.compile(
    r"\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)\]?[\s,;]*",
)
_OF_DAY = re.compile(r"\[?(\d\d):(\d\d):(\d\d(?:[.,]\d+)?)\]?[\s,;]*(?=[<>\[]|[RT]X)", re.IGNORECASE)
_TAG = re.compile(r"(?:\[[^\]]*\])*:?\s*")  # [D][uart_debug:158]:
_WAY = re.compile(r"(?:(<{1,3}|RX)|(>{1,3}|TX))[\s:]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes on the line. number: of its line, from 1. time_s: None where none was written.
    sent: whether they went to the device.
    """

    number: int
    time_s: float | None
    sent: bool
    data: bytes


def read(lines: Iterable[str]) -> Iterator[Chunk | BadLine]:
    """Every line that is not blank and no comment."""
    days_s, before_s = 0.0, 0.0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            time_s, rest, of_day = _time(text)
            sent, rest = _way(rest)
            data = _bytes(rest)
        except ValueError:
            yield BadLine(number, text)
            continue
        if of_day and time_s is not None:
            days_s += DAY_S if time_s + days_s < before_s - DAY_S / 2 else 0.0
            time_s += days_s
            before_s = time_s
        yield Chunk(number, time_s, sent, data)


def written(chunk: Chunk) -> str:
    """A chunk as a line that `read` takes."""
    time = "" if chunk.time_s is None else f"({chunk.time_s:.6f}) "
    return f"{time}{'>' if chunk.sent else '<'} {chunk.data.hex()}"


def _time(text: str) -> tuple[float | None, str, bool]:
    """The time, what stands behind it, and whether it is a time of day."""
    if found := _SECONDS.match(text):
        return float(found[1] or found[2]), text[found.end() :], False
    if found := _DATE.match(text):
        stamp = datetime.fromisoformat(found[1].replace(",", "."))
        stamp = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        return stamp.timestamp(), text[found.end() :], False
    if found := _OF_DAY.match(text):
        hours, minutes, seconds = int(found[1]), int(found[2]), float(found[3].replace(",", "."))
        return 3600 * hours + 60 * minutes + seconds, text[found.end() :], True
    return None, text, False


def _way(text: str) -> tuple[bool, str]:
    tag = _TAG.match(text)
    rest = text[tag.end() :] if tag else text
    found = _WAY.match(rest)
    return (found is not None and found[2] is not None), rest[found.end() :] if found else rest


def _bytes(text: str) -> bytes:
    data = parse_bytes(text)
    if not isinstance(data, bytes) or not data:
        raise ValueError(f"no bytes: {text}")
    return data
