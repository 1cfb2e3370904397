"""How the bank is charged: what its packs say, made into a stage, a voltage, and reasons for both.

`charge_stages` knows when, `charge_voltage` how high; here the two are given one bank and its figures,
those of its chemistry unless the user wrote others. A stage only ever lets the voltage sink slowly,
because packs discharge through an inverter that is told to hold less than they have; what protects a
cell acts at once. The cells of a pack that fell silent stay as they were last: silence raises nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final, NamedTuple

from bridge.battery.charge_stages import Marks, Stage, Stages
from bridge.battery.charge_view import View
from bridge.battery.charge_voltage import ChargeVoltage, Highest, Lead, Loop
from bridge.battery.chemistry import preset
from bridge.battery.context import Pack
from bridge.battery.facts import Facts
from bridge.battery.known import value_or
from bridge.battery.pack_voltages import BMS_TRIP_MARGIN_V
from bridge.battery.timing import elapsed_s
from bridge.model import (
    Alarm,
    AlarmCause,
    BankSettings,
    ChargeSettings,
    Constraint,
    Limit,
    PackSettings,
    Severity,
)

CYCLE_S: Final = 1.0  # a decision
FRAME_S: Final = 1.0  # its way to the inverter
SINK_V_PER_S: Final = 0.005  # of the bank, into float and hold
HOLD_BELOW_V: Final = 0.10  # per cell below the target, while charging is blocked (3.35 V for LFP)
TAPER_LEAST_V: Final = 0.01
DAY_S: Final = 86_400.0
AWAY_MAX_S: Final = 400 * DAY_S  # a longer absence is a clock that is wrong
APART: Final = AlarmCause(
    alarm=Alarm.CELL_IMBALANCE, severity=Severity.WARNING, text="the last charge ended with cells apart"
)


class Charge(NamedTuple):
    """What follows for a decision. full: the one definition of a full bank. full_charge_request: the last
    full charge was too long ago. imbalance: the last charge ended with cells apart. constraints: on CVL,
    at least one, and on CCL.
    """

    stage: Stage
    full: bool
    full_charge_request: bool
    imbalance: bool
    constraints: tuple[Constraint, ...]

    @property
    def causes(self) -> tuple[AlarmCause, ...]:
        """What the bank is to warn of."""
        return (APART,) if self.imbalance else ()


class Charging:
    """The charge of one bank. packs: what hangs on its bus bar."""

    def __init__(self, packs: Sequence[PackSettings], settings: ChargeSettings, bank: BankSettings) -> None:
        own = min(packs, key=lambda pack: pack.cells * pack.cell_charge_v)
        self._own, self._settings, self._excludes = own, settings, bank.on_pack_lost == "exclude"
        self._rest_v = value_or(settings.cell_float_v, preset(own).float_v)
        self._rest_v = min(self._rest_v, own.cell_charge_v)
        self._stages = Stages(_marks(own, settings))
        self._loop = _loop(own, max([pack.period_s for pack in packs]) + bank.inverter_lag_s)
        self._voltage: ChargeVoltage | None = None
        self._top_v = 0.0
        self._now = inf
        self._said = Constraint(limit=Limit.CVL, value=0.0, rule="charge_stage", text="")
        self._said_stage: Stage | None = None

    def state(self) -> Mapping[str, object]:
        """What an interrupted charge goes on from, as JSON can carry it."""
        return {"stage": self._stages.stage.value, "since_full_s": round(self._stages.since_full_s)}

    def restore(self, state: object, now: float, away_s: float) -> None:
        """Go on from an earlier `state`, before the first decision; of the absence only whole days count.

        What is not plausible is left out.
        """
        if not isinstance(state, Mapping):
            return
        stage, since_s = state.get("stage"), state.get("since_full_s")
        if not isinstance(stage, str) or stage not in set(Stage):
            return
        if isinstance(since_s, bool) or not isinstance(since_s, int | float) or not 0 <= since_s < inf:
            return
        days = min(max(0.0, away_s), AWAY_MAX_S) // DAY_S
        self._stages.resume(Stage(stage), since_s + days * DAY_S, now)

    def follow(
        self,
        packs: Sequence[Pack],
        bus_v: float | None,
        now: float,
        *,
        starting: bool,
        leaves: Sequence[Pack] = (),
    ) -> Charge:
        """What the packs ask for at `now`. packs: what hangs on the bus bar; leaves: every single pack, where
        a cell is to be named. bus_v: as measured last. starting: packs may be missing yet.
        """
        view = View(packs, excludes=self._excludes)
        if view.heard and not starting:
            self._stages.step(view.seen(packs), now)
        stage, passed_s = self._stages.stage, elapsed_s(self._now, now)
        self._now = now
        goal_v = self._goal_v(stage, packs)
        if self._voltage is None:
            self._top_v = max(goal_v, min(bus_v or 0.0, self._full_v))
            self._voltage = ChargeVoltage(self._loop, self._top_v)
        elif goal_v < self._top_v:
            self._top_v = max(goal_v, min(self._top_v, self._voltage.voltage_v) - SINK_V_PER_S * passed_s)
        else:
            self._top_v = goal_v
        constraints = (self._stage_constraint(stage), *self._lead(self._voltage, view, leaves, bus_v, now))
        stages = self._stages
        return Charge(stage, stages.full, stages.due, stages.imbalance, constraints)

    def published(self, voltage_v: float) -> None:
        """What was told to the inverter, whatever the reason."""
        if self._voltage is not None:
            self._voltage.published(voltage_v)

    @property
    def _full_v(self) -> float:
        return self._own.cells * self._own.cell_charge_v

    def _goal_v(self, stage: Stage, packs: Sequence[Pack]) -> float:
        cells = self._own.cells
        if stage is Stage.FLOAT:
            return cells * self._rest_v
        if stage is Stage.HOLD:
            return cells * min(self._rest_v, self._own.cell_charge_v - HOLD_BELOW_V)
        trim_v = self._settings.trim_v if self._settings.controller else 0.0
        return min(self._full_v + trim_v, _asked_v(packs)) if trim_v > 0 else self._full_v

    def _stage_constraint(self, stage: Stage) -> Constraint:
        """The same object as long as it says the same."""
        if self._said.value != self._top_v or self._said_stage is not stage:
            text = f"{stage.value}: {self._own.cells} cells at {self._top_v / self._own.cells:.3f} V"
            self._said_stage = stage
            self._said = Constraint(
                limit=Limit.CVL, value=self._top_v, rule="charge_stage", text=text, pack=self._own.name
            )
        return self._said

    def _lead(
        self, voltage: ChargeVoltage, view: View, leaves: Sequence[Pack], bus_v: float | None, now: float
    ) -> tuple[Constraint, ...]:
        """Where the highest cell leads, if that is below the stage's own voltage."""
        if not self._settings.controller or view.highest is None:
            voltage.voltage_v = self._top_v
            return ()
        highest = Highest(view.highest_v, view.of, view.among)
        lead = voltage.step(highest, bus_v, self._top_v, now)
        if lead.voltage_v >= self._top_v and lead.factor >= 1.0:
            return ()
        facts = view.highest if view.highest.cell_max_index else _with_cell(leaves, view.highest)
        return tuple(_reasons(lead, facts, view.highest_v, view.rated_a, self._top_v))


def _with_cell(leaves: Sequence[Pack], string: Facts) -> Facts:
    """The pack of a string that has its highest cell."""
    known = [leaf.facts for leaf in leaves if leaf.facts is not None]
    return next((facts for facts in known if facts.cell_max_v == string.cell_max_v), string)


def _asked_v(packs: Sequence[Pack]) -> float:
    """The lowest voltage that a BMS asks for or would trip at, with a margin; it bounds what is trimmed."""
    lowest_v = inf
    for facts in [pack.facts for pack in packs if pack.facts is not None]:
        cells, bms = facts.settings.cells, facts.ratings
        trip_v = min(value_or(bms.pack_ovp_v, inf), cells * value_or(bms.cell_ovp_v, inf))
        lowest_v = min(lowest_v, facts.reported.get(Limit.CVL, inf), trip_v - cells * BMS_TRIP_MARGIN_V)
    return lowest_v


def _reasons(lead: Lead, facts: Facts, cell_v: float, rated_a: float, top_v: float) -> list[Constraint]:
    name, cell = facts.settings.name, facts.cell_max_index
    text = f"{name}: {f'cell {cell}' if cell else 'its cells'} at {cell_v:.3f} V"
    if lead.predicted_v > cell_v + 0.001:
        text += f", on the way to {lead.predicted_v:.3f} V"
    found = []
    if lead.voltage_v < top_v:
        found.append(
            Constraint(
                limit=Limit.CVL, value=lead.voltage_v, rule="cell_controller", text=text, pack=name, cell=cell
            )
        )
    if lead.factor < 1.0:
        amps = lead.factor * rated_a
        found.append(
            Constraint(limit=Limit.CCL, value=amps, rule="cell_runner", text=text, pack=name, cell=cell)
        )
    return found


def _marks(own: PackSettings, settings: ChargeSettings) -> Marks:
    kind = preset(own)
    return Marks(
        cells=own.cells,
        charge_v=own.cell_charge_v,
        rebulk_v=value_or(settings.cell_rebulk_v, kind.rebulk_v),
        spread_v=kind.spread_float_v,
        rebulk_soc=settings.rebulk_soc_pct / 100,
        full_every_s=settings.full_every_days * DAY_S or inf,
        balance_max_s=settings.balance_max_s,
    )


def _loop(own: PackSettings, lag_s: float) -> Loop:
    kind = preset(own)
    return Loop(
        cells=own.cells,
        charge_v=own.cell_charge_v,
        floor_v=own.cell_charge_v - (kind.charge_v - kind.floor_v),
        taper_v=min(own.cell_charge_v + kind.taper_above_v, own.cell_max_v - TAPER_LEAST_V),
        max_v=own.cell_max_v,
        delay_s=lag_s + CYCLE_S + FRAME_S,
    )
