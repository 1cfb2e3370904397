"""A dump as a picture over time, before anybody has chosen how to draw it.

Lines (numbers in panels, by unit), bands (what lies between two limits), lanes (when an alarm stood), and
the times when the battery was silent. The drawings, in a file, a page or a terminal, only place these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bridge.dump.block import ERROR, Block, Floats
from bridge.dump.decoding import Decoding, Part
from bridge.dump.thinning import Spans, Thinned
from bridge.sinks.dialect import Kind, Signal

SILENT_AFTER_S = 3.0  # inverters give a battery up after 5 to 60 s
SLOW_PERIODS = 3.0  # what comes seldom is missed after so many of its own periods
ERRORS_TOGETHER_S = 1.0
MARKED_S = 0.5  # a single error frame, so that it can be seen


class Tone(StrEnum):
    """How grave a lane is."""

    PROTECTION = "protection"
    WARNING = "warning"
    REQUEST = "request"  # what the battery asks the inverter for, or forbids it
    BUS = "bus"


@dataclass(frozen=True, slots=True)
class Line:
    """A signal over time, thinned, NaN where it was not known."""

    name: str
    time_s: Floats
    value: Floats

    @property
    def label(self) -> str:
        """Its name without the unit, for a person."""
        return LABELS.get(self.name) or self.name.rpartition("_")[0].replace("_", " ")


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines with one unit. band: the names of the lower and the upper limit around them."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    band: tuple[Line, Line] | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """When something stood."""

    label: str
    tone: Tone
    spans: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that is drawn. numbered: the log has no times, and these are frames' numbers.

    quiet_alarms: how many alarms the dialect has that never stood; they have no lane.
    """

    source: str
    dialect: str
    names: tuple[str, ...]
    start_s: float
    end_s: float
    numbered: bool
    panels: tuple[Panel, ...]
    lanes: tuple[Lane, ...]
    silences: tuple[tuple[float, float], ...]
    frames: int
    quiet_alarms: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which quantities share a panel; the limits are drawn as a band. mirrored: the lower one is
    said as a positive number.
    """

    title: str
    unit: str
    lines: tuple[str, ...]
    band: tuple[str, str] | None = None
    mirrored: bool = False


PLANS = (
    _Plan("voltage", "V", ("voltage_v",), ("discharge_voltage_limit_v", "charge_voltage_limit_v")),
    _Plan(
        "current", "A", ("current_a",), ("discharge_current_limit_a", "charge_current_limit_a"), mirrored=True
    ),
    _Plan("charge", "%", ("soc_pct", "soc_hires_pct", "soh_pct")),
    _Plan("cells", "V", ("cell_max_v", "cell_min_v")),
    _Plan("temperature", "°C", ("temperature_max_c", "temperature_c", "temperature_min_c")),
)
LABELS = {
    "soc_pct": "SoC",
    "soh_pct": "SoH",
    "soc_hires_pct": "SoC, fine",
    "charge_voltage_limit_v": "CVL",
    "discharge_voltage_limit_v": "DVL",
    "charge_current_limit_a": "CCL",
    "discharge_current_limit_a": "DCL",
    "cell_max_v": "highest cell",
    "cell_min_v": "lowest cell",
    "temperature_max_c": "hottest",
    "temperature_min_c": "coldest",
}
FLAGS = {  # the value that is worth a lane, and what it means then
    "charge_enabled": (False, "charging not allowed", Tone.REQUEST),
    "discharge_enabled": (False, "discharging not allowed", Tone.REQUEST),
    "charge_forbidden": (True, "charging not allowed", Tone.REQUEST),
    "discharge_forbidden": (True, "discharging not allowed", Tone.REQUEST),
    "force_charge_1": (True, "asks to be charged (1)", Tone.REQUEST),
    "force_charge_2": (True, "asks to be charged (2)", Tone.REQUEST),
    "full_charge_request": (True, "asks for a full charge", Tone.REQUEST),
    "stopped": (True, "stopped", Tone.PROTECTION),
    "faulted": (True, "faulted", Tone.PROTECTION),
}
KELVIN = {"temperature_max_k": "temperature_max_c", "temperature_min_k": "temperature_min_c"}
ZERO_C_K = 273.0  # as all dialects with kelvins have it
LIMITS = frozenset(name for plan in PLANS for name in plan.band or ())
NUMBERS = frozenset(name for plan in PLANS for name in plan.lines) | LIMITS
NAMES = ("manufacturer_name", "brand", "maker_initials", "bms_name_begin")


class Artist:
    """Takes blocks in and gives the picture. decoding: of the one dialect that is drawn.

    silent_after_s: what the battery's silence is shaded from.
    """

    def __init__(self, decoding: Decoding, silent_after_s: float = SILENT_AFTER_S) -> None:
        self._decoding = decoding
        self._silent_after_s = silent_after_s
        self._signals: dict[str, Thinned] = {}
        self._kinds: dict[str, Signal] = {}
        self._last_s: dict[tuple[int, bool, int | None], float] = {}
        self._battery, self._inverter = Spans(silent_after_s), Spans(silent_after_s)
        self._errors = Spans(ERRORS_TOGETHER_S)
        self._names: dict[str, str] = {}
        self._frames = 0
        self._numbered = False
        self._start_s, self._end_s = np.inf, -np.inf
        self._source = ""

    def add(self, block: Block) -> None:
        """The next frames."""
        time_s = self._times(block)
        self._source = self._source or block.source
        self._frames += len(block)
        if len(block):
            self._start_s = min(self._start_s, float(time_s.min()))
            self._end_s = max(self._end_s, float(time_s.max()))
        self._errors.add(time_s[(block.flags & ERROR) != 0])
        for part in self._decoding.split(block):
            here_s = time_s[part.rows]
            (self._battery if part.message.ours else self._inverter).add(here_s)
            self._part(part, here_s)

    def picture(self) -> Picture:
        """All that was taken in."""
        lines = {name: Line(name, *thinned.points()) for name, thinned in self._signals.items()}
        silences = self._silences()
        alarms = [name for name, signal in self._kinds.items() if signal.kind is Kind.ALARM]
        return Picture(
            source=self._source,
            dialect=", ".join(one.name for one in self._decoding.dialects),
            names=tuple(dict.fromkeys(self._names.values())),
            start_s=float(self._start_s) if self._frames else 0.0,
            end_s=float(self._end_s) if self._frames else 0.0,
            numbered=self._numbered,
            panels=tuple(_panels(lines)),
            lanes=(*_raised(lines, self._kinds), *self._of_bus(silences)),
            silences=tuple(silences),
            frames=self._frames,
            quiet_alarms=sum(not spans_of(lines[name], raised=True) for name in alarms),
        )

    def _times(self, block: Block) -> Floats:
        """The log's times, or frames' numbers where it has none."""
        if len(block) and (self._numbered or np.isnan(block.time_s).any()):
            self._numbered = True
            return np.arange(self._frames, self._frames + len(block), dtype=np.float64)
        return block.time_s

    def _part(self, part: Part, time_s: Floats) -> None:
        for name, texts in part.texts.items():
            if name in NAMES and (text := next((one for one in reversed(texts.tolist()) if one), None)):
                self._names[name] = text.strip("\0 ")
        drawn = [signal for signal in part.signals if signal.name in part.values and _is_drawn(signal)]
        if not drawn:
            return
        order = np.argsort(time_s, kind="stable")  # a clock may have been set back
        time_s = time_s[order]
        holes = self._holes((part.message.can_id, part.message.extended, part.page), time_s)
        places = np.searchsorted(time_s, holes, "right")
        times = np.insert(time_s, places, holes)
        for signal in drawn:
            values = np.insert(part.values[signal.name][order], places, np.nan)
            name = KELVIN.get(signal.name, signal.name)
            self._kinds[name] = signal
            self._signals.setdefault(name, Thinned()).add(times, values - ZERO_C_K * (name != signal.name))

    def _holes(self, key: tuple[int, bool, int | None], time_s: Floats) -> Floats:
        """The times from which a message was missing, because the next was long in coming."""
        before_s = self._last_s.get(key)
        self._last_s[key] = float(time_s[-1])
        whole = time_s if before_s is None else np.r_[before_s, time_s]
        if self._numbered or len(whole) < 2:
            return np.empty(0)
        steps_s = np.diff(whole)
        late_s = max(self._silent_after_s, SLOW_PERIODS * float(np.median(steps_s)))
        return np.nextafter(whole[:-1][steps_s > late_s], np.inf)  # behind the last value, not in its place

    def _silences(self) -> list[tuple[float, float]]:
        """When the battery was silent, from the dump's first frame to its last."""
        there = self._battery.all()
        if self._numbered or not there:
            return []
        ends = [(self._start_s, there[0][0]), *self._battery.between(), (there[-1][1], self._end_s)]
        return [(start, end) for start, end in ends if end - start > self._battery.join_s]

    def _of_bus(self, silences: list[tuple[float, float]]) -> Iterator[Lane]:
        if silences:
            yield Lane("battery silent", Tone.BUS, tuple(silences))
        if not self._numbered and (quiet := self._inverter.between()):
            yield Lane("inverter silent", Tone.BUS, tuple(quiet))
        if errors := self._errors.all():
            yield Lane("error frames", Tone.BUS, tuple((a, max(b, a + MARKED_S)) for a, b in errors))


def draw(blocks: Iterable[Block], decoding: Decoding, silent_after_s: float = SILENT_AFTER_S) -> Picture:
    """The picture of a dump."""
    artist = Artist(decoding, silent_after_s)
    for block in blocks:
        artist.add(block)
    return artist.picture()


def spans_of(line: Line, *, raised: bool) -> tuple[tuple[float, float], ...]:
    """From when to when a flag was as said; to the last time that it was heard, where it is lost."""
    known = ~np.isnan(line.value)
    there = known & ((line.value > 0) == raised)
    edges = np.diff(np.r_[False, there, False].astype(np.int8))
    starts, ends = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    last = len(line.time_s) - 1
    return tuple(
        (float(line.time_s[start]), float(line.time_s[min(end, last)]))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def _is_drawn(signal: Signal) -> bool:
    return signal.kind is Kind.ALARM or signal.name in NUMBERS.union(FLAGS, KELVIN)


def _raised(lines: dict[str, Line], kinds: dict[str, Signal]) -> list[Lane]:
    """Alarms and what the battery asks for, the gravest first."""
    lanes: dict[str, tuple[Tone, list[tuple[float, float]]]] = {}
    for name, signal in kinds.items():
        if signal.kind is Kind.ALARM:
            tone = Tone.PROTECTION if signal.protections else Tone.WARNING
            raised, label = True, name.replace("_", " ")
        elif name in FLAGS:
            raised, label, tone = FLAGS[name]
        else:
            continue
        if spans := spans_of(lines[name], raised=raised):
            lanes.setdefault(label, (tone, []))[1].extend(spans)
    found = [Lane(label, tone, tuple(sorted(spans))) for label, (tone, spans) in lanes.items()]
    return sorted(found, key=lambda lane: (list(Tone).index(lane.tone), lane.label))


def _panels(lines: dict[str, Line]) -> Iterator[Panel]:
    for plan in PLANS:
        there = tuple(lines[name] for name in plan.lines if name in lines)
        if "soc_hires_pct" in lines:
            there = tuple(one for one in there if one.name != "soc_pct" or plan.title != "charge")
        band = None
        if plan.band and all(name in lines for name in plan.band):
            low, high = (lines[name] for name in plan.band)
            band = (Line(low.name, low.time_s, -low.value) if plan.mirrored else low), high
        if any(not np.isnan(one.value).all() for one in (*there, *(band or ()))):
            yield Panel(plan.title, plan.unit, there, band)
