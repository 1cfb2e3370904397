"""What has changed since the last decision, as lines for the log: each change once, and never a flood.

A limit whose cause goes to and fro between two rules would write a line a second. It gets one each
`SAY_EVERY_S` at the most, with how often the cause has changed since the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from bridge.battery.aggregator import Aggregator
from bridge.battery.leases import Lease
from bridge.battery.leaving import Phase
from bridge.events import Level, Report
from bridge.model import Decision, Limit

SAY_EVERY_S = 10.0
LIMITS = (Limit.CVL, Limit.CCL, Limit.DCL)
Cause = tuple[str, str | None]


class Causes:
    """The binding constraint of each limit."""

    def __init__(self) -> None:
        self._now: dict[Limit, Cause] = {}
        self._said: dict[Limit, tuple[Cause, float]] = {}
        self._changes = dict.fromkeys(LIMITS, 0)

    def news(self, decision: Decision, now: float) -> Iterator[Report]:
        """A report for each limit whose cause is another one than was said last."""
        for limit in LIMITS:
            first = next(iter(decision.constraints.get(limit, ())), None)
            cause = (first.rule, first.pack) if first else ("none", None)
            self._changes[limit] += self._now.get(limit) != cause
            self._now[limit] = cause
            said, said_s = self._said.get(limit, (None, -math.inf))
            if cause == said or now - said_s < SAY_EVERY_S:
                continue
            fields = {"limit": limit.name, limit.value: getattr(decision, limit.value), "rule": cause[0]}
            if self._changes[limit] > 1:
                fields["changes"] = self._changes[limit]
            yield Report(Level.INFO, "limit_cause", fields | {"why": first.text if first else ""})
            self._said[limit], self._changes[limit] = (cause, now), 0


class Standing:
    """Leases, packs that are to leave, and an inverter that does not obey."""

    def __init__(self) -> None:
        self._leases: dict[tuple[str, Limit], Lease] = {}
        self._phases: dict[str, Phase] = {}
        self._disobeyed: frozenset[Limit] = frozenset()

    def news(self, bank: Aggregator, now: float) -> Iterator[Report]:
        """A report for each that came, went or moved on."""
        yield from self._lease_news(bank, now)
        yield from self._leaving_news(bank)
        yield from self._obedience_news(bank)

    def _lease_news(self, bank: Aggregator, now: float) -> Iterator[Report]:
        there = {(lease.name, lease.limit): lease for lease in bank.leases.standing(now)}
        if there == self._leases:
            return
        for key, lease in there.items():
            before = self._leases.get(key)
            if before is None or before.value != lease.value:
                yield Report(
                    Level.INFO, "lease", _lease_fields(lease) | {"ttl_s": round(lease.until_s - now)}
                )
        for key, lease in self._leases.items():
            if key not in there:
                yield Report(Level.INFO, "lease_ended", _lease_fields(lease))
        self._leases = there

    def _leaving_news(self, bank: Aggregator) -> Iterator[Report]:
        phases = {one.pack: one.phase for one in bank.leaving.standing()}
        if phases == self._phases:
            return
        for pack, phase in phases.items():
            if self._phases.get(pack) is not phase:
                yield Report(Level.INFO, "pack_leaving", {"pack": pack, "phase": phase.value})
        for pack in self._phases.keys() - phases.keys():
            yield Report(Level.INFO, "pack_leaving", {"pack": pack, "phase": "ended"})
        self._phases = phases

    def _obedience_news(self, bank: Aggregator) -> Iterator[Report]:
        complaints = bank.obedience.complaints()
        for limit in complaints.keys() - self._disobeyed:
            yield Report(Level.WARNING, "limit_disobeyed", {"limit": limit.name, "why": complaints[limit]})
        for limit in self._disobeyed - complaints.keys():
            yield Report(Level.INFO, "limit_obeyed", {"limit": limit.name})
        self._disobeyed = frozenset(complaints)


def _lease_fields(lease: Lease) -> dict[str, object]:
    return {"lease": lease.name, "limit": lease.limit.name, "value": lease.value, "why": lease.reason}
