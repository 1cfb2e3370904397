"""Alarms for the log: one line when an alarm begins, gets graver or lighter, and one when it ends."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.events import Level, Report
from bridge.model import Alarm, AlarmCause, Severity

LEVELS = {Severity.WARNING: Level.WARNING, Severity.PROTECTION: Level.ERROR, Severity.FAULT: Level.ERROR}

_Key = tuple[Alarm, str | None]


class AlarmLog:
    """Remembers which alarms stand, and how grave each is."""

    def __init__(self) -> None:
        self._causes: Sequence[AlarmCause] = ()
        self._standing: dict[_Key, Severity] = {}

    def changes(self, causes: Sequence[AlarmCause]) -> list[Report]:
        """What is news in a decision's causes, the gravest first in them. A text that changes is none."""
        if causes is self._causes or (not causes and not self._standing):
            return []
        self._causes = causes
        reports, standing = [], dict[_Key, Severity]()
        for cause in causes:
            key = cause.alarm, cause.pack
            standing[key] = cause.severity
            if self._standing.get(key) is not cause.severity:
                fields = {"pack": cause.pack, "severity": cause.severity.name.lower(), "why": cause.text}
                reports.append(
                    Report(LEVELS[cause.severity], "alarm", {"alarm": cause.alarm.value, **fields})
                )
        for alarm, pack in [key for key in self._standing if key not in standing]:
            reports.append(Report(Level.INFO, "alarm_over", {"alarm": alarm.value, "pack": pack}))
        self._standing = standing
        return reports
