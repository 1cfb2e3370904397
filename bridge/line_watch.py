"""What is wrong with an RS485 pair, told from what its sink counts: one sentence on what to do for each.

A line that is wired or set wrongly is not silent: it is full of bytes that make no sense, of questions
to another battery, or of two masters that talk at once. What the counts grew by within a few seconds is
the evidence; a trouble is reported when it starts and when it has been gone for a while.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bridge.events import Action, Level, Report
from bridge.sinks.line import Rs485Status

WINDOW_S = 10.0
GONE_S = 20.0  # without evidence for so long, a trouble is over
NOTHING_FOR_S = 60.0  # the slowest masters that are known ask each few seconds
GARBAGE_BYTES = 16  # fewer may come from switching an adapter on


class LineTrouble(StrEnum):
    """What a line can have."""

    NOTHING_HEARD = "nothing-heard"
    BAUD_RATE = "baud-rate"
    NOISE = "noise"
    ADDRESS = "address"
    UNKNOWN_REQUESTS = "unknown-requests"
    SECOND_MASTER = "second-master"
    SECOND_BATTERY = "second-battery"
    LATE = "late"


HELP: Mapping[LineTrouble, str] = {
    LineTrouble.NOTHING_HEARD: "the inverter asks nothing: check A against B (swap them once), the ground, "
    "that the cable leads to its BMS socket, and its menu: battery type lithium over RS485",
    LineTrouble.BAUD_RATE: "only bytes that make no sense (framing errors): the baud rate or the protocol "
    "is not the inverter's, or A and B are swapped; compare its menu with packbridge profiles show",
    LineTrouble.NOISE: "damaged bytes between good questions: check the ground wire, the termination "
    "(120 ohm at both ends of a long cable) and what runs beside the cable",
    LineTrouble.ADDRESS: "well-formed questions, but all to other addresses: set the battery address in the "
    "inverter's menu, or address in [inverters.NAME]",
    LineTrouble.UNKNOWN_REQUESTS: "it asks for what this dialect does not have: is the battery type in its "
    "menu that of the profile?",
    LineTrouble.SECOND_MASTER: "somebody talks while an answer is due: a second master hangs on this pair "
    "(a data logger, a monitor), or the inverter does not wait; leave only the inverter on it",
    LineTrouble.SECOND_BATTERY: "another battery answers at our address: take it off this pair",
    LineTrouble.LATE: "answers were not ready in time and were dropped: this machine or its adapter does not "
    "keep up; set the adapter's latency timer to 1 ms, take other work from the machine",
}
"""What to do, by trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """What the counts grew by within the window."""

    asked: int
    good: int
    garbage: int
    framing: int
    foreign: int
    refused: int
    clashes: int
    twins: int
    late: int


class LineWatch:
    """One line. Pure: what the sink knows and times come in, reports go out."""

    def __init__(self, inverter: str, now: float) -> None:
        self._inverter = inverter
        self._started_s = self._heard_s = now
        self._history: deque[tuple[float, Rs485Status]] = deque()
        self._evidence_s: dict[LineTrouble, float] = {}
        self._present: dict[LineTrouble, float] = {}

    def seen(self, status: Rs485Status, now: float) -> list[Action]:
        """Take in what is known at `now`."""
        while len(self._history) > 1 and now - self._history[1][0] >= WINDOW_S:
            self._history.popleft()
        if self._history:
            for trouble in self._found(_grown(self._history[0][1], status), now):
                self._evidence_s[trouble] = now
        self._history.append((now, status))
        return self._news(now)

    def report(self) -> list[dict[str, object]]:
        """The troubles of this moment, as JSON can carry them."""
        return [{"trouble": one.value, "help": HELP[one]} for one in self._present]

    def _found(self, growth: _Growth, now: float) -> list[LineTrouble]:
        if growth.good or growth.garbage:
            self._heard_s = now
        senseless = growth.framing > 0 or growth.garbage >= GARBAGE_BYTES
        mended = now - self._evidence_s.get(LineTrouble.BAUD_RATE, -math.inf) < WINDOW_S
        full = now - self._history[0][0] >= WINDOW_S
        evidence = {
            LineTrouble.NOTHING_HEARD: now - self._heard_s >= NOTHING_FOR_S,
            LineTrouble.BAUD_RATE: senseless and not growth.good,
            LineTrouble.NOISE: senseless and growth.good > 0 and not mended,
            LineTrouble.ADDRESS: growth.foreign > 0 and not growth.asked and full,
            LineTrouble.UNKNOWN_REQUESTS: growth.refused > 0,
            LineTrouble.SECOND_MASTER: growth.clashes > 0,
            LineTrouble.SECOND_BATTERY: growth.twins > 0,
            LineTrouble.LATE: growth.late > 0,
        }
        return [trouble for trouble, there in evidence.items() if there]

    def _news(self, now: float) -> list[Action]:
        reports: list[Action] = []
        for trouble, seen_s in self._evidence_s.items():
            fields: dict[str, object] = {"inverter": self._inverter, "trouble": trouble.value}
            if seen_s == now and trouble not in self._present:
                self._present[trouble] = now
                reports.append(Report(Level.WARNING, "line_trouble", fields | {"help": HELP[trouble]}))
            elif trouble in self._present and now - seen_s >= GONE_S:
                lasted_s = round(seen_s - self._present.pop(trouble), 1)
                reports.append(Report(Level.INFO, "line_trouble_over", fields | {"lasted_s": lasted_s}))
        return reports


def _grown(before: Rs485Status, after: Rs485Status) -> _Growth:
    def by(*names: str) -> int:
        return sum(getattr(after, name) - getattr(before, name) for name in names)

    return _Growth(
        asked=by("asked"),
        good=by("asked", "foreign", "others", "twins"),
        garbage=by("garbage"),
        framing=by("framing_errors"),
        foreign=by("foreign"),
        refused=by("refused"),
        clashes=by("collisions", "busy"),
        twins=by("twins"),
        late=by("late"),
    )
