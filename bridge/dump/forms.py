"""Which form a log has: told by its first bytes, never by its name."""

from __future__ import annotations

import re
from itertools import pairwise

from bridge.dump import candump_lines

CANDUMP, DELTA = "candump", "candump-delta"
FORMS = (CANDUMP, DELTA, "asc", "blf", "csv", "trc", "savvycan", "mf4")
"""candump-delta: with times since the frame before, as `candump -t d` shows them."""

MAGIC = {b"LOGG": "blf", b"MDF ": "mf4", b"UnFinMF": "mf4"}
PYTHON_CAN_CSV = b"timestamp,arbitration_id,"
SAVVYCAN_CSV = b"Time Stamp,ID,"
TRC = re.compile(rb"\s*(;\$FILEVERSION|;#{5}|\d+\)\s+\d+(\.\d+)?\s)")
ASC = re.compile(
    rb"\s*(date\s+\w{3}\s|base\s+(hex|dec)\b|//\s*version|\d+\.\d+\s+(CANFD|\d+)\s+\w+\s+[TR]x\s)",
    re.IGNORECASE,
)
BACKWARDS = 0.1  # part of the steps; times from the start, of two buses, do it now and then
TIMES_MIN = 4


def recognised(head: bytes) -> str:
    """The form of a log with these first bytes; candump's, where lines are read in many shapes, if none."""
    for magic, form in MAGIC.items():
        if head.startswith(magic):
            return form
    text = head.removeprefix(b"\xef\xbb\xbf")
    if text.startswith(PYTHON_CAN_CSV):
        return "csv"
    if text.startswith(SAVVYCAN_CSV):
        return "savvycan"
    if TRC.match(text):
        return "trc"
    if ASC.match(text):
        return "asc"
    return DELTA if _delta(text) else CANDUMP


def _delta(text: bytes) -> bool:
    """Whether times begin anew so often that they must count from the frame before."""
    lines = text.decode(errors="replace").splitlines()[:-1]
    times = [line.time_s for one in lines[:500] if (line := candump_lines.parse(one)) is not None]
    if len(times) < TIMES_MIN or max(times) > 1e6:
        return False
    return sum(after < before for before, after in pairwise(times)) > BACKWARDS * len(times)
