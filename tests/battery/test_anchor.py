from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bridge.battery.anchor import Cold, Part, anchored_a


def part(name: str, conductance: float, circulating_a: float = 0.0, certainty: float = 1.0) -> Part:
    return Part(name, conductance, conductance / 100.0, 0.0, circulating_a, certainty)


HALF = Part("a", 1.0, 0.5, 0.1, 0.0, 1.0)


def test_at_the_boundary_the_anchored_limit_is_exact_whatever_the_margin() -> None:
    """The pack carries 100 of its 100 A: the bank may carry what it carries, and no more."""
    for margin in (0.0, 0.02, 0.5):
        assert anchored_a(100.0, HALF._replace(margin=margin), 200.0) == 200.0


def test_the_margin_touches_only_the_current_still_to_come() -> None:
    assert anchored_a(100.0, HALF, 0.0) == pytest.approx(100 / 0.55)
    assert anchored_a(100.0, HALF, 150.0) == pytest.approx(150 + 25 / 0.55)


def test_a_pack_over_its_limit_takes_the_bank_down_by_more_than_the_excess() -> None:
    assert anchored_a(100.0, HALF, 220.0) == pytest.approx(220 - 10 / 0.45)


def test_no_pack_carries_more_than_the_whole_bank() -> None:
    assert anchored_a(100.0, Part("a", 1.0, 0.9, 0.5, 0.0, 1.0), 0.0) == 100.0


def test_what_circulates_takes_head_room_in_one_direction_and_gives_it_in_the_other() -> None:
    for circulating_a, limit_a in ((30.0, 140.0), (-30.0, 260.0)):
        own = Part("a", 1.0, 0.5, 0.0, circulating_a, 1.0)

        assert anchored_a(100.0, own, 0.0) == limit_a
        assert Cold([own, Part("b", 1.0, 0.5, 0.0, -circulating_a, 1.0)]).limit_a(100.0, own) == limit_a


def test_a_pack_that_may_have_left_leaves_its_part_of_what_circulates_to_the_others() -> None:
    """b drew 30 A out of a. Alone, a has all its 100 A; with b, 130 A at half of the bank's current."""
    a, b = Part("a", 1.0, 0.5, 0.0, -30.0, 1.0), Part("b", 1.0, 0.5, 0.0, 30.0, 0.0)

    assert Cold([a, b]).limit_a(100.0, a) == 100.0
    assert Cold([a, b._replace(certainty=1.0)]).limit_a(100.0, a) == 260.0


circuits = st.lists(
    st.tuples(st.floats(1, 100), st.floats(-50, 50), st.sampled_from([0.0, 1.0])), min_size=2, max_size=5
)


pairs_a = st.tuples(st.floats(0, 300), st.floats(0, 300))


def balanced(figures: Sequence[tuple[float, float, float]], margin: float) -> list[Part]:
    """Parts of one circuit: shares add up to 1, circulating currents to 0."""
    total = sum(g for g, _, _ in figures)
    excess_a = sum(b for _, b, _ in figures)
    return [
        Part(f"p{i}", g, g / total, margin, b - excess_a * g / total, w)
        for i, (g, b, w) in enumerate(figures)
    ]


def within(parts: Sequence[Part], own: Part, limit_a: float) -> float:
    """The exact limit over these packs alone; see the module for how what circulated finds its way."""
    left_a = -sum(p.circulating_a for p in parts)  # through those that are not here
    share = own.conductance / sum(p.conductance for p in parts)
    return (limit_a - own.circulating_a) / share - left_a


@settings(deadline=None)
@given(circuits, st.floats(1, 300))
def test_the_limit_is_exact_over_every_combination_of_uncertain_packs(
    figures: list[tuple[float, float, float]], limit_a: float
) -> None:
    parts = balanced(figures, 0.0)
    for own in parts:
        assume(limit_a > own.circulating_a)
        sure = [p for p in parts if p.certainty == 1.0 or p is own]
        unsure = [p for p in parts if p.certainty == 0.0 and p is not own]
        subsets = chain.from_iterable(combinations(unsure, n) for n in range(len(unsure) + 1))
        worst_a = min(within([*sure, *there], own, limit_a) for there in subsets)

        assert Cold(parts).limit_a(limit_a, own) == pytest.approx(max(0.0, worst_a), abs=1e-6)


@settings(deadline=None)
@given(circuits, st.floats(0, 0.5), pairs_a, st.integers(0, 4), st.floats(0, 1))
def test_it_never_rises_when_certainty_or_the_packs_own_limit_falls(
    figures: list[tuple[float, float, float]],
    margin: float,
    limits_a: tuple[float, float],
    victim: int,
    certainty: float,
) -> None:
    parts, limit_a, lower_a = balanced(figures, margin), max(limits_a), min(limits_a)
    victim %= len(parts)
    doubtful = [
        p._replace(certainty=min(p.certainty, certainty)) if i == victim else p for i, p in enumerate(parts)
    ]
    for own, own_doubtful in zip(parts, doubtful, strict=True):
        known_a = Cold(parts).limit_a(limit_a, own)

        assert Cold(doubtful).limit_a(limit_a, own_doubtful) <= known_a + 1e-6
        assert Cold(parts).limit_a(lower_a, own) <= known_a + 1e-6


@settings(deadline=None)
@given(circuits, st.floats(0, 0.5), st.floats(1, 300), st.floats(0, 600))
def test_with_head_room_the_anchored_limit_is_never_below_the_cold_one(
    figures: list[tuple[float, float, float]], margin: float, limit_a: float, carried_a: float
) -> None:
    parts = [p._replace(certainty=1.0) for p in balanced(figures, margin)]
    for own in parts:
        assume(limit_a - own.circulating_a - own.share * carried_a >= 0)

        assert anchored_a(limit_a, own, carried_a) >= Cold(parts).limit_a(limit_a, own) - 1e-6


def without(parts: Sequence[Part], left: Sequence[Part], carried_a: float) -> tuple[list[Part], float]:
    """The circuit of those that stay, and what it carries, each of them as much as before."""
    names = {part.name for part in left}
    there = [part for part in parts if part.name not in names]
    amps = [part.circulating_a + part.share * carried_a for part in there]
    total = sum(part.conductance for part in there)
    shares = [part.conductance / total for part in there]
    return [
        part._replace(share=s, circulating_a=a - s * sum(amps), certainty=1.0)
        for part, s, a in zip(there, shares, amps, strict=True)
    ], sum(amps)


@settings(deadline=None)
@example([(1.0, -11.25, 0.0), (1.0, -11.25, 1.0), (2.0, 22.5, 1.0)], 0.37, 49.2, 0.0)
@given(circuits, st.floats(0, 0.5), st.floats(1, 300), st.floats(0, 600))
def test_a_silent_pack_leaves_no_more_than_one_that_is_known_to_have_left(
    figures: list[tuple[float, float, float]], margin: float, limit_a: float, carried_a: float
) -> None:
    """Also with a margin, and also if a pack carried more than it may when the others fell silent."""
    parts = balanced(figures, margin)
    cold, unsure = Cold(parts), [part for part in parts if part.certainty < 1.0]
    for own in parts:
        least_a = max(0.0, min(cold.limit_a(limit_a, own), cold.from_a(limit_a, own, carried_a)))
        others = [part for part in unsure if part is not own]
        for left in chain.from_iterable(combinations(others, n) for n in range(len(others) + 1)):
            stay, amps = without(parts, left, carried_a)
            known = next(part for part in stay if part.name == own.name)

            assert least_a <= max(0.0, anchored_a(limit_a, known, max(0.0, amps))) + 1e-6


@settings(deadline=None)
@given(circuits, st.floats(1, 300), st.floats(0, 0.999))
def test_a_little_more_certainty_moves_the_limit_a_little(
    figures: list[tuple[float, float, float]], limit_a: float, certainty: float
) -> None:
    parts = balanced(figures, 0.1)
    little, more = ([parts[0]._replace(certainty=w), *parts[1:]] for w in (certainty, certainty + 1e-6))

    assert Cold(more).limit_a(limit_a, parts[1]) == pytest.approx(
        Cold(little).limit_a(limit_a, parts[1]), rel=1e-2, abs=1e-2
    )
