"""What is known of how well a pack answers. Counting only; nothing here decides."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

ROUND_TRIPS_KEPT = 256


@dataclass(slots=True)
class Statistics:
    """Counters of one pack on its link, since start.

    polls: begun. samples: polls that gave one. errors: by kind, `no_reply`, `unexpected` (a message
    that nobody asked for), or a drop's reason. round_trips_s: the newest ones, request sent to reply
    complete.
    """

    polls: int = 0
    samples: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    round_trips_s: deque[float] = field(default_factory=lambda: deque(maxlen=ROUND_TRIPS_KEPT))
    last_error: str | None = None

    def error(self, kind: str, text: str) -> None:
        """Count one error of a kind and keep its text as the last one."""
        self.errors[kind] += 1
        self.last_error = text

    def round_trip_s(self, fraction: float) -> float | None:
        """The quantile of the kept round trips, s; None before the first reply."""
        if not self.round_trips_s:
            return None
        ordered = sorted(self.round_trips_s)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]

    def report(self) -> dict[str, object]:
        """The counters as JSON can carry them."""
        return {
            "polls": self.polls,
            "samples": self.samples,
            "errors": dict(sorted(self.errors.items())),
            "round_trip_p50_s": _rounded(self.round_trip_s(0.50)),
            "round_trip_p99_s": _rounded(self.round_trip_s(0.99)),
            "last_error": self.last_error,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
