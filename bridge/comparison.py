"""What a battery says on a bus beside what we would say, signal by signal.

Two batteries never measure the same, so a difference counts only beyond a tolerance and after it was
seen a few times in a row; a difference that lasts is news twice, when it starts and when it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from bridge.model import CanFrame
from bridge.sinks.dialect import Dialect, Kind, Signal, Value

STEADY = 3  # readings in a row that make a difference, or end it

# By unit: absolute, and as a share of what the other says. Two good shunts and two good voltage
# dividers stay within these; what a limit's rules may differ by is left to the reader.
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "V": (0.2, 0.005),
    "A": (1.0, 0.05),
    "%": (2.0, 0.0),
    "degC": (2.0, 0.0),
    "K": (2.0, 0.0),
    "Ah": (1.0, 0.05),
}
CELL_TOLERANCE_V = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One signal that begins to differ, or no longer does. lasted_s: how long it did."""

    signal: str
    unit: str
    theirs: Value | None
    ours: Value | None
    tolerance: float
    differs: bool
    lasted_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Row:
    """One signal since the start. largest: the widest gap of a number; None where it is none."""

    signal: str
    unit: str
    theirs: Value | None = None
    ours: Value | None = None
    tolerance: float = 0.0
    readings: int = 0
    differing: int = 0
    largest: float | None = None
    differs: bool = False

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return asdict(self)


class Comparison:
    """One bus: give it our cycles and their frames; it keeps a row for every signal.

    id_offset: what the profile adds to the dialect's identifiers.
    """

    def __init__(self, dialect: Dialect, id_offset: int = 0) -> None:
        self._dialect = dialect
        self._offset = id_offset
        self._signals = {
            signal.name: signal
            for message in dialect.messages.values()
            if message.ours
            for signal in message.signals
            if signal.kind is not Kind.LABEL  # where a cell is says each battery in words of its own
        }
        self._ids = {key for key, message in dialect.messages.items() if message.ours}
        self._ours: dict[str, Value] = {}
        self._rows: dict[str, Row] = {}
        self._streak: dict[str, int] = {}
        self._since_s: dict[str, float] = {}
        self.frames = 0
        self.heard_s: float | None = None

    def is_theirs(self, frame: CanFrame) -> bool:
        """Whether a frame is one that a battery sends in this dialect."""
        return (frame.can_id - self._offset, frame.extended) in self._ids

    def ours(self, frames: Iterable[CanFrame]) -> None:
        """The cycle that we would send from now on; none is silence, and is compared with nothing."""
        self._ours = {name: value for frame in frames for name, value in self._known(frame)}

    def also(self, frame: CanFrame) -> None:
        """A frame that we would send beside the cycle, or as an answer."""
        self._ours |= dict(self._known(frame))

    def theirs(self, frame: CanFrame, now: float) -> list[Difference]:
        """Compare a frame of theirs; what has become different or has ceased to be."""
        self.frames += 1
        self.heard_s = now
        found = (self._compare(name, value, now) for name, value in self._known(frame))
        return [difference for difference in found if difference is not None]

    def rows(self) -> list[Row]:
        """All signals that either says; those that differ come first."""
        rows = dict(self._rows)
        for name, value in self._ours.items():
            rows.setdefault(name, Row(signal=name, unit=self._signals[name].unit, ours=value))
        return sorted(rows.values(), key=lambda row: (not row.differs, -row.differing, row.signal))

    def _known(self, frame: CanFrame) -> Iterable[tuple[str, Value]]:
        asked = replace(frame, can_id=frame.can_id - self._offset) if self._offset else frame
        for name, value in self._dialect.decode(asked).items():
            if name in self._signals:
                yield name, value.strip("\0 ") if isinstance(value, str) else value

    def _compare(self, name: str, theirs: Value, now: float) -> Difference | None:
        if not self._ours:
            return None
        signal, ours = self._signals[name], self._ours.get(name)
        row = self._rows.setdefault(name, Row(signal=name, unit=signal.unit))
        row.theirs, row.ours, row.tolerance = theirs, ours, tolerance(signal, theirs)
        row.readings += 1
        apart = _apart(theirs, ours)
        if apart is not None:
            row.largest = max(row.largest or 0.0, apart)
        different = theirs != ours if apart is None else apart > row.tolerance
        row.differing += different
        return self._settled(row, now, different=different)

    def _settled(self, row: Row, now: float, *, different: bool) -> Difference | None:
        """The news, when the same has been seen often enough."""
        name = row.signal
        if different is row.differs:
            self._streak[name] = 0
            return None
        if not self._streak.get(name):
            self._streak[name] = 0
            if different:
                self._since_s[name] = now
        self._streak[name] += 1
        if self._streak[name] < STEADY:
            return None
        row.differs, self._streak[name] = different, 0
        return Difference(
            signal=name,
            unit=row.unit,
            theirs=row.theirs,
            ours=row.ours,
            tolerance=row.tolerance,
            differs=different,
            lasted_s=0.0 if different else now - self._since_s[name],
        )


def tolerance(signal: Signal, theirs: Value) -> float:
    """How far a number may be from theirs, in the signal's unit; never less than one step of it."""
    if isinstance(theirs, bool | str):
        return 0.0
    absolute, share = TOLERANCES.get(signal.unit, (0.0, 0.0))
    if signal.unit == "V" and signal.name.startswith("cell_"):
        absolute, share = CELL_TOLERANCE_V, 0.0
    return max(absolute, share * abs(theirs), abs(signal.scale) if absolute else 0.0)


def _apart(theirs: Value, ours: Value | None) -> float | None:
    if ours is None or isinstance(theirs, bool | str) or isinstance(ours, bool | str):
        return None
    return round(abs(ours - theirs), 6)
