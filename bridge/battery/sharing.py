"""How a bank's current divides over parallel packs, and so what the bank may carry.

Packs in parallel share by conductance, not by what they are allowed: a pack carries s_i = g_i / sum g
of the bank's current, and what circulates (b_i), whether its limit is high or low. So the bank's limit is
the least of (C_i - b_i) / s_i over the packs that conduct; the sum of their limits over-currents the
stiffest pack, and n times the smallest is not cautious either.

`LearnedSharing` measures s and b from the packs' own currents (`alignment`, `shares`, `flow`) and
draws the limits from where the bank works at the moment (`anchor`). As soon as one pack that may be on
the bus is not heard, or does not say its current, everything measured stays as it was: losing data
never raises a limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import fsum, inf
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bridge.battery.alignment import Point
from bridge.battery.anchor import Cold, Part, anchored_a
from bridge.battery.flow import Flow
from bridge.battery.overcurrent import Overcurrent
from bridge.battery.shares import Shares
from bridge.model import AlarmCause, Constraint, Limit, PackSettings, PackState

if TYPE_CHECKING:
    from bridge.battery.context import Pack

# What a current sensor may be wrong by, of the rating too.
SENSOR_A: Final = 0.3
SENSOR_RATIO: Final = 0.005
TELLING_A: Final = 2.0  # a circulating current of less is not worth a word


class Branch(NamedTuple):
    """One pack in the parallel circuit, for one direction. causes: its own limits, the binding one
    first; never empty.
    """

    pack: PackSettings
    certainty: float
    causes: tuple[Constraint, ...]
    age_s: float | None


class Sharing(Protocol):
    """Turns what packs may carry into what the bank may carry."""

    def observe(self, packs: Sequence[Pack], now: float) -> None:
        """A new picture of all packs that are, or may be, part of the parallel circuit."""
        ...

    def limits(self, branches: Sequence[Branch], limit: Limit) -> list[Constraint]:
        """Constraints on the bank's current in one direction. branches: not empty."""
        ...

    def parts(self, branches: Sequence[Branch], limit: Limit) -> list[Part]:
        """The same packs as one direction of current sees them."""
        ...

    @property
    def complaints(self) -> tuple[AlarmCause, ...]:
        """What there is to complain of in the way that the current divides."""
        ...

    def state(self) -> dict[str, object]:
        """What was learned, as JSON can carry it."""
        ...

    def restore(self, state: Mapping[str, object]) -> None:
        """Begin with what was learned before."""
        ...


class LearnedSharing:
    """Shares and circulating currents as measured; as the settings let expect until they are."""

    def __init__(self) -> None:
        self._shares = Shares()
        self._overcurrent = Overcurrent()
        self._flow = Flow((), self._shares, {}, -inf)
        self._rest_v: dict[str, float] = {}  # of all packs that were ever seen together, see Flow
        self._live = False  # whether every pack of the circuit speaks and says its current

    @property
    def complaints(self) -> tuple[AlarmCause, ...]:
        """See `Sharing`."""
        return self._overcurrent.complaints

    def state(self) -> dict[str, object]:
        """See `Sharing`."""
        return {"shares": self._shares.state()}

    def restore(self, state: Mapping[str, object]) -> None:
        """See `Sharing`."""
        shares = state.get("shares")
        if isinstance(shares, Mapping):
            self._shares.restore(shares)
            self._flow = Flow((), self._shares, {}, -inf)

    def observe(self, packs: Sequence[Pack], now: float) -> None:
        """See `Sharing`."""
        self._gather([pack.member.settings for pack in packs], now)
        if len(packs) < 2:
            return  # there is nothing to share
        samples = _points(packs)
        if samples is not None:
            self._flow.take(samples)
        elif self._live:
            self._flow.hold(now)
        self._live = samples is not None
        self._overcurrent.watch(packs, self._flow.total_a if self._live else None, now)

    def limits(self, branches: Sequence[Branch], limit: Limit) -> list[Constraint]:
        """See `Sharing`. A lone pack needs no margin: its limit is the bank's."""
        if len(branches) > 1:
            return [*self._shared(branches, limit), _sum(branches, limit)]
        alone = branches[0]
        text = f"{alone.pack.name}: "
        return [*[_lifted(alone, cause, cause.value, text) for cause in alone.causes], _sum(branches, limit)]

    def _shared(self, branches: Sequence[Branch], limit: Limit) -> Iterator[Constraint]:
        parts = self.parts(branches, limit)
        room = _Room(parts, self._carried_a(limit), anchored=self._live and _all_sure(branches))
        least_a = inf
        for number, (branch, part) in enumerate(zip(branches, parts, strict=True)):
            text = f"{part.name}: {self._share_text(number, part)}"
            sensor_a = SENSOR_A + SENSOR_RATIO * _rated_a(branch.pack, limit)
            for cause in self._overcurrent.causes(part.name, branch.causes):
                amps = room.bank_a(cause.value, part, sensor_a)
                least_a = min(least_a, amps)
                yield _lifted(branch, cause, amps, text)
        self._overcurrent.allowed(limit, least_a)

    def parts(self, branches: Sequence[Branch], limit: Limit) -> list[Part]:
        """See `Sharing`."""
        if tuple([branch.pack.name for branch in branches]) != self._flow.names:
            self._gather([branch.pack for branch in branches], -inf)
        circuit, sign = self._flow.circuit, 1.0 if limit is Limit.CCL else -1.0
        return [
            Part(branch.pack.name, g, s, m, sign * b, branch.certainty)
            for branch, g, s, m, b in zip(
                branches,
                circuit.conductance,
                circuit.share,
                circuit.margin,
                self._flow.circulating_a,
                strict=True,
            )
        ]

    def _gather(self, packs: Sequence[PackSettings], now: float) -> None:
        """A new circuit, if these are not the packs of the present one."""
        names = tuple([own.name for own in packs])
        if names != self._flow.names:
            self._rest_v.update(self._flow.rest_v())
            self._flow = Flow(packs, self._shares, self._rest_v, now)
            self._overcurrent.changed(now)

    def _carried_a(self, limit: Limit) -> float | None:
        """What the bank carries in this direction; None if that was not seen."""
        total_a = self._flow.total_a
        if total_a is None:
            return None
        return max(0.0, total_a if limit is Limit.CCL else -total_a)

    def _share_text(self, number: int, part: Part) -> str:
        """How much of the bank's current it takes, and from where that is known."""
        known = "measured" if self._flow.circuit.measured[number] else "assumed"
        text = f"{100 * part.share:.0f} % share of the bank ({known}), "
        if abs(part.circulating_a) < TELLING_A:
            return text
        sign = "and" if part.circulating_a > 0 else "less"
        return f"{text[:-2]} {sign} {abs(part.circulating_a):.0f} A that circulate, "


class _Room:
    """What the bank may carry for what a pack may."""

    def __init__(self, parts: Sequence[Part], carried_a: float | None, *, anchored: bool) -> None:
        self._carried_a = carried_a
        self._cold = None if anchored and carried_a is not None else Cold(parts)

    def bank_a(self, pack_a: float, part: Part, sensor_a: float) -> float:
        """The bank's current at which the pack reaches pack_a. One that may carry nothing stops the bank,
        whatever circulates.
        """
        if pack_a <= 0:
            return pack_a
        room_a, carried_a, cold = pack_a - sensor_a, self._carried_a, self._cold
        if cold is None:
            return 0.0 if carried_a is None else max(0.0, anchored_a(room_a, part, carried_a))
        cold_a = cold.limit_a(room_a, part)
        return cold_a if carried_a is None else max(0.0, min(cold_a, cold.from_a(room_a, part, carried_a)))


def _points(packs: Sequence[Pack]) -> list[Point] | None:
    """What every pack measures, if every pack does. One that may have left tells nothing."""
    points = []
    for pack in packs:
        sample = pack.member.sample
        suspected = pack.open_switch or (pack.member.state is PackState.ACTIVE and pack.certainty <= 0)
        if suspected or not pack.heard or sample is None or sample.current_a is None:
            return None
        points.append((sample.time_s, sample.current_a))
    return points or None


def _all_sure(branches: Sequence[Branch]) -> bool:
    return all(branch.certainty >= 1.0 for branch in branches)


def _rated_a(own: PackSettings, limit: Limit) -> float:
    return own.rated_charge_current_a if limit is Limit.CCL else own.rated_discharge_current_a


def _lifted(branch: Branch, cause: Constraint, amps: float, text: str) -> Constraint:
    """A pack's own limit as the bank feels it."""
    pack = cause.pack or branch.pack.name  # by place: twice as fast, and this is done for every cause
    return Constraint(cause.limit, amps, cause.rule, text + cause.text, pack, cause.cell, branch.age_s)


def _sum(branches: Sequence[Branch], limit: Limit) -> Constraint:
    """More than all together that may be counted on is never allowed."""
    # fsum: the order of the packs must not change the last digit.
    amps = fsum([branch.certainty * branch.causes[0].value for branch in branches])
    sure = [branch for branch in branches if branch.certainty > 0]
    text = "the packs together carry no more" if sure else "no pack can be counted on"
    return Constraint(limit, amps, "sum", text)
