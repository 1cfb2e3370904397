from __future__ import annotations

from bridge.alarm_log import AlarmLog
from bridge.events import Level
from bridge.model import Alarm, AlarmCause, Severity

DRIFT = AlarmCause(alarm=Alarm.SOC_DRIFT, severity=Severity.WARNING, text="shed: 50 or 80 %", pack="shed")
WARNED = AlarmCause(alarm=Alarm.FIRE, severity=Severity.WARNING, text="shed: smoke", pack="shed")
FIRE = AlarmCause(alarm=Alarm.FIRE, severity=Severity.FAULT, text="shed: fire", pack="shed")


def test_an_alarm_is_said_once_when_it_begins_and_once_when_it_ends() -> None:
    log = AlarmLog()

    (begin,) = log.changes((DRIFT,))
    assert (begin.level, begin.event) == (Level.WARNING, "alarm")
    assert begin.fields == {
        "alarm": "soc_drift",
        "pack": "shed",
        "severity": "warning",
        "why": "shed: 50 or 80 %",
    }
    assert log.changes((DRIFT,)) == []

    (end,) = log.changes(())
    assert (end.level, end.event, end.fields) == (
        Level.INFO,
        "alarm_over",
        {"alarm": "soc_drift", "pack": "shed"},
    )
    assert log.changes(()) == []


def test_one_that_gets_graver_is_said_again() -> None:
    log = AlarmLog()
    log.changes((WARNED,))

    (graver,) = log.changes((FIRE,))

    assert (graver.level, graver.fields["severity"]) == (Level.ERROR, "fault")
    assert log.changes((FIRE,)) == []


def test_a_text_that_changes_is_no_news() -> None:
    log = AlarmLog()
    log.changes((DRIFT,))
    later = AlarmCause(alarm=Alarm.SOC_DRIFT, severity=Severity.WARNING, text="shed: 49 or 80 %", pack="shed")

    assert log.changes((later,)) == []
