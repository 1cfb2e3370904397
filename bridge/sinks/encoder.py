"""Quantities into frames: cycles, answers to polls and slow frames alike, all by the same plans.

What a quantity becomes on the wire is `plan`'s; here is which frames there are, and what they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bridge.errors import ConfigError
from bridge.model import Alarm, CanFrame
from bridge.profiles import Profile
from bridge.sinks.dialect import Dialect, Kind
from bridge.sinks.fit import misfits
from bridge.sinks.plan import Plan, plans_of
from bridge.sinks.quantities import LIMITING, STOPPING_SOC, Known


class Encoder:
    """Makes the frames for one inverter. Raises ConfigError if profile and dialect don't fit.

    dialect: with the profile's identifiers. names: the quantities that `encode` can say. required: those
    that it must be given; the frames that need another one are left out without it. ids: the
    identifiers that we send, with whether they have 29 bits. limiting: those of them that say a limit,
    that a direction is off, or an alarm. clamped: quantities of the last encoding
    that were too large for their place and went as the largest that fits.
    """

    def __init__(self, profile: Profile, dialect: Dialect) -> None:
        problems = [f"{profile.path}: {text}" for text in misfits(profile, dialect)]
        if problems:
            raise ConfigError(*problems)
        self.clamped: set[str] = set()
        self._order = profile.order
        self._above = profile.above
        self._plans = {
            state: _plans(profile, dialect, {**profile.constants, **constants})
            for state, constants in (profile.states or {"": {}}).items()
        }
        self._first = next(iter(self._plans))
        plans = [plan for found in self._plans[self._first].values() for plan in found]
        signals = [signal for plan in plans for signal in plan.message.signals]
        self.names = frozenset(one.name for one in signals if one.kind in {Kind.QUANTITY, Kind.LABEL})
        self.required = frozenset(name for plan in plans if not plan.optional for name in plan.needs)
        self.ids = frozenset(plan.key for plan in plans)
        limits = LIMITING | STOPPING_SOC if profile.soc_says_stop else LIMITING
        self.limiting = frozenset(
            plan.key for plan in plans if plan.alarms or any(one.name in limits for one in plan.fields)
        )

    def encode(
        self,
        values: Known,
        protections: frozenset[Alarm],
        warnings: frozenset[Alarm],
        *,
        order: Iterable[int] | None = None,
        state: str | None = None,
    ) -> tuple[CanFrame, ...]:
        """Some frames, without the optional ones that nothing is known for.

        order: the dialect's identifiers of them; None: those of the profile's cycle. state: of the
        handshake; None: its first. Raises BridgeBug for a value that is no finite number and for a
        negative limit.
        """
        said = self._spread(values) if self._above else values
        known = said.keys()
        plans = self._plans[self._first if state is None else state]
        self.clamped.clear()
        return tuple(
            plan.frame(said, protections, warnings, self.clamped)
            for can_id in (self._order if order is None else order)
            for plan in plans[can_id]
            if not plan.optional or plan.needs <= known
        )

    def _spread(self, values: Known) -> Known:
        """The values with those that the inverter wants above another one raised."""
        said = dict(values)
        for name, above in self._above.items():
            value, least = said.get(name), said.get(above.of)
            if isinstance(value, int | float) and isinstance(least, int | float):
                said[name] = max(value, least + above.by)
        return said


def _plans(
    profile: Profile, dialect: Dialect, constants: Mapping[str, int | str]
) -> dict[int, tuple[Plan, ...]]:
    """The frames that each identifier of the dialect stands for."""
    ours = {
        message.can_id - profile.id_offset: message for message in dialect.messages.values() if message.ours
    }
    return {can_id: plans_of(ours[can_id], profile, constants) for can_id in profile.sent_ids}
