"""A dump's picture in a terminal: each panel in braille, alarms as bars, silences shaded.

A character holds two by four dots, as in `curve_view`. Each column shows from the least to the greatest that
was said in it, so that no peak is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from bridge.cli.curve_view import BLANK, DOTS
from bridge.dump.block import Floats
from bridge.dump.picture import Line, Panel, Picture, Tone
from bridge.dump.plot_file import title
from bridge.dump.reading import ABSOLUTE_S

HEIGHT, LABEL = 5, 8
LEAST_WIDTH = 20
STYLES = {
    Tone.PROTECTION: "bold red",
    Tone.WARNING: "yellow",
    Tone.REQUEST: "magenta",
    Tone.BUS: "bright_black",
}
COLOURS = ("cyan", "yellow", "green")
LIMIT = "bright_black"
SILENT = "░"
BAR = "█"


def picture(shown: Picture, width: int) -> RenderableType:
    """All of it. width: characters of a line."""
    columns = max(LEAST_WIDTH, width - LABEL - 2)
    parts: list[RenderableType] = [Text(title(shown), style="bold")]
    for panel in shown.panels:
        parts.append(_head(panel))
        parts += _drawn(panel, shown, columns)
    parts.append(_axis(shown, columns))
    parts += [_lane(lane.label, STYLES[lane.tone], lane.spans, shown, columns) for lane in shown.lanes]
    if not shown.lanes:
        parts.append(Text("no alarm stood", style="green"))
    return Group(*parts)


def _head(panel: Panel) -> Text:
    text = Text(f"{panel.title}, {panel.unit}", style="bold")
    for number, line in enumerate(panel.lines):
        text.append(f"  {line.label} {_range(line)}", style=f"not bold {COLOURS[number % len(COLOURS)]}")
    for line in panel.band or ():
        text.append(f"  {line.label} {_range(line)}", style=f"not bold {LIMIT}")
    return text


def _range(line: Line) -> str:
    known = line.value[~np.isnan(line.value)]
    if not len(known):
        return "-"
    low, high = known.min(), known.max()
    return f"{low:.5g}" if low == high else f"{low:.5g} to {high:.5g}"


def _drawn(panel: Panel, shown: Picture, columns: int) -> Iterator[Text]:
    lines = panel.lines or (panel.band or ())
    values = np.concatenate([line.value for line in lines])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = (high - low) * 0.05 or max(abs(high) * 0.01, 0.1)
    scale = low - room, high + room
    layers = [(_dots(line, shown, columns, scale), LIMIT) for line in panel.band or () if panel.lines]
    layers += [
        (_dots(line, shown, columns, scale), COLOURS[number % len(COLOURS)])
        for number, line in enumerate(lines)
    ]
    silent = _columns(shown.silences, shown, columns)
    for row in range(HEIGHT):
        value = scale[1] - (scale[1] - scale[0]) * row / (HEIGHT - 1)
        text = Text(f"{value:>{LABEL}.5g} " if row in {0, HEIGHT - 1} else " " * (LABEL + 1)).append("┤")
        for column in range(columns):
            bits, style = 0, ""
            for layer, colour in layers:
                if layer[row][column]:
                    bits, style = bits | layer[row][column], colour
            text.append(
                chr(BLANK | bits) if bits else SILENT if silent[column] else " ", style=style or LIMIT
            )
        yield text


def _dots(line: Line, shown: Picture, columns: int, scale: tuple[float, float]) -> list[list[int]]:
    """The bits of each braille character; what lies outside the scale is not there."""
    cells = [[0] * columns for _ in range(HEIGHT)]
    edges = np.linspace(shown.start_s, max(shown.end_s, shown.start_s + 1e-3), 2 * columns + 1)
    for column, (low, high) in enumerate(_least_and_most(line, edges)):
        if np.isnan(low):
            continue
        top, bottom = (
            int(np.rint((scale[1] - value) / (scale[1] - scale[0]) * (4 * HEIGHT - 1)))
            for value in (high, low)
        )
        for row in range(max(top, 0), min(bottom, 4 * HEIGHT - 1) + 1):
            cells[row // 4][column // 2] |= DOTS[row % 4][column % 2]
    return cells


def _least_and_most(line: Line, edges: Floats) -> Iterator[tuple[float, float]]:
    """Of the points in each stretch, and of what still held when it began."""
    places = np.searchsorted(line.time_s, edges)
    for start, end in zip(places[:-1].tolist(), places[1:].tolist(), strict=True):
        inside = line.value[max(start - 1, 0) : end]
        known = inside[~np.isnan(inside)]
        if len(known) and not (end <= start and np.isnan(line.value[max(start - 1, 0)])) and end > 0:
            yield float(known.min()), float(known.max())
        else:
            yield np.nan, np.nan


def _columns(spans: tuple[tuple[float, float], ...], shown: Picture, columns: int) -> list[bool]:
    """Which columns a span touches."""
    found = [False] * columns
    length_s = max(shown.end_s - shown.start_s, 1e-3)
    for start, end in spans:
        first, last = (int(columns * (time_s - shown.start_s) / length_s) for time_s in (start, end))
        for column in range(max(first, 0), min(last, columns - 1) + 1):
            found[column] = True
    return found


def _axis(shown: Picture, columns: int) -> Text:
    low, middle, high = (_moment(shown, share) for share in (0.0, 0.5, 1.0))
    return Text(
        " " * (LABEL + 2) + f"{low}{middle.center(columns - len(low) - len(high))}{high}", style=LIMIT
    )


def _moment(shown: Picture, share: float) -> str:
    time_s = shown.start_s + share * (shown.end_s - shown.start_s)
    if shown.numbered:
        return f"frame {time_s:.0f}"
    if shown.start_s <= ABSOLUTE_S:
        return f"{time_s:.1f} s"
    form = "%m-%d %H:%M:%S" if share == 0.0 else "%H:%M:%S"
    return datetime.fromtimestamp(time_s, UTC).astimezone().strftime(form)


def _lane(
    label: str, style: str, spans: tuple[tuple[float, float], ...], shown: Picture, columns: int
) -> Text:
    there = _columns(spans, shown, columns)
    text = Text(" " * (LABEL + 2))
    text.append("".join(BAR if one else "·" for one in there), style=style)
    return text.append(f"\n{' ' * (LABEL + 2)}{label}", style=style)
