"""How a bank's current divides over parallel packs, and so what the bank may carry.

Packs in parallel share by conductance, not by what they are allowed: a pack carries s_i = g_i / sum g
of the bank's current, and what circulates (b_i), whether its limit is high or low. So the bank's limit is
the least of (C_i - b_i) / s_i over the packs that conduct; the sum of their limits over-currents the
stiffest pack, and n times the smallest is not cautious either.

`LearnedSharing` measures s and b from the packs' own currents (`alignment`, `shares`, `flow`) and
draws the limits from where the bank works at the moment (`anchor`). As soon as one pack that may be on
the bus is not heard, or does not say its current, everything measured stays as it was: losing data
never raises a limit. A pack that was open and may be closed again is not among those that are measured:
what the others may carry by themselves holds, and what all of them may, with it there or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        """A new picture of all packs of the parallel circuit (`silence.measured`)."""
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
        if len(branches) == 1:
            return [*_alone(branches[0]), _sum(branches, limit)]
        flow = self._circuit(branches)
        found = self._shared(branches, limit, flow)
        if flow is not self._flow:
            measured = [branch for branch in branches if branch.pack.name in self._flow.names]
            if len(measured) == 1:
                found += _alone(measured[0])
            elif len(measured) > 1 and len(measured) == len(self._flow.names):
                found += self._shared(measured, limit, self._flow)
        self._overcurrent.allowed(limit, min([constraint.value for constraint in found]))
        return [*found, _sum(branches, limit)]

    def _shared(self, branches: Sequence[Branch], limit: Limit, flow: Flow) -> list[Constraint]:
        """What these packs may carry together. flow: theirs."""
        parts = _parts(branches, limit, flow)
        found: list[Constraint] = []
        anchored = self._live and flow is self._flow and _all_sure(branches)
        room = _Room(parts, _carried_a(flow, limit), anchored=anchored)
        for branch, part, measured in zip(branches, parts, flow.circuit.measured, strict=True):
            text = f"{part.name}: {_share_text(part, measured=measured)}"
            sensor_a = SENSOR_A + SENSOR_RATIO * _rated_a(branch.pack, limit)
            found += [
                _lifted(branch, cause, room.bank_a(cause.value, part, sensor_a), text)
                for cause in self._overcurrent.causes(part.name, branch.causes)
            ]
        return found

    def parts(self, branches: Sequence[Branch], limit: Limit) -> list[Part]:
        """See `Sharing`."""
        return _parts(branches, limit, self._circuit(branches))

    def _circuit(self, branches: Sequence[Branch]) -> Flow:
        """The circuit that is measured, if it is theirs; else theirs as it may be expected to be."""
        if tuple([branch.pack.name for branch in branches]) == self._flow.names:
            return self._flow
        rest_v = {**self._rest_v, **self._flow.rest_v()}
        return Flow([branch.pack for branch in branches], self._shares, rest_v, -inf)

    def _gather(self, packs: Sequence[PackSettings], now: float) -> None:
        """A new circuit, if these are not the packs of the present one."""
        names = tuple([own.name for own in packs])
        if names != self._flow.names:
            self._rest_v.update(self._flow.rest_v())
            self._flow = Flow(packs, self._shares, self._rest_v, now)
            self._overcurrent.changed(now)


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


def _parts(branches: Sequence[Branch], limit: Limit, flow: Flow) -> list[Part]:
    circuit, sign = flow.circuit, 1.0 if limit is Limit.CCL else -1.0
    return [
        Part(branch.pack.name, g, s, m, sign * b, branch.certainty)
        for branch, g, s, m, b in zip(
            branches, circuit.conductance, circuit.share, circuit.margin, flow.circulating_a, strict=True
        )
    ]


def _carried_a(flow: Flow, limit: Limit) -> float | None:
    """What the bank carries in this direction; None if that was not seen."""
    if flow.total_a is None:
        return None
    return max(0.0, flow.total_a if limit is Limit.CCL else -flow.total_a)


def _share_text(part: Part, *, measured: bool) -> str:
    """How much of the bank's current it takes, and from where that is known."""
    text = f"{100 * part.share:.0f} % share of the bank ({'measured' if measured else 'assumed'}), "
    if abs(part.circulating_a) < TELLING_A:
        return text
    sign = "and" if part.circulating_a > 0 else "less"
    return f"{text[:-2]} {sign} {abs(part.circulating_a):.0f} A that circulate, "


def _points(packs: Sequence[Pack]) -> list[Point] | None:
    """What every pack measures, if every pack does. One that is suspected of having left tells nothing."""
    points = []
    for pack in packs:
        sample = pack.member.sample
        suspected = pack.member.state is PackState.ACTIVE and pack.certainty <= 0
        if suspected or not pack.heard or sample is None or sample.current_a is None:
            return None
        points.append((sample.time_s, sample.current_a))
    return points or None


def _all_sure(branches: Sequence[Branch]) -> bool:
    return all(branch.certainty >= 1.0 for branch in branches)


def _rated_a(own: PackSettings, limit: Limit) -> float:
    return own.rated_charge_current_a if limit is Limit.CCL else own.rated_discharge_current_a


def _alone(branch: Branch) -> list[Constraint]:
    text = f"{branch.pack.name}: "
    return [_lifted(branch, cause, cause.value, text) for cause in branch.causes]


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
