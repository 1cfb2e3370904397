from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp

import pytest

from bridge.battery.context import Context
from bridge.battery.n_minus_1 import n_minus_1
from bridge.battery.sharing import LearnedSharing
from bridge.config import parse
from bridge.model import BankSettings, Constraint, Limit, PackInfo, PackSettings, Ratings
from tests.battery.circuit import Circuit, turns
from tests.battery.story import Story, around, pack, stand, well
from tests.config.samples import GOOD


def hundred(name: str, **fields: float) -> PackSettings:
    return replace(pack(name, 280, 100), **{"ocp_a": 115.0, **fields})  # type: ignore[arg-type]  # numbers all


def context(
    *own: PackSettings, mode: str = "auto", sharing: LearnedSharing | None = None, lag_s: float = 4.0
) -> Context:
    return around(*[stand(one, well()) for one in own])._replace(
        settings=BankSettings(n_minus_1=mode, inverter_lag_s=lag_s),
        sharing=sharing or LearnedSharing(),
    )


def binding(found: Context) -> Constraint:
    return min(n_minus_1(found), key=lambda constraint: constraint.value)


def learned(*own: PackSettings, ohm: Sequence[float] | None = None) -> LearnedSharing:
    """What a bank of these packs knows after some turns of its load."""
    count = len(own)
    return Circuit(own, ohm or [0.010] * count, [52.0] * count).run(400, turns(-150.0)).sharing


def test_off_says_nothing() -> None:
    assert not list(n_minus_1(context(hundred("a"), hundred("b"), mode="off")))


def test_one_pack_has_nobody_to_inherit_from() -> None:
    assert not list(n_minus_1(context(hundred("a"))))


def test_two_packs_may_draw_no_more_than_the_smaller_one_can_carry_alone() -> None:
    own = hundred("a"), hundred("b", ocp_a=200.0)

    found = binding(context(*own, sharing=learned(*own)))

    assert found.value == pytest.approx(0.97 * 115.0)
    assert (
        found.text == "a: if b dropped out, it would get more than 97 % of the 115 A at which its BMS opens"
    )
    assert (found.limit, found.rule, found.pack) == (Limit.DCL, "n_minus_1", "a")


def test_of_three_equal_packs_each_survivor_gets_half() -> None:
    own = hundred("a"), hundred("b"), hundred("c")

    assert binding(context(*own, sharing=learned(*own))).value == pytest.approx(2 * 0.97 * 115, rel=0.03)


def test_the_worst_loss_is_that_of_the_stiffest_pack() -> None:
    own = hundred("a"), hundred("b"), hundred("c")
    ohm = (0.006, 0.012, 0.012)

    found = binding(context(*own, sharing=learned(*own, ohm=ohm)))

    # Without b, a has 2/3 of the current; without a, b and c have half each.
    assert found.pack == "a"
    assert found.value == pytest.approx(0.97 * 115 / (2 / 3), rel=0.03)


def test_strict_keeps_the_survivors_within_their_own_limits() -> None:
    own = hundred("a"), hundred("b"), hundred("c")

    found = binding(context(*own, mode="strict", sharing=learned(*own)))

    assert found.value == pytest.approx(200.0, rel=0.03)
    assert found.text.endswith("dropped out, it would get more than it may carry")


def test_a_slow_trip_can_be_ridden_through() -> None:
    """10 s until it opens, less 1 s to spare and 3 s until the inverter hears of it: 6 s at 4 s of lag."""
    own = hundred("a", ocp_delay_s=10.0), hundred("b", ocp_delay_s=10.0)

    assert binding(context(*own)).value == pytest.approx(0.97 * (100 + 15 * exp(6 / 4)))
    assert binding(context(*own, lag_s=1.0)).value == pytest.approx(0.97 * 200)  # its instant stage, unknown


def test_a_known_instant_stage_bounds_the_ride() -> None:
    own = hundred("a", ocp_delay_s=60.0, ocp_fast_a=300.0), hundred("b", ocp_delay_s=60.0, ocp_fast_a=250.0)

    assert binding(context(*own)).value == pytest.approx(0.97 * 250)


def test_slow_polls_leave_no_time_to_ride() -> None:
    own = [hundred(name, ocp_delay_s=10.0, period_s=7.0) for name in "ab"]

    assert binding(context(*own)).value == pytest.approx(0.97 * 115)


def test_without_a_word_on_the_delay_there_is_no_ride() -> None:
    own = hundred("a"), hundred("b", ocp_delay_s=60.0)

    found = {c.pack: c.value for c in n_minus_1(context(*own))}

    assert found == {"a": pytest.approx(0.97 * 115), "b": pytest.approx(0.97 * 200)}


def test_without_a_word_on_the_trip_it_is_taken_to_be_a_tenth_above_the_rating() -> None:
    own = pack("a", 280, 100), pack("b", 280, 100)

    assert binding(context(*own)).value == pytest.approx(0.97 * 110)


def test_what_the_bms_says_of_its_trip_counts_and_so_does_a_silent_pack_as_gone() -> None:
    own = [pack(name, 280, 100) for name in "abc"]
    story = Story(*own, settings=BankSettings(n_minus_1="auto", inverter_lag_s=60.0))
    for one in own:
        story.bank.informed(one.name, PackInfo(ratings=Ratings(discharge_ocp_a=120.0)))
    story.settle()
    before = story.limits()[1]
    assert story.why(Limit.DCL) == "n_minus_1"

    story.cut("c").run(1)

    assert before == pytest.approx(2 * 0.97 * 120 / 1.37, abs=1.0)
    assert story.limits()[1] <= 0.97 * 121


def test_it_is_set_in_the_configuration() -> None:
    text = GOOD.replace("[bank]", '[bank]\nn_minus_1 = "strict"\ninverter_lag_s = 2')

    bank = parse(text, "c.toml").bank

    assert (bank.n_minus_1, bank.inverter_lag_s) == ("strict", 2)
