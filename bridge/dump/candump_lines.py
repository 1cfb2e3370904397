"""One line of candump, in any of its forms: what the fast reader hands over because it is no plain line.

    (1436509052.249713) can0 351#3002E803DC05CC01 T        -l, -L, with -x a direction
    (1436509052.249713) can0 123##1A0B0  123#R8  20000004#0004000000000000
     can0  351   [8]  30 02 E8 03 DC 05 CC 01   '0.......'  on the screen
     (000.100000)  can0  RX - -  18FF0001   [2]  11 22     with -t and -x
     can0  351   [2]  02`30                     with -S: the last byte first

Source: linux-can/can-utils, lib.c and candump.c; frames alone (`351#11`) are cansend's.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from bridge.dump.block import ERROR, EXTENDED, FD, REMOTE, SENT

NO_TIME = float("nan")
ERROR_FLAG, REMOTE_FLAG, EXTENDED_FLAG = 0x20000000, 0x40000000, 0x80000000
EXTENDED_IDS, STANDARD_IDS = 1 << 29, 1 << 11
FD_BYTES, CLASSIC_BYTES = 64, 8

TIME = r"(?:\(\s*(?P<date>\d{4}-\d\d-\d\d )?(?P<time>[\d:]+\.\d+)\)\s*)?"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
LOGGED = re.compile(
    TIME + r"(?:(?P<channel>\S+)\s+)?(?P<id>[0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})#"
    r"(?P<fd>#[0-9A-Fa-f])?(?P<data>[Rr][0-8]?(?:_[9A-Fa-f])?|(?:[0-9A-Fa-f]{2}\.?)*(?:_[9A-Fa-f])?)"
    r"(?:\s+(?P<way>[RT]))?"
)
SHOWN = re.compile(
    TIME + r"(?:(?P<channel>\S+)\s+)?(?:(?P<way>[RT])X\s+\S+\s+\S+\s+)?"
    r"(?P<id>[0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})\s+(?:\[(?P<length>\d{1,2})\]|\{[0-9A-Fa-f]\})"
    r"(?P<data>\s+remote request|(?:[\s`]+[0-9A-Fa-f]{2})*)"
    r"(?:\s+ERRORFRAME|\s+'.*)?"
)


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says. data: at most 8 bytes of `length`; flags: as in a block."""

    time_s: float
    channel: str
    can_id: int
    flags: int
    length: int
    data: bytes


def parse(text: str) -> Line | None:
    """The frame of a line; None if there is none in it."""
    text = COLOURS.sub("", text).strip()
    if found := LOGGED.fullmatch(text):
        return _logged(found)
    if found := SHOWN.fullmatch(text):
        return _shown(found)
    return None


def _logged(found: re.Match[str]) -> Line | None:
    written = found["data"].partition("_")[0].replace(".", "")
    if written[:1] in {"R", "r"}:
        return _line(found, REMOTE, int(written[1:] or 0), b"")
    data = bytes.fromhex(written)
    return _line(found, FD if found["fd"] else 0, len(data), data)


def _shown(found: re.Match[str]) -> Line | None:
    if "remote" in found["data"]:
        return _line(found, REMOTE, int(found["length"] or 0), b"")
    swapped = "`" in found["data"]  # candump -S: the last byte first
    data = bytes.fromhex(found["data"].replace("`", " "))[:: -1 if swapped else 1]
    if len(data) != int(found["length"] or len(data)):
        return None  # cut, or continued on the next line
    return _line(found, FD if len(data) > CLASSIC_BYTES else 0, len(data), data)


def _line(found: re.Match[str], flags: int, length: int, data: bytes) -> Line | None:
    if length > (FD_BYTES if flags & FD else CLASSIC_BYTES):
        return None
    identity = identifier(int(found["id"], 16), len(found["id"]))
    if identity is None:
        return None
    can_id, more = identity
    flags |= more | (SENT if found["way"] == "T" else 0)
    if (time_s := _time_s(found["date"], found["time"])) is None:
        return None
    return Line(time_s, found["channel"] or "", can_id, flags, length, data[:CLASSIC_BYTES])


def identifier(written: int, digits: int) -> tuple[int, int] | None:
    """(identifier, flags) of what stands before a `#` in so many digits; None if it can be none."""
    if digits == 3:
        return (written, 0) if written < STANDARD_IDS else None
    flags = EXTENDED if not written & ERROR_FLAG else ERROR
    flags |= REMOTE if written & REMOTE_FLAG else 0
    return written % EXTENDED_IDS, flags


def _time_s(date: str | None, time: str | None) -> float | None:
    """Seconds; a date with -t A is in the local time of whoever logged, which is taken for ours."""
    if time is None:
        return NO_TIME
    try:
        if date is not None:
            return dt.datetime.fromisoformat(date + time).timestamp()
        return float(time)
    except (ValueError, OverflowError):
        return None
