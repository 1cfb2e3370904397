"""A pack whose current goes over to the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.battery.context import Pack
from bridge.battery.facts import Facts
from bridge.battery.sharing import LearnedSharing
from bridge.battery.silent_trip import SilentTrips
from bridge.model import Alarm, BankSettings, PackSample
from tests.battery.plain import needs_plain
from tests.battery.story import Feed, Story, changed, pack, well

THREE = (pack("a"), pack("b"), pack("c"))


def carries(current_a: float) -> Feed:
    return lambda now: well(now, current_a=current_a + now % 7 / 100)


def bank(load_a: float = -60.0, settings: BankSettings | None = None) -> Story:
    return Story(*THREE, settings=settings).say(carries(load_a)).settle()


def suspects(story: Story) -> list[str | None]:
    kinds = {Alarm.CHARGE_FET_FAULT, Alarm.DISCHARGE_FET_FAULT}
    return [cause.pack for cause in story.last.alarm_causes if cause.alarm in kinds]


def tripped(story: Story) -> Story:
    return story.say(carries(0.0), "a").say(carries(-90.0), "b", "c")


def test_a_pack_that_left_unsaid_lowers_the_limits_after_two_samples() -> None:
    story = bank()
    before = story.limits()
    tripped(story)

    story.run(1)
    assert suspects(story) == []
    story.run(1)

    two = Story(*THREE[:2]).say(carries(-60.0)).settle().limits()
    assert story.limits() <= two
    assert story.limits()[1] < before[1]
    story.run(4)
    assert suspects(story) == ["a"]
    assert story.last.alarm_causes[-1].text == "a: its 60 A went over to the others; it is taken to be off"


def test_it_is_certain_again_when_it_carries_current_again() -> None:
    story = tripped(bank())
    before = story.decisions[-1].discharge_current_limit_a
    story.run(20)

    story.say(carries(-60.0)).run(200)

    assert story.last.discharge_current_limit_a == before
    assert suspects(story) == []


def test_suspicion_stays_while_nothing_flows_to_tell_by() -> None:
    story = tripped(bank())
    story.run(10)
    low = story.limits()

    story.say(carries(0.0)).run(300)

    assert story.limits() == low


def test_a_load_that_ends_is_no_trip() -> None:
    story = bank()
    before = story.limits()

    story.say(carries(0.0)).run(60)

    assert story.limits() >= before  # its end told the shares
    assert suspects(story) == []


def test_a_load_that_turns_is_no_trip() -> None:
    story = bank()

    story.say(carries(60.0)).run(60)

    assert suspects(story) == []


def test_a_current_that_fades_is_no_trip() -> None:
    """Packs of unlike charge: one leaves off slowly and the others take over."""

    def fading(begin_s: float) -> Callable[[float], float]:
        return lambda now: max(0.0, 60.0 - 2.0 * (now - begin_s))

    story = bank()
    left = fading(story.now)
    story.say(lambda now: well(now, current_a=-left(now)), "a")
    story.say(lambda now: well(now, current_a=-60.0 - (60.0 - left(now)) / 2), "b", "c")

    story.run(60)

    assert suspects(story) == []


def test_one_sample_without_current_is_no_trip() -> None:
    story = bank()

    tripped(story).run(1)
    story.say(carries(-60.0)).run(5)

    assert suspects(story) == []


def test_the_last_pack_is_not_suspected_when_the_others_say_that_they_left() -> None:
    def off(now: float) -> PackSample:
        return changed(
            well(now),
            charge_fet_on=False,
            discharge_fet_on=False,
            charge_allowed=False,
            discharge_allowed=False,
        )

    story = tripped(bank())
    story.run(5)
    story.say(off, "b", "c").run(200)

    assert story.limits() == (140.0, 140.0)


def test_losing_the_others_does_not_lift_the_suspicion() -> None:
    story = tripped(bank(settings=BankSettings(on_pack_lost="hold")))
    story.run(10)
    low = story.limits()

    story.cut("b", "c").run(100)

    assert all(d.discharge_current_limit_a <= low[1] for d in story.decisions[-100:])


def test_a_pack_that_says_that_it_left_is_no_suspect_any_more() -> None:
    story = tripped(bank())
    story.run(10)

    story.say(lambda now: replace(well(now), discharge_fet_on=False, discharge_allowed=False), "a").run(12)

    assert suspects(story) == []


amps = st.sampled_from([0.0, 0.0, -20.0, -60.0, -90.0, 60.0])
moments = st.tuples(st.tuples(amps, amps, amps), st.integers(1, 4))


@needs_plain
@settings(max_examples=40, deadline=None)
@given(st.lists(moments, min_size=2, max_size=10))
def test_suspicion_never_raises_a_limit(history: list[tuple[tuple[float, float, float], int]]) -> None:
    quick = BankSettings(rise_after_s=0.0, rise_pct_per_s=100.0, ready_within_s=0.0)
    watched, trusting = Story(*THREE, settings=quick), Story(*THREE, settings=quick)
    trusting.bank._watch._trips = Trusting()
    watched.bank._sharing, trusting.bank._sharing = Unlearned(), Unlearned()  # who trusts, learns bad news
    for currents, seconds in history:
        for story in (watched, trusting):
            for own, current_a in zip(THREE, currents, strict=True):
                story.say(carries(current_a), own.name)
            story.run(seconds)

        assert watched.limits()[0] <= trusting.limits()[0]
        assert watched.limits()[1] <= trusting.limits()[1]


class Unlearned(LearnedSharing):
    """Knows of no current."""

    def observe(self, packs: Sequence[Pack], now: float) -> None: ...


class Trusting(SilentTrips):
    """Suspects nobody."""

    def heard(self, facts: Facts) -> None: ...


def test_a_charging_pack_is_found_alike() -> None:
    story = bank(60.0)

    story.say(carries(0.0), "a").say(carries(90.0), "b", "c").run(6)

    assert suspects(story) == ["a"]
    assert Alarm.CHARGE_FET_FAULT in story.last.warnings
