"""Nothing comes from the inverter, though it is one that answers; or it has ceased to."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.block import id_text, key_of
from bridge.dump.rule import Hits, Memory, Rule, Severity
from bridge.dump.view import View

LONG_S = 60.0  # Battery-Emulator's figure for an inverter that has gone


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """At the end; and while it goes on, the time from the last answer to the block's last frame."""
    profile, tongue, heard = view.case.profile, view.case.tongue, view.carried.keys
    if not view.last or profile is None or not tongue.battery.keys() & heard.keys():
        return
    usual = [one for one in (*profile.answers, *profile.polls) if not getattr(one, "seldom", False)]
    wanted = {key_of(one.id, extended=one.extended) for one in usual}
    answers = {key: one for key, one in heard.items() if key in tongue.inverter}
    if wanted and not answers and view.carried.duration_s >= LONG_S:
        ids = ", ".join(id_text(key) for key in sorted(wanted))
        text = f"no frame of the inverter ({ids}) in {view.carried.duration_s:.0f} s"
        yield Hits(about="inverter", rows=None, text=text, severity=Severity.NOTE)
    if not answers:
        return
    silent_s = view.carried.last_s - max(one.time_s for one in answers.values())
    if silent_s > max([LONG_S, *(one.may_be_late_s for one in usual)]):
        text = f"the inverter was last heard {silent_s:.0f} s before the end"
        yield Hits(about="inverter", rows=None, text=text)


RULE = Rule(
    severity=Severity.WARNING,
    finds="the inverter's own frames have ceased; a note if there were none at all",
    why={
        "": "Nobody may be listening. Some inverters never answer, so silence alone proves nothing.",
        "deye-lv": "A Deye answers each 356 with 305, some seconds late at times, never for a minute.",
    },
    do="Cable, bit rate, and the battery type in the inverter's menu.",
    look=look,
)
