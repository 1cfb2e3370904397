"""A dump's picture as one HTML file that needs nothing else: to look into, and to send to somebody.

The data stands in the page as JSON, the script that draws it beside it (`page.html`); a policy in its head
keeps the page from asking the network for anything.
"""

from __future__ import annotations

import html
import json
import math
from pathlib import Path

import numpy as np

from bridge.dump.picture import LIMITS, Line, Picture
from bridge.dump.plot_file import COLOURS, SILENCE_RGBA, TONES, title
from bridge.dump.reading import ABSOLUTE_S
from bridge.errors import ConfigError

TEMPLATE = Path(__file__).with_name("page.html")
DIGITS = 6
Json = dict[str, object]


def save(picture: Picture, path: Path) -> None:
    """Write the page. Raises ConfigError."""
    try:
        path.write_text(page(picture), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a file that can be written") from None


def page(picture: Picture) -> str:
    """The whole page."""
    data = json.dumps(content(picture), separators=(",", ":"), allow_nan=False)
    text = TEMPLATE.read_text(encoding="utf-8").replace("__TITLE__", html.escape(title(picture)), 1)
    return text.replace("__DATA__", data.replace("<", "\\u003c"), 1)  # nothing in it ends the script


def content(picture: Picture) -> Json:
    """What the page draws: times in seconds from the start, those of lines as steps in ms."""
    start_s = picture.start_s
    return {
        "title": title(picture),
        "numbered": picture.numbered,
        "epoch_s": None if picture.numbered or start_s <= ABSOLUTE_S else start_s,
        "length_s": round(picture.end_s - start_s, 3),
        "silence": SILENCE_RGBA,
        "silences": _spans(picture.silences, start_s),
        "panels": [
            {
                "title": panel.title,
                "unit": panel.unit,
                "lines": [_line(line, start_s) for line in (*panel.lines, *(panel.band or ()))],
                "band": None if panel.band is None else [len(panel.lines), len(panel.lines) + 1],
            }
            for panel in picture.panels
        ],
        "lanes": [
            {"label": lane.label, "colour": TONES[lane.tone], "spans": _spans(lane.spans, start_s)}
            for lane in picture.lanes
        ],
    }


def _line(line: Line, start_s: float) -> Json:
    steps_ms = np.diff(np.round((line.time_s - start_s) * 1000.0), prepend=0.0)
    return {
        "name": line.name,
        "label": line.label,
        "colour": COLOURS.get(line.name, "#374151"),
        "limit": line.name in LIMITS,
        "t": [int(step) for step in steps_ms.tolist()],
        "v": [None if math.isnan(value) else float(f"{value:.{DIGITS}g}") for value in line.value.tolist()],
    }


def _spans(spans: tuple[tuple[float, float], ...], start_s: float) -> list[list[float]]:
    return [[round(start - start_s, 3), round(end - start_s, 3)] for start, end in spans]
