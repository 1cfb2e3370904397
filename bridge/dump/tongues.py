"""All dialects that a dump may hold, with who speaks them: those of our inverters, and look-alikes.

Look-alikes are dialects of batteries that no inverter profile sends (`profiles/lookalikes`). A dialect may
stand at another address than its DBC says: what is added to its battery's identifiers is its offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bridge import profiles
from bridge.dump.block import key_of
from bridge.dump.decoding import dialect_paths
from bridge.errors import ConfigError, did_you_mean
from bridge.profiles import Answer, Profile
from bridge.sinks import dialect as dialects
from bridge.sinks.layout import Dialect, Message

VITAL = frozenset(
    {"charge_voltage_limit_v", "charge_current_limit_a", "discharge_current_limit_a", "soc_pct", "voltage_v"}
)
SHIFTS: Mapping[str, tuple[int, ...]] = {
    "pylon-hv": (1,),
    "pylon-hv-negative": (1,),
    "pylon-hv-plain": (1,),
    "pylon-hv-plain-be": (1,),
    "sofar-hv": tuple(pack << 12 for pack in range(1, 8)),
}
"""The addresses beside 0 at which a dialect was seen or documented."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """A dialect at an address, and the inverter profiles that send it just so.

    dialect: with the identifiers of that address. offset: how far they are from the DBC's.
    battery, inverter: its messages by `Block.key`. asked: frames of the inverter by key, as the
    profiles have them.
    """

    dialect: Dialect
    offset: int
    profiles: tuple[Profile, ...]
    battery: Mapping[int, Message]
    inverter: frozenset[int]
    asked: Mapping[int, tuple[Answer, ...]]

    @property
    def name(self) -> str:
        """The dialect's name."""
        return self.dialect.name

    @property
    def shown(self) -> str:
        """Its name, and the address where that is another."""
        return f"{self.name} + 0x{self.offset:X}" if self.offset else self.name

    @property
    def vital(self) -> frozenset[int]:
        """Keys of the frames that an inverter lives on: the first that carries each of `VITAL`."""
        first: dict[str, int] = {}
        for key, message in self.battery.items():
            for signal in message.signals:
                first.setdefault(signal.name, key)
        return frozenset(key for name, key in first.items() if name in VITAL)

    @property
    def sent(self) -> frozenset[int]:
        """Keys of what any of the profiles sends."""
        return frozenset(
            key
            for key, message in self.battery.items()
            for profile in self.profiles
            if message.can_id - self.offset in profile.sent_ids
        )


@cache
def tongues() -> tuple[Tongue, ...]:
    """Every dialect there is, also at the addresses at which it was seen."""
    return tuple(
        tongue(dialect, offset)
        for path in dialect_paths().values()
        for dialect in (dialects.load(path),)
        for offset in (0, *SHIFTS.get(dialect.name, ()))
    )


def of_profile(profile: Profile) -> Tongue:
    """The dialect of one profile, spoken by it alone."""
    plain = dialects.load(profiles.dialect_path(profile))
    return _tongue(plain, profile.id_offset, (profile,))


def of_dialect(name: str) -> Tongue:
    """The dialect of that name; raises ConfigError with those that there are."""
    known = {one.name: one for one in tongues() if not one.offset}
    if name not in known:
        raise ConfigError(
            f"unknown dialect {name!r}; an inverter's name goes with --profile; known: {', '.join(known)}"
            f"{did_you_mean(name, known)}"
        )
    return known[name]


def tongue(dialect: Dialect, offset: int = 0) -> Tongue:
    """A dialect at an address, with the profiles that send it."""
    fitting = (one for one in _profiles() if one.dialect == dialect.name and one.id_offset == offset)
    return _tongue(dialect, offset, tuple(fitting))


def _tongue(plain: Dialect, offset: int, speakers: tuple[Profile, ...]) -> Tongue:
    dialect = plain.moved(offset) if offset else plain
    messages = {
        key_of(can_id, extended=extended): message for (can_id, extended), message in dialect.messages.items()
    }
    asked: dict[int, list[Answer]] = {}
    for profile in speakers:
        for answer in (*profile.answers, *profile.polls):
            found = asked.setdefault(key_of(answer.id, extended=answer.extended), [])
            found += [] if answer in found else [answer]
    theirs = {key for key, message in messages.items() if not message.ours}
    return Tongue(
        dialect=dialect,
        offset=offset,
        profiles=speakers,
        battery={key: message for key, message in messages.items() if message.ours},
        inverter=frozenset(theirs | asked.keys()),
        asked={key: tuple(found) for key, found in asked.items()},
    )


@cache
def _profiles() -> tuple[Profile, ...]:
    return tuple(profiles.load(name) for name in profiles.can())
