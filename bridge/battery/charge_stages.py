"""The stages of a charge, as a state machine that sees a bank and the clock, and nothing else.

    bulk        the highest cell is on its way up          -> absorption: it is there
    absorption  held until full                            -> float, or balance if cells differ
    balance     held for the balancers                     -> float: cells are close, or time is up
    float       rest below the top                         -> bulk: charge was drawn, or it is time again
    hold        no pack may charge                         -> bulk, or float if it was

A charge is over when every pack passes the full test (`full`), or after two hours at the top with next
to no current; no other way leads to float. A condition counts once it has held without a break, so no
single sample moves a stage. Thresholds as in Sleeper85/esphome-yambms and
mr-manuel/venus-os_dbus-serialbattery, where those two agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

# Per cell below the target: where the top begins, where it is left.
TOP_NEAR_V: Final = 0.01
TOP_FAR_V: Final = 0.10
INVERTER_OFF_V: Final = 0.3  # an inverter's own error, in V of the bank: it may end so much below the target
HIGH_FOR_S: Final = 10.0
LOW_FOR_S: Final = 60.0
FULL_FOR_S: Final = 60.0
NOT_FULL_FOR_S: Final = 60.0
BALANCED_FOR_S: Final = 15 * 60.0
ABSORPTION_MAX_S: Final = 2 * 3600.0
REBULK_FOR_S: Final = 60.0
REBULK_FALL: Final = 0.05  # of SoC since float began: a counter that is wrong does not begin a charge
BLOCKED_FOR_S: Final = 10.0
CLEARED_FOR_S: Final = 30.0
BREAK_S: Final = 30.0  # nothing is known of a longer pause: what had to hold through it begins again


class Stage(StrEnum):
    """Where a charge stands."""

    BULK = "bulk"
    ABSORPTION = "absorption"
    BALANCE = "balance"
    FLOAT = "float"
    HOLD = "hold"


AT_TOP: Final = frozenset({Stage.ABSORPTION, Stage.BALANCE, Stage.FLOAT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What the stages of one bank turn on; voltages of one cell, SoC 0..1. full_every_s: inf for never."""

    cells: int
    charge_v: float
    rebulk_v: float
    spread_v: float
    rebulk_soc: float
    full_every_s: float
    balance_max_s: float


class Seen(NamedTuple):
    """A bank at one moment. highest_v: of all cells that are charged; soc: of the emptiest pack; None where
    unknown. spread_v: the widest pack's. full: every pack passes the test. tail: next to no current flows
    in. drawn: current flows out. blocked: no pack may charge.
    """

    highest_v: float | None
    spread_v: float
    soc: float | None
    full: bool
    tail: bool
    drawn: bool
    blocked: bool


class Stages:
    """The stage of one bank, and what it has to remember. full: whether it is. imbalance: whether its
    cells were apart when the last charge ended.
    """

    def __init__(self, marks: Marks) -> None:
        self.stage = Stage.BULK
        self.full = self.imbalance = False
        self._marks = marks
        self._top_v = marks.charge_v - max(2 * TOP_NEAR_V, TOP_NEAR_V + INVERTER_OFF_V / marks.cells)
        self._since: dict[str, float] = {}
        self._now = inf
        self._full_s = inf  # when a charge was last completed
        self._absorbing_s = self._balancing_s = 0.0  # when these began
        self._before_hold = Stage.BULK
        self._float_soc = 1.0
        self._by_time = False

    @property
    def since_full_s(self) -> float:
        """How long ago a charge was last completed; counted from the start if none is known."""
        return max(0.0, self._now - self._full_s)

    @property
    def due(self) -> bool:
        """Whether the last complete charge was too long ago."""
        return self.since_full_s >= self._marks.full_every_s

    def resume(self, stage: Stage, since_full_s: float, now: float) -> None:
        """Go on where an earlier run ended; what happened at the top since is not known and begun anew."""
        self.stage = Stage.FLOAT if stage is Stage.FLOAT else Stage.BULK
        self._full_s, self._now = now - since_full_s, now

    def step(self, seen: Seen, now: float) -> Stage:
        """The stage at `now`."""
        if not now - self._now <= BREAK_S:
            self._since.clear()
        self._now = now
        if self._full_s == inf:
            self._full_s = now
        after = self._next(seen, now)
        if after is not self.stage:
            self._enter(after, seen, now)
        self._judge(seen, now)
        return self.stage

    def _judge(self, seen: Seen, now: float) -> None:
        """Full is a bank at the top that passes the test, or is past its time there; until neither is so."""
        self._by_time = self._by_time and not seen.drawn
        passed = self._held("passed", seen.full, HIGH_FOR_S, now)
        failed = self._held("failed", not seen.full, NOT_FULL_FOR_S, now)
        self.full = self.stage in AT_TOP and (self._by_time or passed or (self.full and not failed))

    def _next(self, seen: Seen, now: float) -> Stage:
        if self.stage is Stage.HOLD:
            cleared = self._held("cleared", not seen.blocked, CLEARED_FOR_S, now)
            return self._before_hold if cleared else Stage.HOLD
        if self._held("blocked", seen.blocked, BLOCKED_FOR_S, now):
            return Stage.HOLD
        match self.stage:
            case Stage.BULK:
                there = seen.highest_v is not None and seen.highest_v >= self._top_v
                return Stage.ABSORPTION if self._held("high", there, HIGH_FOR_S, now) else Stage.BULK
            case Stage.FLOAT:
                return Stage.BULK if self._charge_again(seen, now) else Stage.FLOAT
        return self._at_top(seen, now)

    def _at_top(self, seen: Seen, now: float) -> Stage:
        marks = self._marks
        fell = seen.highest_v is not None and seen.highest_v < marks.charge_v - TOP_FAR_V
        if self._held("low", fell, LOW_FOR_S, now):
            return Stage.BULK
        if self.stage is Stage.BALANCE:
            close = self._held("close", seen.spread_v <= marks.spread_v / 2, BALANCED_FOR_S, now)
            over = close or now - self._balancing_s >= marks.balance_max_s
            return Stage.FLOAT if over else Stage.BALANCE
        if self._held("full", seen.full, FULL_FOR_S, now):
            return Stage.FLOAT if seen.spread_v <= marks.spread_v else Stage.BALANCE
        self._by_time = now - self._absorbing_s > ABSORPTION_MAX_S and seen.tail
        return Stage.FLOAT if self._by_time else Stage.ABSORPTION

    def _charge_again(self, seen: Seen, now: float) -> bool:
        marks = self._marks
        low = seen.highest_v is not None and seen.highest_v <= marks.rebulk_v
        threshold = min(marks.rebulk_soc, self._float_soc - REBULK_FALL)
        used = seen.soc is not None and seen.soc <= threshold
        return (
            self.due
            or self._held("rest low", low, REBULK_FOR_S, now)
            or self._held("used", used, REBULK_FOR_S, now)
        )

    def _enter(self, stage: Stage, seen: Seen, now: float) -> None:
        before, self.stage = self.stage, stage
        if stage is Stage.BULK:
            self._by_time = False
        elif stage is Stage.ABSORPTION:
            self._absorbing_s = now
        elif stage is Stage.BALANCE:
            self._balancing_s = now
        elif stage is Stage.HOLD:
            self._before_hold = Stage.FLOAT if before is Stage.FLOAT else Stage.BULK
        elif stage is Stage.FLOAT and before is not Stage.HOLD:
            self.imbalance = seen.spread_v > self._marks.spread_v
            self._full_s = now
            self._float_soc = 1.0 if seen.soc is None else seen.soc
        self._since = {what: since for what, since in self._since.items() if what in {"passed", "failed"}}

    def _held(self, what: str, is_so: bool, seconds: float, now: float) -> bool:  # noqa: FBT001  # a fact
        """Whether something has been so for so long."""
        if not is_so:
            if self._since:
                self._since.pop(what, None)
            return False
        return now - self._since.setdefault(what, now) >= seconds
