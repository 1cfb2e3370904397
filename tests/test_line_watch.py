"""What is wrong with an RS485 pair, told from counts alone: once when it starts, once when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.events import Action, Level, Report
from bridge.line_watch import GARBAGE_BYTES, GONE_S, HELP, NOTHING_FOR_S, WINDOW_S, LineTrouble, LineWatch
from bridge.sinks.line import Line, Rs485Status


class Pair:
    """A watch whose counters grow by the second."""

    def __init__(self) -> None:
        self.watch = LineWatch("house", 0.0)
        self.status: Rs485Status = Line("axpert-pyl", 10.0).status(None, 0, (), 0.0)
        self.now = 0.0
        self.actions: list[Action] = []
        self.step(0)

    def step(self, seconds: int = 1, **grown: int) -> None:
        for _ in range(max(1, seconds)):
            self.now += 1.0 if seconds else 0.0
            more = {name: getattr(self.status, name) + count for name, count in grown.items()}
            self.status = replace(self.status, **more)
            self.actions += self.watch.seen(self.status, self.now)

    def troubles(self) -> list[tuple[str, object]]:
        return [(one.event, one.fields["trouble"]) for one in self.actions if isinstance(one, Report)]


def test_a_pair_on_which_all_is_asked_and_answered_has_nothing() -> None:
    pair = Pair()
    pair.step(300, asked=3, answers=3)
    assert (pair.actions, pair.watch.report()) == ([], [])


@pytest.mark.parametrize(
    ("trouble", "grown"),
    [
        (LineTrouble.BAUD_RATE, {"garbage": GARBAGE_BYTES}),
        (LineTrouble.BAUD_RATE, {"framing_errors": 1, "garbage": 1}),
        (LineTrouble.NOISE, {"garbage": GARBAGE_BYTES, "asked": 1}),
        (LineTrouble.ADDRESS, {"foreign": 1}),
        (LineTrouble.UNKNOWN_REQUESTS, {"asked": 1, "refused": 1}),
        (LineTrouble.SECOND_MASTER, {"asked": 1, "collisions": 1}),
        (LineTrouble.SECOND_MASTER, {"asked": 1, "busy": 1}),
        (LineTrouble.SECOND_BATTERY, {"asked": 1, "twins": 1}),
        (LineTrouble.LATE, {"asked": 1, "late": 1}),
    ],
)
def test_each_trouble_is_told_once_with_what_to_do_and_once_when_it_is_over(
    trouble: LineTrouble, grown: dict[str, int]
) -> None:
    pair = Pair()
    pair.step(int(WINDOW_S) + 5, **grown)
    assert pair.troubles() == [("line_trouble", trouble.value)]
    (report,) = pair.actions
    assert isinstance(report, Report)
    assert (report.level, report.fields["help"]) == (Level.WARNING, HELP[trouble])
    assert pair.watch.report() == [{"trouble": trouble.value, "help": HELP[trouble]}]
    pair.step(int(WINDOW_S + GONE_S) + 2, asked=1)
    assert pair.troubles()[1:] == [("line_trouble_over", trouble.value)]
    assert pair.watch.report() == []


def test_a_pair_on_which_nothing_is_heard_is_told_after_a_minute() -> None:
    pair = Pair()
    pair.step(int(NOTHING_FOR_S) - 2)
    assert pair.actions == []
    pair.step(3)
    assert pair.troubles() == [("line_trouble", LineTrouble.NOTHING_HEARD.value)]


def test_a_few_bytes_from_plugging_in_are_no_trouble() -> None:
    pair = Pair()
    pair.step(1, garbage=GARBAGE_BYTES - 1)
    pair.step(30, asked=1)
    assert pair.actions == []


def test_a_rack_whose_other_batteries_are_asked_too_has_the_right_address() -> None:
    pair = Pair()
    pair.step(60, asked=1, foreign=5, others=5)
    assert pair.actions == []
