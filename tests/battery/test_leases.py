"""Limits from outside: they only lower, and they end by themselves."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.battery.leases import MOST, LeaseRequest, Leases
from bridge.errors import ConfigError
from bridge.model import Limit
from tests.battery.story import GARAGE, SHED, Story


def ask(
    limit: Limit = Limit.CCL, value: float = 50.0, ttl_s: float = 900.0, name: str = "tariff"
) -> LeaseRequest:
    return LeaseRequest(name=name, limit=limit, value=value, ttl_s=ttl_s, reason="cheap power at night")


def bank() -> Story:
    return Story(GARAGE, SHED).settle()


def test_a_lease_lowers_in_the_next_decision_and_says_who_wants_it() -> None:
    story = bank()
    story.bank.leases.grant(ask(value=20.0), story.now)
    story.decide()
    first = story.last.constraints[Limit.CCL][0]
    assert story.last.charge_current_limit_a == 20.0
    assert (first.rule, first.text) == ("lease", "lease tariff: cheap power at night; 900 s left")


def test_a_lease_of_more_than_is_allowed_raises_nothing() -> None:
    story = bank()
    before = story.limits()
    story.bank.leases.grant(ask(value=1500.0), story.now)
    story.run(60)
    assert story.limits() == before


def test_a_lease_that_ends_lets_the_limit_rise_slowly() -> None:
    story = bank()
    before = story.limits()[0]
    story.bank.leases.grant(ask(value=20.0, ttl_s=10.0), story.now)
    story.run(11)
    assert story.limits()[0] <= 20.0
    story.run(120)
    assert story.limits()[0] == before


def test_a_renewed_lease_goes_on() -> None:
    story = bank()
    for _ in range(5):
        story.bank.leases.grant(ask(value=20.0, ttl_s=10.0), story.now)
        story.run(9)
    assert story.why(Limit.CCL) == "lease"


def test_a_name_may_hold_several_limits_and_drops_all_at_once() -> None:
    leases = Leases([GARAGE])
    for limit, value in ((Limit.CCL, 10.0), (Limit.DCL, 20.0), (Limit.CVL, 54.0)):
        leases.grant(ask(limit, value), 0.0)
    assert {one.limit for one in leases.constraints(1.0)} == {Limit.CCL, Limit.DCL, Limit.CVL}
    assert len(leases.drop("tariff", 1.0)) == 3
    assert leases.constraints(1.0) == ()


def test_dropping_what_is_not_there_names_what_is() -> None:
    leases = Leases([GARAGE])
    leases.grant(ask(), 0.0)
    with pytest.raises(ConfigError, match="no lease is called tarif; there are: tariff"):
        leases.drop("tarif", 0.0)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (ask(value=-1.0), "found -1; allowed for CCL: from 0 to 2000 A"),
        (ask(value=nan), "found nan"),
        (ask(value=inf), "found inf"),
        (ask(Limit.CVL, 40.0), "found 40; allowed for CVL: from 52.8 to 56.8 V"),
        (ask(Limit.CVL, 60.0), "found 60; allowed for CVL"),
        (ask(Limit.DVL, 50.0), "a discharge voltage is not leased"),
        (ask(ttl_s=0.0), "found 0 s; allowed: above 0 to 86400 s"),
        (ask(ttl_s=86401.0), "renew it by asking again"),
        (ask(ttl_s=nan), "found nan s"),
        (ask(name=""), "a lease has a name"),
    ],
)
def test_what_cannot_be_granted_is_refused_in_a_sentence(request_: LeaseRequest, complaint: str) -> None:
    leases = Leases([GARAGE, SHED])
    with pytest.raises(ConfigError, match=complaint.replace("(", r"\(")):
        leases.grant(request_, 0.0)
    assert leases.standing(0.0) == ()


def test_there_are_so_many_leases_and_no_more_but_all_can_be_renewed() -> None:
    leases = Leases([GARAGE])
    for number in range(MOST):
        leases.grant(ask(name=f"n{number}"), 0.0)
    with pytest.raises(ConfigError, match="drop one first"):
        leases.grant(ask(name="more"), 0.0)
    leases.grant(ask(name="n3", value=1.0), 0.0)
    assert len(leases.standing(0.0)) == MOST


@given(st.lists(st.tuples(st.sampled_from([Limit.CCL, Limit.DCL, Limit.CVL]), st.floats(0, 60)), max_size=5))
def test_no_leases_ever_raise_a_limit(wishes: list[tuple[Limit, float]]) -> None:
    story, free = bank(), bank()
    for number, (limit, value) in enumerate(wishes):
        if limit is not Limit.CVL or 52.8 <= value <= 56.8:
            story.bank.leases.grant(ask(limit, value, 5.0, f"n{number}"), story.now)
    for leased, unleased in zip(story.run(12), free.run(12), strict=True):
        for limit in (Limit.CCL, Limit.DCL, Limit.CVL):
            assert getattr(leased, limit.value) <= getattr(unleased, limit.value)
