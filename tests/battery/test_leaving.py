"""A pack that is taken out on purpose: no current first, then silence without alarm."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from bridge.battery.leaving import Departure, Phase
from bridge.errors import ConfigError
from bridge.model import Alarm, Limit, PackSample, PackState
from tests.battery.story import ATTIC, GARAGE, SHED, Story, changed, well


def bank() -> Story:
    return Story(GARAGE, SHED, ATTIC).settle()


def leave(story: Story, ttl_s: float = 1800.0, pack: str = "shed") -> Story:
    story.bank.leaving.ask(pack, ttl_s, story.bank.members(story.now), story.now)
    story.decide()
    return story


def departure(story: Story) -> Departure:
    (found,) = story.bank.leaving.standing()
    return found


def drawing(amps: float) -> Callable[[float], PackSample]:
    return lambda now: well(now, current_a=amps)


def off(now: float) -> PackSample:
    return changed(
        well(now), charge_fet_on=False, discharge_fet_on=False, charge_allowed=False, discharge_allowed=False
    )


def ready() -> Story:
    story = leave(bank())
    story.run(8)
    assert departure(story).phase is Phase.READY
    return story


def gone() -> Story:
    story = ready().say(None, "shed")
    story.run(8)
    assert departure(story).phase is Phase.GONE
    return story


def test_the_whole_bank_goes_to_zero_at_once_and_says_why() -> None:
    story = leave(bank())
    assert story.limits() == (0, 0)
    assert story.last.constraints[Limit.CCL][0].pack == "shed"
    assert story.why(Limit.DCL) == "leaving"


def test_a_pack_that_still_carries_current_is_not_ready() -> None:
    story = bank().say(drawing(-3.0))
    leave(story).run(60)
    assert departure(story).phase is Phase.EMPTYING
    assert story.limits() == (0, 0)


def test_what_unlike_packs_push_through_each_other_keeps_none_from_being_ready() -> None:
    story = leave(bank().say(drawing(3.5), "shed").say(drawing(-3.0), "garage"))
    story.run(8)
    assert departure(story).phase is Phase.READY


def test_current_that_goes_out_of_the_bank_is_not_taken_for_that() -> None:
    story = leave(bank().say(drawing(-3.5), "shed").say(drawing(-3.0), "garage"))
    story.run(60)
    assert departure(story).phase is Phase.EMPTYING


def test_it_is_ready_after_five_quiet_seconds_and_the_limits_stay_at_zero() -> None:
    story = leave(bank())
    story.run(4)
    assert departure(story).phase is Phase.EMPTYING
    story.run(3)
    assert departure(story).phase is Phase.READY
    assert "may be switched off now" in story.last.constraints[Limit.CCL][0].text
    story.run(60)
    assert story.limits() == (0, 0)


def test_current_that_begins_again_takes_the_word_back() -> None:
    story = ready().say(drawing(14.0), "shed")
    story.run(2)
    assert departure(story).phase is Phase.EMPTYING


def test_once_silent_the_others_go_on_without_alarm_as_if_it_were_not_there() -> None:
    story = gone()
    decisions = story.run(300)
    pair = Story(GARAGE, ATTIC).settle()
    pair.run(150)
    assert story.limits() == pair.limits()
    assert story.last.charge_voltage_limit_v == pair.last.charge_voltage_limit_v
    assert not any(d.warnings | d.protections for d in decisions)
    assert story.last.bank.pack_count == 2


def test_the_soc_does_not_jump_when_it_goes() -> None:
    story = bank()
    story.say(lambda now: well(now, soc=0.9), "shed")
    story.run(200)
    leave(story).run(8)
    story.say(None, "shed")
    shown = [d.bank.soc for d in story.run(120)]
    steps = [abs(b - a) for a, b in pairwise(shown) if a is not None and b is not None]
    assert len(steps) == 119
    assert max(steps) <= 0.0051


def test_the_others_limits_come_back_late_and_slowly() -> None:
    story = ready().say(None, "shed")
    limits = [d.charge_current_limit_a for d in story.run(40)]
    assert limits[:29] == [0.0] * 29
    assert all(b - a <= 0.02 * 290 + 0.2 for a, b in pairwise(limits))


def test_a_pack_that_opens_its_switches_has_gone_at_once() -> None:
    story = leave(bank()).say(off, "shed")
    story.run(1)
    assert departure(story).phase is Phase.GONE
    story.say(None, "shed")
    decisions = story.run(200)
    assert not any(Alarm.BMS_COMMUNICATION in d.warnings for d in decisions)
    assert story.limits()[0] > 0


def test_a_silence_before_it_was_ready_is_a_silence_like_any_other() -> None:
    story = leave(bank().say(drawing(-10.0)))
    story.say(None, "shed")
    story.run(60)
    assert departure(story).phase is Phase.EMPTYING
    assert story.limits() == (0, 0)
    assert Alarm.BMS_COMMUNICATION in story.last.warnings


def test_a_pack_that_speaks_again_soon_was_not_switched_off_and_is_emptied_again() -> None:
    story = gone().say(well, "shed")
    story.run(4)
    assert departure(story).phase is Phase.EMPTYING
    assert story.limits() == (0, 0)


def test_a_pack_that_speaks_again_later_has_returned_and_joins_like_any_other() -> None:
    story = gone()
    before = story.run(300)[-1].charge_current_limit_a
    story.say(well, "shed")
    story.run(3)
    assert story.bank.leaving.standing() == ()
    assert story.states()[1] is PackState.JOINING
    assert story.limits()[0] <= before
    story.run(200)
    assert story.states()[1] is PackState.ACTIVE
    assert story.limits()[0] > before


def test_a_pack_that_left_is_in_the_circuit_as_soon_as_it_is_heard_with_closed_switches() -> None:
    story = gone()
    story.run(300)
    high = changed(well(0.0), cell_voltages_v=(3.3,) * 15 + (3.56,))
    story.say(
        lambda now: changed(high, time_s=now, voltage_v=sum(v or 0 for v in high.cell_voltages_v)), "shed"
    )
    story.run(2)
    assert story.limits()[0] == 0


def test_the_request_is_dropped_when_the_pack_is_still_there_after_its_time() -> None:
    story = leave(bank(), ttl_s=20.0)
    story.run(15)
    assert story.limits() == (0, 0)
    story.run(10)
    assert story.bank.leaving.standing() == ()
    story.run(150)
    assert min(story.limits()) > 0


def test_a_pack_that_is_gone_may_stay_away_for_longer_than_the_request() -> None:
    story = leave(bank(), ttl_s=20.0)
    story.run(8)
    story.say(None, "shed")
    story.run(600)
    assert departure(story).phase is Phase.GONE
    assert not story.last.warnings


def test_when_the_request_ends_a_silent_pack_is_lost_again() -> None:
    story = gone()
    story.run(100)
    story.bank.leaving.end("shed")
    story.run(1)
    assert Alarm.BMS_COMMUNICATION in story.last.warnings


def test_asking_again_gives_more_time_and_changes_nothing_else() -> None:
    story = ready()
    story.bank.leaving.ask("shed", 3600.0, story.bank.members(story.now), story.now)
    assert departure(story).phase is Phase.READY
    assert departure(story).until_s == story.now + 3600.0


def test_two_packs_may_leave_together() -> None:
    story = leave(leave(bank()), pack="attic")
    story.run(8)
    story.say(None, "shed", "attic")
    story.run(200)
    assert {one.phase for one in story.bank.leaving.standing()} == {Phase.GONE}
    assert 0 < story.limits()[0] <= GARAGE.rated_charge_current_a


def test_when_all_packs_have_left_there_is_no_current() -> None:
    story = bank()
    for name in ("garage", "shed", "attic"):
        leave(story, pack=name)
    story.run(8)
    story.say(None)
    story.run(100)
    assert story.limits() == (0, 0)


@pytest.mark.parametrize(
    ("pack", "ttl_s", "complaint"),
    [
        ("shedd", 60.0, 'no pack is called shedd; there are: garage, shed, attic. Did you mean "shed"'),
        ("shed", 0.0, "found 0 s; allowed: above 0"),
        ("shed", float("nan"), "found nan s"),
        ("shed", 90000.0, r"86400 s \(24 h\)"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(pack: str, ttl_s: float, complaint: str) -> None:
    story = bank()
    with pytest.raises(ConfigError, match=complaint):
        leave(story, ttl_s, pack)


def test_a_pack_that_is_not_heard_cannot_leave_because_nobody_knows_its_current() -> None:
    story = bank().cut("shed")
    story.run(1)
    with pytest.raises(ConfigError, match="shed is stale: nobody can say what it carries"):
        leave(story)


def test_the_only_pack_cannot_leave() -> None:
    with pytest.raises(ConfigError, match="is the only pack; to switch it off, stop the gateway"):
        leave(Story(SHED).settle())


def test_a_pack_that_was_not_asked_cannot_be_called_back() -> None:
    with pytest.raises(ConfigError, match="shed was not asked to leave"):
        bank().bank.leaving.end("shed")
