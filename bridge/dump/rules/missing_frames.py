"""Frames that this inverter lives on, or that the dialect always has, never come."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.block import id_text
from bridge.dump.evidence import usual
from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View
from bridge.sinks.layout import Kind

MOST = 0.6  # of a cycle seen: a single cycle, cut from a dump, is whole then


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """At the end: what was never there, if a whole cycle was."""
    tongue = view.case.tongue
    heard = view.carried.keys
    there = tongue.battery.keys() & heard.keys()
    if not view.last or not there:
        return
    wanted = tongue.vital | usual(tongue)
    twice = any(heard[key].count > 1 for key in there)
    long = not view.carried.duration_s < 2 * _longest_s(view)  # or without times
    if not (twice and long) and len(there & wanted) < MOST * len(wanted):
        return
    alarms = {key for key, one in tongue.battery.items() if any(s.kind is Kind.ALARM for s in one.signals)}
    if alarms & heard.keys():
        wanted -= alarms - tongue.vital  # one form of alarms is enough
    for key in sorted(wanted - heard.keys()):
        vital = key in tongue.vital
        yield Hits(
            about=id_text(key),
            rows=None,
            text=f"{id_text(key)} ({tongue.battery[key].name}) never comes",
            severity=Severity.ERROR if vital else Severity.WARNING,
        )


def _longest_s(view: View) -> float:
    profile = view.case.profile
    if profile is None:
        return 1.0
    return max(profile.period_s, *(answer.period_s for answer in profile.polls if not answer.seldom), 0.0)


RULE = Rule(
    severity=Severity.ERROR,
    finds="a frame that the inverter lives on never comes; a warning if it is one that is only usual",
    why={
        "": "Without limits, SoC and voltage no inverter uses a battery; without a name some do not.",
        "sma-si": "A Sunny Island wants all of its frames, each second, or reports F952 and W952.",
        "victron": "Without 351, 355, 356 and 35A a GX shows no battery, or stops after 3 s.",
    },
    do="Make the battery send it, or choose a dialect that does without it.",
    look=look,
)
