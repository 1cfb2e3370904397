from __future__ import annotations

import pytest

from bridge.sim.chance import stream
from bridge.sim.faults import Fault, extra_delay_s, spoiled

ANSWER = bytes.fromhex("dd05000a 4a42442d53503034533334 fd01 77".replace(" ", ""))
STRANGER = b"another pack"


def arrives(fault: Fault | None, seed: int = 1) -> bytes:
    return spoiled(fault, ANSWER, stranger=STRANGER, chance=stream(seed))


@pytest.mark.parametrize("seed", range(20))
def test_truncation_leaves_a_true_beginning(seed: int) -> None:
    cut = arrives(Fault.TRUNCATION, seed)
    assert ANSWER.startswith(cut)
    assert 0 < len(cut) < len(ANSWER)


@pytest.mark.parametrize("seed", range(20))
def test_a_checksum_fault_flips_exactly_one_bit(seed: int) -> None:
    flipped = arrives(Fault.CHECKSUM, seed)
    assert len(flipped) == len(ANSWER)
    assert sum((a ^ b).bit_count() for a, b in zip(flipped, ANSWER, strict=True)) == 1


def test_noise_is_not_the_answer() -> None:
    assert len(arrives(Fault.NOISE)) == len(ANSWER)
    assert arrives(Fault.NOISE) != ANSWER


def test_a_stranger_answers_in_its_own_words() -> None:
    assert arrives(Fault.STRANGER) == STRANGER


def test_a_slow_answer_is_right_but_late() -> None:
    assert arrives(Fault.SLOW) == ANSWER
    assert extra_delay_s(Fault.SLOW) > 1.0


def test_without_a_fault_the_answer_arrives_in_time() -> None:
    assert arrives(None) == ANSWER
    assert extra_delay_s(None) == 0.0


@pytest.mark.parametrize("fault", list(Fault))
def test_the_same_chance_spoils_the_same_way(fault: Fault) -> None:
    assert arrives(fault, 3) == arrives(fault, 3)
