"""The sink of an inverter that asks: what it is told, when, and when there is silence."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import profiles
from bridge.errors import ConfigError
from bridge.model import Alarm, Decision
from bridge.profiles import Rs485Profile
from bridge.responders.contract import Question, Understood
from bridge.sinks.rs485 import NO_DECISION, NOT_KNOWN, Moment, Reply, Rs485Sink, port_of
from tests.sinks.asking import CELLS, Pair, guarded, member
from tests.sinks.helpers import decision

NAMES = [name for name in profiles.names() if name not in profiles.can()]
every_profile = pytest.mark.parametrize("name", NAMES)
BANK = {
    "remaining_ah": 320.0, "full_ah": 560.0, "cycles": 41, "cells": 16, "cell_max_v": max(CELLS),
    "cell_min_v": min(CELLS), "temperature_max_c": 25.0, "temperature_min_c": 22.0,
}  # fmt: skip
LOST: dict[str, Any] = {
    "bank": {**BANK, "packs_online": 0, "voltage_v": None, "current_a": None, "soc": None},
    "charge_current_limit_a": 0.0,
    "discharge_current_limit_a": 0.0,
    "charge_enabled": False,
    "discharge_enabled": False,
    "protections": frozenset({Alarm.BMS_COMMUNICATION}),
}


def everyday(now: float, **changes: Any) -> Decision:
    limits = {"charge_current_limit_a": 80.0, "discharge_current_limit_a": 60.0}
    return decision(time_s=now, **{**limits, "bank": BANK, **changes})


@cache
def profile(name: str = "axpert-pyl", **changes: object) -> Rs485Profile:
    return profiles.asking(name).model_copy(update=changes)


def questions(used: Rs485Profile, count: int = 8) -> list[Question]:
    """What its inverter asks first, of what wants an answer."""
    entry, port = port_of(used)
    master = entry.master(port)
    asked = [master.question() for _ in range(count)]
    return [one for one in asked if one.answered]


def moment(now: float) -> Moment:
    """One in which the guard has nothing against anything."""
    return Moment(lambda decided: decided, (member(now=now),))


def ask(sink: Rs485Sink, question: bytes, now: float, *, asked_s: float | None = None) -> list[Reply]:
    return sink.received(question, now if asked_s is None else asked_s, now, guarded(now, member(now=now)))


def understood(used: Rs485Profile, sink: Rs485Sink, now: float) -> dict[str, object]:
    """What an inverter makes of a round of answers."""
    entry, port = port_of(used)
    master = entry.master(port)
    values: dict[str, object] = {}
    for _ in range(8):
        question = master.question()
        for reply in ask(sink, question.data, now):
            for item in master.feed(reply.data):
                assert isinstance(item, Understood)
                values |= item.values
        now += 0.01
    return values


# Every inverter that there is


@every_profile
def test_an_inverter_lives_on_the_answers_and_faults_when_they_stop(name: str) -> None:
    pair = Pair(profile(name), lambda now: everyday(now) if now < 60.0 else None)
    pair.run(60.0)
    assert not pair.inverter.fault
    assert pair.inverter.unanswered == 0
    assert pair.inverter.answered > 50
    assert pair.inverter.current_a == pytest.approx(40.0, abs=0.1)
    assert (pair.sink.status(60.0).inverter_heard, pair.sink.status(60.0).garbage) == (True, 0)
    answers = len(pair.said)
    pair.run(pair.profile.dead_man_s)
    pair.run(1.0)
    told = len(pair.said)
    pair.run(pair.profile.comm_fault_s)
    assert (len(pair.said), told >= answers) == (told, True)
    assert (pair.inverter.fault, pair.inverter.current_a) == (True, 0.0)
    assert pair.sink.status(pair.now).silent == NO_DECISION


@every_profile
def test_an_inverter_takes_no_current_when_none_is_allowed(name: str) -> None:
    for wanted_a, ended in ((40.0, "charge"), (-40.0, "discharge")):
        stopped: dict[str, Any] = {f"{ended}_current_limit_a": 0.0, f"{ended}_enabled": False}
        pair = Pair(profile(name), lambda now: everyday(now, **stopped), demand_a=wanted_a)  # noqa: B023
        pair.run(20.0)
        assert abs(pair.inverter.current_a) <= 0.1  # what inverters are sent that ignore 0


@every_profile
def test_no_limit_is_understood_as_more_than_was_decided(name: str) -> None:
    sink = Rs485Sink("house", profile(name))
    sink.decided(everyday(0.0, charge_current_limit_a=79.97, discharge_current_limit_a=59.93))
    heard = understood(profile(name), sink, 0.1)
    for key, most in (("charge_current_limit_a", 79.97), ("discharge_current_limit_a", 59.93)):
        value = heard.get(key, 0.0)
        assert isinstance(value, int | float)
        assert value <= most + 1e-9
    assert float(str(heard.get("charge_voltage_limit_v", 56.0))) <= 56.0


@every_profile
def test_what_was_asked_before_the_first_decision_is_not_answered(name: str) -> None:
    sink = Rs485Sink("house", profile(name))
    assert [ask(sink, one.data, 0.1 * number) for number, one in enumerate(questions(profile(name)))] != []
    assert (sink.status(1.0).answers, sink.status(1.0).silent) == (0, NO_DECISION)
    assert sink.status(1.0).asked > 0


@every_profile
def test_packs_that_are_lost_are_said_as_no_current_and_then_not_at_all(name: str) -> None:
    used = profile(name)
    assert used.silence_after_s is not None
    pair = Pair(used, lambda now: everyday(now) if now < 5.0 else everyday(now, **LOST))
    pair.moment = guarded
    pair.run(5.0 + used.silence_after_s - 2.0)
    assert not pair.inverter.fault
    view = pair.inverter.view()
    for limit in ("charge_current_limit_a", "discharge_current_limit_a"):
        value = view[limit]
        assert value is None or float(str(value)) <= 0.1
    assert view["charge_enabled"] in {False, None}
    pair.run(3.0)
    told = len(pair.said)
    pair.run(used.comm_fault_s + 1.0)
    assert len(pair.said) == told
    assert pair.inverter.view()["fault"]
    assert "all packs lost for" in str(pair.sink.status(pair.now).silent)


@every_profile
@settings(max_examples=10, deadline=None)
@given(chunks=st.lists(st.binary(max_size=64), max_size=8), gap_s=st.sampled_from([0.001, 0.2]))
def test_noise_never_raises_and_the_next_question_is_answered(
    name: str, chunks: list[bytes], gap_s: float
) -> None:
    sink = Rs485Sink("house", profile(name))
    now = 0.0
    for chunk in chunks:
        sink.decided(everyday(now))
        for reply in ask(sink, chunk, now):
            assert reply.data
        sink.wake(now)
        now += gap_s
    now += 1.0
    sink.wake(now)
    sink.decided(everyday(now))
    fresh = next(one for one in questions(profile(name)))
    assert ask(sink, fresh.data, now)


# The moment of an answer


def test_an_answer_has_a_window_behind_the_end_of_its_question() -> None:
    sink = Rs485Sink("house", profile())
    sink.decided(everyday(0.0))
    (reply,) = ask(sink, questions(profile())[0].data, 1.02, asked_s=1.0)
    assert reply.window.heard_s == 1.0
    assert reply.window.earliest_s == 1.0 + profile().turnaround_s
    assert reply.window.latest_s == 1.0 + 0.05


def test_a_question_in_pieces_is_answered_once_it_is_whole() -> None:
    sink = Rs485Sink("house", profile())
    sink.decided(everyday(0.0))
    question = questions(profile())[1].data
    replies = [ask(sink, question[index : index + 1], 0.001 * index) for index in range(len(question))]
    assert [len(one) for one in replies] == [*[0] * (len(question) - 1), 1]


def test_a_question_that_was_cut_off_is_given_up_and_the_next_one_answered() -> None:
    sink = Rs485Sink("house", profile())
    sink.decided(everyday(0.0))
    question = questions(profile())[1].data
    assert ask(sink, question[:7], 0.0) == []
    assert math.isfinite(sink.next_s())
    sink.wake(sink.next_s())
    assert (sink.status(0.3).garbage, sink.next_s()) == (7, math.inf)
    assert len(ask(sink, question, 0.5)) == 1


def test_of_questions_that_come_at_once_only_the_last_is_answered() -> None:
    sink = Rs485Sink("house", profile("growatt-spf-rs485"))
    sink.decided(everyday(0.0))
    question = bytes.fromhex("010300130010B5C3")
    assert len(ask(sink, 20 * question, 0.0)) == 1
    assert sink.status(0.0).asked == 20


def test_a_question_for_another_slave_is_not_answered_and_is_counted() -> None:
    sink = Rs485Sink("house", profile("growatt-spf-rs485", address=7))
    sink.decided(everyday(0.0))
    assert ask(sink, bytes.fromhex("010300130010B5C3"), 0.0) == []
    status = sink.status(0.0)
    assert (status.asked, status.foreign, status.addresses, status.inverter_heard) == (0, 1, (1,), None)


def test_a_question_into_our_answer_tells_of_a_second_master() -> None:
    sink = Rs485Sink("house", profile())
    sink.decided(everyday(0.0))
    first, second, *_ = questions(profile())
    (reply,) = ask(sink, second.data, 0.0)
    assert ask(sink, first.data, reply.window.earliest_s + 0.05)
    assert sink.status(0.1).collisions == 1
    sink.decided(everyday(2.0))
    assert ask(sink, first.data, 2.0)
    assert sink.status(2.1).collisions == 1


@pytest.mark.parametrize("name", ["axpert-pyl", "growatt-spf-rs485", "kostal-rs485"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_our_own_echo_is_neither_a_question_nor_noise(name: str, size: int) -> None:
    sink = Rs485Sink("house", profile(name))
    sink.decided(everyday(0.0))
    first, second, *_ = [*questions(profile(name)), *questions(profile(name))]
    (reply,) = ask(sink, first.data, 0.0)
    for begin in range(0, len(reply.data), size):
        assert ask(sink, reply.data[begin : begin + size], 0.006) == []
    status = sink.status(0.1)
    assert (status.echoes, status.garbage, status.twins, status.others) == (1, 0, 0, 0)
    assert len(ask(sink, second.data, 0.5)) == 1


def test_what_became_of_answers_is_told() -> None:
    sink = Rs485Sink("house", profile())
    for after_s, problem in ((0.0061, None), (0.0123, None), (None, "late"), (None, "busy")):
        sink.replied(after_s, problem)
    status = sink.status(0.0)
    assert (status.answers, status.late, status.busy) == (2, 1, 1)
    assert (status.reply_ms, status.reply_max_ms) == (12.3, 12.3)


# What is said


def test_nothing_is_said_before_voltage_and_charge_are_known_and_later_the_last_known_is() -> None:
    sink = Rs485Sink("house", profile())
    question = questions(profile())[1].data
    unknown = {**BANK, "voltage_v": None, "soc": None}
    sink.decided(everyday(0.0, bank=unknown))
    assert ask(sink, question, 0.1) == []
    assert sink.status(0.1).silent == NOT_KNOWN
    sink.decided(everyday(1.0))
    assert ask(sink, question, 1.1)
    assert sink.status(1.1).silent is None
    sink.decided(everyday(2.0, bank=unknown))
    assert ask(sink, question, 2.1)


def test_the_guard_has_the_last_word_at_the_moment_of_the_answer() -> None:
    used = profile()
    sink = Rs485Sink("house", used)
    sink.decided(everyday(0.0))
    too_high = (*CELLS[:-1], 3.7)
    limits = next(one for one in questions(used) if one.name == "management").data
    (reply,) = sink.received(limits, 0.1, 0.1, guarded(0.1, member(now=0.1, cell_voltages_v=too_high)))
    assert reply.data
    assert sink.sent is not None
    assert (sink.sent.charge_current_limit_a, sink.sent.charge_enabled) == (0.0, False)


def test_a_profile_may_want_silence_as_soon_as_all_packs_are_lost() -> None:
    sink = Rs485Sink("house", profile(stale="silence", silence_after_s=None))
    question = questions(profile())[1].data
    sink.decided(everyday(0.0))
    assert ask(sink, question, 0.1)
    sink.decided(everyday(1.0, **LOST))
    assert ask(sink, question, 1.1) == []
    assert "silence" in str(sink.status(1.1).silent)


def test_values_stay_in_the_ranges_of_the_profile() -> None:
    ranges = {"charge_voltage_limit_v": profiles.Range(max=54.0)}
    used = profile().model_copy(update={"ranges": ranges})
    sink = Rs485Sink("house", used)
    sink.decided(everyday(0.0))
    assert float(str(understood(used, sink, 0.1)["charge_voltage_limit_v"])) <= 54.0


def test_what_does_not_fit_the_line_or_the_profile_is_in_the_status() -> None:
    wide = {"bank": {**BANK, "full_ah": 20_000.0}, "charge_current_limit_a": 4000.0}
    ranges = {"charge_voltage_limit_v": profiles.Range(max=54.0)}
    sink = Rs485Sink("house", profile().model_copy(update={"ranges": ranges}))
    everything = moment(1.1)

    def clamped(now: float, **changes: Any) -> tuple[str, ...]:
        sink.decided(everyday(now, **changes))
        sink.received(questions(profile())[1].data, now, now, everything)
        return sink.status(now).clamped

    assert sink.status(0.0).clamped == ()
    assert clamped(1.0, **wide) == ("charge_current_limit_a", "charge_voltage_limit_v", "full_ah")
    assert clamped(2.0, charge_voltage_limit_v=53.0) == ()
    clamped(3.0, **wide)
    assert sink.status(60.0).clamped == ()  # nothing is said any more


def test_an_inverter_that_heeds_the_charge_alone_is_stopped_by_it() -> None:
    used = profile("srne-pyl", soc_says_stop=True)
    sink = Rs485Sink("house", used)
    sink.decided(everyday(0.0, charge_current_limit_a=0.0, charge_enabled=False))
    assert understood(used, sink, 0.1)["soc_pct"] == 100


# What does not fit


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"dialect": "pylontec-rs485"}, "dialect: unknown dialect 'pylontec-rs485'"),
        ({"options": {"ask": "axpert"}}, "options.ask: unknown option; pylontech-rs485 knows: asks, pose"),
        ({"options": {"asks": "axprt"}}, "options.asks: "),
        ({"address": 200}, "address: 200; allowed for pylontech-rs485: "),
    ],
)
def test_a_profile_that_does_not_fit_its_dialect_is_refused_by_key(
    changes: dict[str, object], text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        port_of(profiles.asking("axpert-pyl").model_copy(update=changes))
    assert text in str(caught.value)


def test_a_decision_of_the_future_is_none() -> None:
    sink = Rs485Sink("house", profile())
    sink.decided(everyday(0.0)._replace(time_s=100.0))
    assert ask(sink, questions(profile())[0].data, 1.0) == []
