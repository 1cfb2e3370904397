"""Draws a run: the bank with its limits, each pack with its own, charge, and cell voltages.

matplotlib comes with the extra `plot`, brings Pillow, and is imported only to draw. A drawing has few
colours, so a palette makes the file a fifth as large.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import ConfigError
from bridge.sim.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (11.0, 11.0)
DPI = 80
COLOURS = 32
HOURS_FROM_S = 3 * 3600.0


def draw(trace: Trace, title: str, path: Path) -> None:
    """Write a PNG. Raises ConfigError without matplotlib, or if the file cannot be written."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from PIL import Image
    except ImportError:
        raise ConfigError('drawing needs matplotlib: pip install "packbridge[plot]"') from None
    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    bank, packs, charge, cells = figure.subplots(4, 1, sharex=True, height_ratios=(3, 3, 2, 2))
    figure.suptitle(title)
    last_s = trace.moments[-1].time_s if trace.moments else 0.0
    unit, scale = ("h", 3600.0) if last_s > HOURS_FROM_S else ("min", 60.0)
    times = [moment.time_s / scale for moment in trace.moments]
    _bank(bank, times, trace)
    _packs(packs, times, trace)
    _charge(charge, times, trace)
    _cells(cells, times, trace)
    cells.set_xlabel(unit)
    for axes in (bank, packs, charge, cells):
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right", fontsize="small", ncols=2)
    whole = BytesIO()
    figure.savefig(whole, format="png")
    few = Image.open(whole).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    try:
        few.save(path, "png", optimize=True)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a file that can be written") from None


def _bank(axes: Axes, times: list[float], trace: Trace) -> None:
    axes.set_ylabel("bank, A")
    said = [moment.said.command if moment.said else None for moment in trace.moments]
    axes.plot(times, [m.wanted_a for m in trace.moments], color="0.75", label="wanted")
    axes.plot(times, [m.bank_a for m in trace.moments], color="tab:blue", label="flows")
    axes.plot(times, [c.charge_current_limit_a if c else 0.0 for c in said], "g-", label="CCL")
    axes.plot(times, [-c.discharge_current_limit_a if c else 0.0 for c in said], "r-", label="DCL")


def _packs(axes: Axes, times: list[float], trace: Trace) -> None:
    axes.set_ylabel("packs, A")
    for number, name in enumerate(trace.packs):
        color = f"C{number}"
        axes.plot(times, [m.pack_a[number] for m in trace.moments], color=color, label=name)
        limits = [
            m.charge_limit_a[number] if m.bank_a > 0 else -m.discharge_limit_a[number] for m in trace.moments
        ]
        axes.plot(times, limits, color=color, linestyle=":")


def _charge(axes: Axes, times: list[float], trace: Trace) -> None:
    axes.set_ylabel("SoC, %")
    for number, name in enumerate(trace.packs):
        axes.plot(times, [100 * m.pack_soc[number] for m in trace.moments], color=f"C{number}", label=name)
    shown = [100 * m.said.soc if m.said and m.said.soc is not None else float("nan") for m in trace.moments]
    axes.plot(times, shown, "k--", label="shown")


def _cells(axes: Axes, times: list[float], trace: Trace) -> None:
    axes.set_ylabel("cells, V")
    axes.plot(times, [m.cell_max_v for m in trace.moments], label="highest")
    axes.plot(times, [m.cell_min_v for m in trace.moments], label="lowest")
