"""The design's invariants over histories that hypothesis makes up: packs change, fall silent, come back.

`Histories` holds every decision against `laws`. Beside the bank runs its shadow, which has the packs in the
opposite order and hears the same at other times of day: no decision may depend on either (I12, I17). And
there is a wider bank, with one pack more that says that it is off the bus: what the packs' limits make of
the bank's must not depend on it (I11).

`Losses` is about I10, "losing data never raises a limit". What is lost could have been bad news, so the
comparison must be at equal knowledge: from a moment on, the bank's twin is refused what one pack says (whole
samples, or single values of them), while to the bank itself that pack only repeats what it had said before,
and no current changes, from which a bank might learn: what flows through a pack also flows while the pack
does not say so. One thing a bank that hears goes on learning although nothing changes: that a pack still
carries more than it may, for which it counts less with that pack. That is news, so what the twin may have is
held against all other reasons of the bank. All other packs go on as they like. Then at every decision the
twin's limits must be no higher, and its lowest voltage no lower. A pack that is not heard at all may also
have left, so the twin's currents must be no higher either than those of a bank to which it said that both its
switches are off, once it counts as lost and as long as another pack conducts. Limits may rise at once in all
three: whether a rise waits depends on when a limit last fell, which differs.

Knowledge is equal only while the circuit stays as it was: when another pack's switch moves, the bank that
hears all measures how the new circuit shares, which its twin never had and so did not lose. From then on
the voltages alone are compared.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import replace
from math import fsum, inf

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bridge.battery.aggregator import Aggregator
from bridge.model import (
    NO_ALARMS,
    Alarm,
    BankSettings,
    Decision,
    Limit,
    PackInfo,
    PackSample,
    PackSettings,
    PackState,
    Ratings,
)
from tests.battery.laws import Step, broken, rises
from tests.battery.plain import needs_plain
from tests.battery.story import changed, well

CELLS, PACKS = 4, 3
LATER_S = 2.0**20  # a power of two, as all pauses are multiples of 1/8 s: sums of them are exact
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") != "ci"

which = st.integers(0, PACKS - 1)
index = st.integers(0, CELLS - 1)
pauses = st.sampled_from([0.125, 0.5, 1.0, 1.0, 2.0, 6.0])
# Mostly harmless, or nothing would be allowed that could be taken away.
cell_v = st.sampled_from([3.22, 3.25, 3.3, 3.36, 3.4]) | st.sampled_from(
    [2.5, 2.79, 2.81, 2.95, 3.05, 3.46, 3.5, 3.54, 3.56, 3.66]
)
flags = st.sampled_from([True, True, True, True, False, None])
degrees = st.sampled_from([5.0, 8.0, 8.0, 25.0, 48.0]) | st.sampled_from([-21.0, -1.0, 0.0, 0.5, 56.0, 66.0])
packs_of_a_bank = st.lists(
    st.builds(
        lambda q, c, d, fuse: PackSettings(
            name="", cells=CELLS, capacity_ah=q, rated_charge_current_a=c, rated_discharge_current_a=d,
            fuse_a=fuse,
        ),
        st.sampled_from([50.0, 100.0, 280.0]), st.sampled_from([20.0, 100.0, 200.0]),
        st.sampled_from([20.0, 100.0, 200.0]), st.sampled_from([None, None, 63.0]),
    ),
    min_size=1, max_size=PACKS,
).map(lambda packs: [replace(pack, name=f"p{i}") for i, pack in enumerate(packs)])  # fmt: skip
banks = st.builds(
    BankSettings,
    max_charge_current_a=st.sampled_from([None, None, 0.0, 75.0]),
    max_discharge_current_a=st.sampled_from([None, None, 0.0, 75.0]),
    on_pack_lost=st.sampled_from(["hold", "hold", "stop", "exclude"]),
    rise_after_s=st.sampled_from([0.0, 3.0, 30.0]),
    rise_pct_per_s=st.sampled_from([2.0, 10.0]),
    ready_within_s=st.sampled_from([0.0, 5.0]),
    join_s=st.sampled_from([0.0, 4.0, 30.0]),
)
LOSABLE: dict[str, object] = {
    "voltage_v": None,
    "current_a": None,
    "soc": None,
    "cell_voltages_v": (),
    "temperatures_c": (None, 25.0),
    "mosfet_temperature_c": None,
    "charge_fet_on": None,
    "discharge_fet_on": None,
    "charge_allowed": None,
    "discharge_allowed": None,
    "charge_current_limit_a": None,
    "discharge_current_limit_a": None,
    "charge_voltage_limit_v": None,
    "discharge_voltage_limit_v": None,
}


OFF_THE_BUS = PackSettings(
    name="off", cells=CELLS, capacity_ah=280.0, rated_charge_current_a=0.001, rated_discharge_current_a=0.001
)
ISOLATED = changed(
    well(cells=CELLS),
    charge_fet_on=False,
    discharge_fet_on=False,
    charge_allowed=False,
    discharge_allowed=False,
)
REST = (3.3,) * (CELLS - 1)
traits: st.SearchStrategy[dict[str, object]] = st.sampled_from(
    [
        {},
        {"temperatures_c": (8.0, 25.0)},
        {"temperatures_c": (0.5, 25.0)},
        {"temperatures_c": (-1.0, 25.0)},
        {"mosfet_temperature_c": 95.0},
        {"charge_current_limit_a": 4.0, "discharge_current_limit_a": 4.0},
        {"charge_voltage_limit_v": 13.0, "discharge_voltage_limit_v": 12.0},
        {"charge_fet_on": False, "charge_allowed": False},
        {"discharge_fet_on": False, "discharge_allowed": False},
        {"charge_allowed": False, "discharge_allowed": False},
        {"cell_voltages_v": (3.52, *REST)},
        {"cell_voltages_v": (2.92, *REST)},
        {"cell_voltages_v": (None, *REST)},
        {"protections": frozenset({Alarm.CELL_OVERVOLTAGE})},
    ]
)
"""What a pack has of its own when a loss begins; without it, nothing could be lost that matters."""


class Packs(RuleBasedStateMachine):
    """Packs that say what they are made to say, as rules change it; no decisions yet."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.settings: list[PackSettings] = []
        self.says: list[PackSample] = []
        self.flows_a: dict[int, float] = {}  # what each pack said last of its current
        self.silent: set[int] = set()
        self.spike: tuple[int, PackSample] | None = None
        self.number = 0

    def one(self, number: int) -> int:
        return number % len(self.says)

    def change(self, number: int, **fields: object) -> None:
        number = self.one(number)
        sample = changed(self.says[number], **fields)
        if None not in sample.cell_voltages_v and "voltage_v" not in fields and sample.cell_voltages_v:
            sample = changed(sample, voltage_v=fsum(v for v in sample.cell_voltages_v if v is not None))
        self.says[number] = sample
        if sample.current_a is not None:
            self.flows_a[number] = sample.current_a
        self.pass_time(1.0, 2)

    def pass_time(self, pause_s: float, times: int) -> None:
        """Everybody is heard, and decisions are made, so many times."""
        raise NotImplementedError

    @rule(number=which, at=index, volts=cell_v)
    def one_cell_is_elsewhere(self, number: int, at: int, volts: float) -> None:
        cells_v = list(self.says[self.one(number)].cell_voltages_v) or [3.3] * CELLS
        cells_v[at] = volts
        self.change(number, cell_voltages_v=tuple(cells_v))

    @rule(number=which, volts=cell_v)
    def all_cells_are_elsewhere(self, number: int, volts: float) -> None:
        self.change(number, cell_voltages_v=(volts,) * CELLS)

    @rule(number=which, at_c=degrees)
    def it_gets_cold_or_hot(self, number: int, at_c: float) -> None:
        self.change(number, temperatures_c=(at_c, 25.0))

    @rule(number=which, on=st.tuples(flags, flags), allowed=st.tuples(flags, flags))
    def switches_flip(
        self, number: int, on: tuple[bool | None, bool | None], allowed: tuple[bool | None, bool | None]
    ) -> None:
        self.change(
            number,
            charge_fet_on=on[0],
            discharge_fet_on=on[1],
            charge_allowed=allowed[0],
            discharge_allowed=allowed[1],
        )

    @rule(
        number=which,
        ccl=st.sampled_from([None, 0.0, 10.0, 12.0, 90.0]),
        cvl=st.sampled_from([None, 13.0, 13.6]),
    )
    def its_bms_asks_for_less(self, number: int, ccl: float | None, cvl: float | None) -> None:
        self.change(
            number, charge_current_limit_a=ccl, discharge_current_limit_a=ccl, charge_voltage_limit_v=cvl
        )

    @rule(number=which, soc=st.sampled_from([0.0, 0.04, 0.5, 0.995, 1.0]))
    def its_counter_jumps(self, number: int, soc: float) -> None:
        self.change(number, soc=soc)

    @rule(number=which, alarm=st.sampled_from([None, Alarm.CELL_OVERVOLTAGE, Alarm.DISCHARGE_OVERCURRENT]))
    def its_bms_complains(self, number: int, alarm: Alarm | None) -> None:
        self.change(number, protections=NO_ALARMS if alarm is None else frozenset({alarm}))

    @rule(number=which, field=st.sampled_from(sorted(LOSABLE)))
    def a_value_is_missing(self, number: int, field: str) -> None:
        self.change(number, **{field: LOSABLE[field]})

    @rule(number=which)
    def it_is_well(self, number: int) -> None:
        number = self.one(number)
        self.says[number] = well(cells=CELLS, current_a=self.flows_a.get(number, 0.0))
        self.pass_time(1.0, 3)

    @rule(number=which)
    def it_falls_silent(self, number: int) -> None:
        self.silent.add(self.one(number))

    @rule(number=which)
    def it_speaks_again(self, number: int) -> None:
        self.silent.discard(self.one(number))

    @rule(number=which, volts=st.sampled_from([0.0, 1.9, 4.2, 70.0, inf]))
    def one_sample_is_nonsense(self, number: int, volts: float) -> None:
        number = self.one(number)
        cells_v = (volts, *self.says[number].cell_voltages_v[1:])
        self.spike = number, changed(self.says[number], cell_voltages_v=cells_v)

    def spoken(self) -> list[tuple[int, PackSample]]:
        """What is said at this moment. It counts up, or the boards would be taken for frozen."""
        self.number += 1
        found = dict(enumerate(self.says))
        if self.spike is not None:
            found[self.spike[0]], self.spike = self.spike[1], None
        return [
            (number, replace(sample, time_s=self.now, remaining_ah=50.0 + self.number % 100 / 10))
            for number, sample in found.items()
            if number not in self.silent
        ]


def shared(decision: Decision) -> list[tuple[Limit, str, str | None, float]]:
    """What the packs' limits make of the bank's, and why; not what is published, which rises by a part of the
    bank's rating, and what follows from that; nor what holds as long as any pack speaks or has a switch open.
    """
    own = {"rising", "guard", "obedience", "nothing_heard", "diode"}
    return sorted(
        (limit, reason.rule, reason.pack, round(reason.value, 6))
        for limit in (Limit.CCL, Limit.DCL)
        for reason in decision.constraints[limit]
        if reason.rule not in own
    )


class Histories(Packs):
    """One bank, its shadow, and the laws."""

    step: Step | None = None
    before: Decision | None = None

    @initialize(packs=packs_of_a_bank, bank=banks)
    def begin(self, packs: list[PackSettings], bank: BankSettings) -> None:
        self.settings, self.policy = packs, bank
        self.says = [well(cells=CELLS) for _ in packs]
        self.bank, self.shadow = Aggregator(packs, bank), Aggregator(packs[::-1], bank)
        self.wider = Aggregator([*packs, OFF_THE_BUS], bank)
        self.heard_s = self.began_s = self.decided_s = self.now
        self.was_settled = False

    @rule(number=which, amps=st.sampled_from([-150.0, -20.0, 0.0, 0.3, 30.0, 190.0, None]))
    def its_current_changes(self, number: int, amps: float | None) -> None:
        self.change(number, current_a=amps)

    @rule(number=which, up=st.booleans())
    def its_link_reports(self, number: int, up: bool) -> None:
        name = self.settings[self.one(number)].name
        self.bank.link(name, up, self.now)
        self.shadow.link(name, up, self.now + LATER_S)
        self.wider.link(name, up, self.now)

    @rule(number=which, trips_v=st.sampled_from([3.45, 3.65]), trips_a=st.sampled_from([15.0, 230.0, -1.0]))
    def it_says_what_it_is_set_to(self, number: int, trips_v: float, trips_a: float) -> None:
        info = PackInfo(ratings=Ratings(cell_ovp_v=trips_v, discharge_ocp_a=trips_a, charge_ocp_a=trips_a))
        for bank in (self.bank, self.shadow, self.wider):
            bank.informed(self.settings[self.one(number)].name, info)

    @rule(pause_s=pauses, times=st.integers(1, 6))
    def time_passes(self, pause_s: float, times: int) -> None:
        self.pass_time(pause_s, times)

    def pass_time(self, pause_s: float, times: int) -> None:
        for _ in range(times):
            self.now += pause_s
            for number, sample in self.spoken():
                self.heard_s = self.now
                name = self.settings[number].name
                self.bank.heard(name, sample, self.now)
                self.wider.heard(name, sample, self.now)
                later = replace(sample, time_s=self.now + LATER_S)
                self.shadow.heard(name, later, self.now + LATER_S)
            self.decide()

    @rule()
    def a_minute_passes(self) -> None:
        self.pass_time(3.0, 20)

    @rule(pause_s=st.sampled_from([20.0, 61.0, 3600.0]))
    def the_machine_sleeps(self, pause_s: float) -> None:
        self.now += pause_s
        self.decide()

    def decide(self) -> None:
        decision, shadowed = self.bank.decide(self.now), self.shadow.decide(self.now + LATER_S)
        off = changed(ISOLATED, time_s=self.now, remaining_ah=50.0 + self.now % 10)
        self.wider.heard(OFF_THE_BUS.name, off, self.now)
        assert shared(decision) == shared(self.wider.decide(self.now))
        assert not rises(decision, shadowed)
        assert not rises(shadowed, decision)
        assert decision.bank == shadowed.bank
        assert (decision.stage, decision.warnings) == (shadowed.stage, shadowed.warnings)
        starting = any(r.rule == "start_up" for found in decision.constraints.values() for r in found)
        settled = not starting and self.before is not None
        self.step = Step(
            decision,
            self.bank.members(self.now),
            self.policy,
            self.now - self.heard_s,
            self.before,
            self.now - self.decided_s,
            settled and self.was_settled,
        )
        self.before, self.decided_s, self.was_settled = decision, self.now, settled
        assert list(broken(self.step)) == []


class Losses(Packs):
    """A bank, and its twin that is refused what one pack says."""

    victim: int | None = None
    twin: Aggregator | None = None
    left: Aggregator | None = None
    refused: frozenset[str] = frozenset()
    whole = True
    circuit: tuple[tuple[bool | None, bool | None], ...] | None = None

    @initialize(
        packs=packs_of_a_bank,
        policy=st.sampled_from(["hold", "stop"]),
        amps=st.sampled_from([-45.0, 0.0, 20.0]),
        peculiar=st.lists(traits, min_size=PACKS, max_size=PACKS),
        number=which,
        fields=st.none() | st.sets(st.sampled_from(sorted(LOSABLE)), min_size=1),
        cut=st.booleans(),
    )
    def begin(  # noqa: PLR0917  # hypothesis passes them by name
        self,
        packs: list[PackSettings],
        policy: str,
        amps: float,
        peculiar: list[dict[str, object]],
        number: int,
        fields: set[str] | None,
        cut: bool,  # hypothesis passes it by name
    ) -> None:
        self.settings = packs
        self.says = [well(cells=CELLS, current_a=amps) for _ in packs]
        self.flows_a = dict.fromkeys(range(len(packs)), amps)
        settings = BankSettings(
            obedience="off",  # who hears less accuses the inverter of less
            on_pack_lost=policy,
            rise_after_s=0.0,
            rise_pct_per_s=1000.0,
            ready_within_s=0.0,
            join_s=0.0,
        )
        self.bank = Aggregator(packs, settings)
        for at, trait in enumerate(peculiar[: len(packs)]):
            self.change(at, **trait)
        self.pass_time(1.0, 4)  # what they say is known, also what had to be said twice
        self.victim, self.refused = self.one(number), frozenset(fields or ())
        if fields is not None:  # what makes this pack peculiar is lost, and more
            self.refused |= LOSABLE.keys() & peculiar[self.victim].keys()
        self.whole = fields is None
        self.twin, self.left = copy.deepcopy(self.bank), copy.deepcopy(self.bank)
        self.repeats = self.says[self.victim]
        self.circuit = self.switches()
        if cut and self.whole:
            self.twin.link(packs[self.victim].name, up=False, now=self.now)
        self.pass_time(3.0, 14)  # until what is silent is lost

    @rule(pause_s=pauses, times=st.integers(1, 6))
    def time_passes(self, pause_s: float, times: int) -> None:
        self.pass_time(pause_s, times)

    def pass_time(self, pause_s: float, times: int) -> None:
        for _ in range(times):
            self.now += pause_s
            for number, sample in self.spoken():
                self.hear(number, sample)
            seeing = self.bank.decide(self.now)
            if self.twin is not None and self.left is not None:
                unseeing, without = self.twin.decide(self.now), self.left.decide(self.now)
                same = self.circuit == self.switches()
                seeing, without = without_news(seeing), without_news(without)
                assert [text for text in rises(seeing, unseeing) if same or "current" not in text] == []
                if same and self.lost() and self.others_conduct():
                    assert [text for text in rises(without, unseeing) if "current" in text] == []
                self.circuit = self.circuit if same else None

    @rule()
    def a_minute_passes(self) -> None:
        self.pass_time(3.0, 20)

    def hear(self, number: int, sample: PackSample) -> None:
        name = self.settings[number].name
        if number == self.victim:
            alive = {"time_s": sample.time_s, "remaining_ah": sample.remaining_ah}
            sample = changed(self.repeats, **alive)
            if self.left is not None:
                off = changed(sample, charge_fet_on=False, discharge_fet_on=False, current_a=0.0)
                self.left.heard(name, off, self.now)
            if self.twin is not None and not self.whole:
                holes = {field: LOSABLE[field] for field in self.refused}
                self.twin.heard(name, changed(sample, **holes), self.now)
        elif self.twin is not None and self.left is not None:
            self.twin.heard(name, sample, self.now)
            self.left.heard(name, sample, self.now)
        self.bank.heard(name, sample, self.now)

    def switches(self) -> tuple[tuple[bool | None, bool | None], ...]:
        """How those of all packs stand that go on speaking."""
        return tuple((says.charge_fet_on, says.discharge_fet_on) for says in self.says)

    def lost(self) -> bool:
        """Whether the twin has given the silent pack up; until then it counts on what it said last."""
        assert self.twin is not None and self.victim is not None  # noqa: PT018  # one reason: a loss began
        return self.twin.members(self.now)[self.victim].state is PackState.LOST

    def others_conduct(self) -> bool:
        return any(
            m.state is PackState.ACTIVE and m.sample is not None and m.sample.charge_fet_on is True
            and m.sample.discharge_fet_on is True
            for number, m in enumerate(self.bank.members(self.now)) if number != self.victim
        )  # fmt: skip

    @invariant()
    def the_victim_goes_on_speaking(self) -> None:
        if self.victim is not None:
            self.silent.discard(self.victim)
            if self.spike is not None and self.spike[0] == self.victim:
                self.spike = None


def without_news(decision: Decision) -> Decision:
    """What may flow but for what a bank learned of packs that carry more than they may."""
    amps = [decision.charge_current_limit_a, decision.discharge_current_limit_a]
    for at, limit in enumerate((Limit.CCL, Limit.DCL)):
        reasons = decision.constraints[limit]
        if reasons[0].rule == "overcurrent_feedback":
            amps[at] = min(reason.value for reason in reasons if reason.rule != "overcurrent_feedback")
    return decision._replace(charge_current_limit_a=amps[0], discharge_current_limit_a=amps[1])


def as_test(machine: Callable[[], RuleBasedStateMachine], examples: int, steps: int) -> type:
    case: type = machine.TestCase  # type: ignore[attr-defined]  # made by hypothesis
    case.settings = settings(  # type: ignore[attr-defined]
        max_examples=examples * (4 if THOROUGH else 1),
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    return case


TestHistories = as_test(Histories, 60, steps=25)
TestLosses = needs_plain(as_test(Losses, 100, steps=12))
