"""Two gateways on one bus, in virtual time: stories, and what holds whatever happens."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.redundancy import LENGTH, Move, Part, Presence, Redundancy, Say, decode

P = 1.0  # the period
STEP_S = 0.02
LATENCY_S = 0.02
DEAD_MAN_S = 3 * P
OVERLAP_S = 0.35 * P  # X: how long two may send, on a bus that loses no more than it may
LOSSY_OVERLAP_S = 1.2 * P  # where some of the frames that end it are lost
START_S = 2.5 * P  # from when one can, to the first cycle


@dataclass
class Node:
    """A gateway: its machine, and the cycle that its kernel keeps for it."""

    machine: Redundancy
    running: bool = True
    frozen: bool = False
    connected: bool = True
    can: bool = True
    able_s: float = 0.0
    cycle_s: float | None = None  # when the next is due; None while none is armed
    armed_until_s: float = 0.0

    @property
    def sends(self) -> bool:
        return self.cycle_s is not None

    @property
    def able(self) -> bool:
        return self.running and not self.frozen and self.can and self.connected


@dataclass
class Bus:
    """Two nodes on a wire that loses frames, and what an inverter at its end sees."""

    nodes: list[Node]
    loss: float = 0.0
    seed: int = 1
    cut: bool = False  # between the nodes
    now: float = 0.0
    cycles: list[tuple[float, int]] = field(default_factory=list)
    hung_apart: bool = False  # who hangs in another part of a cut bus sends until its kernel stops
    overlap_s: float = 0.0
    longest_overlap_s: float = 0.0
    moves: list[tuple[float, int, Move]] = field(default_factory=list)
    _wire: list[tuple[float, int, bytes | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        for number, node in enumerate(self.nodes):
            self.start(number, node.machine)

    # What may happen

    def start(self, number: int, machine: Redundancy) -> None:
        node = self.nodes[number]
        node.machine, node.running, node.frozen, node.able_s = machine, True, False, self.now
        self._do(number, machine.link(self.now, up=True))
        self._do(number, machine.ready(self.now, ready=node.can))

    def kill(self, number: int) -> None:
        self.nodes[number].running = False
        self.nodes[number].cycle_s = None

    def restart(self, number: int) -> None:
        old = self.nodes[number].machine
        self.kill(number)
        self.start(number, made(old.role, old.priority, take_back=old.take_back))

    def ready(self, number: int, *, can: bool) -> None:
        node = self.nodes[number]
        node.able_s = node.able_s if node.can else self.now
        node.can = can
        if node.running and not node.frozen:
            self._do(number, node.machine.ready(self.now, ready=can))

    def freeze(self, number: int, *, frozen: bool) -> None:
        node = self.nodes[number]
        if node.frozen and not frozen:
            node.able_s = self.now
            self._do(number, node.machine.ready(self.now, ready=node.can))
        node.frozen = frozen

    def told(self, number: int, *, take: bool) -> bool:
        machine = self.nodes[number].machine
        if not self.nodes[number].able:
            return False
        done = machine.take_over(self.now) if take else machine.hand_over(self.now)
        self._do(number, machine.tick(self.now))
        return done

    # Time

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now = round(self.now + STEP_S, 6)
            self._deliver()
            for number, node in enumerate(self.nodes):
                self._live(number, node)
            self._measure()

    def active(self) -> list[int]:
        return [number for number, node in enumerate(self.nodes) if node.sends]

    def gap(self, since_s: float = 0.0) -> float:
        times = [at_s for at_s, _ in self.cycles if at_s >= since_s] + [self.now]
        return max(after - before for before, after in pairwise(times))

    def _live(self, number: int, node: Node) -> None:
        if node.running and not node.frozen:
            if self.now >= node.machine.next_s():
                self._do(number, node.machine.tick(self.now))
            if node.machine.part is Part.ACTIVE:
                node.armed_until_s = self.now + DEAD_MAN_S
        if node.cycle_s is not None and self.now > node.armed_until_s:
            node.cycle_s = None
        if node.cycle_s is not None and self.now >= node.cycle_s:
            node.cycle_s += P
            self.cycles.append((self.now, number))
            for _ in range(6):
                self._send(number, None)

    def _do(self, number: int, moves: list[Move | Say]) -> None:
        node = self.nodes[number]
        for move in moves:
            if isinstance(move, Say):
                self._send(number, move.data)
                continue
            self.moves.append((self.now, number, move))
            node.cycle_s = self.now if move is Move.BEGIN else None
            node.armed_until_s = self.now + DEAD_MAN_S

    def _send(self, number: int, data: bytes | None) -> None:
        if not self.cut and self._random.random() >= self.loss:
            self._wire.append((self.now + LATENCY_S, 1 - number, data))

    def _deliver(self) -> None:
        due = [item for item in self._wire if item[0] <= self.now]
        self._wire = [item for item in self._wire if item[0] > self.now]
        for _, number, data in due:
            node = self.nodes[number]
            if node.running and not node.frozen:
                hear = node.machine.cycle(self.now) if data is None else node.machine.heard(data, self.now)
                self._do(number, hear)

    def _measure(self) -> None:
        hung = any(node.frozen and node.sends for node in self.nodes)
        self.hung_apart = hung and (self.hung_apart or self.cut)
        both = len(self.active()) == 2 and not self.cut and not self.hung_apart
        self.overlap_s = self.overlap_s + STEP_S if both else 0.0
        self.longest_overlap_s = max(self.longest_overlap_s, self.overlap_s)


NODES = iter(range(1, 1 << 20))


def made(role: str, priority: int | None = None, *, take_back: bool = False, node: int = 0) -> Redundancy:
    return Redundancy(
        role=role,
        priority=priority or {"active": 200, "standby": 100}[role],
        node=node or next(NODES),
        period_s=P,
        take_back=take_back,
    )


def pair(*, take_back: bool = False, loss: float = 0.0, seed: int = 1) -> Bus:
    nodes = [Node(made("active", take_back=take_back)), Node(made("standby"))]
    return Bus(nodes, loss=loss, seed=seed)


def settled(**more: float) -> Bus:
    bus = pair(loss=more.get("loss", 0.0), take_back=bool(more.get("take_back")))
    bus.run(20)
    assert bus.active() == [0]
    return bus


# The frame


@given(
    st.builds(
        Presence,
        part=st.sampled_from(Part),
        priority=st.integers(1, 255),
        node=st.integers(0, 0xFFFFFF),
        ready=st.booleans(),
        told=st.booleans(),
    )
)
def test_a_presence_survives_the_wire(presence: Presence) -> None:
    data = presence.encode()
    assert len(data) == LENGTH
    assert decode(data) == presence


@given(st.binary(max_size=8))
def test_other_bytes_are_no_presence(data: bytes) -> None:
    assert (found := decode(data)) is None or found.encode() == data


def test_a_bit_that_flipped_makes_it_none() -> None:
    data = Presence(part=Part.ACTIVE, priority=200, node=7, ready=True).encode()
    for bit in range(64):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert decode(bytes(spoilt)) is None


# Stories


def test_both_start_at_once_and_the_active_one_sends_alone() -> None:
    bus = pair()
    bus.run(60)
    assert {number for _, number in bus.cycles} == {0}
    assert bus.cycles[0][0] <= 1.5 * P
    assert bus.gap() <= P + STEP_S


def test_two_with_the_same_role_and_priority_agree() -> None:
    for role in ("active", "standby"):
        bus = Bus([Node(made(role, 100)), Node(made(role, 100))])
        bus.run(30)
        assert len({number for _, number in bus.cycles}) == 1
        assert bus.longest_overlap_s == 0


def test_a_standby_alone_sends() -> None:
    bus = pair()
    bus.kill(0)
    bus.run(10)
    assert bus.active() == [1]
    assert bus.cycles[0][0] <= START_S


def test_killed_it_is_replaced_within_two_periods() -> None:
    for phase in range(20):
        bus = settled()
        bus.run(phase * P / 20)
        bus.kill(0)
        bus.run(10)
        assert bus.active() == [1]
        assert bus.gap(5.0) <= 2 * P + 3 * STEP_S
        assert bus.longest_overlap_s == 0


def test_hung_it_is_replaced_when_its_kernel_has_stopped_and_not_before() -> None:
    bus = settled()
    bus.freeze(0, frozen=True)
    bus.run(30)
    assert bus.active() == [1]
    assert bus.longest_overlap_s == 0
    assert bus.gap(5.0) <= 2 * P + 3 * STEP_S


def test_who_wakes_up_from_a_freeze_finds_the_other_sending_and_stays_silent() -> None:
    bus = settled()
    bus.freeze(0, frozen=True)
    bus.run(30)
    bus.freeze(0, frozen=False)
    bus.run(30)
    assert bus.active() == [1]
    assert bus.longest_overlap_s == 0
    assert bus.gap(5.0) <= 2 * P + 3 * STEP_S


def test_the_one_that_was_restarted_does_not_disturb_the_one_that_took_over() -> None:
    bus = settled()
    bus.kill(0)
    bus.run(10)
    bus.restart(0)
    bus.run(120)
    assert bus.active() == [1]
    assert bus.longest_overlap_s == 0


def test_a_quick_restart_leaves_one_sender_whoever_it_is() -> None:
    for tenths in range(30):
        bus = settled()
        bus.kill(0)
        bus.run(tenths * P / 10)
        bus.restart(0)
        bus.run(20)
        assert len(bus.active()) == 1
        assert bus.longest_overlap_s <= OVERLAP_S
        assert bus.gap(5.0) <= START_S


def test_it_claims_the_cycle_back_if_its_configuration_says_so_but_not_at_once() -> None:
    bus = settled(take_back=True)
    bus.kill(0)
    bus.run(10)
    bus.restart(0)
    bus.run(9)
    assert bus.active() == [1]
    bus.run(10)
    assert bus.active() == [0]
    assert bus.longest_overlap_s == 0
    assert bus.gap(5.0) <= 2 * P + 3 * STEP_S


def test_told_it_hands_over_at_once_and_back() -> None:
    bus = settled()
    assert bus.told(0, take=False)
    bus.run(0.5)
    assert bus.active() == [1]
    assert bus.told(1, take=False)
    bus.run(0.5)
    assert bus.active() == [0]
    assert bus.longest_overlap_s == 0
    assert bus.gap(5.0) <= P + 5 * STEP_S


def test_told_the_lower_one_takes_over_and_keeps_it() -> None:
    bus = settled(take_back=True)
    assert bus.told(1, take=True)
    bus.run(1)
    assert bus.active() == [1]
    bus.run(120)
    assert bus.active() == [1]
    assert [move for at_s, _, move in bus.moves if at_s > 15] == [Move.CEASE, Move.BEGIN]


def test_it_does_not_hand_over_to_nobody() -> None:
    bus = settled()
    bus.kill(1)
    bus.run(5)
    assert not bus.told(0, take=False)
    assert bus.active() == [0]


def test_what_was_handed_over_and_not_taken_comes_back() -> None:
    bus = settled()
    bus.cut = True
    assert bus.told(0, take=False)
    bus.kill(1)
    bus.run(5)
    assert bus.active() == [0]
    assert bus.gap(5.0) <= START_S


def test_who_has_nothing_to_say_leaves_the_cycle_to_the_other() -> None:
    bus = settled()
    bus.ready(0, can=False)
    bus.run(5)
    assert bus.active() == [1]
    bus.ready(0, can=True)
    bus.run(30)
    assert bus.active() == [1]
    assert bus.gap(5.0) <= 2 * P + 3 * STEP_S


def test_with_nothing_to_say_on_either_side_there_is_silence_and_then_one() -> None:
    bus = settled()
    for number in (0, 1):
        bus.ready(number, can=False)
    bus.run(10)
    assert bus.active() == []
    for number in (0, 1):
        bus.ready(number, can=True)
    bus.run(5)
    assert bus.active() == [0]
    assert bus.longest_overlap_s == 0


def test_a_cut_bus_has_one_sender_in_each_part_and_one_when_it_is_whole_again() -> None:
    bus = settled()
    bus.cut = True
    bus.run(20)
    assert bus.active() == [0, 1]
    bus.cut = False
    bus.run(OVERLAP_S)
    assert bus.active() == [0]
    bus.run(20)
    assert bus.active() == [0]


def test_who_lost_the_bus_listens_before_it_sends_again() -> None:
    bus = settled()
    machine = bus.nodes[0].machine
    bus._do(0, machine.link(bus.now, up=False))
    assert machine.next_s() == float("inf")
    bus.run(5)
    assert bus.active() == [1]
    bus._do(0, machine.link(bus.now, up=True))
    bus.run(20)
    assert bus.active() == [1]
    assert bus.longest_overlap_s == 0


@pytest.mark.parametrize("seed", range(10))
def test_lost_frames_do_not_start_a_second_sender(seed: int) -> None:
    bus = pair(loss=0.3, seed=seed)
    bus.run(300)
    assert {number for _, number in bus.cycles} == {0}
    assert bus.gap() <= P + STEP_S


def test_its_own_presence_that_comes_back_is_not_the_others() -> None:
    machine = made("active", node=7)
    machine.link(0.0, up=True)
    machine.ready(0.0, ready=True)
    for quarter in range(1, 20):
        now = quarter * P / 4
        for move in machine.tick(now):
            if isinstance(move, Say):
                assert machine.heard(move.data, now) == []
        if machine.part is Part.ACTIVE:
            machine.cycle(now)
    assert (machine.part, machine.peer) == (Part.ACTIVE, None)


# Whatever happens

HAPPENINGS: dict[str, Callable[[Bus, int], object]] = {
    "kill": Bus.kill,
    "restart": Bus.restart,
    "freeze": lambda bus, number: bus.freeze(number, frozen=True),
    "thaw": lambda bus, number: bus.freeze(number, frozen=False),
    "not ready": lambda bus, number: bus.ready(number, can=False),
    "ready": lambda bus, number: bus.ready(number, can=True),
    "hand over": lambda bus, number: bus.told(number, take=False),
    "take over": lambda bus, number: bus.told(number, take=True),
    "cut": lambda bus, number: setattr(bus, "cut", True),
    "join": lambda bus, number: setattr(bus, "cut", False),
}


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(HAPPENINGS)), st.integers(0, 1), st.floats(0.05, 8.0)), max_size=12
    ),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.1]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_never_two_senders_for_long_and_never_none_for_long(
    story: list[tuple[str, int, float]], seed: int, loss: float, take_back: bool
) -> None:
    bus = pair(take_back=take_back, loss=loss, seed=seed)
    since_s: dict[int, float] = dict.fromkeys((0, 1), 0.0)
    last_s = -1.0
    for name, number, wait_s in story:
        HAPPENINGS[name](bus, number)
        for _ in range(round(wait_s / STEP_S)):
            bus.run(STEP_S)
            assert bus.longest_overlap_s <= (LOSSY_OVERLAP_S if loss else OVERLAP_S), (name, bus.moves)
            for each, node in enumerate(bus.nodes):
                since_s[each] = max(since_s[each], node.able_s) if node.able else bus.now
            last_s = bus.cycles[-1][0] if bus.cycles else last_s
            able_s = max(min(since_s.values()), last_s)
            assert bus.now - able_s <= START_S + OVERLAP_S, (name, bus.now, bus.moves)
