from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bridge.battery.overcurrent import Overcurrent
from bridge.model import Alarm, Constraint, Limit
from tests.battery.story import pack, stand, well

OWN = (pack("north", 280, 100), pack("south", 280, 100))


class Watched:
    """Two packs of 100 A under watch, heard once a second; the bank may carry 150 A."""

    def __init__(self) -> None:
        self.watch = Overcurrent()
        self.now = 0.0

    def run(self, seconds: int, *currents_a: float, allowed_a: float = 150.0, known: bool = True) -> None:
        for _ in range(seconds):
            self.now += 1.0
            stands = [
                stand(own, replace(well(self.now), current_a=amps))
                for own, amps in zip(OWN, currents_a, strict=True)
            ]
            self.watch.watch(stands, sum(currents_a) if known else None, self.now)
            for limit in (Limit.CCL, Limit.DCL):
                self.watch.allowed(limit, allowed_a)

    def causes(self, name: str = "north", limit: Limit = Limit.DCL) -> Sequence[Constraint]:
        rating = Constraint(limit=limit, value=100.0, rule="rating", text="rated 100 A", pack=name)
        return self.watch.causes(name, (rating,))

    def factor(self, name: str = "north", limit: Limit = Limit.DCL) -> float:
        return self.causes(name, limit)[0].value / 100.0


def test_a_pack_within_its_limit_keeps_it() -> None:
    watched = Watched()
    watched.run(60, -105.9, -20.0)

    assert [cause.rule for cause in watched.causes()] == ["rating"]
    assert not watched.watch.complaints


def test_two_samples_over_the_limit_cost_a_tenth_of_it_and_say_so() -> None:
    watched = Watched()
    watched.run(1, 0.0, 0.0)

    watched.run(1, -110.0, -20.0)
    assert watched.factor() == 1.0
    watched.run(1, -110.0, -20.0)

    cause = watched.causes()[0]
    assert (cause.rule, cause.value, cause.pack) == ("overcurrent_feedback", 90.0, "north")
    assert cause.text == "carried 110 A where 100 A are allowed, counted with 90 %"
    assert [cause.alarm for cause in watched.watch.complaints] == [Alarm.DISCHARGE_OVERCURRENT]
    assert watched.factor("south") == 1.0
    assert watched.factor(limit=Limit.CCL) == 1.0


def test_charging_is_watched_as_discharging_is() -> None:
    watched = Watched()
    watched.run(1, 0.0, 0.0)
    watched.run(2, 110.0, 20.0)

    assert watched.factor(limit=Limit.CCL) == pytest.approx(0.9)
    assert [cause.alarm for cause in watched.watch.complaints] == [Alarm.CHARGE_OVERCURRENT]


def test_it_is_never_counted_with_less_than_half() -> None:
    watched = Watched()
    watched.run(1, 0.0, 0.0)
    watched.run(100, -110.0, -20.0)

    assert watched.factor() == 0.5


def test_after_ten_clean_minutes_a_percent_a_minute_comes_back() -> None:
    watched = Watched()
    watched.run(1, 0.0, 0.0)
    watched.run(2, -110.0, -20.0)

    watched.run(600, -50.0, -20.0)
    assert watched.factor() == pytest.approx(0.9)
    assert not watched.watch.complaints
    watched.run(60, -50.0, -20.0)
    assert watched.factor() == pytest.approx(0.91)
    watched.run(600, -50.0, -20.0)
    assert [cause.rule for cause in watched.causes()] == ["rating"]


def test_an_inverter_that_takes_more_than_it_was_told_is_not_the_shares_fault() -> None:
    watched = Watched()
    watched.run(1, 0.0, 0.0, allowed_a=100.0)
    watched.run(20, -110.0, -20.0, allowed_a=100.0)

    assert watched.factor() == 1.0


def test_an_inverter_is_given_time_to_follow_a_limit_that_fell() -> None:
    watched = Watched()
    watched.run(5, -95.0, -50.0)
    for _ in range(8):
        watched.now += 1.0
        cold = replace(well(watched.now, temperature_c=6.0), current_a=-95.0)
        low = stand(replace(OWN[0], rated_discharge_current_a=50.0), cold)
        watched.watch.watch([low], None, watched.now)

    assert watched.factor() == 1.0


def test_a_circuit_that_changed_gets_the_same_time() -> None:
    watched = Watched()
    watched.run(1, 0.0, 0.0)
    watched.watch.changed(watched.now)

    watched.run(10, -110.0, -20.0)
    assert watched.factor() == 1.0
    watched.run(2, -110.0, -20.0)
    assert watched.factor() == pytest.approx(0.9)


def test_what_circulates_at_rest_is_no_reason() -> None:
    watched = Watched()
    watched.run(1, 0.0, 0.0)
    watched.run(20, -110.0, 110.0)

    assert watched.factor() == 1.0


def test_while_a_pack_is_silent_the_others_are_still_watched() -> None:
    watched = Watched()
    watched.run(1, 0.0, 0.0)
    watched.run(2, -110.0, -20.0, known=False)

    assert watched.factor() == pytest.approx(0.9)
