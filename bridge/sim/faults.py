"""What can be wrong with an answer on its way: one enum, and pure functions that spoil bytes."""

from __future__ import annotations

from enum import StrEnum
from random import Random

SLOW_S = 1.5  # later than any protocol's time-out


class Fault(StrEnum):
    """One way in which a pack, its cable or its neighbour misbehaves."""

    NOISE = "noise"  # bytes that mean nothing, instead of the answer
    TRUNCATION = "truncation"  # the answer ends too early
    CHECKSUM = "checksum"  # one bit in the middle has flipped
    STRANGER = "stranger"  # the answer of another pack, or a late one of its own
    SLOW = "slow"  # right, but long after it was wanted


def spoiled(fault: Fault | None, answer: bytes, *, stranger: bytes, chance: Random) -> bytes:
    """What arrives in place of `answer`. stranger: what another pack answered last."""
    match fault:
        case Fault.NOISE:
            return chance.randbytes(len(answer))
        case Fault.TRUNCATION:
            return answer[: chance.randrange(1, max(2, len(answer)))]
        case Fault.CHECKSUM:
            middle = len(answer) // 2
            flipped = answer[middle] ^ 1 << chance.randrange(8)
            return answer[:middle] + bytes([flipped]) + answer[middle + 1 :]
        case Fault.STRANGER:
            return stranger
        case Fault.SLOW | None:
            return answer


def extra_delay_s(fault: Fault | None) -> float:
    """How much later than usual the answer leaves."""
    return SLOW_S if fault is Fault.SLOW else 0.0
