"""The driver against a toy protocol, in virtual time: one byte asks, three bytes answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from bridge.model import PackInfo, Reading
from bridge.protocols.contract import (
    Drop,
    Dropped,
    Message,
    NoReply,
    Payload,
    Request,
    Script,
    Spec,
)
from bridge.sources.bus import Bus, Informed, Output, Reopen, Sampled, Unit, Write

SPEC = Spec(maker="toy", links=("serial",), reply_timeout_s=0.5, gap_s=0.02, silence_s=0.15)
SLEEPY = Spec(
    maker="toy", links=("serial",), reply_timeout_s=0.5, sleeps_after_s=20, wake_tries=5, wake_timeout_s=0.3
)


class ToyDecoder:
    """A frame is `=`, an address digit and a value byte; `!` is a refusal; anything else is noise."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        assert isinstance(payload, bytes)
        self._buffer += payload
        found: list[Message | Dropped] = []
        while self._buffer:
            if self._buffer[:1] == b"!":
                found.append(Dropped(Drop.REFUSED, 1))
                self._buffer = self._buffer[1:]
            elif self._buffer[:1] != b"=":
                found.append(Dropped(Drop.NOISE, 1))
                self._buffer = self._buffer[1:]
            elif len(self._buffer) < 3:
                break
            else:
                address, value = self._buffer[1] - 48, self._buffer[2]
                found.append(Message("value", {"voltage_v": float(value)}, address=address))
                self._buffer = self._buffer[3:]
        return found

    def sent(self, payload: Payload) -> None:
        pass

    def reset(self) -> list[Message | Dropped]:
        left, self._buffer = self._buffer, b""
        return [Dropped(Drop.TRUNCATED, len(left))] if left else []


@dataclass
class ToySession:
    address: int = 1
    streams: bool = False
    requests: int = 1
    opening: bytes = b""
    overheard: PackInfo | None = None  # what it knows without asking
    caught: list[str] = field(default_factory=list)

    def open(self) -> Script[None]:
        if self.opening:
            yield Request(self.opening, "value", self.address)

    def info(self) -> Script[PackInfo | None]:
        if self.overheard is not None:
            return self.overheard
        try:
            yield Request(b"i", "value", self.address)
        except NoReply as failure:
            self.caught.append(str(failure))
            return None
        return PackInfo(model="toy")

    def poll(self) -> Script[Reading]:
        merged: Reading = {}
        for number in range(self.requests):
            message = yield Request(b"%d%d" % (self.address, number), "value", self.address)
            merged = {**merged, **message.reading}
        return merged

    def collect(self, message: Message) -> Reading | None:
        return message.reading if self.streams else None


def bus(*sessions: ToySession, spec: Spec = SPEC, period_s: float = 1.0) -> Bus:
    units = [Unit(f"pack{session.address}", session, period_s) for session in sessions]
    return Bus(spec, ToyDecoder(), units, baudrate=9600)


def written(outputs: list[Output]) -> list[Payload]:
    return [output.payload for output in outputs if isinstance(output, Write)]


def samples(outputs: list[Output]) -> list[tuple[str, float | None, float]]:
    return [
        (one.pack, one.sample.voltage_v, one.sample.time_s) for one in outputs if isinstance(one, Sampled)
    ]


def run(machine: Bus, until: float, answer: dict[bytes, bytes], delay_s: float = 0.03) -> list[Output]:
    """Run the driver in virtual time against a device that answers as the table says."""
    queue: list[tuple[float, bytes]] = []
    seen: list[Output] = []
    outputs = machine.link_up(0.0)
    now = 0.0
    while True:
        seen += outputs
        for payload in written(outputs):
            assert isinstance(payload, bytes)
            if payload in answer:
                queue.append((now + delay_s, answer[payload]))
        now = min([machine.next_wakeup(), *(at for at, _ in queue)])
        if now > until:
            return seen
        arrived = [chunk for at, chunk in queue if at <= now]
        queue = [(at, chunk) for at, chunk in queue if at > now]
        outputs = machine.wake(now)
        for chunk in arrived:
            outputs += machine.received(chunk, now)


def test_a_pack_is_polled_at_once_and_then_each_period() -> None:
    seen = run(bus(ToySession()), 3.5, {b"10": b"=1A", b"i": b"=1A"})
    assert [round(time_s, 2) for _, _, time_s in samples(seen)] == [0.03, 1.03, 2.03, 3.03]


def test_a_sample_is_as_old_as_the_oldest_reply_in_it() -> None:
    machine = bus(ToySession(requests=2))
    machine.link_up(0.0)
    machine.received(b"=1A", 0.1)
    machine.wake(machine.next_wakeup())
    (sample,) = samples(machine.received(b"=1B", 0.3))
    assert sample == ("pack1", 66.0, 0.1)


def test_the_next_request_waits_for_the_gap_after_a_reply() -> None:
    machine = bus(ToySession(requests=2))
    machine.link_up(0.0)
    assert written(machine.received(b"=1A", 0.1)) == []
    assert machine.next_wakeup() == 0.1 + SPEC.gap_s
    assert written(machine.wake(0.1 + SPEC.gap_s)) == [b"11"]


def test_a_silent_pack_is_counted_and_asked_again_later() -> None:
    machine = bus(ToySession())
    seen = run(machine, 10.0, {})
    (unit,) = machine.units
    assert unit.statistics.errors["no_reply"] == len(written(seen))
    assert len(written(seen)) in range(4, 7)
    assert samples(seen) == []
    assert unit.statistics.last_error == "no reply to 31 30"


def test_a_dead_pack_costs_its_neighbour_at_most_one_timeout_per_back_off_step() -> None:
    machine = bus(ToySession(1), ToySession(2))
    seen = run(machine, 60.0, {b"10": b"=1A", b"i": b"=1A"})
    dead = [payload for payload in written(seen) if payload == b"20"]
    assert len(dead) <= 7
    assert len(samples(seen)) >= 60 - 2 * len(dead)


def test_another_packs_reply_is_never_taken() -> None:
    machine = bus(ToySession(1))
    machine.link_up(0.0)
    outputs = machine.received(b"=2A", 0.1)
    assert samples(outputs) == []
    assert machine.units[0].statistics.errors == {"unexpected": 1}


def test_a_late_reply_to_an_earlier_request_does_not_answer_the_next_one_of_another_kind() -> None:
    machine = bus(ToySession(1), ToySession(2))
    machine.link_up(0.0)
    machine.wake(0.6)
    machine.wake(0.7)
    assert samples(machine.received(b"=1A", 0.8)) == []


def test_a_sleeping_board_is_woken_by_repeating_the_first_request() -> None:
    machine = bus(ToySession(), spec=SLEEPY)
    sent = written(machine.link_up(0.0))
    now = 0.0
    while len(sent) < 3:
        now = machine.next_wakeup()
        sent += written(machine.wake(now))
    assert sent == [b"10"] * 3
    assert now < 3 * 0.35
    assert samples(machine.received(b"=1A", now + 0.03)) == [("pack1", 65.0, now + 0.03)]


def test_half_a_reply_is_given_up_after_the_silence() -> None:
    machine = bus(ToySession())
    machine.link_up(0.0)
    machine.received(b"=1", 0.1)
    machine.wake(machine.next_wakeup())
    assert machine.units[0].statistics.errors == {"truncated": 1}


def test_bytes_that_keep_arriving_extend_the_deadline_but_not_for_ever() -> None:
    machine = bus(ToySession())
    machine.link_up(0.0)
    now = 0.0
    while not machine.units[0].statistics.errors["no_reply"]:
        now += 0.1
        machine.received(b"~", now)
    assert 2.0 < now < 3.0


def test_a_refusal_ends_the_request_at_once() -> None:
    session = ToySession()
    machine = bus(session)
    machine.link_up(0.0)
    machine.received(b"=1A", 0.1)
    assert written(machine.wake(machine.next_wakeup())) == [b"i"]
    machine.received(b"!", 0.2)
    assert session.caught == ["refused"]


def test_the_info_script_runs_after_the_first_sample_and_every_ten_minutes() -> None:
    seen = run(bus(ToySession()), 1300.0, {b"10": b"=1A", b"i": b"=1A"})
    assert written(seen).count(b"i") == 3
    assert [one for one in seen if isinstance(one, Informed)] == [Informed("pack1", PackInfo(model="toy"))]


def test_a_stream_is_asked_for_names_and_limits_too_and_streams_on_meanwhile() -> None:
    machine = bus(ToySession(streams=True))
    machine.link_up(0.0)
    assert written(machine.received(b"=1A", 1.0)) == [b"i"]
    assert samples(machine.received(b"=2B", 1.05)) == [("pack1", 66.0, 1.05)]
    assert machine.received(b"=1A", 1.1) == [Informed("pack1", PackInfo(model="toy"))]
    assert [
        one for at in range(2, 600) for one in machine.received(b"=1A", float(at)) if isinstance(one, Write)
    ] == []
    assert written(machine.received(b"=1A", 602.0)) == [b"i"]


def test_what_a_stream_says_without_being_asked_is_handed_on_when_it_is_news() -> None:
    session = ToySession(streams=True, overheard=PackInfo(model="first"))
    machine = bus(session)
    machine.link_up(0.0)
    seen = [one for at in range(1, 25) for one in machine.received(b"=1A", float(at))]
    session.overheard = PackInfo(model="second")
    seen += [one for at in range(25, 60) for one in machine.received(b"=1A", float(at))]
    assert not written(seen)
    assert [one.info.model for one in seen if isinstance(one, Informed)] == ["first", "second"]


def test_an_opening_runs_before_the_first_poll_after_each_connection() -> None:
    machine = bus(ToySession(opening=b"o"))
    assert written(machine.link_up(0.0)) == [b"o"]
    machine.received(b"=1A", 0.1)
    assert written(machine.wake(0.2)) == [b"10"]
    machine.link_down()
    assert machine.next_wakeup() == float("inf")
    assert written(machine.link_up(5.0)) == [b"o"]


def test_a_stream_is_collected_and_never_polled() -> None:
    machine = bus(ToySession(streams=True))
    assert written(machine.link_up(0.0)) == []
    assert samples(machine.received(b"=1A", 1.0)) == [("pack1", 65.0, 1.0)]


def test_a_stream_that_stops_is_reopened_within_three_periods() -> None:
    machine = bus(ToySession(streams=True, overheard=PackInfo()))
    machine.link_up(0.0)
    machine.received(b"=1A", 1.0)
    machine.wake(machine.next_wakeup())
    assert machine.next_wakeup() == 4.0
    outputs = machine.wake(4.0)
    assert [type(one) for one in outputs] == [Reopen]


def test_polls_that_were_missed_are_skipped_not_made_up_for() -> None:
    machine = bus(ToySession())
    machine.link_up(0.0)
    machine.received(b"=1A", 0.05)
    machine.wake(0.1)
    machine.received(b"=1A", 0.15)
    assert written(machine.wake(10.0)) == [b"10"]
    machine.received(b"=1A", 10.05)
    machine.wake(10.3)
    assert machine.next_wakeup() == pytest.approx(11.0)


def test_reading_names_and_limits_of_one_pack_does_not_keep_the_others_waiting() -> None:
    machine = bus(ToySession(1), ToySession(2), ToySession(3), period_s=0.3)
    answers = {b"%d0" % number: b"=%dA" % number for number in (1, 2, 3)} | {b"i": b"=1A"}
    seen = run(machine, 30.0, answers, delay_s=0.1)
    for number in (1, 2, 3):
        times = [0.0, *(time_s for pack, _, time_s in samples(seen) if pack == f"pack{number}")]
        assert max(after - before for before, after in pairwise(times)) < 2.5


def hung(*sessions: ToySession) -> Bus:
    units = [Unit(f"pack{session.address}", session, 1.0) for session in sessions]
    return Bus(SPEC, ToyDecoder(), units, reopen_after=3)


def test_a_connection_over_which_nobody_answers_is_opened_anew() -> None:
    seen = run(hung(ToySession(1)), 10.0, {})
    first = next(index for index, one in enumerate(seen) if isinstance(one, Reopen))
    assert len(written(seen[:first])) == 3


def test_one_dead_pack_is_no_reason_to_break_the_connection_of_its_neighbour() -> None:
    seen = run(hung(ToySession(1), ToySession(2)), 60.0, {b"10": b"=1A", b"i": b"=1A"})
    assert not [one for one in seen if isinstance(one, Reopen)]
