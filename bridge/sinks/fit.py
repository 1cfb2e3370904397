"""Whether a profile and a dialect fit each other: everything that one asks and the other can't do.

Told when they are loaded, all at once and by key, so that nothing is found out on the bus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.errors import did_you_mean
from bridge.profiles import Profile
from bridge.sinks.dialect import Dialect, Kind, Message, Signal
from bridge.sinks.plan import bounds
from bridge.sinks.quantities import DUST_STEPS

VITAL = ("charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a")


def misfits(profile: Profile, dialect: Dialect) -> Iterator[str]:
    """What the profile says that its dialect can't do, as sentences that begin with the key."""
    ours = {
        message.can_id - profile.id_offset: message for message in dialect.messages.values() if message.ours
    }
    for key, can_id in _named(profile):
        if can_id not in ours:
            known = ", ".join(f"0x{one:X}" for one in ours)
            yield f"{key}: 0x{can_id:X} is no frame of the battery in {dialect.name}; there are {known}"
    signals = {
        signal.name: signal
        for can_id in profile.sent_ids
        if can_id in ours
        for signal in ours[can_id].signals
    }
    yield from _vital_misfits(profile, ours)
    yield from _page_misfits(profile, ours)
    yield from _optional_misfits(profile, ours)
    yield from _unknown_names(profile, signals)
    for name, signal in signals.items():
        yield from _constant_misfits(profile, signal) if signal.kind in {Kind.CONSTANT, Kind.TEXT} else ()
        if signal.kind is Kind.QUANTITY:
            low, high = bounds(signal, profile)
            if low > high:
                yield f"ranges.{name}: no value of this range fits the frame"
            ratio = profile.steps.get(name, abs(signal.scale)) / abs(signal.scale)
            if ratio < 1 or abs(ratio - round(ratio)) > DUST_STEPS:
                yield f"steps.{name}: must be a multiple of the frame's own {abs(signal.scale)} {signal.unit}"


def _named(profile: Profile) -> Iterator[tuple[str, int]]:
    """Where the profile names which identifier."""
    yield from (("order", can_id) for can_id in profile.order)
    for number, group in enumerate(profile.slow):
        yield from ((f"slow[{number}].order", can_id) for can_id in group.order)
    for number, poll in enumerate(profile.polls):
        yield from ((f"polls[{number}].send", can_id) for can_id in poll.send)


def _vital_misfits(profile: Profile, ours: Mapping[int, Message]) -> Iterator[str]:
    """What the inverter lives on goes with the cycle; where there is none, in answers; never seldom."""
    often = profile.order or [can_id for poll in profile.polls for can_id in poll.send]
    names = {signal.name for can_id in often if can_id in ours for signal in ours[can_id].signals}
    for name in VITAL:
        if name not in names:
            yield f"{'order' if profile.order else 'polls'}: none of its frames carries {name}"


def _page_misfits(profile: Profile, ours: Mapping[int, Message]) -> Iterator[str]:
    frames = sum(len(ours[can_id].pages) for can_id in profile.order if can_id in ours)
    if frames > len(profile.order) and profile.spacing_s * frames > profile.period_s:
        yield f"spacing_s: {frames} frames do not fit into period_s {profile.period_s}"


def _optional_misfits(profile: Profile, ours: Mapping[int, Message]) -> Iterator[str]:
    for can_id in profile.optional:
        names = {signal.name for signal in ours[can_id].signals} if can_id in ours else set()
        if vital := sorted(names & {*VITAL}):
            yield f"optional: 0x{can_id:X} carries {', '.join(vital)} and must always be sent"


def _unknown_names(profile: Profile, signals: Mapping[str, Signal]) -> Iterator[str]:
    kinds = {
        "constants": {Kind.CONSTANT, Kind.TEXT},
        "unknown": {Kind.QUANTITY},
        "ranges": {Kind.QUANTITY},
        "steps": {Kind.QUANTITY},
        "above": {Kind.QUANTITY},
    }
    for state, constants in profile.states.items():
        known = [name for name, signal in signals.items() if signal.kind is Kind.CONSTANT]
        for name in constants:
            if name not in known:
                yield f"states.{state}.{name}: there is no such constant{did_you_mean(name, known)}"
    for table, allowed in kinds.items():
        known = [name for name, signal in signals.items() if signal.kind in allowed]
        others = [above.of for above in profile.above.values()] if table == "above" else []
        for name in (*getattr(profile, table), *others):
            if name not in known:
                yield (
                    f"{table}.{name}: there is no such signal in its frames; known: "
                    f"{', '.join(known)}{did_you_mean(name, known)}"
                )


def _constant_misfits(profile: Profile, signal: Signal) -> Iterator[str]:
    key = f"constants.{signal.name}"
    given = profile.constants.get(signal.name)
    if signal.kind is Kind.TEXT:
        size = signal.length // 8
        if given is None:
            yield f"{key}: missing; a text of at most {size} ASCII letters"
        elif not isinstance(given, str) or not given.isascii() or len(given) > size:
            yield f"{key}: {given!r} is no text of at most {size} ASCII letters"
    elif given is not None:
        low, high = signal.raw_range
        if not isinstance(given, int) or not low <= given <= high:
            yield f"{key}: {given!r} is no whole number from {low} to {high}"
