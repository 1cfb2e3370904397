"""Derating curves as a picture: one row a kind, charging beside discharging, one line a pack.

matplotlib comes with the extra `plot`, and is imported only to draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.battery.curve_book import Shown
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_INCHES, WIDTH_INCHES, DPI = 2.6, 11.0, 80


def draw(curves: Sequence[Shown], path: Path) -> None:
    """Write a PNG. Raises ConfigError without matplotlib, or if the file cannot be written."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError('drawing needs matplotlib: pip install "packbridge[plot]"') from None
    kinds = list(dict.fromkeys(curve.key.partition("_by_")[2] for curve in curves))
    packs = list(dict.fromkeys(curve.pack for curve in curves))
    figure = Figure(figsize=(WIDTH_INCHES, ROW_INCHES * len(kinds)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(kinds), 2, squeeze=False)
    for row, kind in zip(grid, kinds, strict=True):
        for axes, verb in zip(row, ("charge", "discharge"), strict=True):
            here = [curve for curve in curves if curve.key == f"{verb}_by_{kind}"]
            ends = min([c.ends[0] for c in here], default=0.0), max([c.ends[1] for c in here], default=0.0)
            for curve in here:
                _line(axes, curve, ends, f"C{packs.index(curve.pack)}")
            _dress(axes, verb, here)
    try:
        figure.savefig(path, dpi=DPI)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a file that can be written") from None


def _line(axes: Axes, curve: Shown, ends: tuple[float, float], color: str) -> None:
    low, high = ends
    points = [
        (low, curve.amps(low)),
        *[p for p in curve.points if low < p[0] < high],
        (high, curve.amps(high)),
    ]
    axes.plot(
        [x for x, _ in points], [y for _, y in points], color=color, label=f"{curve.pack}: {curve.name}"
    )
    for stop in curve.stops:
        axes.axvline(stop, color=color, linestyle=":", alpha=0.7)


def _dress(axes: Axes, verb: str, curves: Sequence[Shown]) -> None:
    if not curves:
        axes.set_axis_off()
        return
    axes.set_title(f"{verb} over {curves[0].title}", fontsize="medium")
    axes.set_xlabel(curves[0].unit)
    axes.set_ylabel("A")
    axes.set_ylim(bottom=0.0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
