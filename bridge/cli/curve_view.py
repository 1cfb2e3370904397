"""Derating curves in a terminal of 80 columns, charging on the left and discharging on the right.

A character holds two by four dots (braille), so that a slope looks like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.battery.curve_book import Shown

WIDTH, HEIGHT = 30, 7  # of the drawing, in characters
LABEL = 7  # of the scale to its left
STOP = "┊"
BLANK = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot in a braille character, by row and column; Unicode 15, block 2800."""


def picture(curves: Sequence[Shown]) -> RenderableType:
    """The curves of one pack."""
    grid = Table.grid(padding=(0, 2, 1, 0))
    charging = [curve for curve in curves if curve.charging]
    discharging = [curve for curve in curves if not curve.charging]
    by_title = {curve.key.partition("_by_")[2]: curve for curve in discharging}
    left_over = {**by_title}
    for curve in charging:
        other = left_over.pop(curve.key.partition("_by_")[2], None)
        grid.add_row(_panel(curve), "" if other is None else _panel(other))
    for other in left_over.values():
        grid.add_row("", _panel(other))
    return Group(Text(curves[0].pack, style="bold"), Text(), grid)


def _panel(curve: Shown) -> Text:
    """Title, drawing with its scale, and the hard stops."""
    text = Text()
    text.append("charge" if curve.charging else "discharge", style="bold")
    text.append(f" over {curve.title}\n").append(f"{curve.name}\n", style="cyan")
    stops = {column for stop in curve.stops if 0 <= (column := _column(curve, stop)) < WIDTH}
    for number, line in enumerate(drawn(curve)):
        amps = curve.carry_a * (1.0 - number / (HEIGHT - 1))
        text.append(f"{amps:>{LABEL - 2}.0f} " if number % 3 == 0 else " " * (LABEL - 1)).append("┤")
        for column, letter in enumerate(line):
            if letter == chr(BLANK) and column in stops:
                text.append(STOP, style="red")
            else:
                text.append(
                    " " if letter == chr(BLANK) else letter, style="green" if curve.charging else "yellow"
                )
        text.append("\n")
    low, high = (_number(curve, x) for x in curve.ends)
    middle = _number(curve, sum(curve.ends) / 2).center(WIDTH - len(low) - len(high))
    text.append(" " * LABEL + f"{low}{middle}{high}\n", style="dim")
    return text.append(f"   A over {curve.unit.replace('deg', '°')}{_stops(curve)}", style="dim")


def _stops(curve: Shown) -> str:
    """Where current ends: beyond both ends of a window, else on the side that the direction leads to."""
    match curve.stops:
        case (low, high):
            return f", none up to {low:g}, from {high:g}"
        case (stop,):
            return f", none {'from' if curve.charging else 'up to'} {stop:.4g}"
        case _:
            return ""


def drawn(curve: Shown) -> list[str]:
    """The line in braille, from the top; blank characters where it does not pass."""
    low, high = curve.ends
    columns, rows = 2 * WIDTH, 4 * HEIGHT
    heights = []
    for column in range(columns):
        amps = curve.amps(low + (high - low) * column / (columns - 1))
        share = amps / curve.carry_a if curve.carry_a > 0 else 0.0
        heights.append(round((rows - 1) * (1.0 - min(1.0, share))))
    cells = [[BLANK] * WIDTH for _ in range(HEIGHT)]
    for column, (here, after) in enumerate(pairwise([*heights, heights[-1]])):
        for row in range(min(here, after), max(here, after) + 1):
            cells[row // 4][column // 2] |= DOTS[row % 4][column % 2]
    return ["".join(map(chr, line)) for line in cells]


def _column(curve: Shown, x: float) -> int:
    low, high = curve.ends
    return int((WIDTH - 1) * (x - low) / (high - low) + 0.5)


def _number(curve: Shown, x: float) -> str:
    return f"{x:.2f}" if curve.unit == "V" else f"{x:.0f}"
