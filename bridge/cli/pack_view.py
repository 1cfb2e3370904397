"""One pack in a terminal: who it is, its state, and its cells as bars."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.meeting import Meeting, Way
from bridge.model import PackSample

BAR_WIDTH = 24
ROWS_MAX = 8  # more cells than that stand in two columns, so that 16 fit a terminal of 24 lines
LEAST_SPAN_V = 0.05  # the bars of a balanced pack need not show its last millivolt
EIGHTHS = " ▏▎▍▌▋▊▉█"
OLD_S = 5.0


def picture(way: Way, meeting: Meeting, age_s: float, problem: str | None = None) -> RenderableType:
    """Everything that a pack said, age_s ago. problem: why there is nothing newer."""
    parts: list[RenderableType] = [_head(way, meeting), _state(meeting.sample)]
    if meeting.sample.cell_voltages_v:
        parts += [Text(), _cells(meeting.sample)]
    if age_s > OLD_S:
        why = f": {problem}" if problem else ""
        parts += [Text(), Text(f"nothing new for {age_s:.0f} s{why}", style="bold red")]
    return Group(*parts)


def _head(way: Way, meeting: Meeting) -> Text:
    info = meeting.info
    said = [] if info is None else [info.model, info.firmware and f"firmware {info.firmware}", info.serial]
    who = ", ".join(_printable(part) for part in [way.entry.spec.maker, *said] if part)
    return Text.assemble((who, "bold"), f"\n{way} on {way.port}")


def _state(sample: PackSample) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in (
        ("voltage", _shown(sample.voltage_v, ".2f", "V")),
        ("current", _current(sample.current_a)),
        ("state of charge", _charge(sample)),
        ("temperatures", _temperatures(sample)),
        ("charging", _allowed(sample.charge_allowed, sample.charge_current_limit_a)),
        ("discharging", _allowed(sample.discharge_allowed, sample.discharge_current_limit_a)),
        ("protections", _alarms(sample.protections, "bold red")),
        ("warnings", _alarms(sample.warnings, "yellow")),
    ):
        table.add_row(name, value)
    return table


def _cells(sample: PackSample) -> Table:
    high_v, low_v = sample.cell_max_v, sample.cell_min_v
    shown = [_cell(n, cell_v, low_v, high_v) for n, cell_v in enumerate(sample.cell_voltages_v, start=1)]
    rows = len(shown) if len(shown) <= ROWS_MAX else (len(shown) + 1) // 2
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for _ in shown[::rows]:
        table.add_column(justify="right", style="dim", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, min_width=BAR_WIDTH + 1)
    for row in range(rows):
        table.add_row(*(part for cell in shown[row::rows] for part in cell))
    if high_v is not None and low_v is not None:
        table.add_row("", f"{1000 * (high_v - low_v):.0f} mV", "from low to high")
    return table


def _cell(
    number: int, cell_v: float | None, low_v: float | None, high_v: float | None
) -> tuple[str, str | Text, Text]:
    """Its number, its voltage and its bar; the highest and the lowest have colours of their own."""
    if cell_v is None or high_v is None or low_v is None:
        return f"{number}", Text("none", style="bold red"), Text("unreadable", style="bold red")
    style = "yellow" if cell_v == high_v else "cyan" if cell_v == low_v else "green"
    return f"{number}", f"{cell_v:.3f} V", Text(bar(cell_v, low_v, high_v), style=style)


def bar(cell_v: float, low_v: float, high_v: float) -> str:
    """A bar that is full for the highest cell and a tenth long for the lowest."""
    span_v = max(high_v - low_v, LEAST_SPAN_V)
    share = 1.0 - 0.9 * (high_v - cell_v) / span_v
    whole, eighths = divmod(round(8 * BAR_WIDTH * share), 8)
    return EIGHTHS[-1] * whole + EIGHTHS[eighths].strip()


def _current(current_a: float | None) -> str:
    way = "" if not current_a else "  charging" if current_a > 0 else "  discharging"
    return _shown(current_a, "+.1f", "A") + way


def _charge(sample: PackSample) -> str:
    soc = "unknown" if sample.soc is None else f"{100 * sample.soc:.1f} %"
    whole_ah = sample.full_ah or sample.design_ah
    amounts = "" if sample.remaining_ah is None else f"  {sample.remaining_ah:.1f} Ah"
    amounts += f" of {whole_ah:g} Ah" if amounts and whole_ah else f"  of {whole_ah:g} Ah" if whole_ah else ""
    health = "" if sample.soh is None else f", health {100 * sample.soh:.0f} %"
    cycles = "" if sample.cycles is None else f", {sample.cycles} cycles"
    return soc + amounts + health + cycles


def _temperatures(sample: PackSample) -> str:
    cells = " ".join(_shown(one, ".1f") for one in sample.temperatures_c) or "-"
    switches = sample.mosfet_temperature_c
    return f"{cells} °C" + ("" if switches is None else f", switches {switches:.1f} °C")


def _allowed(allowed: bool | None, limit_a: float | None) -> Text:
    words = {
        True: ("allowed", "green"),
        False: ("forbidden", "bold red"),
        None: ("not known to be allowed", "red"),
    }
    text = Text(*words[allowed])
    return text if limit_a is None else text.append(f", at most {limit_a:g} A", style="default")


def _alarms(alarms: Iterable[str], style: str) -> Text:
    named = sorted(alarms)
    return Text(", ".join(named), style=style) if named else Text("none")


def _shown(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}} {unit}".rstrip()


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())
