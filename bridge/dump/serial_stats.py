"""How a conversation on a serial line went: turnaround times, questions without an answer, errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bridge.dump.codecs import Codec
from bridge.dump.exchange import Turn, turns
from bridge.dump.serial_capture import Chunk
from bridge.protocols.contract import Dropped, Message

SAME_QUESTION_S = 0.05  # what is sent in pieces is one question
TOP_QUESTIONS = 10


@dataclass(slots=True)
class Times:
    """Some durations, s."""

    all_s: list[float] = field(default_factory=list)

    def record(self) -> dict[str, object] | None:
        """Their median, nearly the longest, and the longest, ms; None without any."""
        if not self.all_s:
            return None
        ordered = sorted(self.all_s)
        shown = {"p50_ms": _at(ordered, 0.5), "p99_ms": _at(ordered, 0.99), "max_ms": ordered[-1]}
        return {name: round(1000 * value, 1) for name, value in shown.items()}


@dataclass(slots=True)
class Question:
    """Something that was sent, and what followed until the next."""

    data: bytes
    time_s: float | None
    last_s: float | None
    heard: bool = False
    answered: bool = False


@dataclass(slots=True)
class Kind:
    """Messages of one name from one address."""

    count: int = 0
    last_s: float | None = None
    periods: Times = field(default_factory=Times)

    def note(self, time_s: float | None) -> None:
        """One more."""
        self.count += 1
        if time_s is not None and self.last_s is not None:
            self.periods.all_s.append(time_s - self.last_s)
        self.last_s = time_s


class Statistics:
    """Of one capture, read with one codec."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.bytes_sent = self.bytes_received = 0
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.first_byte, self.complete = Times(), Times()
        self.late = 0
        self.kinds: dict[tuple[str, int | None], Kind] = {}
        self.errors: Counter[str] = Counter()
        self.error_bytes: Counter[str] = Counter()
        self.unanswered: Counter[bytes] = Counter()
        self.asked: Counter[bytes] = Counter()
        self.garbled = 0
        self._open: Question | None = None

    def take(self, turn: Turn) -> None:
        """The next turn of the capture."""
        chunk = turn.chunk
        if chunk is None:
            self._close()
        else:
            self.first_s = chunk.time_s if self.first_s is None else self.first_s
            self.last_s = chunk.time_s if chunk.time_s is not None else self.last_s
            if chunk.sent:
                self._sent(chunk)
            else:
                self._received(chunk)
        if not turn.asking:  # what a question means is no answer, and counted as a question already
            for item in turn.items:
                self._item(item, None if chunk is None else chunk.time_s)

    def record(self) -> dict[str, object]:
        """All of it, as JSON can carry it."""
        self._close()
        known = self.first_s is not None and self.last_s is not None
        top = self.unanswered.most_common(TOP_QUESTIONS)
        return {
            "codec": self.codec.name,
            "duration_s": round(self.last_s - self.first_s, 3)
            if known and self.last_s and self.first_s
            else None,
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
            "questions": self.asked.total(),
            "unanswered": self.unanswered.total(),
            "garbled": self.garbled,
            "late": self.late,
            "reply_timeout_s": self.codec.reply_timeout_s,
            "first_byte": self.first_byte.record(),
            "complete": self.complete.record(),
            "without_answer": [
                {"request": data.hex(), "unanswered": count, "asked": self.asked[data]} for data, count in top
            ],
            "messages": [
                {"message": name, "address": address, "count": kind.count, "period": kind.periods.record()}
                for (name, address), kind in sorted(self.kinds.items(), key=lambda one: str(one[0]))
            ],
            "errors": {
                reason: {"count": count, "bytes": self.error_bytes[reason]}
                for reason, count in sorted(self.errors.items())
            },
        }

    def _sent(self, chunk: Chunk) -> None:
        self.bytes_sent += len(chunk.data)
        question = self._open
        if question is not None and not question.heard and _near(question.last_s, chunk.time_s):
            question.data += chunk.data
            question.last_s = chunk.time_s
            return
        self._close()
        self._open = Question(chunk.data, chunk.time_s, chunk.time_s)

    def _received(self, chunk: Chunk) -> None:
        self.bytes_received += len(chunk.data)
        question = self._open
        if question is None or question.heard:
            return
        question.heard = True
        if chunk.time_s is not None and question.last_s is not None:
            self.first_byte.all_s.append(chunk.time_s - question.last_s)

    def _item(self, item: Message | Dropped, time_s: float | None) -> None:
        if isinstance(item, Dropped):
            self.errors[item.reason.value] += 1
            self.error_bytes[item.reason.value] += item.size
            return
        self.kinds.setdefault((item.name, item.address), Kind()).note(time_s)
        question = self._open
        if question is None or question.answered:
            return
        question.answered = True
        if time_s is not None and question.last_s is not None:
            took_s = time_s - question.last_s
            self.complete.all_s.append(took_s)
            self.late += took_s > self.codec.reply_timeout_s

    def _close(self) -> None:
        """The question under way is over."""
        question, self._open = self._open, None
        if question is None:
            return
        self.asked[question.data] += 1
        if not question.answered:
            self.unanswered[question.data] += 1
            self.garbled += question.heard


def statistics(chunks: Iterable[Chunk], codec: Codec) -> dict[str, object]:
    """What can be said of a capture."""
    found = Statistics(codec)
    for turn in turns(chunks, codec):
        found.take(turn)
    return found.record()


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1) + 0.5)]


def _near(before_s: float | None, time_s: float | None) -> bool:
    return before_s is not None and time_s is not None and time_s - before_s <= SAME_QUESTION_S
