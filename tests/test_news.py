"""The log says each change once, and is never flooded."""

from __future__ import annotations

from bridge.battery.leases import LeaseRequest
from bridge.events import Report
from bridge.model import Bank, Constraint, Decision, Limit
from bridge.news import SAY_EVERY_S, Causes, Standing
from tests.battery.story import GARAGE, SHED, Story, well

DECISION = Decision(
    time_s=0.0, bank=Bank(), charge_voltage_limit_v=55.2, discharge_voltage_limit_v=44.8,
    charge_current_limit_a=100.0, discharge_current_limit_a=100.0, charge_enabled=True,
    discharge_enabled=True,
)  # fmt: skip


def because(rule: str) -> Decision:
    """CCL is held by this rule."""
    cause = Constraint(limit=Limit.CCL, value=100.0, rule=rule, text=f"the {rule} says so")
    return DECISION._replace(constraints={Limit.CCL: (cause,)})


def ccl(reports: list[Report]) -> list[Report]:
    return [one for one in reports if one.fields["limit"] == "CCL"]


def test_a_cause_that_stays_is_said_once() -> None:
    causes, said = Causes(), list[Report]()
    for second in range(100):
        said += causes.news(because("taper"), float(second))
    assert len(ccl(said)) == 1
    assert ccl(said)[0].fields["why"] == "the taper says so"


def test_a_new_cause_after_a_quiet_time_is_said_at_once() -> None:
    causes = Causes()
    assert list(causes.news(because("taper"), 0.0))
    assert ccl(list(causes.news(because("lease"), SAY_EVERY_S)))[0].fields["rule"] == "lease"


def test_a_cause_that_goes_to_and_fro_is_said_each_ten_seconds_at_most_with_how_often() -> None:
    causes, said = Causes(), list[Report]()
    for step in range(200):
        rule = "taper" if step % 3 else "rating"
        said += causes.news(because(rule), step / 2)
    reports = ccl(said)
    assert 2 <= len(reports) <= 11
    assert all(int(str(one.fields["changes"])) > 5 for one in reports[1:])


def test_the_last_of_several_changes_is_not_forgotten() -> None:
    causes = Causes()
    list(causes.news(because("rating"), 0.0))
    list(causes.news(because("taper"), 1.0))
    late = [one for second in range(2, 20) for one in causes.news(because("taper"), float(second))]
    assert [one.fields["rule"] for one in ccl(late)] == ["taper"]


def test_disobedience_is_said_when_it_begins_and_when_it_ends() -> None:
    story, standing = Story(GARAGE, SHED, obedience="act").settle(), Standing()
    story.say(lambda now: well(now, 3.25 + 0.001 * (now % 3), current_a=-99.0), "garage", "shed")
    story.bank.leases.grant(LeaseRequest(name="x", limit=Limit.DCL, value=10.0, ttl_s=900.0), story.now)
    said: list[Report] = []
    for _ in range(40):
        story.run(1)
        said += standing.news(story.bank, story.now)
    story.say(lambda now: well(now, 3.25 + 0.001 * (now % 3)))
    for _ in range(200):
        story.run(1)
        said += standing.news(story.bank, story.now)
    events = [one.event for one in said if one.event.startswith("limit_")]
    assert events == ["limit_disobeyed", "limit_obeyed"]
