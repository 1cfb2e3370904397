from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.battery.sharing import Branch, LearnedSharing
from bridge.model import Constraint, Limit, PackSettings
from tests.battery.circuit import Circuit, turns
from tests.battery.story import pack

PRIOR = 1.37  # 1 and the margin of a share that nobody has measured
SENSOR_A = 0.3 + 0.005 * 140.0  # of the packs of `branch`, which are rated 140 A


def branch(name: str, capacity_ah: float, amps: float, certainty: float = 1.0) -> Branch:
    cause = Constraint(limit=Limit.CCL, value=amps, rule="rating", text=f"rated {amps:g} A", pack=name)
    return Branch(pack(name, capacity_ah), certainty, (cause,), 0.5)


def limit(*branches: Branch) -> float:
    return min(c.value for c in LearnedSharing().limits(branches, Limit.CCL))


def test_one_pack_gives_its_own_limit() -> None:
    assert limit(branch("garage", 280, 140)) == 140.0


def test_the_bank_is_limited_by_the_pack_whose_share_is_largest_against_its_limit() -> None:
    together = limit(branch("a", 100, 50), branch("b", 100, 100))

    assert together == pytest.approx((50 - SENSOR_A) / (0.5 * PRIOR))


def test_unlike_packs_in_proportion_give_their_sum_less_the_margins() -> None:
    together = limit(branch("a", 280, 140), branch("b", 200, 100), branch("c", 100, 50))

    assert together == pytest.approx(5.8 * (50 - SENSOR_A) / PRIOR)


def test_a_pack_that_takes_nearly_all_is_not_asked_for_more_than_it_can_carry() -> None:
    both = list(
        LearnedSharing().limits([branch("a", 900, 100), branch("b", 100, 100, certainty=0.5)], Limit.CCL)
    )

    assert both[0].value == 100.0 - SENSOR_A
    assert (both[-1].value, both[-1].text) == (150.0, "the packs together carry no more")


def test_a_blocked_pack_on_the_bus_blocks_the_bank() -> None:
    """It would take its share whether it may or not."""
    assert limit(branch("a", 280, 140), branch("cold", 280, 0.0)) == 0.0


def test_nothing_is_allowed_when_no_pack_can_be_counted_on() -> None:
    alone = list(LearnedSharing().limits([branch("a", 280, 140, certainty=0.0)], Limit.CCL))

    assert (alone[-1].value, alone[-1].text) == (0.0, "no pack can be counted on")


def test_a_cause_tells_its_share_and_the_age_of_its_data() -> None:
    first = next(iter(LearnedSharing().limits([branch("a", 280, 140), branch("b", 320, 200)], Limit.CCL)))

    assert first.text == "a: 47 % share of the bank (assumed), rated 140 A"
    assert (first.pack, first.age_s, first.rule) == ("a", 0.5, "rating")


def test_a_lone_pack_is_not_told_its_share() -> None:
    first = next(iter(LearnedSharing().limits([branch("a", 280, 140)], Limit.CCL)))

    assert first.text == "a: rated 140 A"


packs = st.lists(
    st.tuples(st.floats(20, 400), st.floats(0, 300), st.sampled_from([0.0, 1.0])), min_size=2, max_size=4
)


@settings(deadline=None)
@given(packs)
def test_an_uncertain_pack_is_safe_in_every_combination_of_being_there_or_not(
    figures: list[tuple[float, float, float]],
) -> None:
    branches = [branch(str(i), *figure) for i, figure in enumerate(figures)]
    sure = [b for b in branches if b.certainty == 1.0]
    unsure = [b for b in branches if b.certainty == 0.0]
    subsets = chain.from_iterable(combinations(unsure, n) for n in range(len(unsure) + 1))
    worst = [0.0]
    if sure:
        worst = [limit(*sure, *(b._replace(certainty=1.0) for b in there)) for there in subsets]

    assert limit(*branches) <= min(worst) + 1e-9


@settings(deadline=None)
@given(packs)
def test_the_order_of_the_packs_does_not_matter(figures: list[tuple[float, float, float]]) -> None:
    branches = [branch(str(i), *figure) for i, figure in enumerate(figures)]

    assert limit(*branches) == limit(*reversed(branches))


# With currents.

EQUAL = (pack("a", 280, 100), pack("b", 280, 100), pack("c", 280, 100))
UNLIKE_OHM = (0.007, 0.012, 0.018)
REST_V = (52.0, 52.0, 52.0)


def learned(
    ohm: Sequence[float] = UNLIKE_OHM, emf_v: Sequence[float] = REST_V, own: Sequence[PackSettings] = EQUAL
) -> Circuit:
    """A bank that has seen some turns of its load and is at rest."""
    return Circuit(own, ohm, emf_v).run(400, turns(-150.0)).run(60, 0.0)


def test_the_stiffest_of_three_like_packs_binds_by_its_measured_share() -> None:
    circuit = learned()
    share = circuit.currents_a(1.0)[0]

    first = min(circuit.sharing.limits(circuit.branches(Limit.DCL), Limit.DCL), key=lambda c: c.value)

    assert first.value == pytest.approx((100 - 0.8) / share / 1.025, rel=0.01)
    assert first.text == f"a: {100 * share:.0f} % share of the bank (measured), rated 100 A"


def test_a_bank_that_works_at_its_limit_may_carry_exactly_that() -> None:
    """Also before anything is learned: the currents are what they are."""
    share = Circuit(EQUAL, UNLIKE_OHM, REST_V).currents_a(1.0)[0]
    for circuit in (learned(), Circuit(EQUAL, UNLIKE_OHM, REST_V).run(10, -(100 - 0.8) / share)):
        full_a = (100 - 0.8) / share
        circuit.run(60, -full_a)

        assert circuit.limit_a(Limit.DCL) == pytest.approx(full_a, abs=0.5)


def test_what_circulates_counts_in_both_directions() -> None:
    """An emptier pack is charged by the other at rest: less room to charge it, more to discharge it."""
    circuit = learned((0.010, 0.010), (51.7, 52.3), EQUAL[:2])

    assert circuit.circulating_a() == pytest.approx([30.0, -30.0], abs=0.5)
    assert circuit.limit_a(Limit.CCL) == pytest.approx(2 * (100 - 0.8 - 30), rel=0.04)
    assert circuit.limit_a(Limit.DCL) == pytest.approx(2 * (100 - 0.8 - 30), rel=0.04)
    texts = [c.text for c in circuit.sharing.limits(circuit.branches(Limit.CCL), Limit.CCL)]
    assert "a: 50 % share of the bank (measured) and 30 A that circulate, rated 100 A" in texts
    assert "b: 50 % share of the bank (measured) less 30 A that circulate, rated 100 A" in texts


def test_when_a_pack_leaves_what_circulated_through_it_finds_another_way_at_once() -> None:
    circuit = learned((0.010, 0.010, 0.010), (51.7, 52.0, 52.3))
    before = circuit.circulating_a()

    circuit.off.add("a")
    circuit.now += 0.1
    circuit.sharing.observe(circuit.stands(), circuit.now)

    assert before == pytest.approx([30.0, 0.0, -30.0], abs=0.5)
    assert circuit.circulating_a() == pytest.approx([15.0, -15.0], abs=0.5)


def test_a_pack_that_does_not_say_its_current_leaves_the_shares_assumed() -> None:
    circuit = Circuit(EQUAL[:2], (0.007, 0.014), (52.0, 52.0))
    circuit.silent.add("b")

    circuit.run(200, turns(-100.0))

    assert circuit.shares() == pytest.approx([0.5, 0.5])
    assert circuit.margins() == pytest.approx([0.37, 0.37])


def test_nothing_is_learned_while_a_pack_is_silent_and_it_goes_on_when_it_is_back() -> None:
    circuit = learned()
    before, margins = circuit.shares(), circuit.margins()

    circuit.silent.add("c")
    circuit.run(100, turns(-150.0))
    assert (circuit.shares(), circuit.margins()) == (before, margins)

    circuit.silent.clear()
    circuit.ohm = (0.018, 0.012, 0.007)
    circuit.run(800, turns(-150.0))
    assert circuit.shares() == pytest.approx(before[::-1], rel=0.15)


banks = st.integers(2, 4).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(50, 400), min_size=n, max_size=n),
        st.lists(st.floats(20, 200), min_size=n, max_size=n),
        st.lists(st.floats(0.005, 0.030), min_size=n, max_size=n),
        st.lists(st.floats(51.9, 52.1), min_size=n, max_size=n),
    )
)
QUICK = settings(deadline=None, max_examples=15)


def drawn(figures: tuple[list[float], list[float], list[float], list[float]]) -> Circuit:
    capacities_ah, rated_a, ohm, emf_v = figures
    own = [pack(f"p{i}", q, a) for i, (q, a) in enumerate(zip(capacities_ah, rated_a, strict=True))]
    return Circuit(own, ohm, emf_v, noise_a=0.1)


@QUICK
@given(banks, st.floats(0.3, 0.9), st.sampled_from([Limit.CCL, Limit.DCL]))
def test_no_pack_is_over_its_limit_at_the_banks(
    figures: tuple[list[float], list[float], list[float], list[float]], load: float, limit: Limit
) -> None:
    """I3: with the true resistances and voltages, 5 % and 1 A, once the load has stepped visibly."""
    circuit = drawn(figures)
    sign = 1.0 if limit is Limit.CCL else -1.0
    rated_a = sum(own.rated_charge_current_a for own in circuit.packs)
    circuit.run(200, turns(sign * load * rated_a)).run(20, 0.0)

    bank_a = circuit.limit_a(limit)

    assert bank_a <= rated_a
    if bank_a > 0:
        for own, amps in zip(circuit.packs, circuit.currents_a(sign * bank_a), strict=True):
            assert sign * amps <= 1.05 * own.rated_charge_current_a + 1.0


@QUICK
@given(banks, st.floats(-1.2, 1.2), st.integers(0, 3), st.floats(0, 1), st.booleans())
def test_losing_a_pack_never_raises_a_limit(
    figures: tuple[list[float], list[float], list[float], list[float]],
    load: float,
    victim: int,
    certainty: float,
    learned_before: bool,
) -> None:
    """I10, at any load, overloaded too; and whatever the others say while it is silent."""
    circuit = drawn(figures)
    rated_a = sum(own.rated_charge_current_a for own in circuit.packs)
    if learned_before:
        circuit.run(100, turns(0.5 * load * rated_a))
    circuit.run(30, load * rated_a)
    before = {limit: circuit.limit_a(limit) for limit in (Limit.CCL, Limit.DCL)}

    circuit.silent.add(circuit.packs[victim % len(circuit.packs)].name)
    circuit.sharing.observe(circuit.stands(), circuit.now)
    for _ in range(3):
        for limit, amps in before.items():
            assert circuit.limit_a(limit, certainty) <= amps + 1e-6
        circuit.run(20, 0.3 * load * rated_a)


def test_splitting_a_pack_in_two_equal_halves_changes_little() -> None:
    """I12, learned."""
    half = pack("h", 140, 50)
    whole = learned((0.010, 0.010, 0.010))
    split = learned(
        (0.020, 0.020, 0.010, 0.010),
        (52.0,) * 4,
        (replace(half, name="h1"), replace(half, name="h2"), *EQUAL[1:]),
    )

    for limit in (Limit.CCL, Limit.DCL):
        assert split.limit_a(limit) == pytest.approx(whole.limit_a(limit), rel=0.03)


def test_state_that_means_nothing_is_left_out() -> None:
    sharing = LearnedSharing()

    sharing.restore({"shares": [1, 2], "else": None})
    sharing.restore({})

    assert sharing.state() == {"shares": {}}


class Currents(RuleBasedStateMachine):
    """I3 over what happens to a bank: loads step within its limits, packs leave, return and fall silent.

    Whatever it is allowed at a moment, with the true resistances and voltages no pack is over its limit by
    more than 5 % and 1 A, be the silent ones on the bus or not.
    """

    @initialize(
        figures=banks,
        load=st.floats(0.3, 0.9),
        charges=st.booleans(),
        periods_s=st.lists(st.sampled_from([1.0, 1.5, 2.0, 3.0, 5.0]), min_size=4, max_size=4),
        every_s=st.sampled_from([20.0, 30.0, 45.0]),
    )
    def begin(
        self,
        figures: tuple[list[float], list[float], list[float], list[float]],
        load: float,
        charges: bool,  # hypothesis passes it by name
        periods_s: list[float],
        every_s: float,
    ) -> None:
        self.circuit = replace(drawn(figures), period_s=periods_s[: len(figures[0])])
        self.names = [own.name for own in self.circuit.packs]
        self.rated_a = sum(own.rated_charge_current_a for own in self.circuit.packs)
        high_a = load * self.rated_a * (1.0 if charges else -1.0)
        self.circuit.run(250, turns(high_a, every_s=every_s)).run(20, 0.0)

    def name(self, number: int) -> str:
        return self.names[number % len(self.names)]

    def run(self, seconds: float, part: float) -> None:
        """The inverter takes so much of what it is told, or gives it."""
        limit = Limit.CCL if part > 0 else Limit.DCL
        self.circuit.run(seconds, part * self.circuit.limit_a(limit))

    @rule(part=st.floats(-1, 1), seconds=st.sampled_from([3, 10, 40]))
    def the_load_steps(self, part: float, seconds: float) -> None:
        self.run(seconds, part)

    @precondition(lambda self: len(self.circuit.off) < len(self.names) - 1)
    @rule(number=st.integers(0, 3), part=st.floats(-1, 1))
    def a_pack_leaves(self, number: int, part: float) -> None:
        self.circuit.silent.discard(self.name(number))
        self.circuit.off.add(self.name(number))
        self.circuit.sharing.observe(self.circuit.stands(), self.circuit.now)
        self.run(20, part)

    @rule(number=st.integers(0, 3))
    def it_comes_back(self, number: int) -> None:
        if self.name(number) in self.circuit.off:
            self.circuit.run(20, 0.0)
            self.circuit.off.discard(self.name(number))
            self.circuit.run(20, 0.0)

    @rule(number=st.integers(0, 3))
    def a_pack_falls_silent(self, number: int) -> None:
        if self.name(number) not in self.circuit.off:
            self.circuit.silent.add(self.name(number))
            self.circuit.sharing.observe(self.circuit.stands(), self.circuit.now)

    @rule(number=st.integers(0, 3))
    def it_speaks_again(self, number: int) -> None:
        self.circuit.silent.discard(self.name(number))
        self.circuit.run(20, 0.0)

    @invariant()
    def no_pack_would_be_over_its_limit(self) -> None:
        circuit = self.circuit
        off, silent = set(circuit.off), sorted(circuit.silent)
        limits_a = [(1.0, circuit.limit_a(Limit.CCL)), (-1.0, circuit.limit_a(Limit.DCL))]
        for left in chain.from_iterable(combinations(silent, n) for n in range(len(silent) + 1)):
            circuit.off = off | set(left)
            if len(circuit.off) < len(self.names):
                for sign, bank_a in limits_a:
                    amps = circuit.currents_a(sign * bank_a)
                    for own, own_a in zip(circuit.packs, amps, strict=True):
                        idle_a = circuit.currents_a(0.0)[self.names.index(own.name)] * sign
                        most_a = 1.05 * own.rated_charge_current_a + 1.0
                        assert bank_a == 0.0 or sign * own_a <= max(most_a, idle_a)
        circuit.off = off


TestCurrents = Currents.TestCase
TestCurrents.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
