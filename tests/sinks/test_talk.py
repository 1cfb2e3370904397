"""Polled dialects and handshakes, against what the public sources say of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import profiles
from bridge.model import CanFrame, Decision
from bridge.profiles import Poll, Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.can import NOT_HEARD, CanSink
from bridge.sinks.dialect import Dialect
from bridge.sinks.talk import REPLY_GAP_S, Talk
from tests.sinks.helpers import decision, deye, poll_frame, unguarded

POLLS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "can_polls.json").read_text("utf-8")
)
ASK = CanFrame(0x1871, bytes.fromhex("0100010000000000"), True)
CLOSE = CanFrame(0x1871, bytes.fromhex("0200010001000000"), True)
OPEN = CanFrame(0x1871, bytes.fromhex("0200010000000000"), True)
PYLON_ASK = CanFrame(0x4200, bytes(8), True)


@cache
def _loaded(name: str) -> tuple[Profile, Dialect]:
    profile = profiles.load(name)
    return profile, dialects.of_profile(profile)


class Line:
    """A sink that is given a decision each second, and asked in between."""

    def __init__(self, profile: str) -> None:
        self.sink = CanSink("house", *_loaded(profile))
        self.now = 0.0
        self.decide()

    def decide(self, **changes: Any) -> tuple[CanFrame, ...]:
        return self.sink.frames(decision(time_s=self.now, **changes), unguarded)

    def ask(self, frame: CanFrame, after_s: float = 1.0) -> tuple[CanFrame, ...]:
        self.now += after_s
        return self.sink.received(frame, self.now, unguarded)

    def ids(self, frame: CanFrame, after_s: float = 1.0) -> list[int]:
        found = [one.can_id for one in self.ask(frame, after_s)]
        self.decide()
        return found

    def values(self, frame: CanFrame, after_s: float = 1.0) -> dict[str, Any]:
        frames = self.ask(frame, after_s)
        self.decide()
        return {name: value for one in frames for name, value in self.sink.dialect.decode(one).items()}


def real(name: str) -> list[CanFrame]:
    vector = next(one for one in POLLS if one["name"] == name)
    return [CanFrame(one["id"], bytes.fromhex(one["data"]), one["ext"]) for one in vector["frames"]]


ROUND = [0x1872, 0x1873, 0x1874, 0x1875, 0x1876, 0x1877, 0x1878]

# SolaX


def test_solax_hears_an_announcement_until_it_asks_for_the_contactor() -> None:
    line = Line("solax-hv")
    assert line.ids(ASK) == [*ROUND, 0x100A001]
    assert line.ids(ASK) == [*ROUND, 0x100A001]
    assert line.values(ASK)["contactor_closed"] == 0


def test_solax_gets_one_answer_to_its_command_and_then_a_closed_contactor() -> None:
    line = Line("solax-hv")
    assert line.ids(CLOSE) == [*ROUND, 0x100A001]
    assert line.ids(ASK) == [*ROUND, 0x1801]
    assert line.ids(ASK) == ROUND
    assert line.values(ASK)["contactor_closed"] == 1
    assert line.sink.status(line.now).handshake == "closed"


def test_the_round_between_command_and_contactor_still_says_open() -> None:
    line = Line("solax-hv")
    line.ids(CLOSE)
    assert line.values(ASK)["contactor_closed"] == 0


def test_the_announcement_of_solax_has_no_data() -> None:
    assert Line("solax-hv").ask(ASK)[-1] == CanFrame(0x100A001, b"", True)


def test_solax_may_open_the_contactor_again() -> None:
    line = Line("solax-hv")
    for frame in (CLOSE, ASK, OPEN):
        line.ids(frame)
    assert line.ids(ASK)[-1] == 0x100A001


@pytest.mark.parametrize(("silence_s", "last"), [(2.0, 0x1878), (2.1, 0x100A001)])
def test_after_two_seconds_without_a_poll_the_handshake_begins_anew(silence_s: float, last: int) -> None:
    line = Line("solax-hv")
    for frame in (CLOSE, ASK, ASK):
        line.ids(frame)
    assert line.ids(ASK, silence_s)[-1] == last


# The others


def test_the_polls_of_a_real_foxess_are_answered_as_its_documentation_says() -> None:
    line = Line("foxess-hv")
    found = [line.ids(frame) for frame in real("foxess-inverter-poll-set")]
    assert found == [[*ROUND, 0x1879], [], [0x1881, 0x1882, 0x1883], []]


def test_a_foxess_is_told_that_charging_is_inhibited() -> None:
    line = Line("foxess-hv")
    assert line.values(ASK)["charge_forbidden"] is False
    line.decide(charge_current_limit_a=0.0)
    found = {one.can_id: one.data for one in line.ask(ASK)}
    assert found[0x1876][0] == 1
    assert found[0x1872][4:6] == bytes(2)


@pytest.mark.parametrize(
    ("asked_for", "ids"),
    [
        (0, [0x4210, 0x4220, 0x4230, 0x4240, 0x4250, 0x4260, 0x4270, 0x4280, 0x4290]),
        (2, [0x7310, 0x7320, 0x7330, 0x7340]),
        (1, []),
    ],
)
def test_pylontech_status_and_identity_are_asked_for_apart(asked_for: int, ids: list[int]) -> None:
    assert Line("solis-hv").ids(CanFrame(0x4200, bytes([asked_for, *bytes(7)]), True)) == ids


def test_an_address_is_added_to_what_the_battery_sends_and_to_nothing_else() -> None:
    assert Line("ferroamp").ids(PYLON_ASK)[:2] == [0x4211, 0x4221]


def test_communication_alarms_are_not_hidden_on_request() -> None:
    assert Line("solis-hv").ask(CanFrame(0x8240, b"\xaa" * 8, True)) == (CanFrame(0x8250, bytes(8), True),)


@pytest.mark.parametrize(
    ("profile", "charge", "discharge"),
    [
        ("solis-hv", 30000 + 1000, 30000 + 1500),
        ("ferroamp", 30000 + 1000, 30000 - 1500),
        ("sofar-hv-pylon", 1000, 1500),
    ],
)
def test_the_variants_of_pylontech_differ_in_offset_and_sign(
    profile: str, charge: int, discharge: int
) -> None:
    data = Line(profile).ask(PYLON_ASK)[1].data
    assert (int.from_bytes(data[4:6], "little"), int.from_bytes(data[6:8], "little")) == (charge, discharge)


def test_the_big_endian_variant_of_pylontech_is_big_endian() -> None:
    assert Line("other-pylon-hv-be").ask(PYLON_ASK)[1].data.hex(" ") == "02 30 01 cc 03 e8 05 dc"


def test_a_growatt_that_looks_for_its_battery_is_waited_for_and_then_told() -> None:
    line = Line("growatt-hv")
    assert line.decide() == ()
    assert line.sink.status(0.0).silent == NOT_HEARD
    for frame in real("growatt-hv-startup-and-first-reply"):
        assert line.ask(frame, 0.1) == ()
    told = line.decide()
    assert told[0].data.hex(" ") == "02 30 03 e8 05 dc 30 03"
    assert [one.data[0] for one in told if one.can_id == 0x3230] == [0, 1, 2]
    assert line.sink.status(line.now).silent is None


def test_a_growatt_that_is_gone_is_waited_for_again() -> None:
    line = Line("growatt-hv")
    line.ask(CanFrame(0x3010, bytes(8), True))
    assert line.decide()
    line.now += 60.1
    assert line.decide() == ()


def test_a_polled_growatt_lv_gets_no_second_set_while_it_asks() -> None:
    line = Line("growatt-lv")
    poll = CanFrame(0x301, bytes.fromhex("1122334455667788"))
    assert line.decide()
    assert len(line.ask(poll)) == 7
    assert line.decide() == ()
    line.now += 2.4
    assert line.decide() == ()
    line.now += 0.2
    assert len(line.decide()) == 7


def test_a_byd_taker_gets_an_identity_in_pages_and_seldom_frames_seldom() -> None:
    line = Line("fronius-byd-hv")
    assert line.decide() == ()
    identity = line.ask(CanFrame(0x151, b"\1" + bytes(7)))
    assert [one.can_id for one in identity] == [0x250, 0x290, 0x2D0, 0x3D0, 0x3D0, 0x3D0, 0x3D0]
    assert b"".join(one.data[1:] for one in identity[3:]).rstrip(b"\0") == b"Battery-Box Premium HVS"
    assert [one.data[0] for one in identity[3:]] == [0, 1, 2, 3]
    assert [one.can_id for one in line.decide()] == [0x110]
    assert line.decide()[0].data.hex(" ") == "02 30 01 cc 05 dc 03 e8"
    due = []
    for tenth in range(800):
        line.now = 1.0 + tenth / 10
        line.decide()
        if tenth % 100 == 0:
            line.ask(CanFrame(0x091, bytes(8)), 0.0)
        due += [one.can_id for one in line.sink.due(line.now, unguarded)]
    assert (due.count(0x150), due.count(0x190)) == (8, 2)


def test_sma_pairs_and_hears_alarms_in_pairs() -> None:
    line = Line("sma-byd-hv")
    paired = line.ask(CanFrame(0x5E7, bytes(8)))
    assert [one.can_id for one in paired][:6] == [0x558, 0x598, 0x5D8, 0x618, 0x618, 0x618]
    assert next(one.data for one in paired if one.can_id == 0x158) == b"\xaa" * 8
    assert next(one.data[6] for one in paired if one.can_id == 0x4D8) == 3


def test_afore_answers_its_inverter_and_nobody_else() -> None:
    line = Line("afore")
    assert line.decide() == ()
    told = {one.can_id: one.data.hex(" ") for one in line.ask(CanFrame(0x305, b"AFORE\0\0\1"))}
    assert told[0x350] == "13 02 0d 13 d2 04 00 00"
    assert told[0x351] == "39 63 64 01 23 00 00 00"
    assert told[0x352] == "e8 03 dc 05 30 02 cc 01"


# What must hold for all of them

POLLED = [name for name in profiles.can() if profiles.load(name).polls]


@pytest.mark.parametrize("name", POLLED)
def test_no_answer_is_made_of_a_decision_that_has_expired(name: str) -> None:
    line = Line(name)
    dead_man_s = line.sink.profile.dead_man_s
    for poll in line.sink.profile.polls:
        line.now = dead_man_s
        assert line.ask(poll_frame(poll), 0.0) == ()
        assert line.sink.received(poll_frame(poll), -0.1, unguarded) == ()


@pytest.mark.parametrize("name", POLLED)
def test_an_answer_goes_through_the_guard_of_its_own_moment(name: str) -> None:
    line = Line(name)

    def stop(settled: Decision) -> Decision:
        return settled._replace(charge_current_limit_a=0.0, charge_enabled=False)

    for poll in line.sink.profile.polls:
        for frame in line.sink.received(poll_frame(poll), line.now + 0.1, stop):
            assert line.sink.dialect.decode(frame).get("charge_current_limit_a", 0.0) == 0.0


@pytest.mark.parametrize("name", POLLED)
def test_without_a_guard_or_a_decision_nothing_is_answered(name: str) -> None:
    sink = CanSink("house", *_loaded(name))
    for poll in sink.profile.polls:
        assert sink.received(poll_frame(poll), 1.0, unguarded) == ()
    sink.frames(decision(time_s=2.0), unguarded)
    for poll in sink.profile.polls:
        assert sink.received(poll_frame(poll), 3.0) == ()


def test_a_flood_of_polls_is_not_answered_with_a_flood() -> None:
    line = Line("solis-hv")
    answered = [bool(line.ask(PYLON_ASK, REPLY_GAP_S / 10)) for _ in range(101)]
    assert 10 <= sum(answered) <= 11


def test_a_poll_of_the_wrong_length_is_not_answered() -> None:
    line = Line("solis-hv")
    assert line.ask(CanFrame(0x4200, bytes(7), True)) == ()
    assert line.ask(CanFrame(0x4200, bytes(8))) == ()
    assert line.sink.status(line.now).malformed == 2


def test_the_last_word_to_a_polled_inverter_needs_no_poll() -> None:
    line = Line("solis-hv")
    line.ask(PYLON_ASK)
    zero = decision(time_s=line.now, charge_current_limit_a=0.0, discharge_current_limit_a=0.0)
    told = line.sink.last_word(zero, unguarded)
    values = {name: value for one in told for name, value in line.sink.dialect.decode(one).items()}
    assert (values["charge_current_limit_a"], values["discharge_current_limit_a"]) == (0.0, 0.0)
    assert (values["charge_forbidden"], values["discharge_forbidden"]) == (1.0, 1.0)


def test_there_is_no_last_word_to_an_inverter_that_never_asked() -> None:
    line = Line("solis-hv")
    assert line.sink.last_word(decision(), unguarded) == ()


@given(
    st.lists(st.tuples(st.floats(0, 5), st.sampled_from(range(6)), st.sampled_from(range(3))), max_size=20)
)
def test_no_frames_bring_a_conversation_into_a_state_that_there_is_not(
    heard: list[tuple[float, int, int]],
) -> None:
    profile, now = _loaded("solax-hv")[0], 0.0
    talk = Talk(profile)
    for gap_s, asked_for, page in heard:
        now += gap_s
        reply = talk.heard((0x1871, True), bytes([asked_for, 0, 1, 0, page, 0, 0, 0]), now)
        assert talk.state in profile.states
        assert reply is None or set(reply.ids) <= set(profile.sent_ids)


def answering(**changes: Any) -> Profile:
    """The Deye profile, with a poll."""
    usual: dict[str, Any] = {"id": 0x123, "period_s": 1.0, "may_be_late_s": 5.0, "send": (0x351,)}
    return deye().model_copy(update={"polls": (Poll(**(usual | changes)),)})


@pytest.mark.parametrize(
    ("pattern", "data", "fits"),
    [
        ("", "00 01", True),
        ("01", "01 FF", True),
        ("01", "02 FF", False),
        ("01 .. 03", "01 77 03", True),
        ("01 .. 03", "01 77 04", False),
    ],
)
def test_a_poll_is_known_by_its_first_bytes(pattern: str, data: str, fits: bool) -> None:
    payload = bytes.fromhex(data).ljust(8, b"\0")
    reply = Talk(answering(data=pattern)).heard((0x123, False), payload, 0.0)
    assert (reply is not None) is fits
