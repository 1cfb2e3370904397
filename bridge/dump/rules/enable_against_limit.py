"""The bit that allows a direction and the limit of that direction say the contrary."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.dump.block import Mask
from bridge.dump.rule import Hits, Memory, Rule, Severity, lasting, where
from bridge.dump.view import Frames, View

NOTHING_A = 0.15
FULL_PCT, EMPTY_PCT = 95.0, 10.0
# FoxESS: the bit ends the charging of a full battery, and genuine towers leave the limit as it is.
BIT_ALONE = frozenset({("foxess-hv", "charge_forbidden")})


def look(view: View, memory: Memory) -> Iterator[Hits]:
    """Permissions against limits, over some cycles."""
    for direction in ("charge", "discharge"):
        for name, allowed in ((f"{direction}_enabled", 1), (f"{direction}_forbidden", 0)):
            series = view.series(name)
            if series is None or (view.case.tongue.name, name) in BIT_ALONE:
                continue
            limit_a = view.latest(f"{direction}_current_limit_a", series.frames)
            end = _at_end(view, direction, series.frames)
            on = (series.values == allowed) if allowed else (series.values < 0.5)
            for found, what in (
                (~on & (limit_a > NOTHING_A), f"{direction} is not allowed, with a limit of"),
                (on & (limit_a == 0) & ~end, f"{direction} is allowed, with a limit of"),
            ):
                yield from where(
                    name,
                    series.frames,
                    lasting(found, memory, f"{name} {what}"),
                    "{0} {1:g} A",
                    what,
                    limit_a,
                )


def _at_end(view: View, direction: str, at: Frames) -> Mask:
    """Where the battery is full or empty: genuine packs then leave the bit on at a limit of 0."""
    soc_pct = view.latest("soc_pct", at)
    return soc_pct >= FULL_PCT if direction == "charge" else soc_pct <= EMPTY_PCT


RULE = Rule(
    severity=Severity.WARNING,
    finds="charging or discharging switched off with a limit above 0, or on with a limit of 0",
    why={"": "Some inverters follow the bit and some the limit: one of them does what was not meant."},
    do="Switch both together: bit off and limit 0, in the same cycle.",
    look=look,
)
