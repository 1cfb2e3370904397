"""How a pack that has to be asked answers out of a dump: as it last answered the same question there."""

from __future__ import annotations

from bridge.model import CanFrame

ANSWER_WITHIN_S = 1.0
ANSWER_AGE_S = 10.0  # an older answer is none: the pack had fallen silent


class Answers:
    """What a bus said to each question that we, too, would ask."""

    def __init__(self) -> None:
        self._to: dict[CanFrame, tuple[float, list[CanFrame]]] = {}
        self._open: CanFrame | None = None
        self._answered: set[CanFrame] = set()

    def note(self, frame: CanFrame, now: float) -> None:
        """A frame of the dump: a question that we know, or part of the answer to the last one."""
        if frame in self._to:
            self._open = frame
            self._to[frame] = now, []
        elif self._open is not None and now - self._to[self._open][0] <= ANSWER_WITHIN_S:
            self._to[self._open][1].append(frame)
            self._answered.add(self._open)

    def never_answered(self) -> int:
        """How many of our questions have no answer in the dump."""
        return len(self._to.keys() - self._answered)

    def to(self, question: CanFrame, now: float) -> list[CanFrame]:
        """The last answer to a question, if it is not old; the question is known from now on."""
        at_s, answer = self._to.setdefault(question, (now, []))
        return list(answer) if now - at_s <= ANSWER_AGE_S else []


def unknown_note(link: str, questions: int) -> str:
    """What to say of questions that the dump has no answer to."""
    return (
        f"{link}: {questions} questions that we would ask nobody asks in the dump (what a BMS is set to is "
        "asked for seldom); the answers could make limits lower than these"
    )
