"""A frame that the inverter lives on is away for so long that the inverter reports a loss of its battery."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.rule import Hits, Memory, Rule, Severity, where
from bridge.dump.view import View


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Gaps of the profile's comm_fault_s and more."""
    profile = view.case.profile
    if profile is None or view.case.polled:
        return
    for key in view.case.tongue.vital:
        frames = view.frames(key)
        period_s = view.case.period_s(key)
        if frames is not None and period_s is not None:
            limit_s = max(profile.comm_fault_s, 2.5 * period_s)
            shown = f", which it shows as {profile.comm_fault_shown}" if profile.comm_fault_shown else ""
            yield from where(
                "battery",
                frames,
                frames.gap_s >= limit_s,
                "{0:.2f} s without {1}: the inverter reports a loss of its battery{2}",
                frames.gap_s,
                frames.name,
                shown,
                weights=frames.gap_s,
            )


RULE = Rule(
    severity=Severity.ERROR,
    finds="no frame with limits, SoC or voltage for the time after which the inverter reports a loss",
    why={
        "": "The inverter takes the battery for lost and stops, or goes on with its last limits.",
        "deye-lv": "F58 or W31; a Deye was seen to go on discharging after the frames had stopped.",
        "victron": "After 3 s without 351 a GX ends charging and discharging.",
        "sma-si": "After 60 s: F952 and W952; SoC counts as 0 then.",
    },
    do="Look at cable, termination and the sender's load; a gateway sends its cycle from the kernel.",
    look=look,
)
