"""What is heard on the line of an inverter that asks, and what becomes of our answers, counted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from bridge.responders.contract import Ask, Dropped, Overheard

REFUSED = "refused"
REPLIES_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rs485Status:
    """What is known of the inverter's side of the line.

    inverter_heard: it asked us lately; None while it never did. asked: whole requests for us; answers:
    what was sent to them; refused: of the requests, those that the dialect does not know. silent: why
    nothing is answered. late: answers that were not ready in time; busy: those given up because the line
    was not silent. foreign: requests for other addresses; others: answers of other batteries; twins:
    answers from our own address; collisions: requests while we still answered another. garbage: bytes
    that made no sense. framing_errors: of bytes, where the port counts them. echoes: of our own answers.
    clamped: quantities that are larger than what can be said, and go as the largest. reply_ms,
    reply_max_ms: from a question's last byte to our first, the last one and the longest of the last
    hundred. addresses: the other addresses that are asked.
    """

    profile: str
    inverter_heard: bool | None
    ask_age_s: float | None
    asked: int
    answers: int
    refused: int
    silent: str | None
    late: int
    busy: int
    foreign: int
    others: int
    twins: int
    collisions: int
    garbage: int
    framing_errors: int
    echoes: int
    clamped: tuple[str, ...]
    reply_ms: float | None
    reply_max_ms: float | None
    addresses: tuple[int, ...]

    def report(self) -> dict[str, object]:
        """The same as JSON can carry it."""
        return asdict(self)


class Line:
    """What was heard on the line and what became of our answers, counted."""

    def __init__(self, profile: str, heard_within_s: float) -> None:
        """heard_within_s: so long after its last question an inverter still counts as heard."""
        self._profile = profile
        self._heard_within_s = heard_within_s
        self.framing_errors = 0
        self.heard_s: float | None = None  # of the last byte, while something may be incomplete
        self._asked_s: float | None = None
        self._busy_until_s = -math.inf
        self._replies_ms: list[float] = []
        self._addresses: set[int] = set()
        self._counts = dict.fromkeys(
            (
                "asked", "answers", "refused", "late", "busy", "foreign", "others", "twins", "collisions",
                "garbage",
            ),
            0,
        )  # fmt: skip

    def count(self, item: Ask | Overheard | Dropped, at_s: float) -> None:
        """Take notice of what was heard."""
        match item:
            case Dropped():
                self._counts["garbage"] += item.size
            case Overheard():
                self._counts["twins" if item.ours else "others"] += 1
            case Ask(for_us=True):
                self._asked_s = at_s
                self._counts["asked"] += 1
                self._counts["refused"] += item.name == REFUSED
                self._counts["collisions"] += at_s < self._busy_until_s
            case Ask():
                self._counts["foreign"] += 1
                if item.address is not None:
                    self._addresses.add(item.address)

    def answering(self, until_s: float) -> None:
        """Until then we talk."""
        self._busy_until_s = until_s

    def replied(self, after_s: float | None, problem: str | None) -> None:
        """See `Rs485Sink.replied`."""
        if after_s is None:
            self._busy_until_s = -math.inf
            self._counts["busy" if problem == "busy" else "late"] += 1
            return
        self._counts["answers"] += 1
        self._replies_ms = [*self._replies_ms[1 - REPLIES_KEPT :], round(1000 * after_s, 2)]

    def status(self, silent: str | None, echoes: int, clamped: Iterable[str], now: float) -> Rs485Status:
        """Everything together."""
        age_s = None if self._asked_s is None else now - self._asked_s
        return Rs485Status(
            profile=self._profile,
            inverter_heard=None if age_s is None else age_s <= self._heard_within_s,
            ask_age_s=age_s,
            silent=silent,
            framing_errors=self.framing_errors,
            echoes=echoes,
            clamped=tuple(sorted(clamped)),
            reply_ms=self._replies_ms[-1] if self._replies_ms else None,
            reply_max_ms=max(self._replies_ms, default=None),
            addresses=tuple(sorted(self._addresses)),
            **self._counts,
        )
