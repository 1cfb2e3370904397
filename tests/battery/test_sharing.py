from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.battery.sharing import PRIOR_MARGIN, Branch, CapacitySharing
from bridge.model import Constraint, Limit
from tests.battery.story import pack


def branch(name: str, capacity_ah: float, amps: float, certainty: float = 1.0) -> Branch:
    cause = Constraint(limit=Limit.CCL, value=amps, rule="rating", text=f"rated {amps:g} A", pack=name)
    return Branch(pack(name, capacity_ah), certainty, (cause,), 0.5)


def limit(*branches: Branch) -> float:
    return min(c.value for c in CapacitySharing().limits(branches, Limit.CCL))


def test_one_pack_gives_its_own_limit() -> None:
    assert limit(branch("garage", 280, 140)) == 140.0


def test_the_bank_is_limited_by_the_pack_whose_share_is_largest_against_its_limit() -> None:
    assert limit(branch("a", 100, 50), branch("b", 100, 100)) == pytest.approx(50 / 0.685)


def test_unlike_packs_in_proportion_give_their_sum_less_the_margin() -> None:
    together = limit(branch("a", 280, 140), branch("b", 200, 100), branch("c", 100, 50))

    assert together == pytest.approx(290 / (1 + PRIOR_MARGIN))


def test_a_pack_that_takes_nearly_all_is_not_asked_for_more_than_it_can_carry() -> None:
    both = list(
        CapacitySharing().limits([branch("a", 900, 100), branch("b", 100, 100, certainty=0.5)], Limit.CCL)
    )

    assert both[0].value == 100.0
    assert (both[-1].value, both[-1].text) == (150.0, "the packs together carry no more")


def test_a_blocked_pack_on_the_bus_blocks_the_bank() -> None:
    """It would take its share whether it may or not."""
    assert limit(branch("a", 280, 140), branch("cold", 280, 0.0)) == 0.0


def test_nothing_is_allowed_when_no_pack_can_be_counted_on() -> None:
    alone = list(CapacitySharing().limits([branch("a", 280, 140, certainty=0.0)], Limit.CCL))

    assert (alone[-1].value, alone[-1].text) == (0.0, "no pack can be counted on")


def test_a_cause_tells_its_share_and_the_age_of_its_data() -> None:
    first = next(iter(CapacitySharing().limits([branch("a", 280, 140), branch("b", 320, 200)], Limit.CCL)))

    assert first.text == "a: 47 % share of the bank, rated 140 A"
    assert (first.pack, first.age_s, first.rule) == ("a", 0.5, "rating")


def test_a_lone_pack_is_not_told_its_share() -> None:
    first = next(iter(CapacitySharing().limits([branch("a", 280, 140)], Limit.CCL)))

    assert first.text == "a: rated 140 A"


packs = st.lists(
    st.tuples(st.floats(20, 400), st.floats(0, 300), st.sampled_from([0.0, 1.0])), min_size=1, max_size=4
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
        worst = [
            limit(*sure, *(branch(b.pack.name, b.pack.capacity_ah, b.causes[0].value) for b in s))
            for s in subsets
        ]

    assert limit(*branches) <= min(worst) + 1e-9


@settings(deadline=None)
@given(packs, st.floats(0, 1), st.floats(0, 1))
def test_a_limit_never_rises_when_certainty_falls(
    figures: list[tuple[float, float, float]], more: float, less: float
) -> None:
    more, less = max(more, less), min(more, less)
    others = [branch(str(i), *figure) for i, figure in enumerate(figures)]

    assert limit(branch("x", 100, 80, less), *others) <= limit(branch("x", 100, 80, more), *others) + 1e-9


@settings(deadline=None)
@given(packs)
def test_the_order_of_the_packs_does_not_matter(figures: list[tuple[float, float, float]]) -> None:
    branches = [branch(str(i), *figure) for i, figure in enumerate(figures)]

    assert limit(*branches) == limit(*reversed(branches))
