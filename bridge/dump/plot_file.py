"""A dump's picture as PNG or SVG: panels above each other, alarms as coloured lanes, silences shaded.

matplotlib comes with the extra `plot` and is imported only to draw.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridge.dump.picture import LIMITS, Line, Panel, Picture, Tone
from bridge.dump.reading import ABSOLUTE_S
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_INCHES, PANEL_INCHES, LANE_INCHES, HEAD_INCHES, LEAST_INCHES, DPI = 12.0, 1.45, 0.24, 0.9, 8.0, 100
SUFFIXES = (".png", ".svg")
COLOURS = {
    "voltage_v": "#1f5fa8", "current_a": "#1f5fa8", "soc_pct": "#1f5fa8", "soc_hires_pct": "#1f5fa8",
    "soh_pct": "#8a8f98", "cell_max_v": "#c2410c", "cell_min_v": "#1f5fa8", "temperature_max_c": "#c2410c",
    "temperature_c": "#6b7280", "temperature_min_c": "#1f5fa8", "charge_voltage_limit_v": "#2e7d32",
    "discharge_voltage_limit_v": "#b45309", "charge_current_limit_a": "#2e7d32",
    "discharge_current_limit_a": "#b45309",
}  # fmt: skip
BAND = "#2e7d32"
SILENCE, SILENCE_RGBA = "#9ca3af", "rgba(156,163,175,.3)"
TONES = {Tone.PROTECTION: "#d32f2f", Tone.WARNING: "#f59e0b", Tone.REQUEST: "#7e57c2", Tone.BUS: "#6b7280"}
READABLE = {**TONES, Tone.WARNING: "#b45309"}


def save(picture: Picture, path: Path) -> None:
    """Write PNG or SVG, by the file's ending. Raises ConfigError."""
    check(path)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lanes = len(picture.lanes)
    heights = [PANEL_INCHES] * len(picture.panels) + [LANE_INCHES * max(lanes, 1) + 0.1]
    grow = max(1.0, (LEAST_INCHES - HEAD_INCHES - heights[-1]) / max(1.0, sum(heights[:-1])))
    heights = [height * grow for height in heights[:-1]] + heights[-1:]
    figure = Figure(figsize=(WIDTH_INCHES, HEAD_INCHES + sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    axis = _Axis(picture)
    for axes, panel in zip(rows, picture.panels, strict=False):
        _panel(axes, panel, axis)
    _lanes(rows[-1], picture, axis)
    for axes in rows:
        for start_s, end_s in picture.silences:
            axes.axvspan(axis.x(start_s), axis.x(end_s), color=SILENCE, alpha=0.3, linewidth=0, zorder=0)
    axis.dress(rows[-1])
    figure.suptitle(title(picture), fontsize="medium", x=0.01, ha="left")
    try:
        with rc_context({"svg.hashsalt": "packbridge", "svg.fonttype": "none"}):
            figure.savefig(path, dpi=DPI, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a file that can be written") from None


def check(path: Path) -> None:
    """Raises ConfigError for what could not be drawn, before a long dump is read for it."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: write to a file that ends with {' or '.join(SUFFIXES)}")
    if find_spec("matplotlib") is None:
        raise ConfigError('drawing needs matplotlib: pip install "packbridge[plot]"; --html does without')


def title(picture: Picture) -> str:
    """What it is a picture of, in a line."""
    names = f" ({', '.join(picture.names)})" if picture.names else ""
    return f"{picture.source}: {picture.dialect}{names}, {picture.frames} frames"


class _Axis:
    """The axis of time: of the day where the log says it, else since its start."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self.absolute = not picture.numbered and picture.start_s > ABSOLUTE_S
        long_s = picture.end_s - picture.start_s
        self._unit, self._scale = next(
            (one for one in (("h", 3600.0), ("min", 60.0)) if long_s > 3 * one[1]), ("s", 1.0)
        )

    def x(self, time_s: float) -> float:
        """Where a moment is."""
        if self.absolute:
            return time_s / 86400.0
        return time_s if self._picture.numbered else (time_s - self._picture.start_s) / self._scale

    def xs(self, line: Line) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Where the points of a line are."""
        return np.array([self.x(time_s) for time_s in line.time_s.tolist()])

    def dress(self, axes: Axes) -> None:
        """Ticks and label."""
        low, high = self.x(self._picture.start_s), self.x(self._picture.end_s)
        axes.set_xlim(low, high if high > low else low + 1.0)
        if not self.absolute:
            axes.set_xlabel("frame" if self._picture.numbered else f"time since the start, {self._unit}")
            return
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        zone = datetime.fromtimestamp(self._picture.start_s, UTC).astimezone().tzinfo
        locator = AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]  # matplotlib has no types here
        axes.xaxis.set_major_locator(locator)
        formatter = ConciseDateFormatter(locator, tz=zone)  # type: ignore[no-untyped-call]  # nor here
        axes.xaxis.set_major_formatter(formatter)
        axes.set_xlabel(f"time, {zone}")


def _panel(axes: Axes, panel: Panel, axis: _Axis) -> None:
    axes.set_ylabel(f"{panel.title}, {panel.unit}")
    if panel.band is not None:
        low, high = panel.band
        x, bottom, top = together(low, high)
        axes.fill_between(
            np.array([axis.x(one) for one in x.tolist()]), bottom, top, step="post", color=BAND, alpha=0.12,
            linewidth=0, label="allowed",
        )  # fmt: skip
    for line in (*panel.lines, *(panel.band or ())):
        limit = line.name in LIMITS
        axes.plot(
            axis.xs(line), line.value, drawstyle="steps-post", color=COLOURS.get(line.name),
            linewidth=1.0 if limit else 1.3, linestyle="--" if limit else "-", label=line.label,
        )  # fmt: skip
    axes.margins(y=0.08)
    axes.grid(alpha=0.25)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.005, 1.0), fontsize="small", frameon=False, borderaxespad=0
    )


def _lanes(axes: Axes, picture: Picture, axis: _Axis) -> None:
    axes.set_ylabel("alarms", rotation=90)
    axes.yaxis.set_label_position("left")
    for row, lane in enumerate(picture.lanes):
        bars = [(axis.x(start), axis.x(end) - axis.x(start)) for start, end in lane.spans]
        axes.broken_barh(bars, (row - 0.38, 0.76), color=TONES[lane.tone], linewidth=0.8)
    axes.set_yticks(range(len(picture.lanes)), labels=[""] * len(picture.lanes))
    axes.set_ylim(max(len(picture.lanes), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    for row, lane in enumerate(picture.lanes):
        axes.annotate(
            lane.label, (1.005, row), xycoords=("axes fraction", "data"), fontsize="small", va="center",
            color=READABLE[lane.tone], annotation_clip=False,
        )  # fmt: skip
    if not picture.lanes:
        axes.text(0.5, 0.5, "no alarm stood", transform=axes.transAxes, ha="center", va="center", color="0.4")
    axes.grid(axis="x", alpha=0.25)


def together(low: Line, high: Line) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Two lines at all times of both, each as it was last said."""
    times = np.unique(np.concatenate([low.time_s, high.time_s]))
    return times, *(_at(line, times) for line in (low, high))


def _at(
    line: Line, times: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    places = np.searchsorted(line.time_s, times, "right") - 1
    return np.where(places >= 0, line.value[np.maximum(places, 0)], np.nan)
