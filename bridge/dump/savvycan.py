"""SavvyCAN's CSV: a line a frame, times in microseconds, bytes in columns of their own.

    Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8
    1000,00000351,false,Rx,0,8,30,02,E8,03,DC,05,CC,01,

Source: collin80/SavvyCAN, framefileio.cpp; older versions have no Dir.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from bridge.dump.block import EXTENDED, SENT
from bridge.dump.candump_lines import CLASSIC_BYTES, EXTENDED_IDS, STANDARD_IDS, Line
from bridge.dump.opening import as_text
from bridge.dump.problems import Problems
from bridge.dump.rows import Numbered

FIRST_BYTE = "D1"


def rows(stream: io.BufferedReader, source: str, problems: Problems) -> Iterator[Numbered]:
    """The frames of the log, with the numbers of their lines."""
    columns: list[str] = []
    with as_text(stream) as lines:
        for number, text in enumerate(lines, start=1):
            cells = text.strip().split(",")
            if FIRST_BYTE in cells:
                columns = cells
            elif text.strip():
                try:
                    yield number, _line(columns, cells)
                except (ValueError, KeyError):
                    problems.add(source, number, text.strip())


def _line(columns: list[str], cells: list[str]) -> Line:
    """Raises ValueError or KeyError if the cells are no frame."""
    said = dict(zip(columns, cells, strict=False))
    extended = said["Extended"].strip().lower() in {"true", "1"}
    can_id, length = int(said["ID"], 16), int(said["LEN"])
    if not 0 <= can_id < (EXTENDED_IDS if extended else STANDARD_IDS) or not 0 <= length <= CLASSIC_BYTES:
        raise ValueError
    first = columns.index(FIRST_BYTE)
    return Line(
        time_s=float(said["Time Stamp"]) / 1e6,
        channel=said["Bus"].strip(),
        can_id=can_id,
        flags=(EXTENDED if extended else 0) | (SENT if said.get("Dir", "").strip() == "Tx" else 0),
        length=length,
        data=_bytes(cells[first : first + length], length),
    )


def _bytes(cells: list[str], length: int) -> bytes:
    if len(cells) < length:
        raise ValueError
    return bytes(int(cell, 16) for cell in cells)
